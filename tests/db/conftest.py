"""Both databases, empty and filled."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.postgres import Server
from tests.records import NOW
from zoo.db.engine import make_engine, resolve_url
from zoo.db.migrate import read_state
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.db.tables import Base
from zoo.errors import SchemaTooNew
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


class SharedDatabase:
    """One PostgreSQL database for many tests, as making one takes longer than most of them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url: str | None = None

    def empty(self) -> str:
        """Its URL, with all tables and no row; a new one if the last test has changed the schema."""
        if self.url is None or not remove_rows(self.url):
            self.url = self.server.create_database()
            open_engine(self.url, write=True)
        return self.url


def remove_rows(url: str) -> bool:
    """Leave the tables empty; False when their schema is no longer as it was made."""
    with make_engine(resolve_url(url), write=True).begin() as connection:
        try:
            state = read_state(connection)
        except SchemaTooNew:
            return False
        names = [table.name for table in Base.metadata.sorted_tables if table.name != "setting"]
        connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
    return state == "current"


@pytest.fixture(scope="session")
def shared_database(postgres_server: Server) -> SharedDatabase:
    return SharedDatabase(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database on each kind of server: one that does not exist yet, unless the test also asks for ``engine``."""
    made = "engine" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "zoo.sqlite"
        if made:
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return str(path)
    if made:
        return str(request.getfixturevalue("shared_database").empty())
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(url: str) -> Engine:
    """A new database with no row in it that may be written."""
    return open_engine(url, write=True)


@pytest.fixture
def store(engine: Engine, clock: Clock) -> DatabaseStore:
    return DatabaseStore(engine, clock=clock)


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
