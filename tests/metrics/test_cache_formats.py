"""Bytes of the cache as serving engines reckon them, for one real model of each kind of state.

The figures are what vLLM 0.33's rules give (``v1/kv_cache_interface.py``, ``mamba_utils.py``) or what a run logged.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from zoo.arch import build_ledger
from zoo.metrics.analysis import Analysis, analyze
from zoo.metrics.cache_formats import FORMATS, list_formats
from zoo.metrics.sums import Cache, sum_state_bytes
from zoo.sources.snapshot import read_snapshot


@cache
def read_configs() -> dict[str, Any]:
    return {record.repo_id: record.config for record in read_snapshot()}


def look_at(repo_id: str, kv_dtype: str | None = None) -> Analysis:
    return analyze(read_configs()[repo_id], kv_dtype=kv_dtype, contexts=[262_144])


def keep(repo_id: str, kv_dtype: str | None = None) -> Cache:
    found = look_at(repo_id, kv_dtype).kv_cache
    assert found is not None
    return found


#: Bytes per token, values alone.
PER_TOKEN = [
    ("openai-community/gpt2-xl", "bf16", 300 * 1024),  # multi-head: 48 layers x 2 x 1,600 x 2
    ("meta-llama/Llama-3.1-8B", "bf16", 128 * 1024),  # grouped queries
    ("meta-llama/Llama-3.2-1B", "bf16", 32 * 1024),
    ("allenai/OLMo-2-1124-7B", "bf16", 512 * 1024),
    ("tiiuae/falcon-7b", "bf16", 32 * 2 * 64 * 2),  # one KV head
    ("tiiuae/falcon-40b", "bf16", 60 * 2 * 8 * 64 * 2),  # KV heads, not query heads
    ("deepseek-ai/DeepSeek-V3", "bf16", 70_272),  # latent: 576 x 2 x 61
    ("deepseek-ai/DeepSeek-V3.2", "bf16", 78_324),  # and an indexer: 132 bytes more in each layer
    ("openai/gpt-oss-120b", "bf16", 73_728),  # every other layer slides: 36 x 2 x 8 x 64 x 2 for the first tokens
    ("Qwen/Qwen3.5-27B", "bf16", 16 * 2 * 4 * 256 * 2),  # 16 of 64 layers attend
    ("google/gemma-3n-E4B-it", "bf16", 20 * 2 * 2 * 256 * 2),  # 15 of 35 layers share what others keep
    ("state-spaces/mamba-2.8b-hf", "bf16", 0),
    ("meta-llama/Llama-3.1-8B", "fp8", 64 * 1024),
    ("meta-llama/Llama-3.1-8B", "int8", 64 * 1024),
    ("meta-llama/Llama-3.1-8B", "int4", 32 * 1024),
    ("deepseek-ai/DeepSeek-V3", "fp8", 61 * 576),
    ("deepseek-ai/DeepSeek-V3.2", "fp8", 61 * (576 + 132)),
]


@pytest.mark.parametrize(("repo_id", "dtype", "size"), PER_TOKEN)
def test_a_token_takes_what_engines_say(repo_id: str, dtype: str, size: int) -> None:
    assert keep(repo_id, dtype).bytes_per_token == size


def test_windows_and_chunks_stop_growing() -> None:
    oss = keep("openai/gpt-oss-120b", "bf16")
    assert (oss.bytes_per_token_long, oss.window_bytes) == (36_864, 128 * 36_864)
    scout = keep("meta-llama/Llama-4-Scout-17B-16E-Instruct", "bf16")  # 36 layers in chunks of 8,192, 12 full ones
    assert (scout.bytes_per_token_long, scout.window_bytes) == (12 * 4096, 36 * 8192 * 4096)


@pytest.mark.parametrize(
    ("repo_id", "layers", "size"),
    [
        ("ai21labs/Jamba-v0.1", 28, 311_296),  # Mamba-1: 8,192 x (16 + 3) x 2
        ("nvidia/Nemotron-H-56B-Base-8K", 54, 16_900_096),  # Mamba-2, its state in float32
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 36, 1_097_728),  # gated delta rule
        ("LiquidAI/LFM2-1.2B", 10, 2048 * 2 * 2),  # short convolutions: the last two inputs
        ("RWKV/rwkv-4-169m-pile", 12, 3 * 768 * 4 + 2 * 768 * 2),  # three sums in float32 and two latest inputs
    ],
)
def test_a_layer_with_a_state_keeps_what_engines_say(repo_id: str, layers: int, size: int) -> None:
    states = [s for s in build_ledger(read_configs()[repo_id]).states if s.fixed]
    assert {s.repeats for s in states} == {layers}
    assert sum_state_bytes(states, "bfloat16") == layers * size


def test_kimi_delta_attention_keeps_its_state_in_float32() -> None:
    # 32 heads of 128: a square for each in float32, and three convolutions of four columns but one.
    states = [s for s in build_ledger({"model_type": "kimi_linear"}).states if s.fixed]
    layers = states[0].repeats
    assert sum_state_bytes(states, "bfloat16") == layers * (32 * 128**2 * 4 + 3 * 32 * 128 * 3 * 2)


def test_qwen_3_5_27b_as_llama_cpp_logged_it() -> None:
    # A run of a model of its sizes (lmstudio-bug-tracker issue 1862): for 4 sequences 598.5 MiB of recurrent state, all
    # of it in float32, and for 262,144 cells a cache of 16,384 MiB.
    cache = keep("Qwen/Qwen3.5-27B", "bf16")
    assert 4 * cache.state_elements * 4 == 598.5 * 2**20
    assert cache.bytes_at["262144"] == 16_384 * 2**20 + (cache.state_bytes or 0)


def test_cross_attention_is_kept_once_for_each_token_of_the_source() -> None:
    whisper = keep("openai/whisper-large-v3", "bf16")
    assert whisper.cross_bytes == 32 * 2 * 1280 * 1500 * 2  # always 1,500 frames
    t5 = keep("google-t5/t5-small", "bf16")
    assert (t5.cross_bytes, t5.cross_bytes_per_source_token) == (0, 6 * 2 * 512 * 2)


#: Bytes per token in formats that store scales with the values.
SCALED = [
    ("meta-llama/Llama-3.1-8B", "vllm:fp8_per_token_head", 32 * 2 * 8 * (128 + 4)),
    ("meta-llama/Llama-3.1-8B", "vllm:int8_per_token_head", 32 * 2 * 8 * (128 + 4)),
    ("meta-llama/Llama-3.1-8B", "vllm:int4_per_token_head", 32 * 2 * 8 * (64 + 4)),
    ("meta-llama/Llama-3.1-8B", "vllm:nvfp4", 32 * 2 * 8 * (64 + 8)),
    ("meta-llama/Llama-3.1-8B", "llama.cpp:q8_0", 65_536 * 34 // 32),
    ("meta-llama/Llama-3.1-8B", "llama.cpp:q4_0", 65_536 * 18 // 32),
    ("meta-llama/Llama-3.1-8B", "vllm:fp8_ds_mla", None),
    ("google/gemma-4-E4B-it", "vllm:fp8_per_token_head", 28_672 + (20 + 4) * 2 * 2 * 4),
    ("deepseek-ai/DeepSeek-V3", "vllm:fp8_ds_mla", 61 * 656),
    ("deepseek-ai/DeepSeek-V3", "vllm:nvfp4_ds_mla", 61 * 352),
    ("deepseek-ai/DeepSeek-V3", "vllm:nvfp4", None),
    ("deepseek-ai/DeepSeek-V3", "vllm:int8_per_token_head", None),
    ("deepseek-ai/DeepSeek-V3.2", "vllm:fp8_ds_mla", 61 * (656 + 132)),
    ("deepseek-ai/DeepSeek-V3.2", "llama.cpp:q8_0", None),  # it keeps no indexer in that format
    ("state-spaces/mamba-2.8b-hf", "llama.cpp:q8_0", None),
]


@pytest.mark.parametrize(("repo_id", "name", "size"), SCALED)
def test_engines_add_their_scales(repo_id: str, name: str, size: int | None) -> None:
    assert keep(repo_id).formats[name] == size


def test_vectors_that_are_no_whole_blocks_cannot_be_kept_in_blocks() -> None:
    odd = {"model_type": "llama", "head_dim": 40, "num_attention_heads": 4, "num_key_value_heads": 4}
    formats = list_formats(build_ledger(odd).states)
    assert (formats["llama.cpp:q8_0"], formats["vllm:nvfp4"]) == (None, None)
    assert set(formats) == set(FORMATS)


def test_the_rules_are_named_beside_the_numbers() -> None:
    document = look_at("meta-llama/Llama-3.1-8B").as_dict()
    assert "vLLM" in document["kv_cache"]["convention"]
    assert document["kv_cache"]["formats"]["llama.cpp:q8_0"] == 69_632
    assert analyze({"model_type": "none such"}).as_dict()["kv_cache"]["formats"] is None
