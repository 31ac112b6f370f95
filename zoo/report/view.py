"""From rows to the view of a report: all numbers and words, frozen; templates only lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from zoo.errors import UsageError
from zoo.report.blocks import Section
from zoo.report.format import cut_middle, format_count, format_time
from zoo.report.models import ReportModel, SourceRow
from zoo.report.scope import Scope, read_scope
from zoo.report.sections import build_sections

Theme = Literal["auto", "light", "dark"]
Paper = Literal["a4", "letter"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the report. ``index`` is its number in tables and charts (``data-model``), the smallest model first.

    ``facts`` is its JSON as ``zoo analyze`` writes it; ``words`` is what a search finds it by.
    """

    index: int
    repo_id: str
    label: str
    words: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that the templates show. ``context`` is in tokens, ``created`` ISO 8601.

    ``is_ranked``: there are so many models that they are ranked instead of set side by side; ``base`` is the label of
    the model that the others are compared to.
    """

    title: str
    short_title: str  #: for the head of each page
    subtitle: str
    generated: str
    created: str
    version: str
    context: int
    theme: Theme
    paper: Paper
    is_ranked: bool
    base: str | None
    models: tuple[ModelEntry, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is to be. ``context`` in tokens; ``base``: the repo id that all are compared to, one of the rows.

    ``notes`` say what was matched and left out; ``sections`` names those to show, none for all.
    """

    context: int = 1 << 15
    title: str | None = None
    notes: tuple[str, ...] = ()
    base: str | None = None
    sections: tuple[str, ...] = ()
    theme: Theme = "auto"
    paper: Paper = "a4"

    def __post_init__(self) -> None:
        for name, value, known in (("theme", self.theme, get_args(Theme)), ("paper", self.paper, get_args(Paper))):
            if value not in known:
                raise UsageError(f"no {name} {value!r:.40}: use {', '.join(known)}")


def build_view(rows: Sequence[SourceRow], options: Options, *, now: datetime, version: str = "") -> ReportView:
    """The report of ``rows``; ``now`` is the moment at which it says it was written.

    Raises:
        UsageError: a section that is asked for is not there, or the base has no numbers.
    """
    scope = read_scope(rows, options.context, options.notes, options.base)
    name = options.title or name_report(scope)
    return ReportView(
        title=name,
        short_title=cut_middle(name, 70),
        subtitle=describe_selection(scope.models, options.context),
        generated=format_time(now),
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version,
        context=options.context,
        theme=options.theme,
        paper=options.paper,
        is_ranked=scope.is_ranked,
        base=scope.base.label if scope.base else None,
        models=tuple(list_entry(model) for model in scope.models),
        sections=build_sections(scope, options.sections),
    )


def list_entry(model: ReportModel) -> ModelEntry:
    words = (model.repo_id, model.get("family"), model.get("model_type"), model.get("attention.kind"))
    told = " ".join(str(word) for word in words if word)
    told += " sparse" if model.is_sparse else " dense" if model.reason is None else ""
    return ModelEntry(model.index, model.repo_id, model.label, cut_middle(told, 240), model.facts)


def name_report(scope: Scope) -> str:
    """A title from the names: of few models all, of many the number."""
    if len(scope.models) > 3:
        against = f" with {scope.base.label}" if scope.base else ""
        return f"{len(scope.models):,} models compared{against}"
    return " · ".join(m.label for m in scope.models)


def describe_selection(models: Sequence[ReportModel], context: int) -> str:
    """What was compared and how old the facts are, in one line."""
    seen = sorted(moment[:10] for m in models if (moment := m.row.get("synced_at")))
    when = f", facts of {seen[0]}" + (f" to {seen[-1]}" if seen[0] != seen[-1] else "") if seen else ""
    count = "1 model" if len(models) == 1 else f"{len(models):,} models"
    return f"{count} at a context of {format_count(context)} tokens{when}"


def read_moment(epoch: str | None) -> datetime:
    """The moment of a report: ``SOURCE_DATE_EPOCH`` (seconds) where it is set, else now.

    Raises:
        UsageError: it is set to something that is no whole number of seconds.
    """
    if not epoch:
        return datetime.now(UTC)
    if not epoch.isdecimal() or len(epoch) > 11:
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r:.40}: it must be a whole number of seconds")
    return datetime.fromtimestamp(int(epoch), UTC)
