"""``zoo history``: every config of a model that was seen, and what else became of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from zoo.db.history import EventRow
    from zoo.db.revisions import RevisionRow


def register(app: typer.Typer) -> None:
    app.command("history")(history)


def history(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A repo id (an earlier one too), or a piece of one.")],
) -> None:
    """One model over time: renamed, gated, gone, and what each new config changed. Times are UTC.

    Its commits can be compared: zoo diff MODEL@COMMIT MODEL@COMMIT.
    """
    from zoo.db.history import load_events
    from zoo.db.revisions import list_revisions

    context: Context = ctx.obj
    engine = context.open_engine()
    repo_id = find_model(ctx, engine, model)
    with engine.connect() as connection:
        events, revisions = load_events(connection, repo_id), list_revisions(connection, repo_id)
    told = tell_events(engine, [*tell_first(events, revisions), *list_untold(events, revisions)])
    if context.json:
        context.print_json({"repo_id": repo_id, "events": told, "revisions": list(map(write_revision, revisions))})
    else:
        print_history(context, repo_id, told)


def find_model(ctx: typer.Context, engine: Engine, name: str) -> str:
    """The model that ``name`` means, or once meant.

    Raises:
        NoMatch: none.
    """
    from zoo.cli.resolve import select_model
    from zoo.db.history import find_renamed

    with engine.connect() as connection:
        found = find_renamed(connection, name)
    if found is None:
        return select_model(ctx, name).repo_id
    ctx.obj.note(f"{name} is called {found} now")
    return found


def tell_first(events: list[EventRow], revisions: list[RevisionRow]) -> list[EventRow]:
    """``events``, of which ``new`` names the config and commit that the model had when it was seen first."""
    return [
        event._replace(after=revisions[0].config_sha256, sha=revisions[0].sha)
        if event.kind == "new" and revisions and revisions[0].seen_at == event.at
        else event
        for event in events
    ]


def list_untold(events: list[EventRow], revisions: list[RevisionRow]) -> list[EventRow]:
    """Commits that no event tells of: those that came before events were kept, or changed nothing, or from a cache."""
    from zoo.db.history import EventRow

    told = {(event.at, event.after) for event in events if event.kind == "config"}
    return [
        EventRow(row.repo_id, row.seen_at, "commit", before.config_sha256, row.config_sha256, row.sha)
        for before, row in pairwise(revisions)
        if (row.seen_at, row.config_sha256) not in told
    ]


def tell_events(engine: Engine, events: list[EventRow]) -> list[dict[str, Any]]:
    """``events`` in order, each as JSON with its words."""
    from zoo.db.revisions import read_configs
    from zoo.explain.changes import say_event

    kinds = ("new", "config", "commit")
    hashes = {name for event in events if event.kind in kinds for name in (event.before, event.after) if name}
    with engine.connect() as connection:
        configs = read_configs(connection, sorted(hashes))
    ordered = sorted(events, key=lambda event: event.at)
    return [write_event(event, say_event(event, configs)) for event in ordered]


def write_event(event: EventRow, words: list[str]) -> dict[str, Any]:
    """The JSON of one event."""
    return {
        "repo_id": event.repo_id,
        "at": event.at,
        "kind": event.kind,
        "before": event.before,
        "after": event.after,
        "sha": event.sha,
        "words": words,
    }


def write_revision(row: RevisionRow) -> dict[str, Any]:
    """The JSON of one revision."""
    return {
        "sha": row.sha,
        "config_sha256": row.config_sha256,
        "source": row.source,
        "seen_at": row.seen_at,
        "current": row.is_current,
    }


def print_history(context: Context, repo_id: str, told: list[dict[str, Any]]) -> None:
    """The name, then a line for each thing that is told."""
    from rich.text import Text

    from zoo.text import clean_text

    context.out.print(Text(clean_text(repo_id), style="bold"))
    for event in told:
        commit = f" [{event['sha'][:12]}]" if event["sha"] else ""
        for line in format_words(event, after=commit):
            context.out.print(Text(clean_text(line)))


def format_words(event: dict[str, Any], *, before: str = "", after: str = "") -> list[str]:
    """Each sentence of ``event`` on a line of its own; the first with its time, ``before`` and ``after`` around it."""
    time = event["at"].replace("T", " ").removesuffix("Z")
    first, *others = event["words"]
    return [f"{time}  {before}{first}{after}", *(f"{'':<{len(time)}}  {word}" for word in others)]
