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
from zoo.sources.known import KnownModel
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings

BATCH = 5000  #: records in one transaction at most
BATCH_SECONDS = 2.0  #: and the age of the oldest: what a kill can lose
KEPT_PROBLEMS = 1000  #: problems that the summary lists; the database has all of them

#: What a sync with the Hub always tells the number of.
USUAL_PROBLEMS = ("gone", "gated", "no_config", "malformed", "failed")
GONE = Problem("gone", "no longer on the Hub, or no longer public; what was known of it is kept")

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

    def find_known(self, repo_ids: Mapping[str, str | None]) -> Mapping[str, KnownModel]:
        """What is known of those of ``repo_ids`` that are there, by name or by the Hub's own ``_id`` (the values).

        A commit is known when its whole config is stored: the snapshot has a part of the keys only.
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

    def count_kinds(self) -> dict[str, int]:
        """``by_kind``; of the Hub, the usual kinds are told also where there were none."""
        usual = USUAL_PROBLEMS if self.source == "hub" else ()
        others = sorted(kind for kind in self.by_kind if kind not in usual)
        return {kind: self.by_kind[kind] for kind in (*usual, *others)}

    def to_json(self) -> dict[str, Any]:
        """As ``zoo sync --json`` prints it."""
        document = asdict(self)
        document["by_kind"] = self.count_kinds()
        document["problems"] = [line._asdict() for line in self.problems]
        return document


def sync(
    records: Iterable[ModelRecord | None],
    store: Store,
    summary: Summary,
    *,
    advance: Advance = lambda record: None,
    note_saved: Callable[[Iterable[str]], None] = lambda repo_ids: None,
) -> Summary:
    """Save ``records`` batch by batch and count what became of them in ``summary``, which is returned.

    A record that is None says that nothing has come for a while. ``note_saved`` is told the ids of each batch once it
    is in the database. Whatever ends the records early, what had come is saved; a :class:`HubError` is noted as
    ``broken_off``, any other exception goes on its way.
    """
    batch: list[ModelRecord] = []
    began = time.monotonic()

    def save() -> None:
        nonlocal batch
        full, batch = batch, []  # what could not be saved is not tried a second time
        save_batch(full, store, summary)
        note_saved([record.repo_id for record in full])

    try:
        for record in records:
            if record is not None:
                if not batch:
                    began = time.monotonic()
                batch.append(record)
                advance(record)
            if len(batch) >= BATCH or (batch and time.monotonic() - began >= BATCH_SECONDS):
                save()
    except HubError as error:
        summary.broken_off = str(error)
    finally:
        if batch:
            save()
    return summary


def save_batch(batch: Sequence[ModelRecord], store: Store, summary: Summary) -> None:
    seen = recognise_known(batch, store)
    counts = store.save(seen)
    summary.new += counts.new
    summary.changed += counts.changed
    summary.unchanged += counts.unchanged
    for record in seen:
        note_problem(record, summary)


def recognise_known(batch: Sequence[ModelRecord], store: Store) -> list[ModelRecord]:
    """``batch`` in the light of what is known.

    What is missing and was there is "gone". An old name that leads to another repository than it did (the Hub's own
    ``_id`` tells) is no rename: what stood under it is gone, too.
    """
    missing = [each.repo_id for each in batch if each.problem and each.problem.kind == "missing"]
    asked = missing + [each.renamed_from for each in batch if each.renamed_from]
    known = store.find_known(dict.fromkeys(asked)) if asked else {}
    seen: list[ModelRecord] = []
    for record in batch:
        if record.problem and record.problem.kind == "missing" and record.repo_id in known:
            seen.append(replace(record, problem=GONE))
        elif record.renamed_from and _is_another(known.get(record.renamed_from), record):
            said = f"its name leads to another repository now, {record.repo_id}; what was known of it is kept"
            seen.append(ModelRecord(record.renamed_from, "hub", problem=Problem("gone", said)))
            seen.append(replace(record, renamed_from=None))
        else:
            seen.append(record)
    return seen


def _is_another(known: KnownModel | None, record: ModelRecord) -> bool:
    there, here = known.hub_id if known else None, record.facts.hub_id
    return there is not None and here is not None and there != here


def note_problem(record: ModelRecord, summary: Summary) -> None:
    summary.renamed += record.renamed_from is not None and record.renamed_from.lower() != record.repo_id.lower()
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
