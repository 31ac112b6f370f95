"""HRM-Text: two short stacks of layers, each passed through many times for one token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import Stack, at
from zoo.arch.mlp import GatedMlp
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor

MAX_CYCLES = 1_000


def read_layers(c: Config) -> int:
    """Layers stored in each stack: ``num_layers_per_stack``, or ``num_hidden_layers`` where it is null.

    Once saved, ``num_hidden_layers`` counts every passage through a layer, and the former is there to tell.
    """
    layers = c.maybe("num_layers_per_stack")
    layers = c.whole("num_hidden_layers") if layers is None else layers
    if layers > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {layers} layers are out of range")
    return layers


def read_cycles(c: Config, key: str) -> int:
    cycles = c.whole(key, least=1)
    if cycles > MAX_CYCLES:
        raise UnsupportedError(f"{c.model_type}: {key} is {cycles}, out of range")
    return cycles


@dataclass(frozen=True)
class Repeated:
    """Blocks that a token passes through several times: stored once, multiplied and cached for every passage."""

    times: Callable[[Config], int]
    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        times = self.times(c)
        for block in self.blocks:
            for row in block(c, p):
                if isinstance(row, Tensor):
                    yield row
                    if times > 1:
                        yield row._replace(copies=times - 1, tied_to=row.name)
                else:
                    yield row._replace(
                        per_token=times * row.per_token,
                        materialized=times * row.materialized,
                        flops_per_pos=times * row.flops_per_pos,
                        decode_flops_per_pos=times * row.decode_flops_per_pos,
                    )


def output_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of each element of what attention found is passed on."""
    return p.linear("gate_proj", c.hidden, c.heads * c.head_dim, "attention", c.flag("attention_bias"))


def first_state(c: Config, p: Place) -> Iterable[Row]:
    """What the lower stack starts from."""
    yield p.tensor("z_L_init", (c.hidden,), "other", "vector")


LAYER = (at("self_attn", Attention(bias="attention_bias"), output_gate), at("mlp", GatedMlp(bias="mlp_bias")))
LOWER = Repeated(lambda c: read_cycles(c, "H_cycles") * read_cycles(c, "L_cycles"), (Stack("layers", LAYER),))
UPPER = Repeated(lambda c: read_cycles(c, "H_cycles"), (Stack("layers", LAYER),))

register(
    decoder(
        "hrm_text",
        "HrmText",
        "HRM",
        before=(first_state, at("L_module", LOWER), at("H_module", UPPER)),
        final=None,
        heads=causal_heads("HrmText", sequence=None, tokens=None),
        dims={"layers": read_layers, "kv_heads": lambda c: c.heads},
        example="sapientinc/HRM-Text-1B",
        about="Few parameters, much work: six passages through one stack and two through another, a cache for each.",
    ),
)
