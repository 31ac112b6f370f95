"""Which models fit: what the columns of the database settle, and what only the ledger does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT2, GPT_OSS_20B, GPT_OSS_120B, LLAMA_8B, LLAMA_70B, quantized
from tests.metrics.test_memory import BERT, GEMMA3, MAMBA_130M, QWEN36_27B
from zoo.devices import find_device
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.reverse import (
    Found,
    Wish,
    check_wish,
    fill_found,
    find_fitting,
    hold_at,
    rows_with_twins,
    sort_found,
)
from zoo.metrics.split import Split

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": LLAMA_8B,
    "llama-70b": LLAMA_70B,
    "oss-20b": GPT_OSS_20B,
    "oss-120b": GPT_OSS_120B,
    "deepseek": DEEPSEEK_V3,
    "gpt2": GPT2,
    "qwen": QWEN36_27B,
    "gemma": GEMMA3,
    "mamba": MAMBA_130M,
    "bert": BERT,
}
MISTRAL = LLAMA_8B | {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 50_000}


def row_of(repo_id: str, config: Mapping[str, Any], downloads: int | None = None) -> dict[str, Any]:
    """What the view ``models`` has for a config."""
    document = analyze(config).as_dict()
    cache, weights = document["kv_cache"], document["weights"]
    return {
        "repo_id": repo_id,
        "fingerprint": document["fingerprint"],
        "method": document["method"],
        "params_total": document["params"]["total"],
        "params_active": document["params"]["active"],
        "max_context": document["shape"].get("max_context"),
        "dtype": weights["dtype"],
        "quantization": weights["quantization"],
        "weights_bytes": weights["bytes"],
        "kv_bytes_per_token": cache["bytes_per_token"],
        "kv_bytes_per_token_long": cache["bytes_per_token_long"],
        "kv_window_bytes": cache["window_bytes"],
        "kv_bytes_at_8k": cache["bytes_at"]["8192"],
        "kv_bytes_at_32k": cache["bytes_at"]["32768"],
        "kv_bytes_at_128k": cache["bytes_at"]["131072"],
        "downloads": downloads,
        "base_model": None,
    }


ROWS = {name: row_of(name, config) for name, config in CONFIGS.items()}


def wish(gpu: str = "RTX 4090", context: int = 1024, batch: int = 1, split: Split = Split(), **options: Any) -> Wish:  # noqa: B008
    return Wish(find_device(gpu), split, context, batch, **options)


def search(asked: Wish, rows: Mapping[str, Mapping[str, Any]] = ROWS) -> dict[str, str]:
    found = find_fitting(rows.values(), asked, lambda name: CONFIGS[name]).found
    return {one.repo_id: one.quantization for one in found}


def test_models_fit_as_stored_or_in_the_widest_format_that_does() -> None:
    assert search(wish()) == {
        "llama": "bfloat16",
        "oss-20b": "mxfp4",
        "gpt2": "float32",
        "qwen": "awq-int4",
        "gemma": "bfloat16",
        "mamba": "bfloat16",
    }
    assert search(wish("T4", 8192)) == {
        "llama": "fp8-blocks",
        "oss-20b": "mxfp4",
        "gemma": "bfloat16",
        "mamba": "bfloat16",
    }


def test_a_longer_context_leaves_out_what_was_not_made_for_it() -> None:
    result = find_fitting(ROWS.values(), wish(context=131_072), lambda name: CONFIGS[name])
    assert {one.repo_id for one in result.found} >= {"oss-20b", "mamba"}
    assert result.shorter == 2  # GPT-2 and BERT
    assert result.looked_at == len(ROWS) == len(result.found) + result.larger + result.shorter + result.no_numbers


def test_a_stretched_context_leaves_none_out_for_what_it_declares() -> None:
    result = find_fitting(ROWS.values(), wish("H200", context=131_072, stretched=True), lambda name: CONFIGS[name])
    assert result.shorter == 0
    assert "gpt2" in {one.repo_id for one in result.found}


def test_one_format_is_asked_of_all() -> None:
    found = search(wish(weights_dtype="gguf-q4_k_m"))
    assert set(found.values()) == {"gguf-q4_k_m"}
    assert "qwen" in found


def test_several_devices_hold_more() -> None:
    assert "deepseek" not in search(wish("H200", split=Split(4)))
    assert search(wish("H200", split=Split(8)))["deepseek"] == "fp8"
    assert search(wish("H100 SXM", split=Split(2)))["llama-70b"] == "bfloat16"
    assert "llama" not in search(wish("H100 SXM", split=Split(1, 64)))  # 32 layers make no 64 stages


def test_models_whose_cache_cannot_be_so_are_left_out() -> None:
    found = search(wish("H200", kv_dtype="fp8_ds_mla", split=Split(8)))
    assert set(found) == {"deepseek", "mamba"}  # what keeps latents, or no cache at all


def test_models_without_numbers_are_counted() -> None:
    unknown = ROWS["llama"] | {"params_total": None, "method": "unsupported", "fingerprint": None}
    result = find_fitting([unknown], wish(), lambda name: CONFIGS[name])
    assert (result.found, result.no_numbers) == ([], 1)


def test_a_stored_size_that_is_not_known_is_sized_by_a_format_only() -> None:
    odd = row_of("odd", quantized(LLAMA_8B, quant_method="hqq"))
    assert find_fitting([odd], wish(), lambda name: LLAMA_8B).larger == 1
    named = find_fitting([odd], wish(weights_dtype="awq-int4"), lambda name: LLAMA_8B).found
    assert [one.quantization for one in named] == ["awq-int4"]


def test_twins_are_one_and_the_most_downloaded_stands_for_them() -> None:
    rows = [row_of("b", LLAMA_8B, 5), row_of("a", LLAMA_8B, 9), row_of("c", LLAMA_70B)]
    rows.append({**rows[0], "repo_id": "d", "downloads": 9, "base_model": "a"})
    assert [(row["repo_id"], twins) for row, twins in rows_with_twins(rows)] == [("a", ("d", "b")), ("c", ())]


lengths = st.integers(1, 200_000)


@given(name=st.sampled_from([*CONFIGS]), tokens=lengths)
def test_what_the_columns_say_is_what_the_ledger_says(name: str, tokens: int) -> None:
    cache = analyze(CONFIGS[name], contexts=[tokens]).kv_cache
    assert cache is not None
    assert hold_at(ROWS[name], tokens) in (None, cache.bytes_at[str(tokens)])


def test_columns_settle_all_but_what_lies_between_windows() -> None:
    for name, row in ROWS.items():
        assert hold_at(row, 100_000) is not None, name
    assert hold_at(ROWS["oss-20b"], 100) is None  # below its window of 128, which no column names
    far = row_of("mistral", MISTRAL)
    assert hold_at(far, 4096) == 4096 * 131_072
    assert hold_at(far, 40_000) is None
    assert hold_at(far, 140_000) == 50_000 * 131_072
    wider = row_of("mistral", MISTRAL | {"sliding_window": 500_000})
    assert hold_at(wider, 4096) is None
    assert hold_at(ROWS["llama"] | {"kv_bytes_at_128k": None}, 4096) is None


def test_what_lies_between_is_planned() -> None:
    assert "oss-20b" in search(wish(context=100))


def test_found_models_are_sorted_and_filled() -> None:
    asked = wish()
    found = find_fitting(ROWS.values(), asked, lambda name: CONFIGS[name]).found
    assert [one.repo_id for one in sort_found(found, "params")][:2] == ["qwen", "oss-20b"]
    assert sort_found(found, "needed")[0].repo_id == "mamba"
    assert sort_found(found, "active")[0].repo_id == "qwen"
    assert sort_found(found, "context")[0].max_context is None
    assert sort_found(found, "downloads")[0].repo_id == "qwen"
    with pytest.raises(UsageError, match="nothing to sort by"):
        sort_found(found, "beauty")
    for one in found:
        filled = fill_found(one, asked, lambda name: CONFIGS[name])
        assert filled.fit is not None
        assert filled.fit.needed_bytes == one.needed_bytes
        assert filled.as_dict()["device"] == "RTX 4090"
    assert "device" not in found[0].as_dict()


def test_a_model_that_can_no_longer_be_planned_stays_as_it_was_found() -> None:
    one = Found("x", 1, 1, None, None, "bfloat16", True, 1, ())
    assert fill_found(one, wish(), lambda name: {"model_type": "nobody-knows"}) == one


@pytest.mark.parametrize("options", [{"weights_dtype": "q17"}, {"kv_dtype": "q17"}])
def test_formats_that_there_are_not_are_refused_at_once(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="unknown data type"):
        check_wish(wish(**options))
    check_wish(wish(weights_dtype="AWQ-int4", kv_dtype="fp8"))
