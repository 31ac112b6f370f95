"""The watch list: the models that ``zoo sync`` brings when nothing is named."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.errors import BadInput
from zoo.sources.names import is_repo_id


def load_watchlist(path: Path | None = None) -> list[str]:
    """Repository ids of a watch list, in its order: the file at ``path``, else the one that comes with zoo.

    The format is TOML: ``[[group]]`` tables, each with a ``name`` and ``models = ["author/name", …]``.

    Raises:
        BadInput: the file cannot be read, is not TOML, or holds anything but such groups; all faults are named at once.
    """
    source = str(path) if path is not None else "the watch list of zoo"
    try:
        content = (path or resources.files("zoo").joinpath("watchlist.toml")).read_bytes()
        document = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise BadInput(source, f"cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(source, f"is not TOML: {error}") from None
    models, faults = read_groups(document)
    if faults:
        raise BadInput(source, "; ".join(faults))
    return models


def read_groups(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Ids of all groups of a parsed watch list, and what is wrong with it, one sentence each."""
    faults = [f"does not know the key {key!r}" for key in document if key != "group"]
    groups = document.get("group")
    if not isinstance(groups, list) or not groups:
        return [], [*faults, 'holds no group: write [[group]], name = "…", models = ["author/name"]']
    models: dict[str, str] = {}
    for number, group in enumerate(groups, 1):
        faults += _read_group(f"group {number}", group, models)
    return list(models.values()), faults


def _read_group(place: str, group: Any, models: dict[str, str]) -> list[str]:
    """Add the ids of one group to ``models`` (by the id in lower case); returns its faults."""
    if not isinstance(group, dict):
        return [f"{place} is no table"]
    faults = [f"{place} does not know the key {key!r}" for key in group if key not in {"name", "models"}]
    if not isinstance(group.get("name"), str):
        faults.append(f"{place} has no name")
    listed = group.get("models")
    if not isinstance(listed, list):
        return [*faults, f"{place} has no list of models"]
    for repo_id in listed:
        if not isinstance(repo_id, str) or "/" not in repo_id or not is_repo_id(repo_id):
            faults.append(f"{place} holds {repo_id!r}, which is no author/name")
        elif repo_id.casefold() in models:
            faults.append(f"{place} holds {repo_id}, which is named twice")
        else:
            models[repo_id.casefold()] = repo_id
    return faults
