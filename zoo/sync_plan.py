"""Which source a sync reads: the Hub, and what stands in for it when it cannot be reached."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.errors import HubError, UsageError
from zoo.sources.record import ModelRecord
from zoo.sources.selection import Findings, Selection, make_matcher, make_term_test
from zoo.sync import Advance, Store, Summary, sync, take_findings
from zoo.watchlist import load_watchlist

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


def run_sync(request: SyncRequest, store: Store, *, advance: Advance = lambda record: None, say: Say) -> Summary:
    """Bring what ``request`` names into ``store``.

    ``auto`` reads the Hub; when that cannot be reached or refuses, it says so, loads the bundled snapshot in its
    place, and is content. What the Hub has brought once, no snapshot overwrites.

    Raises:
        HubError: ``source`` is ``hub`` and the Hub cannot be reached or refuses.
        UsageError: an option that the source has no answer to.
        BadInput: a path or a watch list that cannot be read.
    """
    if request.source in {"auto", "hub"}:
        try:
            return _sync_hub(request, store, advance)
        except HubError as error:
            if request.source == "hub":
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


def _sync_hub(request: SyncRequest, store: Store, advance: Advance) -> Summary:
    from zoo.sources.hub import fetch_models, probe
    from zoo.sources.hub_client import read_settings

    selection = add_watchlist(request)
    settings = read_settings(anonymous=request.anonymous, jobs=request.jobs)
    probe(settings)
    findings = Findings()
    known = (lambda repo_ids: {}) if request.full else store.known_shas
    records = fetch_models(selection, settings, known=known, findings=findings)
    summary = sync(records, store, Summary("hub"), advance=advance)
    take_findings(findings, summary)
    return summary


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
    records = filter_records(_read_local(request.source), selection, findings)
    sync(records, store, summary, advance=advance)
    take_findings(findings, summary)
    return summary


def _read_local(source: str) -> Iterable[ModelRecord]:
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
