"""SQL of strangers, read-only by construction: what a query may do is decided by the database, not by its words.

SQLite: the file is opened read-only (``mode=ro``) and an authorizer permits nothing but SELECT, reading columns,
calling functions and recursion, so no ATTACH, no PRAGMA, no temporary table, no VACUUM INTO. Limits stop what only
eats: no attached database, 5 MB for one value, a cap on memory, on time, on rows and on the bytes of the answer.

PostgreSQL: one statement (the extended protocol takes no second), of which a cursor is declared, so it can only be a
SELECT; in a read-only transaction, as ``pg_read_all_data`` where the user may become that. A user that can do more can
call functions that do more: give zoo one that may only read.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from zoo.db.engine import connect_read_only, sqlite_path
from zoo.db.suggest import explain_sql_error
from zoo.errors import DatabaseProblem, UsageError

#: Seconds and rows that a query may take unless told otherwise.
LIMIT_TIME = 30.0
LIMIT_ROWS = 10_000
#: Bytes of one value: as large as the largest config.
MAX_VALUE = 5_000_000
#: Bytes of a whole answer.
MAX_ANSWER = 256_000_000
#: Bytes of memory that SQLite may take in this process while it runs a query.
MAX_MEMORY = 1_000_000_000
#: Steps of SQLite's machine between two looks at the clock.
_STEPS = 20_000
#: Seconds of grace for what the clock inside cannot interrupt: one call of a function that runs long.
_GRACE = 2.0

_ALLOWED = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE))
_FORBIDDEN_FUNCTIONS = frozenset(("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"))
#: Limits of a connection that runs SQL of strangers.
LIMITS = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
}


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query; ``cut`` says why it is not all of it."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    cut: str | None = None


def run_query(
    engine: Engine,
    sql: str,
    *,
    limit_time: float = LIMIT_TIME,
    limit_rows: int = LIMIT_ROWS,
) -> QueryResult:
    """Run ``sql`` (one SELECT), reading only.

    Booleans are True and False, and numbers int or float, on both databases.

    Raises:
        UsageError: not one statement that reads, or one that names what is not there; says what is near.
        DatabaseProblem: it took longer than ``limit_time`` seconds, or more memory than there is for it.
    """
    if not sql.strip():
        raise UsageError("the query is empty")
    path = sqlite_path(engine.url)
    if path is None:
        return _run_postgresql(engine, sql, limit_time, limit_rows)
    return _run_with_deadline(lambda: _run_sqlite(path, sql, limit_time, limit_rows), limit_time)


def collect_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], limit_rows: int) -> QueryResult:
    """Rows up to the limits, and whether there would be more."""
    taken: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        if len(taken) == limit_rows:
            return QueryResult(tuple(columns), taken, f"only the first {limit_rows:,} rows (--limit-rows)")
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > MAX_ANSWER:
            return QueryResult(tuple(columns), taken, f"cut after {MAX_ANSWER // 1_000_000} MB: {len(taken):,} rows")
        taken.append(tuple(row))
    return QueryResult(tuple(columns), taken)


def _out_of_time(limit_time: float) -> DatabaseProblem:
    return DatabaseProblem(f"the query was stopped after {limit_time:g} s: narrow it down, or raise --limit-time")


def _run_with_deadline(work: Callable[[], QueryResult], limit_time: float) -> QueryResult:
    """Run ``work`` in a thread and stop waiting for it a little after its own clock should have stopped it.

    One call of a function (LIKE with many %, instr on long texts) can run for hours, and nothing interrupts it.
    """
    outcome: list[QueryResult | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True, name="zoo sql")
    thread.start()
    thread.join(limit_time + _GRACE)
    if not outcome:
        raise _out_of_time(limit_time)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _run_sqlite(path: Path, sql: str, limit_time: float, limit_rows: int) -> QueryResult:
    connection = connect_read_only(path, typed=True)
    try:
        guard_sqlite(connection, limit_time)
        cursor = connection.execute(sql)
        if cursor.description is None:
            raise UsageError("zoo sql takes a SELECT; this gives no rows")
        return collect_rows([column[0] for column in cursor.description], cursor, limit_rows)
    except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
        raise _translate_sqlite(connection, error, limit_time) from None
    finally:
        connection.close()


def guard_sqlite(connection: sqlite3.Connection, limit_time: float) -> None:
    """Leave ``connection`` nothing but reading, for ``limit_time`` seconds from now."""
    connection.execute(f"PRAGMA hard_heap_limit = {MAX_MEMORY}")
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing is spilled to the disk
    for limit, value in LIMITS.items():
        connection.setlimit(limit, value)
    deadline = time.monotonic() + limit_time
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(authorize)


def authorize(action: int, name: str | None, other: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's question before each thing that a statement would do."""
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and str(other).lower() in _FORBIDDEN_FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _translate_sqlite(connection: sqlite3.Connection, error: BaseException, limit_time: float) -> Exception:
    said = str(error)
    if isinstance(error, MemoryError) or "out of memory" in said:
        return DatabaseProblem(f"the query needs more than {MAX_MEMORY // 1_000_000} MB of memory: narrow it down")
    if "interrupted" in said:
        return _out_of_time(limit_time)
    if "one statement at a time" in said:
        return UsageError("zoo sql takes one statement")
    if (
        "not authorized" in said
        or "authorization denied" in said
        or "prohibited" in said
        or "too many attached" in said
    ):
        return UsageError("zoo sql only reads: it takes one SELECT, and nothing that writes, attaches or loads")
    if "too big" in said:
        return UsageError(f"a value of the answer would be larger than {MAX_VALUE // 1_000_000} MB")
    return explain_sql_error(said)


def _run_postgresql(engine: Engine, sql: str, limit_time: float, limit_rows: int) -> QueryResult:
    import psycopg

    with engine.connect() as outer:
        connection = outer.connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        watch = threading.Timer(limit_time, connection.cancel_safe)
        watch.start()
        try:
            return _read_postgresql(connection, sql, limit_rows)
        except psycopg.errors.QueryCanceled:
            raise _out_of_time(limit_time) from None
        except psycopg.errors.ReadOnlySqlTransaction:
            raise UsageError("zoo sql only reads: it takes one SELECT, and nothing that writes") from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise UsageError(f"zoo sql only reads: {_say(error)}") from None
        except psycopg.OperationalError as error:
            raise DatabaseProblem(f"the query failed: {_say(error)}") from None
        except psycopg.Error as error:
            raise explain_sql_error(_say(error)) from None
        finally:
            watch.cancel()
            connection.rollback()


def _read_postgresql(connection: Any, sql: str, limit_rows: int) -> QueryResult:
    import psycopg

    connection.execute("SET TRANSACTION READ ONLY")
    try:
        with connection.transaction():
            connection.execute("SET LOCAL ROLE pg_read_all_data")
    except psycopg.Error:
        pass  # the user may not become it; then what it may do is what was granted
    # Prepared: the server itself takes one statement only. A cursor: it can only be a SELECT.
    statement = f"DECLARE zoo_query NO SCROLL CURSOR FOR {sql.strip().rstrip(';')}"
    connection.execute(statement, prepare=True)
    cursor = connection.execute("FETCH 0 FROM zoo_query")
    columns = [column.name for column in cursor.description]
    return collect_rows(columns, _fetch_postgresql(connection), limit_rows)


def _fetch_postgresql(connection: Any) -> Iterable[tuple[Any, ...]]:
    while rows := connection.execute("FETCH 500 FROM zoo_query").fetchall():
        for row in rows:
            yield tuple(_plain_number(value) for value in row)


def _plain_number(value: Any) -> Any:
    """Sums of integers and averages come as Decimal; SQLite gives int and float."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)


def _say(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
