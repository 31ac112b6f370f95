"""The tables. A config and an analysis are each stored once, under the hash of their content.

::

    model ──► config ──► analysis ──► part
      │         └─ config_body (the JSON)    └─ analysis_body (the JSON)
      ├── revision (every commit whose config was seen)
      ├── event (what else became of it: gated, renamed, gone, …)
    sync_error (what stood in the way of a config, and when)

Texts that are large and rarely wanted stand in tables of their own, so that scans over the numbers stay quick.
The derived columns of ``analysis`` come from the glossary: one for each metric that has a ``path``.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from zoo.db.types import BigId, UtcText, column_type
from zoo.metrics.glossary import METRICS

#: Names for constraints, so that a migration can name what it changes on every database.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {int: BigInteger, str: Text, bool: Boolean, datetime: UtcText}


def table_of(entity: type[Base]) -> Table:
    """The table behind a class, for statements that handle many rows at once."""
    return Base.metadata.tables[entity.__tablename__]


class Setting(Base):
    """What the database remembers of itself, such as which views it holds."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Analysis(Base):
    """What zoo derives from a config; equal analyses are one row. One column for each metric with a ``path``."""

    __tablename__ = "analysis"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    #: sha256 of the JSON in :class:`AnalysisBody`
    digest: Mapped[str] = mapped_column(unique=True)
    #: why the method is not ``ledger``
    reason: Mapped[str | None]


for _metric in METRICS:
    if _metric.path is not None:
        setattr(Analysis, _metric.key, mapped_column(column_type(_metric.kind), nullable=True))

#: Keys of the metrics that are columns of ``analysis``.
DERIVED_KEYS = tuple(metric.key for metric in METRICS if metric.path is not None)


class AnalysisBody(Base):
    """The whole analysis as ``zoo analyze --json`` prints it, without the repository's name."""

    __tablename__ = "analysis_body"

    analysis_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    text: Mapped[str]


class Part(Base):
    """Parameters of one part (embedding, attention, …) of an analysed model; the parts sum to the total."""

    __tablename__ = "part"

    analysis_id: Mapped[int] = mapped_column(BigId, ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    params: Mapped[int]
    #: of these, what one token passes through
    active: Mapped[int]


class Config(Base):
    """One ``config.json``, whoever has it."""

    __tablename__ = "config"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    #: of the canonical JSON in :class:`ConfigBody`
    sha256: Mapped[str] = mapped_column(unique=True)
    analysis_id: Mapped[int] = mapped_column(BigId, ForeignKey("analysis.id"), index=True)
    #: version of the analyzer that made the analysis
    analyzed_by: Mapped[str] = mapped_column(index=True)


class ConfigBody(Base):
    """The canonical JSON of a config."""

    __tablename__ = "config_body"

    config_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("config.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    text: Mapped[str]


class Model(Base):
    """One repository: what its source says of it, and its current config."""

    __tablename__ = "model"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    repo_id: Mapped[str] = mapped_column(unique=True)
    #: ``repo_id`` in lower case: the Hub tells no two repositories apart by case
    repo_key: Mapped[str] = mapped_column(unique=True)
    hub_id: Mapped[str | None] = mapped_column(index=True)
    author: Mapped[str | None]
    name: Mapped[str]
    #: who said the facts: hub, cache, folder or snapshot
    source: Mapped[str]
    origin: Mapped[str | None]
    config_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("config.id"), index=True)
    #: who brought the config
    config_source: Mapped[str | None]
    #: commit that the config was read at
    sha: Mapped[str | None]
    params_check: Mapped[str]
    check_explanation: Mapped[str | None]
    reported_params: Mapped[int | None]
    #: JSON object from dtype to elements
    reported_by_dtype: Mapped[str | None]
    license: Mapped[str | None]
    gated: Mapped[str | None]
    private: Mapped[bool | None]
    disabled: Mapped[bool | None]
    downloads: Mapped[int | None]
    likes: Mapped[int | None]
    #: several are joined by a comma and a space
    base_model: Mapped[str | None]
    pipeline_tag: Mapped[str | None]
    library: Mapped[str | None]
    #: JSON list
    tags: Mapped[str | None]
    created_at: Mapped[datetime | None]
    last_modified: Mapped[datetime | None]
    first_seen: Mapped[datetime]
    synced_at: Mapped[datetime]
    #: when the repository was found to be there no longer
    gone_at: Mapped[datetime | None]
    #: what stands in the way of a (newer) config; None when nothing does
    problem_kind: Mapped[str | None]
    problem_message: Mapped[str | None]


# What people and zoo look models up by.
Index(None, Model.downloads)
Index(None, *(Analysis.__table__.c[key] for key in ("family", "params_total")))
Index(None, *(Analysis.__table__.c[key] for key in ("model_type", "params_total")))
Index(None, Analysis.__table__.c["fingerprint"])


class Revision(Base):
    """A commit of a repository whose config was seen; all are kept. ``sha`` is empty where the source knows none."""

    __tablename__ = "revision"
    __table_args__ = (UniqueConstraint("model_id", "sha", "config_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_id: Mapped[int] = mapped_column(BigId, ForeignKey("model.id", ondelete="CASCADE"))
    sha: Mapped[str]
    config_id: Mapped[int] = mapped_column(BigId, ForeignKey("config.id"), index=True)
    source: Mapped[str]
    #: when it was first seen
    seen_at: Mapped[datetime]


class Event(Base):
    """Something that changed for a model that was known before; what is new is not told, ``first_seen`` says that.

    ``kind`` says what ``before`` and ``after`` are: ids (``renamed``), sha256 (``config``), kinds of problems
    (``problem``), moments (``gone``, ``returned``), or values of the column of ``model`` that it names. ``sha`` is the
    commit that the model then had.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_id: Mapped[int] = mapped_column(BigId, ForeignKey("model.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    before: Mapped[str | None]
    after: Mapped[str | None]
    sha: Mapped[str | None]


class SyncError(Base):
    """Why a repository gave no config; the same reason again only moves ``seen_at``."""

    __tablename__ = "sync_error"
    __table_args__ = (UniqueConstraint("repo_id", "kind", "message"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    repo_id: Mapped[str]
    kind: Mapped[str]
    message: Mapped[str]
    first_seen: Mapped[datetime]
    seen_at: Mapped[datetime]
