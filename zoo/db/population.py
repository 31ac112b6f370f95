"""The models that others are compared with: one of each fingerprint, the most downloaded first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Text, func, select

from zoo.config_text import parse_config
from zoo.db.content import select_in
from zoo.db.tables import Analysis, Config, ConfigBody, Model, table_of

#: Models that are looked through, the most downloaded first: beyond them lie fine-tunes of the same fingerprints.
MOST_MODELS = 50_000
#: Fingerprints that are loaded.
MOST_SPECIMENS = 5_000


@dataclass(slots=True)
class Specimen:
    """The most downloaded model of a fingerprint, which stands for all that share it."""

    repo_id: str
    family: str | None
    model_type: str | None
    fingerprint: str
    params_total: int | None
    created_at: str | None  #: ISO 8601
    config: Mapping[str, Any] = field(default_factory=dict)
    twin_ids: list[str] = field(default_factory=list)  #: the others of its fingerprint, the most downloaded first

    @property
    def count(self) -> int:
        """How many models share the fingerprint."""
        return 1 + len(self.twin_ids)


@dataclass(frozen=True, slots=True)
class Population:
    """What was loaded, the most downloaded first. ``whole`` is False where the database has more than were read."""

    specimens: tuple[Specimen, ...]
    whole: bool

    @property
    def models(self) -> int:
        """How many models the specimens stand for."""
        return sum(specimen.count for specimen in self.specimens)


def load_population(
    engine: Engine, *, most_models: int = MOST_MODELS, most_specimens: int = MOST_SPECIMENS
) -> Population:
    """One model of each fingerprint with its config; models without numbers and those that are gone are left out."""
    with engine.connect() as connection:
        found, configs, whole = _find_specimens(connection, most_models, most_specimens)
        bodies = dict(
            map(
                tuple,
                select_in(connection, select(ConfigBody.config_id, ConfigBody.text), ConfigBody.config_id, configs),
            )
        )
    for config_id, fingerprint in configs.items():
        found[fingerprint].config = parse_config(bodies[config_id], source="the database")
    return Population(tuple(found.values()), whole)


def _find_specimens(
    connection: Connection, most_models: int, most_specimens: int
) -> tuple[dict[str, Specimen], dict[int, str], bool]:
    """Specimens by fingerprint, the fingerprint of each config to load, and whether that is all there is."""
    analysis = table_of(Analysis).c
    query = (
        select(
            Model.repo_id,
            analysis.family,
            analysis.model_type,
            analysis.fingerprint,
            analysis.params_total,
            Model.created_at.cast(Text),
            Config.id,
        )
        .join(Config, Config.id == Model.config_id)
        .join(table_of(Analysis), analysis.id == Config.analysis_id)
        .where(analysis.fingerprint.is_not(None), Model.gone_at.is_(None))
        .order_by(func.coalesce(Model.downloads, -1).desc(), Model.repo_id)
        .limit(most_models + 1)
    )
    rows = connection.execute(query).all()
    whole = len(rows) <= most_models
    found: dict[str, Specimen] = {}
    configs: dict[int, str] = {}
    for repo_id, family, model_type, fingerprint, total, created, config_id in rows[:most_models]:
        if known := found.get(fingerprint):
            known.twin_ids.append(repo_id)
        elif len(found) < most_specimens:
            found[fingerprint] = Specimen(repo_id, family, model_type, fingerprint, total, created)
            configs[config_id] = fingerprint
        else:
            whole = False
    return found, configs, whole
