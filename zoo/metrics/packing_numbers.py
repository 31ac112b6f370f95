"""Which layers and experts a list of rules can tell apart: those it numbers are asked one by one, others at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

#: What takes any number alike, so that it tells none apart.
_ANY = re.compile(r"(?<!\\)\.[*+]|\\d\+|\[0-9\]\+")
#: What remains of a regular expression that can: classes, and a dot beside a dot or a wildcard: it counts characters.
_OPEN = re.compile(r"\\d|\[|(?<!\\)\.(?=\\?\.|\0)|(?<=[.\0])\.")
_REGEX = frozenset("\\()|^$+")
#: Digits that can be a number of their own: behind a letter ("w1") they are a part of a word.
_DIGITS = re.compile(r"(?<![A-Za-z_\d])\d+")
#: A rule that means itself, with no wildcard.
is_plain = re.compile(r"(?!re:)[^\\()|^$+*?\[]*").fullmatch
#: The words that numbers of layers stand behind, and those of experts; the number of the one is none of the other.
_LAYER_WORDS = frozenset(("layers", "layer", "blocks", "block", "h"))
_EXPERT_WORDS = frozenset(("experts",))
_NUMBER = r"\\?\.(?:\\d|\[[^\]]*\]|\d+)"
_OF_LAYER = re.compile(r"(?<![\w\\])layers" + _NUMBER)
_OF_EXPERT = re.compile(r"(?<![\w\\])experts" + _NUMBER)


#: What is said of a number: the rules that have it as a component, with that left out; a pair where lists are joined.
Said = object


class Told(NamedTuple):
    """The numbers of one kind in a list of rules."""

    exact: Mapping[int, Said] = {}  # never written to: what is said of numbers that stand for themselves alone
    partial: tuple[str, ...] = ()  #: digits that can be a part of a longer number
    open: bool = False  #: a pattern can tell any two numbers apart

    def __or__(self, other: Told) -> Told:
        one, two = self.exact, other.exact
        exact = {number: (one.get(number), two.get(number)) for number in (*one, *two)} if one or two else {}
        return Told(exact, self.partial + other.partial, self.open or other.open)

    def is_alone(self, number: int) -> bool:
        """Whether a pattern may mean ``number`` and not others."""
        return self.open or (bool(self.partial) and any(part in str(number) for part in self.partial))

    def split(self, numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
        """(number, how many it stands for): the first of those of which the same is said, for all of them."""
        if not (self.partial or self.open or self.exact.keys() & numbers):
            return [(numbers[0], len(numbers))] if numbers else []
        groups: dict[object, list[int]] = {}
        for number in numbers:
            groups.setdefault(number if self.is_alone(number) else (self.exact.get(number),), []).append(number)
        return [(alike[0], len(alike)) for alike in groups.values()]


class Numbers(NamedTuple):
    """The numbers in a list of rules: those that can be a layer's, and those that can be an expert's."""

    layers: Told = Told()
    experts: Told = Told()

    def __or__(self, other: Numbers) -> Numbers:
        return Numbers(self.layers | other.layers, self.experts | other.experts)


def read_numbers(rules: Collection[str]) -> Numbers:
    """The numbers in ``rules``: names, prefixes with ``*``, globs and regular expressions."""
    others = [rule for rule in rules if not is_plain(rule)]
    told = read_names([rule for rule in rules if is_plain(rule)] if others else rules)
    if not others:
        return told
    return told | Numbers(
        read_told(others, _OF_EXPERT, _EXPERT_WORDS),
        read_told(others, _OF_LAYER, _LAYER_WORDS),
    )


def read_names(rules: Iterable[str]) -> Numbers:
    """As :func:`read_numbers`, for plain names alone: there can be a hundred thousand, one for each expert."""
    layers: defaultdict[int, set[str]] = defaultdict(set)
    experts: defaultdict[int, set[str]] = defaultdict(set)
    firsts: set[str] = set()
    for rule in rules:
        components = rule.split(".")
        firsts.add(components[0])
        for place, word in enumerate(components):
            if word.isdecimal() and place:
                rest = ".".join((*components[:place], "#", *components[place + 1 :]))
                before = components[place - 1]
                if before not in _EXPERT_WORDS:
                    layers[int(word)].add(rest)
                if before not in _LAYER_WORDS:
                    experts[int(word)].add(rest)
    # The first component of a rule can be the end of a longer one.
    partial = tuple({digits for first in firsts for digits in _DIGITS.findall(first)})
    return Numbers(
        Told({number: frozenset(said) for number, said in layers.items()}, partial),
        Told({number: frozenset(said) for number, said in experts.items()}, partial),
    )


def read_told(rules: Iterable[str], beside: re.Pattern[str], words: frozenset[str]) -> Told:
    """The numbers of one kind in rules that are not plain.

    Those of the other stand behind one of ``words``, in patterns as ``beside`` has it.
    """
    exact: dict[int, set[str]] = {}
    partial: set[str] = set()
    for rule in rules:
        if rule.startswith("re:") or _REGEX.intersection(rule):
            rest = beside.sub("x", _ANY.sub("\0", rule))
            if _OPEN.search(rest):
                return Told(open=True)
            partial.update(_DIGITS.findall(rest))
        elif "?" in rule or "[" in rule:
            return Told(open=True)
        else:
            # Before a wildcard a rule is as plain as any; the first component of one can be the end of a longer one.
            components = rule.split(".")
            plain = next(place for place, word in enumerate(components) if "*" in word)
            partial.update(_DIGITS.findall(components[0]))
            partial.update(find_behind(beside.sub("x", rule)))
            for place in range(1, plain):
                if components[place].isdecimal() and components[place - 1] not in words:
                    rest = ".".join((*components[:place], "#", *components[place + 1 :]))
                    exact.setdefault(int(components[place]), set()).add(rest)
    return Told({number: frozenset(said) for number, said in exact.items()}, tuple(partial))


def find_behind(rule: str) -> list[str]:
    """The digits in the component of ``rule`` that has its first wildcard, and behind it."""
    start = rule.rfind(".", 0, rule.find("*")) + 1
    return _DIGITS.findall(rule[start:])
