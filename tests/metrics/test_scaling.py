"""The laws of training: constants and results as published, and what must hold whatever the numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT2, LLAMA_8B, MIXTRAL
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.scaling import (
    EPOCH,
    EXAMPLE_MIX,
    HOFFMANN,
    LAWS,
    ScalingLaw,
    estimate_parameters,
    parse_mix,
    split_by_rule,
    split_tokens,
    training_flops,
)
from zoo.metrics.training import (
    compare_estimate,
    describe_adapters,
    describe_model,
    describe_run,
    describe_training,
    plan_run,
)

laws = st.sampled_from(list(LAWS.values()))
sizes = st.floats(1e6, 1e13)
ALL = tuple(LAWS.values())


@pytest.mark.parametrize(
    ("law", "params", "tokens", "loss"),
    [
        (HOFFMANN, 7e9, 140e9, 2.184),
        (HOFFMANN, 13e9, 260e9, 2.099),
        (HOFFMANN, 70e9, 1.4e12, 1.937),  # Chinchilla itself
        (EPOCH, 70e9, 1.4e12, 1.974),
    ],
)
def test_the_loss_of_known_sizes(law: ScalingLaw, params: float, tokens: float, loss: float) -> None:
    assert law.loss(params, tokens) == pytest.approx(loss, abs=5e-4)


def test_the_refit_agrees_with_twenty_tokens_a_parameter_and_the_first_fit_does_not() -> None:
    # Besiroglu et al. 2024: at Chinchilla's compute (5.88e23) their fit asks for about 20 tokens a parameter.
    params, tokens = EPOCH.split_compute(training_flops(70e9, 1.4e12))
    assert 15 < tokens / params < 25
    params, tokens = HOFFMANN.split_compute(training_flops(70e9, 1.4e12))
    assert tokens / params > 60


def test_the_exponent_of_the_refit_is_near_one_half() -> None:
    # Their table 2: a = beta / (alpha + beta) = 0.513.
    assert EPOCH.beta / (EPOCH.alpha + EPOCH.beta) == pytest.approx(0.513, abs=5e-4)


def test_the_rule_of_twenty_splits_compute() -> None:
    params, tokens = split_by_rule(120 * 7e9**2)
    assert (params, tokens) == (pytest.approx(7e9), pytest.approx(140e9))


def test_the_rule_of_thumb_for_a_7b_model() -> None:
    assert estimate_parameters(32, 4096) == 6_647_779_328
    assert estimate_parameters(1, 2, vocab=3, ff_mult=1) == 3 * 2 + (16 + 8 + 8) + 2


@given(law=laws, flops=st.floats(1e15, 1e27), factor=st.floats(0.1, 10))
def test_no_other_split_of_the_compute_is_better(law: ScalingLaw, flops: float, factor: float) -> None:
    params, tokens = law.split_compute(flops)
    assert training_flops(params, tokens) == pytest.approx(flops)
    assert law.loss(params, tokens) <= law.loss(params * factor, tokens / factor) * (1 + 1e-12)


@given(law=laws, params=sizes)
def test_optimal_tokens_and_optimal_parameters_are_each_other_s_inverse(law: ScalingLaw, params: float) -> None:
    tokens = law.optimal_tokens(params)
    assert law.optimal_params(tokens) == pytest.approx(params)
    assert law.split_compute(training_flops(params, tokens)) == (pytest.approx(params), pytest.approx(tokens))


@given(law=laws, params=sizes, tokens=sizes, more=st.floats(1, 100))
def test_more_of_anything_lowers_the_loss(law: ScalingLaw, params: float, tokens: float, more: float) -> None:
    assert law.loss(params * more, tokens) <= law.loss(params, tokens)
    assert law.loss(params, tokens * more) <= law.loss(params, tokens)
    assert law.loss(params, tokens) > law.e


@given(tokens=st.floats(1e6, 1e15), mix=st.dictionaries(st.text(), st.floats(0.01, 100), min_size=1, max_size=8))
def test_the_sources_add_up_to_all_tokens(tokens: float, mix: dict[str, float]) -> None:
    assert abs(sum(split_tokens(tokens, mix).values()) - tokens) <= len(mix)


def test_the_example_mix_for_a_7b_model() -> None:
    shares = split_tokens(140e9, EXAMPLE_MIX)
    assert shares["web"] == 84_000_000_000
    assert shares["wikipedia"] == 5_600_000_000
    assert sum(EXAMPLE_MIX.values()) == 100


def test_a_mix_is_read_as_shares() -> None:
    assert parse_mix("web=60%, code = 40,") == {"web": 60.0, "code": 40.0}


@pytest.mark.parametrize("text", ["", ",", "web", "web=", "=5", "web=-1", "web=0", "web=nan", "web=inf", "a=1,a=2"])
def test_what_is_no_mix_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="source=percent"):
        parse_mix(text)


def describe(**given: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {"params": None, "active": None, "tokens": None, "flops": None}
    return describe_run(plan_run(**(figures | given)), ALL, EXAMPLE_MIX)


def test_a_size_alone_gives_its_optimal_tokens() -> None:
    said = describe(params=7e9)
    assert said["rule"]["optimal_tokens"] == 140_000_000_000
    assert said["rule"]["training_flops"] == pytest.approx(5.88e21)
    assert said["tokens"] is said["training_flops"] is said["laws"][0]["loss_nats_per_token"] is None
    assert said["laws"][1]["optimal_tokens"] == pytest.approx(144e9, rel=0.01)
    assert said["mix"]["tokens"] == 140_000_000_000
    assert (said["float32_gb"], said["float16_gb"]) == (28, 14)


def test_size_and_tokens_give_loss_compute_and_over_training() -> None:
    said = describe(params=8.03e9, tokens=15e12)
    assert said["training_flops"] == pytest.approx(7.227e23)
    assert said["overtraining_factor"] == pytest.approx(15e12 / 160.6e9)
    assert [law["overtraining_factor"] for law in said["laws"]] == pytest.approx([27.15, 91.16], rel=1e-3)
    assert said["laws"][0]["loss_nats_per_token"] < said["laws"][0]["loss_by_rule_nats_per_token"]
    assert said["laws"][0]["split_params"] > 8.03e9


def test_size_and_compute_give_tokens() -> None:
    assert describe(params=7e9, flops=5.88e21)["tokens"] == 140_000_000_000


def test_tokens_and_compute_give_the_size() -> None:
    assert describe(tokens=140e9, flops=5.88e21)["params"] == 7_000_000_000


def test_tokens_alone_give_the_size_for_them() -> None:
    said = describe(tokens=140e9)
    assert said["rule"]["optimal_params"] == 7_000_000_000
    assert said["laws"][0]["optimal_tokens"] == 140_000_000_000
    assert said["params"] is said["float32_gb"] is None


def test_compute_alone_is_split() -> None:
    said = describe(flops=1e21)
    assert said["rule"]["optimal_params"] == pytest.approx(2.887e9, rel=1e-3)
    assert said["laws"][1]["optimal_params"] == pytest.approx(2.78e9, rel=1e-2)
    assert said["laws"][1]["split_params"] is None


def test_too_little_and_too_much_are_refused() -> None:
    with pytest.raises(UsageError, match="name a MODEL"):
        describe()
    with pytest.raises(UsageError, match="two give the third"):
        describe(params=1.0, tokens=1.0, flops=6.0)


def test_a_mixture_costs_its_active_parameters() -> None:
    # DeepSeek-V3: 14.8 T tokens (arXiv:2412.19437) of 37.6 B active parameters.
    said = describe(params=671_026_404_352, active=37_552_282_624, tokens=14.8e12)
    assert said["training_flops"] == pytest.approx(6 * 37_552_282_624 * 14.8e12)


def test_the_ledger_counts_training_exactly() -> None:
    analysis = analyze(LLAMA_8B)
    said = describe_model(analysis, 10**12)
    assert said["training_flops_matrices"] == 3 * 2 * 7_504_658_432 * 10**12
    assert said["sequence_tokens"] == 4096
    pairs = 4096 * 4097 // 2
    attention = 3 * pairs * 4 * 4096 * 32 * 10**12 / 4096
    assert said["training_flops_with_attention"] == pytest.approx(said["training_flops_matrices"] + attention)
    assert describe_model(analyze(GPT2), 1.0)["sequence_tokens"] == 1024


@pytest.mark.parametrize(
    ("config", "error"), [(LLAMA_8B, -0.172), (MIXTRAL, -0.858), (DEEPSEEK_V3, -0.943), (GPT2, -0.009)]
)
def test_how_wrong_the_rule_of_thumb_is(config: dict[str, Any], error: float) -> None:
    compared = compare_estimate(analyze(config))
    assert compared is not None
    assert compared["error"] == pytest.approx(error, abs=1e-3)


def test_nothing_is_said_of_an_unknown_model() -> None:
    unknown = analyze({"model_type": "nobody-knows"})
    with pytest.raises(UsageError, match="not known"):
        describe_model(unknown, 1.0)
    assert compare_estimate(unknown) is None
    with pytest.raises(UsageError, match="not known"):
        describe_adapters(unknown, 8, None)
    assert describe_training(unknown, None, devices=1, sequence=1, batch=1) is None
