"""``zoo families``: who is made alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rich.text import Text

from tests.cli.calling import Call, call, save, write
from tests.explain.configs import LLAMA_8B
from tests.records import LLAMA_PARAMS, make_config, make_record
from zoo.cli import families
from zoo.sources.record import HubFacts

__all__ = ["call", "save", "write"]

TINY = make_config()
QWEN = {**make_config(), "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 16}


@pytest.fixture
def zoo_of_four(save: Callable[..., None]) -> None:
    save(
        [
            make_record("acme/tiny", config=TINY, facts=HubFacts(downloads=9)),
            make_record("acme/tune", config=TINY, facts=HubFacts(downloads=8)),
            make_record("acme/deep", config=make_config(num_hidden_layers=3), facts=HubFacts(downloads=7)),
            make_record("acme/normed", config=QWEN, facts=HubFacts(downloads=6)),
        ]
    )


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.usefixtures("zoo_of_four")
def test_designs_are_listed_the_largest_first(call: Call) -> None:
    found = call("families")
    assert found.code == 0
    lines = lines_of(found.out)
    assert lines[:3] == [
        "Llama decoder (3 models, 2 sizes)",
        "multi-head (MHA); an untied head; types: llama",
        "such as acme/tiny, acme/deep",
    ]
    assert "Llama decoder + QK-norm (1 model, 1 size)" in lines
    assert any(line.startswith("from acme/") and line.endswith(": adds QK-norm") for line in lines)
    assert lines[-1] == f"2 {LLAMA_PARAMS:,} acme/tiny acme/tune"
    assert "4 models of 3 fingerprints in 2 designs" in found.err
    document = call("families", "--json").document
    assert [group["models"] for group in document] == [3, 1]


@pytest.mark.usefixtures("zoo_of_four")
def test_a_model_has_twins_siblings_and_near_designs(call: Call) -> None:
    found = call("families", "acme/tune")
    assert "acme/tune: Llama decoder" in found.out
    lines = lines_of(found.out)
    assert "Same fingerprint: other weights acme/tiny" in lines
    assert any(line.startswith("Same design: other sizes (parameters) acme/deep (") for line in lines)
    assert "One feature apart: adds QK-norm acme/normed" in lines
    document = call("families", "acme/tune", "--json").document
    assert document[0]["same_fingerprint"] == ["acme/tiny"]


@pytest.mark.usefixtures("zoo_of_four")
def test_a_file_finds_its_relatives_in_the_database(call: Call, write: Any) -> None:
    found = call("families", write("c.json", LLAMA_8B | {"hidden_act": "relu", "mlp_bias": True}))
    assert found.code == 0
    assert "Same fingerprint: other weights –" in lines_of(found.out)
    assert any(line.startswith("Nearest: ") for line in lines_of(found.out))


@pytest.mark.usefixtures("zoo_of_four")
def test_the_tree_is_drawn(call: Call) -> None:
    found = call("families", "--tree")
    assert "acme/deep (3 models): Llama decoder" in found.out or "acme/tiny (3 models): Llama decoder" in found.out
    assert "acme/normed (1 model): adds QK-norm" in found.out
    document = call("families", "--tree", "--json").document
    assert len(document) == 1
    assert document[0]["children"][0]["name"] == "acme/normed"


def test_a_branch_is_what_leads_to_a_model(call: Call, save: Callable[..., None]) -> None:
    gpt2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 8, "n_head": 2}
    bert = {"model_type": "bert", "num_hidden_layers": 2}
    save([make_record("acme/tiny", config=TINY), make_record("acme/normed", config=QWEN, facts=HubFacts(downloads=5))])
    save([make_record("acme/gpt", config=gpt2), make_record("acme/bert", config=bert)])
    whole = call("families", "--tree", "--json").document
    assert len(whole) > 1
    branch = call("families", "--tree", "acme/normed").out
    assert "acme/normed" in branch
    assert "acme/bert" not in branch
    assert "acme/gpt" not in branch


def test_a_model_that_cannot_be_counted_has_no_design(call: Call, save: Callable[..., None], write: Any) -> None:
    save([make_record("acme/tiny")])
    found = call("families", write("c.json", {"model_type": "eliza"}))
    assert found.code == 3
    assert "its design is not known: model_type 'eliza' is not known" in found.err


def test_a_database_with_nothing_to_count_is_no_failure(call: Call, save: Callable[..., None]) -> None:
    save([make_record("acme/odd", config={"model_type": "eliza"})])
    found = call("families", "--json")
    assert found.document == []
    assert "0 models of 0 fingerprints in 0 designs" in found.err
    assert call("families", "--tree").out == ""


def test_hostile_text_stays_text(call: Call, save: Callable[..., None]) -> None:
    save([make_record("acme/tiny", config=make_config(hidden_act="\x1b[31m[red]x"))])
    for words in ((), ("--tree",), ("acme/tiny",), ("--json",)):
        found = call("families", *words)
        assert found.code == 0
        assert "\x1b" not in found.out
    assert "[31m[red]x" in call("families", "acme/tiny").out


def test_the_tree_is_as_wide_as_the_terminal(
    call: Call, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    save([make_record("acme/tiny", config=make_config(hidden_act="word" * 9)), make_record("acme/normed", config=QWEN)])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    plain = [Text.from_ansi(line).plain for line in call("families", "--tree").out.splitlines()]
    assert max(map(len, plain)) <= 60
    assert any("acme/normed" in line for line in plain)


def test_only_so_many_fingerprints_are_listed(
    call: Call, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "_FINGERPRINTS", 1)
    deep = make_config(num_hidden_layers=3)
    save([make_record(f"acme/m{n}", config=deep if n % 2 else TINY) for n in range(5)])
    found = call("families")
    assert "acme/m0, " not in lines_of(found.out)[-1]
    assert lines_of(found.out)[-1].startswith(f"3 {LLAMA_PARAMS:,} acme/m")
    assert "1 more fingerprints are of several models" in found.err


def test_long_lists_are_cut_and_counted() -> None:
    assert families.list_names(map(str, range(10)), 3) == "0, 1, 2 and 7 more"
    assert families.list_names([]) == ""
