"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

# A shared machine is slow now and then: that is no failure.
settings.register_profile("zoo", deadline=None)
settings.load_profile("zoo")


@pytest.fixture(scope="session")
def snapshot_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all models of the bundled snapshot: for reading."""
    from zoo.db.session import open_engine
    from zoo.db.store import DatabaseStore
    from zoo.sources.snapshot import read_snapshot

    path = tmp_path_factory.mktemp("snapshot") / "zoo.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save(list(read_snapshot()))
    return path


@pytest.fixture(scope="session")
def snapshot_size() -> int:
    """Models in the bundled snapshot."""
    from zoo.sources.snapshot import read_snapshot

    return sum(1 for _ in read_snapshot())
