"""``zoo db check``: whether what is stored is what it says it is. Reads everything, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, ForeignKeyConstraint, and_, func, select

from zoo.config_text import hash_canonical
from zoo.db.derive import analysis_version, digest_analysis, list_columns
from zoo.db.engine import make_engine, resolve_url
from zoo.db.migrate import known_revisions
from zoo.db.session import look
from zoo.db.tables import Analysis, AnalysisBody, Base, Config, ConfigBody, Model, Part, Revision, table_of
from zoo.errors import DatabaseProblem


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def check_database(url: str | None) -> list[Finding]:
    """Everything that can be checked of the database at ``url``; with a damaged schema, that is all there is to say.

    Raises:
        DatabaseProblem: there is no database, or it cannot be read at all.
    """
    target = resolve_url(url)
    state = look(target)
    if state == "absent":
        raise DatabaseProblem("there is no database to check: run zoo sync first, or name one with --db")
    current = Finding("schema", state == "current", f"{state} (this zoo knows {known_revisions()[-1]})")
    if state != "current":
        return [current._replace(detail=f"{current.detail}: run zoo db upgrade")]
    with make_engine(target).connect() as connection:
        checks: tuple[Callable[[Connection], Finding], ...] = (
            check_integrity,
            check_keys,
            check_configs,
            check_analyses,
            check_current,
            check_models,
        )
        return [current, *(run(connection) for run in checks)]


def check_integrity(connection: Connection) -> Finding:
    """The file itself. A PostgreSQL server keeps checksums of its own."""
    if connection.dialect.name != "sqlite":
        return Finding("integrity", True, "left to the server")
    said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    return Finding("integrity", said == ["ok"], "; ".join(said))


def check_keys(connection: Connection) -> Finding:
    """Every reference points to a row."""
    broken = [
        f"{table.name}.{key.column_keys[0]} ({count:,})"
        for table in Base.metadata.sorted_tables
        for key in table.foreign_key_constraints
        if (count := _count_dangling(connection, key))
    ]
    return Finding(
        "foreign keys", not broken, f"rows that point nowhere: {', '.join(broken)}" if broken else "all hold"
    )


def _count_dangling(connection: Connection, key: ForeignKeyConstraint) -> int:
    target = key.referred_table.alias()
    pairs = [(element.parent, target.c[element.column.name]) for element in key.elements]
    there = select(target).where(and_(*(own == other for own, other in pairs))).exists()
    set_at_all = and_(*(own.is_not(None) for own, _ in pairs))
    return connection.scalar(select(func.count()).select_from(key.table).where(set_at_all, ~there)) or 0


def check_configs(connection: Connection) -> Finding:
    """The hash under which a config is stored is the hash of its text."""
    query = select(Config.sha256, ConfigBody.text).outerjoin(ConfigBody, ConfigBody.config_id == Config.id)
    total, wrong = 0, []
    for sha256, text in connection.execute(query.execution_options(yield_per=1000)):
        total += 1
        if text is None or hash_canonical(text) != sha256:
            wrong.append(sha256[:12])
    return _summarise("configs", total, wrong, "match their hash")


def check_analyses(connection: Connection) -> Finding:
    """Columns, parts and JSON of an analysis say the same."""
    total, wrong = 0, []
    for analysis_id, digest, same in _compare_analyses(connection):
        total += 1
        if not same:
            wrong.append(f"{analysis_id} ({digest[:12]})")
    return _summarise("analyses", total, wrong, "agree with their JSON")


def _compare_analyses(connection: Connection) -> Iterator[tuple[int, str, bool]]:
    part = table_of(Part).c
    parts: dict[int, set[tuple[str, int, int]]] = {}
    for analysis_id, *values in connection.execute(select(part.analysis_id, part.part, part.params, part.active)):
        parts.setdefault(analysis_id, set()).add(tuple(values))
    query = select(table_of(Analysis), AnalysisBody.text.label("body")).outerjoin(
        AnalysisBody, AnalysisBody.analysis_id == Analysis.id
    )
    for row in connection.execute(query.execution_options(yield_per=500)).mappings():
        own, same = parts.get(row["id"], set()), False
        if row["body"] is not None:
            columns = list_columns(json.loads(row["body"]))
            same = digest_analysis(row["body"], own) == row["digest"] and all(row[k] == v for k, v in columns.items())
        yield row["id"], row["digest"], same


def check_current(connection: Connection) -> Finding:
    """Every analysis was made by this version of zoo."""
    total = connection.scalar(select(func.count()).select_from(Config)) or 0
    stale = connection.scalar(select(func.count()).select_from(Config).where(Config.analyzed_by != analysis_version()))
    detail = f"{stale:,} of {total:,} were computed by another version: run zoo db upgrade" if stale else "all current"
    return Finding("derived numbers", not stale, detail)


def check_models(connection: Connection) -> Finding:
    """A model with a config has the revision that it came with."""
    seen = select(Revision.id).where(Revision.model_id == Model.id, Revision.config_id == Model.config_id)
    query = select(Model.repo_id).where(Model.config_id.is_not(None), ~seen.exists())
    wrong = [row[0] for row in connection.execute(query.limit(5))]
    total = connection.scalar(select(func.count()).select_from(Model)) or 0
    return _summarise("models", total, wrong, "have the revision of their config")


def _summarise(check: str, total: int, wrong: list[str], meaning: str) -> Finding:
    if not wrong:
        return Finding(check, True, f"{total:,} {meaning}")
    return Finding(check, False, f"{len(wrong):,} of {total:,} do not: {', '.join(wrong[:5])}")
