"""The crawl of the Hub: an event loop in its own thread that lists models and fetches their configs."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from zoo.errors import HubError
from zoo.sources.facts import EXPAND
from zoo.sources.hub_answers import JsonReader, ListedModel, find_next_page, name_problem, read_item
from zoo.sources.hub_client import HubClient, HubDown, TransferFailed
from zoo.sources.hub_files import ConfigFetcher
from zoo.sources.hub_loop import QuietLoop
from zoo.sources.hub_progress import CrawlProgress
from zoo.sources.hub_settings import HubSettings
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings, Selection, find_literals, is_glob, make_term_test

_PAGE = 1000  #: models a page of the listing
_PAGE_BYTES = 100_000_000
_INFO_BYTES = 20_000_000
_EVENTS = 500  #: events taken at once at most
_WORD_TOP = 20  #: models that a mere word brings when --top does not say


@dataclass(frozen=True, slots=True)
class ListingEnded:
    """All that was to be listed has been, or ``failure`` broke it off."""

    failure: HubError | None = None


@dataclass(frozen=True, slots=True)
class PageEnded:
    """All models of a page of the walk over everything have been put out; ``following``: path and query of the next."""

    page: int
    following: str | None
    count: int


@dataclass(frozen=True, slots=True)
class WalkRestarted:
    """The Hub does not know the page that the walk was to go on with: it begins anew."""


class ListingRefused(HubError):
    """The Hub answers a page of a listing with a refusal."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A finished record; ``fetched``: it was asked for with :meth:`Crawler.move_on`."""

    record: ModelRecord
    fetched: bool


Event = ListingEnded | ListedModel | Arrived | PageEnded | WalkRestarted


class Crawler:
    """Puts out events one by one; the one who takes them says what is to be fetched, and how many are done with.

    At most ``16 * jobs`` models are under way at a time, from the listing to :meth:`move_on`.
    """

    def __init__(
        self,
        selection: Selection,
        settings: HubSettings,
        findings: Findings,
        *,
        start: str | None = None,
        progress: CrawlProgress | None = None,
    ) -> None:
        self._selection, self._settings, self._findings, self._start = selection, settings, findings, start
        self._progress = progress or CrawlProgress()
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._slots = asyncio.Semaphore(16 * settings.jobs)
        self._tasks: set[asyncio.Task[None]] = set()
        self._odd_items = 0
        self._loop = QuietLoop()
        self._thread = threading.Thread(target=self._run, name="zoo-hub", daemon=True)

    def __enter__(self) -> Crawler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop)
        self._thread.join(timeout=10)

    def next_events(self, patience: float | None = None) -> list[Event]:
        """The events that are there, waiting for the first (``patience`` seconds at most).

        What failed in the thread is raised here, when all that came before it has been taken.
        """
        events: list[Event] = []
        while not events or (len(events) < _EVENTS and not self._events.empty()):
            try:
                event = self._failure or self._events.get(timeout=patience)
            except queue.Empty:
                break
            if isinstance(event, BaseException):
                if not events:
                    raise event
                self._failure = event  # first what came before it
                break
            events.append(event)
        return events

    def move_on(self, wanted: Sequence[ListedModel], done: int) -> None:
        """Have the configs of ``wanted`` fetched, for each of which an :class:`Arrived` follows.

        ``done`` models are done with: as many others may be listed.
        """
        self._progress.to_fetch += len(wanted)

        def begin() -> None:
            for listed in wanted:
                self._begin(self._fetch_config(listed))
            for _ in range(done):
                self._slots.release()

        if wanted or done:
            self._call(begin)

    def _call(self, action: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself: an event says why
            self._loop.call_soon_threadsafe(action)

    # In the thread of the loop from here on.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._crawl())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass  # the caller is done
        except BaseException as error:
            self._events.put(error)
        finally:
            self._loop.close()

    def _stop(self) -> None:
        self._main.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(self._guard(work))
        self._tasks.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong in ``work`` is raised in the caller's thread, who would wait for ever otherwise."""
        try:
            await work
        except HubDown:
            pass  # the watch says so
        except Exception as error:
            self._events.put(error)

    async def _crawl(self) -> None:
        try:
            async with HubClient(self._settings) as self._client:
                client = self._client
                self._files = ConfigFetcher(client, self._selection.revision)
                self._progress.measure_pause = client.pacer.measure_pause
                self._progress.estimate_limits = self._estimate_limits
                self._begin(self._list_all())
                reason = await client.health.watch()  # until the caller is done, unless the Hub is
                place = self._settings.shown_endpoint
                if client.health.contacted:
                    said = f"the Hub at {place} is there no longer: {reason}; what had come is kept: sync again"
                else:
                    said = f"the Hub cannot be reached at {place}: {reason}"
                self._events.put(HubError(said))
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _estimate_limits(self, pages: float, configs: float) -> float:
        return self._client.pacer.estimate_seconds({"api": pages, self._files.kind: configs})

    async def _list_all(self) -> None:
        failure: HubError | None = None
        try:
            await self._list_models()
        except TransferFailed as error:
            place = self._settings.shown_endpoint
            failure = HubError(f"the listing of the Hub at {place} broke off: {error}; sync again")
        except HubError as error:
            failure = error
        if self._odd_items:
            self._findings.notes.append(f"{self._odd_items} items of the Hub's listing had no usable id")
        self._progress.listing = False
        self._events.put(ListingEnded(failure))

    async def _list_models(self) -> None:
        chosen = self._selection
        asked: set[asyncio.Task[None]] = set()
        for repo_id in chosen.ids:
            await self._slots.acquire()
            task = self._begin(self._find_model(repo_id))
            asked.add(task)
            task.add_done_callback(asked.discard)
        try:
            for term in chosen.terms:
                await (self._find_glob(term) if is_glob(term) else self._find_word(term))
            if chosen.everything:
                await self._walk_everything()
            elif chosen.has_listing:
                query = {"author": chosen.author, "search": chosen.search}
                if not await self._walk_listing(query, top=chosen.top):
                    self._findings.unmatched.append(chosen.search or chosen.author or "--top")
        finally:  # a listing that breaks off does not take the named models with it
            if asked:
                await asyncio.wait(asked)

    async def _find_model(self, repo_id: str) -> None:
        self._put_model(await self._ask_info(repo_id))

    def _put_model(self, found: ListedModel | ModelRecord) -> None:
        self._progress.listed += 1
        self._events.put(found if isinstance(found, ListedModel) else Arrived(found, fetched=False))

    async def _find_word(self, word: str) -> None:
        """A model of exactly this old name (``gpt2``), else the most downloaded whose id holds the word."""
        await self._slots.acquire()
        found = await self._ask_info(word)
        if isinstance(found, ListedModel) or (found.problem and found.problem.kind == "failed"):
            self._put_model(found)
            return
        self._slots.release()
        top = self._selection.top or _WORD_TOP
        count = await self._walk_listing({"search": word}, matches=make_term_test(word), top=top)
        if not count:
            self._findings.unmatched.append(word)
        elif count == top and self._selection.top is None:
            self._findings.notes.append(f"{word!r} brings its {top} most downloaded models; --top N brings more")

    async def _find_glob(self, glob: str) -> None:
        author, slash, _ = glob.partition("/")
        query = {"author": author} if slash and not is_glob(author) else {"search": find_literals(glob)[0]}
        if not await self._walk_listing(query, matches=make_term_test(glob), top=self._selection.top):
            self._findings.unmatched.append(glob)

    async def _ask_info(self, repo_id: str) -> ListedModel | ModelRecord:
        """What the Hub says of one model, at the revision that was asked for."""
        revision = self._selection.revision
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        url = f"{self._settings.endpoint}/api/models/{repo_id}{at}?{urlencode([('expand', name) for name in EXPAND])}"
        reader = JsonReader()
        try:
            answer = await self._client.get(url, limit=_INFO_BYTES, check=reader)
        except TransferFailed as error:
            return ModelRecord(repo_id, "hub", problem=Problem("failed", str(error)))
        if answer.status != 200:
            problem = name_problem(answer, has_token=bool(self._settings.token))
            return ModelRecord(repo_id, "hub", problem=problem)
        return read_item(reader.value, repo_id) or ModelRecord(
            repo_id, "hub", problem=Problem("failed", "the Hub's answer names no model")
        )

    async def _walk_listing(
        self, query: Mapping[str, str | None], *, matches: Callable[[str], bool] = lambda repo_id: True, top: int | None
    ) -> int:
        """Put out all models of a listing whose id ``matches``, at most ``top``; returns how many."""
        # A walk by downloads can miss or repeat models, because they change between pages; creation does not.
        sort = "downloads" if top else "createdAt"
        url = self._make_listing_url(query, sort, min(top or _PAGE, _PAGE))
        count = 0
        async with aclosing(self._read_pages(url)) as pages:
            async for item in (item async for page, _ in pages for item in page):
                listed = self._read_listed(item)
                if listed is not None and matches(listed.repo_id):
                    await self._put_listed(listed)
                    count += 1
                    if count == top:
                        break
        return count

    async def _walk_everything(self) -> None:
        """All models, page by page, from the page ``start`` on; each page's end is an event."""
        begin = self._make_listing_url({}, "createdAt", _PAGE)
        pages = self._read_pages(f"{self._settings.endpoint}{self._start}" if self._start else begin)
        try:
            await self._walk_pages(pages)
            return
        except (ListingRefused, TransferFailed):
            if not self._start or self._progress.listed:
                raise
        self._findings.notes.append("the Hub does not know the page at which the last sync stopped: begun anew")
        self._progress.before = 0
        self._events.put(WalkRestarted())
        await self._walk_pages(self._read_pages(begin))

    async def _walk_pages(self, pages: AsyncGenerator[tuple[list[Any], str | None], None]) -> None:
        number = 0
        async with aclosing(pages):
            async for page, following in pages:
                number += 1
                for item in page:
                    listed = self._read_listed(item)
                    if listed is not None:
                        await self._put_listed(replace(listed, page=number))
                path = following.removeprefix(self._settings.endpoint) if following else None
                self._events.put(PageEnded(number, path, len(page)))

    def _read_listed(self, item: Any) -> ListedModel | None:
        listed = read_item(item)
        self._odd_items += listed is None
        return listed

    async def _put_listed(self, listed: ListedModel) -> None:
        await self._slots.acquire()
        self._put_model(listed)

    def _make_listing_url(self, query: Mapping[str, str | None], sort: str, limit: int) -> str:
        fields = [(name, value) for name, value in query.items() if value]
        fields += [("sort", sort), ("limit", str(limit)), *(("expand", name) for name in EXPAND)]
        return f"{self._settings.endpoint}/api/models?{urlencode(fields)}"

    async def _read_pages(self, url: str | None) -> AsyncGenerator[tuple[list[Any], str | None], None]:
        """Pages of a listing, each with the address of the next."""
        seen: set[int] = set()  # of thousands of addresses: their hashes will do
        while url is not None:
            seen.add(hash(url))
            reader = JsonReader()
            answer = await self._client.get(url, limit=_PAGE_BYTES, check=reader, attempts=self._settings.page_attempts)
            if answer.status != 200:
                problem = name_problem(answer, has_token=bool(self._settings.token))
                raise ListingRefused(f"the Hub refuses the listing: {problem.message}")
            if answer.too_large or not isinstance(reader.value, list):
                raise ListingRefused("the Hub's listing is no list of models")
            url = find_next_page(answer, self._settings, url)
            if hash(url) in seen:
                raise HubError("the Hub's listing goes in a circle: its next page is one that came before")
            yield reader.value, url

    async def _fetch_config(self, listed: ListedModel) -> None:
        record = await self._files.fetch(listed)
        self._progress.fetched += 1
        self._events.put(Arrived(record, fetched=True))
