"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from zoo.errors import UsageError
from zoo.moments import parse_moment

NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", at(2026, 3, 1)),
        (" 2026-03-01 ", at(2026, 3, 1)),
        ("2026-03-01T09:30", at(2026, 3, 1, 9, 30)),
        ("2026-03-01 09:30:05", at(2026, 3, 1, 9, 30, 5)),
        ("2026-03-01T09:30:00Z", at(2026, 3, 1, 9, 30)),
        ("2026-03-01T09:30+02:00", at(2026, 3, 1, 7, 30)),
        ("today", at(2026, 3, 15)),
        ("Yesterday", at(2026, 3, 14)),
        ("12h", at(2026, 3, 15, 0, 30)),
        ("7d", at(2026, 3, 8, 12, 30)),
        ("7 days ago", at(2026, 3, 8, 12, 30)),
        ("1 day", at(2026, 3, 14, 12, 30)),
        ("2w", at(2026, 3, 1, 12, 30)),
        ("2 weeks ago", at(2026, 3, 1, 12, 30)),
        ("1 month", at(2026, 2, 13, 12, 30)),
        ("1y", at(2025, 3, 15, 12, 30)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    assert parse_moment("2026-02-28", NOW, end=True) == at(2026, 3, 1)
    assert parse_moment("yesterday", NOW, end=True) == at(2026, 3, 15)
    assert parse_moment("2026-03-01T09:30", NOW, end=True) == at(2026, 3, 1, 9, 30)
    assert parse_moment("7d", NOW, end=True) == at(2026, 3, 8, 12, 30)


def test_days_are_those_of_utc_wherever_the_person_is() -> None:
    late = datetime(2026, 3, 15, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert parse_moment("today", late) == at(2026, 3, 16)


@pytest.mark.parametrize(
    "text", ["", "soon", "7", "7q", "2026-02-30", "9999-12-31T23:59-23:00", "99999y", "-3d", "7d!"]
)
def test_anything_else_is_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment: name a date"):
        parse_moment(text, NOW)


def test_the_last_day_of_all_has_no_next() -> None:
    with pytest.raises(UsageError, match="is no moment"):
        parse_moment("9999-12-31", NOW, end=True)
