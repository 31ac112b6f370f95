"""How many tokens models were trained on, as their authors state it: data with sources."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Trained(NamedTuple):
    """What is stated of one group of models. ``checked``: whether the statement was compared with the document."""

    models: tuple[str, ...]
    tokens: float
    source: str
    checked: bool


@cache
def load_trained() -> tuple[Trained, ...]:
    """All entries, in their order: the first that matches a model counts."""
    entries = tomllib.loads(files("zoo").joinpath("training_tokens.toml").read_text(encoding="utf-8"))["trained"]
    return tuple(
        Trained(tuple(one["models"]), float(one["tokens"]), one["source"], one.get("checked", False)) for one in entries
    )


def find_trained(*repo_ids: str | None) -> Trained | None:
    """What is stated of the first of ``repo_ids`` (a model, then what it derives from) of which anything is."""
    for repo_id in repo_ids:
        for entry in load_trained():
            if repo_id and any(fnmatchcase(repo_id.lower(), pattern.lower()) for pattern in entry.models):
                return entry
    return None
