"""Memory of training: bytes a parameter by recipe, ZeRO, and the bound on activations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import BERT_BASE, DEEPSEEK_V3, GPT2, LLAMA_8B, MIXTRAL
from zoo.metrics.analysis import analyze
from zoo.metrics.training_memory import RECIPES, bound_activations, count_factors, describe_memory

N = 8_030_261_248


def recipes(params: int = N, devices: int = 1, config: dict[str, Any] = LLAMA_8B) -> dict[str, dict[str, Any]]:
    return {one["recipe"]: one for one in describe_memory(params, analyze(config).ledger, devices)}


@pytest.mark.parametrize(
    ("recipe", "each"),
    [
        ("adamw-fp32", 16),
        ("adamw-mixed", 16),  # ZeRO, section 3.1: 2 + 2 + 12
        ("adamw-mixed-fp32-gradients", 18),
        ("adamw-bf16", 8),
        ("adamw-8bit", 10 + 8 / 2048),
        ("sgd-momentum", 12),
    ],
)
def test_bytes_a_parameter_by_recipe(recipe: str, each: float) -> None:
    said = recipes()[recipe]
    assert said["bytes_per_param"] == pytest.approx(each)
    assert said["total_bytes"] == pytest.approx(each * N)
    assert said["weights_bytes"] + said["gradients_bytes"] + said["states_bytes"] == said["total_bytes"]


def test_zero_as_its_paper_has_it() -> None:
    # ZeRO, figure 1: 7.5 B parameters over 64 devices take 120 GB, 31.4, 16.6 and 1.9.
    said = recipes(7_500_000_000, 64)["adamw-mixed"]
    sizes = [said["total_bytes"], *said["zero_bytes_on_each"].values()]
    assert [round(size / 1e9, 1) for size in sizes] == [120.0, 31.4, 16.6, 1.9]


def test_factored_moments_are_a_row_and_a_column_for_each_matrix() -> None:
    ledger = analyze(LLAMA_8B).ledger
    assert ledger is not None
    layer = 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336) + 2 * 4096
    assert count_factors(ledger) == 32 * layer + 2 * (128256 + 4096) + 4096
    assert recipes()["adafactor"]["states_bytes"] == 4 * N + 4 * count_factors(ledger)
    experts = analyze(MIXTRAL).ledger
    assert experts is not None
    fused = 32 * 8 * ((2 * 14336 + 4096) + (4096 + 14336))
    assert count_factors(experts) > fused  # each expert for itself


def test_without_shapes_there_are_no_factored_moments() -> None:
    assert {one["recipe"] for one in describe_memory(N, None, 1)} == {one.name for one in RECIPES} - {"adafactor"}


@given(params=st.integers(1, 10**13), devices=st.integers(1, 4096))
def test_dealing_more_out_never_takes_more(params: int, devices: int) -> None:
    for one in describe_memory(params, None, devices):
        sizes = [one["total_bytes"], *one["zero_bytes_on_each"].values()]
        assert sizes == sorted(sizes, reverse=True)
        assert devices * sizes[-1] >= one["total_bytes"]
        if devices == 1:
            assert len(set(sizes)) == 1


def test_nothing_takes_nothing() -> None:
    assert describe_memory(0, None, 8)[0]["bytes_per_param"] is None


def test_activations_are_bound_from_below() -> None:
    bound = bound_activations(analyze(LLAMA_8B), 4096, 2)
    assert bound is not None
    assert bound["hidden_states_bytes"] == 2 * 8192 * 4096 * 32
    assert bound["logits_bytes"] == 4 * 8192 * 128256
    assert bound["at_least_bytes"] == bound["hidden_states_bytes"] + bound["logits_bytes"]
    for config in (GPT2, BERT_BASE, DEEPSEEK_V3):
        assert bound_activations(analyze(config), 1, 1) is not None
    assert bound_activations(analyze({"model_type": "nobody-knows"}), 1, 1) is None
