"""The Hub's rate limits: what is read from its headers, and when the next request may be sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from zoo.sources.hub_pacer import Pacer, classify_url, read_retry_after


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tell(remaining: object, seconds: object, *, bucket: str = "api", limit: object = 500) -> dict[str, str]:
    return {
        "RateLimit": f'"{bucket}";r={remaining};t={seconds}',
        "RateLimit-Policy": f'"fixed window";"{bucket}";q={limit};w=300',
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(clock: Clock) -> Pacer:
    return Pacer(0.8, 900.0, clock=clock)


def send(pacer: Pacer, headers: dict[str, str], *, kind: str = "api", status: int = 200) -> None:
    """One request that may be sent at once."""

    async def run() -> None:
        await asyncio.wait_for(pacer.enter(kind), 1)
        pacer.leave(kind, status, headers)

    asyncio.run(run())


def test_a_hub_that_tells_nothing_is_asked_at_will(pacer: Pacer) -> None:
    for _ in range(1000):
        send(pacer, {})
    assert pacer.measure_wait("api") == 0
    assert pacer.estimate_seconds({"api": 1e6}) == 0


def test_the_share_of_others_is_never_used(pacer: Pacer, clock: Clock) -> None:
    send(pacer, tell(102, 200))
    assert pacer.measure_wait("api") == 0
    send(pacer, tell(101, 200))
    assert pacer.measure_wait("api") == 0
    send(pacer, tell(100, 200))
    assert pacer.measure_wait("api") == 201
    clock.now += 150
    assert pacer.measure_wait("api") == 51


def test_what_is_in_flight_counts(pacer: Pacer) -> None:
    send(pacer, tell(103, 200))

    async def run() -> None:
        for _ in range(3):
            await asyncio.wait_for(pacer.enter("api"), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pacer.enter("api"), 0.1)
        pacer.leave("api", 200, tell(110, 200))  # an answer that was overtaken by another
        pacer.leave("api", None, {})
        pacer.leave("api", 200, tell(102, 200))
        await asyncio.wait_for(pacer.enter("api"), 1)

    asyncio.run(run())


def test_the_first_of_a_kind_and_of_a_window_goes_alone(pacer: Pacer, clock: Clock) -> None:
    async def enter_twice() -> int:
        entered = 0

        async def enter() -> None:
            nonlocal entered
            await pacer.enter("api")
            entered += 1

        tasks = [asyncio.create_task(enter()) for _ in range(2)]
        await asyncio.sleep(0.1)
        alone = entered
        pacer.leave("api", 200, tell(400, 200))
        await asyncio.sleep(0.1)
        assert entered == 2
        pacer.leave("api", 200, tell(399, 200))
        await asyncio.gather(*tasks)
        return alone

    assert asyncio.run(enter_twice()) == 1
    clock.now += 202  # the window has ended, and nobody has said what is left of the next
    assert asyncio.run(enter_twice()) == 1


def test_buckets_are_those_that_the_hub_names(pacer: Pacer) -> None:
    send(pacer, tell(0, 100, bucket="resolvers"), kind="file")
    send(pacer, tell(400, 100, bucket="api"), kind="api")
    send(pacer, tell(399, 100, bucket="api"), kind="cache")
    assert (pacer.measure_wait("file"), pacer.measure_wait("cache"), pacer.measure_wait("api")) == (101, 0, 0)
    assert pacer.measure_pause() == 101


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit": "soon"},
        {"RateLimit": '"api";r=x;t=5'},
        {"RateLimit": '"api";r=' + "9" * 5000 + ";t=5"},
        {"RateLimit": '"api";r=400;t=5', "RateLimit-Policy": "odd"},
        {"RateLimit": '"api";r=400;t=99999999999'},
    ],
)
def test_odd_headers_hold_nothing_up(pacer: Pacer, headers: dict[str, str]) -> None:
    send(pacer, headers)
    assert pacer.measure_wait("api") == 0


def test_a_refusal_waits_for_the_window(pacer: Pacer) -> None:
    send(pacer, tell(0, 42), status=429)
    assert pacer.measure_wait("api") == 43


def test_a_refusal_that_says_when_to_come_back_is_believed(pacer: Pacer) -> None:
    send(pacer, {"retry-after": "17"}, status=429)
    assert pacer.measure_wait("api") == 17


def test_refusals_that_say_nothing_double_the_pause(pacer: Pacer, clock: Clock) -> None:
    pauses = []
    for _ in range(9):
        send(pacer, {}, status=429)
        pauses.append(pacer.measure_wait("api"))
        clock.now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    send(pacer, {})
    send(pacer, {}, status=429)
    assert pacer.measure_wait("api") == 1


def test_no_pause_is_longer_than_a_person_would_believe(pacer: Pacer) -> None:
    send(pacer, {"retry-after": "999999"}, status=429)
    assert pacer.measure_wait("api") == 900


def test_an_estimate_counts_windows(pacer: Pacer) -> None:
    send(pacer, tell(499, 100))
    assert pacer.estimate_seconds({"api": 399}) == 0
    assert pacer.estimate_seconds({"api": 400}) == 101
    assert pacer.estimate_seconds({"api": 399 + 400}) == 101
    assert pacer.estimate_seconds({"api": 399 + 401}) == 401
    assert pacer.estimate_seconds({"cache": 5}) == 0  # nothing is known of that one


def test_a_single_request_a_window_is_possible(clock: Clock) -> None:
    pacer = Pacer(0.01, 900.0, clock=clock)
    send(pacer, tell(1, 10, limit=2))
    assert pacer.measure_wait("api") == 11
    clock.now += 12
    assert pacer.measure_wait("api") == 0


def test_retry_after_is_read_in_both_forms() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert read_retry_after({"retry-after": "7"}) == 7
    assert 25 < (read_retry_after({"retry-after": later}) or 0) <= 30
    assert read_retry_after({"retry-after": "Mon, 01 Jan 2001 00:00:00 -0000"}) == 0
    for odd in ({}, {"retry-after": "soon"}, {"retry-after": "9" * 5000}, {"retry-after": "-5"}):
        assert read_retry_after(odd) is None


def test_kinds_of_addresses() -> None:
    kinds = ["/api/models?limit=5", "/api/resolve-cache/models/a/b/0/config.json", "/a/b/resolve/main/config.json"]
    assert [classify_url(f"https://huggingface.co{path}") for path in kinds] == ["api", "cache", "file"]
