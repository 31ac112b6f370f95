"""``zoo report``: a comparison of models as one HTML file and as a PDF."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.report.view import ReportView

FORMATS = ("html", "pdf")


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    ctx: typer.Context,
    models: Annotated[
        str | None, typer.Option("--models", help="Ids, globs, families or pieces of names, by commas.")
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="html, pdf or both, by commas.")] = ",".join(FORMATS),
    out: Annotated[Path, typer.Option("--out", help="Folder for zoo-report.html and zoo-report.pdf.")] = Path("."),
    title: Annotated[str | None, typer.Option("--title", help="Heading of the report.")] = None,
    context: Annotated[
        str, typer.Option("--context", metavar="TOKENS", help="Length at which memory and compute are compared.")
    ] = "32k",
    top: Annotated[int | None, typer.Option("--top", min=1, help="Models that each term of --models keeps.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every match of --models, twins too.")] = False,
) -> None:
    """Compare models in a report: one HTML file that needs no network, and a PDF.

    Prints the paths of what it wrote. SOURCE_DATE_EPOCH sets the date of the report, for builds that can be repeated.
    """
    chosen = read_formats(fmt)
    folder = prepare_folder(out)
    view = collect_view(ctx.obj, models, title, context, top, all_models)
    written = {}
    for name in chosen:
        with show_progress(ctx.obj, f"writing zoo-report.{name}"):
            written[name] = write_format(view, name, folder)
        if not ctx.obj.json:
            typer.echo(written[name])
    if ctx.obj.json:
        ctx.obj.print_json({name: str(path) for name, path in written.items()})


def read_formats(text: str) -> list[str]:
    """The formats named, HTML first. Raises UsageError for one that there is not."""
    named = {word.strip().lower() for word in text.split(",") if word.strip()}
    if unknown := sorted(named - set(FORMATS)):
        raise UsageError(f"no format {unknown[0]!r:.40}: use html, pdf or html,pdf")
    if not named:
        raise UsageError("--format names no format: use html, pdf or html,pdf")
    return [name for name in FORMATS if name in named]


def prepare_folder(out: Path) -> Path:
    """The folder to write into, made if it is not there. Raises UsageError when it is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file: name a folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


def collect_view(
    ctx: Context, models: str | None, title: str | None, context: str, top: int | None, all_models: bool
) -> ReportView:
    """Select the models, and work out all that the report says of them; notes what was left out."""
    from zoo import __version__
    from zoo.db.select import select_models
    from zoo.report.view import build_view, read_moment
    from zoo.units import parse_context

    if models is None and not all_models:
        raise UsageError("name the models, such as --models llama,mistral, or take everything with --all")
    length = parse_context(context)
    now = read_moment(os.environ.get("SOURCE_DATE_EPOCH"))
    with show_progress(ctx, "reading models"):
        selection = select_models(ctx.open_engine(), [models or ""], top=top, all_models=all_models)
        for note in selection.notes:
            ctx.note(note)
        return build_view(
            selection.rows, context=length, title=title, notes=selection.notes, now=now, version=__version__
        )


def write_format(view: ReportView, name: str, folder: Path) -> Path:
    """Render one format and put it in its place in one step: a report that is there is whole."""
    from zoo.report.render import render_html, render_pdf

    renderers: dict[str, Callable[[], bytes]] = {
        "html": lambda: render_html(view).encode("utf-8"),
        "pdf": lambda: render_pdf(view),
    }
    path = folder / f"zoo-report.{name}"
    content = renderers[name]()
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
    return path


def show_progress(ctx: Context, message: str) -> AbstractContextManager[object]:
    """A spinner on a terminal, nothing elsewhere."""
    return ctx.err.status(message) if ctx.err.is_terminal and not ctx.quiet else nullcontext()
