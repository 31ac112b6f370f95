"""Which source a sync reads: the Hub, and what stands in for it when it cannot be reached."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zoo.errors import HubError, UsageError
from zoo.sources.hub_progress import CrawlProgress
from zoo.sources.names import is_repo_id
from zoo.sources.record import ModelRecord
from zoo.sources.selection import Findings, Selection, make_matcher, make_term_test
from zoo.sources.walk import Walk, WalkState, begin_walk
from zoo.sync import Advance, Store, Summary, sync, take_findings
from zoo.watchlist import load_watchlist

if TYPE_CHECKING:
    from zoo.sources.hub import Crawl, Known
    from zoo.sources.hub_settings import HubSettings
    from zoo.sources.known import KnownModel

NAMED_SOURCES = ("auto", "hub", "cache", "snapshot")

#: Says a sentence to the person at once.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What ``zoo sync`` was asked for. ``source``: one of :data:`NAMED_SOURCES`, or a path."""

    source: str = "auto"
    selection: Selection = field(default_factory=Selection)
    watchlist: Path | None = None
    jobs: int = 32  #: requests to the Hub in flight
    full: bool = False  #: fetch configs whose commit is known, too
    anonymous: bool = False  #: send no token
    budget: float = 0.8  #: share of the Hub's rate window that may be used
    retry_failed: bool = False  #: the models that failed the last time, and no others


class HubStore(Store, Protocol):
    """A store that remembers what a sync with the Hub needs beside the models."""

    def list_failed(self) -> Sequence[str]:
        """Models for which the network or the Hub failed the last time."""
        ...

    def list_unseen(self, since: datetime, author: str | None = None) -> Iterable[str]:
        """Models of the Hub (of ``author``) that no sync has seen ``since``."""
        ...

    def has_read_hub(self) -> bool:
        """Whether any model came from the Hub."""
        ...

    def read_walk(self) -> WalkState | None:
        """How far the last walk over all models has come."""
        ...

    def keep_walk(self, state: WalkState) -> None: ...


def run_sync(
    request: SyncRequest,
    store: HubStore,
    *,
    advance: Advance = lambda record: None,
    progress: CrawlProgress | None = None,
    say: Say,
) -> Summary:
    """Bring what ``request`` names into ``store``.

    ``auto`` reads the Hub; when that cannot be reached or refuses, it says so, loads the bundled snapshot in its
    place, and is content. What the Hub has brought once, no snapshot overwrites; nor does one stand in for the rest of
    a walk over all models that has begun.

    Raises:
        HubError: the Hub cannot be reached or refuses, and ``source`` is ``hub`` or nothing can stand in for it.
        UsageError: an option that the source has no answer to; ``retry_failed`` with anything else named.
        BadInput: a path or a watch list that cannot be read.
    """
    if request.retry_failed:
        check_retry(request)
        request = replace(request, source="hub")
    if request.source in {"auto", "hub"}:
        try:
            return _sync_hub(request, store, advance, progress or CrawlProgress())
        except HubError as error:
            if request.source == "hub" or (request.selection.everything and store.has_read_hub()):
                raise
            return _sync_instead(request, store, advance, say, str(error))
    if options := request.selection.need_hub():
        raise UsageError(f"{' and '.join(options)} can be answered by the Hub only, not by --source {request.source}")
    return _sync_local(request, store, advance, Summary(request.source))


def suggest_names(term: str) -> list[str]:
    """Ids of the bundled snapshot that are spelled like ``term``."""
    from zoo.sources.snapshot import read_snapshot

    ids = [record.repo_id for record in read_snapshot()]
    names = {repo_id.rpartition("/")[2].casefold(): repo_id for repo_id in ids}
    close = difflib.get_close_matches(term.casefold().rpartition("/")[2], list(names), n=3, cutoff=0.5)
    return [names[name] for name in close]


def check_retry(request: SyncRequest) -> None:
    """Whether the options go with ``--retry-failed``.

    Raises:
        UsageError: they do not.
    """
    if not request.selection.is_empty or request.watchlist is not None or request.source not in {"auto", "hub"}:
        raise UsageError("--retry-failed takes the models that failed the last time: name nothing else with it")


def _sync_hub(request: SyncRequest, store: HubStore, advance: Advance, progress: CrawlProgress) -> Summary:
    from zoo.sources.hub import Crawl
    from zoo.sources.hub_settings import read_settings

    summary = Summary("hub")
    selection = choose_models(request, store)
    if selection.is_empty:
        summary.notes.append("no model failed the last time: nothing to try again")
        return summary
    settings = read_settings(anonymous=request.anonymous, jobs=request.jobs, budget=request.budget)
    crawl = Crawl(store.find_known, wants_ticks=True, progress=progress)
    if selection.everything:
        crawl.walk = _begin_walk(request, store, settings, crawl)
    if request.full:
        crawl.known = _forget_before(store, crawl.walk)
    expect_total(selection, progress)
    is_anew = crawl.walk is None or crawl.walk.state.next is None
    start = _Start()
    _read_hub(selection, settings, crawl, store, summary, start.watch(advance))
    if crawl.walk is not None and not is_anew:
        start = _Start(crawl.walk.state.began, 0)
    if summary.broken_off is None:
        _look_for_gone(selection, settings, crawl, store, summary, advance, start)
    take_findings(crawl.findings, summary)
    if failed := summary.by_kind["failed"]:
        summary.notes.append(f"{failed:,} failed: zoo sync --retry-failed asks for them again")
    return summary


class _Start:
    """When a run began, and what it saw at once: the database keeps whole seconds, and the last run may be as young."""

    def __init__(self, began: datetime | None = None, seconds: int = 1) -> None:
        self.since = (began or datetime.now(UTC)).replace(microsecond=0) + timedelta(seconds=seconds)
        self.seen: set[str] = set()

    def watch(self, advance: Advance) -> Advance:
        def note(record: ModelRecord) -> None:
            # Saved some time after it came: a little more than is needed does no harm.
            if datetime.now(UTC) < self.since:
                self.seen.add(record.repo_id)
            advance(record)

        return note


def _forget_before(store: HubStore, walk: Walk | None) -> Known:
    """What ``--full`` knows: only what the walk that it goes on with has fetched again already."""
    if walk is None or not walk.resumed:
        return lambda repo_ids: {}
    # The database keeps whole seconds: what was fetched just before that need not be fetched again, either.
    began = walk.state.began.replace(microsecond=0)

    def find_known(repo_ids: Mapping[str, str | None]) -> Mapping[str, KnownModel]:
        known = store.find_known(repo_ids)
        return {name: each for name, each in known.items() if each.synced_at and each.synced_at >= began}

    return find_known


def choose_models(request: SyncRequest, store: HubStore) -> Selection:
    return Selection(ids=tuple(store.list_failed())) if request.retry_failed else add_watchlist(request)


def expect_total(selection: Selection, progress: CrawlProgress) -> None:
    """How many models ``selection`` will bring, where it says so itself."""
    if selection.has_listing or selection.terms:
        if not (selection.ids or selection.terms or selection.everything):
            progress.total = selection.top
    else:
        progress.total = len(selection.ids)


def _begin_walk(request: SyncRequest, store: HubStore, settings: HubSettings, crawl: Crawl) -> Walk:
    from zoo.sources.hub_progress import HUB_MODELS

    last, endpoint = store.read_walk(), settings.shown_endpoint
    state = begin_walk(last, endpoint, full=request.full)
    if state.listed:
        begun = state.began.astimezone().strftime("%Y-%m-%d %H:%M")
        crawl.findings.notes.append(f"went on after the {state.listed:,} models of the sync that began {begun}")
        crawl.progress.before = state.listed
    crawl.progress.is_estimate = True
    if last and last.ended and last.endpoint == endpoint:
        crawl.progress.total = last.listed
    elif endpoint == "https://huggingface.co":
        crawl.progress.total = HUB_MODELS
    if state is not last:
        store.keep_walk(state)
    return Walk(state, store.keep_walk, resumed=state is last)


def _read_hub(
    selection: Selection,
    settings: HubSettings,
    crawl: Crawl,
    store: HubStore,
    summary: Summary,
    advance: Advance,
) -> None:
    """Fetch and save.

    Raises:
        HubError: before the first model. After that it is noted in ``summary``.
    """
    from zoo.sources.hub import fetch_models

    records = fetch_models(selection, settings, crawl)
    first = next((record for record in records if record is not None), None)
    note_saved = crawl.walk.note_saved if crawl.walk else lambda repo_ids: None
    sync(chain([first], records), store, summary, advance=advance, note_saved=note_saved)


def _look_for_gone(
    selection: Selection,
    settings: HubSettings,
    crawl: Crawl,
    store: HubStore,
    summary: Summary,
    advance: Advance,
    start: _Start,
) -> None:
    """Ask for each model that a whole listing should have shown and did not: it is gone, private, or has moved."""
    by_author = selection.author and not (selection.search or selection.top)
    if not by_author and not (crawl.walk is not None and crawl.walk.ended):
        return
    unseen = store.list_unseen(start.since, selection.author)
    ids = tuple(repo_id for repo_id in unseen if is_repo_id(repo_id) and repo_id not in start.seen)
    if ids:
        again = replace(crawl, walk=None, progress=CrawlProgress(total=len(ids)))
        try:
            _read_hub(Selection(ids=ids), settings, again, store, summary, advance)
        except HubError as error:
            summary.broken_off = str(error)


def _sync_instead(request: SyncRequest, store: Store, advance: Advance, say: Say, reason: str) -> Summary:
    from zoo.sources.snapshot import read_header

    header = read_header()
    summary = Summary("snapshot", instead_of_hub=reason)
    say(f"WARNING: {reason}.")
    say(f"Loading the snapshot of {header.date} that comes with zoo instead: what the Hub says of a model is that old.")
    if options := request.selection.need_hub():
        summary.notes.append(f"{' and '.join(options)} can be answered by the Hub only and was left out")
    return _sync_local(replace(request, source="snapshot"), store, advance, summary)


def _sync_local(request: SyncRequest, store: Store, advance: Advance, summary: Summary) -> Summary:
    selection = request.selection if request.watchlist is None else add_watchlist(request)
    findings = Findings()
    records = filter_records(_read_local(request.source, whole=selection.is_empty), selection, findings)
    sync(records, store, summary, advance=advance)
    take_findings(findings, summary)
    return summary


def _read_local(source: str, *, whole: bool) -> Iterable[ModelRecord]:
    """The records of ``source``; a path that is wanted ``whole`` may be read by a second process."""
    if source == "snapshot":
        from zoo.sources.snapshot import read_snapshot

        return read_snapshot()
    if source == "cache":
        from zoo.sources.cache import read_cache

        return read_cache()
    from zoo.sources.folder import read_path

    path = Path(source)
    if not path.exists() and "/" not in source and not path.suffix:
        raise UsageError(f"there is no source {source!r}: it is one of {', '.join(NAMED_SOURCES)}, or a path")
    if whole:
        from zoo.db.ahead import read_ahead

        return read_ahead(path)
    return read_path(path)


def add_watchlist(request: SyncRequest) -> Selection:
    """The selection; the watch list's ids are added when it is named, and stand alone when nothing else is."""
    selection = request.selection
    if request.watchlist is None and not selection.is_empty:
        return selection
    ids = dict.fromkeys([*selection.ids, *load_watchlist(request.watchlist)])
    return replace(selection, ids=tuple(ids))


def filter_records(records: Iterable[ModelRecord], selection: Selection, findings: Findings) -> Iterator[ModelRecord]:
    """The records that ``selection`` names; at the end, what matched nothing is put into ``findings``."""
    matches = make_matcher(selection)
    wanted = _name_tests(selection)
    for record in records:
        if matches(record.repo_id):
            wanted = [(name, test) for name, test in wanted if not test(record.repo_id)]
            yield record
    findings.unmatched += [name for name, _ in wanted]


def _name_tests(selection: Selection) -> list[tuple[str, Callable[[str], bool]]]:
    """A test of ids for each part of the selection, under the name that the person gave it."""
    tests = [(term, make_term_test(term)) for term in selection.terms]
    tests += [(repo_id, _make_id_test(repo_id)) for repo_id in selection.ids]
    if selection.author or selection.search:
        name = selection.search or selection.author or ""
        tests.append((name, make_matcher(replace(selection, ids=(), terms=()))))
    return tests


def _make_id_test(wanted: str) -> Callable[[str], bool]:
    return lambda repo_id: repo_id.casefold() == wanted.casefold()
