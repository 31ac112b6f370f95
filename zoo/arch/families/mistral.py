"""Mistral and Ministral: Llama without biases, with a sliding window in all layers, none, or some."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register


def window_everywhere(c: Config) -> Sequence[str]:
    """Every layer slides when the config has a ``sliding_window``, none does when it is null."""
    return ["full_attention" if c.window is None else "sliding_attention"] * c.layers


MISTRAL = (
    at("self_attn", Attention(kinds=layer_types(window_everywhere))),
    at("mlp", GatedMlp()),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
)

register(
    decoder(
        "mistral",
        "Mistral",
        "Mistral",
        *MISTRAL,
        heads=causal_heads("Mistral", questions="model."),
        example="mistralai/Mistral-7B-v0.1",
        about="Llama's layers with 8 KV heads; version 0.1 slides a window of 4,096 over all layers.",
    ),
    decoder(
        "ministral",
        "Ministral",
        "Mistral",
        *MISTRAL,
        heads=causal_heads("Ministral", questions="transformer."),
        example="mistralai/Ministral-8B-Instruct-2410",
        about="Mistral's layers, some with a sliding window and some with full attention, as layer_types says.",
    ),
    decoder(
        "ministral3",
        "Ministral3",
        "Mistral",
        *MISTRAL,
        heads=causal_heads("Ministral3", questions="model."),
        example="mistralai/Ministral-3-8B-Instruct-2512",
        about="Mistral's layers with full attention, 128 wide heads and YaRN positions.",
    ),
)
