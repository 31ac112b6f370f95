"""Laguna: a number of heads for each layer, and a gate behind each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.deepseek_kin import first_is_dense
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, every, named_kinds, resized
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_heads(c: Config) -> Sequence[int]:
    """``num_attention_heads_per_layer``; null means ``num_attention_heads`` in all."""
    listed = c["num_attention_heads_per_layer"]
    if listed is None:
        return [c.heads] * c.layers
    if not isinstance(listed, list) or len(listed) != c.layers:
        raise UnsupportedError(f"{c.model_type}: num_attention_heads_per_layer is not a list of one for each layer")
    return [check_whole(heads, f"{c.model_type}: num_attention_heads_per_layer", 1) for heads in listed]


def output_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of what was found is passed on: one number for a head, or for each of its elements."""
    per_head = c["gating"] is True or c["gating"] == "per-head"
    return p.linear("g_proj", c.hidden, c.heads * (1 if per_head else c.head_dim), "attention")


ATTENTION = Attention(bias="attention_bias", kinds=named_kinds(every("full_attention")), extra=(*QK_NORM, output_gate))


def attention_by_heads(c: Config, p: Place) -> Iterable[Row]:
    """The attention of the layers with equally many heads, for each such number."""
    counts = read_heads(c)
    for count in sorted(set(counts)):
        layers = [layer for layer in p.layers or () if counts[layer] == count]
        yield from resized({"heads": partial(give, count)}, ATTENTION)(c, p._replace(layers=layers))


def give(count: int, c: Config) -> int:
    return count


def correction(c: Config, p: Place) -> Iterable[Row]:
    """What balances the load of the experts; here a parameter, which only the balancing changes."""
    yield p.tensor("gate.e_score_correction_bias", (c.experts,), "router", "vector")


SHARED = at("shared_experts", GatedMlp(width="shared_ffn", part="shared_experts"))

register(
    decoder(
        "laguna",
        "Laguna",
        "Laguna",
        at("self_attn", attention_by_heads),
        at(
            "mlp",
            by_kind(
                named_kinds(first_is_dense, "mlp_layer_types"),
                dense=GatedMlp(),
                sparse=Moe(Router(), shared=(correction, SHARED)),
            ),
        ),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        heads=causal_heads("Laguna", sequence=None, tokens=None),
        dims={
            "experts": "num_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
            "shared_experts": lambda c: 1,
            "shared_ffn": "shared_expert_intermediate_size",
        },
        example="poolside/laguna-XS.2",
        about="Gated heads, more of them in some layers than in others, windows of 512, 8 of 256 small experts.",
    ),
)
