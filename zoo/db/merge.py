"""What a record makes of a model's row: pure rules, no database.

- The Hub outranks the cache and folders, and those the bundled snapshot. Facts and configs are replaced only by a
  source of the same rank or a higher one, each on its own: the Hub tells the facts of a gated model, not its config.
- A problem never takes away a config that was read before.
- A record with no facts at all says nothing about them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from zoo.sources.record import HubFacts, ModelRecord

RANK: Mapping[str, int] = {"snapshot": 1, "folder": 2, "cache": 2, "hub": 3}
#: Problems of names behind which no repository was seen.
UNSEEN = ("missing", "failed")

Outcome = Literal["new", "changed", "unchanged", "problem"]
Row = dict[str, Any]

#: Facts that are columns as they are.
_PLAIN_FACTS = (
    *("hub_id", "downloads", "likes", "license", "gated", "private", "disabled", "pipeline_tag", "library"),
    *("created_at", "last_modified", "reported_params"),
)
_NO_FACTS = HubFacts()
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Merged:
    """``row`` is None when only the problem is kept; ``took_config``: the record's config is now the current one."""

    row: Row | None
    outcome: Outcome
    took_config: bool = False


def merge_record(old: Mapping[str, Any] | None, record: ModelRecord, config_id: int | None, now: datetime) -> Merged:
    """The row that follows from ``old`` (None: not seen before) and ``record``, its config stored as ``config_id``."""
    kind = record.problem.kind if record.problem else None
    if old is None and kind in UNSEEN:
        return Merged(None, "problem")
    row = _start_row(record, now) if old is None else dict(old)
    _take_identity(row, record)
    took_facts = _take_facts(row, record)
    took_config = _take_config(row, record, config_id)
    _take_problem(row, record, now)
    told = took_facts or took_config or RANK[record.source] >= RANK[row["source"]]
    if told and kind not in (*UNSEEN, "gone"):
        row["synced_at"], row["gone_at"] = now, None
    return Merged(row, _name_outcome(old, row, record), took_config)


def _name_outcome(old: Mapping[str, Any] | None, row: Row, record: ModelRecord) -> Outcome:
    if record.problem:
        return "problem"
    if old is None:
        return "new"
    return "unchanged" if row["config_id"] == old["config_id"] else "changed"


def _start_row(record: ModelRecord, now: datetime) -> Row:
    row: Row = dict.fromkeys(("config_id", "config_source", "sha", "check_explanation", "gone_at"))
    row |= {"source": record.source, "origin": None, "params_check": "unchecked", "first_seen": now, "synced_at": now}
    return row | list_facts(_NO_FACTS) | {"problem_kind": None, "problem_message": None}


def _take_identity(row: Row, record: ModelRecord) -> None:
    repo_id = clean_value(record.repo_id)
    author, slash, name = repo_id.partition("/")
    row |= {"repo_id": repo_id, "repo_key": repo_id.lower()}
    row |= {"author": author, "name": name} if slash else {"author": None, "name": repo_id}


def _take_facts(row: Row, record: ModelRecord) -> bool:
    if record.facts == _NO_FACTS or RANK[record.source] < RANK[row["source"]]:
        return False
    row |= list_facts(record.facts) | {"source": record.source, "origin": clean_value(record.origin)}
    return True


def _take_config(row: Row, record: ModelRecord, config_id: int | None) -> bool:
    outranked = row["config_id"] is not None and RANK[record.source] < RANK[row["config_source"]]
    if record.unchanged and row["config_id"] is not None and record.sha == row["sha"] and not outranked:
        row |= {"config_source": record.source, "problem_kind": None, "problem_message": None}
    if config_id is None or outranked:
        return False
    row |= {"config_id": config_id, "config_source": record.source, "sha": clean_value(record.sha)}
    row |= {"problem_kind": None, "problem_message": None}
    if RANK[record.source] >= RANK[row["source"]]:
        row |= {"source": record.source, "origin": clean_value(record.origin)}
    return True


def _take_problem(row: Row, record: ModelRecord, now: datetime) -> None:
    if record.problem and RANK[record.source] >= RANK[row["source"]]:
        row |= {"problem_kind": record.problem.kind, "problem_message": clean_value(record.problem.message)}
        if record.problem.kind == "gone":
            row["gone_at"] = row["gone_at"] or now


def list_facts(facts: HubFacts) -> Row:
    """``facts`` as columns of the table model."""
    row: Row = {
        "reported_by_dtype": _dump(dict(sorted(facts.reported_by_dtype.items()))),
        "base_model": ", ".join(facts.base_model) or None,
        "tags": _dump(list(facts.tags)),
    }
    row |= {key: getattr(facts, key) for key in _PLAIN_FACTS}
    return {key: clean_value(value) for key, value in row.items()}


def clean_value(value: Any) -> Any:
    """``value`` as both databases can hold it: no NUL, no lone surrogates, no integer over 64 bits."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if type(value) is int and value not in _INT64:
        return None
    return value


def _dump(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None
