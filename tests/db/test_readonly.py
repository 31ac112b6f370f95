"""``zoo sql`` cannot change anything, whatever it is asked, and cannot eat the machine."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.records import LLAMA_PARAMS, make_record
from zoo.db import readonly
from zoo.db.engine import make_engine, resolve_url
from zoo.db.readonly import collect_rows, run_query
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.errors import DatabaseProblem, UsageError, ZooError

WRITES = [
    "INSERT INTO model (repo_id) VALUES ('x')",
    "UPDATE model SET repo_id = 'x'",
    "DELETE FROM model",
    "DROP TABLE model",
    "DROP VIEW models",
    "CREATE TABLE t (a INTEGER)",
    "CREATE TEMP TABLE t (a INTEGER)",
    "CREATE VIEW v AS SELECT 1",
    "SELECT 1; DELETE FROM model",
    "SELECT 1; SELECT 2",
    "BEGIN",
    "COMMIT",
    "WITH gone AS (DELETE FROM model RETURNING 1) SELECT * FROM gone",
]
SQLITE_ATTACKS = [
    "ATTACH DATABASE '{out}' AS other",
    "VACUUM",
    "VACUUM INTO '{out}'",
    "PRAGMA query_only = 0",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = 1",
    "PRAGMA user_version = 7",
    "SELECT * FROM pragma_user_version",
    "SELECT load_extension('/lib/evil.so')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{out}', 'x')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "CREATE VIRTUAL TABLE t USING fts5(a)",
    "REINDEX",
    "ANALYZE",
    "SAVEPOINT a",
    "EXPLAIN DELETE FROM model",
]
POSTGRES_ATTACKS = [
    "SET transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "COPY model TO '{out}'",
    "COPY model TO PROGRAM 'touch {out}'",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT nextval('model_id_seq')",
    "SELECT 1 INTO new_table",
    "SELECT * FROM model FOR UPDATE",
    "DO $$ BEGIN DELETE FROM model; END $$",
    "1; DROP TABLE model",
    "PREPARE p AS DELETE FROM model",
    "LISTEN a",
]


@pytest.fixture
def filled(store: DatabaseStore, url: str) -> Engine:
    store.save([make_record()])
    return open_engine(url)


def read_state(url: str) -> list[Any]:
    with make_engine(resolve_url(url)).connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT repo_id, params_total FROM models"))]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_can_be_written(filled: Engine, url: str, sql: str) -> None:
    with pytest.raises(UsageError):
        run_query(filled, sql)
    assert read_state(url) == [("acme/tiny", LLAMA_PARAMS)]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_can_be_written_through_a_connection_that_could(filled: Engine, url: str, sql: str) -> None:
    with pytest.raises(UsageError):
        run_query(make_engine(resolve_url(url), write=True), sql)
    assert read_state(url) == [("acme/tiny", LLAMA_PARAMS)]


@pytest.mark.parametrize("sql", SQLITE_ATTACKS)
def test_sqlite_is_closed_to_every_other_way(snapshot_path: Path, tmp_path: Path, sql: str) -> None:
    before = snapshot_path.read_bytes()
    with pytest.raises(UsageError):
        run_query(open_engine(str(snapshot_path)), sql.format(out=tmp_path / "out"))
    assert not list(tmp_path.iterdir())
    assert snapshot_path.read_bytes() == before


@pytest.mark.parametrize("sql", POSTGRES_ATTACKS)
def test_postgresql_is_closed_to_every_other_way(snapshot_server: str, tmp_path: Path, sql: str) -> None:
    engine = open_engine(snapshot_server)
    with pytest.raises(ZooError):
        run_query(engine, sql.format(out=tmp_path / "out"))
    assert not list(tmp_path.iterdir())
    assert run_query(engine, "SELECT COUNT(*) FROM models").rows[0][0] > 200


def test_what_a_function_writes_all_the_same_is_undone(snapshot_server: str) -> None:
    engine = open_engine(snapshot_server)
    with suppress(UsageError):  # refused since PostgreSQL 16
        run_query(engine, "SELECT lo_create(0)")
    assert run_query(engine, "SELECT COUNT(*) FROM pg_largeobject_metadata").rows == [(0,)]


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT 1;", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a", " select 1 -- x"]
)
def test_what_reads_is_answered(filled: Engine, sql: str) -> None:
    assert run_query(filled, sql).rows == [(1,)]


def test_values_have_the_same_types_on_both_databases(filled: Engine) -> None:
    result = run_query(
        filled,
        "SELECT repo_id, params_total, tied_embeddings, rope_theta, sliding_window, SUM(params_total), AVG(layers), "
        "SUM(layers / 4.0) FROM models GROUP BY 1, 2, 3, 4, 5",
    )
    assert result.rows == [("acme/tiny", LLAMA_PARAMS, False, 10000.0, None, LLAMA_PARAMS, 2, 0.5)]
    assert [type(value) for value in result.rows[0][:6]] == [str, int, bool, float, type(None), int]
    assert result.columns[:2] == ("repo_id", "params_total")


@pytest.mark.parametrize("sql", ["", "  \n"])
def test_an_empty_query_is_refused(filled: Engine, sql: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        run_query(filled, sql)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT parms_total FROM models", "no column parms_total; did you mean params_total"),
        ("SELECT m.parms_total FROM models m", "no column parms_total; did you mean params_total"),
        ("SELECT * FROM modles", "no table modles; did you mean models"),
        ("SELECT * FROM qqqqqqqq", "there are models, config_values"),
        ("SELEC 1", "not understood"),
    ],
)
def test_a_mistake_is_answered_with_near_names(filled: Engine, sql: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_query(filled, sql)


BOMBS = {
    "sqlite": "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT COUNT(*) FROM t",
    "postgresql": "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT COUNT(*) FROM t",
}
JOIN = "SELECT COUNT(*) FROM config_values a, config_values b, config_values c WHERE a.value || b.value = c.value"


@pytest.mark.parametrize("sql", [BOMBS["sqlite"], JOIN])
def test_time_is_limited(snapshot: Engine, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseProblem, match=r"stopped after 0.2 s: .*--limit-time"):
        run_query(snapshot, sql, limit_time=0.2)
    assert time.monotonic() - began < 5


def test_one_call_that_nothing_interrupts_is_not_waited_for(
    snapshot_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readonly, "_GRACE", 0.1)
    slow = "SELECT instr(hex(zeroblob(400000)), hex(zeroblob(200000)) || '1')"
    began = time.monotonic()
    with pytest.raises(DatabaseProblem, match="stopped after"):
        run_query(open_engine(str(snapshot_path)), slow, limit_time=0.1)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT hex(zeroblob(400000000))",
        "SELECT group_concat(a) FROM (SELECT hex(zeroblob(10000)) AS a FROM model, model)",
        "SELECT replace(hex(zeroblob(1000000)), '0', 'xxxxx')",
    ],
)
def test_no_value_is_larger_than_a_config(snapshot_path: Path, sql: str) -> None:
    with pytest.raises(UsageError, match="5 MB"):
        run_query(open_engine(str(snapshot_path)), sql)


def test_memory_is_limited(snapshot_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def guard(connection: sqlite3.Connection, limit_time: float) -> None:
        raise MemoryError

    monkeypatch.setattr(readonly, "guard_sqlite", guard)
    with pytest.raises(DatabaseProblem, match="MB of memory"):
        run_query(open_engine(str(snapshot_path)), "SELECT 1")


def test_sqlite_itself_keeps_to_the_limit_of_memory(snapshot_path: Path) -> None:
    connection = sqlite3.connect(snapshot_path)
    readonly.guard_sqlite(connection, 1)
    connection.set_authorizer(None)
    assert connection.execute("PRAGMA hard_heap_limit").fetchone() == (readonly.MAX_MEMORY,)
    connection.close()


def test_rows_are_limited_and_that_is_said(snapshot: Engine) -> None:
    result = run_query(snapshot, "SELECT repo_id FROM models ORDER BY 1", limit_rows=3)
    assert len(result.rows) == 3
    assert result.cut == "only the first 3 rows (--limit-rows)"
    assert run_query(snapshot, "SELECT repo_id FROM models LIMIT 3", limit_rows=3).cut is None


def test_more_rows_than_one_fetch_are_all_there(snapshot: Engine) -> None:
    assert len(run_query(snapshot, "SELECT key FROM config_values LIMIT 1234").rows) == 1234


def test_the_bytes_of_an_answer_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readonly, "MAX_ANSWER", 2_000_000)
    result = collect_rows(["a"], [("x" * 900_000, 1)] * 5, 100)
    assert len(result.rows) == 2
    assert result.cut == "cut after 2 MB: 2 rows"


def test_a_server_that_goes_away_is_a_database_problem(snapshot_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    def fail(*_: object) -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly\nmore")

    monkeypatch.setattr(readonly, "_read_postgresql", fail)
    with pytest.raises(DatabaseProblem, match=r"server closed the connection unexpectedly$"):
        run_query(open_engine(snapshot_server), "SELECT 1")


def test_a_user_who_may_only_read_can_ask(filled: Engine, url: str) -> None:
    if filled.dialect.name == "postgresql":
        with make_engine(resolve_url(url), write=True).begin() as connection:
            connection.execute(text("DROP ROLE IF EXISTS reader"))
            connection.execute(text("CREATE ROLE reader LOGIN"))
            connection.execute(text("GRANT SELECT ON models TO reader"))
        url = url.replace("zoo@", "reader@")
    result = run_query(make_engine(resolve_url(url)), "SELECT repo_id FROM models")
    assert result.rows == [("acme/tiny",)]
    if filled.dialect.name == "postgresql":
        with pytest.raises(UsageError, match="only reads: permission denied"):
            run_query(make_engine(resolve_url(url)), "SELECT * FROM model")
        with make_engine(filled.url, write=True).begin() as connection:
            connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text("DROP ROLE reader"))
