"""The local Hugging Face cache as a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import BadInput
from zoo.sources.cache import read_cache

OLD, NEW, PR = "a" * 40, "b" * 40, "c" * 40


def put(cache: Path, folder: str, sha: str, content: str, *, age: int = 0, name: str = "config.json") -> None:
    snapshot = cache / folder / "snapshots" / sha
    blob = cache / folder / "blobs" / f"{sha}-{name}"
    for parent in (snapshot, blob.parent, cache / folder / "refs"):
        parent.mkdir(parents=True, exist_ok=True)
    blob.write_text(content)
    os.utime(blob, (1_700_000_000 - age, 1_700_000_000 - age))
    (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    put(tmp_path, "models--org--a", OLD, '{"model_type": "llama", "n": 1}', age=50)
    put(tmp_path, "models--org--a", NEW, '{"model_type": "llama", "n": 2}', age=90)
    put(tmp_path, "models--org--a", PR, '{"model_type": "llama", "n": 3}')
    (tmp_path / "models--org--a" / "refs" / "main").write_text(NEW)
    return tmp_path


def test_reads_every_revision_and_main_last(cache: Path) -> None:
    records = list(read_cache(cache))
    assert [(record.sha, record.config and record.config["n"]) for record in records] == [(OLD, 1), (PR, 3), (NEW, 2)]
    assert {(record.repo_id, record.source) for record in records} == {("org/a", "cache")}


def test_passes_over_data_sets_and_revisions_without_a_config(cache: Path) -> None:
    put(cache, "datasets--org--d", OLD, "{}")
    put(cache, "models--gpt2", OLD, "{}", name="tokenizer.json")
    assert {record.repo_id for record in read_cache(cache)} == {"org/a"}


def test_a_broken_config_is_a_problem_of_its_revision(cache: Path) -> None:
    put(cache, "models--gpt2", OLD, "{")
    record = next(read_cache(cache))
    assert record.problem is not None
    assert (record.repo_id, record.sha, record.problem.kind) == ("gpt2", OLD, "malformed")


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_place_without_a_cache_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=f"{name}: holds no Hugging Face cache"):
        list(read_cache(tmp_path / name))
