"""What checkpoints may hold besides the parameters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metrics.configs import BERT_BASE, DEEPSEEK_V3, GPT2, LLAMA_8B, T5_BASE
from zoo.arch.ledger import build_ledger
from zoo.metrics.extras import find_rotated, list_extras

PHI_2: dict[str, Any] = {"model_type": "phi", "architectures": ["PhiForCausalLM"], "partial_rotary_factor": 0.4}
GPTJ: dict[str, Any] = {"model_type": "gptj", "architectures": ["GPTJForCausalLM"]}


def extras(config: dict[str, Any]) -> dict[str, int]:
    return list_extras(build_ledger(config))


@pytest.mark.parametrize(
    ("config", "width"),
    [
        (LLAMA_8B, 128),
        (PHI_2, 25),
        (LLAMA_8B | {"rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 1.0}}, 64),
        (GPTJ, 64),
        (DEEPSEEK_V3, 64),
    ],
)
def test_a_part_of_a_head_may_be_rotated(config: dict[str, Any], width: int) -> None:
    assert find_rotated(build_ledger(config)) == width


def test_masks_and_masking_values_are_those_of_the_early_gpts() -> None:
    found = extras(GPT2)
    assert found["causal masks in every layer"] == 12 * 1024 * 1024
    assert found["masking values (masked_bias) in every layer"] == 12
    assert not any("mask" in name for name in extras(LLAMA_8B))


def test_tied_tensors_may_be_stored_again() -> None:
    assert extras(GPT2)["lm_head.weight, tied to transformer.wte.weight and stored as well"] == 50257 * 768
    assert sum("tied to shared.weight" in name for name in extras(T5_BASE)) == 3


def test_next_token_layers_repeat_the_embedding_and_the_head() -> None:
    copies = [size for name, size in extras(DEEPSEEK_V3).items() if name.startswith("copies of")]
    assert copies == [129_280 * 7168] * 2


def test_a_class_with_a_pooler_has_no_second_one() -> None:
    assert extras(BERT_BASE)["the pooler"] == 590_592
    assert "the pooler" not in extras(BERT_BASE | {"architectures": ["BertModel"]})
