"""From rows to the view objects of a report: all numbers and words, frozen; templates only lay them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from zoo.errors import UsageError
from zoo.metrics.glossary import METRICS, Metric
from zoo.report import facts
from zoo.report.charts import LONGEST, Chart, draw_cache_chart, draw_parts_chart, trace_cache
from zoo.report.format import format_context, format_count, format_time, join_words
from zoo.report.models import ReportModel, SourceRow, describe_layers, read_models
from zoo.report.scatter import draw_size_chart
from zoo.report.strips import KINDS, draw_strip, draw_swatch
from zoo.report.summary import DEVICE_BYTES, Sentence, count_need, write_summary
from zoo.report.tables import (
    MOST_COLUMNS,
    SIDE_BY_SIDE,
    Cell,
    Fact,
    Head,
    Line,
    Table,
    bytes_cell,
    count_cell,
    head_model,
    lay_out,
    make_fact,
    no_cell,
    read_bytes,
    tabulate,
    text_cell,
)

#: Contexts of the table, beside the one that is asked for, in tokens.
CONTEXTS = (1 << 10, 1 << 13, 1 << 15, 1 << 17)
#: Where the curves of the cache begin.
FIRST_POINT = 1 << 9


class Section(NamedTuple):
    """A part of the report: its anchor, its heading, and the template of the same name."""

    id: str
    title: str


class Strip(NamedTuple):
    """The layers of one model: drawn, and in words."""

    head: Head
    depth: int
    svg: Markup
    words: str


class LegendEntry(NamedTuple):
    swatch: Markup
    kind: str
    meaning: str


class Unnumbered(NamedTuple):
    """A model without numbers, and why; ``reported`` is what the Hub says of its size."""

    head: Head
    reason: str
    reported: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that the templates show."""

    title: str
    subtitle: str
    generated: str
    created: str
    version: str
    context: int
    context_label: str
    sections: tuple[Section, ...]
    summary: tuple[Sentence, ...]
    answer: Table
    answer_notes: tuple[str, ...]
    unnumbered: tuple[Unnumbered, ...]
    key_parameters: tuple[Table, ...]
    reasons_why: tuple[Head, ...]
    parameters: tuple[Table, ...]
    parts: tuple[Table, ...]
    parts_chart: Chart | None
    strips: tuple[Strip, ...]
    legend: tuple[LegendEntry, ...]
    attention: tuple[Table, ...]
    experts: tuple[Table, ...]
    dense: str
    cache: tuple[Table, ...]
    cache_at: tuple[Table, ...]
    cache_chart: Chart | None
    cache_points: Table | None
    size_chart: Chart | None
    weights: tuple[Table, ...]
    fit: tuple[Table, ...]
    compute: tuple[Table, ...]
    scaling: tuple[Table, ...]
    provenance: tuple[Table, ...]
    checks: tuple[Table, ...]
    hub: tuple[Table, ...]
    warnings: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    glossary: tuple[Metric, ...]


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


def choose_contexts(rows: Iterable[SourceRow], context: int) -> tuple[int, ...]:
    """Every length that the report needs: the table's, the curves', and the windows', where curves bend."""
    curve = {FIRST_POINT << i for i in range(LONGEST.bit_length() - FIRST_POINT.bit_length() + 1)}
    bends = {value for row in rows for key in ("sliding_window", "max_context") if (value := row.row.get(key))}
    return tuple(sorted({*CONTEXTS, context, *curve, *(int(b) for b in bends if FIRST_POINT < int(b) <= LONGEST)}))


def build_view(
    rows: Sequence[SourceRow],
    *,
    context: int = 1 << 15,
    title: str | None = None,
    notes: Sequence[str] = (),
    now: datetime,
    version: str = "",
) -> ReportView:
    """The report of ``rows`` at ``context`` tokens; ``now`` is the moment that it says it was written."""
    contexts = choose_contexts(rows, context)
    models = read_models(rows, contexts)
    known = [m for m in models if m.reason is None]
    curves = [t for t in contexts if t in {FIRST_POINT, LONGEST} or FIRST_POINT < t < LONGEST]
    longest = max([m.max_context or 0 for m in known] + [context, CONTEXTS[-1]])
    curves = [t for t in curves if t <= longest]
    sparse = [m for m in known if m.is_sparse]
    return ReportView(
        title=title or name_report(models),
        subtitle=describe_selection(models, context),
        generated=format_time(now),
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version,
        context=context,
        context_label=format_context(context),
        sections=SECTIONS,
        summary=write_summary(models, context),
        answer=tabulate_answer(models, context),
        answer_notes=note_answer(models, context),
        unnumbered=tuple(Unnumbered(head_model(m), m.reason or "", _say_reported(m)) for m in models if m.reason),
        key_parameters=_lay_out("key", "Key parameters", facts.KEY_PARAMETERS, known, 8),
        reasons_why=tuple(fact.head for fact in facts.KEY_PARAMETERS) if len(known) > SIDE_BY_SIDE else (),
        parameters=_lay_out("params", "Total and active parameters, weights and biases", facts.PARAMETERS, known, 6),
        parts=_lay_out("parts", "Parameters by part", facts.part_facts(known), known, 6),
        parts_chart=draw_parts_chart(known, facts.list_parts(known), facts.PART_NAMES) if known else None,
        strips=tuple(draw_layers(m) for m in known if m.layers),
        legend=explain_kinds(known),
        attention=_lay_out("attention-facts", "Attention", facts.ATTENTION, known),
        experts=_lay_out("experts", "Mixture of experts", facts.EXPERTS, sparse),
        dense="" if len(sparse) == len(known) else _say_dense(known, sparse),
        cache=_lay_out("cache-token", "KV cache per token, windows and state", facts.CACHE, known),
        cache_at=_lay_out("cache-at", "Cache and state of one sequence", facts.context_facts(_columns(context)), known),
        cache_chart=draw_cache_chart(known, curves) if known else None,
        cache_points=tabulate_curves(known, curves),
        size_chart=draw_size_chart(known),
        weights=_lay_out("weights", "Bytes of the weights by data type", facts.WEIGHTS, known),
        fit=_lay_out("fit", "Weights and one sequence against one device", fit_facts(context), known),
        compute=_lay_out("flops", "Floating point operations", facts.compute_facts(context), known),
        scaling=_lay_out("scaling", "Compute-optimal training (Chinchilla)", facts.SCALING, known),
        provenance=_lay_out("sources", "Where the configs are from", facts.PROVENANCE, models),
        checks=_lay_out("checks", "Derived against reported", facts.CHECKS, models),
        hub=_lay_out("hub", "What the Hub says", facts.HUB, models),
        warnings=tuple((m.label, warning) for m in models for warning in list_warnings(m)),
        left_out=tuple(notes),
        glossary=list_glossary(),
    )


def _lay_out(
    name: str, caption: str, chosen: Sequence[Fact], models: Sequence[ReportModel], most: int = MOST_COLUMNS
) -> tuple[Table, ...]:
    return lay_out(name, caption, chosen, models, most) if models else ()


def _columns(context: int) -> tuple[int, ...]:
    return tuple(sorted({*CONTEXTS, context}))


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


def answer_facts(context: int) -> tuple[Fact, ...]:
    """The one table: what most people want to know first."""
    at = format_context(context)
    return (
        make_fact("params_total", lambda m: facts.short_cell(m.get("params.total"))),
        make_fact("params_active", lambda m: facts.short_cell(m.get("params.active")), label="Active"),
        make_fact("weights_bytes", lambda m: _with_sub(bytes_cell(m.get("weights.bytes")), m.get("weights.dtype"))),
        make_fact("kv_bytes_per_token", lambda m: count_cell(m.get("kv_cache.bytes_per_token")), unit="bytes"),
        Fact(Head(f"Cache at {at}", "bytes", "", f"Cache and state of one sequence of {context:,} tokens."),
             lambda m: bytes_cell(m.get(f"kv_cache.bytes_at.{context}"))),
        Fact(Head("Fits 80 GB", "", "", "Weights as stored and one sequence within 80 × 10⁹ bytes."),
             lambda m: _read_fit(m, context)),
    )  # fmt: skip


def tabulate_answer(models: Sequence[ReportModel], context: int) -> Table:
    """The one table; of many models without the second lines, so that it stays on the first page."""
    table = tabulate("at-a-glance", "The models at a glance", answer_facts(context), models)
    if not table.dense:
        return table
    lines = tuple(replace(line, cells=tuple(replace(cell, sub="") for cell in line.cells)) for line in table.lines)
    return replace(table, lines=lines)


def _with_sub(cell: Cell, sub: str | None) -> Cell:
    return Cell(cell.text, sub or "", cell.sort) if cell.sort else cell


def _read_fit(model: ReportModel, context: int) -> Cell:
    need = count_need(model, context)
    if need is None:
        return no_cell(numeric=False)
    return text_cell("✓ yes" if need <= DEVICE_BYTES else "✗ no", sub=bytes_cell(need).text)


def fit_facts(context: int) -> tuple[Fact, ...]:
    """Memory of weights and one sequence, against the device."""
    at = format_context(context)
    return (
        make_fact("weights_bytes", read_bytes("weights.bytes"), label="Weights as stored"),
        Fact(Head(f"Cache at {at}", "bytes"), read_bytes(f"kv_cache.bytes_at.{context}")),
        Fact(Head("Together", "bytes"), lambda m: bytes_cell(count_need(m, context))),
        Fact(Head("Left of 80 GB", "bytes"), lambda m: _read_left(m, context)),
        Fact(Head("Fits"), lambda m: _read_fit(m, context)),
        Fact(Head("Declares", "tokens"), lambda m: _read_declared(m, context)),
    )


def _read_left(model: ReportModel, context: int) -> Cell:
    need = count_need(model, context)
    return no_cell() if need is None else bytes_cell(DEVICE_BYTES - need)


def _read_declared(model: ReportModel, context: int) -> Cell:
    declared = model.max_context
    return count_cell(declared, f"less than {format_context(context)}" if declared and declared < context else "")


def note_answer(models: Sequence[ReportModel], context: int) -> tuple[str, ...]:
    """What must be known to read the one table rightly."""
    notes = []
    short = [m.label for m in models if m.max_context and m.max_context < context]
    if short:
        more = f"{join_words(short[:4])} and {len(short) - 4} more" if len(short) > 5 else join_words(short)
        notes.append(f"{more} {'declares' if len(short) == 1 else 'declare'} a context below {context:,} tokens.")
    twins = sum(len(m.source.twin_ids) for m in models)
    if twins:
        notes.append(f"{twins} further {'model shares' if twins == 1 else 'models share'} a fingerprint with one here.")
    guessed = [m.label for m in models if m.get("method") == "estimate"]
    if guessed:
        notes.append(f"Estimates, not exact: {join_words(guessed)}.")
    return tuple(notes)


def _say_reported(model: ReportModel) -> str:
    total = model.source.reported.get("total")
    return "the Hub reports no size" if total is None else f"the Hub reports {format_count(total)} stored elements"


def _say_dense(known: Sequence[ReportModel], sparse: Sequence[ReportModel]) -> str:
    if not sparse:
        return "No model here has experts: all are dense."
    dense = [m.label for m in known if not m.is_sparse]
    return f"Dense, without experts: {join_words(dense)}."


def draw_layers(model: ReportModel) -> Strip:
    """The strip of a model, and the same in words."""
    words = describe_layers(model.layers)
    window = model.get("attention.window")
    if window and any(layer.kind in ("sliding", "chunked") for layer in model.layers):
        words += f"; window {format_count(window)}"
    count = len(model.layers)
    name = "strip-" + "".join(c if c.isalnum() else "-" for c in model.repo_id)
    svg = draw_strip(name, f"{model.label}: {count} layers, {words}", model.layers)
    return Strip(head_model(model), count, svg, words)


def explain_kinds(models: Sequence[ReportModel]) -> tuple[LegendEntry, ...]:
    """The kinds of layer that occur, in the order of the legend."""
    seen = {layer.kind for m in models for layer in m.layers}
    return tuple(LegendEntry(draw_swatch(kind), kind, KINDS[kind].meaning) for kind in KINDS if kind in seen)


def tabulate_curves(models: Sequence[ReportModel], contexts: Sequence[int]) -> Table | None:
    """Every point that the cache chart draws: contexts as rows, models as columns."""
    curves = trace_cache(models, min(contexts), max(contexts)) if contexts else ()
    if not curves:
        return None
    sizes: list[Mapping[int, int]] = [{p.tokens: p.size for p in curve.points} for curve in curves]
    tokens = sorted({t for points in sizes for t in points})
    return Table(
        "cache-points",
        "All points of the chart, in bytes",
        "Tokens",
        tuple(Head(curve.label) for curve in curves),
        tuple(Line(Head(format_count(t)), tuple(count_cell(points.get(t)) for points in sizes)) for t in tokens),
        by_model=False,
    )


def list_warnings(model: ReportModel) -> tuple[str, ...]:
    """What the analysis warns of, and what stands in the way of a newer config."""
    found = list(model.facts["warnings"])
    if model.source.problem and model.reason is None:
        found.append(f"a newer config could not be read: {model.source.problem[1]}")
    if model.source.gone_at:
        found.append(f"no longer on the Hub since {model.source.gone_at[:10]}")
    return tuple(found)


def list_glossary() -> tuple[Metric, ...]:
    """The rows of the glossary that a report shows."""
    groups = (facts.KEY_PARAMETERS, facts.PARAMETERS, facts.ATTENTION, facts.CACHE, facts.EXPERTS, facts.WEIGHTS,
              facts.SCALING, facts.PROVENANCE, facts.CHECKS, facts.compute_facts(1))  # fmt: skip
    keys = {fact.key for group in groups for fact in group if fact.key}
    return tuple(metric for metric in METRICS if metric.key in keys)


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
