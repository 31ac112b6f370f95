"""compressed-tensors: groups of modules, each with a scheme of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from zoo.metrics.packing_layouts import Layout, channel_layout, fp4_layout, int_packed_layout, scaled_layout
from zoo.metrics.packing_rules import NameRules, NotWorkedOutError, read_rules
from zoo.metrics.packing_schemes import UNPACKED_PARTS, Linear, Scheme, read_bits, read_block, read_group

_UNCOMPRESSED = ("initialized", "calibration", "frozen")


Choose = Callable[[Linear], Layout | None]


def leave_alone(linear: Linear) -> Layout | None:
    """Whatever no group takes stays as it is."""
    return None


class Group(NamedTuple):
    """Modules that share a layout: all linear layers, or those that ``targets`` names."""

    word: str  #: "int4", "fp8", …
    layout: Layout
    linear: bool
    targets: NameRules


def read_compressed_tensors(q: Mapping[str, Any], stored: str) -> Scheme:
    """compressed-tensors: ``config_groups`` with ``targets``, less ``ignore``; scales in the model's own type.

    Formats: pack-quantized, int-quantized, float-quantized, naive-quantized, nvfp4-pack-quantized,
    mxfp4-pack-quantized, mixed-precision (each group its own). A sparse format, or weights not yet compressed, are not
    worked out.
    """
    sparsity = q.get("sparsity_config")
    if isinstance(sparsity, Mapping) and sparsity.get("format") not in (None, "dense"):
        raise NotWorkedOutError(f"its sparse format {sparsity.get('format')!r:.40} depends on the weights")
    if q.get("quantization_status") in _UNCOMPRESSED:
        raise NotWorkedOutError(f"quantization_status is {q.get('quantization_status')!r:.40}")
    groups = q.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise NotWorkedOutError("it has no config_groups")
    read = [read_group_scheme(group, q.get("format"), stored) for group in groups.values()]
    scheme = choose_by_group(read, read_rules(q.get("ignore"), loose=False))
    words = dict.fromkeys(group.word for group in read)
    return scheme._replace(name=f"compressed-tensors-{words.popitem()[0] if len(words) == 1 else 'mixed'}")


def choose_by_group(groups: list[Group], ignored: NameRules, otherwise: Choose = leave_alone) -> Scheme:
    """The group that has a module by its own name decides, then the first with a rule for it, then the first that takes
    all linear layers, then ``otherwise``.

    A group that names modules of which none is met is a sign that the checkpoint spells them in a way not known here.
    """
    named = [group for group in groups if not group.linear]
    general = next((group.layout for group in groups if group.linear), None)
    met: set[int] = set()

    def choose(linear: Linear) -> Layout | None:
        if linear.part in UNPACKED_PARTS or linear.is_in(ignored):
            return otherwise(linear)
        for test in (Linear.is_named, Linear.is_in):
            for index, group in enumerate(named):
                if test(linear, group.targets):
                    met.add(index)
                    return group.layout
        return general or otherwise(linear)

    def find_missed() -> str | None:
        return next((group.word for index, group in enumerate(named) if index not in met), None)

    numbers = reduce(or_, (group.targets.numbers for group in groups), ignored.numbers)
    return Scheme("", choose, numbers, find_missed=find_missed)


def read_group_scheme(group: object, outer_format: object, stored: str) -> Group:
    """One entry of ``config_groups``."""
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(group, Mapping) or not isinstance(weights, Mapping):
        raise NotWorkedOutError("a group says nothing of the weights")
    targets = group.get("targets", ["Linear"])
    targets = [targets] if isinstance(targets, str) else targets
    if not isinstance(targets, list):
        raise NotWorkedOutError("the targets of a group are not a list")
    others = [name for name in targets if name != "Linear"]
    if unknown := [name for name in others if isinstance(name, str) and name[:1].isupper() and "." not in name]:
        raise NotWorkedOutError(f"a group targets the class {unknown[0]!r:.60}")
    layout, word = read_group_layout(group, weights, group.get("format") or outer_format, stored)
    return Group(word, layout, "Linear" in targets, read_rules(others))


def read_group_layout(
    group: Mapping[str, Any], weights: Mapping[str, Any], said: object, stored: str
) -> tuple[Layout, str]:
    """The layout of a group and its word, by its ``format``."""
    kind, bits = weights.get("type"), read_bits(weights, "num_bits", (2, 3, 4, 8))
    inputs = group.get("input_activations")
    measured = isinstance(inputs, Mapping) and inputs.get("dynamic") is not True
    symmetric = weights.get("symmetric") is not False
    if said == "nvfp4-pack-quantized":
        return fp4_layout(16, "F8_E4M3", 2 if measured else 1), "nvfp4"
    if said == "mxfp4-pack-quantized":
        return fp4_layout(32, "U8", 0), "mxfp4"
    if said == "pack-quantized" and kind == "int":
        size = read_group(weights, "group_size") if weights.get("strategy") == "group" else None
        ordered = weights.get("actorder") in ("group", True)
        return int_packed_layout(bits, size, stored, symmetric=symmetric, ordered=ordered), f"int{bits}"
    if bits == 8 and said in ("int-quantized", "float-quantized", "naive-quantized"):
        dtype, word = ("F8_E4M3", "fp8") if kind == "float" else ("I8", "int8")
        return byte_layout(weights, dtype, stored, symmetric, stored if measured else None), word
    raise NotWorkedOutError(f"its format {said!r:.40} with {bits} bits is not known")


def byte_layout(weights: Mapping[str, Any], dtype: str, scale: str, symmetric: bool, static: str | None) -> Layout:
    """One byte a weight, scaled as ``strategy`` says."""
    strategy = weights.get("strategy")
    if strategy == "channel":
        return channel_layout(dtype, scale, symmetric=symmetric, static_input=static)
    if strategy in ("tensor", "block", None) and symmetric:
        block = read_block(weights.get("block_structure")) if strategy == "block" else None
        return scaled_layout(dtype, scale, block, static_input=static)
    if strategy == "group" and symmetric:
        return scaled_layout(dtype, scale, (1, read_group(weights, "group_size")), static_input=static)
    raise NotWorkedOutError(f"its strategy {strategy!r:.40} is not known")
