"""A disk that is full: nothing of the batch is saved, it is said, and the next sync goes on."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.sync_fixtures import Synced, hub, synced, template
from zoo.db import engine
from zoo.errors import DatabaseProblem

__all__ = ["hub", "synced", "template"]


def fill(synced: Synced, models: int) -> None:
    for number in range(models):
        synced.hub.add(f"org/m{number:04}", {"model_type": "llama", "hidden_size": number + 1, "pad": "x" * 3000})


def test_a_full_disk_is_said_and_rolled_back(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(synced, 60)
    synced.sync("org/m0000", "org/m0001")
    before = synced.state()
    pages = synced.query("PRAGMA page_count")[0][0]
    with monkeypatch.context() as limited:
        limit = f"PRAGMA max_page_count = {pages + 12}"
        limited.setattr(engine, "_WRITE_PRAGMAS", (*engine._WRITE_PRAGMAS, limit))
        said = r"the disk is full: nothing of the last step was saved to .*zoo\.sqlite; free some space and try again"
        with pytest.raises(DatabaseProblem, match=said):
            synced.sync()
    assert synced.state() == before
    synced.check()
    assert synced.sync().usable == 60
    assert len(synced.state()) == 60
    synced.check()


def test_the_command_ends_with_5_and_the_way_out(synced: Synced) -> None:
    """The limit of the operating system on the size of files stands for a disk: the write fails in the same place."""
    fill(synced, 120)
    synced.sync("org/m0000")
    before = synced.state()
    allowed = synced.path.stat().st_size + 100_000
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d)); from zoo.cli import main; main()"
    words = ["--db", str(synced.path), "sync", "--all", "--source", "hub"]
    # What measures coverage would write a file of its own, and fail as well.
    environment = {name: value for name, value in synced.environment().items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code % (allowed, resource.RLIM_INFINITY), *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 5
    assert "the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert synced.state() == before
    synced.check()
    assert synced.sync().usable == len(synced.state()) == 120
