"""The Hugging Face Hub as a source: one request a page of its listing, one GET for each new or changed config.

The work is done by an event loop in a thread of its own (:mod:`zoo.sources.hub_crawl`); the records come out of a
generator in the thread of the caller, which is also the only one that ``known`` is called in: what stands behind it,
a database session, need not be safe for threads.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zoo.errors import HubError
from zoo.sources.hub_answers import GATED_ANONYMOUS, JsonReader, ListedModel, name_problem
from zoo.sources.hub_client import Answer
from zoo.sources.hub_crawl import Arrived, Crawler, Event, ListingEnded, PageEnded, WalkRestarted
from zoo.sources.hub_progress import CrawlProgress
from zoo.sources.hub_settings import HubSettings, describe_error, make_client
from zoo.sources.known import KnownModel, recall_problem
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings, Selection
from zoo.sources.walk import Walk

#: What is known of repositories, by id, that are known at all; given with each id is the Hub's own ``_id``, if said.
Known = Callable[[Mapping[str, str | None]], Mapping[str, KnownModel]]

_PROBE_TRIES = 3
_PROBE_PAUSE = 0.3  #: seconds between them
_TICK = 0.5  #: seconds without a record after which None is yielded


@dataclass
class Crawl:
    """What a crawl reads and writes beside its records. ``walk``: how far one over everything has come."""

    known: Known = lambda repo_ids: {}
    findings: Findings = field(default_factory=Findings)
    walk: Walk | None = None
    progress: CrawlProgress = field(default_factory=CrawlProgress)
    wants_ticks: bool = False  #: yield None now and then, so that a batch that is not full is saved


def fetch_models(
    selection: Selection, settings: HubSettings, crawl: Crawl | None = None
) -> Iterator[ModelRecord | None]:
    """Records of the models that ``selection`` names, in the order in which they arrive.

    A model whose commit is known comes as ``unchanged``, with no request for its config. Whatever is wrong with one
    model is its record's problem. Memory is bounded, however many models are listed.

    Raises:
        HubError: the Hub cannot be reached, the listing broke off, or the token was refused; all that had come before
            was yielded.
    """
    crawl = crawl or Crawl()
    start = crawl.walk.state.next if crawl.walk and selection.everything else None
    with Crawler(selection, settings, crawl.findings, start=start, progress=crawl.progress) as crawler:
        state = _Reading(crawler, crawl, bool(settings.token), selection.everything)
        while state.listing or state.waiting:
            events = crawler.next_events(_TICK if crawl.wants_ticks else None)
            if not events:
                yield None
            yield from state.take(events)
    if state.failure is not None:
        raise state.failure


class _Reading:
    """Turns events into records, and says what is to be fetched."""

    def __init__(self, crawler: Crawler, crawl: Crawl, has_token: bool, recalls_gated: bool) -> None:
        self._crawler, self._crawl, self._has_token, self._recalls_gated = crawler, crawl, has_token, recalls_gated
        self.listing, self.waiting = True, 0
        self.failure: HubError | None = None

    def take(self, events: Sequence[Event]) -> list[ModelRecord]:
        listed = {event.repo_id: event.facts.hub_id for event in events if isinstance(event, ListedModel)}
        known = self._crawl.known(listed) if listed else {}
        records: list[ModelRecord] = []
        wanted: list[ListedModel] = []
        for event in events:
            if isinstance(event, ListingEnded):
                self.listing, self.failure = False, event.failure
            elif isinstance(event, Arrived):
                self.waiting -= event.fetched
                records.append(event.record)
            elif isinstance(event, ListedModel):
                settled = self._settle(event, known.get(event.repo_id))
                records += [settled] if isinstance(settled, ModelRecord) else []
                wanted += [settled] if isinstance(settled, ListedModel) else []
            else:
                self._note_walk(event)
        self.waiting += len(wanted)
        self._crawl.progress.done += len(records)
        self._crawler.move_on(wanted, len(records))
        return records

    def _settle(self, listed: ListedModel, known: KnownModel | None) -> ModelRecord | ListedModel:
        """The record of a model, or the model itself when its config has to be fetched."""
        if listed.page is not None and self._crawl.walk is not None:
            self._crawl.walk.note_listed(listed.page, listed.repo_id)
        if known is not None and known.repo_id is not None and listed.renamed_from is None:
            listed = replace(listed, renamed_from=known.repo_id)
        return settle_listed(listed, known, has_token=self._has_token, recalls_gated=self._recalls_gated) or listed

    def _note_walk(self, event: PageEnded | WalkRestarted) -> None:
        if self._crawl.walk is None:
            return
        if isinstance(event, PageEnded):
            self._crawl.walk.note_page(event.page, event.following, event.count)
        else:
            self._crawl.walk.restart()


def settle_listed(
    listed: ListedModel, known: KnownModel | None, *, has_token: bool, recalls_gated: bool = False
) -> ModelRecord | None:
    """The record of a model that needs no further request; None when its config has to be fetched."""
    problem: Problem | None = None
    unchanged = False
    if listed.facts.disabled:
        problem = Problem("disabled", "the Hub has switched it off")
    elif listed.without_config is not None:
        problem = Problem("no_config", listed.without_config)
    elif listed.sha is not None and known is not None and known.sha == listed.sha:
        unchanged = True
    elif listed.facts.gated is not None and not has_token:
        problem = Problem("gated", GATED_ANONYMOUS)
    else:
        problem = recall_problem(known, listed.sha, listed.facts, has_token=has_token and recalls_gated)
        if problem is None:
            return None
    return ModelRecord(
        listed.repo_id,
        "hub",
        problem=problem,
        sha=listed.sha,
        facts=listed.facts,
        renamed_from=listed.renamed_from,
        unchanged=unchanged,
    )


def probe(settings: HubSettings) -> None:
    """Ask the Hub for one model, to know within ``settings.probe_timeout`` seconds whether it can be used.

    Raises:
        HubError: it cannot be reached, does not answer in time, or refuses.
    """
    results: queue.SimpleQueue[str | HubError | None] = queue.SimpleQueue()
    # A daemon, because looking up a name can hang for longer than anyone wants to wait, and cannot be stopped.
    threading.Thread(target=lambda: results.put(_probe_until(settings)), daemon=True).start()
    try:
        outcome = results.get(timeout=settings.probe_timeout)
    except queue.Empty:
        outcome = f"no answer within {settings.probe_timeout:g} seconds"
    if isinstance(outcome, HubError):
        raise outcome
    if outcome is not None:
        raise HubError(f"the Hub cannot be reached at {settings.shown_endpoint}: {outcome}")


def _probe_until(settings: HubSettings) -> str | HubError | None:
    """Why the Hub cannot be used, after a few tries; None when it can."""
    reason: str | None = None
    for number in range(_PROBE_TRIES):
        if number:
            time.sleep(_PROBE_PAUSE)
        try:
            reason = _probe_once(settings)
        except HubError as error:
            return error
        except Exception as error:  # in a thread of its own: whatever it is, the caller has to hear of it
            reason = describe_error(error)
        if reason is None:
            return None
    return reason


def _probe_once(settings: HubSettings) -> str | None:
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
    with make_client(settings) as client:
        response = client.get(f"{settings.endpoint}/api/models", params={"limit": 1}, headers=headers)
    answer = Answer(response.status_code, response.headers, response.content)
    if answer.status == 429:  # it is there; the crawl waits for it
        return None
    if answer.status in {401, 403}:
        problem = name_problem(answer, has_token=bool(settings.token))
        raise HubError(f"the Hub at {settings.shown_endpoint} refuses: {problem.message}")
    if answer.status != 200:
        return f"it answers {answer.status}"
    return JsonReader()(answer)
