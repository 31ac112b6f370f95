"""``zoo diff``: only what differs between two models, or two revisions of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.explain.differences import Difference

_HELP = (
    "A repo id, a piece of a name, or a config file. MODEL@REVISION takes another config of the database: a commit "
    "(its first four digits or more), previous, current, or a date for what was current at its end (zoo history)."
)
Side = Annotated[str, typer.Argument(metavar="MODEL[@REVISION]", help=_HELP)]


def register(app: typer.Typer) -> None:
    app.command("diff")(diff_command)


def diff_command(ctx: typer.Context, a: Side, b: Side) -> None:
    """Only what differs: in words, in derived numbers, and in the keys of the config."""
    from zoo.explain.differences import compare_pair, write_difference
    from zoo.metrics.analysis import analyze

    name_a, config_a = find_config(ctx, a)
    name_b, config_b = find_config(ctx, b)
    difference = compare_pair(analyze(config_a), analyze(config_b), config_a, config_b, (name_a, name_b))
    out: Context = ctx.obj
    if out.json:
        out.print_json(write_difference(difference))
    else:
        print_difference(out.out, difference)


def find_config(ctx: typer.Context, term: str) -> tuple[str, Mapping[str, Any]]:
    """The name and config that ``term`` means. Raises NoMatch for a model or revision that is not there."""
    from zoo.cli.resolve import find_path, resolve_model

    name, at, revision = term.rpartition("@")
    if not at or find_path(term):
        found = resolve_model(ctx, term)
        return found.repo_id, found.config
    from zoo.cli.history import find_model
    from zoo.db.revisions import find_revision

    engine = ctx.obj.open_engine()
    row, config = find_revision(engine, find_model(ctx, engine, name), revision)
    return f"{row.repo_id}@{row.name}", config


def print_difference(console: Console, difference: Difference) -> None:
    """Words, numbers and keys."""
    from rich.text import Text

    from zoo.cli.tables import print_sections
    from zoo.explain.keys import USES
    from zoo.explain.sheet import Section, text_of
    from zoo.text import clean_text

    console.print(Text(clean_text(f"{difference.a} → {difference.b}"), style="bold"))
    if not (difference.words or difference.numbers or difference.keys):
        console.print("No difference: the two configs say the same.")
        return
    if difference.words:
        console.print()
    for said in difference.words:
        console.print(Text(f"- {clean_text(said)}"), soft_wrap=False)
    numbers = [(change.label, *change.texts) for change in difference.numbers]
    keys = [(text_of(change.path), *change.texts, USES[change.use]) for change in difference.keys]
    sections = [
        Section("Derived numbers", numbers, ("fact", "first", "second", "change")),
        Section("Keys of the config", keys, ("key", "first", "second", "read by zoo")),
    ]
    print_sections(console, [section for section in sections if section.rows])
