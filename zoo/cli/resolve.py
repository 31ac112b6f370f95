"""MODEL on the command line: a config.json, a folder that holds one, or a model of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zoo.errors import BadInput, NoMatch

if TYPE_CHECKING:
    from zoo.db.rows import ModelRow


@dataclass(frozen=True, slots=True)
class Resolved:
    """One model: its config as it is, and its row where it is from the database (then also what the Hub reports)."""

    repo_id: str
    config: Mapping[str, Any]
    row: ModelRow | None = None


def resolve_model(ctx: typer.Context, term: str) -> Resolved:
    """The one model that ``term`` names: a path, or a repo id, glob, family or piece of a name in the database.

    Of several matches in the database the most downloaded is taken, and that is said on stderr.

    Raises:
        NoMatch: nothing of that name.
        BadInput: a file that is no config, or a folder with none or several.
    """
    path = find_path(term)
    return read_model(path) if path else select_model(ctx, term)


def find_path(term: str) -> Path | None:
    """``term`` as a path, if it can only be one or is there: ``x.json``, ``./x``, ``/x``, an existing folder."""
    path = Path(term).expanduser()
    explicit = term.endswith(".json") or term.startswith((".", "/", "~"))
    return path if explicit or path.is_dir() else None


def read_model(path: Path) -> Resolved:
    """The one config at ``path``; no database is needed."""
    from zoo.sources.folder import read_path

    direct = path / "config.json"
    records = list(read_path(direct if direct.is_file() else path))
    if len(records) > 1:
        raise BadInput(str(path), f"holds {len(records)} configs: name one of them")
    record = records[0]
    if record.config is None:
        said = record.problem.message if record.problem else "holds no config"
        raise BadInput(str(path), said.removeprefix(f"{path}: "))
    return Resolved(record.repo_id, record.config)


def select_model(ctx: typer.Context, term: str) -> Resolved:
    """The most downloaded model of the database that ``term`` matches."""
    from zoo.db.select import select_models

    rows = select_models(ctx.obj.open_engine(), [term], top=1).rows
    if not rows:
        raise NoMatch(term)
    row = rows[0]
    if row.repo_id != term:
        ctx.obj.note(f"{term}: taken to be {row.repo_id}")
    return Resolved(row.repo_id, row.config, row)
