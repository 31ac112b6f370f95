"""Doge and JetMoE: attention that chooses what it attends to, attention that is itself a mixture of experts."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt

from zoo.arch.attention import Attention, states_of
from zoo.arch.config import Config, UnsupportedError, read_positive
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, when
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def dynamic_mask(c: Config, p: Place) -> Iterable[Row]:
    """From the values, how much each position counts: the mask is learned."""
    yield p.tensor("A", (c.kv_heads,), "attention", "vector")
    yield from p.linear("dt_proj", c.kv_heads * c.head_dim, c.kv_heads, "attention", c.flag("attention_bias"))


def residual_gains(c: Config, p: Place) -> Iterable[Row]:
    """A weight for each element of the residual stream, before attention's and the MLP's output is added."""
    yield p.tensor("input_residual", (c.hidden,), "other", "vector")
    yield p.tensor("post_attention_residual", (c.hidden,), "other", "vector")


def cross_domain_experts(c: Config, p: Place) -> Iterable[Row]:
    """A gated MLP for all, and beside it very many experts of one neuron each, found by product keys."""
    experts, used = c.whole("num_experts", least=1), c.whole("num_experts_per_tok", least=1)
    if used > experts:
        raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
    yield from p.linear("router_gate", c.hidden, 2 * isqrt(experts), "router")
    for name in ("down_embed.weight", "up_embed.weight"):
        yield p.tensor(name, (experts, c.hidden), "experts", used=used, of=experts)


def mixture_of_attention(c: Config, p: Place) -> Iterable[Row]:
    """Queries and output by experts, as many for a token as there are query heads to a KV head (arXiv:2404.07413)."""
    experts, used, width = c.experts, c.experts_per_token, c.kv_heads * c.head_dim
    inner = p.at("experts")
    yield inner.tensor("bias", (c.hidden,), "attention", "vector")
    yield inner.tensor("input_linear.weight", (experts, width, c.hidden), "attention", used=used, of=experts)
    yield inner.tensor("output_linear.weight", (experts, c.hidden, width), "attention", used=used, of=experts)
    yield from inner.linear("router.layer", c.hidden, experts, "router")
    yield from p.linear("kv_proj", c.hidden, 2 * width, "attention")
    yield from states_of(c, p, None)


def jet_experts(c: Config, p: Place) -> Iterable[Row]:
    """The mixture in place of the MLP: gate and up in one tensor."""
    experts, used = c.experts, c.experts_per_token
    yield p.tensor("bias", (c.hidden,), "experts", "vector")
    yield p.tensor("input_linear.weight", (experts, 2 * c.ffn, c.hidden), "experts", used=used, of=experts)
    yield p.tensor("output_linear.weight", (experts, c.hidden, c.ffn), "experts", used=used, of=experts)
    yield from p.linear("router.layer", c.hidden, experts, "router")


def refuse_too_many(c: Config) -> str | None:
    used, experts = c.experts_per_token, c.experts
    return None if 0 < used <= experts else f"{used} of {experts} experts per token is out of range"


register(
    decoder(
        "doge",
        "Doge",
        "Doge",
        at(
            "self_attn",
            Attention(bias="attention_bias", kinds=window_everywhere, extra=QK_NORM),
            dynamic_mask,
        ),
        at("mlp", GatedMlp(bias="mlp_bias"), when("is_moe", cross_domain_experts)),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        residual_gains,
        heads=causal_heads("Doge", tokens=None),
        example="SmallDoge/Doge-320M",
        about="Attention that learns which positions to leave out; larger models have 16,384 experts of one neuron.",
    ),
    decoder(
        "jetmoe",
        "JetMoe",
        "JetMoE",
        at("self_attention", mixture_of_attention),
        at("mlp", jet_experts),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        heads=causal_heads("JetMoe", tokens=None),
        dims={
            "experts": "num_local_experts",
            "experts_per_token": "num_experts_per_tok",
            "kv_heads": read_positive("num_key_value_heads"),
            "heads": lambda c: c.kv_heads * c.experts_per_token,
            "head_dim": read_positive("kv_channels"),
        },
        supported=refuse_too_many,
        example="jetmoe/jetmoe-8b",
        about="2 of 8 experts in the attention as well as in the MLP; keys and values are shared by all.",
    ),
)
