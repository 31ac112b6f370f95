"""Features of designs, read off the ledger, and how two designs differ in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.configs import DEEPSEEK_V3, GPT2, LLAMA_7B, LLAMA_8B, MIXTRAL
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import Ledger, build_ledger
from zoo.arch.registry import load_architectures
from zoo.explain.body import Body, name_gate, peek
from zoo.explain.features import (
    BY_KEY,
    FEATURES,
    FeatureChange,
    compare_designs,
    describe_design,
    extract_features,
    measure_distance,
)
from zoo.sources.snapshot import read_snapshot


def features(config: dict[str, Any]) -> dict[str, str]:
    return extract_features(build_ledger(config))


def some(config: dict[str, Any], *keys: str) -> tuple[str, ...]:
    found = features(config)
    return tuple(found[key] for key in keys)


def default(model_type: str, **more: Any) -> dict[str, Any]:
    return {"model_type": model_type, **more}


def words(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [change.words for change in compare_designs(features(a), features(b))]


def test_llama_is_a_decoder_with_pre_norms_and_a_gated_mlp() -> None:
    found = {key: value for key, value in features(LLAMA_8B).items() if value}
    assert found == {
        "stack": "decoder",
        "medium": "text",
        "mixers": "full",
        "heads": "gqa",
        "position": "rope",
        "norm": "rmsnorm",
        "norms": "pre",
        "mlp": "gated",
        "activation": "silu",
        "head": "language",
        "tie": "untied",
    }


@pytest.mark.parametrize(
    ("config", "stack"),
    [
        (GPT2, "decoder"),
        (default("bert"), "encoder"),
        (default("t5"), "encoder-decoder"),
        (default("whisper"), "encoder-decoder"),
        (default("vit"), "encoder"),
        (default("mamba"), "decoder"),
        (default("mllama"), "decoder"),
    ],
)
def test_the_stack_is_known_by_what_a_token_sees(config: dict[str, Any], stack: str) -> None:
    assert features(config)["stack"] == stack


@pytest.mark.parametrize(
    ("config", "norms"),
    [
        (LLAMA_7B, "pre"),
        (default("bert"), "post"),
        (default("deberta-v2"), "post"),
        (default("bart"), "post"),
        (default("mbart"), "pre"),
        (default("whisper"), "pre"),
        (default("gemma2"), "sandwich"),
        (default("olmo2"), "inside"),
        (default("olmo"), ""),
        (default("t5"), "pre"),
        (default("lfm2"), "pre"),
        (default("nomic_bert"), "post"),
    ],
)
def test_norms_stand_before_or_after(config: dict[str, Any], norms: str) -> None:
    assert features(config)["norms"] == norms


@pytest.mark.parametrize(
    ("model_type", "order"), [("phi", "parallel"), ("gpt_neox", "parallel"), ("falcon", "parallel"), ("llama", "")]
)
def test_blocks_side_by_side_are_told(model_type: str, order: str) -> None:
    assert features(default(model_type))["order"] == order


@pytest.mark.parametrize(
    ("config", "mixers", "recurrence"),
    [
        (default("mamba"), "ssm", "mamba"),
        (default("mamba2"), "ssm", "mamba-2"),
        (default("jamba"), "full+ssm", "mamba"),
        (default("nemotron_h"), "full+ssm", "mamba-2"),
        (default("qwen3_next"), "full+linear", "linear"),
        (default("lfm2", num_hidden_layers=2, layer_types=["conv", "full_attention"]), "full+conv", "conv"),
        (default("gemma2"), "full+sliding", ""),
        (default("mistral", sliding_window=4096), "sliding", ""),
        (default("mistral", sliding_window=1 << 17, max_position_embeddings=1 << 17), "full", ""),
    ],
)
def test_layers_are_known_by_how_they_mix_tokens(config: dict[str, Any], mixers: str, recurrence: str) -> None:
    assert some(config, "mixers", "recurrence") == (mixers, recurrence)


@pytest.mark.parametrize(
    ("config", "pattern"),
    [
        (default("gemma2"), "full attention in one of 2 layers"),
        (default("gemma3_text"), "full attention in one of 6 layers"),
        (default("qwen3_next"), "full attention in one of 4 layers"),
        (default("jamba"), "full attention in one of 8 layers"),
        (default("recurrent_gemma"), "sliding-window attention in one of 3 layers"),
        (default("falcon_h1"), ""),
        (default("llama"), ""),
        (default("mamba"), ""),
    ],
)
def test_how_often_a_kind_of_layer_stands_is_told(config: dict[str, Any], pattern: str) -> None:
    assert features(config)["pattern"] == pattern


def test_a_pattern_is_compared_where_the_kinds_are_the_same() -> None:
    gemma, sparser = default("gemma2"), default("gemma2", layer_types=["sliding_attention"] * 3 + ["full_attention"])
    sparser |= {"num_hidden_layers": 12, "layer_types": sparser["layer_types"] * 3}
    assert words(gemma, sparser) == ["pattern: full attention in one of 2 layers → full attention in one of 4 layers"]
    assert not any("one of" in word for word in words(default("llama"), default("jamba")))


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        (LLAMA_7B, "mha"),
        (LLAMA_8B, "gqa"),
        (LLAMA_8B | {"num_key_value_heads": 1}, "mqa"),
        (DEEPSEEK_V3, "mla"),
        (default("mamba"), ""),
    ],
)
def test_kv_heads_are_told(config: dict[str, Any], heads: str) -> None:
    assert features(config)["heads"] == heads


def test_details_of_attention_are_told() -> None:
    assert some(default("qwen3"), "qk_norm") == ("head",)
    assert some(default("olmo2"), "qk_norm") == ("whole",)
    assert some(default("cohere", use_qk_norm=True), "qk_norm") == ("head",)
    assert some(default("mllama"), "qk_norm", "cross", "inputs") == ("", "cross", "vision")
    assert some(default("qwen2"), "attention_bias") == ("qkv",)
    assert some(default("whisper"), "attention_bias", "mlp_bias", "inputs") == ("some", "all", "audio")
    assert some(GPT2, "attention_bias", "tie") == ("all", "tied")
    assert some(default("gpt_oss"), "sinks", "mlp_bias", "experts") == ("sinks", "all", "routed")
    assert some(default("qwen3_next", partial_rotary_factor=0.25), "gate", "experts", "rotation") == (
        "gate",
        "shared",
        "partial",
    )
    assert some(default("gemma2"), "softcap") == ("both",)
    assert some(default("deepseek_v32"), "sparsity") == ("indexer",)
    assert some(default("deepseek_v4"), "sparsity", "residual") == ("compressor", "hyper")
    assert some(default("gemma3n_text"), "residual", "per_layer", "softcap") == ("altup", "per_layer", "logits")


def test_what_stands_around_the_stack_is_told() -> None:
    assert some(default("bert", architectures=["BertModel"]), "head", "tie") == ("", "")
    assert some(default("bert", architectures=["BertForSequenceClassification"]), "head") == ("other",)
    assert some(default("vit"), "medium", "inputs", "attention_bias", "mlp") == ("vision", "", "all", "plain")
    assert some(default("blip-2"), "position", "norm", "inputs") == ("learned", "layernorm", "vision")
    assert some(default("bloom", alibi=True), "position") == ("alibi",)


@pytest.mark.parametrize(
    ("config", "mlp"),
    [(LLAMA_7B, "gated"), (GPT2, "plain"), (MIXTRAL, "gated"), (default("mamba"), ""), (default("phi3"), "gated")],
)
def test_a_gate_is_a_third_matrix(config: dict[str, Any], mlp: str) -> None:
    assert features(config)["mlp"] == mlp


def test_activations_have_one_spelling_and_no_control_characters() -> None:
    assert features(LLAMA_7B | {"hidden_act": "swish"})["activation"] == "silu"
    assert features(GPT2 | {"activation_function": "gelu_new"})["activation"] == "gelu"
    assert features(LLAMA_7B | {"hidden_act": "\x1b[2Jx\n" + "y" * 99})["activation"] == "\ufffd[2Jx " + "y" * 24


def test_a_value_is_looked_up_without_a_note() -> None:
    ledger = build_ledger(GPT2)
    before = dict(ledger.config.read)
    assert peek(ledger.text, "num_attention_heads") == 12
    assert peek(ledger.text, "scale_attn_weights") is True
    assert peek(ledger.text, "no_such_key") is None
    assert ledger.config.read == before


def test_a_model_without_layers_has_none_of_it() -> None:
    whole = build_ledger(GPT2)
    empty = Ledger(whole.architecture, whole.class_name, whole.config, whole.text, (), ())
    found = extract_features(empty)
    assert (found["stack"], found["norms"], found["mlp"], found["heads"]) == ("encoder", "", "", "")
    assert name_gate(Body(empty)) == ""


def test_every_value_of_every_architecture_has_words() -> None:
    open_words = {"activation", "pattern"}
    counted = 0
    for model_type in load_architectures():
        try:
            found = features({"model_type": model_type})
        except UnsupportedError:
            continue
        counted += 1
        for feature in FEATURES:
            for word in found[feature.key].split("+"):
                known = word in feature.nouns or feature.key in open_words or feature.key in ("stack", "medium")
                assert known, f"{model_type}: {feature.key} {word}"
    assert counted >= 350


def test_sizes_are_no_features() -> None:
    by_type: dict[str, set[tuple[str, ...]]] = {}
    for record in read_snapshot():
        if record.config and record.config.get("model_type") in ("gpt_neox", "opt", "mamba", "bloom"):
            by_type.setdefault(record.config["model_type"], set()).add(tuple(features(dict(record.config)).values()))
    assert len(by_type["mamba"]) == len(by_type["bloom"]) == 1


def test_differences_are_added_dropped_or_changed() -> None:
    assert words(default("llama"), default("qwen3", num_key_value_heads=32)) == ["adds QK-norm"]
    assert words(default("qwen2"), default("llama")) == ["drops biases on queries, keys and values"]
    assert words(LLAMA_7B, LLAMA_8B) == ["attention: multi-head (MHA) → grouped-query (GQA)"]
    assert words(LLAMA_8B, MIXTRAL) == ["adds routed experts"]
    assert words(default("gemma2"), default("gemma2", layer_types=["full_attention"] * 26)) == [
        "drops sliding-window attention"
    ]
    assert words(LLAMA_8B, LLAMA_8B) == []


def test_what_follows_from_another_change_is_not_told() -> None:
    said = words(LLAMA_8B | {"rope_theta": 1.0}, default("jamba"))
    assert "adds state-space layers in some layers" in said
    assert not any("Mamba layers" in word for word in said)
    assert words(default("bert", architectures=["BertModel"]), default("bert")) == ["adds a language-model head"]
    assert not any("activation" in word for word in words(default("bloom"), GPT2))
    assert not any("attention:" in word for word in words(default("mamba"), LLAMA_7B))
    assert words(default("mamba"), default("mamba2", tie_word_embeddings=True)) == [
        "recurrence: Mamba layers → Mamba-2 layers"
    ]
    assert not any("rotation" in word for word in words(GPT2, default("gpt_neox", rotary_pct=0.25)))


def test_distance_weighs_what_a_design_is_more_than_details() -> None:
    detail = compare_designs(features(default("llama")), features(default("qwen3", num_key_value_heads=32)))
    kind = compare_designs(features(default("llama")), features(default("bert")))
    assert measure_distance(detail) == 1
    assert measure_distance(kind) > 8
    assert measure_distance([]) == 0


def test_a_design_is_described_by_what_it_has() -> None:
    said = describe_design(features(default("qwen3")))
    assert ("qk_norm", "QK-norm", "QK-norm") in said
    assert ("mixers", "layers", "full attention") in said
    assert not any(key == "experts" for key, _, _ in said)


def test_open_words_stand_for_themselves() -> None:
    change = FeatureChange(BY_KEY["activation"], "silu", "xielu")
    assert change.words == "activation: silu → xielu"
    assert BY_KEY["inputs"].say("vision+audio") == "a vision tower and an audio tower"
