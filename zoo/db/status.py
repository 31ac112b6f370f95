"""What is in the database, in a few numbers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from zoo.db.engine import describe_url, make_engine, resolve_url, sqlite_path
from zoo.db.migrate import known_revisions, read_revision
from zoo.db.refresh import count_stale_analyses
from zoo.db.session import look
from zoo.db.tables import Analysis, Config, Model, Revision, SyncError, table_of
from zoo.db.types import format_time


def read_status(url: str | None) -> dict[str, Any]:
    """Place, version and contents of the database at ``url``; nothing is changed, and there need not be one.

    Raises:
        SchemaTooNew, DatabaseProblem: as ``zoo.db.migrate.read_state``.
    """
    target = resolve_url(url)
    path = sqlite_path(target)
    state = look(target)
    status: dict[str, Any] = {
        "database": describe_url(target),
        "schema": state,
        "known_revision": known_revisions()[-1],
        "bytes": path.stat().st_size if path is not None and path.exists() else None,
    }
    if state == "absent":
        return status
    engine = make_engine(target)
    with engine.connect() as connection:
        status["revision"] = read_revision(connection)
        if state == "current":
            status |= _count_contents(connection)
    if state == "current":
        status["to_recompute"] = count_stale_analyses(engine)
    return status


def _count_contents(connection: Connection) -> dict[str, Any]:
    entities = {"models": Model, "configs": Config, "analyses": Analysis, "revisions": Revision}
    counts: dict[str, Any] = {
        name: connection.scalar(select(func.count()).select_from(table_of(entity))) for name, entity in entities.items()
    }
    method = table_of(Analysis).c.method
    by_method = (
        select(method, func.count())
        .select_from(Model)
        .join(Config, Config.id == Model.config_id)
        .join(table_of(Analysis), table_of(Analysis).c.id == Config.analysis_id)
        .group_by(method)
    )
    groups = {
        "by_method": by_method,
        "by_check": select(Model.params_check, func.count()).group_by(Model.params_check),
        "by_source": select(Model.source, func.count()).group_by(Model.source),
        "problems": select(SyncError.kind, func.count()).group_by(SyncError.kind),
    }
    for name, query in groups.items():
        counts[name] = dict(sorted((row[0], row[1]) for row in connection.execute(query)))
    last = connection.scalar(select(func.max(Model.synced_at)))
    return counts | {"last_sync": format_time(last) if last else None}
