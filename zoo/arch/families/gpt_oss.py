"""gpt-oss: experts with biases, attention sinks, every other layer with a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.heads import decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import Experts, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def attention_sinks(c: Config, p: Place) -> Iterable[Row]:
    """One learned logit per head that takes part in the softmax and attends to nothing."""
    yield p.tensor("sinks", (c.heads,), "attention", "vector")


def alternate_windows(c: Config) -> Sequence[str]:
    """Every other layer slides, from layer 0 on."""
    return ["sliding_attention" if layer % 2 == 0 else "full_attention" for layer in range(c.layers)]


register(
    decoder(
        "gpt_oss",
        "GptOss",
        "gpt-oss",
        at(
            "self_attn",
            Attention(bias="attention_bias", extra=(attention_sinks,), kinds=layer_types(alternate_windows)),
        ),
        at("mlp", Moe(Router("router", bias=True), Experts(transposed=True, bias=True))),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        dims={"experts": "num_local_experts", "experts_per_token": "num_experts_per_tok"},
        example="openai/gpt-oss-20b",
        about="4 of many experts per token, biases everywhere, sinks in the softmax, a window in every other layer.",
    ),
)
