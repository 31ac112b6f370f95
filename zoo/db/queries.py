"""Named queries: files ``zoo/queries/NAME.sql`` that begin with ``-- title: …`` and ``-- about: …``."""

from __future__ import annotations

import difflib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from zoo.errors import BadInput, NoMatch


class NamedQuery(NamedTuple):
    """A question that people really ask. ``about`` is one sentence."""

    name: str
    title: str
    about: str
    sql: str


def list_queries() -> list[NamedQuery]:
    """All named queries, by name."""
    folder = resources.files("zoo").joinpath("queries")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return [read_query(file) for file in files if file.name.endswith(".sql")]


def read_query(file: Traversable) -> NamedQuery:
    """The query in ``file``.

    Raises:
        BadInput: it does not begin with its title and what it is about.
    """
    text = file.read_text(encoding="utf-8")
    head = [line.partition(":") for line in text.splitlines()[:2]]
    if [part[0] for part in head] != ["-- title", "-- about"]:
        raise BadInput(file.name, "does not begin with -- title: and -- about:")
    return NamedQuery(file.name.removesuffix(".sql"), head[0][2].strip(), head[1][2].strip(), text)


def find_query(name: str) -> NamedQuery:
    """The query called ``name``.

    Raises:
        NoMatch: there is none of that name.
    """
    queries = {query.name: query for query in list_queries()}
    if name not in queries:
        raise NoMatch(name, difflib.get_close_matches(name, queries, n=3), what="named query")
    return queries[name]
