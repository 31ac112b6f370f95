"""The command line: one module per command, one table from error to exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from zoo.cli.context import Context

#: Modules of this package, in the order of ``zoo --help``. Each has ``register(app)`` and imports lightly.
COMMANDS = (
    "sync",
    "list",
    "show",
    "explain",
    "compare",
    "diff",
    "families",
    "history",
    "changes",
    "report",
    "sql",
    "analyze",
    "fit",
    "scaling",
    "export",
    "serve",
    "db",
    "doctor",
)

EPILOG = "--db URL, --json, --quiet, --verbose and --debug may stand before or after the command."

_FLAGS = {"--json": "json", "--quiet": "quiet", "-q": "quiet", "--verbose": "verbose", "--debug": "debug"}


def build_app() -> typer.Typer:
    """The whole command line, assembled from its modules."""
    app = typer.Typer(
        name="zoo",
        help="Exact facts about Hugging Face models, from config.json alone.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(global_options)
    for name in COMMANDS:
        import_module(f"zoo.cli.{name}").register(app)
    return app


def show_version(value: bool) -> None:
    if value:
        from zoo import __version__

        typer.echo(f"zoo {__version__}")
        raise typer.Exit


def global_options(
    ctx: typer.Context,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Database: a path or a SQLAlchemy URL (else ZOO_DATABASE_URL)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more of what is done.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    ctx.obj = Context(db_url=db or os.environ.get("ZOO_DATABASE_URL"), json=as_json, quiet=quiet, verbose=verbose)


def hoist_globals(arguments: Sequence[str]) -> list[str]:
    """Move the global options to the front, wherever they stand; what follows ``--`` is left alone."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _FLAGS or word.startswith("--db="):
            front.append(word)
        elif word == "--db":
            front += [word, *[value for value in [next(words, None)] if value is not None]]
        else:
            rest.append(word)
    return front + rest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = hoist_globals(sys.argv[1:] if arguments is None else arguments)
    from zoo.cli.failures import explain_failure

    try:
        build_app()(words, prog_name="zoo", standalone_mode=True)
    except Exception as error:
        if "--debug" in words:
            raise
        message, code = explain_failure(error)
        sys.stderr.write(f"zoo: {message}\n")
        sys.exit(code)
