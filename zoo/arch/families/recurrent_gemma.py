"""RecurrentGemma (Griffin): a gated linear recurrence in two layers of three, a window in the third."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the state and token: decay, and the input scaled.
STEPS = 2


def griffin_kinds(c: Config) -> Sequence[str]:
    """``block_types`` over and over, up to a hundred times."""
    types = c.words("block_types")
    kinds = (list(types) * 100)[: c.layers]
    if len(kinds) < c.layers:
        raise UnsupportedError(f"{c.model_type}: block_types do not reach the {c.layers} layers")
    return ["recurrent" if kind == "recurrent" else "attention" for kind in kinds]


def recurrent_block(c: Config, p: Place) -> Iterable[Row]:
    """The real-gated linear recurrent unit behind a convolution (arXiv:2402.19427, section 2.4).

    State per sequence: ``lru_width`` elements in float32, and the last kernel - 1 inputs of the convolution.
    """
    width, kernel = c.lru_width, c.whole("conv1d_width", least=1)
    if width % c.heads:
        raise UnsupportedError(f"{c.model_type}: lru_width {width} is not a multiple of its {c.heads} heads")
    block = width // c.heads
    yield from p.linear("linear_y", c.hidden, width, "recurrent", True)
    yield from p.linear("linear_x", c.hidden, width, "recurrent", True)
    yield from p.linear("linear_out", width, c.hidden, "recurrent", True)
    yield from depthwise_conv(p, "conv_1d", width, kernel, True)
    unit = p.at("rg_lru")
    yield unit.tensor("recurrent_param", (width,), "recurrent", "vector")
    for gate in ("input_gate", "recurrent_gate"):
        yield unit.tensor(f"{gate}_weight", (c.heads, block, block), "recurrent")
        yield unit.tensor(f"{gate}_bias", (c.heads, block), "recurrent", "vector")
    yield p.state("conv", fixed=width * (kernel - 1))
    yield p.state("linear", fixed=width, flops_per_token=2 * STEPS * width, dtype="float32")


register(
    decoder(
        "recurrent_gemma",
        "RecurrentGemma",
        "Gemma",
        rms("temporal_pre_norm"),
        at(
            "temporal_block",
            by_kind(
                griffin_kinds,
                recurrent=recurrent_block,
                attention=Attention(
                    bias="attention_bias", o_bias=True, kinds=lambda c: ["sliding_attention"] * c.layers
                ),
            ),
        ),
        rms("channel_pre_norm"),
        at("mlp_block", GatedMlp(bias=True)),
        final=rms("final_norm"),
        heads=causal_heads("RecurrentGemma", sequence=None, tokens=None),
        dims={
            "ffn": lambda c: c.whole("intermediate_size") // 2,
            "window": lambda c: c.whole("attention_window_size", least=1),
            "lru_width": lambda c: c.hidden if c["lru_width"] is None else c.whole("lru_width", least=1),
            "context": lambda c: None,
        },
        example="google/recurrentgemma-2b",
        about="No cache that grows: two recurrent layers to one with a window of 2,048 and one KV head.",
    ),
)
