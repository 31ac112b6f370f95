"""``zoo report``: a comparison of models as HTML, PDF, Markdown, JSON or a workbook."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.report.view import Options, ReportView

FORMATS = ("html", "pdf", "md", "json", "xlsx")
DEFAULT = "html,pdf"


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    ctx: typer.Context,
    models: Annotated[
        str | None, typer.Option("--models", help="Ids, globs, families or pieces of names, by commas.")
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="html, pdf, md, json, xlsx: one or more, by commas.")] = DEFAULT,
    out: Annotated[Path, typer.Option("--out", help="Folder for zoo-report.html, zoo-report.pdf …")] = Path("."),
    title: Annotated[str | None, typer.Option("--title", help="Heading of the report.")] = None,
    context: Annotated[
        str, typer.Option("--context", metavar="TOKENS", help="Length at which memory and compute are compared.")
    ] = "32k",
    compare_to: Annotated[
        str | None, typer.Option("--compare-to", metavar="MODEL", help="Show how every model differs from this one.")
    ] = None,
    sections: Annotated[
        str | None, typer.Option("--sections", help="Only these, by commas, such as answer,cache,memory.")
    ] = None,
    theme: Annotated[str, typer.Option("--theme", help="Of the HTML: auto, light or dark.")] = "auto",
    paper: Annotated[str, typer.Option("--paper", help="Of the PDF: a4 or letter.")] = "a4",
    template: Annotated[
        Path | None, typer.Option("--template", metavar="DIR", help="Folder whose files stand in for zoo's own.")
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Models that each term of --models keeps.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every match of --models, twins too.")] = False,
) -> None:
    """Compare models in a report: one HTML file that needs no network, a PDF, Markdown, JSON or a workbook.

    Up to 20 models stand side by side; more are ranked, with a summary of each family. Prints the paths of what it
    wrote. SOURCE_DATE_EPOCH sets the date of the report, for builds that can be repeated.
    """
    chosen = read_formats(fmt)
    if models is None and not all_models:
        raise UsageError("name the models, such as --models llama,mistral, or take everything with --all")
    options = read_options(title, context, sections, theme, paper)
    folder = prepare_folder(out)
    check_template(template)
    view = collect(ctx.obj, models, options, compare_to, top, all_models)
    written = {}
    for name in chosen:
        with show_progress(ctx.obj, f"writing zoo-report.{name}"):
            written[name] = write_format(view, name, folder, template)
        if not ctx.obj.json:
            typer.echo(written[name])
    if ctx.obj.json:
        ctx.obj.print_json({name: str(path) for name, path in written.items()})


def read_formats(text: str) -> list[str]:
    """The formats named, HTML first. Raises UsageError for one that there is not."""
    named = {word.strip().lower() for word in text.split(",") if word.strip()}
    if unknown := sorted(named - set(FORMATS)):
        raise UsageError(f"no format {unknown[0]!r:.40}: use {', '.join(FORMATS)}")
    if not named:
        raise UsageError(f"--format names no format: use {', '.join(FORMATS)}")
    return [name for name in FORMATS if name in named]


def read_options(title: str | None, context: str, sections: str | None, theme: str, paper: str) -> Options:
    """How the report is to be. Raises UsageError for a theme, a paper or a context that there is not."""
    from zoo.report.view import Options
    from zoo.units import parse_context

    wanted = tuple(word.strip() for word in (sections or "").split(",") if word.strip())
    return Options(
        context=parse_context(context),
        title=title,
        sections=wanted,
        theme=theme.lower(),  # type: ignore[arg-type]  # checked there
        paper=paper.lower(),  # type: ignore[arg-type]  # the same
    )


def prepare_folder(out: Path) -> Path:
    """The folder to write into, made if it is not there. Raises UsageError when it is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file: name a folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


def check_template(folder: Path | None) -> None:
    """Raises UsageError for a folder of templates that is not there, or holds none."""
    if folder is not None:
        from zoo.report.render import Sources

        Sources(folder)


def collect(
    ctx: Context, models: str | None, options: Options, base: str | None, top: int | None, all_models: bool
) -> ReportView:
    """The view of the report; notes what was left out."""
    from zoo.report.notebook import collect_view

    with show_progress(ctx, "reading models"):
        view, notes = collect_view(
            ctx.open_engine(), [models or ""], options, base=base, top=top, all_models=all_models
        )
    for note in notes:
        ctx.note(note)
    return view


def write_format(view: ReportView, name: str, folder: Path, template: Path | None = None) -> Path:
    """Render one format and put it in its place in one step: a report that is there is whole."""
    from zoo.report.notebook import find_writer

    path = folder / f"zoo-report.{name}"
    content = find_writer(name)(view, template)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
    return path


def show_progress(ctx: Context, message: str) -> AbstractContextManager[object]:
    """A spinner on a terminal, nothing elsewhere."""
    return ctx.err.status(message) if ctx.err.is_terminal and not ctx.quiet else nullcontext()
