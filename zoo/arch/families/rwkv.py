"""RWKV-4: a recurrence in place of attention, with a few vectors as its state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import Config
from zoo.arch.families.gpt import four_times_unless
from zoo.arch.heads import Embedding, LmHead, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the width and token: numerator and denominator, each decayed, fed and read.
STEPS = 6


def time_mixing(c: Config, p: Place) -> Iterable[Row]:
    """The block that looks back (arXiv:2305.13048, section 3.1).

    State per sequence: the token before, and in float32 numerator, denominator and greatest exponent.
    """
    width = c.mix_width
    for name in ("time_decay", "time_first"):
        yield p.tensor(name, (width,), "recurrent", "vector")
    for name in ("time_mix_key", "time_mix_value", "time_mix_receptance"):
        yield p.tensor(name, (1, 1, c.hidden), "recurrent", "vector")
    for name in ("key", "value", "receptance"):
        yield from p.linear(name, c.hidden, width, "recurrent")
    yield from p.linear("output", width, c.hidden, "recurrent")
    yield p.state("conv", fixed=c.hidden)
    yield p.state("linear", fixed=3 * width, flops_per_token=2 * STEPS * width, dtype="float32")


def channel_mixing(c: Config, p: Place) -> Iterable[Row]:
    """The MLP, which sees the token before as well."""
    for name in ("time_mix_key", "time_mix_receptance"):
        yield p.tensor(name, (1, 1, c.hidden), "mlp", "vector")
    yield from p.linear("key", c.hidden, c.ffn, "mlp")
    yield from p.linear("receptance", c.hidden, c.hidden, "mlp")
    yield from p.linear("value", c.ffn, c.hidden, "mlp")
    yield p.state("conv", fixed=c.hidden)


def first_is_other(c: Config) -> Sequence[str]:
    return ["first"] + ["later"] * (c.layers - 1)


register(
    decoder(
        "rwkv",
        "Rwkv",
        "RWKV",
        by_kind(first_is_other, first=layer_norm("pre_ln"), later=()),
        layer_norm("ln1"),
        layer_norm("ln2"),
        at("attention", time_mixing),
        at("feed_forward", channel_mixing),
        embed=Embedding("embeddings"),
        final=layer_norm("ln_out"),
        layers="blocks",
        heads={"RwkvModel": Head(), "RwkvForCausalLM": Head("rwkv.", (LmHead("head"),))},
        dims={
            "heads": lambda c: 0,
            "kv_heads": lambda c: 0,
            "head_dim": lambda c: 0,
            "ffn": four_times_unless("intermediate_size"),
            "mix_width": lambda c: (
                c.hidden if c["attention_hidden_size"] is None else c.whole("attention_hidden_size", least=1)
            ),
            "context": lambda c: c.maybe("context_length"),
        },
        norm="layernorm",
        position="none",
        example="RWKV/rwkv-4-169m-pile",
        about="No attention and no cache that grows: five vectors for each layer are all that is remembered.",
    ),
)
