"""``zoo sync``: bring models into the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from zoo.sources.hub_progress import CrawlProgress
    from zoo.sync import Advance, Summary
    from zoo.sync_plan import SyncRequest

#: Models with a problem that are printed, each on a line.
MOST_LINES = 100


#: Models between two updates of the progress line: each costs as much as some rows.
STEP = 20


def register(app: typer.Typer) -> None:
    app.command("sync")(sync)


def sync(
    ctx: typer.Context,
    terms: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TERM]...", help="author/name, a glob ('google/gemma-*'), or a piece of a name."),
    ] = None,
    source: Annotated[
        str, typer.Option("--source", metavar="SOURCE", help="auto, hub, cache, snapshot, or a path.")
    ] = "auto",
    author: Annotated[str | None, typer.Option("--author", help="All models of a user or organisation.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Models that the Hub's search finds.")] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="The N most downloaded (of each TERM, of the search).")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every model of the Hub.")] = False,
    watchlist: Annotated[
        Path | None, typer.Option("--watchlist", metavar="FILE", help="A TOML file with groups of model ids.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, tag or commit of the models that are named.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, help="Requests to the Hub in flight.")] = 32,
    full: Annotated[bool, typer.Option("--full", help="Fetch configs again whose commit is known.")] = False,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Send no token to the Hub.")] = False,
    budget: Annotated[
        float,
        typer.Option("--budget", min=0.01, max=1.0, metavar="SHARE", help="Share of the Hub's limits to use."),
    ] = 0.8,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only the models that failed the last time.")
    ] = False,
) -> None:
    """Bring models into the database, from the Hub or from this machine.

    With nothing named, the watch list. When the Hub cannot be reached, --source auto loads the bundled snapshot.
    What is interrupted goes on where it was when it is run again; what was saved is not fetched twice.
    """
    from zoo.sources.selection import build_selection
    from zoo.sync_plan import SyncRequest

    selection = build_selection(
        terms or (), author=author, search=search, top=top, everything=everything, revision=revision
    )
    request = SyncRequest(source, selection, watchlist, jobs, full, anonymous, budget, retry_failed)
    run_request(ctx.obj, request)


def run_request(context: Context, request: SyncRequest) -> None:
    """One sync at a time: the lock, the progress line, the summary, and the exit code that it comes to."""
    from zoo.sources.hub_progress import CrawlProgress
    from zoo.sync import check_outcome
    from zoo.sync_lock import hold_sync_lock
    from zoo.sync_plan import run_sync, suggest_names
    from zoo.sync_store import SyncStore

    store, progress = SyncStore(context.open_store()), CrawlProgress()
    with hold_sync_lock(store.engine, warn), show_progress(context, progress) as advance:
        summary = run_sync(request, store, advance=advance, progress=progress, say=warn)
    print_summary(context, summary)
    check_outcome(summary, suggest_names)


def warn(message: str) -> None:
    """Said under ``--quiet`` as well: the person gets something else than was asked for."""
    from zoo.text import clean_text

    typer.echo(f"zoo: {clean_text(message)}", err=True)


@contextmanager
def show_progress(context: Context, crawl: CrawlProgress) -> Iterator[Advance]:
    """A line on stderr that tells how far it is and how long it will take; nothing where stderr is no terminal."""
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
    from rich.text import Text

    class Described(ProgressColumn):
        def render(self, task: Task) -> Text:
            said = crawl.describe() if crawl.listed else f"{int(task.completed):,} models"
            return Text(said)

    console = context.err
    if not console.is_terminal:
        yield lambda record: None
        return
    columns = (SpinnerColumn(), Described(), TimeElapsedColumn())
    counted = count(1)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("models", total=None)

        def advance(record: object) -> None:
            done = next(counted)
            if not done % STEP:
                progress.update(task, completed=done)

        yield advance


def print_summary(context: Context, summary: Summary) -> None:
    if context.json:
        context.print_json(summary.to_json())
        return
    from zoo.text import clean_text

    for note in summary.notes:
        context.note(note)
    if summary.unmatched:
        context.note(f"nothing matched: {', '.join(summary.unmatched)}")
    for line in list_lines(summary):
        context.out.print(clean_text(line))


def list_lines(summary: Summary) -> list[str]:
    """The summary as lines of text: the counts, then every model with a problem."""
    counts = {"new": summary.new, "changed": summary.changed, "unchanged": summary.unchanged}
    kinds = {kind.replace("_", " "): count for kind, count in summary.count_kinds().items()}
    told = ", ".join(f"{count:,} {name}" for name, count in {**counts, **kinds}.items())
    lines = [f"{summary.source}: {told}"]
    shown = summary.problems[:MOST_LINES]
    lines += [f"  {kind.replace('_', ' ')}: {repo_id}: {message}" for repo_id, kind, message in shown]
    left = summary.by_kind.total() - len(shown)
    return [*lines, f"  and {left:,} more in the view sync_errors"] if left else lines
