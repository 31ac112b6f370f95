"""``zoo scaling``: what training takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.alone import run_alone
from tests.cli.conftest import Run
from tests.metrics.configs import DEEPSEEK_V3, LLAMA_8B, MIXTRAL


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


def test_memory_of_training_and_adapters_are_told(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_8B))
    result = run_alone("scaling", str(path), "--gpus", "8", "--context", "8k", "--batch", "2")
    for said in ("over 8 devices", "ZeRO-3", "adafactor", "2 × 8,192 tokens", "LoRA of rank 16", "41,943,040"):
        assert said in result.out
    assert max(map(len, result.out.splitlines())) <= 82
    document = json.loads(
        run_alone("scaling", str(path), "--lora-rank", "8", "--lora-targets", "q_proj, o_proj", "--json").out
    )
    (adapter,) = document["lora"]
    assert (adapter["targets"], adapter["params"]) == (["q_proj", "o_proj"], 32 * 8 * 2 * 8192)
    assert document["training_memory"]["activations"]["sequence_tokens"] == 4096
    assert document["training_memory"]["recipes"][1]["total_bytes"] == 16 * 8_030_261_248


def test_a_size_alone_has_training_memory_too() -> None:
    document = json.loads(run_alone("scaling", "--params", "7.5B", "--gpus", "64", "--json").out)
    assert document["training_memory"]["recipes"][1]["zero_bytes_on_each"]["3"] == 1_875_000_000
    assert document["training_memory"]["activations"] is None
    assert "lora" not in document
    assert json.loads(run_alone("scaling", "--tokens", "1T", "--json").out)["training_memory"] is None


def test_fused_experts_are_counted_apart(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTRAL))
    assert "fused experts are no linear layers" in run_alone("scaling", str(path)).err


def test_what_authors_state_gives_the_over_training(run: Run) -> None:
    found = run("scaling", "Llama-3.1-8B")
    assert "93.40 ×" in found.out
    assert "the tokens are those that its authors state: 15.0 T" in found.err
    document = json.loads(run("scaling", "meta-llama/Llama-3.1-8B", "--json").out)
    assert document["tokens"] == 15 * 10**12
    assert document["tokens_are_stated"] is True
    assert document["laws"][1]["overtraining_factor"] == pytest.approx(91.16, abs=0.01)
    document = json.loads(run("scaling", "meta-llama/Llama-3.1-8B", "--tokens", "1T", "--json").out)
    assert (document["tokens"], document["tokens_are_stated"]) == (10**12, False)
    assert document["tokens_stated"]["tokens"] == 15e12
    assert "its authors state: 15.0 T" in run("scaling", "meta-llama/Llama-3.1-8B", "--tokens", "1T").err
    assert json.loads(run("scaling", "openai-community/gpt2", "--json").out)["tokens_stated"] is None


def test_the_rule_of_thumb_over_the_whole_database(run: Run) -> None:
    found = run("scaling", "--estimates")
    assert found.code == 0
    assert len(found.out.splitlines()) >= 3 + 20
    assert "within 10 %" in found.err
    document = json.loads(run("scaling", "--estimates", "--json").out)
    assert document["summary"]["models"] == len(document["models"]) > 300
    errors = [abs(one["error_own_vocab"]) for one in document["models"]]
    assert errors == sorted(errors, reverse=True)
    some = json.loads(run("scaling", "--estimates", "--models", "llama", "--limit", "2", "--json").out)
    assert len(some["models"]) == 2
    none = run("scaling", "--estimates", "--models", "google/vit-base-patch16-224-in21k")
    assert none.code == 0
    assert "models" not in none.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a MODEL"),
        (["--params", "7B", "--lora-targets", "q_proj"], "are modules of a MODEL"),
        (["--estimates", "--params", "7B"], "looks at the whole database"),
        (["--params", "7B", "--context", "much"], "is not tokens"),
        (["--params", "7B", "--limit", "3"], "go with --estimates"),
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
