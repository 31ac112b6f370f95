"""Which layers a list of rules can tell apart: those it numbers are asked one by one, the others all at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: What takes any number alike, so that it tells none apart.
_ANY = re.compile(r"(?<!\\)\.[*+]|\\d\+|\[0-9\]\+")
#: What remains of a regular expression that can: classes, and a dot beside a dot or a wildcard: it counts characters.
_OPEN = re.compile(r"\\d|\[|(?<!\\)\.(?=\\?\.|\0)|(?<=[.\0])\.")
_REGEX = frozenset("\\()|^$+")
_DIGITS = re.compile(r"\d+")


class Numbers(NamedTuple):
    """The numbers in a list of rules."""

    exact: frozenset[int] = frozenset()  #: numbers that stand as a component of a name, for themselves alone
    partial: tuple[str, ...] = ()  #: digits that can be a part of a longer number
    open: bool = False  #: a pattern can tell any two numbers apart

    def __or__(self, other: Numbers) -> Numbers:
        return Numbers(self.exact | other.exact, self.partial + other.partial, self.open or other.open)

    def name(self, layer: int) -> bool:
        """Whether a rule may mean ``layer`` and not others."""
        if self.open or layer in self.exact:
            return True
        digits = str(layer)
        return any(part in digits for part in self.partial)

    def split(self, layers: Sequence[int]) -> Iterable[tuple[int, int]]:
        """(layer, how many it stands for): each that is named for itself, the first of the others for all of them."""
        others = [layer for layer in layers if not self.name(layer)]
        if others:
            yield others[0], len(others)
        if len(others) < len(layers):
            yield from ((layer, 1) for layer in layers if self.name(layer))


def read_numbers(rules: Iterable[str]) -> Numbers:
    """The numbers in ``rules``: names, prefixes with ``*``, globs and regular expressions."""
    exact: set[int] = set()
    partial: set[str] = set()
    for rule in rules:
        if rule.startswith("re:") or _REGEX.intersection(rule):
            if _OPEN.search(_ANY.sub("\0", rule)):
                return Numbers(open=True)
            partial.update(_DIGITS.findall(rule))
        elif "?" in rule or "[" in rule:
            return Numbers(open=True)
        elif "*" in rule:
            partial.update(_DIGITS.findall(rule))
        elif not rule.isalpha():
            first, *others = rule.split(".")
            partial.update(_DIGITS.findall(first))  # of a plain rule it can be the end of a longer one
            exact.update(int(word) for word in others if word.isdecimal())
    return Numbers(frozenset(exact), tuple(partial))
