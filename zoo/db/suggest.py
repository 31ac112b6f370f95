"""What went wrong in someone's SQL, in a sentence with the names that are near."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from zoo.db.views import VIEW_COLUMNS
from zoo.errors import UsageError

_NO_COLUMN = re.compile(r'no such column: (?:"?\w+"?\.)?(\S+)|column "?(?:\w+\.)?([^"\s]+)"? does not exist')
_NO_TABLE = re.compile(r'no such table: (?:main\.)?(\S+)|relation "([^"]+)" does not exist')


def explain_sql_error(said: str) -> UsageError:
    """The error for what the database ``said`` of a query."""
    if found := _NO_COLUMN.search(said):
        name = _strip(found)
        columns = sorted({column for columns in VIEW_COLUMNS.values() for column in columns})
        return UsageError(f"no column {name}{_near(name, columns)}")
    if found := _NO_TABLE.search(said):
        name = _strip(found)
        views = ", ".join(VIEW_COLUMNS)
        return UsageError(f"no table {name}{_near(name, VIEW_COLUMNS)} (there are {views})")
    return UsageError(f"the query is not understood: {said}")


def _strip(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group).strip('"')


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
