"""Choosing models: what ``--models`` means, for every command.

A term is, in this order: a repo id; a name without its author; a glob; else a family or ``model_type``, or a piece of a
repo id. Case counts nowhere. Models that match are ranked: those with numbers first, then by downloads; where those
are the same or unknown, originals before what derives from them, then the older, then the shorter name.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Engine, Text, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from zoo.db.rows import ModelRow, load_rows
from zoo.db.tables import Analysis, Config, Model, table_of
from zoo.errors import NoMatch

#: How many a term keeps that matches many.
DEFAULT_TOP = 5
_NEAR_POOL = 5000

How = Literal["id", "name", "glob", "text", "everything"]


class Candidate(NamedTuple):
    """What ranking needs of a model."""

    repo_id: str
    fingerprint: str | None
    method: str | None
    downloads: int | None
    base_model: str | None
    created_at: str | None
    gone_at: str | None


@dataclass(frozen=True, slots=True)
class TermMatch:
    """What became of one term. ``merged``: counted with a model of the same fingerprint; ``cut``: beyond the top."""

    term: str
    how: How
    matched: int
    kept: tuple[str, ...]
    merged: int
    cut: int

    def __str__(self) -> str:
        said = f"{self.term}: {_count(self.matched)}"
        if self.merged:
            said += f", {self.merged:,} of them counted with one of the same architecture and sizes"
        if self.cut:
            said += f"; the {_count(len(self.kept))} downloaded most are kept, {self.cut:,} left out"
        return said + (" (--top N or --all shows more)" if self.cut else " (--all shows each)" if self.merged else "")


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen models, in the order of the terms, and what was matched and left out."""

    rows: tuple[ModelRow, ...]
    terms: tuple[TermMatch, ...] = field(default=())

    @property
    def notes(self) -> list[str]:
        """One sentence for each term of which not every match is shown."""
        return [str(match) for match in self.terms if match.cut or match.merged]


def split_terms(texts: Iterable[str]) -> list[str]:
    """Terms of ``texts``, each of which may hold several, separated by commas."""
    return [term.strip() for text in texts for term in text.split(",") if term.strip()]


def select_models(
    engine: Engine,
    terms: Sequence[str],
    *,
    top: int | None = None,
    all_models: bool = False,
    unique_fingerprints: bool = True,
) -> Selection:
    """The models that ``terms`` mean; with none, all are matched.

    Unless ``all_models``, models of one fingerprint are one row (the most downloaded stands for them) and each term
    keeps its ``top`` (5) most downloaded. What a term names exactly is kept as it is.

    Raises:
        NoMatch: a term matches nothing; carries near names.
    """
    with engine.connect() as connection:
        limit = top if top is not None or all_models else DEFAULT_TOP
        stands_for, matches = choose_models(connection, terms, limit, merge=unique_fingerprints and not all_models)
        return Selection(tuple(load_rows(connection, stands_for)), tuple(matches))


def choose_models(
    connection: Connection, terms: Sequence[str], limit: int | None, *, merge: bool
) -> tuple[dict[str, list[str]], list[TermMatch]]:
    """As :func:`select_models`, but only the names: repo id -> the others that it stands for."""
    chooser = _Chooser(limit, merge)
    matches = [chooser.take(term, *match_term(connection, term)) for term in split_terms(terms) or [""]]
    return chooser.stands_for, matches


class _Chooser:
    """What was chosen so far. ``stands_for``: repo id -> the others of its fingerprint that were matched."""

    def __init__(self, limit: int | None, merge: bool) -> None:
        self.limit, self.merge = limit, merge
        self.stands_for: dict[str, list[str]] = {}
        self._by_fingerprint: dict[str, str] = {}

    def take(self, term: str, how: How, found: Sequence[Candidate]) -> TermMatch:
        """Choose among the matches of ``term``, the best first."""
        exact = how in ("id", "name")
        kept: list[str] = []
        merged = cut = 0
        for repo_id, fingerprint, *_ in found:
            host = self._by_fingerprint.get(fingerprint or "") if self.merge and not exact else None
            if repo_id in self.stands_for:
                kept.append(repo_id)
            elif host is not None:
                merged += 1
                if repo_id not in self.stands_for[host]:
                    self.stands_for[host].append(repo_id)
            elif exact or self.limit is None or len(kept) < self.limit:
                kept.append(repo_id)
                self.stands_for[repo_id] = []
                if fingerprint:
                    self._by_fingerprint.setdefault(fingerprint, repo_id)
            else:
                cut += 1
        return TermMatch(term, how, len(found), tuple(kept), merged, cut)


def match_term(connection: Connection, term: str) -> tuple[How, list[Candidate]]:
    """All models that ``term`` means, best first, and in which sense.

    Raises:
        NoMatch: none; carries near names.
    """
    lower, key = term.lower(), Model.repo_key
    if not term:
        return "everything", _find(connection)
    if any(sign in term for sign in "*?["):
        found = _match_glob(connection, lower)
        how: How = "glob"
    else:
        how, found = "id", _find(connection, key == lower)
        if not found and "/" not in lower:
            how, found = "name", _find(connection, key.endswith("/" + lower, autoescape=True))
        if not found:
            analysis = table_of(Analysis).c
            family = or_(func.lower(analysis.family) == lower, func.lower(analysis.model_type) == lower)
            how, found = "text", _find(connection, or_(family, key.contains(lower, autoescape=True)))
    if not found:
        raise NoMatch(term, find_near(connection, lower))
    return how, found


def _match_glob(connection: Connection, pattern: str) -> list[Candidate]:
    """A pattern without a slash is one of names, whoever's they are. Classes ([ab]) are left to Python."""
    # SQL narrows the search down, Python decides: LIKE knows no [ab], and takes ? and * for itself.
    like = re.sub(
        r"[*?]|\[[^]]*\]?", lambda sign: "_" if sign[0] == "?" else "%", re.sub(r"([%_\\])", r"\\\1", pattern)
    )
    matches = re.compile(fnmatch.translate(pattern)).match
    whole = "/" in pattern
    found = _find(connection, Model.repo_key.like(like if whole else f"%{like}", escape="\\"))
    return [each for each in found if matches(each.repo_id.lower() if whole else each.repo_id.lower().split("/")[-1])]


def _find(connection: Connection, condition: ColumnElement[bool] | None = None) -> list[Candidate]:
    analysis = table_of(Analysis).c
    query = (
        select(
            Model.repo_id,
            analysis.fingerprint,
            analysis.method,
            Model.downloads,
            Model.base_model,
            Model.created_at.cast(Text),
            Model.gone_at.cast(Text),
        )
        .outerjoin(Config, Config.id == Model.config_id)
        .outerjoin(table_of(Analysis), analysis.id == Config.analysis_id)
    )
    rows = connection.execute(query if condition is None else query.where(condition))
    return sorted((Candidate(*row) for row in rows), key=rank_candidate)


def rank_candidate(model: Candidate) -> tuple[object, ...]:
    """Sorts the best first; the same order every time."""
    return (
        model.method not in ("ledger", "estimate"),
        model.gone_at is not None,
        -1 * (-1 if model.downloads is None else model.downloads),
        model.base_model is not None,
        model.created_at or "9999",
        len(model.repo_id),
        model.repo_id,
    )


def find_near(connection: Connection, term: str) -> list[str]:
    """Up to five repo ids, families and model types that are spelled like ``term`` (lower case)."""
    analysis = table_of(Analysis).c
    words = [
        row[0] for kind in (analysis.family, analysis.model_type) for row in connection.execute(select(kind).distinct())
    ]
    by_downloads = select(Model.repo_id).order_by(func.coalesce(Model.downloads, -1).desc(), Model.repo_id)
    ids = [row[0] for row in connection.execute(by_downloads.limit(_NEAR_POOL))]
    # An id is near by its whole spelling, or by its name alone.
    spellings: dict[str, str] = {}
    for word in (*filter(None, words), *ids):
        for spelling in {word.lower(), word.lower().split("/")[-1]}:
            spellings.setdefault(spelling, word)
    near = difflib.get_close_matches(term, spellings, n=8, cutoff=0.6)
    return list(dict.fromkeys(spellings[spelling] for spelling in near))[:5]


def _count(number: int) -> str:
    return "1 model" if number == 1 else f"{number:,} models"
