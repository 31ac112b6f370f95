"""NVIDIA ModelOpt: one algorithm for all linear layers, or one for each module that a list names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from zoo.metrics.packing_groups import Choose, Group, choose_by_group, leave_alone
from zoo.metrics.packing_layouts import Layout, fp4_layout, scaled_layout
from zoo.metrics.packing_rules import NameRules, NotWorkedOutError, read_rules, spell_name
from zoo.metrics.packing_schemes import UNPACKED_PARTS, Linear, Scheme

#: A number or a wildcard in a name: names that differ in nothing else are of one shape.
_NUMBER = re.compile(r"\d+|\*")
#: Of ``quant_algo``, the layout: F8_E4M3 with a scale F32 for the weights and one for the inputs; NVFP4, with and
#: without a scale for the inputs; MXFP8, with a power of two (U8) for each 32 inputs (OCP Microscaling v1.0).
_LAYOUTS: Mapping[str, tuple[Layout, str]] = {
    "FP8": (scaled_layout("F8_E4M3", "F32", None, static_input="F32", scalars=True), "fp8"),
    "NVFP4": (fp4_layout(16, "F8_E4M3", 2, scalars=True), "nvfp4"),
    "W4A16_NVFP4": (fp4_layout(16, "F8_E4M3", 1, scalars=True), "nvfp4"),
    "MXFP8": (scaled_layout("F8_E4M3", "U8", (1, 32)), "mxfp8"),
}


def read_modelopt(q: Mapping[str, Any], otherwise: Choose = leave_alone) -> Scheme:
    """``quant_algo`` for all linear layers but those in ``ignore`` or ``exclude_modules``; with MIXED_PRECISION, for
    each module what ``quantized_layers`` or else ``config_groups`` say of it, and ``otherwise`` for what they leave.

    The scales of a quantised KV cache (two numbers a layer) are not counted.
    """
    algorithm = str(q.get("quant_algo"))
    ignored = read_rules(q.get("ignore", q.get("exclude_modules")))
    if algorithm == "MIXED_PRECISION":
        return read_mixed(q, ignored, otherwise)
    layout, word = find_modelopt_layout(algorithm)

    def choose(linear: Linear) -> Layout | None:
        return None if linear.part in UNPACKED_PARTS or linear.is_in(ignored) else layout

    return Scheme(word, choose, ignored.numbers)


def find_modelopt_layout(algorithm: str) -> tuple[Layout, str]:
    if algorithm not in _LAYOUTS:
        raise NotWorkedOutError(f"the layout of quant_algo {algorithm!r:.40} is not known")
    return _LAYOUTS[algorithm]


def read_mixed(q: Mapping[str, Any], ignored: NameRules, otherwise: Choose) -> Scheme:
    """Each module by the entry that names it or a module above it; every entry must be met in the model."""
    modules: dict[str, list[str]] = {}
    for name, algorithm in list_mixed(q):
        modules.setdefault(algorithm, []).append(name)
    if not modules:
        raise NotWorkedOutError("it has neither quantized_layers nor config_groups")
    groups = []
    for algorithm, names in modules.items():
        layout, word = find_modelopt_layout(algorithm)
        groups.append(Group(word, layout, False, read_rules(names)))
    scheme = choose_by_group(groups, ignored, otherwise)
    see, find_missed = watch_names([name for names in modules.values() for name in names])

    def choose(linear: Linear) -> Layout | None:
        see(linear)
        return scheme.choose(linear)

    return Scheme("modelopt-mixed", choose, scheme.numbers, find_missed=find_missed)


def list_mixed(q: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name of a module, its algorithm) for all that MIXED_PRECISION packs."""
    layers, groups = q.get("quantized_layers"), q.get("config_groups")
    if isinstance(layers, Mapping) and layers:
        for name, entry in layers.items():
            yield str(name), str(entry.get("quant_algo") if isinstance(entry, Mapping) else None)
    elif isinstance(groups, Mapping):
        for group in groups.values():
            targets = group.get("targets") if isinstance(group, Mapping) else None
            if not isinstance(targets, list) or "Linear" in targets:
                raise NotWorkedOutError("a group of MIXED_PRECISION names no modules")
            algorithm = name_algorithm(group)
            yield from ((str(name), algorithm) for name in targets)


def name_algorithm(group: Mapping[str, Any]) -> str:
    """The ``quant_algo`` that an entry of ``config_groups`` spells out."""
    weights, inputs = group.get("weights"), group.get("input_activations")
    said = weights if isinstance(weights, Mapping) else {}
    kind = (said.get("type"), said.get("num_bits"), said.get("group_size"))
    if kind == ("float", 8, None) and inputs:
        return "FP8"
    if kind == ("float", 4, 16):
        return "NVFP4" if inputs else "W4A16_NVFP4"
    raise NotWorkedOutError(f"a group packs weights as {kind!r:.60}")


def watch_names(names: Iterable[str]) -> tuple[Callable[[Linear], None], Callable[[], str | None]]:
    """See every module that is asked for, and tell then which of ``names`` none of them was, numbers aside."""
    wanted = {_NUMBER.sub("#", name): name for name in names}
    met: set[str] = set()

    def see(linear: Linear) -> None:
        met.add(linear.name)
        met.add(linear.also)

    def find_missed() -> str | None:
        seen = {_NUMBER.sub("#", name) for name in met}
        shapes = {f".{spelling}." for name in seen for spelling in spell_name(name)}
        for shape, name in wanted.items():
            sought = f".{shape.rstrip('#')}" if name.endswith("*") else f".{shape}."
            if not any(sought in one for one in shapes):
                return name
        return None

    return see, find_missed
