"""Folders, single files and lines of JSON as sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import BadInput
from zoo.sources.folder import read_path
from zoo.sources.record import ModelRecord

LLAMA = {"model_type": "llama", "hidden_size": 8}


def put(root: Path, name: str, content: Any = LLAMA) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def ids(root: Path) -> list[str]:
    return [record.repo_id for record in read_path(root)]


def problem(record: ModelRecord) -> tuple[str, str]:
    assert record.problem is not None
    return record.problem.kind, record.problem.message


class TestNames:
    @pytest.mark.parametrize(
        ("path", "repo_id", "sha"),
        [
            ("org/name/config.json", "org/name", None),
            ("some/where/org/name/config.json", "org/name", None),
            ("org--name/config.json", "org/name", None),
            ("deep/org--name/config.json", "org/name", None),
            (f"models--org--name/snapshots/{'a' * 40}/config.json", "org/name", "a" * 40),
            (f"hub/models--gpt2/snapshots/{'a' * 40}/config.json", "gpt2", "a" * 40),
            ("models--org--name/config.json", "org/name", None),
            ("models--org--name/snapshots/main/config.json", "org/name", None),
            ("my model/config.json", "local/my-model", None),
            ("a b/c d/config.json", "local/c-d", None),
            ("llama.json", "local/llama", None),
            ("org--name.json", "org/name", None),
            ("configs/Llama 3.json", "local/Llama-3", None),
            ("models--/config.json", "local/models", None),
            ("---.json", "local/config", None),
        ],
    )
    def test_come_from_the_path(self, tmp_path: Path, path: str, repo_id: str, sha: str | None) -> None:
        put(tmp_path, path)
        (record,) = read_path(tmp_path)
        assert (record.repo_id, record.sha, record.source, record.config) == (repo_id, sha, "folder", LLAMA)
        assert record.origin == f"file {tmp_path / path}"

    def test_that_occur_twice_are_told_apart(self, tmp_path: Path) -> None:
        for name in ("a/x.json", "b/x.json", "b/deeper/b/x.json", "x.json"):
            put(tmp_path, name)
        assert ids(tmp_path) == ["local/x", "local/a-x", "local/b-x", "local/b-x-2"]

    def test_of_a_model_folder_that_is_named_itself(self, tmp_path: Path) -> None:
        put(tmp_path, "my-llama/config.json")
        assert ids(tmp_path / "my-llama") == ["local/my-llama"]
        assert ids(tmp_path / "my-llama" / "config.json") == ["local/my-llama"]


class TestFolder:
    def test_takes_only_json_that_describes_a_model(self, tmp_path: Path) -> None:
        put(tmp_path, "a.json", {"architectures": ["X"]})
        put(tmp_path, "results.json", {"score": 1})
        put(tmp_path, "list.json", [1])
        put(tmp_path, "empty.json", b"")
        put(tmp_path, "tokenizer.json", LLAMA)
        put(tmp_path, "model.safetensors.index.json", LLAMA)
        put(tmp_path, "big.json", b'{"model_type": "' + b"x" * 5_000_000 + b'"}')
        assert ids(tmp_path) == ["local/a"]

    def test_takes_a_config_json_that_names_no_type(self, tmp_path: Path) -> None:
        put(tmp_path, "org/old/config.json", {"n_layer": 12})
        assert ids(tmp_path) == ["org/old"]

    def test_does_not_look_into_the_parts_of_a_model(self, tmp_path: Path) -> None:
        put(tmp_path, "org/st/config.json")
        put(tmp_path, "org/st/1_Pooling/config.json", {"word_embedding_dimension": 8})
        put(tmp_path, "org/pipe/model_index.json", {})
        put(tmp_path, "org/pipe/unet/config.json", {})
        assert ids(tmp_path) == ["org/st"]

    def test_names_broken_files_and_goes_on(self, tmp_path: Path) -> None:
        put(tmp_path, "org/bad/config.json", b"{'a': 1}")
        put(tmp_path, "org/big/config.json", b" " * 5_000_001)
        put(tmp_path, "org/good/config.json")
        put(tmp_path, "broken.json", b'{"model_type": ')
        (tmp_path / "org/lost").mkdir()
        (tmp_path / "org/lost/config.json").symlink_to("nowhere")
        records = {record.repo_id: record for record in read_path(tmp_path)}
        assert problem(records["org/bad"])[0] == "malformed"
        assert str(tmp_path / "org/bad/config.json") in problem(records["org/bad"])[1]
        assert problem(records["org/big"])[0] == "too_large"
        assert problem(records["local/broken"])[0] == "malformed"
        assert problem(records["org/lost"])[0] == "failed"
        assert records["org/good"].config == LLAMA

    def test_without_any_config_is_refused(self, tmp_path: Path) -> None:
        put(tmp_path, "readme.json", {})
        with pytest.raises(BadInput, match=r"holds no config\.json"):
            ids(tmp_path)

    @pytest.mark.parametrize(("name", "said"), [("none", "there is no such file"), ("x.txt", "is neither a folder")])
    def test_anything_else_is_refused(self, tmp_path: Path, name: str, said: str) -> None:
        put(tmp_path, "x.txt")
        with pytest.raises(BadInput, match=said):
            read_path(tmp_path / name)


class TestLines:
    def write(self, tmp_path: Path, *lines: bytes | dict[str, Any]) -> list[ModelRecord]:
        content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        return list(read_path(put(tmp_path, "set.jsonl", content)))

    def test_yield_one_record_each(self, tmp_path: Path) -> None:
        records = self.write(tmp_path, {"repo_id": "org/a", "config": LLAMA}, b"", {"repo_id": None, "config": LLAMA})
        assert [(record.repo_id, record.config) for record in records] == [("org/a", LLAMA), ("local/set-3", LLAMA)]
        assert records[0].origin == f"{tmp_path / 'set.jsonl'}, line 1"

    def test_may_carry_commit_and_facts(self, tmp_path: Path) -> None:
        facts = {"_id": "abc", "downloads": 5, "createdAt": "2024-01-01T00:00:00.000Z", "license": "mit"}
        (record,) = self.write(tmp_path, {"repo_id": "org/a", "config": LLAMA, "sha": "a" * 40, "facts": facts})
        assert (record.sha, record.facts.hub_id, record.facts.downloads, record.facts.license) == (
            "a" * 40,
            "abc",
            5,
            "mit",
        )

    @pytest.mark.parametrize(
        ("line", "repo_id", "said"),
        [
            (b"{", "local/set-2", "is not JSON"),
            (b"[]", "local/set-2", "holds a list"),
            (b'{"repo_id": "a b", "config": {}}', "local/set-2", "'a b' is no repository id"),
            (b'{"repo_id": 7, "config": {}}', "local/set-2", "'7' is no repository id"),
            (b'{"repo_id": "org/a"}', "org/a", "has no config"),
            (b'{"repo_id": "org/a", "config": "x"}', "org/a", "its config is no JSON object"),
            (b'{"repo_id": "org/a", "config": {}, "sha": "main"}', "org/a", "its sha is no commit"),
            (b'{"repo_id": "org/a", "config": {}, "facts": 1}', "org/a", "its facts are no JSON object"),
        ],
    )
    def test_that_are_bad_name_file_and_line(self, tmp_path: Path, line: bytes, repo_id: str, said: str) -> None:
        good = {"repo_id": "org/good", "config": LLAMA}
        first, bad, last = self.write(tmp_path, good, line, good)
        assert first.config == last.config == LLAMA
        assert bad.repo_id == repo_id
        assert problem(bad)[0] == "malformed"
        assert problem(bad)[1].startswith(f"{tmp_path / 'set.jsonl'}, line 2: ")
        assert said in problem(bad)[1]

    def test_that_are_too_long_do_not_take_the_next_with_them(self, tmp_path: Path) -> None:
        good = {"repo_id": "org/good", "config": LLAMA}
        bad, after = self.write(tmp_path, b"x" * 11_000_000, good)
        assert problem(bad)[0] == "too_large"
        assert (after.repo_id, after.origin) == ("org/good", f"{tmp_path / 'set.jsonl'}, line 2")
        (last,) = self.write(tmp_path, b"x" * 5_000_001)
        assert problem(last)[0] == "too_large"
