"""The bundled snapshot: facts of well-known models, so that everything works with no network.

``zoo/snapshot/models.jsonl``: a header line ``{"snapshot": 1, "date", "note"}``, then one compact JSON object a line::

    {"id": "author/name", "config": {…only the keys that shape the model…}, "from": "where the facts are from",
     "date": "YYYY-MM-DD"}

with, where they are known, ``sha``, ``license``, ``gated``, ``created_at``, ``pipeline_tag``, ``library``,
``base_model``, ``reported_params``, ``reported_by_dtype``, ``downloads``, ``likes``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from zoo.config_text import parse_config
from zoo.errors import BadInput
from zoo.sources.facts import is_iso_date, parse_time, read_facts
from zoo.sources.names import SHA, is_repo_id
from zoo.sources.record import ModelRecord

VERSION = 1


class SnapshotHeader(NamedTuple):
    """First line of a snapshot: the day that it was made, and what it is, in words."""

    date: str
    note: str


def find_snapshot() -> Traversable:
    """The snapshot that comes with zoo."""
    return resources.files("zoo").joinpath("snapshot", "models.jsonl")


def read_header(path: Traversable | None = None) -> SnapshotHeader:
    """Date and note of the snapshot at ``path``, else of the bundled one.

    Raises:
        BadInput: there is no snapshot, or one of another version.
    """
    return _parse_header(next(_read_lines(path), "{}"), _name(path))


def read_snapshot(path: Traversable | None = None) -> Iterator[ModelRecord]:
    """Records of all models of the snapshot at ``path``, else of the bundled one, one by one.

    Raises:
        BadInput: a line that is not as it should be; zoo's own file has none, :func:`validate_snapshot` sees to that.
    """
    lines = _read_lines(path)
    _parse_header(next(lines, "{}"), _name(path))
    for number, line in enumerate(lines, 2):
        place = f"{_name(path)}, line {number}"
        item = parse_config(line, source=place)
        if faults := _check_item(item):
            raise BadInput(place, "; ".join(faults))
        yield _make_record(item)


def validate_snapshot(lines: Iterable[str]) -> list[str]:
    """Everything that is wrong with a snapshot, one sentence each with its line; empty when it is right.

    Beyond what the reader needs: strict JSON in its compact spelling, each model once, a ``model_type`` or an
    architecture in each config, no key that is not known.
    """
    faults: list[str] = []
    seen: set[str] = set()
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            item = parse_config(line, source="")
        except BadInput as error:
            faults.append(f"line {number}: {error.reason}")
            continue
        found = _check_header(item) if number == 1 else _check_item(item) + _check_style(item, line)
        if number > 1 and (name := str(item.get("id")).casefold()) in seen:
            found.append(f"{item['id']} is there twice")
        elif number > 1:
            seen.add(name)
        faults += [f"line {number}: {fault}" for fault in found]
    return faults if number else ["line 1: there is no header"]


def _name(path: Traversable | None) -> str:
    return "the bundled snapshot" if path is None else str(path)


def _read_lines(path: Traversable | None) -> Iterator[str]:
    try:
        with (path or find_snapshot()).open("r", encoding="utf-8") as file:
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise BadInput(_name(path), f"cannot be read: {error.strerror or error}") from None


def _parse_header(line: str, name: str) -> SnapshotHeader:
    item = parse_config(line, source=f"{name}, line 1")
    if faults := _check_header(item):
        raise BadInput(f"{name}, line 1", "; ".join(faults))
    return SnapshotHeader(item["date"], item["note"])


def _make_record(item: Mapping[str, Any]) -> ModelRecord:
    return ModelRecord(
        item["id"],
        "snapshot",
        config=item["config"],
        sha=item.get("sha"),
        facts=read_facts(item),
        origin=f"snapshot of {item['date']}: {item['from']}",
    )


def _check_header(item: Mapping[str, Any]) -> list[str]:
    if item.get("snapshot") != VERSION:
        return [f'the first line must be {{"snapshot": {VERSION}, "date": …, "note": …}}']
    faults = [f"header: does not know the key {key!r}" for key in item if key not in {"snapshot", "date", "note"}]
    if not is_iso_date(item.get("date")):
        faults.append("header: date is no day as YYYY-MM-DD")
    if not _is_text(item.get("note")):
        faults.append("header: note is missing")
    return faults


def _check_item(item: Mapping[str, Any]) -> list[str]:
    faults = [f"does not know the key {key!r}" for key in item if key not in _CHECKS]
    for key, (is_right, wanted) in _CHECKS.items():
        if key not in item and key in _REQUIRED:
            faults.append(f"{key} is missing")
        elif key in item and not is_right(item[key]):
            faults.append(f"{key} is not {wanted}")
    return faults


def _check_style(item: Mapping[str, Any], line: str) -> list[str]:
    faults = []
    config = item.get("config")
    if isinstance(config, dict) and not (config.get("model_type") or config.get("architectures")):
        faults.append("config has neither model_type nor architectures")
    try:
        # Strict: what Python alone can read, no other reader of the file could.
        compact = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return [*faults, 'holds a bare NaN or Infinity: write {"__float__": "Infinity"}']
    return faults if line.rstrip("\n") == compact else [*faults, "is not in compact spelling (no spaces, no escapes)"]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_base_model(value: Any) -> bool:
    named = [value] if isinstance(value, str) else value
    return isinstance(named, list) and bool(named) and all(isinstance(one, str) and is_repo_id(one) for one in named)


def _is_dtype_counts(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_text(k) and _is_count(v) for k, v in value.items())


_REQUIRED = frozenset({"id", "config", "from", "date"})
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "id": (lambda value: isinstance(value, str) and "/" in value and is_repo_id(value), "an author/name"),
    "config": (lambda value: isinstance(value, dict) and bool(value), "a JSON object with keys"),
    "from": (_is_text, "one line of text"),
    "date": (is_iso_date, "a day as YYYY-MM-DD"),
    "sha": (lambda value: isinstance(value, str) and bool(SHA.match(value)), "a commit of 40 hexadecimal digits"),
    "license": (_is_text, "one line of text"),
    "gated": (lambda value: value in ("auto", "manual"), "auto or manual"),
    "created_at": (lambda value: parse_time(value) is not None, "a time as ISO 8601 has it"),
    "pipeline_tag": (_is_text, "one line of text"),
    "library": (_is_text, "one line of text"),
    "base_model": (_is_base_model, "a repository id or a list of them"),
    "reported_params": (_is_count, "a whole number"),
    "reported_by_dtype": (_is_dtype_counts, "an object of whole numbers"),
    "downloads": (_is_count, "a whole number"),
    "likes": (_is_count, "a whole number"),
}
