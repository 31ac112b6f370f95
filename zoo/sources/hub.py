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

from zoo.errors import HubError
from zoo.sources.hub_answers import JsonReader, ListedModel, name_problem
from zoo.sources.hub_client import (
    Answer,
    HubSettings,
    describe_error,
    load_hub_utils,
    make_headers,
    make_timeout,
)
from zoo.sources.hub_crawl import Arrived, Crawler, ListingEnded
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings, Selection

#: The commits whose configs are stored already, for those of some ids that have one.
Known = Callable[[Sequence[str]], Mapping[str, str]]

_PROBE_TRIES = 3
_PROBE_PAUSE = 0.3  #: seconds between them


def fetch_models(
    selection: Selection,
    settings: HubSettings,
    *,
    known: Known = lambda repo_ids: {},
    findings: Findings | None = None,
) -> Iterator[ModelRecord]:
    """Records of the models that ``selection`` names, in the order in which they arrive.

    A model whose commit is ``known`` comes as ``unchanged``, with no request for its config. Whatever is wrong with
    one model is its record's problem. Memory is bounded, however many models are listed.

    Raises:
        HubError: the listing broke off, or the token was refused; all that had come before was yielded.
    """
    with Crawler(selection, settings, findings or Findings()) as crawler:
        listing, waiting = True, 0
        failure: HubError | None = None
        while listing or waiting:
            events = crawler.next_events()
            shas = known([event.repo_id for event in events if isinstance(event, ListedModel)])
            for event in events:
                if isinstance(event, ListingEnded):
                    listing, failure = False, event.failure
                elif isinstance(event, Arrived):
                    waiting -= event.fetched
                    crawler.release()
                    yield event.record
                elif (record := settle_listed(event, shas.get(event.repo_id))) is not None:
                    crawler.release()
                    yield record
                else:
                    waiting += 1
                    crawler.fetch(event)
    if failure is not None:
        raise failure


def settle_listed(listed: ListedModel, known_sha: str | None) -> ModelRecord | None:
    """The record of a model that needs no further request; None when its config has to be fetched."""
    problem: Problem | None = None
    unchanged = False
    if listed.facts.disabled:
        problem = Problem("disabled", "the Hub has switched it off")
    elif listed.without_config is not None:
        problem = Problem("no_config", listed.without_config)
    elif listed.sha is not None and known_sha == listed.sha:
        unchanged = True
    else:
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
    headers = make_headers()
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    with load_hub_utils().httpx.Client(timeout=make_timeout(settings), follow_redirects=False) as client:
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
