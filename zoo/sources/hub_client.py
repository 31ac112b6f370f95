"""GET requests to the Hub: own timeouts, bounded redirects, retries, rate limits; the token goes to the endpoint only.

Own requests instead of the library's: its listing and its model info pass no timeout, its generator dies on one odd
item, a reset connection is not retried, and one failed connection closes the client of all threads.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from zoo.sources.hub_health import Health, HubDown, Trouble
from zoo.sources.hub_pacer import Pacer, classify_url, read_retry_after
from zoo.sources.hub_settings import HubSettings, describe_error, load_hub_utils, make_client, read_origin

if TYPE_CHECKING:
    import httpx2

__all__ = ["Answer", "Check", "HubClient", "HubDown", "TransferFailed", "is_html", "looks_like_html"]

_RETRY_STATUS = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 5
_MAX_REFUSALS = 10  #: 429 answers to one request before it is given up
_MAX_RETRY_AFTER = 30.0  #: that one broken answer may ask for
_ERROR_BYTES = 65_536
_BIG = 10_000_000  #: bytes: what may be so large is given three times the time


class Answer(NamedTuple):
    """The last answer of a chain of redirects. ``too_large``: the body was not read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    commit: str | None = None  #: ``X-Repo-Commit`` of any hop
    next_url: str | None = None  #: ``Link`` with ``rel="next"``


class TransferFailed(Exception):
    """No usable answer after all attempts; the text says why. ``answered``: there was an answer, but not to be used."""

    def __init__(self, said: str, *, answered: bool) -> None:
        super().__init__(said)
        self.answered = answered


#: Says why an answer with status 200 is none, so that it is asked for again; None when it is good.
Check = Callable[[Answer], str | None]


class HubClient:
    """One pool of connections for one run; to be used within ``async with``.

    Raises:
        HubError: the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, settings: HubSettings) -> None:
        self.settings = settings
        self.sent: Counter[str] = Counter()  #: requests so far, redirects included, by kind of address
        self.pacer = Pacer(settings.budget, settings.max_wait, settings.refusal_pause)
        self.health = Health(settings, self._ask_for_life)
        self._httpx = httpx = load_hub_utils().httpx
        self._origin = read_origin(settings.endpoint)
        self._slots = asyncio.Semaphore(settings.jobs)
        # As many kept alive as in flight: the default of 20 would reconnect all the time.
        limits = httpx.Limits(max_connections=settings.jobs + 4, max_keepalive_connections=settings.jobs + 4)
        self._client: httpx2.AsyncClient = make_client(settings, "AsyncClient", limits=limits)

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, limit: int, check: Check, attempts: int | None = None) -> Answer:
        """The answer to a GET, of whatever status, after redirects, retries and waiting for the rate limit.

        Bodies are read up to ``limit`` bytes.

        Raises:
            TransferFailed: no usable answer after ``attempts`` (``settings.attempts``) attempts.
            HubDown: the Hub as a whole does not answer.
        """
        failures = refusals = 0
        spent = 0.0
        while True:
            outages, began = self.health.outages, time.monotonic()
            reason, answer = await self._attempt(url, limit, check)
            if reason is None and answer is not None:
                return answer
            if self.health.outages != outages:  # it was the Hub, not this request
                failures, spent = 0, 0.0
            if answer is not None and answer.status == 429:
                refusals += 1  # the pacer holds the next attempt back
            else:
                failures += 1
                spent += time.monotonic() - began
            is_enough = failures >= (attempts or self.settings.attempts) or spent >= self.settings.give_up_after
            # Before the first contact it is the health that gives up.
            if refusals >= _MAX_REFUSALS or (is_enough and self.health.contacted):
                said = f"{reason} (asked {failures + refusals} times)"
                raise TransferFailed(said, answered=answer is not None)
            if answer is None or answer.status != 429:
                await asyncio.sleep(self._choose_pause(failures, answer))

    def _choose_pause(self, failures: int, answer: Answer | None) -> float:
        longest = min(self.settings.max_backoff, self.settings.backoff * 2 ** (failures - 1))
        pause = random.uniform(longest / 2, longest)  # noqa: S311 - spreads requests, keeps no secret
        asked = read_retry_after(answer.headers) if answer is not None else None
        return max(pause, min(asked or 0.0, _MAX_RETRY_AFTER))

    async def _attempt(self, url: str, limit: int, check: Check) -> tuple[str | None, Answer | None]:
        """The answer, and why it is not to be used."""
        first = await self.health.take_turn()
        try:
            async with self._slots:
                if not first:
                    await self.health.take_turn()  # the Hub may have gone while this one stood in line
                return await self._try_once(url, limit, check)
        finally:
            if first:
                await self.health.end_turn()

    async def _try_once(self, url: str, limit: int, check: Check) -> tuple[str | None, Answer | None]:
        try:
            answer = await self._follow(url, limit)
        except (TimeoutError, self._httpx.HTTPError, self._httpx.InvalidURL, OSError) as error:
            trouble = self._describe_trouble(error)
            self.health.note_bad(trouble)
            return trouble.reason, None
        reason = _judge(answer, check)
        if reason is None or answer.status == 429:
            self.health.note_good()
        else:
            self.health.note_bad(Trouble(reason, answered=True))
        return reason, answer

    def _describe_trouble(self, error: BaseException) -> Trouble:
        httpx = self._httpx
        unreached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return Trouble("no answer in time", reached=not unreached)
        return Trouble(describe_error(error), reached=not unreached)

    async def _follow(self, url: str, limit: int) -> Answer:
        commit: str | None = None
        for _ in range(_MAX_HOPS + 1):
            answer = await self._send(url, limit)
            commit = commit or answer.headers.get("x-repo-commit")
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target:
                return answer._replace(commit=commit)
            url = self._check_redirect(url, target)
        raise self._httpx.TooManyRedirects(f"more than {_MAX_HOPS} redirects")

    def _check_redirect(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            old, new = urlsplit(url).scheme, urlsplit(target).scheme
        except ValueError:
            raise self._httpx.InvalidURL("a redirect to what is no address") from None
        if new not in {"http", "https"} or (old == "https" and new == "http"):
            raise self._httpx.UnsupportedProtocol(f"a redirect from {old} to {new}")
        return target

    async def _send(self, url: str, limit: int) -> Answer:
        """One hop. Only the endpoint gets the token, and only the endpoint's limits count."""
        if read_origin(url) != self._origin:
            return await self._read(url, limit, {})
        kind = classify_url(url)
        headers = {"Authorization": f"Bearer {self.settings.token}"} if self.settings.token else {}
        await self.pacer.enter(kind)
        answer: Answer | None = None
        try:
            answer = await self._read(url, limit, headers)
        finally:
            self.sent[kind] += 1
            self.pacer.leave(kind, answer.status if answer else None, answer.headers if answer else {})
        return answer

    async def _read(self, url: str, limit: int, headers: Mapping[str, str]) -> Answer:
        patience = self.settings.request_timeout * (3 if limit > _BIG else 1)
        with self.health.count():
            async with asyncio.timeout(patience), self._client.stream("GET", url, headers=headers) as response:
                self.health.note_sign()
                wanted = limit if response.status_code == 200 else _ERROR_BYTES
                body = bytearray()  # what Content-Length says is not believed: it may be wrong
                async for chunk in response.aiter_bytes():
                    self.health.note_sign()
                    body += chunk
                    if len(body) > wanted:
                        return Answer(response.status_code, response.headers, b"", too_large=True)
                following = response.links.get("next", {}).get("url")
                return Answer(response.status_code, response.headers, bytes(body), next_url=following)

    async def _ask_for_life(self) -> Trouble | None:
        """Why the Hub is not there; None when it answers. Past slots and limits: all else waits for this."""
        try:
            async with asyncio.timeout(self.settings.probe_timeout):
                answer = await self._read(f"{self.settings.endpoint}/api/models?limit=1", _BIG, {})
        except (TimeoutError, self._httpx.HTTPError, OSError) as error:
            return self._describe_trouble(error)
        finally:
            self.sent["api"] += 1
        if answer.status in _RETRY_STATUS:
            return Trouble(f"the Hub answers {answer.status}", answered=True)
        if answer.status == 200 and looks_like_html(answer):
            return Trouble("an HTML page came instead of JSON (a proxy or a login page?)", answered=True)
        return None


def is_html(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").lower().startswith("text/html")


def looks_like_html(answer: Answer) -> bool:
    return is_html(answer) or answer.body[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _judge(answer: Answer, check: Check) -> str | None:
    """Why ``answer`` is not to be used; None when it is."""
    if answer.status == 429:
        return "the Hub refuses: too many requests (429)"
    if answer.status in _RETRY_STATUS:
        return f"the Hub answers {answer.status}"
    return check(answer) if answer.status == 200 and not answer.too_large else None
