"""Classes under other names than those that are declared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError
from zoo.arch.names import OTHER_NAMES, find_counterpart
from zoo.arch.registry import find_architecture, load_architectures

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
    "vocab_size": 128,
}


def name_class(config: dict[str, Any], name: str) -> str:
    """The class that is counted for a config that names ``name``."""
    return build_ledger(config | {"architectures": [name]}).class_name


@pytest.mark.parametrize(
    ("model_type", "older", "name"),
    [(model_type, older, name) for model_type, names in OTHER_NAMES.items() for older, name in names.items()],
)
def test_an_older_name_is_the_class_that_it_became(model_type: str, older: str, name: str) -> None:
    assert name in find_architecture(model_type).heads
    assert older not in {head for architecture in load_architectures().values() for head in architecture.heads}
    assert name_class({"model_type": model_type}, older) == name


def test_a_class_of_another_type_is_counted_where_both_types_lay_the_config_out_alike() -> None:
    assert name_class(LLAMA, "MistralForCausalLM") == "LlamaForCausalLM"
    assert name_class(LLAMA, "MistralForSequenceClassification") == "LlamaForSequenceClassification"
    assert name_class(LLAMA | {"model_type": "mistral"}, "LlamaForCausalLM") == "MistralForCausalLM"
    assert total(LLAMA | {"architectures": ["MistralForCausalLM"]}) == total(LLAMA)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "Qwen2ForCausalLM"),  # biases
        ({"attention_bias": True}, "MistralForCausalLM"),
        ({}, "MixtralForCausalLM"),
        ({}, "BertForMaskedLM"),  # a task that the type does not have
        ({"model_type": "qwen2"}, "LlamaForCausalLM"),
        ({"num_attention_heads": "four"}, "MistralForCausalLM"),
    ],
)
def test_a_class_of_another_type_with_other_tensors_is_refused(changed: dict[str, Any], name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{name}' is one of"):
        build_ledger(LLAMA | changed | {"architectures": [name]})


def test_a_class_without_the_prefix_of_its_type_has_no_counterpart() -> None:
    llama, bert = find_architecture("llama"), find_architecture("bert")
    assert find_counterpart("LlamaForCausalLM", bert, llama) is None
    assert find_counterpart("GPT2LMHeadModel", find_architecture("gpt2"), llama) is None
