"""Bringing models into the database: from a source, in batches, to a summary of what became of each.

Nothing that is wrong with one model stops the others. This module knows neither the network nor the database: a
source is an iterable of records, the database is a :class:`Store`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from zoo.errors import HubError, NoMatch
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings

BATCH = 500  #: records in one transaction at most
BATCH_SECONDS = 2.0  #: and the age of the oldest: what a kill can lose
KEPT_PROBLEMS = 1000  #: problems that the summary lists; the database has all of them

#: Called for each record on its way to the database: for a progress bar.
Advance = Callable[[ModelRecord], None]


class SaveCounts(Protocol):
    """What became of one batch. ``problems``: records that came with one."""

    @property
    def new(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...
    @property
    def problems(self) -> int: ...


class Store(Protocol):
    """Where records go; used from one thread only."""

    def known_shas(self, repo_ids: Iterable[str]) -> Mapping[str, str]:
        """The commit whose whole config is stored, for each of ``repo_ids`` that has one.

        Left out: what is not there, and what came from the snapshot, which has a part of the keys only.
        """
        ...

    def save(self, records: Sequence[ModelRecord]) -> SaveCounts:
        """Save a batch in one transaction; saving the same again changes nothing.

        Records of the snapshot never replace what the Hub brought.
        """
        ...


class ProblemLine(NamedTuple):
    repo_id: str
    kind: str
    message: str


@dataclass(slots=True)
class Summary:
    """What a sync did. Its numbers count models; ``by_kind`` those with a problem, by its kind."""

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    problems: list[ProblemLine] = field(default_factory=list)  #: the first :data:`KEPT_PROBLEMS`
    renamed: int = 0
    notes: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)  #: terms that matched nothing
    instead_of_hub: str | None = None  #: why the snapshot was loaded and not the Hub
    broken_off: str | None = None  #: why the source ended before its end

    @property
    def usable(self) -> int:
        """Models with a config, whether it came now or was there already."""
        return self.new + self.changed + self.unchanged

    def to_json(self) -> dict[str, Any]:
        """As ``zoo sync --json`` prints it."""
        document = asdict(self)
        document["by_kind"] = dict(self.by_kind)
        document["problems"] = [line._asdict() for line in self.problems]
        return document


def sync(
    records: Iterable[ModelRecord],
    store: Store,
    summary: Summary,
    *,
    advance: Advance = lambda record: None,
) -> Summary:
    """Save ``records`` batch by batch and count what became of them in ``summary``, which is returned.

    Whatever ends the records early, what had come is saved; a :class:`HubError` is noted as ``broken_off``, any other
    exception goes on its way.
    """
    batch: list[ModelRecord] = []
    began = time.monotonic()
    try:
        for record in records:
            if not batch:
                began = time.monotonic()
            seen = recognise_gone(record, store)
            batch.append(seen)
            note_problem(seen, summary)
            advance(seen)
            if len(batch) >= BATCH or time.monotonic() - began >= BATCH_SECONDS:
                full, batch = batch, []
                save_batch(full, store, summary)
    except HubError as error:
        summary.broken_off = str(error)
    finally:
        if batch:
            save_batch(batch, store, summary)
    return summary


def save_batch(batch: Sequence[ModelRecord], store: Store, summary: Summary) -> None:
    counts = store.save(batch)
    summary.new += counts.new
    summary.changed += counts.changed
    summary.unchanged += counts.unchanged


def recognise_gone(record: ModelRecord, store: Store) -> ModelRecord:
    """``record``, with "missing" turned into "gone" where the database knows the model from the Hub."""
    problem = record.problem
    if problem is None or problem.kind != "missing" or not store.known_shas([record.repo_id]):
        return record
    return replace(
        record, problem=Problem("gone", "no longer on the Hub, or no longer public; what was known of it is kept")
    )


def note_problem(record: ModelRecord, summary: Summary) -> None:
    summary.renamed += record.renamed_from is not None
    if record.problem is not None:
        summary.by_kind[record.problem.kind] += 1
        if len(summary.problems) < KEPT_PROBLEMS:
            summary.problems.append(ProblemLine(record.repo_id, *record.problem))


def take_findings(findings: Findings, summary: Summary) -> None:
    """Move what the source had to say into the summary."""
    summary.notes += findings.notes
    summary.unmatched += findings.unmatched


def check_outcome(summary: Summary, near: Callable[[str], Sequence[str]] = lambda term: ()) -> None:
    """Whether the run as a whole did what was asked; ``near`` suggests names for a term that matched nothing.

    Raises:
        HubError: the source broke off, or every single model failed.
        NoMatch: terms were named and nothing at all matched.
    """
    if summary.broken_off is not None:
        raise HubError(summary.broken_off)
    if summary.usable:
        return
    if summary.by_kind["failed"] and summary.by_kind.total() == summary.by_kind["failed"]:
        first = summary.problems[0]
        raise HubError(f"no model could be read; {first.repo_id}: {first.message}")
    if summary.unmatched and not summary.by_kind:
        raise NoMatch(summary.unmatched[0], near(summary.unmatched[0]))
