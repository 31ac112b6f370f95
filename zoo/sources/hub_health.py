"""Whether the Hub is there: the first contact of a run, and an outage in the middle of it.

Before the first contact requests go one by one. Where nobody takes a connection, three failures are enough: the person
shall know at once. Where somebody does but breaks off, refuses or is slow, a small question is asked beside the first
request for a few seconds. Later, when many requests fail in a row or nothing is heard for a while, all others are held
back while the question is asked again and again. An outage that ends costs no model; one that lasts ends the run, with
everything kept that had come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from zoo.sources.hub_settings import HubSettings

_FIRST_TRIES = 3
_FIRST_PAUSE = 0.3  #: seconds between them
_IN_A_ROW = 8  #: failures that make one ask whether the Hub is there
_LOOK = 0.25  #: seconds between looks at the clock
_HEDGE = 1.5  #: seconds that a first request may take before a smaller one is sent beside it
_RESPITE = 5.0  #: seconds after a question was answered before it is asked again


class HubDown(Exception):
    """The Hub is given up; the text says why."""


class Trouble(NamedTuple):
    """Why an attempt came to nothing. ``reached``: a connection was made; ``answered``: with an answer, but no good."""

    reason: str
    reached: bool = True
    answered: bool = False


class Health:
    """Told by the client what becomes of each request; ``ask`` is a question that a Hub in order answers with None."""

    def __init__(self, settings: HubSettings, ask: Callable[[], Awaitable[Trouble | None]]) -> None:
        self._settings, self._ask = settings, ask
        self.contacted = False
        self.outages = 0  #: that came and went
        self._trying = False  #: a first request is under way
        self._turned = asyncio.Event()  #: it has ended, or others need not wait for it
        self._up = asyncio.Event()
        self._up.set()
        self._down: HubDown | None = None
        self._alarm = asyncio.Event()  #: the watch shall look at once
        self._last = Trouble("")
        self._failures = 0
        self._unreached = 0  #: failures to connect before the first contact
        self._goods = 0
        self._in_flight = 0
        self._heard = self._asked = time.monotonic()

    @contextmanager
    def count(self) -> Iterator[None]:
        """Around each attempt."""
        if not self._in_flight:
            self._heard = time.monotonic()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def take_turn(self) -> bool:
        """Wait until a request may be tried; True: nothing has answered yet, and :meth:`end_turn` has to follow.

        Raises:
            HubDown: there will be no turn any more.
        """
        while not self.contacted and self._down is None:
            if not self._trying:
                self._trying = True
                self._turned.clear()
                return True
            await self._turned.wait()
        await self._up.wait()
        if self._down is not None:
            raise self._down
        return False

    async def end_turn(self) -> None:
        """After a first turn: when it brought no contact, the next one comes after a pause."""
        try:
            if not self.contacted and self._down is None:
                await asyncio.sleep(_FIRST_PAUSE)
        finally:
            self._trying = False
            self._turned.set()

    def note_sign(self) -> None:
        """Bytes came."""
        self._heard = time.monotonic()

    def note_good(self) -> None:
        """A whole answer of the Hub came, whatever it says."""
        self._heard = time.monotonic()
        self._failures = 0
        self._goods += 1
        self._meet()

    def _meet(self) -> None:
        self.contacted = True
        self._turned.set()

    def note_bad(self, trouble: Trouble) -> None:
        """An attempt failed."""
        self._failures += 1
        self._last = trouble
        self._unreached += not trouble.reached
        if not self.contacted and self._unreached >= _FIRST_TRIES:
            self._give_up(trouble.reason)
        elif self.contacted and self._is_suspect(time.monotonic()):
            self._up.clear()  # at once: what fails now would only use up its attempts
            self._alarm.set()

    def _give_up(self, reason: str) -> None:
        self._down = HubDown(reason)
        self._alarm.set()
        self._up.set()  # those who wait shall hear of it
        self._turned.set()

    async def watch(self) -> str:
        """Runs beside the crawl; returns, with the reason, when the Hub is given up."""
        began = time.monotonic()
        while self._down is None:
            now = time.monotonic()
            self._alarm.clear()
            if not self.contacted:
                await self._make_contact(now - began)
            elif self._is_suspect(now):
                await self._examine()
            else:
                self._up.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._alarm.wait(), 0 if self._down else _LOOK)
        return str(self._down)

    async def _make_contact(self, elapsed: float) -> None:
        patience = self._settings.probe_timeout
        if elapsed >= patience:
            self._give_up(self._last.reason or f"no answer within {patience:g} seconds")
        elif elapsed >= min(_HEDGE, patience / 2):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience - elapsed):
                    if (trouble := await self._ask()) is None:
                        self._meet()
                    else:
                        self.note_bad(trouble)

    def _is_suspect(self, now: float) -> bool:
        silent = self._in_flight > 0 and now - self._heard >= self._settings.silence
        return (silent or self._failures >= _IN_A_ROW) and now - self._asked >= min(_RESPITE, self._settings.silence)

    async def _examine(self) -> None:
        """Hold everything back and ask, until there is an answer or patience ends."""
        self._up.clear()
        began, goods, tries = time.monotonic(), self._goods, 0
        try:
            while (trouble := await self._ask()) is not None and self._goods == goods:
                tries += 1
                patience = self._settings.outage * (2 if trouble.answered else 1)
                if time.monotonic() - began >= patience:
                    self._give_up(trouble.reason)
                    return
                await asyncio.sleep(min(self._settings.backoff * tries / 2, 1.0))
            self.outages += tries > 0
            self._failures = 0
            self._heard = self._asked = time.monotonic()
        finally:
            self._up.set()
