"""The line that tells how far a crawl is and how long it will take."""

from __future__ import annotations

import time

import pytest

from zoo.sources.hub_progress import CrawlProgress, describe_seconds


def test_before_anything_is_known_it_counts() -> None:
    assert CrawlProgress().describe() == "0 models"
    assert CrawlProgress(listed=12, done=12).describe() == "12 models"
    assert CrawlProgress(listed=12, done=12).estimate_left() is None


def test_time_left_follows_from_the_speed_so_far() -> None:
    began = time.monotonic() - 10
    progress = CrawlProgress(total=1000, listed=120, done=100, to_fetch=50, fetched=30, began=began)
    assert progress.estimate_left() == pytest.approx(90, rel=0.05)
    assert progress.describe() == "100 of 1,000 models, 30 configs fetched, about 1 min 30 s left"
    progress.paused = 5.0  # what was waited for tells nothing of the speed
    assert progress.estimate_left() == pytest.approx(45, rel=0.1)


def test_the_rate_limit_may_take_longer_than_the_work() -> None:
    asked: list[tuple[float, float]] = []

    def estimate(pages: float, configs: float) -> float:
        asked.append((pages, configs))
        return 36_000.0

    progress = CrawlProgress(total=3_120_000, is_estimate=True, listed=2000, done=1000, to_fetch=1000, fetched=500)
    progress.estimate_limits, progress.measure_pause = estimate, lambda: 184.4
    line = progress.describe()
    assert line.startswith("1,000 of about 3,120,000 models, 500 configs fetched, about ")
    assert line.endswith(" left, waiting 3 min 4 s for the Hub's rate limit")
    assert progress.estimate_left() == 36_000
    assert asked[0] == (3118.0, 1_559_500.0)  # pages to come; half of the models so far had a config to fetch


def test_a_walk_that_goes_on_counts_what_was_done_before() -> None:
    progress = CrawlProgress(total=5000, before=3000, listed=1000, done=1000, began=time.monotonic() - 10)
    assert progress.estimate_left() == pytest.approx(10, rel=0.1)
    assert progress.describe() == "4,000 of 5,000 models, about 10 s left"


def test_when_all_is_listed_the_number_is_known() -> None:
    progress = CrawlProgress(listed=40, done=20, listing=False, began=time.monotonic() - 4)
    assert progress.estimate_left() == pytest.approx(4, rel=0.1)
    more = CrawlProgress(total=10, listed=12, done=12)
    assert more.describe() == "12 of 12 models"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (629, "10 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (100_000, "27 h 46 min"),
        (200_000, "2 days 7 h"),
    ],
)
def test_times_are_told_in_two_units(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
