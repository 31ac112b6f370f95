"""Two models: the keys and numbers in which they differ, and what that means in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from zoo.config_text import canonical_json
from zoo.explain.keys import USES, format_value, walk_keys
from zoo.explain.reads import Use, find_uses
from zoo.explain.sheet import DASH, Document, text_of
from zoo.metrics.analysis import Analysis
from zoo.metrics.glossary import METRICS
from zoo.units import format_bytes

#: Keys that hold the config of the language model in a whole that also sees or hears.
TEXT_SECTIONS = ("text_config", "llm_config", "language_config", "thinker_config.text_config")


class KeyChange(NamedTuple):
    """A key whose value differs. ``only`` is "a" or "b" where the other has no such key."""

    path: str
    a: Any
    b: Any
    only: str | None
    use: Use | None  #: what zoo reads the key for, in either

    @property
    def texts(self) -> tuple[str, str]:
        key = self.path.rpartition(".")[2]
        one = DASH if self.only == "b" else format_value(key, self.a)
        return one, DASH if self.only == "a" else format_value(key, self.b)


class NumberChange(NamedTuple):
    """A derived fact that differs; ``path`` is where it stands in the analysis."""

    path: str
    label: str
    unit: str
    a: Any
    b: Any

    @property
    def texts(self) -> tuple[str, str, str]:
        """Both values, and by how much the second is more."""
        return write_value(self.a, self.unit), write_value(self.b, self.unit), write_change(self.a, self.b)


class Difference(NamedTuple):
    """All in which ``a`` and ``b`` differ; three empty lists when they do not."""

    a: str
    b: str
    words: list[str]
    numbers: list[NumberChange]
    keys: list[KeyChange]


def compare_pair(
    a: Analysis, b: Analysis, config_a: Mapping[str, Any], config_b: Mapping[str, Any], names: tuple[str, str]
) -> Difference:
    """What differs between two models, by their analyses and configs."""
    from zoo.explain.words import describe_changes

    document_a, document_b = a.as_dict(), b.as_dict()
    words = describe_changes(a, b)
    return Difference(*names, words, list(compare_numbers(document_a, document_b)), compare_keys(config_a, config_b))


def compare_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[KeyChange]:
    """Keys that differ: first those that the count follows from, then those that are shown, then all others.

    Where one config has its text in a section and the other has none, its keys are held against those of the other's
    top level, and named as in the section.
    """
    one, two = (dict(walk_leaves(config)) for config in (a, b))
    one, two = move_under(one, two), move_under(two, one)
    uses: dict[str, Use] = {**find_uses(b), **find_uses(a)}
    changes = []
    for path in [*one, *(path for path in two if path not in one)]:
        only = "a" if path not in two else "b" if path not in one else None
        if only or not are_equal(one[path], two[path]):
            changes.append(KeyChange(path, one.get(path), two.get(path), only, uses.get(path)))
    return sorted(changes, key=lambda change: list(USES).index(change.use))


def move_under(flat: dict[str, Any], nested: dict[str, Any]) -> dict[str, Any]:
    """``flat`` with those of its keys renamed that ``nested`` has in its text section alone."""
    section = next((name for name in TEXT_SECTIONS if any(path.startswith(f"{name}.") for path in nested)), None)
    if section is None or any(path.startswith(TEXT_SECTIONS) for path in flat):
        return flat
    inside = {path for path in flat if path not in nested and f"{section}.{path}" in nested}
    return {f"{section}.{path}" if path in inside else path: value for path, value in flat.items()}


def walk_leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key that holds no section, by its path."""
    paths = [(".".join(path), value) for path, value in walk_keys(config)]
    sections = {path.rpartition(".")[0] for path, _ in paths}
    return ((path, value) for path, value in paths if path not in sections)


def are_equal(a: Any, b: Any) -> bool:
    """Whether two values of a key are the same: 1 and 1.0 are, true and 1 are not, NaN is NaN."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b) or (a != a and b != b)


def compare_numbers(a: Document, b: Document) -> Iterator[NumberChange]:
    """Facts of the glossary that differ, in its order; what a key states by itself is left to the keys."""
    for metric in METRICS:
        if metric.path is None or metric.key == "fingerprint":
            continue
        one, two = read_path(a, metric.path), read_path(b, metric.path)
        if one != two:
            yield NumberChange(metric.path, metric.label, metric.unit, one, two)


def read_path(document: Document, path: str) -> Any:
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def write_value(value: Any, unit: str) -> str:
    """A value with its digits; bytes in binary units too."""
    if value is None or isinstance(value, str | bool):
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else text_of(value)
    if unit.startswith("bytes"):
        return format_bytes(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def write_change(a: Any, b: Any) -> str:
    """By how much ``b`` is more than ``a``: "+1,288,529,152 (+19.2%)"; empty for what is no number."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (a, b)):
        return ""
    share = f" ({b / a - 1:+.1%})" if a else ""
    return f"{b - a:+,.10g}{share}" if isinstance(a, float) or isinstance(b, float) else f"{b - a:+,}{share}"


def write_difference(difference: Difference) -> dict[str, Any]:
    """The JSON of ``zoo diff``."""
    return {
        "a": difference.a,
        "b": difference.b,
        "words": difference.words,
        "numbers": [
            {"path": change.path, "label": change.label, "unit": change.unit, "a": change.a, "b": change.b}
            for change in difference.numbers
        ],
        "keys": [write_key_change(change) for change in difference.keys],
    }


def write_key_change(change: KeyChange) -> dict[str, Any]:
    a, b = make_plain(change.a), make_plain(change.b)
    return {"key": change.path, "a": a, "b": b, "only": change.only, "read": change.use}


def make_plain(value: Any) -> Any:
    """``value`` as strict JSON can hold it."""
    return json.loads(canonical_json({"": value}))[""]
