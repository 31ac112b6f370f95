"""What encoders of speech share: batch norms, convolutions over time, and how a model without a tie names its text."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.registry import find_architecture
from zoo.arch.rows import Op, Place, Row


def batch_norm(p: Place, name: str, size: int) -> Iterable[Row]:
    """A gain and an offset for each channel, and what has been seen of its mean and spread: stored, no parameters."""
    yield from p.vector(name, size, "norm", True)
    for statistic, shape in (("running_mean", (size,)), ("running_var", (size,)), ("num_batches_tracked", ())):
        yield p.tensor(f"{name}.{statistic}", shape, "norm", "vector", role="buffer")


def convolve(
    p: Place, name: str, shape: tuple[int, ...], part: str, *, bias: bool = True, op: Op = "matmul", outputs: int = 0
) -> Iterable[Row]:
    """A convolution [outputs, inputs of a group, width], or transposed [inputs, ``outputs``, width]."""
    yield p.tensor(f"{name}.weight", shape, part, op)
    if bias:
        yield p.tensor(f"{name}.bias", (outputs or shape[0],), part, "vector")


def read_list(c: Config, key: str, *, least: int = 1, length: int | None = None) -> list[int]:
    """The list of whole numbers ``key``; raises UnsupportedError for anything else, or when shorter than ``length``."""
    value = c[key]
    if not isinstance(value, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is not a list")
    if length is not None and len(value) < length:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} has {len(value)} entries where {length} are needed")
    return [check_whole(entry, f"{c.model_type}: {c.path}{key}", least) for entry in value]


def refuse_type(c: Config, key: str, expected: str) -> str | None:
    """A section of another type than the one that the whole was written for."""
    found = c.section(key).model_type
    return None if found == expected else f"{key} of type {found!r:.60} is not followed"


def refuse_text(c: Config, text: Config, *, tied: bool) -> str | None:
    """A text that cannot be counted here: it stores its embedding under another name than the tie looks for."""
    architecture = find_architecture(text.model_type)
    if architecture.supported and (reason := architecture.supported(text)):
        return f"{text.model_type}: {reason}"
    if tied and architecture.embedding != "embed_tokens.weight":
        return f"the head is tied to an embedding that {text.model_type} does not have"
    return None
