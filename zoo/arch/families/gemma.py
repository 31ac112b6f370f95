"""Gemma: tied embeddings, wide heads, and from the second version on four norms a layer and sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zoo.arch.attention import Attention
from zoo.arch.config import Config, check_whole
from zoo.arch.heads import LabelHead, LmHead, decoder
from zoo.arch.layers import Kinds, When, at, layer_types, when
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block

#: Attention and MLP each stand between two norms.
SANDWICH_NORMS = (
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
    rms("pre_feedforward_layernorm"),
    rms("post_feedforward_layernorm"),
)


def gemma_attention(kinds: Kinds | None = None, extra: tuple[Block, ...] = ()) -> When:
    """Causal attention, or with ``use_bidirectional_attention`` that of an encoder, which caches nothing."""
    causal = Attention(bias="attention_bias", kinds=kinds, extra=extra)
    encoder = replace(causal, cached=False, causal=False)
    return when("use_bidirectional_attention", encoder, otherwise=(causal,))


def alternate(c: Config) -> Sequence[str]:
    """Sliding and full attention in turn, beginning with sliding."""
    return ["full_attention" if layer % 2 else "sliding_attention" for layer in range(c.layers)]


def every_sixth_full(c: Config) -> Sequence[str]:
    """Full attention in each sixth layer, or in each ``sliding_window_pattern``-th where an older file says so."""
    pattern = check_whole(c.get("sliding_window_pattern", 6), f"{c.model_type}: {c.path}sliding_window_pattern", 1)
    return ["sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in range(c.layers)]


def read_gemma3_window(c: Config) -> int | None:
    """``sliding_window``; attending both ways, half of it to each side."""
    window = c.maybe("sliding_window") or None
    return window // 2 + 1 if window and c.flag("use_bidirectional_attention") else window


register(
    decoder(
        "gemma",
        "Gemma",
        "Gemma",
        at("self_attn", gemma_attention()),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        example="google/gemma-7b",
        about="Llama's layers with GeGLU, a tied vocabulary of 256,000, and heads together wider than the hidden size.",
    ),
    decoder(
        "gemma2",
        "Gemma2",
        "Gemma",
        at("self_attn", gemma_attention(layer_types(alternate))),
        at("mlp", GatedMlp()),
        *SANDWICH_NORMS,
        example="google/gemma-2-9b",
        about="A norm before and after each block; every other layer attends to a window of 4,096 only.",
    ),
    decoder(
        "gemma3_text",
        "Gemma3",
        "Gemma",
        at("self_attn", gemma_attention(layer_types(every_sixth_full), QK_NORM)),
        at("mlp", GatedMlp()),
        *SANDWICH_NORMS,
        dims={"window": read_gemma3_window},
        heads={
            "Gemma3TextModel": Head(),
            "Gemma3ForCausalLM": Head("model.", (LmHead(),)),
            "Gemma3TextForSequenceClassification": Head("model.", (LabelHead("score"),)),
        },
        example="google/gemma-3-1b-it",
        about="Gemma 2 with norms on queries and keys, and five layers with a window to one with full attention.",
    ),
)
