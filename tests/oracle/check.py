"""Hold zoo's ledger against what the oracle says of the same config. Needs no torch."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from tests.oracle.build import Patterns, fold
from tests.oracle.vary import load_required
from zoo.arch import Ledger, build_ledger
from zoo.arch.config import UnsupportedError
from zoo.arch.registry import Architecture, load_architectures


def built_by_transformers() -> dict[str, Architecture]:
    """The types to hold against transformers: all but those it has no class for, which say what vouches for them."""
    return {name: a for name, a in load_architectures().items() if not a.verified}


def ledger_patterns(config: dict[str, Any]) -> tuple[Patterns, dict[str, int]]:
    """What zoo says: {(folded name, shape): count} of the parameters stored, and its totals."""
    ledger = build_ledger(config)
    patterns: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for tensor in ledger.parameters:
        if not tensor.tied_to:
            patterns[fold(tensor.name), tensor.shape] += tensor.repeats
    totals = {
        "params": sum(t.stored for t in ledger.parameters),
        "biases": sum(t.stored for t in ledger.parameters if t.is_bias),
        "buffers": sum(t.stored for t in ledger.tensors if t.role == "buffer"),
        "ties": sum(1 for t in ledger.parameters if t.tied_to),
    }
    return dict(patterns), totals


def differences(config: dict[str, Any], said: dict[str, Any]) -> list[str]:
    """Every way in which the ledger differs from what the oracle ``said``; empty when they agree."""
    patterns, totals = ledger_patterns(config)
    # A shared tensor has the name that its class happens to declare first: any name of the group will do.
    same = {name: group[0] for group in said["ties"] for name in group}
    patterns = {(same.get(name, name), shape): count for (name, shape), count in patterns.items()}
    expected = {(same.get(name, name), tuple(shape)): count for name, shape, count in said["patterns"]}
    found = [
        f"{key}: zoo {totals[key]:,} != transformers {said[key]:,}"
        for key in ("params", "biases", "buffers")
        if totals[key] != said[key]
    ]
    for key in sorted(expected.keys() | patterns.keys(), key=str):
        if 0 not in key[1] and expected.get(key, 0) != patterns.get(key, 0):
            found.append(f"{key[0]} {list(key[1])}: zoo {patterns.get(key, 0)} != transformers {expected.get(key, 0)}")
    return found


def build_heads(model_type: str) -> list[Ledger]:
    """The ledger of every class of the type on its defaults; a class that asks for other settings is left out.

    The natural class is never left out: raises UnsupportedError when it cannot be built.
    """
    architecture = load_architectures()[model_type]
    base = {"model_type": model_type, **load_required().get(model_type, {})}
    ledgers = [build_ledger(base)]
    for head in architecture.heads:
        with suppress(UnsupportedError):
            ledgers.append(build_ledger({**base, "architectures": [head]}))
    assert len(ledgers) > len(architecture.heads) / 2
    return ledgers
