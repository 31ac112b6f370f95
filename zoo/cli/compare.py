"""``zoo compare``: models side by side in the terminal."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from sqlalchemy import Engine

    from zoo.explain.comparison import Comparison, Row, Subject

#: More models than this do not stand side by side.
MOST_COLUMNS = 8


class Format(StrEnum):
    """How to write it."""

    table = "table"
    md = "md"
    json = "json"


def register(app: typer.Typer) -> None:
    app.command("compare")(compare_command)


def compare_command(
    ctx: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Repo ids, globs, families, pieces of names, or config files."),
    ],
    top: Annotated[int | None, typer.Option("--top", min=1, help="How many a glob brings (5).")] = None,
    form: Annotated[Format, typer.Option("--format", help="table, md or json.")] = Format.table,
) -> None:
    """Models side by side: the best value of a row is marked with *, rows in which they differ stand out."""
    from zoo.explain.comparison import compare_models, write_comparison, write_markdown

    out: Context = ctx.obj
    subjects = find_subjects(ctx, models, top)
    if len(subjects) < 2:
        raise UsageError(f"only {subjects[0].name} matched: name two models or more (or use zoo show)")
    comparison = compare_models(subjects)
    if out.json or form is Format.json:
        out.print_json(write_comparison(comparison))
    elif form is Format.md:
        sys.stdout.write(write_markdown(comparison))
    else:
        print_comparison(out.out, comparison)


def find_subjects(ctx: typer.Context, terms: list[str], top: int | None) -> list[Subject]:
    """The models that ``terms`` mean: one for a word, several for a glob; each of them once."""
    from zoo.cli.resolve import find_path, read_model
    from zoo.explain.comparison import Subject
    from zoo.metrics.analysis import analyze

    found: dict[str, Subject] = {}
    engine = None
    for term in (word.strip() for text in terms for word in text.split(",") if word.strip()):
        if path := find_path(term):
            model = read_model(path)
            document = analyze(model.config, repo_id=model.repo_id).as_dict()
            found.setdefault(f"{path}", Subject(model.repo_id, document))
        else:
            engine = engine or ctx.obj.open_engine()
            found |= {subject.name: subject for subject in select_subjects(ctx.obj, engine, term, top)}
    return list(found.values())


def select_subjects(context: Context, engine: Engine, term: str, top: int | None) -> list[Subject]:
    """The models of the database that ``term`` means; what is taken or left out is noted.

    Raises:
        NoMatch: there is none.
    """
    from zoo.db.select import select_models
    from zoo.explain.comparison import Subject
    from zoo.metrics.analysis import describe_unsupported

    glob = any(sign in term for sign in "*?[")
    chosen = select_models(engine, [term], top=top if glob else 1)
    rows = chosen.rows if glob else chosen.rows[:1]
    for note in chosen.notes if glob else [f"{term}: taken to be {row.repo_id}" for row in rows if row.repo_id != term]:
        context.note(note)
    subjects = []
    for row in rows:
        problem = row.problem[1] if row.problem else "there is no config"
        document = row.analysis or describe_unsupported({}, row.repo_id, problem).as_dict()
        subjects.append(Subject(row.repo_id, document, row.row))
    return subjects


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Side by side where that fits the terminal; else the main facts, in a line for each model, or below its name."""
    from zoo.cli.tables import make_table
    from zoo.explain.comparison import BRIEF

    if len(comparison.names) <= MOST_COLUMNS and print_fitting(console, make_comparison(comparison)):
        return
    rows = {row.path: row for rows in comparison.sections.values() for row in rows}
    shown = [rows[path] for path in BRIEF if path in rows]
    lines = [(name, *(mark_best(row, place) for row in shown)) for place, name in enumerate(comparison.names)]
    if not print_fitting(console, make_table(("", *(row.label for row in shown)), lines)):
        for name, *texts in lines:
            facts = [(f"  {row.label}", text) for row, text in zip(shown, texts, strict=True)]
            console.print(make_table((), [(name, ""), *facts]), soft_wrap=False)


def print_fitting(console: Console, table: Table) -> bool:
    """Print ``table`` if the terminal is wide enough for it; whether it was. A pipe is as wide as need be."""
    from rich.measure import Measurement

    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    if console.is_terminal and needed > console.width:
        return False
    console.width = max(console.width, needed)
    console.print(table, soft_wrap=False)
    return True


def mark_best(row: Row, place: int) -> str:
    return row.texts[place] + (" *" if place in row.best else "")


def make_comparison(comparison: Comparison) -> Table:
    """One table with the models as columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from zoo.text import clean_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    for name in comparison.names:
        table.add_column(Text(clean_text(name).replace("/", "/\n")), justify="right", no_wrap=True)
    for title, rows in comparison.sections.items():
        table.add_row(Text(title, style="bold cyan"), *("" for _ in comparison.names))
        for row in rows:
            style = "bold" if row.differs else "dim"
            cells = [
                Text(clean_text(mark_best(row, place)), style="bold green" if place in row.best else style)
                for place in range(len(comparison.names))
            ]
            table.add_row(Text(f"  {row.label}", style="" if row.differs else "dim"), *cells)
    return table
