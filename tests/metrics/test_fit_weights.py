"""Bytes of the weights tensor by tensor: as stored, in plain types, in the formats that people quantise to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metrics.configs import (
    DEEPSEEK_V3,
    GPT2,
    GPT_OSS_20B,
    GPT_OSS_120B,
    LLAMA_8B,
    LLAMA_70B,
    MIXTRAL,
    compressed,
    quantized,
)
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.weights import FORMATS, GGUF, SETTINGS, choose_weights, name_computed, packed_weights

AWQ = quantized(LLAMA_8B, quant_method="awq", bits=4, group_size=128, zero_point=True, version="gemm")


def count(config: dict[str, Any], wanted: str | None) -> int:
    analysis = analyze(config)
    assert analysis.ledger is not None
    weights = choose_weights(analysis, wanted)
    return sum(weights.size(row) for row in analysis.ledger.parameters)


@pytest.mark.parametrize(
    "config",
    [
        LLAMA_8B,
        DEEPSEEK_V3,
        GPT_OSS_20B,
        GPT_OSS_120B,
        GPT2,
        AWQ,
        compressed(LLAMA_8B, {"num_bits": 8, "type": "float", "strategy": "channel"}, format="float-quantized"),
    ],
)
def test_tensors_sum_to_what_is_stored(config: dict[str, Any]) -> None:
    packing = analyze(config).packing
    assert packing is not None
    assert count(config, None) == packing.bytes


@pytest.mark.parametrize("name", [*SETTINGS])
def test_a_format_is_what_a_config_in_it_would_be_counted_as(name: str) -> None:
    packing = analyze(LLAMA_8B | {"quantization_config": SETTINGS[name]}).packing
    assert packing is not None
    assert packing.bytes is not None
    assert count(LLAMA_8B, name) == packing.bytes
    assert count(LLAMA_8B, "int4") < packing.bytes < count(LLAMA_8B, "bf16")


def test_a_format_takes_the_place_of_the_model_s_own() -> None:
    assert count(AWQ, "fp8-blocks") == count(LLAMA_8B, "fp8-blocks")
    assert count(AWQ, None) == count(LLAMA_8B, "awq-int4")
    inside = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "quantization_config": AWQ}}
    assert count(inside, "awq-int4") < count(inside, "bf16")


@pytest.mark.parametrize("dtype", ["float32", "float64", None])
def test_what_a_format_leaves_wide_is_16_bits(dtype: str | None) -> None:
    config = {key: value for key, value in LLAMA_8B.items() if key != "dtype"} | ({"dtype": dtype} if dtype else {})
    assert count(config, "awq-int4") == count(LLAMA_8B, "awq-int4")


@pytest.mark.parametrize(
    ("config", "gigabytes"),
    [(LLAMA_8B, 4.9), (LLAMA_70B, 43.1)],
)
def test_gguf_sizes_as_llama_cpp_states_them(config: dict[str, Any], gigabytes: float) -> None:
    # tools/quantize/README.md: Llama 3.1 in Q4_K_M, 8B 4.9 GB and 70B 43.1 GB.
    assert count(config, "gguf-q4_k_m") / 1e9 == pytest.approx(gigabytes, rel=0.005)
    assert count(config, "GGUF-Q4_K_M") == count(config, "gguf-q4_k_m")


def test_wider_mixtures_are_larger_and_said_to_be_averages() -> None:
    sizes = [count(MIXTRAL, name) for name in GGUF]
    assert sizes == sorted(sizes, reverse=True)
    assert not choose_weights(analyze(MIXTRAL), "gguf-q8_0").exact
    assert choose_weights(analyze(MIXTRAL), "awq-int4").exact


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("bfloat16", "bfloat16"),
        ("float32", "float32"),
        ("fp8", "float8"),
        ("fp8-blocks", "float8"),
        ("fbgemm-fp8", "float8"),
        ("int8", "int8"),
        ("int8-channels", "int8"),
        ("int4", "bfloat16"),
        ("awq-int4", "bfloat16"),
        ("mxfp4", "bfloat16"),
        ("nvfp4", "float4"),
        ("gguf-q8_0", "bfloat16"),
    ],
)
def test_formats_of_weights_alone_are_widened(name: str, computed: str) -> None:
    assert name_computed(name) == computed


@pytest.mark.parametrize(
    ("config", "wanted", "said"),
    [
        ({"model_type": "nobody-knows"}, None, "are not known"),
        (LLAMA_8B, "q17", "use one of .*awq-int4"),
        (quantized(LLAMA_8B, quant_method="hqq"), None, "name one with --weights-dtype"),
    ],
)
def test_what_is_not_known_is_refused(config: dict[str, Any], wanted: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_weights(analyze(config), wanted)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no quantisation is described"),
        ({"quant_method": "gptq", "bits": 5, "group_size": 128}, "not worked out: bits is 5"),
    ],
)
def test_a_layout_that_is_not_worked_out_is_refused(settings: dict[str, Any], said: str) -> None:
    ledger = analyze(LLAMA_8B).ledger
    assert ledger is not None
    with pytest.raises(UsageError, match=said):
        packed_weights("odd", LLAMA_8B | {"quantization_config": settings}, ledger, "bfloat16")


def test_every_format_has_a_name_of_its_own() -> None:
    assert len(set(FORMATS)) == len(FORMATS)
