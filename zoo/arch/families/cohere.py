"""Cohere's Command models: attention and MLP in parallel behind one LayerNorm without bias."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, check_whole
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types, when
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register

#: One weight for each head and each of its elements.
PER_HEAD_QK_NORM = (
    layer_norm("q_norm", lambda c: (c.heads, c.head_dim), bias=False),
    layer_norm("k_norm", lambda c: (c.kv_heads, c.head_dim), bias=False),
)


def every_fourth_full(c: Config) -> Sequence[str]:
    """Full attention in each fourth layer, or in each ``sliding_window_pattern``-th where an older file says so."""
    pattern = check_whole(c.get("sliding_window_pattern", 4), f"{c.model_type}: {c.path}sliding_window_pattern", 1)
    return ["sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in range(c.layers)]


register(
    decoder(
        "cohere",
        "Cohere",
        "Command",
        at("self_attn", Attention(bias="attention_bias"), when("use_qk_norm", *PER_HEAD_QK_NORM)),
        at("mlp", GatedMlp()),
        layer_norm("input_layernorm", bias=False),
        final=layer_norm("norm", bias=False),
        heads=causal_heads("Cohere", sequence=None, tokens=None),
        norm="layernorm",
        example="CohereLabs/c4ai-command-r-v01",
        about="Attention and gated MLP in parallel behind one norm; a tied vocabulary of 256,000.",
    ),
    decoder(
        "cohere2",
        "Cohere2",
        "Command",
        at("self_attn", Attention(bias="attention_bias", kinds=layer_types(every_fourth_full))),
        at("mlp", GatedMlp()),
        layer_norm("input_layernorm", bias=False),
        final=layer_norm("norm", bias=False),
        heads=causal_heads("Cohere2", sequence=None, tokens=None),
        norm="layernorm",
        example="CohereLabs/c4ai-command-r7b-12-2024",
        about="Command R with three layers that attend to a window of 4,096 to one with full attention.",
    ),
)
