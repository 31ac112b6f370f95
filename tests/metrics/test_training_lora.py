"""Sizes of adapters, against what peft counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import BERT_BASE, DEEPSEEK_V3, GPT_OSS_20B, LLAMA_8B, MIXTRAL
from tests.metrics.test_memory import MAMBA_130M
from zoo.arch.ledger import Ledger
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.training_lora import ALL_LINEAR, QUERY_VALUE, count_lora, describe_lora, list_linear, list_presets

RECORD = json.loads((Path(__file__).parent.parent / "data" / "lora_counts.json").read_text())
CASES = [(RECORD["configs"][index], targets, count) for index, targets, count in RECORD["counts"]]
#: In all-linear, peft 0.21 leaves out gated layers that stand beside fused experts, for their names are the same.
LEFT_OUT = {"deepseek_v3": 8 * (3 * (64 + 112) + 3 * 3 * (64 + 32)), "qwen3_next": 8 * 4 * 3 * (64 + 32)}
#: And adapts experts of some types only.
NOT_ADAPTED = ("gpt_oss",)


def ledger(config: dict[str, Any]) -> Ledger:
    found = analyze(config).ledger
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("config", "targets", "count"), CASES, ids=[f"{config['model_type']}:{names}" for config, names, _ in CASES]
)
def test_adapters_are_counted_as_peft_counts_them(config: dict[str, Any], targets: str, count: int) -> None:
    adapter = count_lora(ledger(config), RECORD["rank"], targets.split(","))
    experts = 0 if config["model_type"] in NOT_ADAPTED else adapter.experts
    left_out = LEFT_OUT.get(config["model_type"], 0) if targets == ALL_LINEAR else 0
    assert adapter.params + experts - left_out == count


def test_the_usual_adapters_of_llama_8b() -> None:
    # 32 layers x 16 x (2 x (4,096 + 4,096) + 2 x (4,096 + 1,024) + 3 x (4,096 + 14,336)) = 41,943,040
    assert count_lora(ledger(LLAMA_8B), 16, [ALL_LINEAR]) == ((ALL_LINEAR,), 16, 41_943_040, 224, 0)
    assert count_lora(ledger(LLAMA_8B), 16, QUERY_VALUE).params == 6_815_744


def test_targets_are_ends_of_names() -> None:
    known = ledger(LLAMA_8B)
    both = count_lora(known, 4, ["self_attn.q_proj", "v_proj", "v_proj"])
    assert both.params == count_lora(known, 4, QUERY_VALUE).params
    assert both.targets == ("self_attn.q_proj", "v_proj")
    assert count_lora(ledger(DEEPSEEK_V3), 4, ["shared_experts.up_proj"]).modules == 58


@pytest.mark.parametrize("targets", [["proj"], ["lm_head"], ["q_proj", "nothing"], [], ["gate_up_proj"]])
def test_a_name_that_no_linear_layer_has_is_refused(targets: list[str]) -> None:
    with pytest.raises(UsageError, match="this model has q_proj, k_proj"):
        count_lora(ledger(MIXTRAL), 4, targets)


@pytest.mark.parametrize("rank", [0, -1, 5000])
def test_a_rank_out_of_range_is_refused(rank: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        count_lora(ledger(LLAMA_8B), rank, [ALL_LINEAR])


def test_what_can_be_targeted_is_listed() -> None:
    assert list_linear(ledger(LLAMA_8B)) == [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ]
    assert list_presets(ledger(LLAMA_8B)) == [QUERY_VALUE, (ALL_LINEAR,)]
    assert list_presets(ledger(BERT_BASE)) == [(ALL_LINEAR,)]
    assert list_presets(ledger(MAMBA_130M)) == [(ALL_LINEAR,)]


@given(rank=st.integers(1, 256), targets=st.sampled_from([[ALL_LINEAR], ["q_proj"], ["q_proj", "down_proj"]]))
def test_adapters_grow_with_their_rank(rank: int, targets: list[str]) -> None:
    known = ledger(LLAMA_8B)
    assert count_lora(known, rank, targets).params == rank * count_lora(known, 1, targets).params


def test_training_an_adapter_takes_sixteen_bytes_a_parameter_over_its_base() -> None:
    said = describe_lora(ledger(GPT_OSS_20B), 8, [ALL_LINEAR], {"bfloat16": 1000, "bnb-nf4": 300})
    assert said["training_bytes"] == {"bfloat16": 1000 + 16 * said["params"], "bnb-nf4": 300 + 16 * said["params"]}
    assert said["float32_bytes"] == 2 * said["float16_bytes"] == 4 * said["params"]
    assert said["fused_expert_params"] > said["params"]
