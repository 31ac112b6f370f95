"""The rule of thumb over many models, and the tokens that authors state."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.metrics.training_estimates import compare_row, compare_rows, list_json, summarize_estimates
from zoo.metrics.training_tokens import find_trained, load_trained

LLAMA = {"repo_id": "llama", "layers": 32, "hidden_size": 4096, "vocab_size": 128256, "params_total": 8_030_261_248}
GPT2 = {"repo_id": "gpt2", "layers": 12, "hidden_size": 768, "vocab_size": 50257, "params_total": 124_439_808}
V3 = {"repo_id": "v3", "layers": 61, "hidden_size": 7168, "vocab_size": 129280, "params_total": 671_026_404_352}


def test_the_rule_is_compared_with_the_exact_count() -> None:
    one = compare_row(LLAMA)
    assert one is not None
    assert (one.estimated_params, one.estimated_params_own_vocab) == (6_647_779_328, 6_968_315_904)
    assert one.error == pytest.approx(-0.172, abs=1e-3)
    assert one.error_own_vocab == pytest.approx(-0.132, abs=1e-3)


@pytest.mark.parametrize("missing", ["layers", "hidden_size", "vocab_size", "params_total"])
@pytest.mark.parametrize("value", [None, 0, "many"])
def test_what_the_rule_cannot_be_asked_of_is_left_out(missing: str, value: Any) -> None:
    assert compare_row(LLAMA | {missing: value}) is None


def test_the_most_wrong_come_first_and_are_summed_up() -> None:
    found = compare_rows([GPT2, LLAMA, V3, LLAMA | {"layers": None}])
    assert [one.repo_id for one in found] == ["v3", "llama", "gpt2"]
    summary = summarize_estimates(found)
    assert summary["models"] == 3
    assert summary["error_own_vocab"]["median"] == pytest.approx(0.132, abs=1e-3)
    assert summary["error_own_vocab"]["largest"] == pytest.approx(0.943, abs=1e-3)
    assert summary["error_own_vocab"]["within"] == {"0.05": 1, "0.1": 1, "0.25": 2}
    assert summary["error"]["too_few"] == 3
    assert list_json(found)[0]["exact_params"] == 671_026_404_352
    assert summarize_estimates([])["error"]["median"] is None


def test_every_statement_has_a_source() -> None:
    for one in load_trained():
        assert one.models
        assert 1e9 < one.tokens < 1e15
        assert "arXiv:" in one.source or "card" in one.source or "issue" in one.source


@pytest.mark.parametrize(
    ("repo_id", "tokens"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 15e12),
        ("META-LLAMA/llama-2-7b-hf", 2e12),
        ("Qwen/Qwen2.5-7B", 18e12),
        ("Qwen/Qwen2-7B", 7e12),
        ("deepseek-ai/DeepSeek-V3", 14.8e12),
        ("google/gemma-2-9b-it", 8e12),
        ("google/gemma-2b", 3e12),
        ("allenai/OLMo-2-1124-13B", 5e12),
        ("EleutherAI/pythia-6.9b", 299.9e9),
    ],
)
def test_tokens_that_authors_state(repo_id: str, tokens: float) -> None:
    found = find_trained(repo_id)
    assert found is not None
    assert found.tokens == tokens


def test_a_fine_tune_is_known_by_its_base_and_others_are_not_known() -> None:
    assert find_trained("somebody/tuned", "google/gemma-2-9b") == find_trained("google/gemma-2-9b")
    assert find_trained("somebody/tuned", None) is None
    assert find_trained("deepseek-ai/DeepSeek-V3.2") is None
