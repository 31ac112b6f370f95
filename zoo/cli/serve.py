"""``zoo serve``: browse the database in a browser on this machine, with Datasette."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.context import Context
from zoo.errors import UsageError

HOST = "127.0.0.1"
#: What Datasette may do for one page: time, rows, no copy of the file, no facets that read everything.
SETTINGS = {
    "sql_time_limit_ms": "10000",
    "max_returned_rows": "1000",
    "max_csv_mb": "100",
    "allow_download": "off",
    "suggest_facets": "off",
}
_PLUGINS = Path(__file__).with_name("datasette_plugins")


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8001,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Browse the database with Datasette: on this machine only, read-only."""
    from zoo.db.engine import sqlite_path

    context: Context = ctx.obj
    if find_spec("datasette") is None:
        raise UsageError("zoo serve needs Datasette: pip install 'zoo[serve]'")
    path = sqlite_path(context.open_engine().url)
    if path is None:
        raise UsageError(
            "zoo serve shows SQLite files: export one with zoo export all --format sqlite --out zoo.sqlite"
        )
    command = build_command(path, port, browser)
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 (our own words, no shell)


def build_command(path: Path, port: int, browser: bool) -> list[str]:
    """The command line of Datasette. It opens files read-only; not as immutable, as a sync may write meanwhile."""
    settings = [word for name, value in SETTINGS.items() for word in ("--setting", name, value)]
    command = [sys.executable, "-m", "datasette", "serve", str(path), "--host", HOST, "--port", str(port), *settings]
    return [*command, "--plugins-dir", str(_PLUGINS), *(["--open"] if browser else [])]
