"""Llama, and the families that are Llama with a detail changed."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import rms
from zoo.arch.registry import register

#: Both norms stand before what they feed; the names have stayed the same in most families since.
PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))

LLAMA = (
    at("self_attn", Attention(bias="attention_bias")),
    at("mlp", GatedMlp(bias="mlp_bias")),
    *PRE_NORMS,
)


def smollm3_kinds(c: Config) -> Sequence[str]:
    """Layers without rotary positions slide, and only when ``use_sliding_window`` and the window ask for it."""
    if not c.flag("use_sliding_window") or c.window is None:
        return ["full_attention"] * c.layers
    if c["no_rope_layers"] is None:
        interval = c.whole("no_rope_layer_interval", least=1)
        return ["full_attention" if (layer + 1) % interval else "sliding_attention" for layer in range(c.layers)]
    rope = c["no_rope_layers"]
    if not isinstance(rope, list) or len(rope) != c.layers or any(has_rope not in (0, 1) for has_rope in rope):
        raise UnsupportedError(f"{c.model_type}: no_rope_layers is not a list of 0 or 1 for each layer")
    return ["full_attention" if has_rope else "sliding_attention" for has_rope in rope]


def refuse_uneven_heads(c: Config) -> str | None:
    """Helium's output projection is [hidden, hidden], which fits only heads that add up to the hidden size."""
    width = c.heads * c.head_dim
    return None if width == c.hidden else f"{c.heads} heads of {c.head_dim} do not add up to hidden_size {c.hidden}"


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
    decoder(
        "granite",
        "Granite",
        "Granite",
        *LLAMA,
        heads=causal_heads("Granite", sequence=None, tokens=None),
        example="ibm-granite/granite-3.3-8b-instruct",
        about="Llama's layers with scalar multipliers on embeddings, residuals, attention and logits.",
    ),
    decoder(
        "smollm3",
        "SmolLM3",
        "SmolLM",
        at("self_attn", Attention(bias="attention_bias", kinds=layer_types(smollm3_kinds))),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=causal_heads("SmolLM3", questions="transformer."),
        example="HuggingFaceTB/SmolLM3-3B",
        about="Llama's layers, every fourth of them without rotary positions.",
    ),
    decoder(
        "arcee",
        "Arcee",
        "Arcee",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Mlp(("up_proj", "down_proj"), bias="mlp_bias")),
        *PRE_NORMS,
        heads=causal_heads("Arcee", questions="transformer."),
        example="arcee-ai/AFM-4.5B",
        about="Llama's attention with a plain MLP of two matrices and squared ReLU.",
    ),
    decoder(
        "seed_oss",
        "SeedOss",
        "Seed",
        at("self_attn", Attention(bias="attention_bias", o_bias="attention_out_bias")),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=causal_heads("SeedOss", questions="transformer."),
        example="ByteDance-Seed/Seed-OSS-36B-Instruct",
        about="Llama's layers with biased q, k and v and heads together wider than the hidden size.",
    ),
    decoder(
        "hunyuan_v1_dense",
        "HunYuanDenseV1",
        "HunYuan",
        at(
            "self_attn",
            Attention(
                bias="attention_bias",
                extra=(rms("query_layernorm", "head_dim"), rms("key_layernorm", "head_dim")),
            ),
        ),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads=causal_heads("HunYuanDenseV1", tokens=None),
        example="tencent/Hunyuan-7B-Instruct",
        about="Llama's layers with an RMSNorm on each head's queries and keys, after the rotation.",
    ),
    decoder(
        "helium",
        "Helium",
        "Helium",
        at("self_attn", Attention(bias="attention_bias", o_bias=False)),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=causal_heads("Helium"),
        supported=refuse_uneven_heads,
        example="kyutai/helium-1-2b",
        about="Llama's layers; its output projection is square, so the heads must add up to the hidden size.",
    ),
)
