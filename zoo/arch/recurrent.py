"""Blocks with a state of fixed size in place of a growing cache: state-space models and their kin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.layers import Flag, is_on
from zoo.arch.rows import Block, Place, Row

#: Multiply-adds per element of a recurrent state and token: decay, input, read-out.
UPDATES = 3


#: Types that a recurrent state is kept in.
STATE_DTYPES = ("float64", "float32", "bfloat16", "float16")


def read_state_dtype(c: Config, key: str) -> str | None:
    """The type that ``key`` gives the state; None where it is absent, null or "auto", which leave it as the model's."""
    value = c.get(key)
    if value is None or value == "auto":
        return None
    name = value.removeprefix("torch.") if isinstance(value, str) else value
    if name not in STATE_DTYPES:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is {value!r:.40}, no type of a state")
    return str(name)


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
        yield p.state("conv", fixed=inner * (kernel - 1))
        yield p.state("ssm", fixed=inner * state, flops_per_token=2 * UPDATES * inner * state)


@dataclass(frozen=True)
class Mamba2:
    """A state space with one decay for each head (Mamba-2, arXiv:2405.21060, section 7).

    Reads the dimensions ``ssm_heads``, ``ssm_head_dim``, ``ssm_groups``, ``ssm_state`` and ``ssm_conv`` (kernel).
    State per sequence: heads x head_dim x state, and the last kernel - 1 inputs of the convolution, which runs over
    the inner width and the state's inputs and outputs.
    """

    bias: Flag = False  #: of the projections in and out
    out_bias: Flag | None = None  #: of the projection out, where it differs
    conv_bias: Flag = True
    norm: Block | None = None  #: the gated norm before the projection out
    dtype: str | None = None  #: the key that holds the dtype of the state, where it has one of its own

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        heads, state, kernel = c.ssm_heads, c.ssm_state, c.ssm_conv
        inner = heads * c.ssm_head_dim
        channels = inner + 2 * c.ssm_groups * state
        bias = is_on(c, self.bias)
        yield from depthwise_conv(p, "conv1d", channels, kernel, is_on(c, self.conv_bias))
        yield from p.linear("in_proj", c.hidden, inner + channels + heads, "recurrent", bias)
        for name in ("dt_bias", "A_log", "D"):
            yield p.tensor(name, (heads,), "recurrent", "vector")
        if self.norm:
            yield from self.norm(c, p)
        out_bias = bias if self.out_bias is None else is_on(c, self.out_bias)
        yield from p.linear("out_proj", inner, c.hidden, "recurrent", out_bias)
        kept_as = None if self.dtype is None else read_state_dtype(c, self.dtype)
        yield p.state("conv", fixed=channels * (kernel - 1))
        yield p.state("ssm", fixed=inner * state, flops_per_token=2 * UPDATES * inner * state, dtype=kept_as)


@dataclass(frozen=True)
class GatedDelta:
    """Linear attention by the gated delta rule (Gated DeltaNet, arXiv:2412.06464, section 3).

    ``fused`` has the inputs in two projections (q, k, v, z and b, a), otherwise in four. State per sequence: value
    heads x value width x key width, and the last kernel - 1 inputs of the convolution over q, k and v. Decay, what the
    state predicts, its correction and the read-out: four multiply-adds per element and token.
    """

    fused: bool

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        key = c.whole("linear_num_key_heads", least=1) * c.whole("linear_key_head_dim", least=1)
        heads, width = c.whole("linear_num_value_heads", least=1), c.whole("linear_value_head_dim", least=1)
        value, kernel = heads * width, c.whole("linear_conv_kernel_dim", least=1)
        yield from depthwise_conv(p, "conv1d", 2 * key + value, kernel, False)
        yield p.tensor("dt_bias", (heads,), "recurrent", "vector")
        yield p.tensor("A_log", (heads,), "recurrent", "vector")
        yield from p.vector("norm", width, "norm")
        if self.fused:
            inputs = {"in_proj_qkvz": 2 * key + 2 * value, "in_proj_ba": 2 * heads}
        else:
            inputs = {"in_proj_qkv": 2 * key + value, "in_proj_z": value, "in_proj_b": heads, "in_proj_a": heads}
        for name, outputs in inputs.items():
            yield from p.linear(name, c.hidden, outputs, "recurrent")
        yield from p.linear("out_proj", value, c.hidden, "recurrent")
        state = value * c.whole("linear_key_head_dim")
        yield p.state(
            "linear", fixed=state, flops_per_token=2 * 4 * state, dtype=read_state_dtype(c, "mamba_ssm_dtype")
        )
        yield p.state("conv", fixed=(2 * key + value) * (kernel - 1))
