"""Views into files: whole, typed, the same on both databases."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import Engine

from zoo.db import export
from zoo.db.export import read_view, write_csv, write_jsonl, write_parquet, write_sqlite
from zoo.db.session import open_engine
from zoo.db.views import VIEW_COLUMNS
from zoo.metrics.glossary import BY_KEY


def read_all(engine: Engine, view: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for batch in read_view(connection, view) for row in batch]


@pytest.mark.parametrize("view", VIEW_COLUMNS)
def test_every_format_holds_every_row(snapshot_path: Path, tmp_path: Path, view: str) -> None:
    snapshot = open_engine(str(snapshot_path))
    rows = read_all(snapshot, view)
    text, lines = io.StringIO(), io.StringIO()
    with snapshot.connect() as connection:
        assert write_csv(view, read_view(connection, view), text) == len(rows)
        assert write_jsonl(view, read_view(connection, view), lines) == len(rows)
        assert write_parquet(view, read_view(connection, view), tmp_path / "x.parquet") == len(rows)
        assert write_sqlite(view, read_view(connection, view), tmp_path / "x.sqlite") == len(rows)
    assert len(list(csv.DictReader(io.StringIO(text.getvalue())))) == len(rows)
    assert [tuple(json.loads(line).values()) for line in lines.getvalue().splitlines()] == rows
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == list(VIEW_COLUMNS[view])
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:
        assert connection.execute(f"SELECT * FROM {view}").fetchall() == rows


def test_parquet_is_typed_by_the_glossary_also_with_no_row(tmp_path: Path) -> None:
    write_parquet("models", [], tmp_path / "x.parquet")
    schema = parquet.read_schema(tmp_path / "x.parquet")
    names = {"int": "int64", "float": "double", "bool": "bool", "text": "string", "time": "string"}
    assert {field.name: str(field.type) for field in schema} == {key: names[m.kind] for key, m in BY_KEY.items()}


def test_batches_are_small_and_whole(snapshot: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_all(snapshot, "models")
    monkeypatch.setattr(export, "BATCH", 100)
    with snapshot.connect() as connection:
        batches = [list(batch) for batch in read_view(connection, "models")]
    assert max(map(len, batches)) == 100
    assert [tuple(row) for batch in batches for row in batch] == whole


def test_only_the_models_that_are_wanted_are_written(snapshot: Engine) -> None:
    wanted = {"openai-community/gpt2", "nobody/nothing"}
    with snapshot.connect() as connection:
        rows = [row for batch in read_view(connection, "parts", wanted) for row in batch]
        assert {row[0] for row in rows} == {"openai-community/gpt2"}
        assert sum(len(batch) for batch in read_view(connection, "metrics", wanted)) == len(BY_KEY)
