"""One model at a time: fact sheets with a drawing of its layers, and the arithmetic of one of them."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.explain.arithmetic import Step, count_by_steps
from zoo.explain.layers import describe_model
from zoo.explain.prose import list_not_counted, name_step
from zoo.report.blocks import Block, Blocks, Heading, Item, Items, Prose, Sheet, Terms
from zoo.report.charts import Chart
from zoo.report.diagram import draw_layers
from zoo.report.facts import PART_NAMES
from zoo.report.format import (
    cut_middle,
    format_binary_bytes,
    format_context,
    format_count,
    format_decimal_bytes,
    format_flops,
    format_share,
    format_short,
)
from zoo.report.models import ReportModel
from zoo.report.scope import Scope
from zoo.report.sections.kinship import MOST_LINEAGE, find_lineage, find_relative, say_changes
from zoo.report.tables import Head, Line, Table, count_cell, head_source, text_cell

#: Steps of the arithmetic that are shown.
MOST_STEPS = 80


def build_sheets(scope: Scope) -> Blocks:
    known = scope.known
    if not known:
        return ()
    intro = Prose("One sheet a model, with one layer of each kind drawn from its ledger of tensors.")
    return (intro, *(build_sheet(model, scope) for model in known))


def build_sheet(model: ReportModel, scope: Scope) -> Sheet:
    """The sheet of a model: what it is in a sentence, its kin, its facts, and its layers drawn."""
    ledger = model.ledger
    words = []
    drawings: tuple[Chart, ...] = ()
    if ledger is not None:
        described = describe_model(ledger)
        lineage = find_lineage(model)
        words.append(f"{cut_middle(lineage.text, MOST_LINEAGE)}." if lineage else "")
        words.append(f"{described[:1].upper()}{described[1:]}." if described else "")
        drawings = draw_layers(f"layers-{model.index}", model.label, ledger)
        relative = scope.base if scope.base not in (None, model) else find_relative(model, scope.known)
        if relative is not None:
            words.append(f"Beside {relative.label}: {say_changes(model, relative)}")
    facts = tuple(list_facts(model, scope.context))
    return Sheet(f"model-{model.index}", head_source(model), tuple(filter(None, words)), facts, drawings)


def list_facts(model: ReportModel, context: int) -> Iterable[Item]:
    """The facts of a sheet, those that there are."""
    get = model.get
    total, active = get("params.total"), get("params.active")
    yield Item("Parameters", f"{format_count(total)} ({format_short(total)})")
    if active != total:
        yield Item("Active per token", f"{format_count(active)} ({format_share(active, total)})")
    if get("weights.bytes") is not None:
        stored = get("weights.quantization") or get("weights.dtype")
        size = get("weights.bytes")
        yield Item("Weights", f"{format_decimal_bytes(size)} ({format_binary_bytes(size)}) as {stored}")
    if get("kv_cache.bytes_per_token") is not None:
        yield Item("KV cache per token", f"{format_count(get('kv_cache.bytes_per_token'))} bytes")
        at = get(f"kv_cache.bytes_at.{context}")
        yield Item(f"Cache at {format_context(context)} tokens", format_decimal_bytes(at))
    yield Item("Attention", describe_heads(model))
    if model.is_sparse:
        yield Item("Experts", f"{format_count(get('experts.routed'))}, {get('experts.per_token')} for each token")
    for label, path in (("Layers", "layers"), ("Hidden size", "hidden_size"), ("Vocabulary", "vocab_size"),
                        ("Context", "max_context")):  # fmt: skip
        yield Item(label, format_count(get(f"shape.{path}")))
    yield Item("FLOPs per token", format_flops(get("flops.forward_per_token")))
    for label, value in (("Class", get("architecture")), ("License", model.row.get("license"))):
        if value:
            yield Item(label, cut_middle(str(value), 80))
    if day := str(model.row.get("created_at") or "")[:10]:
        yield Item("Created", day)


def describe_heads(model: ReportModel) -> str:
    """Kind and heads: ``gqa, 32 heads, 8 KV heads of 128``."""
    kind, heads, kv, dim = (model.get(f"attention.{key}") for key in ("kind", "heads", "kv_heads", "head_dim"))
    said = str(kind or "none")
    if heads:
        said += f", {heads} heads" + (f", {kv} KV heads" if kv and kv != heads else "") + (f" of {dim}" if dim else "")
    return said


def build_arithmetic(scope: Scope) -> Blocks:
    """Every product that makes up the parameters of one model, with the sum so far."""
    model = scope.exemplar
    if model is None or model.ledger is None:
        return ()
    sums = count_by_steps(model.ledger, model.label)
    letters = tuple(Item(f"{letter} = {value:,}", meaning) for letter, value, meaning in sums.legend)
    caption = f"{model.label}: {format_count(sums.total)} parameters"
    if len(sums.steps) > MOST_STEPS:
        caption += f" (the first {MOST_STEPS} of {len(sums.steps)} steps)"
    lines = tuple(write_step(step) for step in sums.steps[:MOST_STEPS])
    columns = (Head("Where"), Head("Product"), Head("In numbers"), Head("Parameters"), Head("Sum so far"))
    blocks: list[Block] = [
        Prose(f"How the parameters of {model.label} add up, tensor by tensor, in letters and in numbers."),
        Terms(letters),
        Table("steps", caption, "Tensors", columns, lines, by_model=False),
    ]
    if aside := list_not_counted(sums):
        items = tuple(Item("", cut_middle(text, 240)) for text in aside)
        blocks += [Heading("not-counted", "Not counted"), Items("", items)]
    return tuple(blocks)


def write_step(step: Step) -> Line:
    """One product as a row of the table."""
    name = PART_NAMES.get(step.part, step.part) + (" biases" if step.is_bias else "")
    where = f"layers {step.layers.replace('-', '–')}" if step.layers else ""
    tied = "shared, so it adds nothing" if step.tied_to else ""
    cells = (
        text_cell(cut_middle(where, 40)), text_cell(step.product.text, tied), text_cell(step.product.numbers),
        count_cell(step.elements), count_cell(step.running),
    )  # fmt: skip
    return Line(Head(name, cut_middle(name_step(step), 120)), cells)
