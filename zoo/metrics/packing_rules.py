"""Which modules a quantisation leaves alone: lists of names, prefixes, globs and regular expressions.

The lists are text from strangers. Regular expressions are taken only when they are of a kind that cannot run away
(names, dots, ``.*``, character classes, a few groups of plain words); any other is refused, never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from zoo.metrics.packing_numbers import Numbers, is_plain, read_numbers


class NotWorkedOutError(Exception):
    """The layout of these stored weights cannot be told from the config; ``str(error)`` says why."""


#: Rules beyond this are no real list: the longest known name every matrix of 512 experts in 40 layers.
MAX_RULES = 100_000
MAX_PATTERNS = 2_000
FEW_RULES = 40
_WORD = r"(?:[\w\-]|\\\.|\.(?![*+?{]))"
_CLASS = r"(?:\\d|\[(?:\w-\w|\w|[.\-])+\])[+]?"
_PLAIN = rf"(?:{_WORD}|{_CLASS})"
_GROUP = rf"\((?:\?:)?{_PLAIN}*(?:\|{_PLAIN}*)*\)\??"
#: What a regular expression may be made of; groups are not repeated and hold no wildcard.
_SIMPLE = re.compile(rf"\^?(?:{_PLAIN}|{_GROUP}|\.\*|\.\+)*\$?")
_MAX_GROUPS = 4
#: The regular expression that asks for plain text anywhere.
_ANYWHERE = re.compile(r"\.\*((?:[\w\-]|\\\.)+)(?:\.\*)?")
#: The plain text that a glob begins with.
_START = re.compile(r"[\w.\-]*")
#: The components that spellings of a name add.
_OUTER = ("model", "language_model")
_GLOB = frozenset("*?[")
_REGEX = frozenset("\\()|^$+")


@dataclass(frozen=True, slots=True)
class NameRules:
    """A list of module names in the form that is quick to ask.

    ``loose`` takes a plain rule as transformers does for ``modules_to_not_convert``: a module, anything below it, or
    the end of a name; else a plain rule means that module alone.
    """

    names: frozenset[str]
    words: tuple[str, ...]  #: plain rules of one word, to be found at the end of a name
    by_last: Mapping[str, tuple[str, ...]]  #: all plain rules by their last word, to be found at its end or within it
    prefixes: tuple[str, ...]
    inside: tuple[str, ...]  #: what patterns ask for anywhere in a name
    patterns: tuple[tuple[str, re.Pattern[str]], ...]  #: with what they begin with
    loose: bool
    numbers: Numbers  #: the layers and experts that the rules can tell apart

    def match(self, name: str) -> bool:
        """Whether a rule applies to the module ``name`` (dotted, numbers filled in), however it is spelled."""
        if not (self.names or self.prefixes or self.inside or self.patterns):
            return False
        if self.has(name) or (self.loose and self.names and self._match_plain(name)):
            return True
        if not (self.prefixes or self.inside or self.patterns):
            return False
        return any(self._match_pattern(spelling) for spelling in spell_name(name))

    def has(self, name: str) -> bool:
        """Whether the module ``name`` itself is among the rules, however it is spelled."""
        return bool(self.names) and not self.names.isdisjoint(spell_name(name))

    def _match_plain(self, name: str) -> bool:
        """Whether a plain rule is at the end of ``name`` or a run of its components; spellings end alike."""
        if name.endswith(self.words):
            return True
        if self.by_last.keys().isdisjoint((*name.split("."), *_OUTER)):
            return False
        return any(self._match_run(spelling) for spelling in spell_name(name))

    def _match_pattern(self, name: str) -> bool:
        if self.prefixes and name.startswith(self.prefixes):
            return True
        if self.inside and any(part in name for part in self.inside):
            return True
        return any(name.startswith(start) and pattern.match(name) for start, pattern in self.patterns)

    def _match_run(self, name: str) -> bool:
        """Whether a rule is a run of whole components of ``name``, or its end.

        Of few rules with a last word each is looked for in the name; of many, each run of the name among them.
        """
        words = name.split(".")
        for end, word in enumerate(words, 1):
            rules = self.by_last.get(word)
            if rules is None:
                continue
            last = end == len(words)
            if len(rules) <= FEW_RULES:
                found = any(f".{rule}." in f".{name}." for rule in rules) or (last and name.endswith(rules))
            else:
                found = any(".".join(words[start:end]) in self.names for start in range(end))
                found = found or (last and any(name[-size:] in self.names for size in set(map(len, rules))))
            if found:
                return True
        return False


def read_rules(rules: object, *, loose: bool = True) -> NameRules:
    """The rules of a list in a config; None is an empty list.

    Raises NotWorkedOutError for what is no list of names, and for a regular expression that is not a simple one.
    """
    if rules is None:
        rules = ()
    if not isinstance(rules, list | tuple) or not all(isinstance(rule, str) for rule in rules):
        raise NotWorkedOutError("its list of modules is not a list of names")
    if len(rules) > MAX_RULES:
        raise NotWorkedOutError(f"its list of modules has {len(rules)} entries")
    return build_rules(rules, loose)


def build_rules(rules: Sequence[str], loose: bool) -> NameRules:
    """See :func:`read_rules`."""
    names: set[str] = set()
    prefixes: set[str] = set()
    inside: set[str] = set()
    patterns: dict[str, re.Pattern[str]] = {}
    for rule in rules:
        if is_plain(rule):
            names.add(rule.removesuffix(".weight"))
            continue
        regex = rule.removeprefix("re:")
        if regex != rule or _REGEX.intersection(rule):
            if anywhere := _ANYWHERE.fullmatch(regex):
                inside.add(anywhere[1].replace("\\", ""))
            else:
                patterns[rule] = compile_simple(regex)
        elif rule.endswith("*") and not _GLOB.intersection(rule[:-1]):
            prefixes.add(rule[:-1])
        else:
            patterns[rule] = compile_glob(rule)
        if len(patterns) + len(inside) > MAX_PATTERNS:
            raise NotWorkedOutError(f"its list of modules has more than {MAX_PATTERNS} patterns")
    names.discard("")
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(name.rpartition(".")[2], []).append(name)
    return NameRules(
        frozenset(names),
        tuple(name for name in names if "." not in name),
        {last: tuple(ending) for last, ending in by_last.items()},
        tuple(prefixes),
        tuple(inside),
        tuple((find_start(rule), pattern) for rule, pattern in patterns.items()),
        loose,
        read_numbers(rules),
    )


def find_start(rule: str) -> str:
    """The plain text that every name begins with which the glob ``rule`` takes; nothing for a regular expression."""
    plain = _START.match(rule)
    return plain[0] if plain and not rule.startswith("re:") and not _REGEX.intersection(rule) else ""


@lru_cache(maxsize=4096)
def compile_simple(pattern: str) -> re.Pattern[str]:
    """``pattern``, matched from the start of a name as ``re.match`` does, with wildcards that never back up.

    Between two wildcards the leftmost place is taken once and for all, as in a glob, so that time stays linear.
    """
    groups = pattern.count("(")
    if len(pattern) > 400 or groups > _MAX_GROUPS or pattern.count("+") > 4 or not _SIMPLE.fullmatch(pattern):
        raise NotWorkedOutError(f"its list of modules has the pattern {pattern!r:.80}, which is not a simple one")
    first, *rest = re.split(r"(?<!\\)\.([*+])", pattern)
    parts = [first]
    for wildcard, segment in zip(rest[::2], rest[1::2], strict=True):
        parts.append(f"(?>{'.' if wildcard == '+' else ''}.*?{segment})" if segment else "")
    return re.compile("".join(parts))


@lru_cache(maxsize=4096)
def compile_glob(rule: str) -> re.Pattern[str]:
    """A glob for a whole name, or for a module above it: ``model.layers.*.self_attn`` covers what is below."""
    if len(rule) > 400 or rule.count("*") > 6:
        raise NotWorkedOutError(f"its list of modules has the pattern {rule!r:.80}, which is not a simple one")
    anchored = translate(rule)
    below = translate(f"{rule}.*")
    return re.compile(f"{anchored}|{below}")


@lru_cache(maxsize=8192)
def spell_name(name: str) -> tuple[str, ...]:
    """``name`` as checkpoints and tools of different ages spell it, with and without the outer ``model``."""
    if name.startswith("model.language_model."):
        inner = name.removeprefix("model.language_model.")
        return name, f"language_model.model.{inner}", f"model.{inner}", f"language_model.{inner}"
    if name.startswith("language_model.model."):
        inner = name.removeprefix("language_model.model.")
        return name, f"model.language_model.{inner}", f"model.{inner}"
    if name.startswith("model."):
        return name, name.removeprefix("model.")
    return name, f"language_model.{name}"
