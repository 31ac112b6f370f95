"""Normalisation: an element-wise weight, for LayerNorm a bias too, for some neither."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.arch.config import Config
from zoo.arch.layers import Flag, is_on
from zoo.arch.rows import Place, Row

#: A width: the name of a dimension, or worked out from the config (an int, or a shape).
Size = str | Callable[[Config], int | tuple[int, ...]]


@dataclass(frozen=True)
class Norm:
    """RMSNorm (weight only) or, with ``bias``, LayerNorm; ``weight`` off leaves a norm that stores nothing."""

    name: str
    size: Size = "hidden"
    bias: Flag = False
    weight: Flag = True

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        size: int | tuple[int, ...] = c.dim(self.size) if isinstance(self.size, str) else self.size(c)
        shape: tuple[int, ...] = size if isinstance(size, tuple) else (size,)
        if 0 in shape or not (self.weight is True or is_on(c, self.weight)):
            return ()
        weight = p.tensor(f"{self.name}.weight", shape, "norm", "vector")
        if self.bias is False or not is_on(c, self.bias):
            return (weight,)
        return weight, p.tensor(f"{self.name}.bias", shape, "norm", "vector")


def rms(name: str, size: Size = "hidden") -> Norm:
    """Root-mean-square norm: a weight of ``size``."""
    return Norm(name, size)


def layer_norm(name: str, size: Size = "hidden", bias: Flag = True) -> Norm:
    """Layer norm: a weight and, unless ``bias`` is off, a bias of ``size``."""
    return Norm(name, size, bias)


#: QK norms: one weight of the width of a head, shared by all heads.
QK_NORM = (rms("q_norm", "head_dim"), rms("k_norm", "head_dim"))
