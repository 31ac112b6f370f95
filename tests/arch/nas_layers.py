"""Layers of Nemotron-NAS, as its files describe them."""

from __future__ import annotations

from typing import Any


def nas_layers(
    count: int, heads_in_group: int | None, ffn_mult: float, *, linear: bool = False
) -> list[dict[str, Any]]:
    """Layers of Nemotron-NAS; None heads are no attention, or a matrix in its place."""
    attention = {
        "n_heads_in_group": heads_in_group,
        "no_op": heads_in_group is None and not linear,
        "replace_with_linear": linear,
        "window_length": None,
    }
    ffn = {"ffn_mult": ffn_mult, "no_op": False, "replace_with_linear": False}
    return [{"attention": attention, "ffn": ffn}] * count


#: Llama-3.3-Nemotron-Super-49B: its blocks, by kind rather than in order.
NEMOTRON: dict[str, Any] = {
    "model_type": "nemotron-nas",
    "architectures": ["DeciLMForCausalLM"],
    "attention_bias": False,
    "block_configs": [
        *nas_layers(48, 8, 5.25),
        *nas_layers(1, 8, 2.625),
        *nas_layers(10, None, 1.3125),
        *nas_layers(8, None, 1.0),
        *nas_layers(6, None, 0.5),
        *nas_layers(5, None, 2.625),
        *nas_layers(1, None, 3.28125),
        *nas_layers(1, None, 5.25),
    ],
    "hidden_size": 8192,
    "intermediate_size": None,
    "mlp_bias": False,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": None,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
