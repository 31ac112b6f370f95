"""Weights that are multiplied more or less often than once for each token of the text."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from zoo.arch.config import Config
from zoo.arch.rows import Row, Tensor


def pass_through(row: Row, times: Fraction | int) -> Iterable[Row]:
    """``row``, multiplied ``times`` for each token: stored once, all of it active, its FLOPs as they are.

    Further passes are rows tied to the first. Where there is less than one pass for a token, the stored row counts no
    FLOPs, and a row tied to it counts the fraction.
    """
    if not isinstance(row, Tensor) or row.op != "matmul" or times == 1:
        yield row
        return
    yield row if times > 1 else row._replace(op="vector")
    more = Fraction(times) - (times > 1)
    again = row._replace(tied_to=row.name)
    if whole := int(more):
        yield again._replace(copies=whole * row.copies)
    if rest := more - whole:
        yield again._replace(used=rest.numerator, of=rest.denominator)


def pass_once(row: Row, vectors: int) -> Iterable[Row]:
    """``row``, multiplied with ``vectors`` vectors that come once with a text, however long: no token passes it."""
    if not isinstance(row, Tensor) or row.op != "matmul":
        yield row
        return
    yield row._replace(stack="once")
    if vectors > 1:
        yield row._replace(stack="once", tied_to=row.name, copies=vectors - 1)


def refuse_quantised(c: Config) -> str | None:
    """Which of the weights are quantised is told by how they are multiplied, which is told otherwise here."""
    return "quantization_config is not followed" if c.get("quantization_config") else None
