"""The schema and its versions: alembic driven from code, with no ``alembic.ini`` at a fixed place.

Migrations are numbered files ``0001_what.py`` in ``migrations/versions``. After each upgrade the views are written anew
from the glossary. ``python -m zoo.db.migrate "what changes"`` writes the next migration from the tables as they are.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect, text

from zoo.db.engine import describe_url, make_engine, resolve_url
from zoo.db.tables import Base
from zoo.db.views import VIEW_COLUMNS, create_views, digest_views, drop_views
from zoo.errors import CheckFailed, DatabaseProblem, SchemaTooNew
from zoo.paths import migrations_dir

#: Where the revision stands; not alembic's own name, which another program's tables beside ours may use.
VERSION_TABLE = "zoo_schema"
_LOCK = 0x5A4F4F  # PostgreSQL: one upgrade at a time

SchemaState = Literal["absent", "older", "current"]


def known_revisions() -> list[str]:
    """Revisions that this zoo knows, oldest first."""
    return sorted(path.name.split("_")[0] for path in (migrations_dir() / "versions").glob("[0-9]*.py"))


def read_revision(connection: Connection) -> str | None:
    """Revision of the database; None where there is none of zoo's tables.

    Raises:
        DatabaseProblem: the tables in it are not zoo's.
    """
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        return str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))  # noqa: S608
    foreign = tables if connection.dialect.name == "sqlite" else tables & set(Base.metadata.tables)
    if foreign:
        where = describe_url(connection.engine.url)
        raise DatabaseProblem(f"{where} holds tables of something else ({sorted(foreign)[0]}): name another with --db")
    return None


def read_state(connection: Connection) -> SchemaState:
    """Whether the schema is there and of this version, views included.

    Raises:
        SchemaTooNew: written by a newer zoo.
        DatabaseProblem: the tables in it are not zoo's.
    """
    found, known = read_revision(connection), known_revisions()
    if found is None:
        return "absent"
    if found not in known:
        raise SchemaTooNew(found, known[-1])
    if found != known[-1]:
        return "older"
    views = connection.scalar(text("SELECT value FROM setting WHERE key = 'views'"))
    return "current" if views == digest_views(connection.dialect.name) else "older"


def upgrade_schema(engine: Engine, *, to: str = "head") -> None:
    """Bring the schema of ``engine`` (a writing one) to revision ``to``, all of it or nothing.

    Raises:
        SchemaTooNew, DatabaseProblem: as :func:`read_state`.
    """
    from alembic import command

    # Tables are rebuilt on SQLite, which foreign keys would not allow; they are checked afterwards.
    writer = make_engine(engine.url, write=True, foreign_keys=False)
    try:
        with writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            read_state(connection)
            drop_views(connection)
            command.upgrade(_configure(connection), to)
            _check_foreign_keys(connection)
            if to == "head":
                create_views(connection)
    finally:
        writer.dispose()


def downgrade_schema(engine: Engine, *, to: str) -> None:
    """Bring the schema of ``engine`` (a writing one) back to the earlier revision ``to``, for an older zoo.

    What only later revisions hold is lost. The older zoo writes its own views when it opens the database.
    """
    from alembic import command

    writer = make_engine(engine.url, write=True, foreign_keys=False)
    try:
        with writer.begin() as connection:
            read_state(connection)
            drop_views(connection)
            command.downgrade(_configure(connection), to)
    finally:
        writer.dispose()


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    row = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if row is not None:
        raise DatabaseProblem(f"the upgrade was undone: a row of {row[0]} would point nowhere (see zoo db check)")


def check_models(url: str | None = None) -> None:
    """Compare the tables of the code with what the migrations make at ``url`` (None: a new SQLite file).

    Raises:
        CheckFailed: they differ: a migration is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(resolve_url(url or str(Path(folder) / "check.sqlite")), write=True)
        upgrade_schema(engine)
        with engine.connect() as connection:
            differences = compare_schema(connection)
        engine.dispose()
    if differences:
        raise CheckFailed(
            "the migrations do not make the tables of zoo/db/tables.py: "
            + "; ".join(differences)
            + ' (write one with: python -m zoo.db.migrate "what changes")'
        )


def compare_schema(connection: Connection) -> list[str]:
    """In what the tables and views of the database differ from those of the code."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    options = {"version_table": VERSION_TABLE, "compare_type": True}
    context = MigrationContext.configure(connection, opts=options)
    steps: list[tuple[object, ...]] = []
    for entry in compare_metadata(context, Base.metadata):
        steps += entry if isinstance(entry, list) else [entry]
    views = set(inspect(connection).get_view_names())
    missing = [f"no view {name}" for name in VIEW_COLUMNS if name not in views]
    return [" ".join(str(part) for part in step) for step in steps] + missing


def write_migration(message: str, folder: Path | None = None) -> Path:
    """Write the next migration: what makes the tables of the newest revision into those of the code."""
    from alembic import command

    number = f"{int(known_revisions()[-1]) + 1:04}" if known_revisions() else "0001"
    with tempfile.TemporaryDirectory() as scratch:
        engine = make_engine(resolve_url(str(Path(scratch) / "migrate.sqlite")), write=True)
        if known_revisions():
            upgrade_schema(engine, to=known_revisions()[-1])
        with engine.begin() as connection:
            script = command.revision(
                _configure(connection),
                message,
                autogenerate=True,
                rev_id=number,
                version_path=None if folder is None else str(folder),
            )
        engine.dispose()
    if script is None or isinstance(script, list):
        raise CheckFailed("alembic wrote no migration")
    return Path(script.path)


def _configure(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


if __name__ == "__main__":
    sys.stdout.write(f"{write_migration(' '.join(sys.argv[1:]))}\n")
