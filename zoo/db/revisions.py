"""Earlier configs of a model: every commit whose config was seen, and which one ``MODEL@REVISION`` means.

A revision is named by the beginning of its commit (or, where the source knew none, of the config's hash; four digits
or more), by ``current`` or ``previous``, or by a moment: the config that was current then, as far as zoo saw it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Text, select

from zoo.db.rows import read_config
from zoo.db.tables import Config, ConfigBody, Event, Model, Revision
from zoo.db.types import format_time
from zoo.errors import NoMatch, UsageError
from zoo.moments import parse_moment

_HEX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A config of a model that was seen. ``sha`` is None where the source knew no commit."""

    repo_id: str
    sha: str | None
    config_sha256: str
    source: str
    seen_at: str  #: first time, ISO 8601
    is_current: bool

    @property
    def name(self) -> str:
        """What tells it from the model's others: the beginning of its commit, else of its config's hash."""
        return (self.sha or self.config_sha256)[:12]


def list_revisions(connection: Connection, repo_id: str) -> list[RevisionRow]:
    """All of ``repo_id`` (any case), in the order in which they were seen."""
    columns = (Model.repo_id, Revision.sha, Config.sha256, Revision.source, Revision.seen_at.cast(Text))
    is_current = (Model.config_id == Revision.config_id) & (Model.sha.is_(None) | (Model.sha == Revision.sha))
    query = (
        select(*columns, is_current)
        .join(Model, Model.id == Revision.model_id)
        .join(Config, Config.id == Revision.config_id)
        .where(Model.repo_key == repo_id.lower())
        .order_by(Revision.seen_at, Revision.id)
    )
    return [_read_row(row) for row in connection.execute(query)]


def _read_row(row: Row[Any]) -> RevisionRow:
    repo_id, sha, config_sha256, source, seen_at, is_current = tuple(row)
    return RevisionRow(repo_id, sha or None, config_sha256, source, seen_at, bool(is_current))


def read_configs(connection: Connection, hashes: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The stored configs of ``hashes``, by hash; one that is stored no longer is left out."""
    from zoo.db.content import select_in

    query = select(Config.sha256, ConfigBody.text).join(ConfigBody, ConfigBody.config_id == Config.id)
    return {row[0]: read_config(row[1]) for row in select_in(connection, query, Config.sha256, set(hashes))}


def find_revision(
    engine: Engine, repo_id: str, revision: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> tuple[RevisionRow, Mapping[str, Any]]:
    """The revision of ``repo_id`` that ``revision`` names, and its config.

    Raises:
        NoMatch: no such revision was seen.
        UsageError: it could be several, or names none at all.
    """
    with engine.connect() as connection:
        rows = list_revisions(connection, repo_id)
        found = _choose(connection, rows, repo_id, revision, clock)
        return found, read_configs(connection, [found.config_sha256])[found.config_sha256]


def _choose(
    connection: Connection, rows: Sequence[RevisionRow], repo_id: str, revision: str, clock: Callable[[], datetime]
) -> RevisionRow:
    word = revision.strip().lower()
    if word in ("current", "previous"):
        found = _find_current(rows) if word == "current" else _find_previous(rows)
    elif _HEX.fullmatch(word):
        found = _find_commit(rows, word)
    else:
        found = _find_at(connection, rows, repo_id, format_time(_read_moment(revision, clock())))
    if found is None:
        raise NoMatch(f"{repo_id}@{revision}", list(dict.fromkeys(row.name for row in rows))[-5:], what="revision")
    return found


def _read_moment(revision: str, now: datetime) -> datetime:
    try:
        return parse_moment(revision, now, end=True)
    except UsageError:
        said = "its first four or more digits, previous, current, or a date"
        raise UsageError(f"{revision!r:.40} is no revision: name a commit by {said}") from None


def _find_current(rows: Sequence[RevisionRow]) -> RevisionRow | None:
    return next((row for row in reversed(rows) if row.is_current), None)


def _find_previous(rows: Sequence[RevisionRow]) -> RevisionRow | None:
    """The last with another config than the current one."""
    current = _find_current(rows)
    others = (row for row in reversed(rows) if current and row.config_sha256 != current.config_sha256)
    return next(others, None)


def _find_commit(rows: Sequence[RevisionRow], start: str) -> RevisionRow | None:
    """By commit, else by hash; of several sources of one commit, the last seen."""
    found = [row for row in rows if row.sha and row.sha.lower().startswith(start)]
    found = found or [row for row in rows if row.config_sha256.startswith(start)]
    names = list(dict.fromkeys(row.name for row in found))
    if len({row.sha for row in found}) > 1 and len({row.config_sha256 for row in found}) > 1:
        raise UsageError(f"@{start} may be {' or '.join(names[:5])}: name more of it")
    return found[-1] if found else None


def _find_at(connection: Connection, rows: Sequence[RevisionRow], repo_id: str, moment: str) -> RevisionRow | None:
    """What was current at ``moment``: what the next change of config replaced, else what was seen last."""
    changes = (
        select(Event.before, Event.at.cast(Text))
        .join(Model, Model.id == Event.model_id)
        .where(Model.repo_key == repo_id.lower(), Event.kind == "config")
        .order_by(Event.at, Event.id)
    )
    events = connection.execute(changes).all()
    later = [before for before, at in events if at >= moment]
    if events and not later:
        return _find_current(rows)
    found = [row for row in rows if row.seen_at < moment and (not later or row.config_sha256 == later[0])]
    return found[-1] if found else None
