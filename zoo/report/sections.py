"""The sections of a report: for each a frozen view of what its template shows, and the function that builds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from markupsafe import Markup

from zoo.metrics.glossary import METRICS, Metric
from zoo.report import facts
from zoo.report.charts import Chart, draw_cache_chart, draw_parts_chart, trace_cache
from zoo.report.format import cut_middle, format_context, format_count, join_words
from zoo.report.models import ReportModel, describe_layers
from zoo.report.scatter import draw_size_chart
from zoo.report.strips import KINDS, draw_strip, draw_swatch
from zoo.report.summary import DEVICE_BYTES, Sentence, count_need, write_summary
from zoo.report.tables import (
    MOST_COLUMNS,
    MOST_TEXT,
    SIDE_BY_SIDE,
    Cell,
    Fact,
    Head,
    Line,
    Table,
    bytes_cell,
    count_cell,
    head_model,
    head_source,
    lay_out,
    make_fact,
    no_cell,
    read_bytes,
    tabulate,
    text_cell,
)

#: Contexts of the table, beside the one that is asked for, in tokens.
CONTEXTS = (1 << 10, 1 << 13, 1 << 15, 1 << 17)

Tables = tuple[Table, ...]

#: Of the models that share a fingerprint, so many are named.
MOST_TWINS = 12


@dataclass(frozen=True, slots=True)
class Scope:
    """What every section is built from. ``curve``: the lengths at which the cache is drawn, in tokens."""

    models: tuple[ReportModel, ...]
    context: int
    curve: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def known(self) -> tuple[ReportModel, ...]:
        """The models that have numbers."""
        return tuple(m for m in self.models if m.reason is None)


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
class AnswerView:
    """Page one: sentences, the one table, and what must be known to read it rightly."""

    summary: tuple[Sentence, ...]
    table: Table
    notes: tuple[str, ...]
    unnumbered: tuple[Unnumbered, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyParametersView:
    """``reasons``: why each matters, where the tables have no room to say it."""

    tables: Tables
    reasons: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class ParametersView:
    totals: Tables
    chart: Chart | None
    parts: Tables


@dataclass(frozen=True, slots=True)
class AttentionView:
    """``dense`` names the models without experts, in a sentence."""

    strips: tuple[Strip, ...]
    legend: tuple[LegendEntry, ...]
    tables: Tables
    experts: Tables
    dense: str


@dataclass(frozen=True, slots=True)
class CacheView:
    """``points`` holds all that ``chart`` draws."""

    per_token: Tables
    chart: Chart | None
    at: Tables
    points: Table | None
    size_chart: Chart | None


@dataclass(frozen=True, slots=True)
class MemoryView:
    weights: Tables
    fit: Tables


@dataclass(frozen=True, slots=True)
class ComputeView:
    flops: Tables
    scaling: Tables


@dataclass(frozen=True, slots=True)
class ProvenanceView:
    """``warnings``: the name of the model, and the sentence; ``twins``: its name, and those it stands for too."""

    sources: Table
    checks: Tables
    hub: Tables
    warnings: tuple[tuple[str, str], ...]
    twins: tuple[tuple[str, str], ...]


def build_answer(scope: Scope) -> AnswerView:
    return AnswerView(
        summary=write_summary(scope.models, scope.context),
        table=tabulate_answer(scope.models, scope.context),
        notes=note_answer(scope.models, scope.context),
        unnumbered=list_unnumbered(scope.models),
        left_out=scope.notes,
    )


def build_key_parameters(scope: Scope) -> KeyParametersView:
    reasons = tuple(fact.head for fact in facts.KEY_PARAMETERS) if len(scope.known) > SIDE_BY_SIDE else ()
    return KeyParametersView(_lay_out("key", "Key parameters", facts.KEY_PARAMETERS, scope.known, 8), reasons)


def build_parameters(scope: Scope) -> ParametersView:
    known = scope.known
    return ParametersView(
        totals=_lay_out("params", "Total and active parameters, weights and biases", facts.PARAMETERS, known, 6),
        chart=draw_parts_chart(known, facts.list_parts(known), facts.PART_NAMES) if known else None,
        parts=_lay_out("parts", "Parameters by part", facts.part_facts(known), known, 6),
    )


def build_attention(scope: Scope) -> AttentionView:
    known = scope.known
    sparse = [m for m in known if m.is_sparse]
    return AttentionView(
        strips=tuple(draw_layers(m) for m in known if m.layers),
        legend=explain_kinds(known),
        tables=_lay_out("attention-facts", "Attention", facts.ATTENTION, known),
        experts=_lay_out("experts", "Mixture of experts", facts.EXPERTS, sparse),
        dense="" if len(sparse) == len(known) else _say_dense(known, sparse),
    )


def build_cache(scope: Scope) -> CacheView:
    known = scope.known
    lengths = sorted({*CONTEXTS, scope.context})
    return CacheView(
        per_token=_lay_out("cache-token", "KV cache per token, windows and state", facts.CACHE, known),
        chart=draw_cache_chart(known, scope.curve) if known else None,
        at=_lay_out("cache-at", "Cache and state of one sequence", facts.context_facts(lengths), known),
        points=tabulate_curves(known, scope.curve),
        size_chart=draw_size_chart(known),
    )


def build_memory(scope: Scope) -> MemoryView:
    return MemoryView(
        weights=_lay_out("weights", "Bytes of the weights by data type", facts.WEIGHTS, scope.known),
        fit=_lay_out("fit", "Weights and one sequence against one device", fit_facts(scope.context), scope.known),
    )


def build_compute(scope: Scope) -> ComputeView:
    return ComputeView(
        flops=_lay_out("flops", "Floating point operations", facts.compute_facts(scope.context), scope.known),
        scaling=_lay_out("scaling", "Compute-optimal training (Chinchilla)", facts.SCALING, scope.known),
    )


def build_provenance(scope: Scope) -> ProvenanceView:
    models = scope.models
    return ProvenanceView(
        sources=tabulate("sources", "Where the configs are from", facts.PROVENANCE, models, head_source),
        checks=_lay_out("checks", "Derived against reported", facts.CHECKS, models),
        hub=_lay_out("hub", "What the Hub says", facts.HUB, models),
        warnings=tuple((m.label, warning) for m in models for warning in list_warnings(m)),
        twins=tuple((m.label, list_twins(m)) for m in models if m.source.twin_ids),
    )


def _lay_out(
    name: str, caption: str, chosen: Sequence[Fact], models: Sequence[ReportModel], most: int = MOST_COLUMNS
) -> Tables:
    return lay_out(name, caption, chosen, models, most) if models else ()


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
        share = "model shares" if twins == 1 else "models share"
        notes.append(f"{twins} further {share} a fingerprint with one here (named under provenance).")
    guessed = [m.label for m in models if m.get("method") == "estimate"]
    if guessed:
        notes.append(f"Estimates, not exact: {join_words(guessed)}.")
    return tuple(notes)


def list_unnumbered(models: Sequence[ReportModel]) -> tuple[Unnumbered, ...]:
    """The models that could not be counted, each with its reason."""
    return tuple(
        Unnumbered(head_source(m), cut_middle(m.reason, MOST_TEXT), _say_reported(m)) for m in models if m.reason
    )


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
    return tuple(cut_middle(warning, MOST_TEXT) for warning in found)


def list_twins(model: ReportModel) -> str:
    """The models of the same fingerprint that were matched and are not shown by themselves."""
    ids = [cut_middle(repo_id, MOST_TEXT) for repo_id in model.source.twin_ids]
    return ", ".join(ids[:MOST_TWINS]) + (f" and {len(ids) - MOST_TWINS:,} more" if len(ids) > MOST_TWINS else "")


def list_glossary() -> tuple[Metric, ...]:
    """The rows of the glossary that a report shows."""
    groups = (facts.KEY_PARAMETERS, facts.PARAMETERS, facts.ATTENTION, facts.CACHE, facts.EXPERTS, facts.WEIGHTS,
              facts.SCALING, facts.PROVENANCE, facts.CHECKS, facts.compute_facts(1))  # fmt: skip
    keys = {fact.key for group in groups for fact in group if fact.key}
    return tuple(metric for metric in METRICS if metric.key in keys)
