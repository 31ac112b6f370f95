"""Memory against devices, compute, and what scaling laws say."""

from __future__ import annotations

from zoo.report import facts
from zoo.report.blocks import Blocks, Heading, Prose
from zoo.report.format import format_context
from zoo.report.memory_chart import BATCH, draw_memory_chart, measure_needs, name_device
from zoo.report.models import ReportModel
from zoo.report.scope import Scope
from zoo.report.sections.answer import read_fit
from zoo.report.summary import DEVICE_BYTES, count_need
from zoo.report.tables import (
    Cell,
    Fact,
    Head,
    bytes_cell,
    count_cell,
    make_fact,
    no_cell,
    read_bytes,
    text_cell,
)
from zoo.report.timeline import draw_timeline

#: Sequences at a time for which memory is given.
BATCHES = (1, BATCH, 32)


def build_memory(scope: Scope) -> Blocks:
    if not scope.known:
        return ()
    chart = draw_memory_chart(scope.known, scope.context)
    at = format_context(scope.context)
    return (
        Prose(
            "“As stored” is what the checkpoint takes, quantisation and its scales included. The other columns are all "
            "parameters in that data type, without scales."
        ),
        *scope.lay_out("weights", "Bytes of the weights by data type", facts.WEIGHTS),
        Heading("devices", "Against the memory of devices"),
        *((chart,) if chart else ()),
        *scope.lay_out("batches", f"Weights and sequences of {at} tokens", batch_facts(scope.context), most=8),
        Heading("one-device", "On one device of 80 GB"),
        Prose(
            f"Weights as stored, and the cache of one sequence of {scope.context:,} tokens, against 80 × 10⁹ bytes "
            "(74.51 GiB)."
        ),
        *scope.lay_out("fit", "Weights and one sequence against one device", fit_facts(scope.context)),
    )


def build_compute(scope: Scope) -> Blocks:
    if not scope.known:
        return ()
    return (
        Prose(
            "A multiply-add counts as two operations. “Per token” is one pass through the active weights without "
            "attention over the context; prefill and decode add that, over the spans that each layer really sees."
        ),
        *scope.lay_out("flops", "Floating point operations", facts.compute_facts(scope.context)),
    )


def build_scaling(scope: Scope) -> Blocks:
    if not scope.known:
        return ()
    chart = draw_timeline(scope.known)
    return (
        Prose(
            "What the rule of 20 tokens per parameter asks for, what training on that many tokens costs (6 × active "
            "parameters × tokens), and the loss that the fit of Hoffmann et al. 2022 predicts there. It says nothing "
            "of how a model was trained."
        ),
        *scope.lay_out("scaling-facts", "Compute-optimal training (Chinchilla)", facts.SCALING),
        *((chart,) if chart else ()),
    )


def batch_facts(context: int) -> tuple[Fact, ...]:
    """Memory with more and more sequences, and the smallest device that holds it."""
    found: list[Fact] = []
    for batch in BATCHES:
        label = f"{batch} sequence{'s' if batch > 1 else ''}"
        found.append(Fact(Head(label, "bytes"), lambda m, b=batch: bytes_cell(count_batch(m, context, b))))  # type: ignore[misc] # mypy knows no default in a lambda
        found.append(Fact(Head("Fits on", label), lambda m, b=batch: read_device(m, context, b)))  # type: ignore[misc] # the same
    return tuple(found)


def count_batch(model: ReportModel, context: int, batch: int) -> int | None:
    """Bytes of weights as stored and of ``batch`` sequences; None where either is not known."""
    needs = measure_needs([model], context)
    return needs[0].weights + batch * (needs[0].one - needs[0].weights) if needs else None


def read_device(model: ReportModel, context: int, batch: int) -> Cell:
    need = count_batch(model, context, batch)
    return no_cell(numeric=False) if need is None else text_cell(name_device(need))


def fit_facts(context: int) -> tuple[Fact, ...]:
    """Memory of weights and one sequence, against the device."""
    at = format_context(context)
    return (
        make_fact("weights_bytes", read_bytes("weights.bytes"), label="Weights as stored"),
        Fact(Head(f"Cache at {at}", "bytes"), read_bytes(f"kv_cache.bytes_at.{context}")),
        Fact(Head("Together", "bytes"), lambda m: bytes_cell(count_need(m, context))),
        Fact(Head("Left of 80 GB", "bytes"), lambda m: _read_left(m, context)),
        Fact(Head("Fits"), lambda m: read_fit(m, context)),
        Fact(Head("Declares", "tokens"), lambda m: _read_declared(m, context)),
    )


def _read_left(model: ReportModel, context: int) -> Cell:
    need = count_need(model, context)
    return no_cell() if need is None else bytes_cell(DEVICE_BYTES - need)


def _read_declared(model: ReportModel, context: int) -> Cell:
    declared = model.max_context
    return count_cell(declared, f"less than {format_context(context)}" if declared and declared < context else "")
