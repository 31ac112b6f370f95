"""What a record makes of a model's row: pure rules, no database.

- The Hub outranks the cache and folders, and those the bundled snapshot. Facts and configs are replaced only by a
  source of the same rank or a higher one, each on its own: the Hub tells the facts of a gated model, not its config.
- A problem never takes away a config that was read before.
- A record with no facts at all says nothing about them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from zoo.db.types import format_time
from zoo.sources.record import HubFacts, ModelRecord

RANK: Mapping[str, int] = {"snapshot": 1, "folder": 2, "cache": 2, "hub": 3}
#: Problems of names behind which no repository was seen.
UNSEEN = ("missing", "failed")

Outcome = Literal["new", "changed", "unchanged", "problem"]
Row = dict[str, Any]

_NO_FACTS = HubFacts()
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_TAGS = re.compile(r"[ -\[\]-~]+")  # nothing that JSON escapes but quotation marks, which are counted
_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Merged:
    """``row`` is None when only the problem is kept; ``took_config``: the record's config is now the current one."""

    row: Row | None
    outcome: Outcome
    took_config: bool = False


def merge_record(old: Mapping[str, Any] | None, record: ModelRecord, config_id: int | None, now: str) -> Merged:
    """The row that follows from ``old`` (None: not seen before) and ``record``, its config stored as ``config_id``.

    Moments in rows, and ``now``, are text as ``zoo.db.types.format_time`` writes it.
    """
    kind = record.problem.kind if record.problem else None
    if old is None and kind in UNSEEN:
        return Merged(None, "problem")
    if old is None and record.problem is None and config_id is not None:
        return Merged(_build_row(record, config_id, now), "new", True)
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


def _start_row(record: ModelRecord, now: str) -> Row:
    return _EMPTY_ROW | {"source": record.source, "first_seen": now, "synced_at": now}


def _build_row(record: ModelRecord, config_id: int, now: str) -> Row:
    """The row of a new model with a config: what the rules below come to, in one step."""
    row = _EMPTY_ROW.copy() if record.facts == _NO_FACTS else _EMPTY_ROW | list_facts(record.facts)
    _take_identity(row, record)
    row["source"] = row["config_source"] = record.source
    row["origin"], row["sha"] = clean_value(record.origin), clean_value(record.sha)
    row["config_id"], row["first_seen"], row["synced_at"] = config_id, now, now
    return row


def _take_identity(row: Row, record: ModelRecord) -> None:
    repo_id = clean_value(record.repo_id)
    author, slash, name = repo_id.partition("/")
    row["repo_id"], row["repo_key"] = repo_id, repo_id.lower()
    row["author"], row["name"] = (author, name) if slash else (None, repo_id)


def _take_facts(row: Row, record: ModelRecord) -> bool:
    if RANK[record.source] < RANK[row["source"]] or record.facts == _NO_FACTS:
        return False
    row |= list_facts(record.facts)
    row["source"], row["origin"] = record.source, clean_value(record.origin)
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


def _take_problem(row: Row, record: ModelRecord, now: str) -> None:
    if record.problem and RANK[record.source] >= RANK[row["source"]]:
        row |= {"problem_kind": record.problem.kind, "problem_message": clean_value(record.problem.message)}
        if record.problem.kind == "gone":
            row["gone_at"] = row["gone_at"] or now


def list_facts(facts: HubFacts) -> Row:
    """``facts`` as columns of the table model."""
    row: Row = {
        "reported_by_dtype": _spell_counts(tuple(facts.reported_by_dtype.items())) if facts.reported_by_dtype else None,
        "base_model": ", ".join(facts.base_model) or None,
        "tags": _spell_tags(facts.tags),
        "hub_id": facts.hub_id,
        "downloads": facts.downloads,
        "likes": facts.likes,
        "license": facts.license,
        "gated": facts.gated,
        "private": facts.private,
        "disabled": facts.disabled,
        "pipeline_tag": facts.pipeline_tag,
        "library": facts.library,
        "created_at": None if facts.created_at is None else format_time(facts.created_at),
        "last_modified": None if facts.last_modified is None else format_time(facts.last_modified),
        "reported_params": facts.reported_params,
    }
    # One look at all of it: next to nothing needs cleaning.
    texts = "".join([value for value in row.values() if isinstance(value, str)])
    counts = (facts.downloads or 0, facts.likes or 0, facts.reported_params or 0)
    whole = max(counts) < _LIMIT and min(counts) >= -_LIMIT
    if whole and texts.isascii() and "\0" not in texts:
        return row
    return {key: clean_value(value) for key, value in row.items()}


@lru_cache(maxsize=4096)
def _spell_counts(items: tuple[tuple[str, int], ...]) -> str:
    return json.dumps(dict(sorted(items)), ensure_ascii=False)


def _spell_tags(tags: Sequence[str]) -> str | None:
    """A JSON list, as ``json.dumps`` writes it."""
    joined = '", "'.join(tags)
    if _PLAIN_TAGS.fullmatch(joined) and joined.count('"') == 2 * len(tags) - 2:
        return f'["{joined}"]'
    return json.dumps(tags, ensure_ascii=False) if tags else None


def clean_value(value: Any) -> Any:
    """``value`` as both databases can hold it: no NUL, no lone surrogates, no integer over 64 bits."""
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _UNSTORABLE.sub("\ufffd", value)
    if type(value) is int and not -_LIMIT <= value < _LIMIT:
        return None
    return value


#: A model of which nothing is known yet.
_EMPTY_ROW: Row = {
    **dict.fromkeys(("config_id", "config_source", "sha", "check_explanation", "gone_at", "origin")),
    **list_facts(_NO_FACTS),
    "params_check": "unchecked",
    "problem_kind": None,
    "problem_message": None,
}
