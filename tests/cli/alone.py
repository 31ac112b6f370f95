"""One command by itself, run as the whole command line would run it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.testing import CliRunner

from zoo.cli import global_options, hoist_globals
from zoo.cli.failures import explain_failure


class Result:
    """What a command wrote, and the code that it ended with."""

    def __init__(self, out: str, err: str, code: int) -> None:
        self.out, self.err, self.code = out, err, code


def run_alone(command: str, *words: str, **environment: Any) -> Result:
    """Run ``zoo COMMAND WORDS…``; failures become the sentence and the code of ``zoo``."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(global_options)
    import_module(f"zoo.cli.{command}").register(app)
    found = CliRunner().invoke(app, hoist_globals([command, *words]), env=environment)
    if found.exception and not isinstance(found.exception, SystemExit):
        message, code = explain_failure(found.exception)
        return Result(found.stdout, message, code)
    return Result(found.stdout, found.stderr, found.exit_code)
