"""What the database holds of the sizes of models: one row each, without their configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, column, select, table

from zoo.config_text import parse_config
from zoo.db.content import select_in
from zoo.db.select import choose_models
from zoo.db.tables import ConfigBody, Model
from zoo.errors import NoMatch

#: Columns of the view ``models`` that say how large a model is, and which of many stands for its twins.
SIZES = (
    "repo_id",
    "fingerprint",
    "method",
    "params_total",
    "params_active",
    "max_context",
    "dtype",
    "quantization",
    "weights_bytes",
    "kv_bytes_per_token",
    "kv_bytes_per_token_long",
    "kv_window_bytes",
    "kv_bytes_at_8k",
    "kv_bytes_at_32k",
    "kv_bytes_at_128k",
    "layers",
    "hidden_size",
    "vocab_size",
    "downloads",
    "base_model",
)
_VIEW = table("models", *(column(name) for name in SIZES))


def load_sizes(connection: Connection, terms: str | None = None) -> list[Mapping[str, Any]]:
    """The :data:`SIZES` of all models, or of all that ``terms`` mean.

    Raises:
        NoMatch: a term matches nothing.
    """
    query = select(*(_VIEW.c[name] for name in SIZES))
    if terms is None:
        return [dict(row._mapping) for row in connection.execute(query)]
    wanted, _ = choose_models(connection, [terms], None, merge=False)
    return [dict(row._mapping) for row in select_in(connection, query, _VIEW.c.repo_id, wanted)]


def load_config(connection: Connection, repo_id: str) -> Mapping[str, Any]:
    """The config of one model, as it is stored.

    Raises:
        NoMatch: there is none.
    """
    query = select(ConfigBody.text).join(Model, Model.config_id == ConfigBody.config_id)
    text = connection.execute(query.where(Model.repo_key == repo_id.lower())).scalar()
    if text is None:
        raise NoMatch(repo_id)
    return parse_config(text, source="the database")
