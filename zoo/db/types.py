"""Column types that hold the same values on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Double, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from zoo.metrics.glossary import Kind

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

#: Primary keys: SQLite counts up by itself only for a column of type INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class UtcText(TypeDecorator[datetime]):
    """A moment as ``2026-01-31T09:15:00Z``: UTC, sorts as text, reads the same on every database.

    Takes timezone-aware datetimes only (a naive one is an error, not a guess) and gives them back.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else format_time(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else parse_time(value)


def format_time(value: datetime) -> str:
    """``value`` in UTC as ISO 8601 text, to the second.

    Raises:
        ValueError: ``value`` has no timezone.
    """
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no timezone")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{utc.isoformat(timespec='seconds')[:19]}Z"  # as strftime(TIME_FORMAT), in a fifth of the time


def parse_time(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def column_type(kind: Kind) -> TypeEngine[Any]:
    """The column type for a metric's ``kind``."""
    types: dict[Kind, TypeEngine[Any]] = {
        "int": BigInteger(),
        "float": Double(),
        "text": Text(),
        "bool": Boolean(),
        "time": UtcText(),
    }
    return types[kind]
