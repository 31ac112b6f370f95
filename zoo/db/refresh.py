"""Derived rows that another version of the analyzer made: found, and computed again from the stored configs."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine, bindparam, func, select, update

from zoo.config_text import parse_config
from zoo.db.checking import ParamsChecker
from zoo.db.content import delete_unused_analyses, store_analyses
from zoo.db.derive import analysis_version, derive_cached
from zoo.db.tables import Config, ConfigBody, Model, table_of

#: Configs that are computed again in one transaction.
BATCH = 500


def has_stale_analyses(engine: Engine) -> bool:
    """Whether some config was analysed by another version of zoo. Two look-ups in an index, however many there are."""
    first, last = select(func.min(Config.analyzed_by)), select(func.max(Config.analyzed_by))
    with engine.connect() as connection:
        versions = {connection.scalar(first), connection.scalar(last)}
    return bool(versions - {None, analysis_version()})


def count_stale_analyses(engine: Engine) -> int:
    """How many configs were analysed by another version of zoo."""
    query = select(func.count()).select_from(Config).where(Config.analyzed_by != analysis_version())
    with engine.connect() as connection:
        return connection.scalar(query) or 0


def refresh_analyses(engine: Engine, *, advance: Callable[[int], None] = lambda count: None) -> int:
    """Compute again what is stale, batch by batch; ``advance`` is told how many were done. Nothing is downloaded."""
    total = 0
    while True:
        with engine.begin() as connection:
            done = _refresh_batch(connection)
            if not done:
                delete_unused_analyses(connection)
                return total
        total += done
        advance(done)


def _refresh_batch(connection: Connection) -> int:
    version = analysis_version()
    stale = (
        select(Config.id, ConfigBody.text)
        .join(ConfigBody, ConfigBody.config_id == Config.id)
        .where(Config.analyzed_by != version)
        .limit(BATCH)
    )
    derived = {row[0]: derive_cached(parse_config(row[1], source="config")) for row in connection.execute(stale)}
    if not derived:
        return 0
    ids = store_analyses(connection, derived.values(), rewrite=True)
    config = table_of(Config)
    statement = update(config).where(config.c.id == bindparam("row"))
    statement = statement.values(analysis_id=bindparam("analysis"), analyzed_by=bindparam("version"))
    changes = [{"row": key, "analysis": ids[each.digest], "version": version} for key, each in derived.items()]
    connection.execute(statement, changes)
    _check_again(connection, list(derived))
    return len(derived)


def _check_again(connection: Connection, config_ids: list[int]) -> None:
    model = table_of(Model)
    wanted = ("id", "config_id", "reported_params", "reported_by_dtype")
    query = select(*(model.c[key] for key in wanted)).where(model.c.config_id.in_(config_ids))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    ParamsChecker(connection).check_rows(rows, {})
    if rows:
        statement = update(model).where(model.c.id == bindparam("row"))
        statement = statement.values(params_check=bindparam("verdict"), check_explanation=bindparam("why"))
        changes = [{"row": r["id"], "verdict": r["params_check"], "why": r["check_explanation"]} for r in rows]
        connection.execute(statement, changes)
