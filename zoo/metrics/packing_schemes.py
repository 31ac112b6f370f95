"""What a quantisation scheme is: a linear layer in, its layout out; and how settings are read from a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from zoo.metrics.packing_layouts import Layout
from zoo.metrics.packing_numbers import Numbers
from zoo.metrics.packing_rules import NameRules, NotWorkedOutError, read_rules

#: Parts whose matrices are no linear layers of their class, so that no method packs them.
UNPACKED_PARTS = ("router", "embedding", "position")
TOWER_PARTS = ("vision", "audio", "projector")


class Linear(NamedTuple):
    """One matrix [outputs, inputs] as checkpoints hold it: experts one by one, gate and up apart."""

    name: str  #: module name, the numbers of layer and expert filled in
    part: str
    outputs: int
    inputs: int
    in_layers: bool  #: stands in a numbered layer
    extra: bool = False  #: belongs to a next-token-prediction layer
    biased: bool = False  #: has a bias of its own
    also: str = ""  #: the name in the checkpoint, where it is another

    def is_in(self, rules: NameRules) -> bool:
        """Whether ``rules`` name this module, by either of its names."""
        return rules.match(self.name) or (self.also != "" and rules.match(self.also))

    def is_named(self, rules: NameRules) -> bool:
        """Whether ``rules`` have this very module, by either of its names."""
        return rules.has(self.name) or (self.also != "" and rules.has(self.also))


class Scheme(NamedTuple):
    """A method as one config sets it: ``choose`` gives the layout of a linear layer, None where it stays as it is."""

    name: str
    choose: Callable[[Linear], Layout | None]
    numbers: Numbers = Numbers()  #: the layers and experts that can differ from others of their kind
    tables: bool = False  #: lookup tables and routers are packed as well
    #: once all is chosen: a module that the config says is packed and that was not met, or None
    find_missed: Callable[[], str | None] = lambda: None


def read_number(quantization: Mapping[str, Any], key: str, otherwise: int | None = None) -> int:
    """An integer setting; NotWorkedOutError when it is missing and has no documented default, or is no integer."""
    value = quantization.get(key)
    value = otherwise if value is None else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotWorkedOutError(f"{key} is {'missing' if value is None else f'{value!r:.40}'}")
    return value


def read_bits(quantization: Mapping[str, Any], key: str, allowed: tuple[int, ...], otherwise: int | None = None) -> int:
    bits = read_number(quantization, key, otherwise)
    if bits not in allowed:
        raise NotWorkedOutError(f"{key} is {bits}")
    return bits


def read_group(quantization: Mapping[str, Any], key: str, otherwise: int | None = None) -> int:
    """A group size: positive, or -1 for one group over all inputs."""
    group = read_number(quantization, key, otherwise)
    if group < 1 and group != -1:
        raise NotWorkedOutError(f"{key} is {group}")
    return group


def read_block(said: object) -> tuple[int, int] | None:
    """``weight_block_size`` [outputs, inputs]; null is one scale for a whole matrix."""
    if said is None:
        return None
    if isinstance(said, list | tuple) and len(said) == 2 and all(type(n) is int and n > 0 for n in said):
        return said[0], said[1]
    raise NotWorkedOutError(f"the block size is {said!r:.40}")


def skip_listed(listed: object, layout: Layout) -> tuple[Callable[[Linear], Layout | None], NameRules]:
    """Everything is packed but what a list names; with no list, everything but the head, as transformers takes it."""
    rules = read_rules(listed)

    def choose(linear: Linear) -> Layout | None:
        if linear.part in UNPACKED_PARTS or (listed is None and linear.part == "head") or linear.is_in(rules):
            return None
        return layout

    return choose, rules
