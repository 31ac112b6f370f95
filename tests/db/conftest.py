"""Both databases, empty and filled."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from tests.postgres import Server
from tests.records import NOW
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.snapshot import read_snapshot


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no row: copying it is quicker than migrating."""
    path = tmp_path_factory.mktemp("template") / "zoo.sqlite"
    open_engine(str(path), write=True)
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> str:
    """Name of a PostgreSQL database with all tables and no row."""
    url = postgres_server.create_database()
    open_engine(url, write=True)
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database on each kind of server: one that does not exist yet, unless the test also asks for ``engine``."""
    made = "engine" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "zoo.sqlite"
        if made:
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return str(path)
    server: Server = request.getfixturevalue("postgres_server")
    return server.create_database(request.getfixturevalue("postgres_template")) if made else server.create_database()


@pytest.fixture
def engine(url: str) -> Engine:
    """A new database with no row in it that may be written."""
    return open_engine(url, write=True)


@pytest.fixture
def store(engine: Engine, clock: Clock) -> DatabaseStore:
    return DatabaseStore(engine, clock=clock)


@pytest.fixture(scope="session")
def snapshot_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all models of the bundled snapshot: for reading."""
    path = tmp_path_factory.mktemp("snapshot") / "zoo.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save(list(read_snapshot()))
    return path


@pytest.fixture(scope="session")
def snapshot_server(postgres_server: Server) -> str:
    """The same in PostgreSQL."""
    url = postgres_server.create_database()
    DatabaseStore(open_engine(url, write=True)).save(list(read_snapshot()))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def snapshot(request: pytest.FixtureRequest) -> Engine:
    """All models of the bundled snapshot on each kind of server, read-only."""
    name = "snapshot_path" if request.param == "sqlite" else "snapshot_server"
    return open_engine(str(request.getfixturevalue(name)))
