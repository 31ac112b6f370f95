"""Phi: the parallel block of Phi-1 and Phi-2, and the Llama-like Phi-3 and Phi-4."""

from __future__ import annotations

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import Config, divide
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.heads import LmHead, causal_heads, decoder
from zoo.arch.layers import at, layer_types, when
from zoo.arch.mlp import FusedGatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import register


def plain_head(c: Config) -> int:
    """Width of Phi's QK norms: hidden size / heads, whatever an explicit ``head_dim`` says."""
    return divide(c, c.hidden, c.heads, "num_attention_heads")


register(
    decoder(
        "phi",
        "Phi",
        "Phi",
        at(
            "self_attn",
            Attention(("q_proj", "k_proj", "v_proj", "dense"), bias=True),
            when("qk_layernorm", layer_norm("q_layernorm", plain_head), layer_norm("k_layernorm", plain_head)),
        ),
        at("mlp", Mlp()),
        layer_norm("input_layernorm"),
        final=layer_norm("final_layernorm"),
        heads=causal_heads("Phi", lm=LmHead(bias=True)),
        norm="layernorm",
        example="microsoft/phi-2",
        about="Attention and a plain MLP in parallel behind one LayerNorm; every matrix has a bias, the head too.",
    ),
    decoder(
        "phi3",
        "Phi3",
        "Phi",
        at("self_attn", FusedAttention(kinds=layer_types(window_everywhere))),
        at("mlp", FusedGatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        example="microsoft/Phi-3-mini-4k-instruct",
        about="Llama's layers with q, k, v in one matrix and gate, up in another; a window over all layers.",
    ),
)
