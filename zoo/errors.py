"""Every error that zoo raises on purpose. Exceptions carry data; the command line turns them into one sentence.

::

    ZooError                     exit 1 unless said otherwise
    ├── NoMatch                  1   a term, a model or a query matched nothing; carries near names
    ├── CheckFailed              1   something was looked at and is not as it should be
    ├── UsageError               2   options that do not go together, an unknown name
    ├── BadInput                 3   a file or a text that cannot be read as what it should be
    ├── HubError                 4   the Hub cannot be reached, or refuses
    └── DatabaseProblem          5   the database is missing, damaged, locked or of another version
        └── SchemaTooNew         5
"""

from __future__ import annotations

from collections.abc import Sequence


class ZooError(Exception):
    """Base of all: ``str(error)`` is one clear sentence that ends with the way out."""

    exit_code = 1


class NoMatch(ZooError):
    """Nothing matched ``term``; ``near`` holds names that are spelled like it."""

    def __init__(self, term: str, near: Sequence[str] = (), *, what: str = "model") -> None:
        self.term, self.near, self.what = term, tuple(near), what
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"no {what} matches {term!r}.{hint}")


class CheckFailed(ZooError):
    """A check ran and its answer is no."""


class UsageError(ZooError):
    """The command was used in a way that it does not offer."""

    exit_code = 2


class BadInput(ZooError):
    """``source`` (a path, an id) holds something that cannot be used; ``reason`` says what is wrong."""

    exit_code = 3

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}")


class HubError(ZooError):
    """The Hub could not be reached, or refused the request."""

    exit_code = 4


class DatabaseProblem(ZooError):
    """The database is missing, locked, damaged or not what the command needs."""

    exit_code = 5


class SchemaTooNew(DatabaseProblem):
    """The database was written by a newer zoo than this one."""

    def __init__(self, found: str, known: str) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"the database has schema {found}, which is newer than this zoo knows ({known}): update zoo, "
            "or name another database with --db"
        )
