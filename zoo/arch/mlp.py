"""Feed-forward blocks: plain, gated, and mixtures of experts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import conv1d
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.layers import Flag, is_on
from zoo.arch.rows import Block, Place, Row


@dataclass(frozen=True)
class Mlp:
    """Two matrices: hidden to ``width``, and back."""

    names: tuple[str, str] = ("fc1", "fc2")
    bias: Flag = True
    width: str = "ffn"
    conv1d: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        up, down = self.names
        width, bias = c.dim(self.width), is_on(c, self.bias)
        linear = conv1d if self.conv1d else Place.linear
        yield from linear(p, up, c.hidden, width, "mlp", bias)
        yield from linear(p, down, width, c.hidden, "mlp", bias)


@dataclass(frozen=True)
class GatedMlp:
    """Three matrices: gate and up from hidden to ``width``, down back (SwiGLU, GeGLU: arXiv:2002.05202)."""

    names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")
    bias: Flag = False
    width: str = "ffn"
    part: str = "mlp"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        gate, up, down = self.names
        width, bias = c.dim(self.width), is_on(c, self.bias)
        if width == 0 and not bias:
            return ()
        return (
            *p.linear(gate, c.hidden, width, self.part, bias),
            *p.linear(up, c.hidden, width, self.part, bias),
            *p.linear(down, width, c.hidden, self.part, bias),
        )


@dataclass(frozen=True)
class FusedGatedMlp:
    """A gated MLP with gate and up in one matrix [2 x width, hidden]."""

    names: tuple[str, str] = ("gate_up_proj", "down_proj")
    bias: Flag = False
    width: str = "ffn"
    part: str = "mlp"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        width, bias = c.dim(self.width), is_on(c, self.bias)
        yield from p.linear(self.names[0], c.hidden, 2 * width, self.part, bias)
        yield from p.linear(self.names[1], width, c.hidden, self.part, bias)


@dataclass(frozen=True)
class Experts:
    """Routed experts with fused weights: gate_up [E, 2 x width, hidden] and down [E, hidden, width].

    ``transposed`` swaps the last two dimensions, ``bias`` adds one vector per expert and matrix.
    """

    name: str = "experts"
    transposed: bool = False
    bias: Flag = False
    width: str = "expert_ffn"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        experts, used = c.experts, c.experts_per_token
        if not 0 < used <= experts:
            raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
        width, hidden = c.dim(self.width), c.hidden
        up, down = (experts, 2 * width, hidden), (experts, hidden, width)
        if self.transposed:
            up, down = (experts, hidden, 2 * width), (experts, width, hidden)
        below = p.at(self.name)
        bias = is_on(c, self.bias)
        yield below.tensor("gate_up_proj", up, "experts", used=used, of=experts)
        if bias:
            yield below.tensor("gate_up_proj_bias", (experts, 2 * width), "experts", "vector", used=used, of=experts)
        yield below.tensor("down_proj", down, "experts", used=used, of=experts)
        if bias:
            yield below.tensor("down_proj_bias", (experts, hidden), "experts", "vector", used=used, of=experts)


@dataclass(frozen=True)
class Router:
    """The matrix that scores the experts: [E, hidden]. ``correction`` is a stored bias that is no parameter."""

    name: str = "gate"
    bias: Flag = False
    correction: str | None = None  #: name of the score correction bias, a buffer

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from p.linear(self.name, c.hidden, c.experts, "router", is_on(c, self.bias))
        if self.correction:
            yield p.tensor(f"{self.name}.{self.correction}", (c.experts,), "router", "vector", role="buffer")


@dataclass(frozen=True)
class Moe:
    """A mixture of experts: router, routed experts and what every token passes through besides."""

    router: Block = Router()
    experts: Block = Experts()
    shared: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        rows = [*self.router(c, p), *self.experts(c, p)]
        for block in self.shared:
            rows += block(c, p)
        return rows
