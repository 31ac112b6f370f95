"""How values compare with those of other models."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.explain.standing import (
    Standing,
    Standings,
    compare_values,
    describe_standing,
    describe_standings,
    is_amount,
    name_ordinal,
    name_path,
    place_value,
)


@dataclass
class Other:
    """Another model."""

    config: dict[str, Any] = field(default_factory=dict)
    family: str | None = "Llama"
    fingerprint: str = "other"


SIZES = st.integers(-(10**18), 10**18)


@given(SIZES, st.lists(SIZES, min_size=1))
def test_a_percentile_is_the_share_below_and_half_of_those_alike(value: int, others: list[int]) -> None:
    found = place_value("hidden_size", value, others)
    assert found is not None
    assert found.models == len(others) + 1
    assert found.percentile is not None
    assert 0 < found.percentile < 100
    everyone = [value, *others]
    mirrored = place_value("hidden_size", -value, [-other for other in others])
    assert mirrored is not None
    assert mirrored.percentile is not None
    assert found.percentile + mirrored.percentile == pytest.approx(100)
    assert found.same == everyone.count(value)
    assert (found.least, found.most) == (min(everyone), max(everyone))


@given(st.lists(st.integers(0, 50), min_size=2, unique=True))
def test_larger_values_have_higher_percentiles(values: list[int]) -> None:
    ordered = sorted(values)
    places = [place_value("x", value, [v for v in ordered if v != value]) for value in ordered]
    percentiles = [place.percentile for place in places if place and place.percentile is not None]
    assert percentiles == sorted(percentiles)
    assert len(set(percentiles)) == len(ordered)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("n_embd",), "hidden_size"),
        (("text_config", "hidden_size"), "hidden_size"),
        (("llm_config", "d_model"), "hidden_size"),
        (("vision_config", "embed_dim"), "vision_config.hidden_size"),
        (("rope_parameters", "rope_theta"), "rope_theta"),
        (("text_config", "rope_parameters", "factor"), "rope_scaling.factor"),
        (("rope_scaling", "type"), "rope_scaling.rope_type"),
        (("text_config",), "text_config"),
        (("warp", "factor"), "warp.factor"),
    ],
)
def test_a_key_is_compared_under_its_first_name(path: tuple[str, ...], name: str) -> None:
    assert name_path(path) == name


@pytest.mark.parametrize(
    ("name", "value", "amount"),
    [
        ("hidden_size", 4096, True),
        ("rope_theta", 1e6, True),
        ("eos_token_id", 2, False),
        ("image_token_index", 2, False),
        ("use_cache", True, False),
        ("hidden_act", "silu", False),
        ("time_step_limit", math.inf, False),
        ("x", math.nan, False),
        ("x", 10**400, False),
        ("x", None, False),
    ],
)
def test_ids_switches_and_words_are_no_amounts(name: str, value: Any, amount: bool) -> None:
    assert is_amount(name, value) is amount


def test_values_are_held_against_family_and_zoo() -> None:
    peers = [
        Other({"hidden_size": 10, "hidden_act": "silu", "eos_token_id": 1}),
        Other({"n_embd": 30, "hidden_act": "gelu", "eos_token_id": 1}, "GPT"),
        Other({"text_config": {"hidden_size": 20}}, "GPT"),
        Other({"hidden_size": 99}, fingerprint="mine"),
    ]
    mine = {"hidden_size": 20, "hidden_act": "silu", "eos_token_id": 2, "alone": 1, "text_config": {"vocab_size": 5}}
    found = compare_values(mine, "Llama", "mine", peers)
    assert set(found) == {"hidden_size", "hidden_act", "eos_token_id"}
    sizes = found["hidden_size"]
    assert sizes.family == Standing(2, 1, 75.0, 15, 10, 20)
    assert sizes.zoo == Standing(4, 2, 50.0, 20, 10, 30)
    assert found["hidden_act"].zoo == Standing(3, 2)
    assert found["eos_token_id"] == Standings(Standing(2, 1), Standing(3, 1))
    assert found["hidden_size"].as_dict()["zoo"]["percentile"] == 50.0


def test_a_key_of_no_other_model_of_the_family_is_compared_with_the_zoo_alone() -> None:
    found = compare_values({"layers": 1, "x": 5}, "Llama", None, [Other({"x": 6}, "GPT"), Other({"x": "six"}, "GPT")])
    assert found["x"].family is None
    assert found["x"].zoo == Standing(2, 1, 25.0, 5.5, 5, 6)
    assert found["x"].as_dict()["family"] is None
    nobody = compare_values({"x": 5}, None, None, [Other({"x": "six"}, None)])
    assert nobody["x"].zoo is None


def test_numbers_are_the_same_however_they_are_written() -> None:
    peers = [Other({"eos_token_id": 2.0, "window": None}), Other({"eos_token_id": "2", "window": 5, "window_id": 1})]
    found = compare_values({"eos_token_id": 2, "window": 4, "section": {}, "window_id": None}, "Llama", None, peers)
    assert found["eos_token_id"].zoo == Standing(3, 2)
    assert found["window"].zoo == Standing(2, 1, 25.0, 4.5, 4, 5)
    assert found["window_id"].zoo == Standing(2, 1)
    assert place_value("hidden_act", "silu", []) is None


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (Standing(336, 5, 61.6, 4096, 8, 9000), "62nd percentile of 336 models (median 4,096)"),
        (Standing(10, 10, 50.0, 1, 1, 1), "the same in all 10 models"),
        (Standing(334, 30), "30 of 334 models say the same (9%)"),
        (Standing(334, 1), "no other of 334 models says the same"),
    ],
)
def test_standings_have_words(standing: Standing, text: str) -> None:
    assert describe_standing(standing) == text


def test_family_and_zoo_are_told_in_one_line() -> None:
    both = Standings(Standing(2, 2), Standing(4, 1))
    assert describe_standings(both, "Ll\x1bama") == (
        "family Ll\ufffdama: the same in both models; zoo: no other of 4 models says the same"
    )
    assert describe_standings(Standings(None, Standing(4, 1)), None) == "zoo: no other of 4 models says the same"
    assert describe_standings(None, "x") == ""


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0th"), (1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd"), (100, "100th")]
)
def test_ordinals(number: int, text: str) -> None:
    assert name_ordinal(number) == text
