"""``zoo analyze``: the metrics of config files, with no database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.errors import BadInput

if TYPE_CHECKING:
    from zoo.cli.inputs import Options, Source

KvDtype = Annotated[
    str | None,
    typer.Option("--kv-dtype", metavar="DTYPE", help="Data type of the cache, such as fp8; else the model's own."),
]
Contexts = Annotated[
    str, typer.Option("--context", metavar="TOKENS", help="More lengths at which to give cache and FLOPs: 32k,1M.")
]
Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="A config.json, a .jsonl, a folder; - reads stdin.")]
Ledger = Annotated[bool, typer.Option("--ledger", help="List every tensor too.")]


def register(app: typer.Typer) -> None:
    app.command("analyze")(analyze_command)


def read_options(kv_dtype: str | None, context: str, ledger: bool) -> Options:
    """The options as typed, checked. Raises UsageError for an unknown dtype and for what is no length."""
    from zoo.cli.inputs import Options
    from zoo.metrics.dtypes import require_dtype
    from zoo.units import parse_context

    contexts = tuple(parse_context(word) for word in context.split(",") if word.strip())
    return Options(require_dtype(kv_dtype) if kv_dtype else None, contexts, ledger)


def analyze_command(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="A config.json, a .jsonl, a folder; - reads stdin.")
    ],
    ledger: Ledger = False,
    kv_dtype: KvDtype = None,
    context: Contexts = "",
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, help="Processes that work on a .jsonl.")] = 1,
) -> None:
    """Everything that follows from config files alone.

    A .jsonl of {"repo_id", "config"} gives one JSON object a line, in order, a bad line included. With --json one file
    gives one document; several, or a folder, give one JSON object a line.
    """
    from pathlib import Path

    from zoo.cli.inputs import open_source

    options = read_options(kv_dtype, context, ledger)
    sources = [open_source(name, sys.stdin.buffer) for name in files]
    several = len(files) > 1 or Path(files[0]).is_dir()
    if any(source.lines is not None for source in sources) or (several and ctx.obj.json):
        write_lines(sources, options, jobs)
    elif several:
        print_overview(ctx.obj, sources, options)
    else:
        print_one(ctx.obj, sources[0], options)


def write_lines(sources: list[Source], options: Options, jobs: int) -> None:
    """One JSON object a line, written as soon as it is there; BadInput at the end for a FILE that is no config."""
    from zoo.cli.inputs import map_lines, write_item

    failed = None
    for source in sources:
        for text in map_lines(source.lines or (), options, jobs):
            sys.stdout.write(text + "\n")
        for item in source.items:
            sys.stdout.write(write_item(item, options) + "\n")
            failed = failed or (item if item.config is None and item.repo_id is None else None)
    if failed:
        raise BadInput(failed.label, failed.reason or "")


def print_overview(context: Context, sources: list[Source], options: Options) -> None:
    """A table with a row for each config."""
    from zoo.cli.inputs import analyze_item
    from zoo.cli.tables import OVERVIEW_COLUMNS, list_overview, print_table

    items = [item for source in sources for item in source.items]
    rows = [(item.repo_id or item.label, analyze_item(item, options).as_dict()) for item in items]
    print_table(context.out, OVERVIEW_COLUMNS, list_overview(rows))
    failed = next((item for item in items if item.config is None and item.repo_id is None), None)
    if failed:
        raise BadInput(failed.label, failed.reason or "")


def print_one(context: Context, source: Source, options: Options) -> None:
    """The whole sheet of one config, or its JSON. Raises BadInput when it is none."""
    from zoo.cli.inputs import analyze_item, write_item

    item = next(source.items)
    if item.config is None:
        raise BadInput(item.label, item.reason or "")
    if context.json:
        sys.stdout.write(write_item(item, options, indent=2) + "\n")
        return
    from zoo.cli.tables import print_ledger, print_sheet
    from zoo.explain.sheet import build_sheet

    analysis = analyze_item(item, options)
    print_sheet(context.out, item.label, build_sheet(analysis.as_dict()))
    if options.tensors and analysis.ledger:
        print_ledger(context.out, analysis.ledger.parameters)
