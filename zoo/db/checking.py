"""Derived against reported, for rows of the table model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from zoo.db.bulk import select_rows
from zoo.db.content import read_documents
from zoo.db.merge import Row
from zoo.db.models import Pair
from zoo.db.tables import Config

_CHECKED = ("config_id", "reported_params", "reported_by_dtype")


class ParamsChecker:
    """Fills ``params_check`` and ``check_explanation``; the same question is answered once in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._documents: dict[int, Any] = {}
        self._answers: dict[tuple[int, int | None, str | None], tuple[str, str | None]] = {}

    def check(self, pairs: Sequence[Pair], analyses: Mapping[int, int]) -> None:
        """Check the rows whose config or reported numbers are not those of the last time.

        ``analyses``: ids of analyses by those of configs, as far as they are at hand.
        """
        rows = [row for old, row in pairs if old is None or any(row[key] != old[key] for key in _CHECKED)]
        self.check_rows(rows, analyses)

    def check_rows(self, rows: Sequence[Row], analyses: Mapping[int, int]) -> None:
        """Check ``rows``."""
        ids = {row["config_id"] for row in rows if row["config_id"] is not None and row["config_id"] not in analyses}
        known = {**analyses, **dict(select_rows(self._connection, Config, ("id", "analysis_id"), "id", ids))}
        asked = []
        for row in rows:
            if row["config_id"] is None:
                row["params_check"], row["check_explanation"] = "unchecked", None
            else:
                asked.append((row, (known[row["config_id"]], row["reported_params"], row["reported_by_dtype"])))
        open_questions = {question for _, question in asked if question not in self._answers}
        self._read({question[0] for question in open_questions if question[1:] != (None, None)})
        for question in open_questions:
            self._answers[question] = self._answer(*question)
        for row, question in asked:
            row["params_check"], row["check_explanation"] = self._answers[question]

    def _read(self, analysis_ids: set[int]) -> None:
        wanted = analysis_ids - self._documents.keys()
        self._documents |= {key: json.loads(text) for key, text in read_documents(self._connection, wanted).items()}

    def _answer(self, analysis_id: int, params: int | None, by_dtype: str | None) -> tuple[str, str | None]:
        from zoo.metrics.reconcile import check

        return check(self._documents.get(analysis_id, {}), params, json.loads(by_dtype or "{}"))
