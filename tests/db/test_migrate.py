"""The schema: made by migrations only, upgraded from every revision with data in it, the same as the code's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, inspect, text

from tests.records import make_config, make_record
from zoo.db import migrate
from zoo.db.check import check_database
from zoo.db.engine import make_engine, resolve_url
from zoo.db.migrate import (
    check_models,
    downgrade_schema,
    known_revisions,
    read_revision,
    read_state,
    upgrade_schema,
    write_migration,
)
from zoo.db.refresh import refresh_analyses
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.db.tables import Base
from zoo.db.views import VIEW_COLUMNS
from zoo.errors import CheckFailed, DatabaseProblem, SchemaTooNew
from zoo.sources.record import HubFacts


def make_writer(url: str) -> Engine:
    return make_engine(resolve_url(url), write=True)


def fill_tables(engine: Engine) -> dict[str, int]:
    """One row in each table of whatever revision ``engine`` is at; rows by table."""
    metadata = MetaData()
    metadata.reflect(engine)
    tables = [table for table in metadata.sorted_tables if table.name != migrate.VERSION_TABLE]
    with engine.begin() as connection:
        for table in tables:
            connection.execute(table.insert().values(make_row(table)))
    return {table.name: 1 for table in tables}


def make_row(table: Table) -> dict[str, Any]:
    known = {"text": '{"model_type": "llama"}', "analyzed_by": "an older zoo", "params_check": "unchecked"}
    times = dict.fromkeys(("first_seen", "seen_at", "synced_at"), "2026-01-01T00:00:00Z")
    return {
        column.name: (known | times).get(column.name, "x" if isinstance(column.type, Text) else 1000)
        for column in table.columns
        if not column.nullable or column.name == "config_id"
    }


@pytest.mark.parametrize("revision", known_revisions())
def test_every_revision_is_upgraded_with_its_data(url: str, revision: str) -> None:
    engine = make_writer(url)
    upgrade_schema(engine, to=revision)
    before = fill_tables(engine)
    upgrade_schema(engine)
    with engine.connect() as connection:
        assert read_state(connection) == "current"
        counts = {name: connection.scalar(text(f"SELECT COUNT(*) FROM {name}")) for name in before}
        assert counts == before | {"setting": 2}  # what was there, and the digest of the views
        assert connection.execute(text("SELECT repo_id, config FROM models")).all() == [
            ("x", '{"model_type": "llama"}')
        ]
    assert refresh_analyses(engine) == 1


def test_a_database_goes_back_and_forth_with_its_models(url: str) -> None:
    upgrade_schema(make_writer(url))
    store = DatabaseStore(open_engine(url, write=True))
    facts = HubFacts(hub_id="1", downloads=5)
    store.save([make_record("a/one", facts=facts), make_record("a/two")])
    store.save([make_record("a/new", facts=facts)])
    store.close()
    before = read_models(url)
    downgrade_schema(make_writer(url), to="0001")
    with make_writer(url).connect() as connection:
        assert read_revision(connection) == "0001"
        tables = inspect(connection).get_table_names()
        assert "event" not in tables
        assert connection.scalar(text("SELECT COUNT(*) FROM model")) == 2
    notes: list[str] = []
    store = DatabaseStore(open_engine(url, write=True, note=notes.append))
    assert "upgrading the schema" in notes[0]
    assert read_models(url) == before
    assert all(finding.ok for finding in check_database(url))
    store.save([make_record("a/two", config=make_config(num_hidden_layers=3), sha="b" * 40)])
    store.close()
    with make_writer(url).connect() as connection:
        assert connection.execute(text("SELECT repo_id, kind FROM events")).all() == [("a/two", "config")]


def read_models(url: str) -> list[Any]:
    with make_writer(url).connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM models ORDER BY repo_id"))]


def test_the_migrations_make_the_tables_of_the_code(url: str) -> None:
    check_models(url)


def test_the_migrations_are_checked_on_a_new_file_when_none_is_named() -> None:
    check_models()


def test_a_column_without_a_migration_is_noticed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["analysis"].append_column(Column("brand_new", BigInteger()))
    monkeypatch.setattr(Base, "metadata", changed)
    with pytest.raises(CheckFailed, match=r"add_column.*brand_new"):
        check_models(url)


def test_a_missing_view_is_noticed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "VIEW_COLUMNS", VIEW_COLUMNS | {"nonesuch": ()})
    with pytest.raises(CheckFailed, match="no view nonesuch"):
        check_models(url)


def test_the_next_migration_is_written_from_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "migrations"
    source = migrate.migrations_dir()
    (folder / "versions").mkdir(parents=True)
    for file in (*source.glob("*.py"), *source.glob("*.mako"), *source.glob("versions/*.py")):
        (folder / file.relative_to(source)).write_text(file.read_text())
    monkeypatch.setattr(migrate, "migrations_dir", lambda: folder)
    changed = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["analysis"].append_column(Column("brand_new", BigInteger()))
    monkeypatch.setattr(Base, "metadata", changed)
    number = f"{int(known_revisions()[-1]) + 1:04}"
    path = write_migration("a new column")
    assert path == folder / "versions" / f"{number}_a_new_column.py"
    assert "brand_new" in path.read_text()
    assert known_revisions()[-1] == number


def test_the_first_migration_of_all_needs_no_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for file in (*migrate.migrations_dir().glob("*.py"), *migrate.migrations_dir().glob("*.mako")):
        (folder / file.name).write_text(file.read_text())
    monkeypatch.setattr(migrate, "migrations_dir", lambda: folder)
    assert write_migration("first").name == "0001_first.py"


def test_a_newer_schema_is_refused_with_both_names(url: str) -> None:
    engine = make_writer(url)
    upgrade_schema(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match=f"9999.*newer.*{known_revisions()[-1]}"), engine.connect() as connection:
        read_state(connection)
    with pytest.raises(SchemaTooNew):
        upgrade_schema(engine)


def test_tables_of_something_else_are_left_alone(url: str) -> None:
    engine = make_writer(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE model (id INTEGER)"))
    with pytest.raises(DatabaseProblem, match="something else"):
        upgrade_schema(engine)
    assert inspect(engine).get_table_names() == ["model"]


def test_an_empty_database_has_no_revision(url: str) -> None:
    with make_writer(url).connect() as connection:
        assert read_revision(connection) is None
        assert read_state(connection) == "absent"


def test_an_upgrade_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_writer(url)
    upgrade_schema(engine)
    DatabaseStore(engine).save([make_record()])

    def fail(_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(migrate, "create_views", fail)
    with pytest.raises(RuntimeError):
        upgrade_schema(engine)
    with engine.connect() as connection:
        assert read_state(connection) == "current"
        assert connection.scalar(text("SELECT COUNT(*) FROM models")) == 1


def test_an_upgrade_that_would_leave_rows_dangling_is_undone(tmp_path: Path) -> None:
    engine = make_writer(str(tmp_path / "zoo.sqlite"))
    upgrade_schema(engine)
    loose = make_engine(engine.url, write=True, foreign_keys=False)
    with loose.begin() as connection:
        connection.execute(text("INSERT INTO config_body VALUES (77, '{}')"))
    with pytest.raises(DatabaseProblem, match="config_body"):
        upgrade_schema(engine)
