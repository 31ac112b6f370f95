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
        (
            {"hidden_size": 128, "head_dim": 16, "vocab_size": 228},
            [
                "hidden size 64 → 128",
                "vocabulary 100 → 228: +16.4 k parameters in embedding and head, as wide as before",
            ],
        ),
        ({"num_attention_heads": 8, "head_dim": 16}, ["query heads 4 → 8"]),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, ["stretching of rotary positions: none → yarn × 4"]),
        ({"rope_scaling": {"type": "linear\x1b"}}, ["stretching of rotary positions: none → linear\ufffd"]),
        ({"rope_scaling": {"rope_type": "default"}}, []),
        ({"rope_scaling": {"rope_type": ["yarn"], "factor": True}}, []),
        ({"tie_word_embeddings": True}, ["ties the head to the embedding: −6.40 k parameters"]),
        ({"max_position_embeddings": 1024}, ["context 512 → 1k tokens (× 2)"]),
        ({"rope_theta": 1e6}, ["rotary base θ 10,000 → 1,000,000"]),
        ({"hidden_act": "gelu"}, ["activation: silu → gelu"]),
        ({"attention_bias": True}, ["adds biases in attention: +512 parameters"]),
        ({"mlp_bias": True}, ["adds biases in the MLP: +640 parameters"]),
        ({"intermediate_size": 64}, ["FFN size 128 → 64"]),
        ({"torch_dtype": "float32"}, ["weights in bfloat16 → float32: 186 KiB → 371 KiB"]),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 16}},
            ["quantization: none → gptq-int4: 186 KiB → 82.1 KiB"],
        ),
        (
            {"architectures": ["LlamaModel"]},
            ["another class: LlamaForCausalLM → LlamaModel", "drops a language-model head"],
        ),
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
    assert "drops biases in attention: −384 parameters" in back
    assert "unties the head from the embedding: +6.40 k parameters" in words(
        make_config(tie_word_embeddings=True), make_config()
    )
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
    assert "adds a window of 4,096 tokens" in found
    assert "drops the window of 4,096 tokens" in words(MISTRAL, MIXTRAL)
    assert "window 4,096 → 1,024 tokens" in words(MISTRAL, MISTRAL | {"sliding_window": 1024})
    assert not any("sliding-window attention" in sentence for sentence in found)
    latent = words(LLAMA_8B, DEEPSEEK_V3)
    assert any(s.startswith("attention: grouped-query (GQA) → multi-head latent (MLA)") for s in latent)
    plain = words(GPT2, LLAMA_7B)
    assert "norm: LayerNorm → RMSNorm" in plain
    assert "position: learned positions → rotary positions (RoPE)" in plain
    assert "MLP: a plain MLP → a gated MLP" in plain


def test_windows_show_in_the_growth_of_the_cache() -> None:
    gemma = {"model_type": "gemma2", "num_hidden_layers": 4}
    more = words(gemma, gemma | {"num_key_value_heads": 2})
    assert (
        "halves KV heads (4 → 2): cache per token 32.0 KiB → 16.0 KiB (16.0 KiB → 8.0 KiB once windows are full)"
        in more
    )
    kinds = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
    assert "layers: 2 full, 2 sliding → 1 full, 3 sliding" in words(gemma, gemma | {"layer_types": kinds})


def test_towers_latents_states_and_layers_beside_the_model_are_told() -> None:
    qwen, seeing = {"model_type": "qwen2"}, {"model_type": "qwen2_vl"}
    assert any(s.startswith("adds the vision tower: +") for s in words(qwen, seeing))
    assert any(s.startswith("drops the vision tower: −") for s in words(seeing, qwen))
    smaller = seeing | {"vision_config": {"depth": 2}}
    assert any(s.startswith("vision tower ") and s.endswith(" parameters") for s in words(seeing, smaller))
    latent = words(DEEPSEEK_V3, DEEPSEEK_V3 | {"kv_lora_rank": 256, "q_lora_rank": None, "moe_intermediate_size": 1024})
    assert "key-value latent 512 → 256" in latent
    assert "query latent 1,536 → none" in latent
    assert "width of an expert 2,048 → 1,024" in latent
    assert not any("KV heads" in s for s in words(LLAMA_8B, DEEPSEEK_V3))
    assert "adds next-token-prediction (MTP) layers beside the model: +11.6 B" in words(LLAMA_8B, DEEPSEEK_V3)
    two = words(DEEPSEEK_V3, DEEPSEEK_V3 | {"num_nextn_predict_layers": 2})
    assert "next-token-prediction (MTP) layers beside the model 11.6 B → 23.2 B" in two
    hybrid = words(LLAMA_8B, {"model_type": "falcon_h1"})
    assert any(s.startswith("constant state of a sequence 0 B → ") for s in hybrid)
    assert "adds state-space layers in some layers" in hybrid


def test_a_quantisation_says_what_it_saves() -> None:
    said = words(LLAMA_8B, LLAMA_8B | {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})
    assert any(s.startswith("quantization: none → fp8: 15.0 GiB → ") for s in said)


def test_a_vocabulary_without_a_size_of_its_own_is_told_in_rows() -> None:
    bare = {"architectures": ["LlamaModel"]}
    said = words(make_config(**bare), make_config(vocab_size=228, **bare))
    assert "vocabulary 100 → 228: +8.19 k parameters in embedding" in said


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


def test_keys_of_a_text_section_are_held_against_those_of_a_config_without_sections() -> None:
    whole = {"model_type": "gemma3", "text_config": {"hidden_size": 8, "vocab_size": 9}, "vision_config": {"depth": 1}}
    text = {"model_type": "llama", "hidden_size": 6, "vocab_size": 9, "mlp_bias": False}
    forth = {change.path: (change.a, change.b, change.only) for change in compare_keys(whole, text)}
    assert forth == {
        "model_type": ("gemma3", "llama", None),
        "text_config.hidden_size": (8, 6, None),
        "vision_config.depth": (1, None, "a"),
        "mlp_bias": (None, False, "b"),
    }
    back = {change.path: (change.b, change.a) for change in compare_keys(text, whole)}
    assert back == {path: values[:2] for path, values in forth.items()}
