"""The Hub's rate limits: read from the headers of its answers, and kept within before it refuses.

The Hub counts requests in fixed windows, in buckets of its own choice; every answer (a redirect, an error) says which
bucket it fell in, what remains of it and when its window ends. Of each window a share is left untouched, so that the
other programs of the same person still work.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from zoo.sources.hub_settings import load_hub_utils

_SLACK = 1.0  #: the Hub tells the end of a window in whole seconds
_POLL = 0.05
_LONGEST_REFUSAL = 60.0


@dataclass(slots=True)
class Bucket:
    """What is known of one of the Hub's counters; ``limit`` None: it tells no limits."""

    limit: int | None = None
    window: float = 300.0
    remaining: int = 0
    ends: float = 0.0
    in_flight: int = 0
    closed_until: float = 0.0
    refusals: int = 0  #: in a row, each with a pause of its own
    untold: bool = False  #: a new window must have begun, but no answer has said so yet

    def count_free(self, reserve: int) -> int:
        """Requests that may still be sent in this window; the first of one goes alone, to hear what is left."""
        free = self.remaining - self.in_flight - reserve
        return min(free, 1 - self.in_flight) if self.untold else free


class Pacer:
    """Lets requests through, hop by hop, as long as the share ``budget`` of their window lasts."""

    def __init__(
        self,
        budget: float,
        max_wait: float,
        refusal_pause: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget, self._max_wait, self._refusal_pause, self._clock = budget, max_wait, refusal_pause, clock
        self._buckets: dict[str, Bucket] = {}
        self._names: dict[str, str] = {}  #: kind of address -> bucket
        self._scouts: dict[str, asyncio.Event] = {}

    async def enter(self, kind: str) -> None:
        """Wait until a request to this ``kind`` of address may be sent; :meth:`leave` has to follow.

        The first of a kind goes alone: its answer tells which bucket counts it.
        """
        while kind not in self._names:
            if (scout := self._scouts.get(kind)) is None:
                self._scouts[kind] = asyncio.Event()
                return
            await scout.wait()
        bucket = self._find(kind)
        while (pause := self.measure_wait(kind)) > 0:
            # Answers that are on their way may free what was set aside for them.
            await asyncio.sleep(min(pause, _POLL) if bucket.in_flight else pause)
        bucket.in_flight += 1

    def leave(self, kind: str, status: int | None, headers: Mapping[str, str]) -> None:
        """Learn from the answer; ``status`` None: there was none."""
        if (scout := self._scouts.pop(kind, None)) is not None:
            scout.set()
        elif kind in self._names:
            self._find(kind).in_flight -= 1
        if status is None:
            return
        try:
            limits = load_hub_utils().parse_ratelimit_headers(headers)
        except ValueError:  # a number of thousands of digits
            limits = None
        if limits is None:
            self._names.setdefault(kind, "")
        else:
            self._names[kind] = limits.resource_type
        bucket, now = self._find(kind), self._clock()
        if limits is not None:
            self._note_limits(bucket, limits, now)
        bucket.untold = False
        self._note_refusal(bucket, status, headers, now, told=limits is not None and limits.remaining == 0)

    def _note_limits(self, bucket: Bucket, limits: object, now: float) -> None:
        remaining: int = limits.remaining  # type: ignore[attr-defined]  # huggingface_hub's RateLimitInfo, loaded late
        seconds: float = min(limits.reset_in_seconds, self._max_wait)  # type: ignore[attr-defined]
        quota: int | None = limits.limit  # type: ignore[attr-defined]
        ends = now + seconds + _SLACK
        if bucket.untold or now >= bucket.ends or ends > bucket.ends + 2 * _SLACK:  # another window
            bucket.remaining = remaining
        else:  # answers overtake each other: the lowest number is the latest
            bucket.remaining = min(bucket.remaining, remaining)
        bucket.ends = ends
        bucket.limit = quota or max(bucket.limit or 0, remaining + 1)
        bucket.window = limits.window_seconds or bucket.window  # type: ignore[attr-defined]

    def _note_refusal(self, bucket: Bucket, status: int, headers: Mapping[str, str], now: float, *, told: bool) -> None:
        if status != 429:
            bucket.refusals = 0
            return
        if now < bucket.closed_until:  # it was in flight when the first was refused
            return
        after = read_retry_after(headers)
        if told:
            pause = bucket.ends - now
        elif after is not None:
            pause = after
        else:
            pause = min(self._refusal_pause * 2**bucket.refusals, _LONGEST_REFUSAL)
        bucket.refusals += 1
        bucket.closed_until = now + min(pause, self._max_wait)

    def measure_wait(self, kind: str) -> float:
        """Seconds until the next request of this ``kind`` may be sent, as far as is known now."""
        return self._measure(self._find(kind))

    def measure_pause(self) -> float:
        """Seconds until the bucket opens that is shut the longest; 0 when none is."""
        return max((self._measure(bucket) for bucket in self._buckets.values() if not bucket.in_flight), default=0.0)

    def _measure(self, bucket: Bucket) -> float:
        now = self._clock()
        if now < bucket.closed_until:
            return bucket.closed_until - now
        if bucket.limit is None:
            return 0.0
        if now >= bucket.ends:
            bucket.remaining, bucket.ends, bucket.untold = bucket.limit, now + bucket.window, True
        return 0.0 if bucket.count_free(self._find_reserve(bucket)) > 0 else bucket.ends - now

    def estimate_seconds(self, needed: Mapping[str, float]) -> float:
        """Seconds that ``needed`` requests (by kind of address) take at least, because of the limits alone."""
        by_bucket: dict[str, float] = {}
        for kind, count in needed.items():
            name = self._names.get(kind, "")
            by_bucket[name] = by_bucket.get(name, 0.0) + count
        return max((self._estimate(self._buckets[n], c) for n, c in by_bucket.items() if n in self._buckets), default=0)

    def _estimate(self, bucket: Bucket, count: float) -> float:
        if bucket.limit is None:
            return 0.0
        reserve = self._find_reserve(bucket)
        left = count - max(bucket.remaining - bucket.in_flight - reserve, 0)
        if left <= 0:
            return 0.0
        windows = math.ceil(left / max(bucket.limit - reserve, 1))
        return max(bucket.ends - self._clock(), 0.0) + (windows - 1) * bucket.window

    def _find_reserve(self, bucket: Bucket) -> int:
        limit = bucket.limit or 0
        return min(limit - 1, math.ceil((1 - self._budget) * limit))

    def _find(self, kind: str) -> Bucket:
        return self._buckets.setdefault(self._names.get(kind, ""), Bucket())


def classify_url(url: str) -> str:
    """Which kind of address ``url`` is: all of a kind fall in the same bucket."""
    path = urlsplit(url).path
    return "cache" if "/api/resolve-cache/" in path else "file" if "/resolve/" in path else "api"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks to wait, in either of its forms."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
