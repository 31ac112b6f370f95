"""Opening: what may be created, upgraded or only read, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.records import LLAMA_PARAMS, make_record
from zoo.db import derive, refresh, session
from zoo.db import engine as engines
from zoo.db.engine import default_path, describe_url, make_engine, resolve_url
from zoo.db.migrate import upgrade_schema
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.errors import DatabaseProblem, SchemaTooNew, UsageError


def test_a_database_that_is_not_there_is_not_made_by_reading(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseProblem, match="run zoo sync first"):
        open_engine(url)
    assert not list(tmp_path.glob("zoo.sqlite*"))


def test_an_empty_file_is_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "zoo.sqlite").touch()
    with pytest.raises(DatabaseProblem, match="no database"):
        open_engine(str(tmp_path / "zoo.sqlite"))


def test_writing_makes_the_database_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "50% #1?.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save([make_record()])
    assert path.is_file()
    with open_engine(str(path)).connect() as connection:
        assert connection.scalar(text("SELECT params_total FROM models")) == LLAMA_PARAMS


def test_reading_cannot_write(engine: Engine, url: str) -> None:
    reader = open_engine(url)
    with pytest.raises((DBAPIError, DatabaseProblem)), reader.begin() as connection:
        connection.execute(text("DELETE FROM model"))


def test_sqlite_is_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    with open_engine(str(tmp_path / "zoo.sqlite"), write=True).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_readers_go_on_while_a_writer_writes(tmp_path: Path) -> None:
    path = str(tmp_path / "zoo.sqlite")
    writer = open_engine(path, write=True)
    DatabaseStore(writer).save([make_record()])
    with writer.begin() as writing:
        writing.execute(text("DELETE FROM model"))
        with open_engine(path).connect() as reading:
            assert reading.scalar(text("SELECT COUNT(*) FROM models")) == 1


def test_a_second_writer_waits_and_then_says_who_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "zoo.sqlite")
    first = open_engine(path, write=True)
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    with first.begin() as connection:
        connection.execute(text("DELETE FROM model"))
        with pytest.raises(DatabaseProblem, match="another program is writing"):
            DatabaseStore(make_engine(resolve_url(path), write=True)).save([make_record()])


def test_older_views_are_replaced_also_for_a_command_that_reads(engine: Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE setting SET value = 'old' WHERE key = 'views'"))
        connection.execute(text("DROP VIEW metrics"))
    said: list[str] = []
    with open_engine(url, note=said.append).connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM metrics"))
    assert any("upgrading" in sentence for sentence in said)


def test_an_older_schema_is_upgraded_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(resolve_url(url), write=True)
    upgrade_schema(engine)
    from zoo.db import migrate

    known = migrate.known_revisions()
    monkeypatch.setattr(migrate, "known_revisions", lambda: [*known, "0999"])
    upgraded: list[str] = []
    monkeypatch.setattr(session, "upgrade_schema", lambda engine: upgraded.append(str(engine.url)))
    open_engine(url, note=lambda _: None)
    assert len(upgraded) == 1


def test_a_newer_schema_is_refused(engine: Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE zoo_schema SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew):
        open_engine(url)


@pytest.fixture
def stale(engine: Engine, url: str) -> str:
    """A database whose numbers another version computed, and wrongly."""
    DatabaseStore(engine).save([make_record()])
    with engine.begin() as connection:
        connection.execute(text("UPDATE config SET analyzed_by = 'another'"))
        connection.execute(text("UPDATE analysis SET params_total = 1"))
        connection.execute(text("UPDATE model SET params_check = 'mismatch'"))
    return url


def read_numbers(url: str) -> tuple[int, str]:
    with make_engine(resolve_url(url)).connect() as connection:
        total, check = connection.execute(text("SELECT params_total, params_check FROM models")).one()
    return total, check


def test_reading_says_that_numbers_are_stale_and_leaves_them(stale: str, capsys: pytest.CaptureFixture[str]) -> None:
    open_engine(stale)
    assert "zoo db upgrade" in capsys.readouterr().err
    assert read_numbers(stale) == (1, "mismatch")


def test_writing_computes_stale_numbers_again(stale: str) -> None:
    said: list[str] = []
    open_engine(stale, write=True, note=said.append)
    assert said == ["computed 1 configs again with this version of zoo"]
    assert read_numbers(stale) == (LLAMA_PARAMS, "exact")
    open_engine(stale, write=True, note=said.append)
    assert len(said) == 1


def test_an_analysis_that_changes_replaces_the_old_one(stale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = derive.derive

    def other(config: dict[str, object]) -> derive.Derived:
        found = real(config)
        return derive.Derived("new", found.text, {**found.columns, "params_total": 7}, found.parts)

    monkeypatch.setattr(refresh, "derive_cached", other)
    open_engine(stale, write=True, note=lambda _: None)
    assert read_numbers(stale)[0] == 7
    with make_engine(resolve_url(stale)).connect() as connection:
        assert [row[0] for row in connection.execute(text("SELECT digest FROM analysis"))] == ["new"]


@pytest.mark.parametrize(
    ("said", "driver", "database"),
    [
        ("sqlite:////data/x.sqlite", "sqlite", "/data/x.sqlite"),
        ("/data/x.sqlite", "sqlite", "/data/x.sqlite"),
        ("postgres://me:secret@host/db", "postgresql+psycopg", "db"),
        ("postgresql://host/db", "postgresql+psycopg", "db"),
    ],
)
def test_paths_and_urls_name_databases(said: str, driver: str, database: str) -> None:
    url = resolve_url(said)
    assert (url.drivername, url.database) == (driver, database)


def test_a_relative_path_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_url("x.sqlite").database == str(tmp_path / "x.sqlite")


def test_the_environment_or_the_user_data_folder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DATABASE_URL", "/data/env.sqlite")
    assert resolve_url(None).database == "/data/env.sqlite"
    monkeypatch.delenv("ZOO_DATABASE_URL")
    assert resolve_url(None).database == str(default_path())
    assert default_path().name == "zoo.sqlite"


@pytest.mark.parametrize(
    "said", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "://x", "postgresql://host:port/db"]
)
def test_what_names_no_usable_database_is_refused(said: str) -> None:
    with pytest.raises(UsageError):
        resolve_url(said)


def test_a_password_is_never_shown() -> None:
    assert "secret" not in describe_url(resolve_url("postgresql://me:secret@host/db"))
    with pytest.raises(UsageError) as caught:
        resolve_url("postgresql://me:secret@host:port/db")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_database_problem(tmp_path: Path) -> None:
    with pytest.raises(DatabaseProblem, match="cannot be reached"):
        open_engine(f"postgresql://zoo@/nonesuch?host={tmp_path}")


def test_postgresql_without_its_driver_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("psycopg")

    monkeypatch.setattr(engines, "create_engine", fail)
    with pytest.raises(UsageError, match=r"zoo\[postgres\]"):
        make_engine(resolve_url("postgresql://host/db"))


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(DatabaseProblem, match="too old"):
        make_engine(resolve_url("/data/x.sqlite"))


@pytest.mark.parametrize(
    ("content", "meaning"), [(b"this is no database at all" * 100, "is not a database"), (None, "is a folder")]
)
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes | None, meaning: str) -> None:
    path = tmp_path / "odd.sqlite"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(DatabaseProblem, match=f"odd.sqlite {meaning}"):
        open_engine(str(path))


@contextmanager
def powerless(path: Path) -> Iterator[None]:
    """As a user who may read ``path`` but not write there; root may write everywhere, so it becomes someone else."""
    path.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(0o755)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="zoo-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_file_in_a_folder_that_cannot_be_written_is_read(shared_folder: Path) -> None:
    path = shared_folder / "zoo.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save([make_record()])
    path.chmod(0o444)
    with powerless(shared_folder), open_engine(str(path)).connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM models")) == 1


def test_a_log_that_cannot_be_read_is_not_passed_over(shared_folder: Path) -> None:
    path = shared_folder / "zoo.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save([make_record()])
    (shared_folder / "zoo.sqlite-wal").write_bytes(b"what was committed last")
    (shared_folder / "zoo.sqlite-wal").chmod(0o444)
    with powerless(shared_folder), pytest.raises(DatabaseProblem, match="zoo"):
        open_engine(str(path))


def test_an_older_schema_that_cannot_be_upgraded_is_a_database_problem(shared_folder: Path) -> None:
    path = shared_folder / "zoo.sqlite"
    with open_engine(str(path), write=True).begin() as connection:
        connection.execute(text("UPDATE setting SET value = 'old' WHERE key = 'views'"))
    path.chmod(0o444)
    with powerless(shared_folder), pytest.raises(DatabaseProblem, match=r"cannot be (written|opened)"):
        open_engine(str(path), note=lambda _: None)
