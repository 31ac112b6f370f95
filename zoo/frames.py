"""The database as pandas data frames, for notebooks: ``zoo.load`` and ``zoo.query``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.metrics.glossary import BY_KEY, METRICS, Kind

if TYPE_CHECKING:
    from pandas import DataFrame

#: pandas types that tell "no number" from 0.
DTYPES: dict[Kind, str] = {"int": "Int64", "float": "Float64", "bool": "boolean", "text": "string"}


def load(
    models: str | Sequence[str] = (),
    *,
    db: str | None = None,
    top: int | None = None,
    all_models: bool = True,
) -> DataFrame:
    """The view ``models`` as a data frame, one row a model, indexed by ``repo_id``.

    ``models`` are terms as ``--models`` takes them; with none, every model. ``all_models`` off merges models of one
    fingerprint, and ``top`` keeps the most downloaded of each term. Raises NoMatch for a term that matches nothing.
    """
    from zoo.db.select import select_models
    from zoo.db.session import open_engine

    terms = [models] if isinstance(models, str) else list(models)
    selection = select_models(open_engine(db), terms, top=top, all_models=all_models)
    return _frame([m.key for m in METRICS], [list(row.row.values()) for row in selection.rows]).set_index("repo_id")


def query(sql: str, *, db: str | None = None, limit_rows: int = 1_000_000) -> DataFrame:
    """The answer to one SELECT as a data frame; read-only, as ``zoo sql``. Raises UsageError for what is no SELECT."""
    from zoo.db.readonly import run_query
    from zoo.db.session import open_engine

    answer = run_query(open_engine(db), sql, limit_rows=limit_rows)
    return _frame(answer.columns, answer.rows)


def _frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> DataFrame:
    """A data frame whose columns have the type that the glossary gives for their name."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns), dtype="object")
    for name in frame.columns:
        metric = BY_KEY.get(name)
        if metric is None:
            continue
        if metric.kind == "time":
            frame[name] = pd.to_datetime(frame[name], utc=True)
        else:
            frame[name] = frame[name].astype(DTYPES[metric.kind])  # type: ignore[call-overload] # names of dtypes
    return frame
