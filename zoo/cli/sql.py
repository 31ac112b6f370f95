"""``zoo sql``: one question to the database, which cannot be changed by it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.context import Context
from zoo.cli.output import FORMATS, choose_format, write_rows
from zoo.errors import BadInput, UsageError

#: Values of ``zoo.db.readonly``, which is not imported for ``zoo --help``.
_TIME, _ROWS = 30.0, 10_000


def register(app: typer.Typer) -> None:
    app.command("sql")(run_sql)


def run_sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT, or the name of a query (--list).")] = None,
    fmt: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the query from this file.")] = None,
    list_named: Annotated[bool, typer.Option("--list", help="Show the named queries.")] = False,
    limit_time: Annotated[float, typer.Option("--limit-time", min=0.01, help="Seconds it may take.")] = _TIME,
    limit_rows: Annotated[int, typer.Option("--limit-rows", min=1, help="Rows that are shown at most.")] = _ROWS,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.")] = None,
) -> None:
    """Ask the database in SQL; nothing can be changed.

    The view `models` has one row for each model; `zoo sql "select key, unit, meaning from metrics"` lists its columns.
    There are also config_values, parts, revisions, events and sync_errors.
    """
    from zoo.db.readonly import run_query

    context: Context = ctx.obj
    chosen = choose_format(context, fmt)
    if list_named:
        list_queries(context, chosen, out)
        return
    sql = read_sql(query, file)
    result = run_query(context.open_engine(), sql, limit_time=limit_time, limit_rows=limit_rows)
    write_rows(context, result.columns, result.rows, chosen, out)
    if result.cut:
        context.note(f"not all of it: {result.cut}")


def list_queries(context: Context, fmt: str, out: Path | None) -> None:
    """Show the named queries."""
    from zoo.db import queries

    rows = [(query.name, query.title, query.about) for query in queries.list_queries()]
    write_rows(context, ("name", "title", "about"), rows, fmt, out)


def read_sql(query: str | None, file: Path | None) -> str:
    """The SQL that was asked for: text, the name of a query, or a file.

    Raises:
        UsageError: none of them, or two.
        NoMatch: one word that names no query.
        BadInput: a file that is not text.
    """
    if (query is None) == (file is None):
        raise UsageError("name one query: as text, by its name (zoo sql --list), or with --file")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise BadInput(str(file), "is not UTF-8 text") from None
    text = str(query).strip()
    if text and len(text.split()) == 1 and text.replace("-", "").replace("_", "").isalnum():
        from zoo.db.queries import find_query

        return find_query(text).sql
    return text
