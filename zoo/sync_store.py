"""The database as a sync sees it: where it saves, what it knows already, and where the last one stopped."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Engine, delete, func, insert, select

from zoo.db.content import select_in
from zoo.db.engine import make_engine
from zoo.db.store import DatabaseStore
from zoo.db.tables import Model, Setting, SyncError, table_of
from zoo.sources.known import KnownModel
from zoo.sources.record import ModelRecord, Problem, ProblemKind
from zoo.sources.walk import WalkState, read_walk
from zoo.sync import SaveCounts

_WALK = "walk"
#: Sources whose configs are whole; the snapshot keeps only some keys.
_WHOLE = ("hub", "cache")


class SyncStore:
    """A :class:`zoo.sync.Store` on a database; to be used in one thread.

    What is asked is read on a connection of its own, which locks nothing and stays open.
    """

    def __init__(self, store: DatabaseStore) -> None:
        self._store = store
        self._held: list[Connection] = []
        weakref.finalize(self, _let_go, self._held)

    @property
    def engine(self) -> Engine:
        """The one that writes."""
        return self._store.engine

    def close(self) -> None:
        """End the connections; the next use opens them again."""
        _let_go(self._held)
        self._store.close()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        if not self._held:
            self._held.append(make_engine(self.engine.url).connect())
        with self._held[0].begin():  # each question sees what has been saved before it
            yield self._held[0]

    def save(self, records: Sequence[ModelRecord]) -> SaveCounts:
        return self._store.save(records)

    def find_known(self, repo_ids: Mapping[str, str | None]) -> Mapping[str, KnownModel]:
        """What is known of those of ``repo_ids`` that are there, by name or by the Hub's own ``_id`` (the values).

        Letter case does not count.
        """
        wanted = {repo_id.lower(): repo_id for repo_id in repo_ids}
        columns = (Model.repo_key, Model.repo_id, Model.hub_id, Model.sha, Model.config_source, Model.last_modified)
        query = select(*columns, Model.synced_at, Model.problem_kind, Model.problem_message)
        with self._read() as connection:
            known = {wanted[row.repo_key]: row for row in select_in(connection, query, Model.repo_key, wanted)}
            by_hub_id = {hub_id: name for name, hub_id in repo_ids.items() if hub_id and name not in known}
            moved = {by_hub_id[row.hub_id]: row for row in select_in(connection, query, Model.hub_id, by_hub_id)}
        found = {name: _read_known(row) for name, row in known.items()}
        return found | {name: _read_known(row)._replace(repo_id=row.repo_id) for name, row in moved.items()}

    def list_failed(self) -> list[str]:
        """Ids of the models that the network or the Hub failed for when they were last asked for."""
        errors, latest = table_of(SyncError), _select_latest_errors().subquery()
        repo_ids = select(errors.c.repo_id).join(
            latest, (latest.c.repo_id == errors.c.repo_id) & (latest.c.seen_at == errors.c.seen_at)
        )
        # A model with a row says itself how its last time ended.
        unsaved = ~select(Model.id).where(Model.repo_key == func.lower(errors.c.repo_id)).exists()
        with self._read() as connection:
            saved = [row[0] for row in connection.execute(select(Model.repo_id).where(Model.problem_kind == "failed"))]
            others = connection.execute(repo_ids.where(errors.c.kind == "failed", unsaved))
            return sorted({*saved, *(row[0] for row in others)})

    def list_unseen(self, since: datetime, author: str | None = None) -> Iterator[str]:
        """Ids of models of the Hub (of ``author``) that no sync has seen ``since`` and that are not gone yet."""
        errors = table_of(SyncError)
        failed = select(errors.c.id).where(
            errors.c.repo_id == Model.repo_id,
            errors.c.kind == "failed",
            errors.c.seen_at >= since - timedelta(seconds=1),
        )
        query = select(Model.repo_id).where(
            Model.source == "hub", Model.synced_at < since, Model.gone_at.is_(None), ~failed.exists()
        )
        if author is not None:
            query = query.where(func.lower(Model.author) == author.lower())
        with self._read() as connection:
            yield from [row[0] for row in connection.execute(query.order_by(Model.id))]

    def has_read_hub(self) -> bool:
        """Whether any model came from the Hub."""
        query = select(Model.id).where(Model.source == "hub").limit(1)
        with self._read() as connection:
            return connection.scalar(query) is not None

    def read_walk(self) -> WalkState | None:
        """How far the last walk over all models of the Hub has come."""
        with self._read() as connection:
            return read_walk(connection.scalar(select(Setting.value).where(Setting.key == _WALK)))

    def keep_walk(self, state: WalkState) -> None:
        table = table_of(Setting)
        with self.engine.begin() as connection:
            connection.execute(delete(table).where(table.c.key == _WALK))
            connection.execute(insert(table), [{"key": _WALK, "value": state.to_json()}])


def _let_go(held: list[Connection]) -> None:
    while held:
        held.pop().close()


def _select_latest_errors() -> Any:
    errors = table_of(SyncError)
    return select(errors.c.repo_id, func.max(errors.c.seen_at).label("seen_at")).group_by(errors.c.repo_id)


def _read_known(row: Any) -> KnownModel:
    problem = None
    if row.problem_kind is not None:
        problem = Problem(cast(ProblemKind, row.problem_kind), row.problem_message or "")
    sha = row.sha if row.config_source in _WHOLE else None
    return KnownModel(row.hub_id, sha, problem, row.last_modified, row.synced_at)
