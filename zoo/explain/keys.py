"""Every key of a config explained: its value, what it is, what it changes, whether the count depends on it."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from zoo.config_text import canonical_json
from zoo.explain.reads import Use, find_uses
from zoo.text import clean_text

GROUPS = (
    "architecture",
    "attention",
    "position",
    "experts",
    "tokens",
    "precision",
    "training-only",
    "housekeeping",
    "not documented",
)
#: What a key can change, and how that is said.
CHANGES = {
    "memory": "memory",
    "compute": "compute",
    "quality": "quality",
    "decoding": "defaults of text generation",
    "training": "training only: nothing at inference",
    "nothing": "nothing at inference",
}
#: Objects that hold data rather than settings: shown as one value.
OPAQUE = ("id2label", "label2id", "task_specific_params")
USES: Mapping[Use | None, str] = {"ledger": "the count follows from it", "facts": "shown", None: "not read by zoo"}
#: Entries of a list that are spelled out.
_SHOWN = 8
_LONGEST = 200
#: A section of more keys than this, none of which is documented, is data (a scheme for each module, say).
_MANY = 40


class Entry(NamedTuple):
    """What the glossary says of a key."""

    key: str
    group: str
    meaning: str
    changes: tuple[str, ...]
    counted: tuple[str, ...] = ()  #: what it changes besides in models whose count follows from it


@dataclass(frozen=True, slots=True)
class KeyFact:
    """One key of a config. ``entry`` is None for a key that nobody documents."""

    path: str
    value: Any
    text: str  #: the value, formatted
    entry: Entry | None
    use: Use | None

    @property
    def group(self) -> str:
        return self.entry.group if self.entry else GROUPS[-1]

    @property
    def meaning(self) -> str:
        return self.entry.meaning if self.entry else "Not documented: zoo has no description of this key."

    @property
    def changed(self) -> tuple[str, ...]:
        """What it changes in this model, in the words of :data:`CHANGES`; nothing for a key that nobody documents."""
        if self.entry is None:
            return ()
        counted = self.entry.counted if self.use == "ledger" else ()
        said = set(self.entry.changes) - ({"nothing"} if counted else set())
        return tuple(word for word in CHANGES if word in said or word in counted)

    @property
    def changes(self) -> str:
        return ", ".join(CHANGES[word] for word in self.changed) if self.entry else "unknown"

    def as_dict(self) -> dict[str, Any]:
        is_section = isinstance(self.value, Mapping) and not is_data(self.path.rpartition(".")[2], self.value)
        return {
            "key": self.path,
            "value": None if is_section else json.loads(canonical_json({"": self.value}))[""],
            "text": self.text,
            "group": self.group,
            "meaning": self.entry.meaning if self.entry else None,
            "changes": list(self.changed) if self.entry else None,
            "read": self.use,
        }


@cache
def load_glossary() -> Mapping[str, Entry]:
    """The glossary by key, other names included. Raises ValueError for one that says a thing twice."""
    tables = tomllib.loads(files("zoo.explain").joinpath("keys.toml").read_text(encoding="utf-8"))
    entries: dict[str, Entry] = {}
    for group, keys in tables.items():
        for key, said in keys.items():
            counted = tuple(said.get("counted", "").split())
            entry = Entry(key, group, said["meaning"], tuple(said["changes"].split()), counted)
            for name in (key, *said.get("also", ())):
                if name in entries:
                    raise ValueError(f"{name} is described twice")
                entries[name] = entry
    return entries


def find_entry(path: Sequence[str]) -> Entry | None:
    """What the glossary says of the last key of ``path``: below this parent, else anywhere."""
    glossary = load_glossary()
    return glossary.get(".".join(path[-2:])) or glossary.get(path[-1])


def explain_keys(config: Mapping[str, Any]) -> list[KeyFact]:
    """Every key of ``config``, nested ones after their section, in the order of :data:`GROUPS`."""
    uses = find_uses(config)
    facts = [
        KeyFact(".".join(path), value, format_value(path[-1], value), find_entry(path), uses.get(".".join(path)))
        for path, value in walk_keys(config)
    ]
    return sorted(facts, key=lambda fact: GROUPS.index(fact.group))


def walk_keys(config: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key with its path, sections before what is in them."""
    for key, value in config.items():
        path = (*above, key)
        yield path, value
        if isinstance(value, Mapping) and not is_data(key, value):
            yield from walk_keys(value, path)


def is_data(key: str, value: Mapping[str, Any]) -> bool:
    """Whether the object ``value`` holds data rather than settings."""
    return key in OPAQUE or (len(value) > _MANY and not any(find_entry((key, inner)) for inner in value))


def format_value(key: str, value: Any) -> str:
    """``value`` as one short line of safe text: digits grouped, long lists counted, objects by their size."""
    if isinstance(value, Mapping):
        return f"{{{len(value)} {'entry' if len(value) == 1 else 'entries'}}}"
    if isinstance(value, list):
        return format_list(key, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value}" if key.endswith(("_id", "_ids", "_index")) else f"{value:,}"
    if isinstance(value, float) and value.is_integer() and 1000 <= abs(value) < 1e15:
        return f"{value:,.1f}"
    return _cut(json.dumps(value, ensure_ascii=False))


def format_list(key: str, values: Sequence[Any]) -> str:
    """Short lists in full; long ones by how often each word occurs, or by their first entries."""
    if len(values) <= _SHOWN:
        return _cut(f"[{', '.join(format_value(key, value) for value in values)}]")
    if all(isinstance(value, str) for value in values):
        counts = ", ".join(f"{times} × {word}" for word, times in Counter(values).most_common(_SHOWN))
        return _cut(f"{len(values)} entries: {counts}")
    return _cut(f"{len(values)} entries: {', '.join(format_value(key, value) for value in values[:_SHOWN])}, …")


def _cut(text: str) -> str:
    line = clean_text(text).replace("\n", " ").replace("\t", " ")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
