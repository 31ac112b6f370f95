"""Key parameters with why each matters, and where the parameters are."""

from __future__ import annotations

from zoo.report import facts
from zoo.report.blocks import Block, Blocks, Heading, Item, Prose, Terms
from zoo.report.charts import draw_parts_chart
from zoo.report.scope import Scope
from zoo.report.tables import SIDE_BY_SIDE


def build_key_parameters(scope: Scope) -> Blocks:
    if not scope.known:
        return ()
    blocks: list[Block] = [
        Prose(
            "The sizes that the config states (or that its model type sets where the config is silent). They decide "
            "everything else in this report."
        ),
        *scope.lay_out("key", "Key parameters", facts.KEY_PARAMETERS, most=8),
    ]
    if len(scope.known) > SIDE_BY_SIDE:
        whys = tuple(Item(fact.head.label, fact.head.why) for fact in facts.KEY_PARAMETERS)
        blocks += [Heading("why", "Why they matter"), Terms(whys)]
    return tuple(blocks)


def build_parameters(scope: Scope) -> Blocks:
    known = scope.known
    if not known:
        return ()
    return (
        Prose(
            "Every parameter counted once: a head that shares the embedding table adds none. Active parameters are "
            "those that one token passes through, the embedding table included. Weights are multiplied, biases added."
        ),
        *scope.lay_out("params", "Total and active parameters, weights and biases", facts.PARAMETERS, most=6),
        draw_parts_chart(known, facts.list_parts(known), facts.PART_NAMES),
        *scope.lay_out("parts", "Parameters by part", facts.part_facts(known), most=5),
    )
