"""Opening the database: the one place that decides whether it may be created, upgraded or only read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import URL, Engine

from zoo.db.engine import describe_url, make_engine, resolve_url, sqlite_path
from zoo.db.migrate import SchemaState, read_state, upgrade_schema
from zoo.db.refresh import count_stale_analyses, has_stale_analyses, refresh_analyses
from zoo.errors import DatabaseProblem

if TYPE_CHECKING:
    from rich.progress import Progress

Note = Callable[[str], None]
#: Configs that take more than about a second.
LONG_WORK = 500


def open_engine(url: str | None = None, *, write: bool = False, note: Note | None = None) -> Engine:
    """Engine on the database at ``url`` (a path, a URL, or None for the default), its schema of this version.

    An older schema is upgraded, also for a command that only reads, and ``note`` (stderr, when not given) is told so.
    Without ``write`` nothing is created and connections can only read.

    Raises:
        DatabaseProblem: there is no database yet and nothing may be written; it cannot be reached or upgraded.
        SchemaTooNew: it was written by a newer zoo.
        UsageError: ``url`` names no database that zoo can use.
    """
    say = note or _write_note
    target = resolve_url(url)
    state = look(target)
    if state == "absent" and not write:
        raise DatabaseProblem(
            f"there is no database at {describe_url(target)} yet: run zoo sync first, or name another with --db"
        )
    if state == "older":
        say(f"upgrading the schema of {describe_url(target)}")
    if state != "current":
        _upgrade(target)
    engine = make_engine(target, write=write)
    if state == "older" or write:
        recompute(target, say)
    elif has_stale_analyses(engine):
        say("some numbers were computed by another version of zoo: zoo db upgrade computes them again")
    return engine


def recompute(url: URL, say: Note) -> int:
    """Compute again what another version of the analyzer computed, from the stored configs; how many there were."""
    writer = make_engine(url, write=True)
    try:
        stale = count_stale_analyses(writer) if has_stale_analyses(writer) else 0
        if not stale:
            return 0
        with _make_progress(stale) as progress:
            task = progress.add_task("computing again", total=stale)
            count = refresh_analyses(writer, advance=lambda done: progress.advance(task, done))
    finally:
        writer.dispose()
    say(f"computed {count:,} configs again with this version of zoo")
    return count


def _make_progress(total: int) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr)
    return Progress(console=console, transient=True, disable=total < LONG_WORK or not console.is_terminal)


def look(url: URL) -> SchemaState:
    """State of the schema of the database at ``url``; changes nothing.

    Raises:
        SchemaTooNew, DatabaseProblem: as ``zoo.db.migrate.read_state``.
    """
    path = sqlite_path(url)
    if path is not None and path.is_dir():
        raise DatabaseProblem(f"{path} is a folder: name a file in it with --db")
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return "absent"
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return read_state(connection)
    finally:
        engine.dispose()


def _upgrade(url: URL) -> None:
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    upgrade_schema(make_engine(url, write=True))


def _write_note(message: str) -> None:
    sys.stderr.write(f"{message}\n")
