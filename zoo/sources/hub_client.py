"""GET requests to the Hub: own timeouts, bounded redirects, retries, rate limits; the token goes to the endpoint only.

Own requests instead of the library's: its listing and its model info pass no timeout, its generator dies on one odd
item, a reset connection is not retried, and one failed connection closes the client of all threads.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urljoin, urlsplit

from zoo.errors import HubError

if TYPE_CHECKING:
    import httpx2

_RETRY_STATUS = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 5
_MAX_REFUSALS = 8  #: 429 answers to one request before it is given up
_ERROR_BYTES = 65_536

RequestKind = Literal["api", "file"]


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where the Hub is, and how patient to be. Times are in seconds."""

    endpoint: str = field(repr=False)  # it may hold a password
    token: str | None = field(default=None, repr=False)
    jobs: int = 32  #: requests in flight
    connect_timeout: float = 5.0
    read_timeout: float = 15.0  #: longest silence within an answer
    request_timeout: float = 90.0  #: one attempt in all, however slowly it drips
    attempts: int = 5
    backoff: float = 0.5  #: pause before the second attempt; doubles up to ``max_backoff``, with jitter
    max_backoff: float = 8.0
    max_wait: float = 310.0  #: longest pause for a rate limit: the Hub's window is 300 s
    probe_timeout: float = 5.0  #: the whole decision, start of the program included, stays under 10

    @property
    def shown_endpoint(self) -> str:
        """The endpoint without a user name or password that it may hold."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Answer(NamedTuple):
    """The last answer of a chain of redirects. ``too_large``: the body was not read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False
    commit: str | None = None  #: ``X-Repo-Commit`` of any hop
    next_url: str | None = None  #: ``Link`` with ``rel="next"``


class TransferFailed(Exception):
    """No usable answer after all attempts; the text says why the last one failed."""


#: Says why an answer with status 200 is none, so that it is asked for again; None when it is good.
Check = Callable[[Answer], str | None]


class HubClient:
    """One pool of connections for one run; to be used within ``async with``."""

    def __init__(self, settings: HubSettings) -> None:
        self.settings = settings
        self._httpx = httpx = load_hub_utils().httpx
        self._origin = read_origin(settings.endpoint)
        self._pacer = Pacer(settings.max_wait)
        self._client: httpx2.AsyncClient = httpx.AsyncClient(
            timeout=make_timeout(settings),
            # As many kept alive as in flight: the default of 20 would reconnect all the time.
            limits=httpx.Limits(max_connections=settings.jobs + 4, max_keepalive_connections=settings.jobs + 4),
            follow_redirects=False,
            headers=make_headers(),
        )

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, url: str, kind: RequestKind, *, limit: int, check: Check) -> Answer:
        """The answer to a GET, of whatever status, after redirects, retries and waiting for the rate limit.

        Bodies are read up to ``limit`` bytes.

        Raises:
            TransferFailed: no usable answer after ``settings.attempts`` attempts.
        """
        failures = refusals = 0
        while True:
            await self._pacer.wait(kind)
            reason, answer = await self._try_once(url, kind, limit, check)
            if reason is None and answer is not None:
                return answer
            if answer is not None and answer.status == 429 and refusals < _MAX_REFUSALS:
                refusals += 1
            else:
                failures += 1
            if failures >= self.settings.attempts or refusals >= _MAX_REFUSALS:
                raise TransferFailed(f"{reason} (asked {failures + refusals} times)")
            if answer is None or answer.status != 429 or not self._pacer.is_closed(kind):
                await asyncio.sleep(self._choose_pause(failures + refusals))

    def _choose_pause(self, failures: int) -> float:
        longest = min(self.settings.max_backoff, self.settings.backoff * 2 ** (failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads requests, keeps no secret

    async def _try_once(
        self, url: str, kind: RequestKind, limit: int, check: Check
    ) -> tuple[str | None, Answer | None]:
        """The answer, and why it is not to be used."""
        try:
            async with asyncio.timeout(self.settings.request_timeout):
                answer = await self._follow(url, limit)
        except (TimeoutError, self._httpx.TimeoutException):
            return "no answer in time", None
        except (self._httpx.HTTPError, self._httpx.InvalidURL, OSError) as error:
            return describe_error(error), None
        self._pacer.note(kind, answer.status, answer.headers)
        if answer.status == 429:
            return "the Hub refuses: too many requests (429)", answer
        if answer.status in _RETRY_STATUS:
            return f"the Hub answers {answer.status}", answer
        return (check(answer) if answer.status == 200 and not answer.too_large else None), answer

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
        headers = {}
        if self.settings.token and read_origin(url) == self._origin:
            headers["Authorization"] = f"Bearer {self.settings.token}"
        async with self._client.stream("GET", url, headers=headers) as response:
            wanted = limit if response.status_code == 200 else _ERROR_BYTES
            declared = response.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > wanted:
                return Answer(response.status_code, response.headers, b"", too_large=True)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > wanted:
                    return Answer(response.status_code, response.headers, b"", too_large=True)
            following = response.links.get("next", {}).get("url")
            return Answer(response.status_code, response.headers, bytes(body), next_url=following)


class Pacer:
    """Waits out the rate limit. The Hub counts by buckets; its answers tell which one a kind of request is in."""

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._bucket: dict[str, str] = {}
        self._open_at: dict[str, float] = {}

    def note(self, kind: RequestKind, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer: closed until the window ends when nothing remains of it."""
        limits = load_hub_utils().parse_ratelimit_headers(headers)
        if limits is not None:
            self._bucket[kind] = limits.resource_type
        pause = None
        if limits is not None and limits.remaining == 0:
            pause = limits.reset_in_seconds + random.uniform(0.05, 0.5)  # noqa: S311
        elif status in {429, 503} and (after := headers.get("retry-after", "")).isdecimal():
            pause = float(after)
        if pause is not None:
            bucket = self._bucket.get(kind, kind)
            opens = asyncio.get_running_loop().time() + min(pause, self._max_wait)
            self._open_at[bucket] = max(self._open_at.get(bucket, 0.0), opens)

    def is_closed(self, kind: RequestKind) -> bool:
        return self._measure_wait(kind) > 0

    async def wait(self, kind: RequestKind) -> None:
        while (pause := self._measure_wait(kind)) > 0:
            await asyncio.sleep(pause)

    def _measure_wait(self, kind: RequestKind) -> float:
        opens = self._open_at.get(self._bucket.get(kind, kind), 0.0)
        return opens - asyncio.get_running_loop().time()


def read_settings(*, anonymous: bool = False, jobs: int = 32) -> HubSettings:
    """Endpoint and token as huggingface_hub has them (``HF_ENDPOINT``, ``HF_TOKEN``, ``hf auth login``).

    Raises:
        HubError: ``HF_HUB_OFFLINE`` forbids the network, or the endpoint is no address.
    """
    from huggingface_hub import constants, get_token

    if constants.is_offline_mode():
        raise HubError("HF_HUB_OFFLINE is set: unset it, or use --source snapshot, cache or a folder")
    implicit = not (anonymous or constants.HF_HUB_DISABLE_IMPLICIT_TOKEN)
    # The library reads its environment once, when it is imported: a later HF_ENDPOINT counts, too.
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    settings = HubSettings(endpoint, get_token() if implicit else None, jobs=jobs)
    scheme, host, port = read_origin(endpoint)
    if scheme not in {"http", "https"} or not host or port < 0:
        raise HubError(f"HF_ENDPOINT is no address: {settings.shown_endpoint} (https://huggingface.co is one)")
    return settings


def read_origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address: what a token may be sent to. A port that is none is -1."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def load_hub_utils() -> Any:
    """``huggingface_hub.utils``, which exports the HTTP library that it stands on as ``httpx``, whatever its name."""
    return import_module("huggingface_hub.utils")


def make_headers() -> dict[str, str]:
    from huggingface_hub import __version__ as hub_version

    from zoo import __version__

    return {"User-Agent": f"zoo/{__version__}; huggingface_hub/{hub_version}", "Accept": "application/json, */*"}


def make_timeout(settings: HubSettings) -> Any:
    read = settings.read_timeout
    return load_hub_utils().httpx.Timeout(connect=settings.connect_timeout, read=read, write=read, pool=None)


def describe_error(error: BaseException) -> str:
    """A few words for a network error; never its address, which may hold a token or a password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    names = {
        "ConnectError": "no connection",
        "ReadError": "the connection was reset",
        "WriteError": "the connection was reset",
        "RemoteProtocolError": "the answer broke off",
        "ProxyError": "the proxy refuses",
        "DecodingError": "the answer is damaged",
        "InvalidURL": "not an address",
    }
    name = type(error).__name__
    if name.endswith("Timeout"):
        return "no answer in time"
    return names.get(name) or (f"{name}: {error}" if name in {"TooManyRedirects", "UnsupportedProtocol"} else name)
