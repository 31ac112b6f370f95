"""Llama, and the families that are Llama with a detail changed."""

from __future__ import annotations

from zoo.arch.attention import Attention
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register

LLAMA = (
    at("self_attn", Attention(bias="attention_bias")),
    at("mlp", GatedMlp(bias="mlp_bias")),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
)

register(
    decoder(
        "llama",
        "Llama",
        "Llama",
        *LLAMA,
        heads=causal_heads("Llama", questions="transformer."),
        example="meta-llama/Llama-3.1-8B",
        about="The pre-norm decoder with RMSNorm, rotary positions, SwiGLU and grouped-query attention.",
    ),
)
