from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


def read(run: Run, *words: object) -> list[dict[str, Any]]:
    said = run("list", "--json", *words)
    assert said.code == 0, said.err
    return list(json.loads(said.out))


def test_list_shows_the_most_downloaded_first(run: Run) -> None:
    downloads = [row["downloads"] for row in read(run)]
    known = [value for value in downloads if value is not None]
    assert known == sorted(known, reverse=True)
    assert downloads[: len(known)] == known


def test_list_is_a_table_with_labels_and_says_how_many_there_are(run: Run, snapshot_size: int) -> None:
    said = run("list", "--limit", 3, "--columns", "repo_id,params_total")
    assert said.out.splitlines()[0].split() == ["Model", "Parameters"]
    assert len(said.out.splitlines()) == 5
    assert f"3 of {snapshot_size:,} models" in said.err


def test_a_table_for_people_is_short_unless_asked(run: Run, snapshot_size: int) -> None:
    assert len(run("list", "--columns", "repo_id").out.splitlines()) == 102
    assert len(run("list", "--format", "csv").out.splitlines()) == snapshot_size + 1


def test_list_filters_by_models_and_says_what_is_left_out(run: Run) -> None:
    said = run("list", "--models", "mistral", "--format", "jsonl")
    assert len(said.out.splitlines()) == 5
    assert "left out" in said.err
    assert len(read(run, "--models", "mistral", "--top", 7)) == 7
    assert len(read(run, "--models", "mistral", "--all")) > 20
    assert run("list", "--models", "openai-community/gpt2").err == ""


def test_list_filters_by_a_condition_in_sql(run: Run) -> None:
    rows = read(run, "--where", "params_total < 2e8 AND attention_kind = 'mha' -- small", "--columns", "params_total")
    assert rows
    assert all(row["params_total"] < 2e8 for row in rows)
    assert len(read(run, "--models", "gpt2,mistral", "--where", "name = 'gpt2'")) == 1


def test_list_sorts_by_any_columns_with_missing_values_last(run: Run) -> None:
    rows = read(run, "--sort", "params_total,-repo_id", "--columns", "params_total")
    values = [row["params_total"] for row in rows]
    known = [value for value in values if value is not None]
    assert values == sorted(known) + [None] * (len(values) - len(known))
    assert read(run, "--sort", "-params_total", "--limit", 1)[0]["params_total"] == max(known)


def test_list_shows_all_columns(run: Run) -> None:
    (row,) = read(run, "--models", "gpt2", "--columns", "all")
    assert row["name"] == "gpt2"
    assert json.loads(row["config"])["model_type"] == "gpt2"


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--columns", "parms_total"), 2, "did you mean params_total"),
        (("--columns", "qqqqqqqqqqqqqq"), 2, "docs/metrics.md"),
        (("--columns", " , "), 2, "no column"),
        (("--sort", "-nonesuch"), 2, "no column"),
        (("--where", "1; DELETE FROM model"), 2, "zoo: "),
        (("--where", "1=1) UNION SELECT 1 --"), 2, "not understood"),
        (("--where", "params_total < 0"), 1, "params_total < 0"),
        (("--models", "mistrall"), 1, "Did you mean"),
    ],
)
def test_list_says_what_is_wrong(run: Run, words: tuple[str, ...], code: int, part: str) -> None:
    said = run("list", *words)
    assert (said.code, said.out) == (code, "")
    assert part in said.err


def test_list_writes_to_a_file(run: Run, tmp_path: Path) -> None:
    run("list", "--limit", 2, "--columns", "repo_id", "--out", tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_text().startswith("Model")
