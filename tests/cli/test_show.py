"""``zoo show``: the facts of one model, and what the Hub reports against them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Call, call, save, write
from tests.records import LLAMA_PARAMS, make_config, make_problem, make_record
from zoo.sources.record import HubFacts

__all__ = ["call", "save", "write"]
Save = Callable[..., None]


def test_a_model_of_the_database_comes_with_its_provenance_and_check(call: Call, save: Save) -> None:
    facts = HubFacts(
        downloads=1234, license="mit", reported_params=LLAMA_PARAMS, reported_by_dtype={"BF16": LLAMA_PARAMS}
    )
    save([make_record("acme/tiny", facts=facts)])
    document = call("show", "acme/tiny", "--json").document
    assert document["repo_id"] == "acme/tiny"
    assert document["params"]["total"] == LLAMA_PARAMS
    assert document["reported"] == {"total": LLAMA_PARAMS, "by_dtype": {"BF16": LLAMA_PARAMS}}
    assert document["check"] == {"result": "exact", "difference": 0, "explanation": None}
    assert document["provenance"]["commit"] == "a" * 40
    assert document["provenance"]["source"] == "hub"
    assert document["hub"]["license"] == "mit"
    text = call("show", "acme/tiny").out
    for part in ("exact: derived and reported agree", "Commit", "a" * 40, "the Hub", "1,234", "BF16"):
        assert part in text


def test_a_mismatch_says_by_how_much(call: Call, save: Save) -> None:
    save([make_record("acme/tiny", facts=HubFacts(reported_params=LLAMA_PARAMS - 5))])
    found = call("show", "acme/tiny")
    assert "mismatch" in found.out
    assert "-5" in found.out


def test_a_model_without_config_shows_the_problem_and_no_number(call: Call, save: Save) -> None:
    save([make_problem("gated", "acme/shut", "config.json may not be read")])
    document = call("show", "acme/shut", "--json").document
    assert document["method"] == "unsupported"
    assert document["reason"] == "config.json may not be read"
    assert document["params"]["total"] is None
    text = call("show", "acme/shut").out
    assert "config.json may not be read" in text


def test_an_unsupported_model_shows_the_reported_total(call: Call, save: Save) -> None:
    config = {"model_type": "eliza"}
    save([make_record("acme/eliza", config=config, facts=HubFacts(reported_params=77_000))])
    text = call("show", "acme/eliza").out
    assert "77,000" in text
    assert "model_type 'eliza' is not known" in text


def test_a_file_is_shown_without_a_database(call: Call, write: Any, tmp_path: Path) -> None:
    path = write("c.json", make_config())
    document = call("show", path, "--json", "--ledger", "--kv-dtype", "int8", "--context", "5").document
    assert document["check"]["result"] == "unchecked"
    assert document["provenance"] is None
    assert document["kv_cache"]["dtype"] == "int8"
    assert "5" in document["kv_cache"]["bytes_at"]
    assert len(document["tensors"]) == 12
    assert "running total" in call("show", path, "--ledger").out
    assert not (tmp_path / "zoo.sqlite").exists()


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_name_that_matches_nothing_suggests_near_ones(call: Call, save: Save, command: str) -> None:
    save([make_record("acme/tiny")])
    found = call(command, "acme/tinny")
    assert found.code == 1
    assert found.out == ""
    assert "acme/tiny" in found.err


def test_without_a_database_the_way_out_is_said(call: Call) -> None:
    found = call("show", "acme/tiny")
    assert found.code == 5
    assert "zoo sync" in found.err
