"""The named queries: each runs, and gives the same answer on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from zoo.db.queries import NamedQuery, find_query, list_queries, read_query
from zoo.db.readonly import run_query
from zoo.db.session import open_engine
from zoo.errors import BadInput, NoMatch

QUERIES = list_queries()
#: What has nothing to say of the snapshot.
SILENT = {"sync-problems"}


def test_there_are_a_dozen_and_more() -> None:
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_named_query_runs_and_says_what_it_is(snapshot: Engine, query: NamedQuery) -> None:
    name, title, about, sql = query
    assert title
    assert not title.endswith(".")
    assert about.endswith(".")
    result = run_query(snapshot, sql)
    assert len(set(result.columns)) == len(result.columns) >= 3
    assert bool(result.rows) == (name not in SILENT)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_both_databases_answer_alike(snapshot_path: Path, snapshot_server: str, query: NamedQuery) -> None:
    sql = query.sql
    first, second = (run_query(open_engine(url), sql) for url in (str(snapshot_path), snapshot_server))
    assert first.columns == second.columns
    assert first.rows == second.rows


def test_the_mixtures_are_in_the_order_of_their_sparsity(snapshot: Engine) -> None:
    rows = run_query(snapshot, find_query("sparsest-moe").sql).rows
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)


def test_what_fits_does_fit(snapshot: Engine) -> None:
    result = run_query(snapshot, find_query("fits-80gb-at-32k").sql)
    assert all(row[-1] <= 80e9 for row in result.rows)


def test_a_name_that_there_is_not_suggests_one() -> None:
    with pytest.raises(NoMatch, match="Did you mean newest"):
        find_query("newst")


def test_a_query_without_its_title_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.sql"
    file.write_text("SELECT 1")
    with pytest.raises(BadInput, match="title"):
        read_query(file)
