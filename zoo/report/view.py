"""From rows to the view of a report: all numbers and words, frozen; templates only lay them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from zoo.errors import UsageError
from zoo.metrics.glossary import Metric
from zoo.report import sections as built
from zoo.report.charts import LONGEST
from zoo.report.format import cut_middle, format_count, format_time
from zoo.report.models import ReportModel, SourceRow, read_models
from zoo.report.sections import CONTEXTS

#: Where the curves of the cache begin, in tokens.
FIRST_POINT = 1 << 9


class Section(NamedTuple):
    """A part of the report: its anchor (also the name of its template and of its view), and its heading."""

    id: str
    title: str


SECTIONS = (
    Section("answer", "In short"),
    Section("key_parameters", "Key parameters"),
    Section("parameters", "Where the parameters are"),
    Section("attention", "Attention and experts"),
    Section("cache", "KV cache"),
    Section("memory", "Memory"),
    Section("compute", "Compute and scaling"),
    Section("provenance", "Provenance and checks"),
    Section("method", "How it is counted"),
    Section("glossary", "Glossary"),
)


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that the templates show. ``context`` is in tokens, ``created`` ISO 8601."""

    title: str
    short_title: str  #: for the head of each page
    subtitle: str
    generated: str
    created: str
    version: str
    context: int
    sections: tuple[Section, ...]
    answer: built.AnswerView
    key_parameters: built.KeyParametersView
    parameters: built.ParametersView
    attention: built.AttentionView
    cache: built.CacheView
    memory: built.MemoryView
    compute: built.ComputeView
    provenance: built.ProvenanceView
    glossary: tuple[Metric, ...]


def build_view(
    rows: Sequence[SourceRow],
    *,
    context: int = 1 << 15,
    title: str | None = None,
    notes: Sequence[str] = (),
    now: datetime,
    version: str = "",
) -> ReportView:
    """The report of ``rows`` at ``context`` tokens.

    ``notes`` say what was matched and left out; ``now`` is the moment at which the report says it was written.
    """
    scope = read_scope(rows, context, notes)
    name = title or name_report(scope.models)
    return ReportView(
        title=name,
        short_title=cut_middle(name, 70),
        subtitle=describe_selection(scope.models, context),
        generated=format_time(now),
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version,
        context=context,
        sections=SECTIONS,
        answer=built.build_answer(scope),
        key_parameters=built.build_key_parameters(scope),
        parameters=built.build_parameters(scope),
        attention=built.build_attention(scope),
        cache=built.build_cache(scope),
        memory=built.build_memory(scope),
        compute=built.build_compute(scope),
        provenance=built.build_provenance(scope),
        glossary=built.list_glossary(),
    )


def read_scope(rows: Sequence[SourceRow], context: int, notes: Sequence[str]) -> built.Scope:
    """The models, analysed at every length that the report needs."""
    contexts = choose_contexts(rows, context)
    models = read_models(rows, contexts)
    longest = max([m.max_context or 0 for m in models] + [context, CONTEXTS[-1]])
    curve = tuple(tokens for tokens in contexts if FIRST_POINT <= tokens <= min(longest, LONGEST))
    return built.Scope(models, context, curve, tuple(notes))


def choose_contexts(rows: Iterable[SourceRow], context: int) -> tuple[int, ...]:
    """Every length that the report needs: the table's, the curves', and the windows', where curves bend."""
    curve = {FIRST_POINT << i for i in range(LONGEST.bit_length() - FIRST_POINT.bit_length() + 1)}
    bends = {value for row in rows for key in ("sliding_window", "max_context") if (value := row.row.get(key))}
    return tuple(sorted({*CONTEXTS, context, *curve, *(int(b) for b in bends if FIRST_POINT < int(b) <= LONGEST)}))


def name_report(models: Sequence[ReportModel]) -> str:
    """A title from the names: of few models all, of many the number."""
    if len(models) > 3:
        return f"{len(models)} models compared"
    return " · ".join(m.label for m in models)


def describe_selection(models: Sequence[ReportModel], context: int) -> str:
    """What was compared and how old the facts are, in one line."""
    seen = sorted(moment[:10] for m in models if (moment := m.row.get("synced_at")))
    when = f", facts of {seen[0]}" + (f" to {seen[-1]}" if seen[0] != seen[-1] else "") if seen else ""
    count = "1 model" if len(models) == 1 else f"{len(models)} models"
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
