"""Models as plain values, read from the view and the JSON beside it: what commands and reports work with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Connection, Text, column, select, table

from zoo.db.content import select_in
from zoo.db.tables import AnalysisBody, Config, Model
from zoo.metrics.glossary import METRICS

#: The view ``models``.
MODELS = table("models", *(column(m.key, Boolean() if m.kind == "bool" else Text()) for m in METRICS))


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of the database, and what it stands for."""

    repo_id: str
    row: Mapping[str, Any]  #: the columns of the view ``models``; times as ISO 8601 text
    analysis: Mapping[str, Any] | None  #: the JSON of ``zoo analyze``; None where there is no config
    config: Mapping[str, Any]  #: empty where there is none
    reported: Mapping[str, Any]  #: "total", "by_dtype" as the Hub says; "check" and "explanation" against them
    source: str  #: who said the facts: hub, cache, folder, snapshot
    config_source: str | None = None
    origin: str | None = None
    problem: tuple[str, str] | None = None  #: kind and sentence: what stands in the way of a (newer) config
    gone_at: str | None = None
    twin_ids: tuple[str, ...] = field(default=())  #: matched models of the same fingerprint that it stands for

    @property
    def twins(self) -> int:
        """How many further matched models share its fingerprint and are not shown."""
        return len(self.twin_ids)


def load_rows(connection: Connection, twins: Mapping[str, Sequence[str]]) -> list[ModelRow]:
    """The models named by the keys of ``twins`` (those that are there), in that order."""
    view = {row["repo_id"]: row for row in _select_view(connection, twins)}
    aside = {row["repo_id"]: row for row in _select_aside(connection, twins)}
    return [
        _build_row(view[repo_id], aside[repo_id], tuple(others)) for repo_id, others in twins.items() if repo_id in view
    ]


def _select_view(connection: Connection, repo_ids: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row._mapping for row in select_in(connection, select(MODELS), MODELS.c.repo_id, repo_ids)]


def _select_aside(connection: Connection, repo_ids: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    query = (
        select(
            Model.repo_id,
            Model.source,
            Model.config_source,
            Model.origin,
            Model.problem_kind,
            Model.problem_message,
            Model.check_explanation,
            Model.reported_by_dtype,
            Model.gone_at.cast(Text).label("gone_at"),
            AnalysisBody.text.label("analysis"),
        )
        .outerjoin(Config, Config.id == Model.config_id)
        .outerjoin(AnalysisBody, AnalysisBody.analysis_id == Config.analysis_id)
    )
    return [row._mapping for row in select_in(connection, query, Model.repo_id, repo_ids)]


def _build_row(view: Mapping[str, Any], aside: Mapping[str, Any], twin_ids: tuple[str, ...]) -> ModelRow:
    repo_id = view["repo_id"]
    return ModelRow(
        repo_id=repo_id,
        row=dict(view),
        analysis=None if aside["analysis"] is None else {**json.loads(aside["analysis"]), "repo_id": repo_id},
        config=read_config(view["config"]),
        reported={
            "total": view["reported_params"],
            "by_dtype": json.loads(aside["reported_by_dtype"] or "{}"),
            "check": view["params_check"],
            "explanation": aside["check_explanation"],
        },
        source=aside["source"],
        config_source=aside["config_source"],
        origin=aside["origin"],
        problem=(aside["problem_kind"], aside["problem_message"]) if aside["problem_kind"] else None,
        gone_at=aside["gone_at"],
        twin_ids=twin_ids,
    )


def read_config(text: str | None) -> Mapping[str, Any]:
    """A config as it is stored; empty where there is none."""
    from zoo.config_text import parse_config

    return {} if text is None else parse_config(text, source="the database")
