"""How far a crawl of the Hub is, and how long it will take: numbers that one thread writes and another shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_PAGE = 1000
#: Repositories of huggingface.co in October 2026: what a first walk over all of them expects, as an estimate only.
HUB_MODELS = 3_120_000


@dataclass
class CrawlProgress:
    """Counts models. ``total`` is None where nobody knows it."""

    total: int | None = None
    is_estimate: bool = False  #: ``total`` is one
    listed: int = 0
    done: int = 0
    to_fetch: int = 0  #: configs that were asked for, in all
    fetched: int = 0
    before: int = 0  #: models of the walk that an earlier run has done
    listing: bool = True  #: more may be listed
    began: float = field(default_factory=time.monotonic)
    paused: float = 0.0  #: seconds that were waited for the rate limit
    #: seconds until the Hub's rate limit lets the next request through
    measure_pause: Callable[[], float] = lambda: 0.0
    #: seconds that so many requests (of the listing, for configs) take because of the rate limit alone
    estimate_limits: Callable[[float, float], float] = lambda pages, configs: 0.0

    def estimate_left(self) -> float | None:
        """Seconds until the end: by the speed so far and by the rate limits, whichever is longer; None: no telling."""
        here = self.listed
        total = here + self.before if not self.listing else self.total
        if total is None or self.done < 1:
            return None
        left = max(total - self.before - here, 0)
        pending = max(here - self.done, 0)
        pages = left / _PAGE
        configs = left * self.to_fetch / max(here, 1) + max(self.to_fetch - self.fetched, 0)
        working = max(time.monotonic() - self.began - self.paused, 0.001)
        by_speed = (left + pending) * working / self.done
        return max(by_speed, self.estimate_limits(pages, configs))

    def describe(self) -> str:
        """One line for people."""
        done = self.before + self.done
        if self.total is None:
            parts = [f"{done:,} models"]
        else:
            parts = [f"{done:,} of {'about ' if self.is_estimate else ''}{max(self.total, done):,} models"]
        if self.to_fetch:
            parts.append(f"{self.fetched:,} configs fetched")
        if (left := self.estimate_left()) is not None and left >= 1:
            parts.append(f"about {describe_seconds(left)} left")
        if (pause := self.measure_pause()) >= 1:
            parts.append(f"waiting {describe_seconds(pause)} for the Hub's rate limit")
        return ", ".join(parts)


def describe_seconds(seconds: float) -> str:
    """``90`` is "1 min 30 s"; two units at most."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole < 600 and whole % 60 else "")
    hours, minutes = divmod(whole // 60, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"
