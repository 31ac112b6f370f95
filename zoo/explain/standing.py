"""How the values of a config compare with those of other models: of its family, and of the whole zoo.

A number has a percentile: the share of models with a smaller one, and half of those with the same. Words, switches and
ids have none: of them it is told how many models say the same. Models that share a fingerprint count once, or the many
fine-tunes of a few models would decide what is usual. A key is found under its other names too (``n_embd``), and in the
section of the language model as at the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, Protocol

from zoo.config_text import canonical_json
from zoo.explain.keys import find_entry, walk_keys
from zoo.explain.sheet import text_of

#: Sections that hold the language model: their keys are compared with those at the top of other configs.
_TEXT = frozenset(("text_config", "llm_config", "language_config"))
#: Two places of the settings of rotary positions; transformers 5 writes the second.
_ROTARY = frozenset(("rope_scaling", "rope_parameters"))
#: Ends of keys whose numbers are names, not amounts.
_NAMES = ("_id", "_ids", "_index", "_token", "_version")


#: Beyond it, a number is a slip and no amount.
LARGEST = 10**30
#: How to read a percentile.
PERCENTILES = (
    "Percentile: the share of models that state the key with a smaller number, and half of those with the same; models "
    "of one fingerprint count once."
)


class Peer(Protocol):
    """What this module needs of a model to compare with."""

    @property
    def family(self) -> str | None: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a value stands among ``models`` that state the key, itself included.

    ``percentile`` (0 to 100), ``median``, ``least`` and ``most`` are None for what is no amount; ``same`` is how many
    state this very value.
    """

    models: int
    same: int
    percentile: float | None = None
    median: float | None = None
    least: float | None = None
    most: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "models": self.models,
            "same": self.same,
            "percentile": None if self.percentile is None else round(self.percentile, 1),
            "median": self.median,
            "least": self.least,
            "most": self.most,
        }


class Standings(NamedTuple):
    """A value among its family and the zoo; None where no other model states the key."""

    family: Standing | None
    zoo: Standing | None

    def as_dict(self) -> dict[str, Any]:
        return {name: each.as_dict() if each else None for name, each in (("family", self.family), ("zoo", self.zoo))}


def compare_values(
    config: Mapping[str, Any], family: str | None, fingerprint: str | None, peers: Iterable[Peer]
) -> dict[str, Standings]:
    """The standings of every key of ``config``, by its path; of keys that another model states.

    ``fingerprint`` names the peer that the config itself is to stand for, so that it is not counted twice.
    """
    own = dict(list_values(config))
    wanted = {name for name, _ in own.values()}
    zoo: dict[str, list[Any]] = {name: [] for name in wanted}
    kin: dict[str, list[Any]] = {name: [] for name in wanted}
    for peer in peers:
        if peer.fingerprint == fingerprint:
            continue
        for name, value in dict(place for _, place in list_values(peer.config)).items():
            if name in wanted:
                zoo[name].append(value)
                if family is not None and peer.family == family:
                    kin[name].append(value)
    return {
        path: Standings(place_value(name, value, kin[name]), place_value(name, value, zoo[name]))
        for path, (name, value) in own.items()
        if zoo[name]
    }


def list_values(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, Any]]]:
    """The path of every key that holds no section, with the name that it is compared under and its value."""
    for path, value in walk_keys(config):
        if not isinstance(value, Mapping):
            yield ".".join(path), (name_path(path), value)


def name_path(path: Sequence[str]) -> str:
    """The path without the section of the language model, each key by its first name in the glossary."""
    kept = list(path)
    while len(kept) > 1 and kept[0] in _TEXT:
        kept = kept[1:]
    if len(kept) == 2 and kept[0] in _ROTARY and kept[1] == "rope_theta":
        kept = kept[1:]
    names = []
    for place, key in enumerate(kept):
        entry = find_entry(kept[: place + 1])
        known = key if entry is None or "." in entry.key else entry.key
        names.append("rope_scaling" if known in _ROTARY else known)
    return ".".join(names)


def place_value(name: str, value: Any, others: Sequence[Any]) -> Standing | None:
    """Where ``value`` stands among itself and ``others``; None where there are none of its kind."""
    if is_amount(name, value):
        numbers = sorted([value, *(other for other in others if is_amount(name, other))])
        if len(numbers) < 2:
            return None
        below = sum(1 for number in numbers if number < value)
        same = sum(1 for number in numbers if number == value)
        percentile = 100 * (below + same / 2) / len(numbers)
        return Standing(len(numbers), same, percentile, median(numbers), numbers[0], numbers[-1])
    if not others:
        return None
    own = spell(value)
    return Standing(len(others) + 1, 1 + sum(1 for other in others if spell(other) == own))


def is_amount(name: str, value: Any) -> bool:
    """Whether ``value`` is a number of which there can be more or less: finite, no switch, and no id."""
    if isinstance(value, bool) or not isinstance(value, int | float) or name.endswith(_NAMES):
        return False
    return -LARGEST < value < LARGEST  # neither infinite nor undefined, and no more than a float can hold


def spell(value: Any) -> str:
    """A value as text that is the same for the same value, 1 and 1.0 alike."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical_json({"": value})


def describe_standing(standing: Standing) -> str:
    """ "62nd percentile of 336 models (median 4,096)", "30 of 334 models say the same (9%)", …"""
    models = f"{standing.models:,} models"
    if standing.same == standing.models:
        return "the same in both models" if standing.models == 2 else f"the same in all {models}"
    if standing.percentile is None or standing.median is None:
        if standing.same == 1:
            return f"no other of {models} says the same"
        return f"{standing.same:,} of {models} say the same ({standing.same / standing.models:.0%})"
    return f"{name_ordinal(round(standing.percentile))} percentile of {models} (median {write_amount(standing.median)})"


def describe_standings(standings: Standings | None, family: str | None) -> str:
    """Both in one line: "family Llama: …; zoo: …". Empty where no other model states the key."""
    if standings is None:
        return ""
    named = ((f"family {text_of(family)}", standings.family), ("zoo", standings.zoo))
    return "; ".join(f"{name}: {describe_standing(each)}" for name, each in named if each)


def name_ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th, …"""
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else last}"


def write_amount(number: float) -> str:
    return f"{number:,.10g}"
