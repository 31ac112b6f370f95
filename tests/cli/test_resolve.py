"""MODEL on the command line: a path, or a model of the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

import zoo.db.select
from zoo.cli.resolve import find_path, read_model, resolve_model
from zoo.errors import BadInput, NoMatch


class FakeContext:
    """Stands for the global options: an engine that nobody opens, and the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def open_engine(self) -> None:
        return None

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def ctx() -> Any:
    return SimpleNamespace(obj=FakeContext(), spec=typer.Context)


def offer(monkeypatch: pytest.MonkeyPatch, *repo_ids: str) -> None:
    """Let the database match ``repo_ids``."""

    def select(engine: None, terms: Sequence[str], *, top: int) -> SimpleNamespace:
        assert (len(terms), top) == (1, 1)
        rows = [SimpleNamespace(repo_id=repo_id, config={"model_type": "llama"}) for repo_id in repo_ids]
        return SimpleNamespace(rows=rows)

    monkeypatch.setattr(zoo.db.select, "select_models", select)


def test_a_file_or_a_folder_needs_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "models--meta-llama--Llama"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "generation_config.json").write_text("{}")
    for path in (folder, folder / "config.json"):
        found = read_model(path)
        assert found.config == {"model_type": "llama"}
        assert found.row is None


def test_a_file_that_is_no_config_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("[]")
    with pytest.raises(BadInput, match="holds a list where a JSON object is needed") as caught:
        read_model(path)
    assert str(caught.value).count(str(path)) == 1


def test_a_folder_of_several_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(BadInput, match="holds 2 configs"):
        read_model(tmp_path)


def test_a_path_that_is_not_there_is_still_a_path(ctx: Any) -> None:
    with pytest.raises(BadInput, match="no such file"):
        resolve_model(ctx, "./nowhere/config.json")


def test_a_name_is_no_path() -> None:
    assert find_path("meta-llama/Llama-3.1-8B") is None


def test_the_first_match_of_the_database_is_taken_and_said(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "meta-llama/Llama-3.1-8B")
    found = resolve_model(ctx, "llama-3.1")
    assert found.repo_id == "meta-llama/Llama-3.1-8B"
    assert found.row is not None
    assert ctx.obj.notes == ["llama-3.1: taken to be meta-llama/Llama-3.1-8B"]


def test_an_exact_name_needs_no_note(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "gpt2")
    resolve_model(ctx, "gpt2")
    assert ctx.obj.notes == []


def test_no_match_is_an_error(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    with pytest.raises(NoMatch, match="lama"):
        resolve_model(ctx, "lama")
