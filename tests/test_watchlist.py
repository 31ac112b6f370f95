"""The watch list."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import BadInput
from zoo.sources.snapshot import read_snapshot
from zoo.watchlist import load_watchlist


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_gives_the_ids_of_all_groups_in_order(tmp_path: Path) -> None:
    text = '[[group]]\nname = "One"\nmodels = ["b/x", "a/y"]\n[[group]]\nname = "Two"\nmodels = ["c/z"]\n'
    assert load_watchlist(write(tmp_path, text)) == ["b/x", "a/y", "c/z"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no group"),
        ("group = 1", "holds no group"),
        ("group = [1]", "group 1 is no table"),
        ("x = ", "is not TOML"),
        ('title = "x"\n[[group]]\nname = "a"\nmodels = []', "does not know the key 'title'"),
        ("[[group]]\nmodels = []", "group 1 has no name"),
        ('[[group]]\nname = "a"', "group 1 has no list of models"),
        ('[[group]]\nname = "a"\nids = 1\nmodels = []', "group 1 does not know the key 'ids'"),
        ('[[group]]\nname = "a"\nmodels = ["gpt2"]', "'gpt2', which is no author/name"),
        ('[[group]]\nname = "a"\nmodels = [7]', "7, which is no author/name"),
        ('[[group]]\nname = "a"\nmodels = ["a/b", "A/b"]', "A/b, which is named twice"),
    ],
)
def test_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        load_watchlist(write(tmp_path, text))
    assert caught.value.source.endswith("list.toml")


def test_names_all_faults_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_watchlist(write(tmp_path, '[[group]]\nmodels = ["x y", "z"]'))
    assert caught.value.reason.count(";") == 2


def test_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_watchlist(tmp_path / "none.toml")


def test_the_bundled_one_holds_the_models_of_the_snapshot() -> None:
    assert set(load_watchlist()) == {record.repo_id for record in read_snapshot()}
