"""The one record that every source yields and that the database takes: a model as it was seen, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

ProblemKind = Literal[
    "gated",  # config.json may not be read without access to the repository
    "private",  # the repository exists but this token may not see it
    "missing",  # no repository of that name
    "gone",  # it was there before and is no longer
    "disabled",  # the Hub has switched the repository off
    "no_config",  # no config.json at its root (GGUF, adapter, diffusers, …)
    "malformed",  # config.json is not a JSON object that can be used
    "too_large",  # config.json is over the size that zoo reads
    "failed",  # the network or the Hub failed, after all retries
]


class Problem(NamedTuple):
    """Why a repository has no usable config; ``message`` is one sentence for people."""

    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What the Hub says of a repository. ``None`` is "not said", never a guess."""

    hub_id: str | None = None  #: the Hub's own ``_id``: stays the same when a repository is renamed
    downloads: int | None = None  #: in the last 30 days
    likes: int | None = None
    license: str | None = None
    gated: str | None = None  #: "auto" or "manual"; None when open
    private: bool | None = None
    disabled: bool | None = None
    tags: tuple[str, ...] = ()
    base_model: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library: str | None = None
    created_at: datetime | None = None  #: timezone-aware, UTC
    last_modified: datetime | None = None
    reported_params: int | None = None  #: ``safetensors.total``: elements stored, as the Hub counts them
    reported_by_dtype: Mapping[str, int] = field(default_factory=dict)  #: ``safetensors.parameters``


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model from one source: its config, or the problem that stands in its place.

    ``config`` is the parsed ``config.json`` (a JSON object; never executed, never followed). ``sha`` is the commit
    that it was read at, ``None`` where the source knows none. ``origin`` says in words where the facts are from.
    """

    repo_id: str
    source: Literal["hub", "cache", "folder", "snapshot"]
    config: Mapping[str, Any] | None = None
    problem: Problem | None = None
    sha: str | None = None
    facts: HubFacts = field(default_factory=HubFacts)
    origin: str | None = None
    renamed_from: str | None = None  #: the id that was asked for, where the Hub answered with another
    unchanged: bool = False  #: the config at ``sha`` is in the database already: only the facts are new
