"""Page one: what was compared, the sentences that matter, the one table, and what must be known to read it rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zoo.report import facts
from zoo.report.blocks import Block, Blocks, Item, Items, Prose, Summary
from zoo.report.format import cut_middle, format_context, format_count, join_words
from zoo.report.models import ReportModel
from zoo.report.scope import Scope
from zoo.report.sections.ranking import tabulate_families
from zoo.report.summary import DEVICE_BYTES, count_need, write_summary
from zoo.report.tables import (
    MOST_TEXT,
    Cell,
    Fact,
    Head,
    Table,
    bytes_cell,
    count_cell,
    make_fact,
    mark_changes,
    no_cell,
    tabulate,
    text_cell,
)

UNITS = (
    "GB = 10⁹ bytes, GiB = 2³⁰ bytes. Memory is that of weights and cache; activations and the runtime’s own needs "
    "come on top. – means that there is no such number, never zero."
)
#: Families in the table of the first page.
MOST_FAMILIES = 12
#: Models without numbers that are named, and sentences on what was left out.
MOST_ITEMS = 20


def build_answer(scope: Scope) -> Blocks:
    table = tabulate_families(scope, MOST_FAMILIES) if scope.is_ranked else tabulate_answer(scope)
    blocks: list[Block] = [Summary(write_summary(scope.models, scope.context, scope.base)), table]
    if scope.base is not None:
        blocks.append(Prose(f"Small figures in brackets compare with {scope.base.label}; = is the same.", note=True))
    blocks += [Prose(note, note=True) for note in note_answer(scope.models, scope.context)]
    blocks.append(Prose(UNITS, note=True))
    if unnumbered := list_unnumbered(scope.models):
        blocks.append(Items("Without numbers", cut_list(unnumbered), callout=True))
    if scope.notes:
        left_out = [Item("", cut_middle(note, MOST_TEXT)) for note in scope.notes]
        blocks.append(Items("What was matched and left out", cut_list(left_out), callout=True))
    return tuple(blocks)


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
             lambda m: read_fit(m, context)),
    )  # fmt: skip


def tabulate_answer(scope: Scope) -> Table:
    """The one table; of many models without the second lines, so that it stays on the first page."""
    chosen: Sequence[Fact] = answer_facts(scope.context)
    if scope.base is not None:
        chosen = [replace(fact, read=mark_changes(fact.read, scope.base)) for fact in chosen]
    table = tabulate("at-a-glance", "The models at a glance", chosen, scope.models)
    if not table.dense:
        return table
    lines = tuple(replace(line, cells=tuple(replace(cell, sub="") for cell in line.cells)) for line in table.lines)
    return replace(table, lines=lines)


def _with_sub(cell: Cell, sub: str | None) -> Cell:
    return replace(cell, sub=sub or "") if cell.sort else cell


def read_fit(model: ReportModel, context: int) -> Cell:
    """Whether weights as stored and one sequence fit on the device, and what they need."""
    need = count_need(model, context)
    if need is None:
        return no_cell(numeric=False)
    return text_cell("✓ yes" if need <= DEVICE_BYTES else "✗ no", sub=bytes_cell(need).text)


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
        notes.append(f"{twins:,} further {share} a fingerprint with one here (named under provenance).")
    guessed = [m.label for m in models if m.get("method") == "estimate"]
    if guessed:
        notes.append(f"Estimates, not exact: {join_words(guessed)}.")
    return tuple(notes)


def list_unnumbered(models: Sequence[ReportModel]) -> list[Item]:
    """The models that could not be counted, each with its reason and what the Hub says of its size."""
    return [Item(m.repo_id, f"{cut_middle(m.reason, MOST_TEXT)} ({_say_reported(m)}).") for m in models if m.reason]


def _say_reported(model: ReportModel) -> str:
    total = model.source.reported.get("total")
    return "the Hub reports no size" if total is None else f"the Hub reports {format_count(total)} stored elements"


def cut_list(items: Sequence[Item]) -> tuple[Item, ...]:
    """The first items; how many more there are stands in the last."""
    if len(items) <= MOST_ITEMS + 1:
        return tuple(items)
    return (*items[:MOST_ITEMS], Item("", f"and {len(items) - MOST_ITEMS:,} more."))
