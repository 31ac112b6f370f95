"""Blocks with a state of fixed size in place of a growing cache: state-space models and their kin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from zoo.arch.config import Config, Dim, check_whole
from zoo.arch.layers import Flag, is_on
from zoo.arch.rows import Block, Place, Row

#: Multiply-adds per element of a recurrent state and token: decay, input, read-out.
UPDATES = 3


def read_dt_rank(key: str) -> Dim:
    """The rank of the time step: the value of ``key``, or a sixteenth of the hidden size where it says "auto"."""

    def read(c: Config) -> int:
        value = c[key]
        return ceil(c.hidden / 16) if value == "auto" else check_whole(value, f"{c.model_type}: {c.path}{key}", 1)

    return read


def depthwise_conv(p: Place, name: str, channels: int, kernel: int, bias: bool) -> Iterable[Row]:
    """A causal convolution of each channel by itself: weight [channels, 1, kernel]."""
    yield p.tensor(f"{name}.weight", (channels, 1, kernel), "recurrent", "conv")
    if bias:
        yield p.tensor(f"{name}.bias", (channels,), "recurrent", "vector")


@dataclass(frozen=True)
class Mamba:
    """A selective state space (Mamba, arXiv:2312.00752, section 3).

    Reads the dimensions ``ssm_inner``, ``ssm_state``, ``ssm_conv`` (kernel) and ``ssm_rank`` (of the time step).
    State per sequence: inner x state, and the last kernel - 1 inputs of the convolution.
    """

    bias: Flag = False  #: of the projections in and out
    conv_bias: Flag = True
    extra: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        inner, state, kernel, rank = c.ssm_inner, c.ssm_state, c.ssm_conv, c.ssm_rank
        bias = is_on(c, self.bias)
        yield p.tensor("A_log", (inner, state), "recurrent", "vector")
        yield p.tensor("D", (inner,), "recurrent", "vector")
        yield from depthwise_conv(p, "conv1d", inner, kernel, is_on(c, self.conv_bias))
        yield from p.linear("in_proj", c.hidden, 2 * inner, "recurrent", bias)
        yield from p.linear("x_proj", inner, rank + 2 * state, "recurrent")
        yield from p.linear("dt_proj", rank, inner, "recurrent", True)
        yield from p.linear("out_proj", inner, c.hidden, "recurrent", bias)
        for block in self.extra:
            yield from block(c, p)
        yield p.state("ssm", fixed=inner * state + inner * (kernel - 1), flops_per_token=2 * UPDATES * inner * state)
