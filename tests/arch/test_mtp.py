"""Layers that predict further tokens (MTP), against what the Hub stores of released weights."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, stored, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

Json = dict[str, Any]

V4_FLASH: Json = {
    "model_type": "deepseek_v4",
    "hidden_size": 4096,
    "num_hidden_layers": 43,
    "compress_ratios": [0, 0, *[4, 128] * 20, 4, 0],
    "n_routed_experts": 256,
    "num_hash_layers": 3,
    "num_nextn_predict_layers": 1,
}
ULTRA: Json = {
    "model_type": "nemotron_h",
    "layers_block_type": ["mamba", "moe", "attention", "moe"],
    "hidden_size": 8192,
    "num_attention_heads": 64,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "moe_intermediate_size": 5120,
    "moe_latent_size": 2048,
    "moe_shared_expert_intermediate_size": 10240,
    "n_routed_experts": 512,
    "num_experts_per_tok": 22,
    "mamba_num_heads": 256,
    "num_nextn_predict_layers": 1,
    "mtp_layers_block_type": ["attention", "moe"],
}
STEP_TEXT: Json = {
    "vocab_size": 128_896,
    "n_routed_experts": 288,
    "layer_types": ["full_attention", *["sliding_attention"] * 3] * 11 + ["full_attention"] + ["sliding_attention"] * 3,
    "sliding_window": 512,
    "attention_other_setting": {"num_attention_heads": 96},
    "num_nextn_predict_layers": 3,
}
STEP: Json = {"model_type": "step3p7", "text_config": STEP_TEXT}


def step(**more: Any) -> Json:
    return STEP | {"text_config": STEP_TEXT | more}


def test_what_the_hub_stores_of_deepseek_v4_is_the_model_its_tables_and_its_mtp_layer() -> None:
    assert total(V4_FLASH) + buffers(V4_FLASH) + stored(V4_FLASH, "mtp") == 290_944_616_402
    without = V4_FLASH | {"num_nextn_predict_layers": 0}
    assert (total(without), stored(without, "mtp")) == (total(V4_FLASH), 0)
    assert cached(without) == cached(V4_FLASH)


@pytest.mark.parametrize(
    "named",
    [{}, {"mtp_layers_block_type": None, "mtp_hybrid_override_pattern": "*E"}],
)
def test_the_mtp_layers_of_nemotron_3_ultra_are_what_the_hub_stores_besides(named: Json) -> None:
    config = ULTRA | named
    biases = 512  # which balance the router: no parameters, and not counted there
    assert stored(config, "mtp") - biases == 560_524_578_816 - 549_308_968_960
    assert total(config) == total(config | {"num_nextn_predict_layers": 0})


def test_two_steps_of_nemotron_take_twice_the_layers() -> None:
    assert stored(ULTRA | {"num_nextn_predict_layers": 2}, "mtp") == 2 * stored(ULTRA, "mtp")


def test_what_the_hub_stores_of_step_3_7_is_the_model_its_mtp_layers_and_their_heads() -> None:
    heads = 3 * 128_896 * 4096
    assert total(STEP) + buffers(STEP) + stored(STEP, "mtp") + heads == 201_365_316_160


def test_the_mtp_layers_of_step_3_7_are_of_the_kinds_that_the_file_says() -> None:
    whole = stored(STEP, "mtp")
    kinds = {"layer_types": STEP_TEXT["layer_types"][:45], "mtp_layer_types": ["sliding_attention"] * 3}
    assert stored(step(**kinds), "mtp") == whole
    assert stored(step(layer_types=STEP_TEXT["layer_types"][:45]), "mtp") == 0  # not said: not counted
    assert stored(step(layer_types=None), "mtp") == whole - 3 * 32 * (2 * 128 + 1) * 4096
    sparse = step(moe_layers_enum=",".join(map(str, range(3, 48))))
    assert stored(sparse, "mtp") > 3 * 288 * 3 * 4096 * 1280
    assert total(sparse) == total(STEP)


REFUSED: list[tuple[Json, str]] = [
    (V4_FLASH | {"num_nextn_predict_layers": 10**6}, "num_nextn_predict_layers is 1000000, out of range"),
    (ULTRA | {"num_nextn_predict_layers": 10**6}, "are out of range"),
    (ULTRA | {"mtp_layers_block_type": ["hyena"]}, "layers of kind 'hyena' are not known"),
    (ULTRA | {"mtp_layers_block_type": None, "mtp_hybrid_override_pattern": "?"}, "'?' is no pattern"),
    (step(num_nextn_predict_layers=10**6, layer_types=None), "num_nextn_predict_layers is 1000000, out of range"),
    (step(layer_types=None, mtp_layer_types=["hyena"] * 3), "layers of kind 'hyena'"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_further_layers_that_cannot_be_counted_are_refused(config: Json, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
