"""Mixtral: Mistral with a mixture of experts in place of every MLP."""

from __future__ import annotations

from zoo.arch.attention import Attention
from zoo.arch.config import Dim
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at
from zoo.arch.mlp import Moe
from zoo.arch.norms import rms
from zoo.arch.registry import register

EXPERTS: dict[str, Dim] = {"experts": "num_local_experts", "experts_per_token": "num_experts_per_tok"}

register(
    decoder(
        "mixtral",
        "Mixtral",
        "Mistral",
        at("self_attn", Attention(kinds=window_everywhere)),
        at("mlp", Moe()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        heads=causal_heads("Mixtral", questions="model."),
        dims=EXPERTS,
        example="mistralai/Mixtral-8x7B-v0.1",
        about="A sparse mixture of experts: each token passes through 2 of 8 gated MLPs in every layer.",
    ),
)
