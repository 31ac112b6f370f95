"""Which modules a quantisation leaves alone: lists of names, prefixes, globs and regular expressions.

The lists are text from strangers. Regular expressions are taken only when they are of a kind that cannot run away
(names, dots, ``.*``, character classes, a few groups of plain words); any other is refused, never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from zoo.metrics.packing_numbers import Numbers, read_numbers


class NotWorkedOutError(Exception):
    """The layout of these stored weights cannot be told from the config; ``str(error)`` says why."""


#: Rules beyond this are no real list: the longest known have some thousand entries.
MAX_RULES = 20_000
MAX_PATTERNS = 2_000
#: Up to this many rules are looked for one by one; of more, the runs of a name are looked up among them.
FEW_RULES = 40
_WORD = r"(?:[\w\-]|\\\.|\.(?![*+?{]))"
_CLASS = r"(?:\\d|\[(?:\w-\w|\w|[.\-])+\])[+]?"
_PLAIN = rf"(?:{_WORD}|{_CLASS})"
_GROUP = rf"\((?:\?:)?{_PLAIN}*(?:\|{_PLAIN}*)*\)\??"
#: What a regular expression may be made of; groups are not repeated and hold no wildcard.
_SIMPLE = re.compile(rf"\^?(?:{_PLAIN}|{_GROUP}|\.\*|\.\+)*\$?")
_MAX_GROUPS = 4
_GLOB = frozenset("*?[")
_REGEX = frozenset("\\()|^$+")


@dataclass(frozen=True, slots=True)
class NameRules:
    """A list of module names in the form that is quick to ask.

    ``loose`` takes a plain rule as transformers does for ``modules_to_not_convert``: a module, anything below it, or
    the end of a name; else a plain rule means that module alone.
    """

    names: frozenset[str]
    ends: tuple[str, ...]  #: plain rules again, to be found at the end of a name
    runs: tuple[str, ...]  #: and again between dots, to be found within one
    prefixes: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    loose: bool
    numbers: Numbers  #: the layers that the rules can tell apart

    def match(self, name: str) -> bool:
        """Whether a rule applies to the module ``name`` (dotted, layer numbers filled in), however it is spelled."""
        if not (self.names or self.prefixes or self.patterns):
            return False
        return any(self._match_spelling(spelling) for spelling in spell_name(name))

    def _match_spelling(self, name: str) -> bool:
        if name in self.names or (self.prefixes and name.startswith(self.prefixes)):
            return True
        if self.loose and self.names and (name.endswith(self.ends) or self._match_run(name)):
            return True
        return any(pattern.match(name) for pattern in self.patterns)

    def _match_run(self, name: str) -> bool:
        """Whether a rule is a run of whole components of ``name``."""
        if len(self.runs) <= FEW_RULES:
            dotted = f".{name}."
            return any(run in dotted for run in self.runs)
        words = name.split(".")
        return any(
            ".".join(words[start:end]) in self.names
            for start in range(len(words))
            for end in range(start + 1, len(words) + 1)
        )


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
    patterns: dict[str, re.Pattern[str]] = {}
    for rule in rules:
        if rule.startswith("re:"):
            patterns[rule] = compile_simple(rule[3:])
        elif _REGEX.intersection(rule):
            patterns[rule] = compile_simple(rule)
        elif rule.endswith("*") and not _GLOB.intersection(rule[:-1]):
            prefixes.add(rule[:-1])
        elif _GLOB.intersection(rule):
            patterns[rule] = compile_glob(rule)
        elif rule:
            names.add(rule.removesuffix(".weight"))
        if len(patterns) > MAX_PATTERNS:
            raise NotWorkedOutError(f"its list of modules has more than {MAX_PATTERNS} patterns")
    ends, runs = tuple(names), tuple(f".{name}." for name in names)
    return NameRules(
        frozenset(names), ends, runs, tuple(prefixes), tuple(patterns.values()), loose, read_numbers(rules)
    )


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
