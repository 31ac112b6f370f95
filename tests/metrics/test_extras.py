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


QWEN3_NEXT: dict[str, Any] = {"model_type": "qwen3_next", "architectures": ["Qwen3NextForCausalLM"]}
GLM_FLASH: dict[str, Any] = {"model_type": "glm4_moe_lite", "architectures": ["Glm4MoeLiteForCausalLM"]}
GEMMA_4_TEXT: dict[str, Any] = {
    "hidden_size": 1536,
    "num_hidden_layers": 35,
    "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
    "num_key_value_heads": 1,
    "num_kv_shared_layers": 20,
}
PADDLE: dict[str, Any] = {
    "model_type": "paddleocr_vl",
    "vision_config": {"hidden_size": 1152, "intermediate_size": 4304},
}
UNSAID = "next-token-prediction (MTP) layers, of which the config says nothing"


def test_some_checkpoints_hold_next_token_layers_that_their_config_does_not_name() -> None:
    assert extras(QWEN3_NEXT)[UNSAID] == 81_324_862_720 - 79_674_391_296
    assert UNSAID not in extras(QWEN3_NEXT | {"mtp_num_hidden_layers": 1})
    assert UNSAID not in extras(QWEN3_NEXT | {"mtp_num_hidden_layers": 0})
    assert UNSAID not in extras(LLAMA_8B)
    sizes = [size for name, size in extras(GLM_FLASH).items() if name == UNSAID or name.startswith("copies of")]
    assert sum(sizes) == 1_278_097_600 - 46 * 64  # and the biases of the routers


def test_next_token_layers_may_be_stored_without_the_biases_of_their_routers() -> None:
    both = [size for name, size in extras(DEEPSEEK_V3).items() if "without the biases" in name]
    mtp = sum(t.stored for t in build_ledger(DEEPSEEK_V3).tensors if t.role == "mtp")
    assert both == [mtp - 256]


def test_checkpoints_of_gemma_hold_keys_and_values_that_are_never_read() -> None:
    config = {"model_type": "gemma4", "text_config": GEMMA_4_TEXT}
    assert extras(config)["keys and values of layers that read those of lower layers"] == 18_880_512
    whole = {"model_type": "gemma4", "text_config": GEMMA_4_TEXT | {"num_kv_shared_layers": 0}}
    assert not any("keys and values" in name for name in extras(whole))


def test_buffers_of_no_dimension_are_not_counted() -> None:
    clipped = {"model_type": "gemma4", "text_config": GEMMA_4_TEXT, "audio_config": {"use_clipped_linears": True}}
    assert extras(clipped)["buffers that have a dimension"] == 35


def test_paddleocr_stores_a_head_of_its_tower_and_positions_of_packed_patches() -> None:
    found = extras(PADDLE)
    assert found["the pooling head of the tower"] == 15_238_352
    assert found["positions of packed patches"] == 32_768 * 1152
