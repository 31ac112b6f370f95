"""Attention and experts layer by layer, and the KV cache."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.report import facts
from zoo.report.blocks import Block, Blocks, Heading, LegendEntry, Prose, Strip, Strips
from zoo.report.charts import draw_cache_chart
from zoo.report.format import format_count, join_words
from zoo.report.models import ReportModel, describe_layers
from zoo.report.scatter import draw_size_chart
from zoo.report.scope import CONTEXTS, Scope
from zoo.report.strips import KINDS, draw_strip, draw_swatch
from zoo.report.tables import head_model


def build_attention(scope: Scope) -> Blocks:
    known = scope.known
    sparse = [m for m in known if m.is_sparse]
    blocks: list[Block] = []
    if strips := tuple(draw_layers(m) for m in known if m.layers):
        blocks += [
            Prose(
                "What each layer does with the tokens before: the first layer stands at the left. Height and colour "
                "tell the kind; a dark foot marks a layer with experts."
            ),
            Strips("strips", "The layers of each model", strips, explain_kinds(known)),
        ]
    blocks += scope.lay_out("attention-facts", "Attention", facts.ATTENTION)
    if sparse:
        blocks += [
            Heading("expert-facts", "Experts"),
            Prose(
                "A sparse layer holds many feed-forward blocks, of which a router picks a few for each token: all of "
                "them take memory, only the chosen ones compute."
            ),
            *scope.lay_out("experts", "Mixture of experts", facts.EXPERTS, sparse),
        ]
    if known and len(sparse) < len(known):
        blocks.append(Prose(_say_dense(known, sparse), note=True))
    return tuple(blocks)


def build_cache(scope: Scope) -> Blocks:
    known = scope.known
    if not known:
        return ()
    lengths = sorted({*CONTEXTS, scope.context})
    charts = (draw_cache_chart(known, scope.curve, scope.context), draw_size_chart(known))
    return (
        Prose(
            "What one sequence keeps of its earlier tokens, at the model’s own data type. “Per token” is the growth of "
            "the first tokens; “long” is the growth once every window is full."
        ),
        *scope.lay_out("cache-token", "KV cache per token, windows and state", facts.CACHE),
        *(chart for chart in charts[:1] if chart),
        *scope.lay_out("cache-at", "Cache and state of one sequence", facts.context_facts(lengths)),
        *(chart for chart in charts[1:] if chart),
    )


def draw_layers(model: ReportModel) -> Strip:
    """The strip of a model, and the same in words."""
    words = describe_layers(model.layers)
    window = model.get("attention.window")
    if window and any(layer.kind in ("sliding", "chunked") for layer in model.layers):
        words += f"; window {format_count(window)}"
    count = len(model.layers)
    svg = draw_strip(f"strip-{model.index}", f"{model.label}: {count} layers, {words}", model.layers)
    return Strip(head_model(model), count, svg, words)


def explain_kinds(models: Sequence[ReportModel]) -> tuple[LegendEntry, ...]:
    """The kinds of layer that occur, in the order of the legend."""
    seen = {layer.kind for m in models for layer in m.layers}
    return tuple(LegendEntry(draw_swatch(kind), kind, KINDS[kind].meaning) for kind in KINDS if kind in seen)


def _say_dense(known: Sequence[ReportModel], sparse: Sequence[ReportModel]) -> str:
    if not sparse:
        return "No model here has experts: all are dense."
    return f"Dense, without experts: {join_words([m.label for m in known if not m.is_sparse])}."
