"""Many models: families in a row each, who leads, where everybody stands, and all models ranked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from zoo.report import facts
from zoo.report.blocks import Blocks, Prose
from zoo.report.format import cut_middle, format_context, format_count, format_short
from zoo.report.models import ReportModel
from zoo.report.scatter import draw_size_chart
from zoo.report.scope import Scope
from zoo.report.summary import DEVICE_BYTES, count_need
from zoo.report.tables import (
    Cell,
    Fact,
    Head,
    Line,
    Table,
    bytes_cell,
    count_cell,
    head_source,
    make_fact,
    mark_changes,
    no_cell,
    share_cell,
    tabulate,
    text_cell,
)
from zoo.report.timeline import draw_timeline

#: Columns of the ranking that are compared to a base.
COMPARED = ("Parameters", "Active", "Weights", "KV / token")
#: Rows of each list of leaders.
MOST_LEADERS = 10


def build_families(scope: Scope) -> Blocks:
    return (Prose("Models of one family have one architecture or are made from it."), tabulate_families(scope))


def group_families(models: Sequence[ReportModel]) -> list[tuple[str, list[ReportModel]]]:
    """Families by their number of models, the largest first."""
    groups: dict[str, list[ReportModel]] = {}
    for model in models:
        groups.setdefault(str(model.get("family") or "other"), []).append(model)
    return sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def tabulate_families(scope: Scope, most: int | None = None) -> Table:
    """One row a family; with ``most``, the largest families alone, as page one shows them."""
    groups = group_families(scope.known)
    at = format_context(scope.context)
    columns = (
        Head("Models"), Head("Parameters", "from – to"), Head("KV cache per token", "bytes, from – to"),
        Head("Attention"), Head("Sparse"), Head("Fit 80 GB", f"at {at}"), Head("Newest"),
    )  # fmt: skip
    shown = groups[:most]
    lines = tuple(Line(Head(cut_middle(name, 40)), describe_family(models, scope.context)) for name, models in shown)
    caption = f"{len(groups)} families" + ("" if most is None else " at a glance")
    if len(shown) < len(groups):
        caption = f"The {len(shown)} families with most models, of {len(groups)}"
    name = "families-table" if most is None else "at-a-glance"
    return Table(name, caption, "Family", columns, lines, by_model=False, ordered=True)


def describe_family(models: Sequence[ReportModel], context: int) -> tuple[Cell, ...]:
    sizes = sorted(m.get("params.total") for m in models)
    growths = sorted(g for m in models if (g := m.get("kv_cache.bytes_per_token")) is not None)
    kinds = Counter(str(m.get("attention.kind")) for m in models)
    needs = [need for m in models if (need := count_need(m, context)) is not None]
    days = [day for m in models if (day := str(m.row.get("created_at") or "")[:7])]
    return (
        count_cell(len(models)),
        write_range(sizes, format_short),
        write_range(growths, format_count),
        text_cell(", ".join(kind for kind, _ in kinds.most_common(3))),
        count_cell(sum(m.is_sparse for m in models)),
        count_cell(sum(need <= DEVICE_BYTES for need in needs)),
        text_cell(max(days, default=None)),
    )


def write_range(values: Sequence[int], write: Callable[[int], str]) -> Cell:
    """From the least to the most; sorted by the most."""
    if not values:
        return no_cell()
    low, high = write(values[0]), write(values[-1])
    return Cell(low if low == high else f"{low} – {high}", sort=str(values[-1]))


def build_leaders(scope: Scope) -> Blocks:
    """The best of the field in three ways."""
    known, context, at = scope.known, scope.context, format_context(scope.context)
    growing = [m for m in known if m.get("kv_cache.bytes_per_token")]
    fitting = [m for m in known if (need := count_need(m, context)) is not None and need <= DEVICE_BYTES]
    sparse = [m for m in known if m.is_sparse and m.get("params.active")]
    chosen = leader_facts(context)
    lists = (
        ("largest-fit", f"The largest that fit in 80 × 10⁹ bytes with {at} tokens of context",
         sorted(fitting, key=lambda m: (-m.get("params.total"), m.repo_id))),
        ("least-cache", "The smallest growing KV cache for each parameter",
         sorted(growing, key=lambda m: (m.get("kv_cache.bytes_per_token") / m.get("params.total"), m.repo_id))),
        ("sparsest", "The smallest active share",
         sorted(sparse, key=lambda m: (m.get("params.active") / m.get("params.total"), m.repo_id))),
    )  # fmt: skip
    return tuple(
        tabulate(name, caption, chosen, pick_leaders(models), head_source) for name, caption, models in lists if models
    )


def pick_leaders(models: Sequence[ReportModel]) -> list[ReportModel]:
    """The first of each fingerprint: fine-tunes of one base stand for one."""
    found: dict[Any, ReportModel] = {}
    for model in models:
        found.setdefault(model.get("fingerprint"), model)
        if len(found) == MOST_LEADERS:
            break
    return list(found.values())


def leader_facts(context: int) -> tuple[Fact, ...]:
    return (
        make_fact("params_total", lambda m: facts.short_cell(m.get("params.total"))),
        Fact(Head("Active"), lambda m: share_cell(m.get("params.active"), m.get("params.total"))),
        make_fact("weights_bytes", lambda m: bytes_cell(m.get("weights.bytes"))),
        make_fact("kv_bytes_per_token", lambda m: count_cell(m.get("kv_cache.bytes_per_token")), unit="bytes"),
        Fact(Head(f"Cache at {format_context(context)}", "bytes"),
             lambda m: bytes_cell(m.get(f"kv_cache.bytes_at.{context}"))),
    )  # fmt: skip


def build_charts(scope: Scope) -> Blocks:
    charts = (draw_size_chart(scope.known), draw_timeline(scope.known))
    return tuple(chart for chart in charts if chart)


def build_ranking(scope: Scope) -> Blocks:
    """Every model in one row, the largest first; the page lies on its side."""
    ranked = sorted(scope.known, key=lambda m: (-m.get("params.total"), m.repo_id))
    if not ranked:
        return ()
    ranks = {m.index: number for number, m in enumerate(ranked, 1)}
    columns = rank_facts(scope, ranks)
    if (base := scope.base) is not None:
        columns = tuple(
            replace(fact, read=mark_changes(fact.read, base)) if fact.head.label in COMPARED else fact
            for fact in columns
        )
    lines = tuple(
        Line(Head(m.label, title=m.repo_id, model=m.index), tuple(f.read(m) for f in columns)) for m in ranked
    )
    heads = tuple(fact.head for fact in columns)
    caption = f"{len(lines):,} models, the largest first"
    return (Table("ranked", caption, "Model", heads, lines, wide=True),)


def rank_facts(scope: Scope, ranks: dict[int, int]) -> tuple[Fact, ...]:
    """The columns of the ranking. Bytes are rounded in one unit: rows stay one line high."""
    context = scope.context
    return (
        Fact(Head("#"), lambda m: count_cell(ranks[m.index])),
        Fact(Head("Family"), lambda m: text_cell(m.get("family"), most=24)),
        Fact(Head("Parameters"), lambda m: facts.short_cell(m.get("params.total"))),
        Fact(Head("Active"), lambda m: facts.short_cell(m.get("params.active"))),
        Fact(Head("Weights", "bytes"), lambda m: one_line(bytes_cell(m.get("weights.bytes")))),
        Fact(Head("KV / token", "bytes"), lambda m: count_cell(m.get("kv_cache.bytes_per_token"))),
        Fact(Head(f"Cache at {format_context(context)}", "bytes"),
             lambda m: one_line(bytes_cell(m.get(f"kv_cache.bytes_at.{context}")))),
        Fact(Head("80 GB"), lambda m: read_mark(m, context)),
        Fact(Head("Layers"), lambda m: count_cell(m.get("shape.layers"))),
        Fact(Head("Attention"), lambda m: text_cell(m.get("attention.kind"))),
        Fact(Head("Context", "tokens"), lambda m: count_cell(m.max_context)),
        Fact(Head("Created"), lambda m: facts.read_start("created_at", 7)(m)),
        Fact(Head("Check"), lambda m: text_cell(m.source.reported.get("check"), most=12)),
    )  # fmt: skip


def one_line(cell: Cell) -> Cell:
    return Cell(cell.text, sort=cell.sort, numeric=cell.numeric)


def read_mark(model: ReportModel, context: int) -> Cell:
    need = count_need(model, context)
    return no_cell(numeric=False) if need is None else text_cell("✓" if need <= DEVICE_BYTES else "✗")
