"""Liquid's models with short convolutions in most layers and attention in the others: LFM2 with experts, LFM3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds, when
from zoo.arch.mlp import GatedMlp, Moe
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Gate, up and down by their names here.
GATED = ("w1", "w3", "w2")


def short_conv(c: Config, p: Place) -> Iterable[Row]:
    """A convolution over the last ``conv_L_cache`` tokens, gated before and after; all but one are its state."""
    kernel, bias = c.whole("conv_L_cache", least=1), c.flag("conv_bias")
    yield from depthwise_conv(p, "conv", c.hidden, kernel, bias)
    yield from p.linear("in_proj", c.hidden, 3 * c.hidden, "recurrent", bias)
    yield from p.linear("out_proj", c.hidden, c.hidden, "recurrent", bias)
    yield p.state("conv", fixed=c.hidden * (kernel - 1))


def must_be_said(c: Config) -> Sequence[str]:
    """LFM2 has no rule for the kinds of its layers."""
    return c.words("layer_types", c.layers)


def dense_first(c: Config) -> Sequence[str]:
    dense = min(c.whole("num_dense_layers"), c.layers)
    return ["dense"] * dense + ["sparse"] * (c.layers - dense)


def expert_bias(c: Config, p: Place) -> Iterable[Row]:
    """What balances the load of the experts, no parameter."""
    if c.flag("use_expert_bias"):
        yield p.tensor("expert_bias", (c.experts,), "router", "vector", role="buffer")


def lfm3_kinds(c: Config) -> Sequence[str]:
    """Of four layers: convolution, convolution, full attention, convolution; the first slides from layer 4 on."""
    fourth = ("sliding_attention", "conv", "full_attention", "conv")
    return ["conv" if layer == 0 else fourth[layer % 4] for layer in range(c.layers)]


def head_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of what each head found is passed on."""
    return p.linear("g_proj", c.hidden, c.heads, "attention")


LFM2_ATTENTION = Attention(
    ("q_proj", "k_proj", "v_proj", "out_proj"),
    extra=(rms("q_layernorm", "head_dim"), rms("k_layernorm", "head_dim")),
)
LFM3_KINDS = named_kinds(lfm3_kinds)
LFM3_ATTENTION = Attention(
    bias="attention_bias", kinds=LFM3_KINDS, extra=(*QK_NORM, when("use_attention_gate", head_gate))
)


def is_tied(c: Config) -> bool:
    """``tie_embedding`` where a file has it, else the usual key."""
    return c.flag("tie_embedding" if "tie_embedding" in c else "tie_word_embeddings")


register(
    decoder(
        "lfm2_moe",
        "Lfm2Moe",
        "LFM",
        by_kind(
            named_kinds(must_be_said),
            full_attention=at("self_attn", LFM2_ATTENTION),
            conv=at("conv", short_conv),
        ),
        at("feed_forward", by_kind(dense_first, dense=GatedMlp(GATED), sparse=Moe(shared=(expert_bias,)))),
        rms("operator_norm"),
        rms("ffn_norm"),
        final=rms("embedding_norm"),
        heads=causal_heads("Lfm2Moe", sequence=None, tokens=None),
        dims={
            "experts": "num_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
            "tied": is_tied,
        },
        example="LiquidAI/LFM2-8B-A1B",
        about="Convolutions over three tokens in most layers, attention in a few, and 4 of 32 experts.",
    ),
    decoder(
        "lfm3",
        "Lfm3",
        "LFM",
        by_kind(
            LFM3_KINDS,
            full_attention=at("self_attn", LFM3_ATTENTION),
            sliding_attention=at("self_attn", LFM3_ATTENTION),
            conv=at("conv", short_conv),
        ),
        at("feed_forward", GatedMlp(GATED)),
        rms("operator_norm"),
        rms("ffn_norm"),
        when("use_sandwich_norm", rms("post_operator_norm"), rms("post_ffn_norm")),
        final=rms("embedding_norm"),
        heads=causal_heads("Lfm3", sequence=None, tokens=None),
        example="LiquidAI/LFM3-1.7B",
        about="Convolutions over seven tokens in half of the layers, gated attention, in part with a window of 256.",
    ),
)
