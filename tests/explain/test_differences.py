"""Two models in words, and what counts as a difference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.configs import DEEPSEEK_V3, GPT2, LLAMA_7B, LLAMA_8B, MIXTRAL
from tests.records import make_config
from zoo.explain.differences import (
    NumberChange,
    are_equal,
    compare_keys,
    compare_numbers,
    compare_pair,
    write_change,
    write_value,
)
from zoo.explain.words import describe_changes
from zoo.metrics.analysis import analyze

MISTRAL = MIXTRAL | {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 4096}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 16}
QWEN3 = make_config(model_type="qwen3", architectures=["Qwen3ForCausalLM"], head_dim=16)


def words(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return describe_changes(analyze(a), analyze(b))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_key_value_heads": 4}, []),
        ({"num_key_value_heads": 2}, ["halves KV heads (4 → 2): cache per token 512 B → 256 B"]),
        ({"num_key_value_heads": 1}, ["quarters KV heads (4 → 1): cache per token 512 B → 128 B"]),
        ({"num_hidden_layers": 3}, ["cache per token 512 B → 768 B", "layers 2 → 3"]),
        ({"head_dim": 32}, ["cache per token 512 B → 1.0 KiB", "head width 16 → 32"]),
        ({"vocab_size": 228}, ["vocabulary 100 → 228: +16.4 k parameters in embedding and head"]),
        ({"tie_word_embeddings": True}, ["ties the head to the embedding"]),
        ({"max_position_embeddings": 1024}, ["context 512 → 1k tokens (× 2)"]),
        ({"rope_theta": 1e6}, ["rotary base θ 10,000 → 1,000,000"]),
        ({"hidden_act": "gelu"}, ["activation: silu → gelu"]),
        ({"attention_bias": True}, ["adds biases in attention"]),
        ({"intermediate_size": 64}, ["FFN size 128 → 64"]),
        ({"torch_dtype": "float32"}, ["weights in bfloat16 → float32"]),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 16}},
            ["quantization: none → gptq-int4"],
        ),
        ({"architectures": ["LlamaModel"]}, ["another class: LlamaForCausalLM → LlamaModel"]),
    ],
)
def test_each_feature_has_its_words(change: dict[str, Any], said: list[str]) -> None:
    found = words(make_config(), make_config(**change))
    for sentence in said:
        assert sentence in found
    totals = [sentence for sentence in found if sentence.startswith(("parameters", "active"))]
    kinds = [sentence for sentence in found if sentence.startswith("attention: ")]
    assert len(found) == len(said) + len(totals) + len(kinds)


def test_the_other_way_round_says_the_opposite() -> None:
    back = words(make_config(num_key_value_heads=2, attention_bias=True), make_config(tie_word_embeddings=False))
    assert "doubles KV heads (2 → 4): cache per token 256 B → 512 B" in back
    assert "drops biases in attention" in back
    assert "unties the head from the embedding" in words(make_config(tie_word_embeddings=True), make_config())
    more = words(make_config(), make_config(num_attention_heads=6, num_key_value_heads=6, head_dim=16))
    assert more[0] == "has 1.5 × the KV heads (4 → 6): cache per token 512 B → 768 B"


def test_qk_norm_shows_in_the_tensors() -> None:
    assert words(make_config(), QWEN3)[:2] == ["another architecture: llama → qwen3", "adds QK-norm"]
    assert "drops QK-norm" in words(QWEN3, make_config())


def test_experts_come_go_and_change() -> None:
    assert "adds experts: 2 of 8 in 32 layers" in words(MISTRAL, MIXTRAL)
    assert "drops the experts (2 of 8 in 32 layers)" in words(MIXTRAL, MISTRAL)
    more = words(MIXTRAL, MIXTRAL | {"num_local_experts": 16})
    assert "experts: 2 of 8 in 32 layers → 2 of 16 in 32 layers" in more
    assert any(sentence.startswith("active per token 12.9 B → 12.9 B") for sentence in more)
    assert any("8 of 256 + 1 shared in 58 layers" in sentence for sentence in words(MIXTRAL, DEEPSEEK_V3))


def test_windows_and_kinds_of_attention_are_named() -> None:
    found = words(MIXTRAL, MISTRAL)
    assert "attention window: none → 4,096 tokens" in found
    latent = words(LLAMA_8B, DEEPSEEK_V3)
    assert any(s.startswith("attention: grouped-query (GQA) → multi-head latent (MLA)") for s in latent)
    plain = words(GPT2, LLAMA_7B)
    assert "norm: layernorm → rmsnorm" in plain
    assert "position: learned → rope" in plain


def test_the_cache_is_compared_in_elements_where_its_types_differ() -> None:
    found = words(make_config(), make_config(num_key_value_heads=2, torch_dtype="float32"))
    assert "halves KV heads (4 → 2): cache per token 256 → 128 elements" in found


def test_the_parts_that_make_the_difference_are_named() -> None:
    assert words(LLAMA_7B, LLAMA_8B)[-1] == (
        "parameters 6.74 B → 8.03 B (+1.29 B, +19.2%): feed-forward (MLP) +1.31 B, attention −805 M, "
        "embedding +394 M, head +394 M"
    )


def test_what_cannot_be_counted_is_said() -> None:
    odd = {"model_type": "eliza"}
    assert words(odd, LLAMA_7B) == ["the first cannot be counted: model_type 'eliza' is not known"]
    assert len(words(odd, odd)) == 2
    difference = compare_pair(analyze(odd), analyze(LLAMA_7B), odd, LLAMA_7B, ("a", "b"))
    assert next(n for n in difference.numbers if n.label == "Parameters").texts == ("–", "6,738,415,616", "")


def test_keys_that_count_come_first() -> None:
    changes = compare_keys(
        {"model_type": "llama", "use_cache": True, "rope_theta": 1.0, "hidden_size": 64, "gone": 1},
        {"model_type": "llama", "use_cache": False, "rope_theta": 2.0, "hidden_size": 65, "new": {"a": 1}},
    )
    assert [change.path for change in changes] == ["hidden_size", "rope_theta", "use_cache", "gone", "new.a"]
    assert [change.texts for change in changes][-2:] == [("1", "–"), ("–", "1")]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(1, 1.0, True), (True, 1, False), (True, True, True), (float("nan"), float("nan"), True), ("a", "b", False)],
)
def test_values_are_the_same_when_they_mean_the_same(a: Any, b: Any, same: bool) -> None:
    assert are_equal(a, b) is same


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (100, 150, "+50 (+50.0%)"),
        (0, 5, "+5"),
        (2.0, 1.5, "-0.5 (-25.0%)"),
        ("x", "y", ""),
        (None, 5, ""),
        (True, False, ""),
    ],
)
def test_changes_are_written(a: Any, b: Any, change: str) -> None:
    assert write_change(a, b) == change


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "–"),
        (True, "", "yes"),
        (False, "", "no"),
        (2048, "bytes", "2.0 KiB"),
        (1e4, "", "10,000"),
        ("x\x1b", "", "x\ufffd"),
    ],
)
def test_values_are_written(value: Any, unit: str, text: str) -> None:
    assert write_value(value, unit) == text


def test_numbers_come_from_the_glossary_without_the_fingerprint() -> None:
    changes = list(compare_numbers(analyze(LLAMA_7B).as_dict(), analyze(LLAMA_8B).as_dict()))
    assert all(isinstance(change, NumberChange) for change in changes)
    paths = [change.path for change in changes]
    assert paths[0] == "params.total"
    assert "fingerprint" not in paths
    assert "shape.layers" not in paths
