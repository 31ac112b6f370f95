"""One sync at a time on one database."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.sync_fixtures import Synced, hub, synced, template, wait_for
from zoo.cli import main
from zoo.db.session import open_engine
from zoo.errors import DatabaseProblem
from zoo.sync_lock import hold_sync_lock

__all__ = ["hub", "synced", "template"]

HOLD = """
import sys, time
from zoo.cli import main
from zoo.db.session import open_engine
from zoo.sync_lock import hold_sync_lock
with hold_sync_lock(open_engine(sys.argv[1], write=True), print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    path = tmp_path / "zoo.sqlite"
    path.write_bytes(template.read_bytes())
    return str(path)


def hold_elsewhere(url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_it(url: str) -> None:
    said: list[str] = []
    with hold_elsewhere(url) as holder:
        with (
            pytest.raises(DatabaseProblem, match="another sync is at work on the same database: ") as refused,
            hold_sync_lock(open_engine(url, write=True), said.append, patience=0.3),
        ):
            raise AssertionError("two at once")
        holder.kill()
    assert said == [f"waiting for another sync to end: {str(refused.value).split(': ')[1].split(';')[0]}"]
    who = f"process {holder.pid} on " if "/" in url and "://" not in url else "session "
    assert who in said[0]
    assert re.search(r"since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", said[0])


def test_it_ends_with_the_process_that_holds_it(url: str) -> None:
    with hold_elsewhere(url) as holder:
        threading.Timer(0.4, holder.send_signal, [signal.SIGKILL]).start()
        began = time.monotonic()
        with hold_sync_lock(open_engine(url, write=True), lambda said: None, patience=20):
            assert 0.2 < time.monotonic() - began < 10
    with hold_sync_lock(open_engine(url, write=True), lambda said: None, patience=0):
        pass


def test_a_holder_that_has_only_just_begun_has_no_name_yet(synced: Synced) -> None:
    import fcntl

    with synced.path.with_name("zoo.sqlite-sync").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        engine = open_engine(str(synced.path), write=True)
        with (
            pytest.raises(DatabaseProblem, match="a process that has only just begun"),
            hold_sync_lock(engine, lambda said: None, patience=0),
        ):
            pass


def test_where_files_cannot_be_locked_the_database_has_to_do(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    engine = open_engine(str(synced.path), write=True)
    with hold_sync_lock(engine, print), hold_sync_lock(engine, print):
        assert not synced.path.with_name("zoo.sqlite-sync").exists()


def test_two_syncs_at_once_both_end_well_and_fetch_nothing_twice(
    synced: Synced, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        synced.hub.add(f"org/m{number:03}", {"model_type": "llama", "hidden_size": 64 * (number + 1)})
    synced.hub.latency = 0.1
    first = synced.start("--all", "--source", "hub", "--json", "--jobs", "4")
    wait_for(lambda: bool(synced.hub.requests))
    with pytest.raises(SystemExit) as left:
        main(["--db", str(synced.path), "sync", "--all", "--source", "hub", "--json"])
    second = capsys.readouterr()
    one, _ = first.communicate(timeout=30)
    assert (first.returncode, left.value.code) == (0, 0)
    assert f"zoo: waiting for another sync to end: process {first.pid} on " in second.err
    assert (json.loads(one)["new"], json.loads(second.out)["unchanged"]) == (60, 60)
    assert synced.hub.count("config.json") == 60
    assert os.stat(synced.path.with_name("zoo.sqlite-sync")).st_size == 0
