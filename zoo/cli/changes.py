"""``zoo changes``: what changed in the zoo, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from zoo.db.history import Choice, ZooChanges

_MOMENT = "2026-03-01, 2026-03-01T09:30, yesterday, 12h, 7d, 2w"


def register(app: typer.Typer) -> None:
    app.command("changes")(changes)


def changes(
    ctx: typer.Context,
    since: Annotated[str, typer.Option("--since", metavar="DATE", help=f"From then on: {_MOMENT}.")] = "7d",
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Up to then; a day is included.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Changes that are shown at most, the newest.")] = 100,
    author: Annotated[str | None, typer.Option("--author", help="Only models of this user or organisation.")] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Only these: ids, globs, families or pieces of names, by commas.")
    ] = None,
) -> None:
    """What changed in the zoo, newest first: new models, new configs in words, renamed, gated, gone. Times are UTC.

    A change is dated by the sync that saw it.
    """
    from zoo.db.history import list_changes

    context: Context = ctx.obj
    engine = context.open_engine()
    choice = read_choice(engine, since, until, author, models)
    with engine.connect() as connection:
        found = list_changes(connection, choice, limit)
    if context.json:
        context.print_json(write_changes(engine, choice, found))
    else:
        print_changes(context, engine, choice, found)


def read_choice(engine: Engine, since: str, until: str | None, author: str | None, models: str | None) -> Choice:
    """What the options mean.

    Raises:
        UsageError: a date that is none, or an end before the beginning.
        NoMatch: no model is called so.
    """
    from zoo.db.history import Choice
    from zoo.db.select import match_term, split_terms
    from zoo.errors import UsageError
    from zoo.moments import parse_moment

    now = datetime.now(UTC)
    first = parse_moment(since, now)
    last = None if until is None else parse_moment(until, now, end=True)
    if last is not None and last <= first:
        raise UsageError(f"--until {until} is not after --since {since}")
    with engine.connect() as connection:
        matches = [match_term(connection, term)[1] for term in split_terms([models or ""])]
    repo_ids = None if models is None else {each.repo_id for found in matches for each in found}
    return Choice(first, last, author, repo_ids)


def write_changes(engine: Engine, choice: Choice, found: ZooChanges) -> dict[str, Any]:
    """The JSON of all."""
    from zoo.cli.history import tell_events
    from zoo.db.types import format_time

    return {
        "since": format_time(choice.since),
        "until": None if choice.until is None else format_time(choice.until),
        "counts": found.counts,
        "total": found.total,
        "changes": tell_events(engine, found.rows[::-1])[::-1],
    }


def print_changes(context: Context, engine: Engine, choice: Choice, found: ZooChanges) -> None:
    """How many there are of each kind, then a line for each."""
    from rich.text import Text

    from zoo.cli.history import format_words
    from zoo.text import clean_text

    document = write_changes(engine, choice, found)
    ending = "" if choice.until is None else f" and before {document['until']}"
    if not found.rows:
        context.out.print(f"nothing changed since {document['since']}{ending}")
        return
    told = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in found.counts.items())
    context.out.print(f"since {document['since']}{ending}: {told}")
    for event in document["changes"]:
        for line in format_words(event, before=f"{event['repo_id']}: "):
            context.out.print(Text(clean_text(line)))
    if found.total > len(found.rows):
        context.note(f"{len(found.rows):,} of {found.total:,} changes (--limit shows more)")
