"""The sections of a report, in two orders: models side by side, and many models ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from zoo.errors import UsageError
from zoo.report.blocks import Blocks, Section
from zoo.report.scope import Scope
from zoo.report.sections import answer, attention, kinship, memory, models, parameters, provenance, ranking


class Plan(NamedTuple):
    """A section that can be built. ``ranked``: whether it belongs among many models, ``compared``: among few."""

    id: str
    title: str
    build: Callable[[Scope], Blocks]
    compared: bool = True
    ranked: bool = False


PLANS = (
    Plan("answer", "In short", answer.build_answer, ranked=True),
    Plan("families", "Families", ranking.build_families, compared=False, ranked=True),
    Plan("leaders", "Who leads", ranking.build_leaders, compared=False, ranked=True),
    Plan("charts", "The field at a glance", ranking.build_charts, compared=False, ranked=True),
    Plan("ranking", "All models by size", ranking.build_ranking, compared=False, ranked=True),
    Plan("key_parameters", "Key parameters", parameters.build_key_parameters),
    Plan("parameters", "Where the parameters are", parameters.build_parameters),
    Plan("attention", "Attention and experts", attention.build_attention),
    Plan("cache", "KV cache", attention.build_cache),
    Plan("memory", "Memory", memory.build_memory),
    Plan("compute", "Compute", memory.build_compute),
    Plan("scaling", "Scaling", memory.build_scaling),
    Plan("lineage", "Lineage", kinship.build_lineage),
    Plan("models", "Fact sheets", models.build_sheets),
    Plan("differences", "Config differences", kinship.build_differences),
    Plan("arithmetic", "The arithmetic, step by step", models.build_arithmetic),
    Plan("provenance", "Provenance and checks", provenance.build_provenance, ranked=True),
    Plan("method", "How it is counted", provenance.build_method, ranked=True),
    Plan("glossary", "Glossary", provenance.build_glossary, ranked=True),
)


def build_sections(scope: Scope, wanted: Sequence[str] = ()) -> tuple[Section, ...]:
    """The sections of ``scope``, those named in ``wanted`` alone where it names any; one without content is left out.

    Raises:
        UsageError: there is no section of such a name in a report of so many models.
    """
    plans = [plan for plan in PLANS if (plan.ranked if scope.is_ranked else plan.compared)]
    names = [plan.id for plan in plans]
    if unknown := [name for name in wanted if name not in names]:
        raise UsageError(
            f"no section {unknown[0]!r:.40} in a report of {len(scope.models)} models: there are {', '.join(names)}"
        )
    built = (Section(p.id, p.title, p.build(scope)) for p in plans if not wanted or p.id in wanted)
    return tuple(section for section in built if section.blocks)
