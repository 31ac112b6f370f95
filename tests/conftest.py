"""Fixtures for all tests."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

# What the person who runs the tests has set up is not theirs to see. huggingface_hub reads its environment once, when
# it is imported: done here, no test can freeze its own endpoint into it for all others.
for name in [name for name in os.environ if name.startswith(("HF_", "ZOO_", "HUGGING_FACE_"))]:
    del os.environ[name]
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
import_module("huggingface_hub.constants")

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
