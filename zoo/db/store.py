"""Where a sync saves: batches of records in, rows out. Idempotent; few statements for a batch, none for a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Insert, bindparam, delete, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from zoo.db.content import (
    CHUNK,
    CanonicalConfig,
    StoredConfig,
    find_configs,
    read_documents,
    select_in,
    spell_config,
    store_configs,
)
from zoo.db.merge import Merged, clean_value, merge_record
from zoo.db.tables import Base, Model, Revision, SyncError, table_of
from zoo.sources.record import ModelRecord

#: PostgreSQL indexes no text of more than some 2,700 bytes.
MAX_MESSAGE = 500
_LOCK = 0x5A4F50
_CHECKED = ("config_id", "reported_params", "reported_by_dtype")


@dataclass(frozen=True, slots=True)
class SaveCounts:
    """What became of the records of a batch; each is counted once."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: int = 0

    def __add__(self, other: SaveCounts) -> SaveCounts:
        return SaveCounts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.problems + other.problems,
        )


@dataclass(frozen=True, slots=True)
class _Saving:
    """One record on its way: the row that was there, what follows, and its config where it has one."""

    record: ModelRecord
    old: Mapping[str, Any] | None
    merged: Merged
    stored: StoredConfig | None


class DatabaseStore:
    """The database as a sync sees it. ``engine`` must be a writing one (``open_engine(write=True)``)."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.engine = engine
        self._clock = clock

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
        counts = SaveCounts()
        with self.engine.begin() as connection:
            _wait_for_turn(connection)
            for wave in split_waves(records):
                counts += self._save_wave(connection, wave)
        return counts

    def mark_gone(self, repo_ids: Iterable[str]) -> int:
        """Note of models that their repositories are there no longer; how many were not marked yet."""
        keys, table = [repo_id.lower() for repo_id in repo_ids], table_of(Model)
        with self.engine.begin() as connection:
            query = select(Model.id).where(Model.gone_at.is_(None))
            ids = [{"row": row[0], "now": self._clock()} for row in select_in(connection, query, Model.repo_key, keys)]
            if ids:
                change = update(table).where(table.c.id == bindparam("row")).values(gone_at=bindparam("now"))
                connection.execute(change, ids)
        return len(ids)

    def _save_wave(self, connection: Connection, records: Sequence[ModelRecord]) -> SaveCounts:
        now = self._clock()
        configs = _store_wave_configs(connection, records)
        rows = _ExistingRows(connection, records)
        saving = []
        for record, stored in zip(records, configs, strict=True):
            old = rows.find(record)
            merged = merge_record(old, record, stored.config_id if stored else None, now)
            saving.append(_Saving(record, old, merged, stored))
        _check_params(connection, saving)
        _write_models(connection, saving)
        rows.remove_renamed(connection)
        _write_revisions(connection, saving, now)
        _write_errors(connection, records, now)
        outcomes = [each.merged.outcome for each in saving]
        return SaveCounts(*(outcomes.count(name) for name in ("new", "changed", "unchanged", "problem")))


def split_waves(records: Sequence[ModelRecord]) -> Iterator[list[ModelRecord]]:
    """``records`` in order, in runs of up to 1,000 that name no repository twice."""
    wave: list[ModelRecord] = []
    names: set[str] = set()
    for record in records:
        own = {name.lower() for name in (record.repo_id, record.renamed_from) if name} | {record.facts.hub_id or ""}
        own.discard("")
        if len(wave) == CHUNK or names & own:
            yield wave
            wave, names = [], set()
        wave.append(record)
        names |= own
    if wave:
        yield wave


class _ExistingRows:
    """The rows that the records of a wave are about: by id, by the id they had before, by the Hub's own ``_id``."""

    def __init__(self, connection: Connection, records: Sequence[ModelRecord]) -> None:
        keys = [name.lower() for record in records for name in (record.repo_id, record.renamed_from) if name]
        hub_ids = [record.facts.hub_id for record in records if record.facts.hub_id]
        table = table_of(Model)
        query = select(table).where(or_(table.c.repo_key.in_(keys), table.c.hub_id.in_(hub_ids)))
        rows = [dict(row) for row in connection.execute(query).mappings()]
        self._by_key = {row["repo_key"]: row for row in rows}
        self._by_hub_id = {row["hub_id"]: row for row in rows if row["hub_id"]}
        self._left: list[tuple[int, int]] = []

    def find(self, record: ModelRecord) -> Mapping[str, Any] | None:
        """The row of ``record``, also when it stands there under an earlier name."""
        row = self._by_key.get(record.repo_id.lower())
        earlier = self._by_key.get((record.renamed_from or "").lower()) or self._by_hub_id.get(
            record.facts.hub_id or ""
        )
        if row is not None and earlier is not None and earlier["id"] != row["id"]:
            self._left.append((earlier["id"], row["id"]))
        return row or earlier

    def remove_renamed(self, connection: Connection) -> None:
        """Where a repository stands under its old and its new name: move the revisions to the new, remove the old."""
        revision, model = table_of(Revision), table_of(Model)
        for earlier, kept in self._left:
            there = revision.alias()
            known = select(there.c.id).where(
                there.c.model_id == kept, there.c.sha == revision.c.sha, there.c.config_id == revision.c.config_id
            )
            moved = update(revision).where(revision.c.model_id == earlier, ~known.exists())
            connection.execute(moved.values(model_id=kept))
            connection.execute(delete(model).where(model.c.id == earlier))


def _store_wave_configs(connection: Connection, records: Sequence[ModelRecord]) -> list[StoredConfig | None]:
    spelled = [None if record.config is None else spell_config(record.config) for record in records]
    by_hash: dict[str, CanonicalConfig] = {each.sha256: each for each in spelled if each}
    stored = find_configs(connection, by_hash)
    stored |= store_configs(connection, {sha256: each for sha256, each in by_hash.items() if sha256 not in stored})
    return [stored[each.sha256] if each else None for each in spelled]


def _check_params(connection: Connection, saving: Sequence[_Saving]) -> None:
    """Derived against reported, for rows whose config or reported numbers are not those of the last time."""
    rows = [
        each.merged.row
        for each in saving
        if each.merged.row and (each.old is None or any(each.merged.row[key] != each.old[key] for key in _CHECKED))
    ]
    check_rows(connection, rows)


def check_rows(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Fill ``params_check`` and ``check_explanation`` of model ``rows``."""
    from zoo.metrics.reconcile import check

    config = Base.metadata.tables["config"]
    ids = {row["config_id"] for row in rows if row["config_id"] is not None}
    found = select_in(connection, select(config.c.id, config.c.analysis_id), config.c.id, ids)
    analyses: dict[int, int] = {row[0]: row[1] for row in found}
    documents = {key: json.loads(body) for key, body in read_documents(connection, set(analyses.values())).items()}
    for row in rows:
        if row["config_id"] is None:
            row |= {"params_check": "unchecked", "check_explanation": None}
            continue
        by_dtype = json.loads(row["reported_by_dtype"] or "{}")
        verdict, explanation = check(documents[analyses[row["config_id"]]], row["reported_params"], by_dtype)
        row |= {"params_check": verdict, "check_explanation": explanation}


def _write_models(connection: Connection, saving: Sequence[_Saving]) -> None:
    table = table_of(Model)
    new = [each.merged.row for each in saving if each.merged.row and each.old is None]
    if new:
        connection.execute(insert(table), new)
    changed = [each.merged.row for each in saving if each.merged.row and each.old is not None]
    if changed:
        columns: dict[str, Any] = {
            column.name: bindparam(column.name) for column in table.columns if column.name != "id"
        }
        statement = update(table).where(table.c.id == bindparam("row")).values(columns)
        connection.execute(statement, [{**row, "row": row["id"]} for row in changed])


def _write_revisions(connection: Connection, saving: Sequence[_Saving], now: datetime) -> None:
    """Every revision whose config was seen; of the outranked only what is whole and has a commit (the cache's)."""
    kept = [e for e in saving if e.stored and (e.merged.took_config or (e.record.sha and e.record.source == "cache"))]
    keys = [each.record.repo_id.lower() for each in kept]
    query = select(Model.repo_key, Model.id)
    ids = {row[0]: row[1] for row in select_in(connection, query, Model.repo_key, keys)}
    rows = [
        {
            "model_id": ids[each.record.repo_id.lower()],
            "sha": clean_value(each.record.sha) or "",
            "config_id": each.stored.config_id,
            "source": each.record.source,
            "seen_at": now,
        }
        for each in kept
        if each.stored
    ]
    if rows:
        connection.execute(_insert_ignoring(connection, Revision), rows)


def _write_errors(connection: Connection, records: Sequence[ModelRecord], now: datetime) -> None:
    table = table_of(SyncError)
    rows = [
        {
            "repo_id": clean_value(record.repo_id),
            "kind": record.problem.kind,
            "message": clean_value(record.problem.message)[:MAX_MESSAGE],
            "first_seen": now,
            "seen_at": now,
        }
        for record in records
        if record.problem
    ]
    if not rows:
        return
    connection.execute(_insert_ignoring(connection, SyncError), rows)
    same = [table.c[key] == bindparam(f"its_{key}") for key in ("repo_id", "kind", "message")]
    again = update(table).where(*same).values(seen_at=bindparam("now"))
    keys = [{f"its_{key}": row[key] for key in ("repo_id", "kind", "message")} for row in rows]
    connection.execute(again, [{**key, "now": now} for key in keys])


def _insert_ignoring(connection: Connection, entity: type[Base]) -> Insert:
    """INSERT that passes over rows that are there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table_of(entity)).on_conflict_do_nothing()
    return sqlite.insert(table_of(entity)).on_conflict_do_nothing()


def _wait_for_turn(connection: Connection) -> None:
    """One writer at a time, as SQLite has it by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
