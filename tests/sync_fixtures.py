"""What the tests of a whole sync share: a Hub on loopback, a real database, and the ways to look at what it holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import HubServer
from tests.sources.hub_fixtures import hub
from zoo.db.check import check_database
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.hub_progress import CrawlProgress
from zoo.sources.hub_settings import HubSettings, read_settings
from zoo.sources.selection import build_selection
from zoo.sync import Summary
from zoo.sync_plan import SyncRequest, run_sync
from zoo.sync_store import SyncStore

__all__ = ["QUICKER", "Synced", "hub", "synced", "template"]

#: Patience of a test: the same rules, sooner.
QUICKER: dict[str, Any] = {
    "connect_timeout": 1.0,
    "read_timeout": 0.8,
    "request_timeout": 1.6,
    "attempts": 3,
    "page_attempts": 4,
    "backoff": 0.02,
    "max_backoff": 0.2,
    "refusal_pause": 0.01,
    "probe_timeout": 2.0,
    "silence": 0.6,
    "outage": 1.5,
}
#: What runs in the background ignores Ctrl-C, and what it starts does, too.
COMMAND = """
import signal
from zoo.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
STATE = """
    SELECT m.repo_id, m.hub_id, m.sha, c.sha256, m.config_source, m.gated, m.private, m.disabled, m.downloads,
           m.gone_at IS NOT NULL, m.problem_kind
    FROM model m LEFT JOIN config c ON c.id = m.config_id ORDER BY m.repo_id
"""


class Synced:
    """A Hub and a database; :meth:`sync` brings the one into the other."""

    def __init__(self, hub: HubServer, path: Path) -> None:
        self.hub, self.path = hub, path
        self.said: list[str] = []
        self.progress = CrawlProgress()
        self.patience = dict(QUICKER)  #: fields of HubSettings

    def sync(self, *terms: str, **options: Any) -> Summary:
        """Sync in this process: everything, unless terms or a filter are given."""
        names = ("full", "anonymous", "jobs", "budget", "retry_failed", "source")
        own = {name: options.pop(name) for name in names if name in options}
        if not terms and not options and "retry_failed" not in own:
            options["everything"] = True
        request = SyncRequest(**{"source": "hub", **own}, selection=build_selection(terms, **options))
        store = SyncStore(DatabaseStore(open_engine(str(self.path), write=True)))
        self.progress = CrawlProgress()
        try:
            return run_sync(request, store, say=self.said.append, progress=self.progress)
        finally:
            store.close()

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def state(self) -> list[tuple[Any, ...]]:
        """Everything of the models that does not depend on when they were read."""
        return self.query(STATE)

    def state_without(self, repo_id: str) -> list[tuple[Any, ...]]:
        return [row for row in self.state() if row[0] != repo_id]

    def problems(self) -> dict[str, str | None]:
        return dict(self.query("SELECT repo_id, problem_kind FROM model"))  # type: ignore[arg-type]  # pairs

    def check(self) -> None:
        """``zoo db check``: integrity, keys, hashes, derived rows."""
        wrong = [finding for finding in check_database(str(self.path)) if not finding.ok]
        assert not wrong, wrong

    def environment(self, **more: str) -> dict[str, str]:
        """For a process that shall read :attr:`hub`."""
        home = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.path.parent / "hf"), "HOME": str(self.path.parent)}
        # What other tests, or the person, have set for the Hub is none of its business.
        others = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return {**others, **home, **more}

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """``zoo sync`` as a process of its own."""
        command = [sys.executable, "-c", COMMAND, "--db", str(self.path), "sync", *words]
        return subprocess.Popen(
            command,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of ``zoo sync``."""
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no row."""
    path = tmp_path_factory.mktemp("empty") / "zoo.sqlite"
    open_engine(str(path), write=True).dispose()
    return path


@pytest.fixture
def synced(hub: HubServer, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synced:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    path = tmp_path / "zoo.sqlite"
    shutil.copy(template, path)
    made = Synced(hub, path)

    def hurry(**options: Any) -> HubSettings:
        return replace(read_settings(**options), **made.patience)

    monkeypatch.setattr("zoo.sources.hub_settings.read_settings", hurry)
    return made


def wait_for(test: Any, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)
