"""What goes wrong around the database: it is locked, the disk is full, the process is killed. Nothing may be lost."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
import pytest
from sqlalchemy import Engine, text

from tests.records import make_config, make_record
from zoo.db import engine as engine_module
from zoo.db.check import check_database
from zoo.db.engine import describe_holders
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.errors import DatabaseProblem
from zoo.sources.record import ModelRecord

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
#: Saves batches for ever; a line for each that is committed.
SAVE = """
import sys
from tests.db.test_faults import make_batch
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
store = DatabaseStore(open_engine(sys.argv[1], write=True))
number = 0
while True:
    store.save(make_batch(number))
    number += 1
    print(number, flush=True)
"""
#: Saves under a limit on the size of every file.
FILL = """
import resource, sys
from tests.db.test_faults import make_batch
from zoo.cli.failures import explain_failure
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
store = DatabaseStore(open_engine(sys.argv[1], write=True))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
number = 0
try:
    while number < 200:
        store.save(make_batch(number))
        number += 1
except Exception as error:
    print(number, explain_failure(error))
    print(store.engine.connect().exec_driver_sql("SELECT COUNT(*) FROM model").scalar_one())
"""
BATCH = 100


def make_batch(number: int) -> list[ModelRecord]:
    """Models of which every second has a config of its own."""
    return [
        make_record(f"a/m{number}-{each}", config=make_config(vocab_size=100 + each % 9, x=number * each % 2 and each))
        for each in range(BATCH)
    ]


def count_models(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM model").fetchone()[0])


def find_failed(url: str) -> list[str]:
    return [f"{finding.check}: {finding.detail}" for finding in check_database(url) if not finding.ok]


@contextmanager
def run_python(code: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", code, *map(str, words)]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    pipe: IO[str] | None = process.stdout
    assert pipe is not None
    return pipe.readline().strip()


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "zoo.sqlite"))


def test_a_locked_file_is_said_to_be_and_by_whom(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    store = DatabaseStore(open_engine(str(path), write=True))
    with run_python(HOLD, path) as holder:
        assert read_line(holder) == "held"
        began = time.monotonic()
        with pytest.raises(DatabaseProblem) as caught:
            store.save(make_batch(0))
        assert time.monotonic() - began >= 0.2
    said = str(caught.value)
    assert said.startswith(f"another program is writing to {path} (process {holder.pid}, python")
    assert said.endswith(": wait for it and try again")
    assert store.save(make_batch(0)).new == BATCH


def test_a_lock_that_is_let_go_in_time_is_waited_for(path: Path) -> None:
    store = DatabaseStore(open_engine(str(path), write=True))
    with run_python(HOLD, path) as holder:
        read_line(holder)
        threading.Timer(0.3, holder.kill).start()
        assert store.save(make_batch(0)).new == BATCH


def test_nobody_who_has_a_file_open_is_named_nowhere(path: Path) -> None:
    assert describe_holders(path) == ""
    with sqlite3.connect(path) as connection:
        connection.execute("SELECT 1")
        assert describe_holders(path) == ""  # this process knows of itself


def test_a_locked_server_is_said_to_be(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    store = DatabaseStore(open_engine(postgres_url, write=True))
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE model IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseProblem, match=r"held a lock on .* for 1 seconds: wait for it"):
            store.save(make_batch(0))
        other.rollback()
        assert store.save(make_batch(0)).new == BATCH


def test_a_full_disk_undoes_the_batch_and_says_so(path: Path) -> None:
    store = DatabaseStore(open_engine(str(path), write=True))
    store.save(make_batch(0))
    connection = store._connect()
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    connection.rollback()
    with pytest.raises(DatabaseProblem, match=f"the disk is full: nothing of the last step was saved to {path}"):
        store.save(make_batch(1))
    assert count_models(path) == BATCH
    connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    connection.rollback()
    assert store.save(make_batch(1)).new == BATCH
    store.close()
    assert find_failed(str(path)) == []


def test_a_file_that_may_not_grow_keeps_what_was_saved(path: Path) -> None:
    with run_python(FILL, path) as process:
        saved, _, said = read_line(process).partition(" ")
        kept = read_line(process)
    assert "nothing of the last step was saved" in said
    assert said.endswith(", 5)")
    assert int(kept) == int(saved) * BATCH == count_models(path)
    assert find_failed(str(path)) == []


def test_a_kill_loses_nothing_that_was_committed(path: Path) -> None:
    for _ in range(2):
        before = count_models(path)
        with run_python(SAVE, path) as process:
            read_line(process)
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            done = 1 + len((process.stdout or []) and list(process.stdout or []))
        count = count_models(path)
        assert count % BATCH == 0
        assert count >= max(before, done * BATCH)
        assert find_failed(str(path)) == []


def test_the_size_of_a_sql_value_is_no_limit(engine: Engine, store: DatabaseStore) -> None:
    store.save([make_record(config=make_config(note="x" * 4_000_000))])
    with engine.connect() as connection:
        assert connection.execute(text("SELECT LENGTH(config) > 4000000 FROM models")).scalar_one()
