"""The snapshot's format: reading it, and everything that its validator finds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import BadInput
from zoo.sources.snapshot import find_snapshot, read_header, read_snapshot, validate_snapshot

HEADER = {"snapshot": 1, "date": "2026-11-20", "note": "A few models."}
MODEL: dict[str, Any] = {
    "id": "org/a",
    "config": {"model_type": "llama", "hidden_size": 8},
    "from": "its technical report",
    "date": "2026-11-01",
}
FULL: dict[str, Any] = {
    **MODEL,
    "id": "org/b",
    "sha": "a" * 40,
    "license": "mit",
    "gated": "auto",
    "created_at": "2024-01-01",
    "pipeline_tag": "text-generation",
    "library": "transformers",
    "base_model": ["org/a"],
    "reported_params": 8,
    "reported_by_dtype": {"BF16": 8},
    "downloads": 5,
    "likes": 1,
}


def spell(*items: Any) -> list[str]:
    return [json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n" for item in items]


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "models.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


class TestReading:
    def test_yields_records_with_their_facts(self, tmp_path: Path) -> None:
        path = write(tmp_path, *spell(HEADER, MODEL, FULL))
        assert read_header(path) == ("2026-11-20", "A few models.")
        first, second = read_snapshot(path)
        assert (first.repo_id, first.source, first.config, first.sha) == ("org/a", "snapshot", MODEL["config"], None)
        assert first.origin == "snapshot of 2026-11-01: its technical report"
        facts = second.facts
        assert (second.sha, facts.license, facts.gated, facts.base_model) == ("a" * 40, "mit", "auto", ("org/a",))
        assert (facts.library, facts.pipeline_tag) == ("transformers", "text-generation")
        assert (facts.downloads, facts.likes, facts.reported_params) == (5, 1, 8)
        assert facts.reported_by_dtype == {"BF16": 8}
        assert facts.created_at == datetime(2024, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ([], "line 1: the first line must be"),
            (["{}\n"], "line 1: the first line must be"),
            (spell({**HEADER, "snapshot": 2}), "line 1: the first line must be"),
            ([*spell(HEADER), "{\n"], "line 2: is not JSON"),
            (spell(HEADER, {**MODEL, "id": "x"}), "line 2: id is not an author/name"),
        ],
    )
    def test_refuses_a_file_that_is_not_right(self, tmp_path: Path, lines: list[str], said: str) -> None:
        with pytest.raises(BadInput, match=said):
            list(read_snapshot(write(tmp_path, *lines)))

    def test_refuses_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="cannot be read"):
            read_header(tmp_path / "none.jsonl")


class TestValidation:
    def test_finds_nothing_in_a_right_one(self) -> None:
        assert validate_snapshot(spell(HEADER, MODEL, FULL)) == []

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"id": "a"}, "id is not an author/name"),
            ({"id": 5}, "id is not an author/name"),
            ({"config": {}}, "config is not a JSON object with keys"),
            ({"config": {"n": 1}}, "config has neither model_type nor architectures"),
            ({"from": " "}, "from is not one line of text"),
            ({"from": "a\nb"}, "from is not one line of text"),
            ({"date": "1.11.2026"}, "date is not a day as YYYY-MM-DD"),
            ({"sha": "main"}, "sha is not a commit of 40 hexadecimal digits"),
            ({"license": None}, "license is not one line of text"),
            ({"gated": False}, "gated is not auto or manual"),
            ({"created_at": "soon"}, "created_at is not a time as ISO 8601 has it"),
            ({"base_model": []}, "base_model is not a repository id or a list of them"),
            ({"base_model": "a b"}, "base_model is not a repository id or a list of them"),
            ({"reported_params": 1.5}, "reported_params is not a whole number"),
            ({"reported_by_dtype": {}}, "reported_by_dtype is not an object of whole numbers"),
            ({"downloads": True}, "downloads is not a whole number"),
            ({"likes": -1}, "likes is not a whole number"),
            ({"colour": "red"}, "does not know the key 'colour'"),
        ],
    )
    def test_finds_each_fault_of_a_model(self, change: dict[str, Any], fault: str) -> None:
        assert f"line 2: {fault}" in validate_snapshot(spell(HEADER, {**MODEL, **change}))

    def test_finds_what_is_missing(self) -> None:
        faults = validate_snapshot(spell(HEADER, {"id": "org/a"}))
        assert faults == ["line 2: config is missing", "line 2: from is missing", "line 2: date is missing"]

    @pytest.mark.parametrize(
        ("header", "fault"),
        [
            ({**HEADER, "date": "today"}, "header: date is no day as YYYY-MM-DD"),
            ({**HEADER, "note": ""}, "header: note is missing"),
            ({**HEADER, "more": 1}, "header: does not know the key 'more'"),
        ],
    )
    def test_finds_each_fault_of_the_header(self, header: dict[str, Any], fault: str) -> None:
        assert validate_snapshot(spell(header)) == [f"line 1: {fault}"]

    def test_finds_an_empty_file_and_a_broken_line(self) -> None:
        assert validate_snapshot([]) == ["line 1: there is no header"]
        assert validate_snapshot([*spell(HEADER), "{\n"])[0].startswith("line 2: is not JSON")

    def test_finds_a_model_that_is_there_twice(self) -> None:
        assert validate_snapshot(spell(HEADER, MODEL, {**MODEL, "id": "ORG/A"})) == ["line 3: ORG/A is there twice"]

    def test_finds_bare_infinity(self) -> None:
        (fault,) = validate_snapshot(spell(HEADER, {**MODEL, "config": {"model_type": "x", "n": float("inf")}}))
        assert fault.startswith("line 2: holds a bare NaN or Infinity")

    def test_finds_loose_spelling(self) -> None:
        assert validate_snapshot([*spell(HEADER), json.dumps(MODEL)]) == [
            "line 2: is not in compact spelling (no spaces, no escapes)"
        ]


def test_the_bundled_snapshot_is_right() -> None:
    lines = find_snapshot().read_text(encoding="utf-8").splitlines(keepends=True)
    assert validate_snapshot(lines) == []
    assert len(lines) > 200
    assert len(list(read_snapshot())) == len(lines) - 1
