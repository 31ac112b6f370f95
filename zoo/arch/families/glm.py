"""GLM-4, in its two dense forms."""

from __future__ import annotations

from zoo.arch.attention import Attention
from zoo.arch.heads import decoder
from zoo.arch.layers import at
from zoo.arch.mlp import FusedGatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register

GLM = (
    at("self_attn", Attention(bias="attention_bias", o_bias=False)),
    at("mlp", FusedGatedMlp()),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
)

register(
    decoder(
        "glm",
        "Glm",
        "GLM",
        *GLM,
        example="zai-org/glm-4-9b-hf",
        about="Biased q, k and v with two KV heads, and gate and up in one matrix.",
    ),
    decoder(
        "glm4",
        "Glm4",
        "GLM",
        *GLM,
        rms("post_self_attn_layernorm"),
        rms("post_mlp_layernorm"),
        example="zai-org/GLM-4-9B-0414",
        about="GLM with a norm after each block as well as before it.",
    ),
)
