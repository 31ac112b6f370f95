"""Moments as people write them: ``2026-03-01``, ``2026-03-01T09:30Z``, ``yesterday``, ``2 weeks ago``; in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zoo.errors import UsageError

_SPAN = re.compile(r"(\d{1,6}) ?(h|hours?|d|days?|w|weeks?|months?|y|years?)(?: ago)?")
#: A month is 30 days here, a year 365.
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "m": timedelta(days=30),
    "y": timedelta(days=365),
}
_DAYS = {"today": 0, "yesterday": 1}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
WANTED = "a date (2026-03-01), a time (2026-03-01T09:30), today, yesterday, or a span back from now (12h, 7d, 2w)"


def parse_moment(text: str, now: datetime, *, end: bool = False) -> datetime:
    """The moment that ``text`` names, in UTC; a day is its beginning, or with ``end`` the beginning of the next.

    ``now`` is what spans are counted back from; it has a timezone. A time that names none is taken to be UTC.

    Raises:
        UsageError: it names no moment, or one before the year 1.
    """
    word = text.strip().lower()
    try:
        if word in _DAYS or _DATE.fullmatch(word):
            day = _find_day(word, now)
            return day + timedelta(days=1) if end else day
        if span := _SPAN.fullmatch(word):
            return now.astimezone(UTC) - int(span[1]) * _UNITS[span[2][0]]
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r:.40} is no moment: name {WANTED}") from None


def _find_day(word: str, now: datetime) -> datetime:
    if word in _DAYS:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS[word])
    return datetime.fromisoformat(word).replace(tzinfo=UTC)
