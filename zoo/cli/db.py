"""``zoo db``: where the database is, what state it is in, and bringing it up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from zoo.cli.context import Context
from zoo.cli.output import format_cell
from zoo.errors import CheckFailed, DatabaseProblem

if TYPE_CHECKING:
    from zoo.db.check import Watch


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The database: where it is, its schema, its integrity.", no_args_is_help=True)
    for name, function in (("path", print_path), ("status", print_status), ("upgrade", upgrade), ("check", check)):
        group.command(name)(function)
    app.add_typer(group, name="db")


def print_path(ctx: typer.Context) -> None:
    """Print where the database is: a path, or a URL without its password."""
    from zoo.db.engine import describe_url, resolve_url

    context: Context = ctx.obj
    where = describe_url(resolve_url(context.db_url))
    if context.json:
        context.print_json({"path": where})
    else:
        typer.echo(where)


def print_status(ctx: typer.Context) -> None:
    """Say what is in the database and of which version it is; changes nothing."""
    from zoo.db.status import read_status

    show(ctx.obj, read_status(ctx.obj.db_url))


def upgrade(ctx: typer.Context) -> None:
    """Bring schema, views and computed numbers to this version of zoo; nothing is downloaded."""
    from zoo.db.engine import describe_url, resolve_url
    from zoo.db.session import look, open_engine
    from zoo.db.status import read_status

    context: Context = ctx.obj
    url = resolve_url(context.db_url)
    if look(url) == "absent":
        raise DatabaseProblem(f"there is no database at {describe_url(url)} yet: run zoo sync first")
    open_engine(context.db_url, write=True, note=context.note)
    show(context, read_status(context.db_url))


def check(ctx: typer.Context) -> None:
    """Look at all of it: integrity, keys, every config against its hash, every number against this version of zoo."""
    from zoo.db.check import check_database

    context: Context = ctx.obj
    with show_progress(context) as watch:
        findings = check_database(context.db_url, watch)
    if context.json:
        context.print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{'ok    ' if finding.ok else 'FAILED'}  {finding.check}: {finding.detail}")
    failed = [finding.check for finding in findings if not finding.ok]
    if failed:
        raise CheckFailed(f"the database is not as it should be: {', '.join(failed)}")


@contextmanager
def show_progress(context: Context) -> Iterator[Watch]:
    """A line on stderr that tells what is looked at; nothing where stderr is no terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    console = context.err
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("schema", total=None)

        def watch(check: str, rows: int) -> None:
            if progress.tasks[task].description != check:
                progress.reset(task, description=check)
            progress.advance(task, rows)

        yield watch


def show(context: Context, status: dict[str, Any]) -> None:
    """Print a status as JSON or as lines."""
    if context.json:
        context.print_json(status)
        return
    for key, value in status.items():
        said = ", ".join(f"{name} {format_cell(n)}" for name, n in value.items()) if isinstance(value, dict) else value
        context.out.print(f"{key.replace('_', ' '):<16} {format_cell(said)}")
