"""OLMo: norms without weights, then norms after the blocks, then windows."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register

#: Norms over all heads at once, not over each.
WIDE_QK_NORM = (
    rms("q_norm", lambda c: c.heads * c.head_dim),
    rms("k_norm", lambda c: c.kv_heads * c.head_dim),
)
POST_NORMS = (rms("post_attention_layernorm"), rms("post_feedforward_layernorm"))


def every_fourth_full(c: Config) -> Sequence[str]:
    return ["sliding_attention" if (layer + 1) % 4 else "full_attention" for layer in range(c.layers)]


register(
    decoder(
        "olmo",
        "Olmo",
        "OLMo",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", GatedMlp()),
        final=None,
        heads=causal_heads("Olmo", tokens=None),
        norm="layernorm",
        example="allenai/OLMo-7B-hf",
        about="Llama's layers with LayerNorms that have neither weight nor bias: no norm stores anything.",
    ),
    decoder(
        "olmo2",
        "Olmo2",
        "OLMo",
        at("self_attn", Attention(bias="attention_bias", extra=WIDE_QK_NORM)),
        at("mlp", GatedMlp()),
        *POST_NORMS,
        heads=causal_heads("Olmo2", tokens=None),
        example="allenai/OLMo-2-1124-7B",
        about="The norms stand after attention and MLP, and queries and keys are normed over all heads at once.",
    ),
    decoder(
        "olmo3",
        "Olmo3",
        "OLMo",
        at("self_attn", Attention(bias="attention_bias", kinds=layer_types(every_fourth_full), extra=WIDE_QK_NORM)),
        at("mlp", GatedMlp()),
        *POST_NORMS,
        heads=causal_heads("Olmo3", tokens=None),
        example="allenai/Olmo-3-1025-7B",
        about="OLMo 2 with three layers that attend to a window of 4,096 to one with full attention.",
    ),
)
