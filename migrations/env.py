"""Alembic's entry: runs migrations on the connection that zoo hands over. There is no alembic.ini."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from zoo.db.migrate import VERSION_TABLE
from zoo.db.tables import Base
from zoo.db.types import UtcText


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types: they must not change when zoo's own types do."""
    return "sa.Text()" if kind == "type" and isinstance(item, UtcText) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
    # zoo holds one transaction around the whole upgrade, views included.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
