"""Llama-like decoders with LayerNorm: StableLM, StarCoder2, Nemotron, Persimmon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, split_heads
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

PRE_NORMS = (layer_norm("input_layernorm"), layer_norm("post_attention_layernorm"))


@dataclass(frozen=True)
class NormPerHead:
    """A LayerNorm without bias of its own for each head."""

    name: str
    count: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        name = f"{self.name}.norms.{{}}.weight"
        yield p.tensor(name, (c.head_dim,), "norm", "vector", copies=c.dim(self.count))


register(
    decoder(
        "stablelm",
        "StableLm",
        "StableLM",
        at(
            "self_attn",
            Attention(bias="use_qkv_bias", o_bias=False),
            when("qk_layernorm", NormPerHead("q_layernorm", "heads"), NormPerHead("k_layernorm", "kv_heads")),
        ),
        at("mlp", GatedMlp()),
        layer_norm("input_layernorm"),
        when(lambda c: not c.flag("use_parallel_residual"), layer_norm("post_attention_layernorm")),
        final=layer_norm("norm"),
        dims={"head_dim": split_heads},
        norm="layernorm",
        example="stabilityai/stablelm-2-1_6b",
        about="Llama's layers with LayerNorm; the 12B model runs attention and MLP in parallel and norms each head.",
    ),
    decoder(
        "starcoder2",
        "Starcoder2",
        "StarCoder",
        at("self_attn", Attention(bias="use_bias", kinds=layer_types(window_everywhere))),
        at("mlp", Mlp(("c_fc", "c_proj"), bias="use_bias")),
        *PRE_NORMS,
        final=layer_norm("norm"),
        norm="layernorm",
        example="bigcode/starcoder2-7b",
        about="Mistral's attention with biases, a plain MLP, LayerNorm and a window of 4,096 over all layers.",
    ),
    decoder(
        "nemotron",
        "Nemotron",
        "Nemotron",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Mlp(("up_proj", "down_proj"), bias="mlp_bias")),
        *PRE_NORMS,
        final=layer_norm("norm"),
        heads=causal_heads("Nemotron", questions="transformer."),
        norm="layernorm",
        example="nvidia/Minitron-8B-Base",
        about="A plain MLP with squared ReLU, and LayerNorms that add one to their weight.",
    ),
    decoder(
        "persimmon",
        "Persimmon",
        "Persimmon",
        at(
            "self_attn",
            FusedAttention(("query_key_value", "dense"), bias=True),
            when("qk_layernorm", layer_norm("q_layernorm", "head_dim"), layer_norm("k_layernorm", "head_dim")),
        ),
        at("mlp", Mlp(("dense_h_to_4h", "dense_4h_to_h"))),
        *PRE_NORMS,
        final=layer_norm("final_layernorm"),
        dims=MULTI_HEAD,
        norm="layernorm",
        example="adept/persimmon-8b-base",
        about="Biases everywhere, a plain MLP with squared ReLU, and a LayerNorm on each head's queries and keys.",
    ),
)
