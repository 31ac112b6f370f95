"""The document of an analysis: the names and figures that other programs rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo.errors import UsageError
from zoo.metrics.analysis import LARGEST
from zoo.metrics.glossary import METRICS

LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}


def test_llama_8b_has_the_published_figures() -> None:
    document = zoo.analyze(LLAMA_8B, repo_id="a/b").as_dict()
    assert document["repo_id"] == "a/b"
    assert document["method"] == "ledger"
    assert document["params"] == {
        "total": 8030261248,
        "active": 8030261248,
        "active_non_embedding": 7504924672,
        "embedding": 525336576,
        "head": 525336576,
        "non_embedding": 6979588096,
        "mtp": 0,
        "buffers": 0,
        "weights": 8030261248,
        "biases": 0,
        "tied": False,
        "by_part": {
            "embedding": 525336576,
            "attention": 1342177280,
            "mlp": 5637144576,
            "norm": 266240,
            "head": 525336576,
        },
    }
    assert document["weights"]["bytes"] == 16060522496
    assert document["weights"]["bytes_at"] == {
        "float32": 32121044992,
        "bfloat16": 16060522496,
        "int8": 8030261248,
        "int4": 4015130624,
    }
    cache = document["kv_cache"]
    assert (cache["elements_per_token"], cache["bytes_per_token"], cache["state_bytes"]) == (65536, 131072, 0)
    assert cache["bytes_at"] == {"1024": 134217728, "8192": 1073741824, "32768": 4294967296, "131072": 17179869184}
    assert document["flops"]["forward_per_token"] == 15009316864
    assert document["scaling"]["optimal_tokens"] == 160605224960
    assert document["attention"] == {
        "kind": "gqa",
        "heads": 32,
        "kv_heads": 8,
        "head_dim": 128,
        "v_head_dim": 128,
        "queries_per_kv": 4,
        "window": None,
        "layers": {"full": 32, "sliding": 0, "chunked": 0, "linear": 0, "ssm": 0, "conv": 0, "none": 0},
        "qk_nope_head_dim": None,
        "qk_rope_head_dim": None,
        "kv_lora_rank": None,
        "q_lora_rank": None,
    }
    assert document["shape"]["rope_theta"] == 500000.0
    assert document["warnings"] == []


@pytest.mark.parametrize(
    ("kv_dtype", "per_token"), [("bf16", 131072), ("fp8", 65536), ("int8", 65536), ("int4", 32768), ("fp32", 262144)]
)
def test_the_cache_dtype_can_be_chosen(kv_dtype: str, per_token: int) -> None:
    cache = zoo.analyze(LLAMA_8B, kv_dtype=kv_dtype).as_dict()["kv_cache"]
    assert cache["bytes_per_token"] == per_token
    assert cache["bytes_at"]["1024"] == 1024 * per_token


def test_an_unknown_cache_dtype_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="'bf17'"):
        zoo.analyze(LLAMA_8B, kv_dtype="bf17")


def test_contexts_are_added_to_the_usual_ones() -> None:
    assert zoo.analyze(LLAMA_8B, contexts=[5000]).as_dict()["kv_cache"]["bytes_at"]["5000"] == 5000 * 131072


def test_a_config_without_a_dtype_is_float32_and_says_so() -> None:
    document = zoo.analyze({k: v for k, v in LLAMA_8B.items() if k != "torch_dtype"}).as_dict()
    assert document["weights"]["dtype"] == "float32"
    assert document["weights"]["bytes"] == 4 * 8030261248
    assert "float32 is assumed" in document["warnings"][0]


def test_a_quantised_config_without_a_dtype_computes_in_the_dtype_of_its_kernels() -> None:
    config = {"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}
    document = zoo.analyze(config).as_dict()
    assert document["kv_cache"]["bytes_per_token"] == 36 * 2 * 8 * 64 * 2
    assert "bfloat16, in which the kernels of its quantisation compute" in document["warnings"][0]


def test_sizes_that_the_config_leaves_to_the_defaults_of_its_type_are_named() -> None:
    partial = {key: value for key, value in LLAMA_8B.items() if key not in ("vocab_size", "hidden_size")}
    warnings = zoo.analyze(partial).warnings
    assert warnings == ("not in the config, so the default of the type is used: hidden_size, vocab_size",)
    nested = zoo.analyze({"model_type": "gemma3", "text_config": {"hidden_size": 64}, "torch_dtype": "bfloat16"})
    assert "text_config.vocab_size" in nested.warnings[0]
    assert "text_config.hidden_size" not in nested.warnings[0]


def test_an_unknown_dtype_gives_no_bytes_but_the_elements_stand() -> None:
    document = zoo.analyze(LLAMA_8B | {"torch_dtype": "posit16"}).as_dict()
    assert document["weights"]["bytes"] is None
    assert document["kv_cache"]["bytes_at"]["1024"] is None
    assert document["kv_cache"]["elements_per_token"] == 65536
    assert "posit16" in document["warnings"][0]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "names no model_type"),
        ({"model_type": "warp_drive", "architectures": ["WarpForCausalLM"]}, "warp_drive"),
        (LLAMA_8B | {"hidden_size": "big"}, "hidden_size"),
        (LLAMA_8B | {"vocab_size": 1 << 33, "hidden_size": 1 << 32}, "more than any model"),
    ],
)
def test_what_cannot_be_counted_has_a_reason_and_no_number(config: dict[str, Any], reason: str) -> None:
    document = zoo.analyze(config).as_dict(tensors=True)
    assert document["method"] == "unsupported"
    assert reason in document["reason"]
    assert set(document["params"].values()) == {None}
    assert set(document["kv_cache"].values()) == {None}
    assert document["tensors"] == []
    assert set(document) >= set(zoo.analyze(LLAMA_8B).as_dict())


def test_the_ledger_lists_each_tensor_once_with_what_is_stored_and_used() -> None:
    rows = zoo.analyze({"model_type": "mixtral"}).as_dict(tensors=True)["tensors"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["model.layers.{}.mlp.experts.gate_up_proj"] == {
        "name": "model.layers.{}.mlp.experts.gate_up_proj",
        "shape": [8, 28672, 4096],
        "part": "experts",
        "stored": 1,
        "used": 0.25,
        "tied_to": None,
        "layers": 32,
        "layer_indices": "0-31",
    }
    total = 0
    for row in rows:
        size = 1
        for side in row["shape"]:
            size *= side
        total += size * row["stored"] * row["layers"]
    assert total == 46702792704


def test_every_derived_metric_of_the_glossary_is_found_in_the_document() -> None:
    document = zoo.analyze(LLAMA_8B).as_dict()
    for metric in METRICS:
        if metric.path:
            value: Any = document
            for word in metric.path.split("."):
                if word == "experts" and "by_part" in metric.path:
                    break  # a dense model has no such part
                value = value[word]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(LLAMA_8B)), JSON, st.sampled_from(["llama", "gpt2", "mixtral", "gemma2", "falcon"]))
def test_no_value_of_any_key_makes_it_raise(key: str, value: Any, model_type: str) -> None:
    config = LLAMA_8B | {"architectures": None, "model_type": model_type} | {key: value}
    document = zoo.analyze(config).as_dict(tensors=True)
    assert document["method"] in {"ledger", "unsupported"}
    total = document["params"]["total"]
    assert total is None or 0 <= total <= LARGEST
    json.dumps(document, allow_nan=False)


def test_an_indexer_keeps_eight_bits_and_a_scale_whatever_the_cache_is_in() -> None:
    config = {"model_type": "deepseek_v32", "torch_dtype": "bfloat16"}
    per_layer = 128 + 4
    assert zoo.analyze(config).kv_cache.bytes_per_token == 61 * (576 * 2 + per_layer) == 78324
    assert zoo.analyze(config, kv_dtype="fp8").kv_cache.bytes_per_token == 61 * (576 + per_layer)
    assert zoo.analyze(config).kv_cache.elements_per_token == 61 * (576 + 128)


def test_latent_attention_names_its_widths() -> None:
    attention = zoo.analyze({"model_type": "deepseek_v3"}).as_dict()["attention"]
    widths = ("head_dim", "v_head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "kv_lora_rank", "q_lora_rank")
    assert [attention[key] for key in widths] == [192, 128, 128, 64, 512, 1536]
    assert attention["kind"] == "mla"


@pytest.mark.parametrize("model_type", ["llava", "mistral3", "gemma3"])
def test_sizes_of_the_text_where_the_class_does_not_look_are_refused(model_type: str) -> None:
    analysis = zoo.analyze({"model_type": model_type, "hidden_size": 64, "num_hidden_layers": 2})
    assert "hidden_size is at the top" in (analysis.reason or "")
