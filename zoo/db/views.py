"""The views of the database, written from the glossary: the surface that people's own SQL rests on.

``models`` has one column for each metric, in the order of the glossary. Both databases give the same names and the same
values; what differs is only how each walks through JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sqlalchemy import Connection, text

from zoo.db.tables import Base
from zoo.metrics.glossary import METRICS, Metric

#: Levels of objects that ``config_values`` walks down; what lies deeper is shown as JSON. Real configs have four.
LEVELS = 6


def build_views(dialect: str) -> dict[str, str]:
    """The SELECT behind each view, for ``sqlite`` or ``postgresql``."""
    return {
        "models": _select_models(),
        "config_values": _select_config_values(dialect),
        "parts": _PARTS,
        "revisions": _REVISIONS,
        "events": _EVENTS,
        "sync_errors": _SYNC_ERRORS,
        "metrics": _select_metrics(),
    }


#: Columns of each view, in order.
VIEW_COLUMNS: dict[str, tuple[str, ...]] = {
    "models": tuple(metric.key for metric in METRICS),
    "config_values": ("repo_id", "key", "value"),
    "parts": ("repo_id", "part", "params", "active", "share"),
    "revisions": ("repo_id", "sha", "config_sha256", "seen_at"),
    "events": ("repo_id", "at", "kind", "before", "after", "sha"),
    "sync_errors": ("repo_id", "kind", "message", "seen_at"),
    "metrics": ("key", "label", "unit", "meaning", "origin"),
}


def digest_views(dialect: str) -> str:
    """Names the views of this version of zoo, so that older ones are noticed and replaced."""
    return hashlib.sha256("\n".join(build_views(dialect).values()).encode()).hexdigest()[:16]


def create_views(connection: Connection) -> None:
    """Write all views anew and remember their digest."""
    drop_views(connection)
    dialect = connection.dialect.name
    for name, select in build_views(dialect).items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{select}")
    connection.execute(text("DELETE FROM setting WHERE key = 'views'"))
    remember = text("INSERT INTO setting (key, value) VALUES ('views', :digest)")
    connection.execute(remember, {"digest": digest_views(dialect)})


def drop_views(connection: Connection) -> None:
    """Take the views away: a table cannot be changed below them."""
    for name in VIEW_COLUMNS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _select_models() -> str:
    columns = ",\n  ".join(f'{_locate_metric(metric)} AS "{metric.key}"' for metric in METRICS)
    return (
        f"SELECT\n  {columns}\nFROM model m\nLEFT JOIN config c ON c.id = m.config_id\n"
        "LEFT JOIN analysis a ON a.id = c.analysis_id\nLEFT JOIN config_body b ON b.config_id = m.config_id"
    )


def _locate_metric(metric: Metric) -> str:
    if metric.path is not None:
        return f'a."{metric.key}"'
    if metric.key == "config":
        return "b.text"
    if metric.key not in Base.metadata.tables["model"].columns:
        raise KeyError(f"metric {metric.key} has no path and the table model has no column of that name")
    return f'm."{metric.key}"'


def _select_metrics() -> str:
    def quote(value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    rows = (
        f"SELECT {quote(m.key)} AS key, {quote(m.label)} AS label, {quote(m.unit)} AS unit, "
        f"{quote(m.meaning)} AS meaning, {quote(m.origin)} AS origin"
        for m in METRICS
    )
    return "\nUNION ALL ".join(rows)


_PARTS = """SELECT m.repo_id, p.part, p.params, p.active,
  CAST(p.params AS DOUBLE PRECISION) / NULLIF(a.params_total, 0) AS share
FROM model m JOIN config c ON c.id = m.config_id JOIN analysis a ON a.id = c.analysis_id
JOIN part p ON p.analysis_id = a.id"""

_REVISIONS = """SELECT m.repo_id, NULLIF(r.sha, '') AS sha, c.sha256 AS config_sha256, r.seen_at
FROM revision r JOIN model m ON m.id = r.model_id JOIN config c ON c.id = r.config_id"""

_SYNC_ERRORS = "SELECT repo_id, kind, message, seen_at FROM sync_error"

# Spelled with quotation marks: some of the names are words of SQL.
_EVENTS = """SELECT m.repo_id, e."at", e.kind, e."before", e."after", e.sha
FROM event e JOIN model m ON m.id = e.model_id"""


def _select_config_values(dialect: str) -> str:
    """One row for each key whose value is not an object, however deep; the key is its path with dots.

    A list is one value (as JSON), an empty object too; numbers are spelled as in the config, null is NULL.
    """
    join, is_set, leaf = _WALKS[dialect]
    joins = "\n".join(join(level) for level in range(1, LEVELS + 1))
    key = "e1.key" + "".join(
        f" || CASE WHEN {is_set(level)} THEN '.' || e{level}.key ELSE '' END" for level in range(2, LEVELS + 1)
    )
    value = "".join(f"\n    WHEN {is_set(level)} THEN {leaf(level)}" for level in range(LEVELS, 1, -1))
    return (
        f"SELECT m.repo_id, {key} AS key,\n  CASE{value}\n    ELSE {leaf(1)} END AS value\n"
        f"FROM model m JOIN config_body b ON b.config_id = m.config_id\n{joins}"
    )


def _join_sqlite(level: int) -> str:
    if level == 1:
        return "JOIN json_each(b.text) e1"
    above = f"e{level - 1}"
    return f"LEFT JOIN json_each(CASE WHEN {above}.type = 'object' THEN {above}.value END) e{level}"


def _leaf_sqlite(level: int) -> str:
    # -> gives a number as it is spelled; SQLite would print 1e-06 as 1.0e-06, and round what is over 64 bits.
    # It finds no key that holds a quotation mark: then the number as SQLite prints it must do.
    e, above = f"e{level}", "b.text" if level == 1 else f"e{level - 1}.value"
    return (
        f"CASE WHEN {e}.type IN ('true', 'false') THEN {e}.type "
        f"WHEN typeof({e}.value) = 'real' THEN COALESCE({above} -> {e}.fullkey, CAST({e}.value AS TEXT)) "
        f"ELSE CAST({e}.value AS TEXT) END"
    )


def _join_postgresql(level: int) -> str:
    if level == 1:
        return "CROSS JOIN LATERAL json_each(b.text::json) e1"
    above = f"e{level - 1}.value"
    return f"LEFT JOIN LATERAL json_each(CASE WHEN json_typeof({above}) = 'object' THEN {above} END) e{level} ON true"


_Walk = tuple[Callable[[int], str], Callable[[int], str], Callable[[int], str]]
_WALKS: dict[str, _Walk] = {
    "sqlite": (_join_sqlite, lambda level: f"e{level}.id IS NOT NULL", _leaf_sqlite),
    "postgresql": (
        _join_postgresql,
        lambda level: f"e{level}.key IS NOT NULL",
        lambda level: f"(e{level}.value #>> '{{}}')",
    ),
}
