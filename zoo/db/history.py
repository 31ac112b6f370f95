"""What became of models: the events of one, and what changed in the whole zoo between two moments."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, any_, func, literal, null, select

from zoo.db.tables import Analysis, Config, Event, Model, Revision, table_of

_PARAMS = table_of(Analysis).c["params_total"]


class EventRow(NamedTuple):
    """One thing that became of a model, as the view ``events`` has it; or ``new``: the model was seen first.

    ``repo_id`` is the name that the model has now. ``family`` and ``params`` are those that a new one then had.
    """

    repo_id: str
    at: str
    kind: str
    before: str | None
    after: str | None
    sha: str | None
    family: str | None = None
    params: int | None = None


class ZooChanges(NamedTuple):
    """``counts``: how many there are of each kind; ``rows``: the newest of them, newest first."""

    counts: dict[str, int]
    rows: list[EventRow]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Choice(NamedTuple):
    """Which changes are meant: from ``since`` up to but not with ``until``, of an author, of models by their ids."""

    since: datetime
    until: datetime | None = None
    author: str | None = None
    repo_ids: Collection[str] | None = None


def load_events(connection: Connection, repo_id: str) -> list[EventRow]:
    """What became of ``repo_id`` (any case) in order, from the moment that it was seen first."""
    is_it = Model.repo_key == repo_id.lower()
    new = connection.execute(_select_new().where(is_it)).all()
    events = connection.execute(_select_events().where(is_it).order_by(Event.at, Event.id)).all()
    return [EventRow(*row) for row in (*new, *events)]


def find_renamed(connection: Connection, name: str) -> str | None:
    """The model that was once called ``name`` (any case), where no other is called so now."""
    if connection.scalar(select(Model.id).where(Model.repo_key == name.lower())) is not None:
        return None
    query = (
        select(Model.repo_id)
        .join(Event, Event.model_id == Model.id)
        .where(Event.kind == "renamed", func.lower(Event.before) == name.lower())
        .order_by(Event.at.desc())
    )
    return connection.scalar(query.limit(1))


def list_changes(connection: Connection, choice: Choice, limit: int) -> ZooChanges:
    """The changes that ``choice`` means, ``limit`` at most of them in rows."""
    who = _list_conditions(connection, choice)
    then, happened = (*_list_bounds(Model.first_seen, choice), *who), (*_list_bounds(Event.at, choice), *who)
    count_new = select(literal("new"), func.count()).select_from(Model).where(*then)
    count_events = select(Event.kind, func.count()).join(Model, Model.id == Event.model_id).where(*happened)
    found = [*connection.execute(count_new), *connection.execute(count_events.group_by(Event.kind))]
    new, events = _select_new().where(*then), _select_events().where(*happened)
    rows = [
        *connection.execute(events.order_by(Event.at.desc(), Event.id.desc()).limit(limit)),
        *connection.execute(new.order_by(Model.first_seen.desc(), Model.id.desc()).limit(limit)),
    ]
    newest = sorted((EventRow(*row) for row in rows), key=attrgetter("at"), reverse=True)
    return ZooChanges({kind: count for kind, count in sorted(map(tuple, found)) if count}, newest[:limit])


def _select_events() -> Select[Any]:
    columns = (Event.kind, Event.before, Event.after, Event.sha)
    return select(Model.repo_id, Event.at.cast(Text).label("at"), *columns).join(Event, Event.model_id == Model.id)


def _select_new() -> Select[Any]:
    none = null()
    columns = (literal("new").label("kind"), none.label("before"), none.label("after"), none.label("sha"))
    family = table_of(Analysis).c["family"]
    first = select(Revision.config_id).where(Revision.model_id == Model.id, Revision.seen_at == Model.first_seen)
    config_id = first.order_by(Revision.id).limit(1).scalar_subquery()
    return (
        select(Model.repo_id, Model.first_seen.cast(Text).label("at"), *columns, family, _PARAMS)
        .select_from(Model)
        .outerjoin(Config, Config.id == config_id)
        .outerjoin(table_of(Analysis), table_of(Analysis).c["id"] == Config.analysis_id)
    )


def _list_bounds(column: Any, choice: Choice) -> list[ColumnElement[bool]]:
    until = [] if choice.until is None else [column < choice.until]
    return [column >= choice.since, *until]


def _list_conditions(connection: Connection, choice: Choice) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if choice.author is not None:
        conditions.append(func.lower(Model.author) == choice.author.lower())
    if choice.repo_ids is not None:
        conditions.append(_is_one_of(connection, choice.repo_ids))
    return conditions


def _is_one_of(connection: Connection, repo_ids: Collection[str]) -> ColumnElement[bool]:
    """One parameter, however many ids there are."""
    if connection.dialect.name == "sqlite":
        return Model.repo_id.in_(select(func.json_each(json.dumps(list(repo_ids))).table_valued("value").c.value))
    return Model.repo_id == any_(literal(list(repo_ids)))
