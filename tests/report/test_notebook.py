"""``zoo.compare`` as a notebook uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from tests.report.fakes import EPOCH
from zoo.errors import NoMatch, UsageError

MODELS = ["meta-llama/Llama-3.1-8B", "mistralai/Mistral-7B-v0.3"]


@pytest.fixture
def shown(snapshot_path: Path, monkeypatch: pytest.MonkeyPatch) -> zoo.Comparison:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    return zoo.compare(MODELS, db=str(snapshot_path), sections=["answer", "cache"])


def test_it_shows_itself_in_a_frame_that_reaches_nothing(shown: zoo.Comparison) -> None:
    html = shown._repr_html_()
    assert html.startswith('<iframe sandbox="allow-scripts" title="')
    assert "allow-same-origin" not in html
    assert "8.03 B" in html
    assert "<script" not in html


def test_a_plain_prompt_shows_the_sentences(shown: zoo.Comparison) -> None:
    assert repr(shown).splitlines()[0] == "Mistral-7B-v0.3 · Llama-3.1-8B"
    assert "Cache: Both need the same cache" in repr(shown)


@pytest.mark.parametrize(
    ("name", "start"), [("r.html", b"<!doctype"), ("r.md", b"# Mistral"), ("r.json", b"{"), ("r.xlsx", b"PK")]
)
def test_it_is_saved_in_the_format_of_the_ending(
    shown: zoo.Comparison, tmp_path: Path, name: str, start: bytes
) -> None:
    assert shown.save(tmp_path / name).read_bytes().startswith(start)


def test_an_unknown_ending_is_refused(shown: zoo.Comparison, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'docx': use html, pdf, md, json, xlsx"):
        shown.save(tmp_path / "r.docx")


def test_the_base_need_not_be_named_twice(snapshot_path: Path) -> None:
    found = zoo.compare("mistralai/Mistral-7B-v0.3", compare_to=MODELS[0], context=8192, db=str(snapshot_path))
    assert [m.repo_id for m in found.view.models] == MODELS[::-1]
    assert found.view.base == "Llama-3.1-8B"
    assert found.view.context == 8192
    everything = zoo.compare("", compare_to=MODELS[0], all_models=True, db=str(snapshot_path), sections=["answer"])
    assert len(everything.view.models) > 300


def test_a_term_that_matches_nothing_says_so(snapshot_path: Path) -> None:
    with pytest.raises(NoMatch, match="no model matches 'gpt-17'"):
        zoo.compare(["gpt-17"], db=str(snapshot_path))
