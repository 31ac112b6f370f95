"""Everything there is to say of one model, as data: its keys, how they compare, its layers, its count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from zoo.arch.ledger import Ledger
from zoo.explain.arithmetic import Arithmetic, count_by_steps
from zoo.explain.keys import KeyFact, explain_keys, format_value
from zoo.explain.layers import WIDTH, describe_model, draw_model, write_drawing
from zoo.explain.lineage import Lineage, describe_lineage
from zoo.explain.prose import write_arithmetic
from zoo.explain.provenance import Seen, describe_reported
from zoo.explain.reads import find_defaults
from zoo.explain.standing import Peer, Standings, compare_values, describe_standings
from zoo.metrics.analysis import analyze
from zoo.units import format_count


class Explanation(NamedTuple):
    """All that ``zoo explain`` says. ``sums`` is None where the config cannot be counted: ``reason`` says why."""

    repo_id: str
    keys: Sequence[KeyFact]
    defaults: Mapping[str, Any]  #: keys that the config leaves out, and what the type has for them
    sums: Arithmetic | None
    reason: str | None
    reported: Mapping[str, Any]
    family: str | None = None
    standings: Mapping[str, Standings] = MappingProxyType({})  #: by path of key; empty with nothing to compare with
    ledger: Ledger | None = None

    @property
    def lineage(self) -> Lineage | None:
        """The nearest relative; None where the config cannot be counted."""
        return describe_lineage(self.ledger) if self.ledger else None

    @property
    def summary(self) -> str:
        """One sentence: its nearest relative, its layers, its parameters; empty where it cannot be counted."""
        if self.ledger is None or self.sums is None:
            return ""
        active = self.sums.params.active
        used = "" if active == self.sums.total else f", of which a token passes through {format_count(active)}"
        layers = f"{describe_lineage(self.ledger).text}: {describe_model(self.ledger)}"
        return f"{layers}. {format_count(self.sums.total)} parameters{used}."

    def compare_key(self, fact: KeyFact) -> str:
        """How the value of a key compares with those of other models; empty where none states it."""
        return describe_standings(self.standings.get(fact.path), self.family)

    def draw_layers(self, width: int = WIDTH) -> str:
        """The drawing of the model, one layer of each kind; empty where it cannot be counted."""
        return write_drawing(draw_model(self.ledger), width) if self.ledger else ""


def build_explanation(
    repo_id: str, config: Mapping[str, Any], seen: Seen | None = None, peers: Iterable[Peer] = ()
) -> Explanation:
    """Everything there is to say of ``config``.

    ``seen`` is what a database knows of the model (its reported total, where it is from), ``peers`` are the models that
    its values are compared with.
    """
    analysis = analyze(config, repo_id=repo_id)
    ledger = analysis.ledger
    return Explanation(
        repo_id,
        explain_keys(config),
        find_defaults(ledger) if ledger else {},
        count_by_steps(ledger, repo_id) if ledger else None,
        analysis.reason,
        describe_reported(analysis.as_dict(), seen),
        analysis.family,
        compare_values(config, analysis.family, analysis.fingerprint, peers),
        ledger,
    )


def write_document(said: Explanation) -> dict[str, Any]:
    """The JSON of ``zoo explain``."""
    standings = {path: each.as_dict() for path, each in said.standings.items()}
    return {
        "repo_id": said.repo_id,
        "family": said.family,
        "summary": said.summary or None,
        "keys": [{**fact.as_dict(), "standing": standings.get(fact.path)} for fact in said.keys],
        "defaults": dict(said.defaults),
        "lineage": said.lineage.as_dict() if said.lineage else None,
        "drawing": said.draw_layers().splitlines() or None,
        "arithmetic": write_arithmetic(said.sums) if said.sums else None,
        "reason": said.reason,
        "reported": said.reported["reported"],
        "check": said.reported["check"],
    }


def list_defaults(defaults: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys that the config leaves out, with their values formatted."""
    return [(key, format_value(key, value)) for key, value in defaults.items()]


def group_facts(facts: Iterable[KeyFact]) -> list[tuple[str, list[KeyFact]]]:
    """Facts by group, in the order of the groups."""
    return [(group, list(members)) for group, members in groupby(facts, key=lambda fact: fact.group)]
