"""``zoo export``: views of the database as files for other programs."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.cli.list import choose_ids
from zoo.cli.output import replace_file, write_text
from zoo.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from zoo.db.export import Batch

FORMATS = ("parquet", "csv", "jsonl", "sqlite")
SUFFIXES = {name: f".{name}" for name in FORMATS}


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    ctx: typer.Context,
    views: Annotated[list[str] | None, typer.Argument(help="Views to write (models), or all.")] = None,
    fmt: Annotated[str, typer.Option("--format", help=f"By commas: {', '.join(FORMATS)}.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="File, or a folder when several are written.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these: ids, globs, families, names.")] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Models that each term of --models keeps.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every match of --models, twins too.")] = False,
) -> None:
    """Write views (models, config_values, parts, revisions, events, sync_errors, metrics) to files.

    One view as CSV or JSON lines goes to stdout unless --out names a file.
    """
    context: Context = ctx.obj
    chosen, formats = read_views(views or ["models"]), read_formats(context, fmt)
    several = (len(chosen) > 1 and formats != ["sqlite"]) or len(formats) > 1
    if out is None and (several or formats[0] in ("parquet", "sqlite")):
        raise UsageError("name where to write with --out: a file, or a folder when several files are written")
    engine = context.open_engine()
    wanted = None if models is None else choose_ids(context, engine, models, top, all_models)
    written: dict[str, int] = {}
    for name in formats:
        path = out / f"zoo{SUFFIXES[name]}" if out is not None and several and name == "sqlite" else out
        if name == "sqlite":
            written |= export_sqlite(engine, chosen, wanted, path or Path("zoo.sqlite"))
            continue
        for view in chosen:
            file = out / f"{view}{SUFFIXES[name]}" if out is not None and several else out
            written[str(file or "-")] = export_view(engine, view, wanted, name, file)
    if out is None:
        return
    if context.json:
        context.print_json(written)
    else:
        for place, count in written.items():
            context.note(f"{place}: {count:,} rows")


def read_views(names: Iterable[str]) -> list[str]:
    """The views that were named.

    Raises:
        UsageError: one that there is not; says what is near.
    """
    from zoo.db.views import VIEW_COLUMNS

    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if "all" in wanted:
        return list(VIEW_COLUMNS)
    for name in wanted:
        if name not in VIEW_COLUMNS:
            near = difflib.get_close_matches(name, VIEW_COLUMNS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VIEW_COLUMNS)}"
            raise UsageError(f"no view {name!r:.40}: {hint}")
    return list(dict.fromkeys(wanted))


def read_formats(context: Context, text: str) -> list[str]:
    """The formats that were named, each once.

    Raises:
        UsageError: an unknown one.
    """
    formats = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(f"{(unknown or [text])[0]!r:.40} is no format: choose from {', '.join(FORMATS)}")
    return formats


def export_view(engine: Engine, view: str, wanted: Collection[str] | None, fmt: str, out: Path | None) -> int:
    """Write one view to the file ``out``, or as text to stdout; the number of rows."""
    from zoo.db.export import FILE_WRITERS, TEXT_WRITERS, read_view

    with engine.connect() as connection:
        batches: Iterable[Batch] = read_view(connection, view, wanted)
        if out is None and sys.stdout.isatty():
            buffer = io.StringIO()
            count = TEXT_WRITERS[fmt](view, batches, buffer)
            write_text(buffer.getvalue(), None)  # nothing in it may act on the terminal
            return count
        if out is None:
            return TEXT_WRITERS[fmt](view, batches, sys.stdout)
        with replace_file(out) as path:
            if fmt in FILE_WRITERS:
                return FILE_WRITERS[fmt](view, batches, path)
            with path.open("w", encoding="utf-8", newline="") as file:
                return TEXT_WRITERS[fmt](view, batches, file)


def export_sqlite(engine: Engine, views: list[str], wanted: Collection[str] | None, out: Path) -> dict[str, int]:
    """Write ``views`` as tables of one SQLite file; rows by table."""
    from zoo.db.export import read_view, write_sqlite

    with engine.connect() as connection, replace_file(out) as path:
        return {f"{out}#{view}": write_sqlite(view, read_view(connection, view, wanted), path) for view in views}
