"""What tests ask of a config's ledger, in one word each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from zoo.arch import build_ledger


def stored(config: dict[str, Any], role: str) -> int:
    """Elements of one role: "param", "buffer" or "mtp"."""
    return sum(tensor.stored for tensor in build_ledger(config).tensors if tensor.role == role)


def total(config: dict[str, Any]) -> int:
    return stored(config, "param")


def buffers(config: dict[str, Any]) -> int:
    return stored(config, "buffer")


def active(config: dict[str, Any]) -> int:
    return sum(tensor.active for tensor in build_ledger(config).parameters)


def part(config: dict[str, Any], name: str) -> int:
    """Parameters that belong to one part."""
    return sum(tensor.stored for tensor in build_ledger(config).parameters if tensor.part == name)


def cached(config: dict[str, Any]) -> dict[str, int]:
    """Elements per token over all layers, by kind of layer, where any are kept."""
    kinds: Counter[str] = Counter()
    for state in build_ledger(config).states:
        kinds[state.kind] += state.per_token * state.repeats
    return dict(+kinds)
