"""Qwen2 and Qwen3, the dense models."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register


def read_switched_window(c: Config) -> int | None:
    """``sliding_window``, which is only in force with ``use_sliding_window``."""
    return (c.maybe("sliding_window") or None) if c.flag("use_sliding_window") else None


def upper_layers_slide(c: Config) -> Sequence[str]:
    """With a window in force, the layers from ``max_window_layers`` on slide (the name says the opposite)."""
    full = c.layers if c.window is None else min(c.whole("max_window_layers"), c.layers)
    return ["full_attention"] * full + ["sliding_attention"] * (c.layers - full)


QWEN_KINDS = layer_types(upper_layers_slide)
QWEN_DIMS: dict[str, Dim] = {"window": read_switched_window}

register(
    decoder(
        "qwen2",
        "Qwen2",
        "Qwen",
        at("self_attn", Attention(bias=True, o_bias=False, kinds=QWEN_KINDS)),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        dims=QWEN_DIMS,
        heads=causal_heads("Qwen2", questions="transformer."),
        example="Qwen/Qwen2.5-0.5B",
        about="Llama's layers with biased q, k and v.",
    ),
    decoder(
        "qwen3",
        "Qwen3",
        "Qwen",
        at("self_attn", Attention(bias="attention_bias", kinds=QWEN_KINDS, extra=QK_NORM)),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        dims=QWEN_DIMS,
        heads=causal_heads("Qwen3", questions="transformer."),
        example="Qwen/Qwen3-0.6B",
        about="Llama's layers with an RMSNorm on each head's queries and keys, and 128 wide heads.",
    ),
)
