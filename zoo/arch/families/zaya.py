"""ZAYA1: attention on convolved queries and keys, and a router that is a network of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import states_of
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.heads import LmHead, causal_heads, decoder
from zoo.arch.layers import Kinds, at, by_kind, every, named_kinds
from zoo.arch.mlp import Experts
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

HYBRID: Kinds = named_kinds(every("hybrid"))
SPANS = {"hybrid": "full_attention", "hybrid_sliding": "sliding_attention"}


def spans(c: Config) -> Sequence[str]:
    """What the kinds of hybrid layers mean for the cache."""
    return [SPANS.get(kind, kind) for kind in HYBRID(c)]


def convolved_attention(c: Config, p: Place) -> Iterable[Row]:
    """Compressed convolutional attention (arXiv:2510.04476).

    Queries and keys pass through two convolutions over tokens, by channel and by head; half of each value is the
    token's own, half that of the token before. State per sequence besides the cache: the inputs that the
    convolutions still need, and that half of the token before.
    """
    query, key = c.heads * c.head_dim, c.kv_heads * c.head_dim
    first, second = c.whole("cca_time0", least=1), c.whole("cca_time1", least=1)
    if key % 2:
        raise UnsupportedError(f"{c.model_type}: values of {key} elements cannot be halved")
    bias = c.flag("attention_bias")
    inner, channels = p.at("qkv_proj"), query + key
    widths = {"q_proj": query, "k_proj": key, "v_proj_current": key // 2, "v_proj_delayed": key // 2}
    for name, outputs in widths.items():
        yield from inner.linear(name, c.hidden, outputs, "attention", bias)
    yield inner.tensor("conv_qk_depthwise.weight", (channels, 1, first), "attention", "conv")
    yield inner.tensor("conv_qk_depthwise.bias", (channels,), "attention", "vector")
    yield inner.tensor("conv_qk_grouped.weight", (channels, c.head_dim, second), "attention", "conv")
    yield inner.tensor("conv_qk_grouped.bias", (channels,), "attention", "vector")
    yield p.tensor("qk_norm.temp", (c.kv_heads,), "norm", "vector")
    yield from p.linear("o_proj", query, c.hidden, "attention", bias)
    yield from states_of(c, p, spans)
    yield p.state("conv", fixed=channels * (first + second - 2) + key // 2)


def residual_scale(c: Config, p: Place) -> Iterable[Row]:
    """A gain and a bias for each element, of what a block adds and of what it is added to."""
    for name in ("hidden_states_scale", "hidden_states_bias", "residual_scale", "residual_bias"):
        yield p.tensor(name, (c.hidden,), "other", "vector")


def router(c: Config, p: Place) -> Iterable[Row]:
    """Three layers behind a projection down; one choice more than there are experts, which is to do nothing."""
    width, choices = c.whole("router_hidden_size", least=1), c.experts + 1
    yield from p.linear("down_proj", c.hidden, width, "router", True)
    network = p.at("router_mlp")
    yield from rms("norm", lambda c: width)(c, network)
    yield from network.linear("fc1", width, width, "router", True)
    yield from network.linear("fc2", width, width, "router", True)
    yield from network.linear("out_proj", width, choices, "router")
    yield p.tensor("balancing_biases", (choices,), "router", "vector", role="buffer")


def carried_states(c: Config, p: Place) -> Iterable[Row]:
    """How much of the router's states of the layer before is added."""
    yield p.tensor("router_states_scale", (c.whole("router_hidden_size"),), "router", "vector")


def input_scale(c: Config, p: Place) -> Iterable[Row]:
    for name in ("input_hidden_states_scale", "input_hidden_states_bias"):
        yield p.tensor(name, (c.hidden,), "other", "vector")


def first_is_other(c: Config) -> Sequence[str]:
    return ["first"] + ["later"] * (c.layers - 1)


register(
    decoder(
        "zaya",
        "Zaya",
        "ZAYA",
        at("self_attn", by_kind(HYBRID, hybrid=convolved_attention, hybrid_sliding=convolved_attention)),
        at("mlp", at("gate", router, by_kind(first_is_other, first=(), later=carried_states)), Experts()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        at("post_attention_residual_scale", residual_scale),
        at("post_mlp_residual_scale", residual_scale),
        before=(input_scale,),
        heads=causal_heads("Zaya", lm=LmHead(bias="lm_head_bias"), sequence=None, tokens=None),
        dims={
            "experts": "num_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
            "ffn": "moe_intermediate_size",
        },
        example="Zyphra/ZAYA1-8B",
        about="One expert of 16 for a token, or none; queries and keys are convolved before they meet.",
    ),
)
