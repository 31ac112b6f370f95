"""What every command gets: the global options, and ways to print that keep data and notes apart."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from zoo.db.store import DatabaseStore


@dataclass
class Context:
    """Global options. Data goes to stdout, progress and notes to stderr."""

    db_url: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    _consoles: dict[str, Console] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)

    @property
    def out(self) -> Console:
        """Console on stdout; markup and emoji off, so that text from the Hub stays text."""
        return self._console("out")

    @property
    def err(self) -> Console:
        """Console on stderr, silent under ``--quiet``."""
        return self._console("err")

    def _console(self, which: str) -> Console:
        if which not in self._consoles:
            from rich.console import Console

            self._consoles[which] = Console(
                file=sys.stdout if which == "out" else sys.stderr,
                quiet=which == "err" and self.quiet,
                markup=False,
                emoji=False,
                highlight=False,
                soft_wrap=True,
            )
        return self._consoles[which]

    def note(self, message: str) -> None:
        """Say something to the person, not to the program that reads stdout; the same only once."""
        from zoo.text import clean_text

        if message not in self._noted:
            self._noted.add(message)
            self.err.print(clean_text(message))

    def print_json(self, value: Any) -> None:
        """Write one JSON document to stdout (dates as ISO 8601, no NaN)."""
        from zoo.text import dump_json

        sys.stdout.write(dump_json(value, indent=2) + "\n")

    def print_jsonl(self, values: Sequence[Any]) -> None:
        from zoo.text import dump_json

        for value in values:
            sys.stdout.write(dump_json(value) + "\n")

    def open_engine(self, *, write: bool = False) -> Engine:
        """Engine on the chosen database, migrated when older; read-only unless ``write``."""
        from zoo.db.session import open_engine

        return open_engine(self.db_url, write=write, note=self.note)

    def open_store(self) -> DatabaseStore:
        """Where ``zoo sync`` saves."""
        from zoo.db.store import DatabaseStore

        return DatabaseStore(self.open_engine(write=True))
