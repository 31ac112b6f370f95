"""Which layers and experts a list of rules can tell apart: those it numbers are asked one by one, others at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

#: What takes any number alike, so that it tells none apart.
_ANY = re.compile(r"(?<!\\)\.[*+]|\\d\+|\[0-9\]\+")
#: What remains of a regular expression that can: classes, and a dot beside a dot or a wildcard: it counts characters.
_OPEN = re.compile(r"\\d|\[|(?<!\\)\.(?=\\?\.|\0)|(?<=[.\0])\.")
_REGEX = frozenset("\\()|^$+")
#: Digits that can be a number of their own: behind a letter ("w1") they are a part of a word.
_DIGITS = re.compile(r"(?<![A-Za-z_\d])\d+")
#: The words that numbers of layers stand behind, and those of experts; the number of the one is none of the other.
_LAYER_WORDS = frozenset(("layers", "layer", "blocks", "block", "h"))
_EXPERT_WORDS = frozenset(("experts",))
_NUMBER = r"\\?\.(?:\\d|\[[^\]]*\]|\d+)"
_OF_LAYER = re.compile(r"(?<![\w\\])layers" + _NUMBER)
_OF_EXPERT = re.compile(r"(?<![\w\\])experts" + _NUMBER)


class Told(NamedTuple):
    """The numbers of one kind in a list of rules."""

    exact: frozenset[int] = frozenset()  #: numbers that stand as a component of a name, for themselves alone
    partial: tuple[str, ...] = ()  #: digits that can be a part of a longer number
    open: bool = False  #: a pattern can tell any two numbers apart

    def __or__(self, other: Told) -> Told:
        return Told(self.exact | other.exact, self.partial + other.partial, self.open or other.open)

    def name(self, number: int) -> bool:
        """Whether a rule may mean ``number`` and not others."""
        if self.open or number in self.exact:
            return True
        digits = str(number)
        return any(part in digits for part in self.partial)

    def split(self, numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
        """(number, how many it stands for): each that is named for itself, the first of the others for all of them."""
        if not (self.exact or self.partial or self.open) and numbers:
            yield numbers[0], len(numbers)
            return
        others = [number for number in numbers if not self.name(number)]
        if others:
            yield others[0], len(others)
        if len(others) < len(numbers):
            yield from ((number, 1) for number in numbers if self.name(number))


class Numbers(NamedTuple):
    """The numbers in a list of rules: those that can be a layer's, and those that can be an expert's."""

    layers: Told = Told()
    experts: Told = Told()

    def __or__(self, other: Numbers) -> Numbers:
        return Numbers(self.layers | other.layers, self.experts | other.experts)


def read_numbers(rules: Collection[str]) -> Numbers:
    """The numbers in ``rules``: names, prefixes with ``*``, globs and regular expressions."""
    return Numbers(
        read_told(rules, _OF_EXPERT, _EXPERT_WORDS),
        read_told(rules, _OF_LAYER, _LAYER_WORDS),
    )


def read_told(rules: Iterable[str], beside: re.Pattern[str], words: frozenset[str]) -> Told:
    """The numbers of one kind; those of the other stand behind one of ``words``, in patterns as ``beside`` has it."""
    exact: set[int] = set()
    partial: set[str] = set()
    for rule in rules:
        if rule.startswith("re:") or _REGEX.intersection(rule):
            rest = beside.sub("x", _ANY.sub("\0", rule))
            if _OPEN.search(rest):
                return Told(open=True)
            partial.update(_DIGITS.findall(rest))
        elif "?" in rule or "[" in rule:
            return Told(open=True)
        elif "*" in rule:
            partial.update(_DIGITS.findall(beside.sub("x", rule)))
        elif not rule.isalpha():
            components = rule.split(".")
            partial.update(_DIGITS.findall(components[0]))  # of a plain rule it can be the end of a longer one
            pairs = pairwise(components)
            exact.update(int(word) for before, word in pairs if word.isdecimal() and before not in words)
    return Told(frozenset(exact), tuple(partial))
