"""I-BERT: RoBERTa with what it takes to run it in integers stored beside the weights."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.bert_kin import ROBERTA_POOLED, encoder, encoder_heads
from zoo.arch.families.encoder_variants import UNCACHED_ROBERTA, attend_everywhere
from zoo.arch.layers import at, stack
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def quantised(p: Place, name: str, inputs: int, outputs: int, part: str) -> Iterable[Row]:
    """A dense layer that stores its weights in integers beside the real ones, with a scale for each output."""
    yield from p.linear(name, inputs, outputs, part, True)
    for buffer, shape in (
        ("weight_integer", (outputs, inputs)),
        ("fc_scaling_factor", (outputs,)),
        ("bias_integer", (outputs,)),
    ):
        yield p.tensor(f"{name}.{buffer}", shape, part, "vector", role="buffer")


def ranges(p: Place, *names: str) -> Iterable[Row]:
    """What each activation has been seen to span, and its scale."""
    for name in names:
        for buffer in ("x_min", "x_max", "act_scaling_factor"):
            yield p.tensor(f"{name}.{buffer}", (1,), "other", "vector", role="buffer")


def integer_norm(c: Config, p: Place, name: str) -> Iterable[Row]:
    """A layer norm with the shift that keeps its sum of squares in range."""
    yield from layer_norm(name)(c, p)
    yield p.tensor(f"{name}.shift", (1,), "norm", "vector", role="buffer")
    yield from ranges(p, f"{name}.activation")


def integer_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """BERT's embeddings, each with a copy in integers."""
    for name, rows, part in (
        ("word_embeddings", c.vocab, "embedding"),
        ("token_type_embeddings", c.token_types, "embedding"),
        ("position_embeddings", c.positions, "position"),
    ):
        yield p.table(name, rows, c.hidden, part)
        yield p.tensor(f"{name}.weight_integer", (rows, c.hidden), part, "vector", role="buffer")
        yield p.tensor(f"{name}.weight_scaling_factor", (1,), part, "vector", role="buffer")
    yield from ranges(p, "embeddings_act1", "embeddings_act2", "output_activation")
    yield from integer_norm(c, p, "LayerNorm")


def integer_layer(c: Config, p: Place) -> Iterable[Row]:
    """BERT's layer with everything that its integer form needs, whether it is switched on or not."""
    inner = p.at("attention.self")
    for name in ("query", "key", "value"):
        yield from quantised(inner, name, c.hidden, c.hidden, "attention")
        yield from ranges(inner, f"{name}_activation")
    yield from ranges(inner, "output_activation", "softmax.act")
    yield attend_everywhere(c, p)
    for name, part, inputs in (("attention.output", "attention", c.hidden), ("output", "mlp", c.ffn)):
        yield from quantised(p, f"{name}.dense", inputs, c.hidden, part)
        yield from ranges(p, f"{name}.ln_input_act", f"{name}.output_activation")
        yield from integer_norm(c, p, f"{name}.LayerNorm")
    yield from quantised(p, "intermediate.dense", c.hidden, c.ffn, "mlp")
    yield from ranges(p, "intermediate.output_activation", "pre_intermediate_act", "pre_output_act")


register(
    encoder(
        "ibert",
        "RoBERTa",
        (at("embeddings", integer_embeddings), stack("encoder.layer", integer_layer)),
        encoder_heads("IBert", "ibert", UNCACHED_ROBERTA, ROBERTA_POOLED),
        example="kssteven/ibert-roberta-base",
        about="RoBERTa that can run in integers alone: a copy of each weight in integers is stored, with its scale.",
    )
)
