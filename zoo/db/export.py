"""Whole views into files, batch by batch: memory does not grow with the number of rows."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import Boolean, Connection, Text, column, select, table

from zoo.db.views import VIEW_COLUMNS
from zoo.metrics.glossary import METRICS, Kind

if TYPE_CHECKING:
    from _csv import Writer as CsvWriter

BATCH = 5000

#: Kinds of the columns that are not text, by view.
COLUMN_KINDS: dict[str, dict[str, Kind]] = {
    "models": {metric.key: metric.kind for metric in METRICS},
    "parts": {"params": "int", "active": "int", "share": "float"},
}
_SQLITE_TYPES: dict[Kind, str] = {"int": "INTEGER", "float": "REAL", "bool": "BOOLEAN", "text": "TEXT", "time": "TEXT"}

Batch = Sequence[Sequence[Any]]


def read_view(connection: Connection, view: str, repo_ids: Collection[str] | None = None) -> Iterator[Batch]:
    """Rows of ``view`` in batches, the same order every time; only those of ``repo_ids`` where given."""
    source = table(view, *(column(name, _column_type(view, name)) for name in VIEW_COLUMNS[view]))
    order = [source.c[name] for name in VIEW_COLUMNS[view] if name in ("repo_id", "part", "key", "seen_at", "at")]
    query = select(source).order_by(*order).execution_options(yield_per=BATCH)
    index = VIEW_COLUMNS[view].index("repo_id") if "repo_id" in VIEW_COLUMNS[view] else None
    for batch in connection.execute(query).partitions():
        rows: Batch = [tuple(row) for row in batch]
        if repo_ids is not None and index is not None:
            rows = [row for row in rows if row[index] in repo_ids]
        if rows:
            yield rows


class _LineFeeds:
    """Takes rows that end with CR LF and ends them with LF."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def write(self, row: str) -> int:
        return self.file.write(row.removesuffix("\r\n") + "\n")


def make_csv_writer(file: IO[str]) -> CsvWriter:
    """RFC 4180, but rows end with LF. Told to end them so, Python would leave a lone CR in a text without quotes."""
    return csv.writer(_LineFeeds(file), lineterminator="\r\n")


def write_csv(view: str, batches: Iterable[Batch], file: IO[str]) -> int:
    """CSV with a header; null is empty, booleans are true and false. Returns the number of rows."""
    writer = make_csv_writer(file)
    writer.writerow(VIEW_COLUMNS[view])
    count = 0
    for batch in batches:
        writer.writerows([str(v).lower() if isinstance(v, bool) else v for v in row] for row in batch)
        count += len(batch)
    return count


def write_jsonl(view: str, batches: Iterable[Batch], file: IO[str]) -> int:
    """One JSON object a line."""
    names, count = VIEW_COLUMNS[view], 0
    for batch in batches:
        file.writelines(
            json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False) + "\n" for row in batch
        )
        count += len(batch)
    return count


def write_parquet(view: str, batches: Iterable[Batch], path: Path) -> int:
    """A Parquet file, its columns typed by the glossary also where all values are null."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": pa.string(), "time": pa.string()}
    schema = pa.schema([(name, types[_kind(view, name)]) for name in VIEW_COLUMNS[view]])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            columns = list(zip(*batch, strict=True))
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


def write_sqlite(view: str, batches: Iterable[Batch], path: Path) -> int:
    """A table named as the view in the SQLite file ``path``, with plain columns and no schema of zoo's."""
    names = VIEW_COLUMNS[view]
    columns = ", ".join(f'"{name}" {_SQLITE_TYPES[_kind(view, name)]}' for name in names)
    insert = f"INSERT INTO {view} VALUES ({', '.join('?' * len(names))})"  # noqa: S608 (names from the code)
    count = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {view} ({columns})")
        for batch in batches:
            connection.executemany(insert, batch)
            count += len(batch)
    return count


#: Formats that become files only, and those that are text.
FILE_WRITERS: dict[str, Callable[[str, Iterable[Batch], Path], int]] = {
    "parquet": write_parquet,
    "sqlite": write_sqlite,
}
TEXT_WRITERS: dict[str, Callable[[str, Iterable[Batch], IO[str]], int]] = {"csv": write_csv, "jsonl": write_jsonl}


def _kind(view: str, name: str) -> Kind:
    return COLUMN_KINDS.get(view, {}).get(name, "text")


def _column_type(view: str, name: str) -> Boolean | Text:
    return Boolean() if _kind(view, name) == "bool" else Text()
