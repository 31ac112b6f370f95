"""The Config view: aliases, defaults, sections, and refusals that name the key."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch.config import Config, MissingKeyError, UnsupportedError, find_spec
from zoo.arch.ledger import build_ledger


def test_a_key_is_read_from_the_config_before_the_default() -> None:
    c = Config({"hidden_size": 64}, "llama")
    assert c.hidden == 64
    assert c.read["hidden_size"] == "config"


def test_a_missing_key_takes_the_default_of_its_type_and_says_so() -> None:
    c = Config({}, "llama")
    assert c["vocab_size"] == 32000
    assert c.read["vocab_size"] == "default"


@pytest.mark.parametrize("raw", [{"n_embd": 96}, {"hidden_size": 96}])
def test_a_key_answers_to_both_of_its_names(raw: dict[str, Any]) -> None:
    c = Config(raw, "gpt2")
    assert c["hidden_size"] == c["n_embd"] == 96
    assert "hidden_size" in c


def test_two_other_names_of_a_key_that_differ_are_refused() -> None:
    """The class lets the last in the file win, and a stored config has no order."""
    with pytest.raises(UnsupportedError, match=r"num_attention_heads.*are one key, and differ"):
        _ = Config({"num_attention_heads": 2, "encoder_attention_heads": 4}, "pix2struct_text_model")["num_heads"]
    agreeing = Config({"num_attention_heads": 2, "encoder_attention_heads": 2}, "pix2struct_text_model")
    assert agreeing["num_heads"] == 2
    assert Config({"num_attention_heads": 2, "num_heads": 4}, "pix2struct_text_model")["num_heads"] == 2


def test_a_key_that_is_nowhere_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingKeyError, match="llama: the config has no 'kv_lora_rank'") as caught:
        Config({}, "llama")["kv_lora_rank"]
    assert (caught.value.model_type, caught.value.key) == ("llama", "kv_lora_rank")


def test_an_unknown_type_has_no_defaults() -> None:
    assert find_spec("no-such-type").defaults == {}


@pytest.mark.parametrize("value", ["64", 64.0, True, None, [64], -1, 1 << 40, 10**4000])
def test_a_dimension_that_is_no_whole_number_in_range_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="hidden_size"):
        build_ledger({"model_type": "llama", "hidden_size": value})


def test_a_layer_count_out_of_range_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="num_hidden_layers is 100000000"):
        build_ledger({"model_type": "llama", "num_hidden_layers": 100_000_000})


def test_no_heads_is_refused_rather_than_divided_by() -> None:
    with pytest.raises(UnsupportedError, match="num_attention_heads"):
        build_ledger({"model_type": "llama", "num_attention_heads": 0})


@pytest.mark.parametrize("value", [1, 0, True, False, None])
def test_a_flag_is_read_as_the_class_takes_it(value: Any) -> None:
    assert Config({"mlp_bias": value}, "llama").flag("mlp_bias") is bool(value)


@pytest.mark.parametrize("value", ["yes", 2, [], {}])
def test_a_flag_that_is_no_boolean_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="mlp_bias"):
        Config({"mlp_bias": value}, "llama").flag("mlp_bias")


@pytest.mark.parametrize("value", ["full", [1, 2], ["full_attention"]])
def test_a_list_of_layer_kinds_must_be_names_of_all_layers(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="layer_types"):
        Config({"layer_types": value}, "llama").words("layer_types", 2)


def test_a_section_is_of_the_type_that_it_says() -> None:
    c = Config({"text_config": {"model_type": "qwen2", "hidden_size": 32}}, "llava")
    assert c.section("text_config").model_type == "qwen2"
    assert c.section("text_config").path == "text_config."


def test_a_section_that_says_no_type_is_of_the_type_that_its_parent_declares() -> None:
    assert Config({"text_config": {}}, "gemma3").section("text_config").model_type == "gemma3_text"
    assert Config({}, "gemma3").section("text_config")["hidden_size"] == 2304


def test_a_section_of_no_known_type_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingKeyError, match=r"no_such_config\.model_type"):
        Config({"no_such_config": {}}, "llama").section("no_such_config")


def test_a_section_that_is_no_object_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="text_config is not an object"):
        Config({"text_config": [1]}, "gemma3").section("text_config")


def test_a_flat_section_falls_back_to_the_top_level() -> None:
    c = Config({"hidden_size": 48}, "gemma3")
    assert c.section("text_config", flat=True)["hidden_size"] == 48


def test_a_dimension_that_does_not_exist_is_a_fault_of_the_declaration() -> None:
    with pytest.raises(AttributeError, match="no dimension 'no_such'"):
        _ = Config({}, "llama").no_such
    with pytest.raises(AttributeError):
        _ = Config({}, "llama")._private


@pytest.mark.parametrize(("raw", "labels"), [({}, 2), ({"num_labels": 5}, 5), ({"id2label": {"0": "a"}}, 1)])
def test_a_classifier_has_as_many_outputs_as_labels(raw: dict[str, Any], labels: int) -> None:
    assert Config(raw, "llama").labels == labels
