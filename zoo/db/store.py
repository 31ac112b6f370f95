"""Where a sync saves: batches of records in, rows out. Idempotent; few statements for a batch, none for a row."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select, text

from zoo.db.content import ConfigStore, select_in
from zoo.db.events import write_gone
from zoo.db.saving import Batch, SaveCounts
from zoo.db.tables import Model
from zoo.db.types import format_time
from zoo.sources.record import ModelRecord

_LOCK = 0x5A4F50


class DatabaseStore:
    """The database as a sync sees it. ``engine`` must be a writing one (``open_engine(write=True)``).

    Its connection stays open between batches (opening one and closing the last one costs as much as a thousand rows)
    until :meth:`close`, or until nobody holds the store any more.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.engine = engine
        self._clock = clock
        self._configs = ConfigStore()
        self._held: list[Connection] = []
        weakref.finalize(self, _let_go, self._held)

    def close(self) -> None:
        """End the connection, where there is one; the next batch opens it again."""
        _let_go(self._held)

    def known_sha(self, repo_id: str) -> str | None:
        """Commit of ``repo_id`` whose whole config is stored, from the Hub or its cache."""
        return self.known_shas([repo_id]).get(repo_id)

    def known_shas(self, repo_ids: Iterable[str]) -> dict[str, str]:
        """As :meth:`known_sha`, for many at once; those that are not known are left out."""
        wanted = {repo_id.lower(): repo_id for repo_id in repo_ids}
        whole = Model.config_source.in_(("hub", "cache"))  # the snapshot keeps only some keys
        query = select(Model.repo_key, Model.sha).where(Model.sha.is_not(None), whole)
        with self.engine.connect() as connection:
            return {wanted[row[0]]: row[1] for row in select_in(connection, query, Model.repo_key, wanted)}

    def save(self, records: Sequence[ModelRecord]) -> SaveCounts:
        """Save ``records`` in one transaction: all of them, or none when something fails."""
        connection = self._connect()
        with _pause_collector(), connection.begin():
            _wait_for_turn(connection)
            return Batch(connection, self._configs, format_time(self._clock())).save(records)

    def mark_gone(self, repo_ids: Iterable[str]) -> int:
        """Note of models that their repositories are there no longer; how many were not marked yet."""
        keys = [repo_id.lower() for repo_id in repo_ids]
        connection = self._connect()
        with connection.begin():
            _wait_for_turn(connection)
            return write_gone(connection, keys, format_time(self._clock()))

    def _connect(self) -> Connection:
        if not self._held:
            self._held.append(self.engine.connect())
        return self._held[0]


@contextmanager
def _pause_collector() -> Iterator[None]:
    """Let nobody look for cycles among the many objects of a batch: there are next to none, and looking takes time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _let_go(held: list[Connection]) -> None:
    while held:
        held.pop().close()


def _wait_for_turn(connection: Connection) -> None:
    """One writer at a time, as SQLite has it by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
