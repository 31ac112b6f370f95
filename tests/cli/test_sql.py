from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.cli.conftest import Run

GPT2 = "SELECT repo_id, params_total FROM models WHERE name = 'gpt2'"


def test_sql_answers_with_a_table(run: Run) -> None:
    said = run("sql", GPT2)
    assert said.code == 0
    head, _, row = said.out.splitlines()
    assert head.split() == ["repo_id", "params_total"]
    assert row.split() == ["openai-community/gpt2", "124,439,808"]


@pytest.mark.parametrize("words", [("--json",), ("--format", "json")])
def test_sql_answers_in_json(run: Run, words: tuple[str, ...]) -> None:
    assert json.loads(run("sql", GPT2, *words).out) == [{"repo_id": "openai-community/gpt2", "params_total": 124439808}]


def test_sql_answers_in_csv_jsonl_and_markdown(run: Run) -> None:
    query = "SELECT repo_id, tied_embeddings FROM models WHERE name = 'gpt2'"
    rows = list(csv.reader(io.StringIO(run("sql", query, "--format", "csv").out)))
    assert rows == [["repo_id", "tied_embeddings"], ["openai-community/gpt2", "true"]]
    assert json.loads(run("sql", query, "--format", "jsonl").out) == {
        "repo_id": "openai-community/gpt2",
        "tied_embeddings": True,
    }
    assert "| openai-community/gpt2 | yes |" in run("sql", query, "--format", "md").out


def test_sql_writes_parquet_to_a_file(run: Run, tmp_path: Path) -> None:
    said = run("sql", GPT2, "--format", "parquet", "--out", tmp_path / "new" / "x.parquet")
    assert (said.code, said.out) == (0, "")
    assert parquet.read_table(tmp_path / "new" / "x.parquet").to_pylist() == [
        {"repo_id": "openai-community/gpt2", "params_total": 124439808}
    ]


def test_sql_reads_a_query_from_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(GPT2)
    assert "124,439,808" in run("sql", "--file", tmp_path / "q.sql").out


def test_sql_refuses_a_file_that_is_no_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_bytes(b"\xff\xfe\x00")
    said = run("sql", "--file", tmp_path / "q.sql")
    assert said.code == 3
    assert "UTF-8" in said.err


@pytest.mark.parametrize("words", [(), ("SELECT 1", "--file", "x.sql")])
def test_sql_wants_one_query(run: Run, words: tuple[str, ...]) -> None:
    said = run("sql", *words)
    assert said.code == 2
    assert "name one query" in said.err


def test_sql_lists_and_runs_named_queries(run: Run) -> None:
    names = [query["name"] for query in json.loads(run("sql", "--list", "--json").out)]
    assert "smallest-kv-cache" in names
    assert "Smallest KV cache per token" in run("sql", "--list").out
    assert "kv_bytes_per_token" in run("sql", "smallest-kv-cache").out


def test_sql_suggests_a_named_query(run: Run) -> None:
    said = run("sql", "newst")
    assert said.code == 1
    assert "Did you mean newest?" in said.err


def test_sql_says_when_rows_are_cut(run: Run) -> None:
    said = run("sql", "SELECT repo_id FROM models", "--limit-rows", 2, "--format", "csv")
    assert len(said.out.splitlines()) == 3
    assert "only the first 2 rows" in said.err


def test_sql_stops_when_its_time_is_over(run: Run) -> None:
    bomb = "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT COUNT(*) FROM t"
    said = run("sql", bomb, "--limit-time", 0.1)
    assert said.code == 5
    assert "--limit-time" in said.err


def test_sql_only_reads(run: Run) -> None:
    said = run("sql", "DELETE FROM model")
    assert said.code == 2
    assert "only reads" in said.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("SELECT 1", "--format", "xml"), "no format"),
        (("SELECT 1", "--json", "--format", "csv"), "contradict"),
        (("SELECT parms_total FROM models",), "did you mean params_total"),
    ],
)
def test_sql_says_what_is_wrong(run: Run, words: tuple[str, ...], part: str) -> None:
    said = run("sql", *words)
    assert said.code == 2
    assert part in said.err


def test_sql_without_a_database_says_what_to_do(run: Run, tmp_path: Path) -> None:
    said = run("sql", "SELECT 1", "--db", tmp_path / "none.sqlite")
    assert said.code == 5
    assert "run zoo sync first" in said.err
