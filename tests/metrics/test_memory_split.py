"""How models are dealt out over devices: degrees, layers, heads, and what is whole everywhere."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT_OSS_120B, LLAMA_8B, MIXTRAL
from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.split import (
    Split,
    divide_layers,
    plan_split,
    read_heads,
    share_state,
    share_tensor,
    stage_states,
    stage_tensors,
    untie_tensors,
)

STARCODER: dict[str, Any] = {"model_type": "gpt_bigcode", "architectures": ["GPTBigCodeForCausalLM"]}


def ledger(config: dict[str, Any]) -> Ledger:
    found = analyze(config).ledger
    assert found is not None
    return found


def share(config: dict[str, Any], name: str, split: Split) -> Fraction:
    """The share of the first tensor whose name holds ``name``."""
    known = ledger(config)
    row = next(row for row in known.parameters if name in row.name)
    return share_tensor(row, read_heads(known), split)


@pytest.mark.parametrize(
    ("given", "split", "devices"),
    [
        ({}, Split(1, 1, 1), 1),
        ({"gpus": 8}, Split(8, 1, 1), 8),
        ({"gpus": 8, "pipeline": 2}, Split(4, 2, 1), 8),
        ({"tensor": 4, "pipeline": 2}, Split(4, 2, 1), 8),
        ({"expert": 8}, Split(1, 1, 8), 8),
        ({"gpus": 8, "expert": 8}, Split(8, 1, 8), 8),
        ({"tensor": 2, "expert": 8}, Split(2, 1, 8), 8),
        ({"tensor": 8, "expert": 4, "gpus": 8}, Split(8, 1, 4), 8),
        ({"gpus": 16, "tensor": 1, "expert": 16}, Split(1, 1, 16), 16),
    ],
)
def test_degrees_make_devices(given: dict[str, int], split: Split, devices: int) -> None:
    assert plan_split(**given) == split
    assert split.devices == devices


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gpus": 0}, "--gpus 0 is out of range"),
        ({"gpus": 5000}, "out of range"),
        ({"pipeline": -1}, "--pipeline-parallel -1"),
        ({"gpus": 8, "pipeline": 3}, "do not divide into 3"),
        ({"gpus": 8, "tensor": 4}, "takes 4 devices, not 8"),
        ({"tensor": 3, "expert": 8}, "do not divide each other"),
        ({"tensor": 4096, "pipeline": 2}, "more than 4,096"),
    ],
)
def test_degrees_that_make_no_sense_are_refused(given: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_split(**given)


def test_a_split_is_said_in_words() -> None:
    assert str(Split()) == "one device"
    assert str(Split(8, 2, 1)) == "tensor parallel 8, pipeline parallel 2"


@given(count=st.integers(1, 200), stages=st.integers(1, 200))
def test_stages_have_all_layers_once_and_differ_by_one_at_most(count: int, stages: int) -> None:
    if stages > count:
        with pytest.raises(UsageError, match="cannot make"):
            divide_layers(count, stages)
        return
    dealt = divide_layers(count, stages)
    assert [layer for stage in dealt for layer in stage] == list(range(count))
    sizes = [len(stage) for stage in dealt]
    assert max(sizes) - min(sizes) <= 1


def test_the_last_stage_gets_none_of_the_layers_that_are_left() -> None:
    # vLLM: 61 layers over 4 stages are 15, 15, 16, 15; the last has the norm and the head besides.
    assert [len(stage) for stage in divide_layers(61, 4)] == [15, 15, 16, 15]
    assert [len(stage) for stage in divide_layers(10, 4)] == [2, 3, 3, 2]


@pytest.mark.parametrize(
    ("config", "name", "expected"),
    [
        (LLAMA_8B, "q_proj", Fraction(1, 16)),
        (LLAMA_8B, "k_proj", Fraction(1, 8)),  # 8 KV heads: one on each, twice
        (LLAMA_8B, "o_proj", Fraction(1, 16)),
        (LLAMA_8B, "down_proj", Fraction(1, 16)),
        (LLAMA_8B, "embed_tokens", Fraction(1, 16)),
        (LLAMA_8B, "norm", Fraction(1)),
        (DEEPSEEK_V3, "kv_a_proj_with_mqa", Fraction(1)),
        (DEEPSEEK_V3, "q_a_proj", Fraction(1)),
        (DEEPSEEK_V3, "kv_b_proj", Fraction(1, 16)),
        (DEEPSEEK_V3, "mlp.gate.weight", Fraction(1)),
        (DEEPSEEK_V3, "mlp.experts.gate_up_proj", Fraction(1, 16)),
        (GPT_OSS_120B, "experts.down_proj_bias", Fraction(1, 16)),
        # 48 query heads and one KV head in one matrix: (48 / 16 + 2) of 50.
        (STARCODER | {"n_embd": 6144, "n_head": 48}, "attn.c_attn.weight", Fraction(5, 50)),
    ],
)
def test_what_of_a_tensor_each_of_sixteen_devices_has(config: dict[str, Any], name: str, expected: Fraction) -> None:
    assert share(config, name, Split(16)) == expected
    assert share(config, name, Split()) == 1


def test_experts_are_dealt_out_whole() -> None:
    assert share(DEEPSEEK_V3, "mlp.experts.gate_up_proj", Split(1, 1, 64)) == Fraction(4, 256)
    assert share(MIXTRAL, "experts.gate_up_proj", Split(1, 1, 3)) == Fraction(3, 8)  # 3, 3 and 2 of 8
    assert share(MIXTRAL, "experts.gate_up_proj", Split(4, 1, 2)) == Fraction(1, 4)  # half of them, each in two
    assert share(MIXTRAL, "q_proj", Split(1, 1, 8)) == 1


def test_states_follow_their_heads() -> None:
    heads = read_heads(ledger(LLAMA_8B))
    (state, *_) = ledger(LLAMA_8B).states
    assert share_state(state, heads, Split(4)) == Fraction(1, 4)
    assert share_state(state, heads, Split(32)) == Fraction(1, 8)
    assert share_state(state._replace(latent=True), heads, Split(4)) == 1
    assert share_state(state._replace(kind="ssm", vectors=0), heads, Split(4)) == Fraction(1, 4)
    assert share_state(state._replace(vectors=0, stack="encoder"), heads, Split(4)) == Fraction(1, 4)
    nobody = heads.__class__(None, None, {})
    assert share_state(state._replace(vectors=0), nobody, Split(4)) == Fraction(1, 4)


def test_stages_hold_every_row_once() -> None:
    for config in (LLAMA_8B, DEEPSEEK_V3, GPT_OSS_120B):
        known = ledger(config)
        stages = divide_layers(len(known.states[0].layers or ()) and 36 if config is GPT_OSS_120B else 32, 3)
        held = [row for rows in stage_tensors(known, stages) for row in rows]
        assert sum(row.stored for row in held) == sum(row.stored for row in known.parameters)
        kept = [state for states in stage_states(known, stages) for state in states]
        assert sum(state.per_token * state.repeats for state in kept) == sum(
            state.per_token * state.repeats for state in known.states
        )


def test_a_shared_block_is_stored_once_on_each_stage_that_uses_it() -> None:
    own = Tensor("m.6.w", (4, 4), "mlp")
    again = Tensor("m.{}.w", (4, 4), "mlp", layers=[12, 18, 24], tied_to="m.6.w")
    assert untie_tensors([own, again]) == [own, again]
    stored = untie_tensors([again])
    assert [row.stored for row in stored] == [16, 0]
    assert [row.layers for row in stored] == [[12], [18, 24]]
    named = Tensor("m.{}.w", (4, 4), "mlp", layers=[6, 7])
    assert untie_tensors([named, again])[1] == again
