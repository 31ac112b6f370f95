"""``zoo scaling``: what training takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.alone import run_alone
from tests.metrics.configs import DEEPSEEK_V3, LLAMA_8B


def test_a_size_gives_its_optimal_tokens_and_sources() -> None:
    result = run_alone("scaling", "--params", "7B")
    assert result.code == 0
    for said in ("7.00 B on 140 B tokens", "28.00 GB", "14.00 GB", "84.0 B", "2.184", "epoch2024"):
        assert said in result.out
    assert "arXiv:2404.10102" in result.err
    assert max(map(len, result.out.splitlines())) <= 80


def test_a_budget_is_split_by_one_law_with_a_mix_of_one_s_own() -> None:
    result = run_alone("scaling", "--flops", "1e21", "--law", "epoch2024", "--mix", "web=1,code=3", "--json")
    document = json.loads(result.out)
    assert [law["law"] for law in document["laws"]] == ["epoch2024"]
    assert document["rule"]["optimal_params"] == 2_886_751_346
    assert [row["share"] for row in document["mix"]["by_source"]] == [0.25, 0.75]


def test_a_model_adds_the_ledger_s_count_and_the_rule_of_thumb(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_8B))
    result = run_alone("scaling", str(path), "--tokens", "15T")
    assert "6,647,779,328 (-17.2%)" in result.out
    assert "with attention over 4096" in result.out
    document = json.loads(run_alone("scaling", str(path), "--json").out)
    assert document["params"] == 8_030_261_248
    assert document["rule_of_thumb"]["exact_params"] == 8_030_261_248


def test_a_mixture_is_said_to_be_out_of_the_laws_range(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(DEEPSEEK_V3))
    result = run_alone("scaling", str(path))
    assert "37.6 B" in result.out
    assert "out of their range" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a MODEL"),
        (["--params", "7B", "--law", "kaplan"], "is no law that zoo knows"),
        (["--params", "7B", "--mix", "web"], "source=percent"),
        (["x/config.json", "--params", "7B"], "has its own size"),
        (["--params", "7B", "--tokens", "1T", "--flops", "1e21"], "two give the third"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(words: list[str], said: str) -> None:
    result = run_alone("scaling", *words)
    assert result.code == 2
    assert said in result.err


def test_a_model_without_a_size_gives_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "nobody-knows"}')
    result = run_alone("scaling", str(path))
    assert result.code == 3
    assert "'nobody-knows' is not known" in result.err
