from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.cli.conftest import Run


def test_export_writes_csv_to_stdout(run: Run, snapshot_size: int) -> None:
    said = run("export")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == snapshot_size
    assert said.err == ""


def test_export_writes_the_models_that_are_wanted(run: Run) -> None:
    said = run("export", "parts", "--models", "gpt2", "--format", "jsonl")
    parts = [json.loads(line) for line in said.out.splitlines()]
    assert {part["repo_id"] for part in parts} == {"openai-community/gpt2"}
    assert sum(part["params"] for part in parts) == 124439808


def test_export_writes_one_file(run: Run, snapshot_size: int, tmp_path: Path) -> None:
    said = run("export", "models", "--format", "parquet", "--out", tmp_path / "x.parquet")
    assert said.out == ""
    assert f"{snapshot_size:,} rows" in said.err
    assert parquet.read_metadata(tmp_path / "x.parquet").num_rows == snapshot_size
    run("export", "--format", "csv", "--out", tmp_path / "x.csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == snapshot_size + 1


def test_export_writes_all_views_in_all_formats_to_a_folder(run: Run, snapshot_size: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("export", "all", "--format", "parquet,csv,jsonl,sqlite", "--out", out, "--json")
    written = json.loads(said.out)
    assert written[str(out / "models.csv")] == snapshot_size
    assert len(list(out.iterdir())) == 7 * 3 + 1
    with closing(sqlite3.connect(out / "zoo.sqlite")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM models").fetchone() == (snapshot_size,)


def test_export_writes_several_views_into_one_sqlite_file(run: Run, tmp_path: Path) -> None:
    for _ in range(2):  # what is there is replaced
        assert run("export", "models,parts", "--format", "sqlite", "--out", tmp_path / "z.sqlite").code == 0
    with closing(sqlite3.connect(tmp_path / "z.sqlite")) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert names == {"models", "parts"}
    assert [path.name for path in tmp_path.iterdir()] == ["z.sqlite"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("modles",), "did you mean models"),
        (("qqqqqqqqq",), "there are models, config_values"),
        (("--format", "xml"), "no format"),
        (("--format", ""), "no format"),
        (("--format", "parquet"), "--out"),
        (("--format", "csv,jsonl"), "--out"),
        (("models", "parts"), "--out"),
    ],
)
def test_export_says_what_is_wrong(run: Run, words: tuple[str, ...], part: str) -> None:
    said = run("export", *words)
    assert said.code == 2
    assert part in said.err


def test_export_cannot_steer_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.db.export.TEXT_WRITERS", {"csv": lambda view, batches, file: file.write("\x1b[2Jx\n")})
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run("export").out == "\ufffd[2Jx\n"
