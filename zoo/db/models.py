"""The rows of the table model: found for the records that are about them, and written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, select, update

from zoo.db.bulk import column_names, insert_rows, reserve_ids, select_rows, update_rows
from zoo.db.merge import Row, clean_value
from zoo.db.tables import Event, Model, Revision, table_of
from zoo.sources.record import ModelRecord

COLUMNS = column_names(table_of(Model))
_read_columns = itemgetter(*COLUMNS)
#: A row as it was (None: there was none), and as it will be.
Pair = tuple[Mapping[str, Any] | None, Row]


class ExistingRows:
    """The rows that the records of a wave are about: by id, by the id they had before, by the Hub's own ``_id``."""

    def __init__(self, connection: Connection, records: Sequence[ModelRecord]) -> None:
        keys = [_fold(record.repo_id) for record in records]
        keys += [_fold(record.renamed_from) for record in records if record.renamed_from]
        hub_ids = [clean_value(record.facts.hub_id) for record in records if record.facts.hub_id]
        rows = {row[0]: row for row in select_rows(connection, Model, COLUMNS, "repo_key", keys)}
        rows |= {row[0]: row for row in select_rows(connection, Model, COLUMNS, "hub_id", hub_ids)}
        found = [dict(zip(COLUMNS, row, strict=True)) for row in rows.values()]
        self._by_key = {row["repo_key"]: row for row in found}
        self._by_hub_id = {row["hub_id"]: row for row in found if row["hub_id"]}
        self._left: list[tuple[Mapping[str, Any], int]] = []

    def find(self, record: ModelRecord) -> Mapping[str, Any] | None:
        """The row of ``record``, also when it stands there under an earlier name."""
        if not self._by_key:
            return None
        row = self._by_key.get(_fold(record.repo_id))
        earlier = self._by_key.get(_fold(record.renamed_from or "")) or self._by_hub_id.get(
            clean_value(record.facts.hub_id or "")
        )
        if row is not None and earlier is not None and earlier["id"] != row["id"]:
            self._left.append((earlier, row["id"]))
        return row or earlier

    def remove_renamed(self, connection: Connection) -> list[tuple[int, str]]:
        """Where a repository stands under its old and its new name: move its history to the new, remove the old.

        Gives the rows that are left, each with the old name.
        """
        revision, event, model = table_of(Revision), table_of(Event), table_of(Model)
        for row, kept in self._left:
            earlier = row["id"]
            there = revision.alias()
            known = select(there.c.id).where(
                there.c.model_id == kept, there.c.sha == revision.c.sha, there.c.config_id == revision.c.config_id
            )
            moved = update(revision).where(revision.c.model_id == earlier, ~known.exists())
            connection.execute(moved.values(model_id=kept))
            connection.execute(update(event).where(event.c.model_id == earlier).values(model_id=kept))
            connection.execute(delete(model).where(model.c.id == earlier))
        return [(kept, row["repo_id"]) for row, kept in self._left]


def write_models(connection: Connection, pairs: Sequence[Pair]) -> None:
    """Insert the rows that are new, with an ``id`` that is put into them; of the others, update what differs."""
    new = [row for old, row in pairs if old is None]
    for row, row_id in zip(new, reserve_ids(connection, Model, len(new)), strict=True):
        row["id"] = row_id
    insert_rows(connection, Model, COLUMNS, [_read_columns(row) for row in new])
    changes: defaultdict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for old, row in pairs:
        if old is not None:
            changed = tuple(key for key in COLUMNS if row[key] != old[key])
            changes[changed].append((*(row[key] for key in changed), row["id"]))
    for columns, rows in changes.items():
        if columns:
            update_rows(connection, Model, columns, rows)


def _fold(repo_id: str) -> str:
    return str(clean_value(repo_id)).lower()
