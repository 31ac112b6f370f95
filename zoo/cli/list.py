"""``zoo list``: the models in the database, as many columns and rows of them as are wanted."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.cli.output import FORMATS, choose_format, write_rows
from zoo.errors import NoMatch, UsageError
from zoo.metrics.glossary import BY_KEY

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from zoo.db.readonly import QueryResult

COLUMNS = "repo_id,params_total,params_active,layers,attention_kind,max_context,kv_bytes_per_token,downloads"
_SORT = "-downloads,repo_id"
#: Rows of a table for people, unless --limit says otherwise.
_TABLE_ROWS = 100


def register(app: typer.Typer) -> None:
    app.command("list")(list_models)


def list_models(
    ctx: typer.Context,
    models: Annotated[
        str | None, typer.Option("--models", help="Ids, globs, families or pieces of names, by commas.")
    ] = None,
    columns: Annotated[str, typer.Option("--columns", help="Columns by commas, or all.")] = COLUMNS,
    where: Annotated[str | None, typer.Option("--where", help='Condition in SQL: "params_total < 1e10".')] = None,
    sort: Annotated[str, typer.Option("--sort", help="Columns by commas; with - the largest first.")] = _SORT,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Rows at most.")] = None,
    fmt: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Models that each term of --models keeps.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every match of --models, twins too.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.")] = None,
) -> None:
    """Show the models in the database."""
    context: Context = ctx.obj
    chosen = choose_format(context, fmt)
    keys = read_columns(columns)
    engine = context.open_engine()
    wanted = None if models is None else choose_ids(context, engine, models, top, all_models)
    shown = limit if limit is not None or chosen != "table" else _TABLE_ROWS
    result = query_models(engine, ["repo_id", *keys], where, sort)
    rows = [row[1:] for row in result.rows if wanted is None or row[0] in wanted]
    if not rows:
        raise NoMatch(where or models or "anything at all", what="model of the database")
    write_rows(context, keys, rows[:shown], chosen, out, [BY_KEY[key].label for key in keys])
    if shown is not None and len(rows) > shown:
        context.note(f"{shown:,} of {len(rows):,} models (--limit shows more)")


def read_columns(text: str) -> list[str]:
    """The keys that ``text`` names.

    Raises:
        UsageError: one that there is not; says what is near.
    """
    keys = list(BY_KEY) if text.strip() == "all" else [key.strip() for key in text.split(",") if key.strip()]
    for key in keys or [text]:
        if key not in BY_KEY:
            near = difflib.get_close_matches(key, BY_KEY, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else " (docs/metrics.md lists them)"
            raise UsageError(f"no column {key!r:.40}{hint}")
    return keys


def choose_ids(context: Context, engine: Engine, models: str, top: int | None, all_models: bool) -> set[str]:
    """Repo ids that ``--models`` means; says what is left out."""
    from zoo.db.select import DEFAULT_TOP, choose_models

    limit = top if top is not None or all_models else DEFAULT_TOP
    with engine.connect() as connection:
        stands_for, matches = choose_models(connection, [models], limit, merge=not all_models)
    for match in matches:
        if match.cut or match.merged:
            context.note(str(match))
    return set(stands_for)


def query_models(engine: Engine, keys: list[str], where: str | None, sort: str) -> QueryResult:
    """Rows of the view ``models``; ``where`` is a stranger's SQL and runs guarded. Missing values come last.

    Raises:
        UsageError, DatabaseProblem: as ``zoo sql``.
    """
    from zoo.db.readonly import run_query

    order = []
    for word in sort.split(","):
        (key,) = read_columns(word.strip().removeprefix("-"))
        order.append(f'"{key}" IS NULL, "{key}"{" DESC" if word.strip().startswith("-") else ""}')
    condition = f"WHERE (\n{where}\n)" if where else ""
    columns = ", ".join(f'"{key}"' for key in keys)
    sql = f"SELECT {columns} FROM models {condition} ORDER BY {', '.join(order)}"  # noqa: S608 (guarded)
    return run_query(engine, sql, limit_rows=10_000_000)
