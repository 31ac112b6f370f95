"""Engines: from a path or a URL to connections that are set up the same way every time."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from zoo.errors import DatabaseProblem, UsageError

#: Seconds that a writer waits for another before it gives up.
BUSY_SECONDS = 30
#: The operator ``->`` on JSON, which the view ``config_values`` needs.
OLDEST_SQLITE = (3, 38, 0)

_WRITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers and the one writer do not wait for each other
    "PRAGMA synchronous = NORMAL",  # with WAL: safe against a crash of the program, and quick
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 16000",  # of 4 KiB: most pages are written by several batches
    "PRAGMA temp_store = MEMORY",
)


def default_path() -> Path:
    """The SQLite file that is used when nothing else is named."""
    from platformdirs import user_data_path

    return user_data_path("zoo", appauthor=False) / "zoo.sqlite"


def resolve_url(text: str | None) -> URL:
    """The database that ``text`` (a path or a SQLAlchemy URL) names; ``None`` is ZOO_DATABASE_URL or the default file.

    Raises:
        UsageError: a URL that cannot be read, or of a database that zoo does not know.
    """
    text = text or os.environ.get("ZOO_DATABASE_URL") or str(default_path())
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(
            f"{text.split(':', 1)[0]}://… is not a database URL: use a path, sqlite:/// or postgresql://"
        ) from None
    backend = url.drivername.split("+", 1)[0]
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(f"zoo keeps its database in SQLite or PostgreSQL, not in {backend}")
    if url.database in (None, "", ":memory:"):
        raise UsageError("a database in memory would be gone at once: name a file")
    return URL.create("sqlite", database=str(Path(str(url.database)).expanduser().absolute()))


def sqlite_path(url: URL) -> Path | None:
    """The file behind ``url``; None for a database server."""
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def describe_url(url: URL) -> str:
    """``url`` for people: a path, or a URL without its password."""
    path = sqlite_path(url)
    return url.render_as_string(hide_password=True) if path is None else str(path)


def make_engine(url: URL, *, write: bool = False, foreign_keys: bool = True) -> Engine:
    """Engine on ``url``; connections can only read unless ``write``. Nothing is looked at or created yet."""
    path = sqlite_path(url)
    engine = _make_postgres_engine(url, write) if path is None else _make_sqlite_engine(url, path, write, foreign_keys)
    event.listen(engine, "handle_error", _translate_error, retval=True)
    return engine


def _make_postgres_engine(url: URL, write: bool) -> Engine:
    # Everyone may lock the door from inside only: what zoo itself runs is read-only, zoo sql has guards of its own.
    # Compiling a query of many joins (config_values) takes a hundred times as long as running it.
    options = f"-c timezone=UTC -c jit=off -c lock_timeout={BUSY_SECONDS}s"
    options += "" if write else " -c default_transaction_read_only=on"
    try:
        return create_engine(url, connect_args={"options": options, "connect_timeout": 10}, poolclass=NullPool)
    except ModuleNotFoundError:
        raise UsageError("PostgreSQL needs its driver: pip install 'zoo[postgres]'") from None


def _make_sqlite_engine(url: URL, path: Path, write: bool, foreign_keys: bool) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseProblem(f"SQLite {sqlite3.sqlite_version} is too old: zoo needs 3.38 or newer")

    def connect() -> sqlite3.Connection:
        return _connect_to_write(path, foreign_keys) if write else connect_read_only(path)

    engine = create_engine(url, creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Taking the write lock at once makes a second writer wait, where a later upgrade of the lock would fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _connect_to_write(path: Path, foreign_keys: bool) -> sqlite3.Connection:
    connection = _open_sqlite(path, "mode=rwc")
    for pragma in (*_WRITE_PRAGMAS, f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}"):
        connection.execute(pragma)
    return connection


def connect_read_only(path: Path, *, typed: bool = False) -> sqlite3.Connection:
    """A connection to ``path`` that cannot write, also in a folder where SQLite may not lay down its lock files.

    With ``typed``, boolean columns give True and False; SQLAlchemy sees to that itself.

    Raises:
        sqlite3.OperationalError: the file cannot be opened.
    """
    connection = _open_sqlite(path, "mode=ro", typed)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if not path.is_file() or (log.is_file() and log.stat().st_size > 0):
            raise  # with a log that cannot be read, the file alone would be an old state
        connection = _open_sqlite(path, "immutable=1", typed)
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _open_sqlite(path: Path, how: str, typed: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        detect_types=sqlite3.PARSE_DECLTYPES if typed else 0,
    )


sqlite3.register_converter("BOOLEAN", lambda value: value != b"0")


#: What the database says -> what it means and the way out.
_MEANINGS = (
    ("database is locked", "another program is writing to {where}{holders}: wait for it and try again"),
    ("lock timeout", "another program has held a lock on {where} for {seconds} seconds: wait for it and try again"),
    ("disk is full", "the disk is full: nothing of the last step was saved to {where}; free some space and try again"),
    ("No space left", "the disk is full: nothing of the last step was saved to {where}; free some space and try again"),
    (
        "disk I/O error",
        "the disk failed, or is full, while reading or writing {where}: nothing of the last step was saved",
    ),
    ("file is not a database", "{where} is not a database: name another with --db"),
    ("malformed", "{where} is damaged: restore it, or delete it and run zoo sync again"),
    ("unable to open database file", "{where} cannot be opened: check the path and its permissions"),
    ("readonly database", "{where} cannot be written: check its permissions and those of its folder"),
)


def _translate_error(context: ExceptionContext) -> BaseException | None:
    original = str(context.original_exception).strip()
    where = describe_url(context.engine.url) if context.engine is not None else "the database"
    for sign, meaning in _MEANINGS:
        if sign in original:
            holders = describe_holders(Path(where)) if "{holders}" in meaning else ""
            return DatabaseProblem(meaning.format(where=where, holders=holders, seconds=BUSY_SECONDS))
    if context.connection is None:
        return DatabaseProblem(f"{where} cannot be reached: {_first_line(original)}")
    return None


def describe_holders(path: Path) -> str:
    """Which other processes have ``path`` open, as far as the system lets this one see: " (process 4711, sqlite3)"."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            if any(os.readlink(handle) == str(path) for handle in (folder / "fd").iterdir()):
                found.append(f"process {folder.name}, {(folder / 'comm').read_text().strip()}")
        except OSError:  # it has ended, or is another person's
            continue
    return f" ({'; '.join(found)})" if found else ""


def _first_line(text: Any) -> str:
    return str(text).splitlines()[0] if str(text) else "no reason was given"
