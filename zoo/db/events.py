"""What becomes of models that are known: gated, renamed, gone, another config. One row for each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from zoo.db.bulk import insert_rows, select_rows, update_rows
from zoo.db.merge import Row
from zoo.db.models import Pair
from zoo.db.tables import Config, Event, Model

#: Facts whose changes are told, where the Hub described the repository before and after.
TOLD_FACTS = ("gated", "private", "disabled", "license", "base_model", "pipeline_tag", "reported_params")
#: What else is told of, whoever said it.
TOLD_STATES = ("repo_id", "gone_at", "config_id", "problem_kind")
#: Problems that say nothing lasting of a model, or are told as an event of their own.
_PASSING = ("failed", "gone")
#: Kinds of events that are called otherwise than the column that they are about.
_NAMES = {"repo_id": "renamed", "problem_kind": "problem"}


class Change(NamedTuple):
    """``kind``: a column of the table model."""

    model_id: int
    kind: str
    before: Any
    after: Any
    sha: str | None


def list_events(pairs: Sequence[Pair], joined: Mapping[int, str]) -> list[Change]:
    """What changed for the rows that were there before.

    ``joined``: ids of rows that took the place of another, with the name that the other had.
    """
    renamed = [
        Change(row["id"], "repo_id", joined[row["id"]], row["repo_id"], row["sha"])
        for old, row in pairs
        if old is not None and row["id"] in joined
    ]
    return renamed + [change for old, row in pairs if old is not None for change in _compare(old, row)]


def _compare(old: Mapping[str, Any], row: Row) -> Iterator[Change]:
    said = old["source"] == "hub" == row["source"] and old["hub_id"] and row["hub_id"]
    for kind in (*TOLD_STATES, *(TOLD_FACTS if said else ())):
        if old[kind] == row[kind]:
            continue
        before, after = old[kind], row[kind]
        if kind in ("private", "disabled"):
            before, after = bool(before), bool(after)
        elif kind == "problem_kind":
            before = None if before in _PASSING else before
            after = before if after in _PASSING else after
        elif kind == "config_id" and not _is_same_origin(old["config_source"], row["config_source"]):
            continue
        if before != after:
            yield Change(row["id"], kind, before, after, row["sha"])


def _is_same_origin(before: str | None, after: str | None) -> bool:
    """Whether two configs may be two states of one file: not where one is a copy of unknown age, or of some keys."""
    return before is None or before == after or {before, after} <= {"hub", "cache"}


def write_events(connection: Connection, changes: Sequence[Change], now: str) -> None:
    """Store ``changes`` as of ``now``; configs are named by their hash, which outlives their row."""
    ids = {value for change in changes if change.kind == "config_id" for value in change[2:4] if value is not None}
    hashes = dict(select_rows(connection, Config, ("id", "sha256"), "id", ids))
    rows = [(change.model_id, now, *_spell(change, hashes), change.sha) for change in changes]
    insert_rows(connection, Event, ("model_id", "at", "kind", "before", "after", "sha"), rows)


def _spell(change: Change, hashes: dict[int, str]) -> tuple[str, str | None, str | None]:
    if change.kind == "config_id":
        return "config", hashes.get(change.before), hashes.get(change.after)
    if change.kind == "gone_at":
        return ("returned", change.before, None) if change.before else ("gone", None, change.after)
    before, after = (None if value is None or value is False else str(value) for value in change[2:4])
    return _NAMES.get(change.kind, change.kind), before, after


def write_gone(connection: Connection, repo_keys: Sequence[str], now: str) -> int:
    """Date the models of ``repo_keys`` (lower case) that were not known to be gone; how many there were."""
    found = select_rows(connection, Model, ("id", "sha", "gone_at"), "repo_key", repo_keys)
    rows = [row for row in found if row[2] is None]
    update_rows(connection, Model, ("gone_at",), [(now, row[0]) for row in rows])
    write_events(connection, [Change(row[0], "gone_at", None, now, row[1]) for row in rows], now)
    return len(rows)
