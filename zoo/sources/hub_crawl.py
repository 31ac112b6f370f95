"""The crawl of the Hub: an event loop in its own thread that lists models and fetches their configs."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from zoo.config_text import MAX_BYTES, parse_config
from zoo.errors import BadInput, HubError
from zoo.sources.facts import EXPAND
from zoo.sources.hub_answers import JsonReader, ListedModel, check_file, find_next_page, name_problem, read_item
from zoo.sources.hub_client import Answer, Check, HubClient, HubSettings, TransferFailed
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import Findings, Selection, find_literals, is_glob, make_term_test

_PAGE = 1000  #: models a page of the listing
_PAGE_BYTES = 100_000_000
_INFO_BYTES = 20_000_000
_EVENTS = 200  #: events taken at once at most
_WORD_TOP = 20  #: models that a mere word brings when --top does not say


@dataclass(frozen=True, slots=True)
class ListingEnded:
    """All that was to be listed has been, or ``failure`` broke it off."""

    failure: HubError | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A finished record; ``fetched``: it was asked for with :meth:`Crawler.fetch`."""

    record: ModelRecord
    fetched: bool


Event = ListingEnded | ListedModel | Arrived


class Crawler:
    """Puts out events one by one; the one who takes them says what is to be fetched, and when it is done with one.

    At most ``16 * jobs`` models are under way at a time, from the listing to :meth:`release`.
    """

    def __init__(self, selection: Selection, settings: HubSettings, findings: Findings) -> None:
        self._selection, self._settings, self._findings = selection, settings, findings
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._slots = asyncio.Semaphore(16 * settings.jobs)
        self._in_flight = asyncio.Semaphore(settings.jobs)
        self._tasks: set[asyncio.Task[None]] = set()
        self._odd_items = 0
        self._resolve_cache: bool | None = None  #: whether the short way to a file works here; None: not tried yet
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="zoo-hub", daemon=True)

    def __enter__(self) -> Crawler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(timeout=10)

    def next_events(self) -> list[Event]:
        """The events that are there, waiting for the first; what failed in the thread is raised here."""
        events: list[Event] = []
        while not events or (len(events) < _EVENTS and not self._events.empty()):
            event = self._failure or self._events.get()
            if isinstance(event, BaseException):
                if not events:
                    raise event
                self._failure = event  # first what came before it
                break
            events.append(event)
        return events

    def fetch(self, listed: ListedModel) -> None:
        """Have the config of ``listed`` fetched; an :class:`Arrived` follows."""
        self._loop.call_soon_threadsafe(lambda: self._start(self._fetch_config(listed)))

    def release(self) -> None:
        """One model is done with: another may be listed."""
        self._loop.call_soon_threadsafe(self._slots.release)

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

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(self._guard(work))
        self._tasks.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong in ``work`` is raised in the caller's thread, who would wait for ever otherwise."""
        try:
            await work
        except Exception as error:
            self._events.put(error)

    async def _crawl(self) -> None:
        failure: HubError | None = None
        try:
            async with HubClient(self._settings) as self._client:
                try:
                    await self._list_models()
                except TransferFailed as error:
                    place = self._settings.shown_endpoint
                    failure = HubError(f"the listing of the Hub at {place} broke off: {error}; sync again")
                except HubError as error:
                    failure = error
                if self._odd_items:
                    self._findings.notes.append(f"{self._odd_items} items of the Hub's listing had no usable id")
                self._events.put(ListingEnded(failure))
                await asyncio.Event().wait()  # until the caller is done
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _list_models(self) -> None:
        chosen = self._selection
        asked: set[asyncio.Task[None]] = set()
        for repo_id in chosen.ids:
            await self._slots.acquire()
            task = self._start(self._find_model(repo_id))
            asked.add(task)
            task.add_done_callback(asked.discard)
        try:
            for term in chosen.terms:
                await (self._find_glob(term) if is_glob(term) else self._find_word(term))
            if chosen.has_listing:
                query = {"author": chosen.author, "search": chosen.search}
                if not await self._walk_listing(query, top=chosen.top):
                    self._findings.unmatched.append(chosen.search or chosen.author or "--all")
        finally:  # a listing that breaks off does not take the named models with it
            if asked:
                await asyncio.wait(asked)

    async def _find_model(self, repo_id: str) -> None:
        self._put_model(await self._ask_info(repo_id))

    def _put_model(self, found: ListedModel | ModelRecord) -> None:
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
            answer = await self._ask_api(url, _INFO_BYTES, reader)
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
        limit = min(top or _PAGE, _PAGE)
        fields = [(name, value) for name, value in query.items() if value]
        fields += [("sort", sort), ("limit", str(limit)), *(("expand", name) for name in EXPAND)]
        count = 0
        url = f"{self._settings.endpoint}/api/models?{urlencode(fields)}"
        async with aclosing(self._read_pages(url)) as pages:
            async for item in (item async for page in pages for item in page):
                listed = read_item(item)
                if listed is None:
                    self._odd_items += 1
                elif matches(listed.repo_id):
                    await self._slots.acquire()
                    self._events.put(listed)
                    count += 1
                    if count == top:
                        break
        return count

    async def _read_pages(self, url: str | None) -> AsyncGenerator[list[Any], None]:
        while url is not None:
            reader = JsonReader()
            answer = await self._ask_api(url, _PAGE_BYTES, reader)
            if answer.status != 200:
                problem = name_problem(answer, has_token=bool(self._settings.token))
                raise HubError(f"the Hub refuses the listing: {problem.message}")
            if answer.too_large or not isinstance(reader.value, list):
                raise HubError("the Hub's listing is no list of models")
            url = find_next_page(answer, url, self._settings)
            yield reader.value

    async def _fetch_config(self, listed: ListedModel) -> None:
        config: dict[str, Any] | None = None
        problem: Problem | None = None
        commit = listed.sha
        try:
            answer = await self._get_config(listed)
            commit = listed.sha or answer.commit
            if answer.status != 200:
                problem = name_problem(answer, has_token=bool(self._settings.token), listed=listed)
            elif answer.too_large:
                problem = Problem("too_large", f"config.json is larger than {MAX_BYTES // 1_000_000} MB")
            else:
                config = parse_config(answer.body, source=listed.repo_id)
        except TransferFailed as error:
            problem = Problem("failed", str(error))
        except BadInput as error:
            problem = Problem("malformed", f"config.json {error.reason}")
        record = ModelRecord(
            listed.repo_id, "hub", config, problem, commit, listed.facts, renamed_from=listed.renamed_from
        )
        self._events.put(Arrived(record, fetched=True))

    async def _get_config(self, listed: ListedModel) -> Answer:
        """``config.json`` at the listed commit: one request where the Hub has the short way, else by /resolve."""
        endpoint, repo_id = self._settings.endpoint, listed.repo_id
        at = listed.sha or quote(self._selection.revision or "main", safe="")
        direct = f"{endpoint}/{repo_id}/resolve/{at}/config.json"
        # Files of gated, private and old one-word repositories are served by /resolve itself, without a redirect.
        is_direct = "/" not in repo_id or listed.facts.gated is not None or listed.facts.private
        async with self._in_flight:
            if listed.sha is None or is_direct or self._resolve_cache is False:
                return await self._client.get(direct, "file", limit=MAX_BYTES, check=check_file)
            short = f"{endpoint}/api/resolve-cache/models/{repo_id}/{at}/config.json"
            answer = await self._client.get(short, "file", limit=MAX_BYTES, check=check_file)
            if answer.status == 200:
                self._resolve_cache = True
            elif answer.status not in {401, 403} and "x-error-code" not in answer.headers:
                answer = await self._client.get(direct, "file", limit=MAX_BYTES, check=check_file)
                if answer.status == 200 and self._resolve_cache is None:
                    self._resolve_cache = False
            return answer

    async def _ask_api(self, url: str, limit: int, check: Check) -> Answer:
        async with self._in_flight:
            return await self._client.get(url, "api", limit=limit, check=check)
