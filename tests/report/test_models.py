"""Rows become models: names, order, layers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.fakes import LLAMA, UNKNOWN, make_models, make_row, make_rows
from zoo.report.models import LABEL_LENGTH, Layer, describe_layers, find_period, label_models


def spell(text: str) -> list[Layer]:
    kinds = {"f": "full", "s": "sliding", "m": "ssm", "F": "full"}
    return [Layer(kinds[c], c.isupper()) for c in text]


def test_models_stand_by_size_and_those_without_numbers_at_the_end() -> None:
    models = make_models([make_row("acme/strange", UNKNOWN), *make_rows(4)])
    assert [m.label for m in models] == ["gpt2", "Mistral-7B-v0.1", "Llama-3.1-8B", "Mixtral-8x7B-v0.1", "strange"]
    assert models[-1].reason == "model_type 'no-such-type' is not known"


def test_a_model_without_a_config_says_why() -> None:
    row = make_row("acme/gated", {}, problem=("gated", "config.json needs access to the repository"))
    assert make_models([row])[0].reason == "config.json needs access to the repository"
    assert make_models([make_row("acme/empty", {})])[0].reason == "there is no config"


def test_a_name_without_its_author_is_enough_unless_two_share_it() -> None:
    assert label_models(["a/x", "b/x", "c/y"]) == {"a/x": "a/x", "b/x": "b/x", "c/y": "y"}


def test_long_names_that_are_cut_alike_are_numbered() -> None:
    ids = [f"a/{'x' * 30}{middle}{'y' * 30}" for middle in "12"]
    one, two = label_models(ids).values()
    assert (one[-3:], two[-3:]) == (" #1", " #2")
    assert len(one) == len(two) == LABEL_LENGTH


def test_the_longest_label_fits_a_table() -> None:
    (label,) = label_models([f"acme/{'long-' * 20}name"]).values()
    assert len(label) == LABEL_LENGTH


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("ffff", "4 full"),
        ("ff" + "F" * 6, "8 full; experts in 6"),
        ("FFFF", "4 full; experts in all"),
        ("sssffff", "3 sliding, then 4 full"),
        ("ssf" * 5, "2 sliding, 1 full, repeated"),
        ("ssf" * 5 + "s", "2 sliding, 1 full, repeated"),
        ("mmfmmmfmmmfmmmfmm", "3 ssm, 1 full, repeated"),
        ("sfssfsssfssssf", "10 sliding, 4 full, mixed"),
        ("", ""),
    ],
)
def test_layers_are_told_in_words(layers: str, words: str) -> None:
    assert describe_layers(spell(layers)) == words


@given(pattern=st.lists(st.sampled_from("fsm"), min_size=2, max_size=4), times=st.integers(2, 5))
def test_what_repeats_is_found_to_repeat(pattern: list[str], times: int) -> None:
    runs = [(kind, index + 1) for index, kind in enumerate(pattern)] * times
    period = find_period(runs)
    assert period is not None
    assert period <= len(pattern)


def test_layers_and_sparse_layers_come_from_the_ledger() -> None:
    models = {m.label: m for m in make_models(make_rows(5))}
    gemma = [layer.kind for layer in models["gemma-3-1b-it"].layers]
    assert gemma == (["sliding"] * 5 + ["full"]) * 4 + ["sliding"] * 2
    assert all(layer.sparse for layer in models["Mixtral-8x7B-v0.1"].layers)
    assert not any(layer.sparse for layer in models["Llama-3.1-8B"].layers)


def test_a_dotted_path_reaches_into_the_facts_and_stops_at_nothing() -> None:
    (model,) = make_models([make_row("acme/llama", LLAMA)])
    assert model.get("params.total") == 8_030_261_248
    assert model.get("kv_cache.bytes_at.32768") == 131072 * 32768
    assert model.get("params.by_part.experts") is None
    assert model.get("params.total.more") is None
    assert model.max_context == 131072
    assert model.author == "acme"
