"""One sync at a time on one database: the second waits a while, and says for whom.

The lock ends with the process that holds it, however that ends. On SQLite it lies on a file beside the database, which
names its holder; on PostgreSQL it is an advisory lock of a session.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, text

from zoo.db.engine import describe_url, sqlite_path
from zoo.errors import DatabaseProblem

#: Seconds that a second sync waits for the first.
PATIENCE = 60.0
_PAUSE = 0.2
_KEY = 0x5A4F51

Say = Callable[[str], None]


@contextmanager
def hold_sync_lock(engine: Engine, say: Say, *, patience: float = PATIENCE) -> Iterator[None]:
    """Be the one sync on the database of ``engine``; ``say`` tells the person when that takes a wait.

    Raises:
        DatabaseProblem: another sync still has it after ``patience`` seconds.
    """
    path = sqlite_path(engine.url)
    with _hold_session(engine, say, patience) if path is None else _hold_file(path, say, patience):
        yield


def _wait(take: Callable[[], bool], describe: Callable[[], str], say: Say, patience: float) -> None:
    until = time.monotonic() + patience
    if take():
        return
    if patience:
        say(f"waiting for another sync to end: {describe()}")
    while time.monotonic() < until:
        if take():
            return
        time.sleep(_PAUSE)
    raise DatabaseProblem(f"another sync is at work on the same database: {describe()}; try again when it has ended")


@contextmanager
def _hold_file(path: Path, say: Say, patience: float) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows: there the database's own locks have to do
        yield
        return
    with path.with_name(f"{path.name}-sync").open("a+", encoding="utf-8") as file:

        def take() -> bool:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return False

        _wait(take, lambda: _describe_file(file), say, patience)
        file.truncate(0)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().astimezone().isoformat()}
        file.write(json.dumps(holder))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _describe_file(file: IO[str]) -> str:
    """Who wrote ``file``; right after another one took it, it may be empty."""
    file.seek(0)
    try:
        holder: Any = json.loads(file.read())
        since = datetime.fromisoformat(holder["since"])
        return f"process {int(holder['pid'])} on {holder['host']}, since {since:%Y-%m-%d %H:%M:%S}"
    except (ValueError, TypeError, KeyError):
        return "a process that has only just begun"


@contextmanager
def _hold_session(engine: Engine, say: Say, patience: float) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        def take() -> bool:
            return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}))

        def describe() -> str:
            query = """
                SELECT a.pid, coalesce(host(a.client_addr), 'this machine') AS host, a.backend_start
                FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE l.locktype = 'advisory' AND l.granted AND l.objid = :key AND l.database = (
                    SELECT oid FROM pg_database WHERE datname = current_database())
            """
            row = connection.execute(text(query), {"key": _KEY}).first()
            if row is None:
                return f"a session on {describe_url(engine.url)}"
            return f"session {row.pid} from {row.host}, since {row.backend_start:%Y-%m-%d %H:%M:%S}"

        _wait(take, describe, say, patience)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
