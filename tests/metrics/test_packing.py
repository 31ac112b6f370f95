"""Stored sizes of quantised checkpoints, from the config alone, against what the Hub counts in real ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from zoo.metrics.analysis import analyze
from zoo.metrics.packing import Packing
from zoo.metrics.packing_methods import read_scheme
from zoo.metrics.packing_rules import NotWorkedOutError
from zoo.metrics.packing_schemes import Linear

LINEAR_8B = 6_979_321_856  #: weights of the linear layers of Llama-3.1-8B, its head apart
REST_8B = 1_050_939_392


def pack(config: dict[str, Any]) -> Packing:
    packing = analyze(config).packing
    assert packing is not None
    return packing


def test_without_quantisation_the_weights_take_their_dtype() -> None:
    packing = pack(LLAMA_8B)
    assert (packing.bytes, packing.quantization) == (16_060_522_496, None)
    assert packing.stored_elements == {"BF16": 8_030_261_248}


def test_deepseek_v3_is_stored_as_the_hub_counts_it() -> None:
    # safetensors.parameters of deepseek-ai/DeepSeek-V3: F8_E4M3 680,571,043,840, BF16 3,918,786,560, F32 41,555,600.
    # BF16 holds two copies of the embedding for the extra layer, F32 the correction biases of 59 routers.
    analysis = analyze(DEEPSEEK_V3)
    packing, params = analysis.packing, analysis.params
    assert packing is not None
    assert params is not None
    stored, extra = packing.stored_elements, packing.mtp_stored_elements
    assert stored["F8_E4M3"] + extra["F8_E4M3"] == 680_571_043_840
    assert stored["F32"] + extra["F32"] + 59 * 256 == 41_555_600
    assert stored["BF16"] + extra["BF16"] - 256 + 2 * params.embedding == 3_918_786_560
    assert packing.quantization == "fp8"
    assert packing.bytes == stored["F8_E4M3"] + 2 * stored["BF16"] + 4 * stored["F32"]


@pytest.mark.parametrize(
    ("config", "blocks", "rest"),
    [(GPT_OSS_20B, 19_110_297_600, 1_804_459_584), (GPT_OSS_120B, 114_661_785_600, 2_167_371_072)],
)
def test_gpt_oss_stores_its_experts_in_mxfp4(config: dict[str, Any], blocks: int, rest: int) -> None:
    # huggingface.js parse-safetensors-metadata.spec.ts: U8 blocks unpacked and BF16, the scales (1 of 32) left out.
    packing = pack(config)
    assert packing.stored_elements == {"BF16": rest, "U8": blocks // 2 + blocks // 32}
    assert packing.scale_elements == blocks // 32
    assert packing.quantization == "mxfp4"


def test_a_quantised_config_without_a_dtype_takes_the_one_its_kernels_take() -> None:
    assert pack(GPT_OSS_20B).dtype == "bfloat16"


def test_where_the_dtype_is_open_no_bytes_are_given() -> None:
    config = quantized({k: v for k, v in LLAMA_8B.items() if k != "dtype"}, quant_method="fp8")
    packing = pack(config)
    assert packing.bytes is None
    assert "declares no dtype" in packing.warnings[0]
    assert packing.stored_elements["unknown"] == REST_8B  # the counts do not depend on it
    assert pack(quantized(LLAMA_8B | {"dtype": "float8_e4m3fn"}, quant_method="fp8")).bytes is None


def test_bitsandbytes_nf4_packs_all_but_the_head_and_the_embedding() -> None:
    # unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit: BF16 1,050,939,392 and 3,489,660,928 packed bytes (same spec).
    nf4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    packing = pack(quantized(LLAMA_8B, **nf4, bnb_4bit_use_double_quant=True))
    absmax = LINEAR_8B // 64
    assert packing.stored_elements == {
        "BF16": REST_8B,
        "U8": 3_489_660_928 + absmax,
        "F32": absmax // 256 + 224 * (256 + 16),
    }
    assert packing.quantization == "bitsandbytes-nf4"
    single = pack(quantized(LLAMA_8B, **nf4))
    assert single.stored_elements["F32"] == absmax + 224 * 16


def test_bitsandbytes_int8_keeps_a_scale_for_each_output() -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="bitsandbytes", load_in_8bit=True))
    outputs = 32 * (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096)
    assert packing.stored_elements == {"BF16": REST_8B, "I8": LINEAR_8B, "F32": outputs, "U8": 224}


def test_bitsandbytes_leaves_the_modules_that_it_is_told_to() -> None:
    skip = ["lm_head", "model.layers.0.mlp", "model.layers.31.self_attn.q_proj"]
    packing = pack(quantized(LLAMA_8B, quant_method="bitsandbytes", load_in_8bit=True, llm_int8_skip_modules=skip))
    assert packing.stored_elements["I8"] == LINEAR_8B - 3 * 4096 * 14336 - 4096 * 4096


def test_compressed_tensors_int4_orders_columns_by_activation() -> None:
    # RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16: I32 68,451,041,280 unpacked, BF16 2,102,665,216, and 6,225,920
    # permutation indices (same spec).
    weights = {"type": "int", "num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": True}
    packing = pack(compressed(LLAMA_70B, weights | {"actorder": "group"}, format="pack-quantized"))
    assert packing.stored_elements["I32"] == 68_451_041_280 // 8 + 6_225_920
    assert packing.stored_elements["BF16"] == 2_102_665_216 + 68_451_041_280 // 128
    assert packing.stored_elements["I64"] == 2 * 7 * 80
    assert packing.quantization == "compressed-tensors-int4"


def test_a_group_without_symmetry_stores_packed_zero_points() -> None:
    weights = {"type": "int", "num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": False}
    packing = pack(compressed(LLAMA_8B, weights, format="pack-quantized"))
    assert packing.stored_elements["I32"] == LINEAR_8B // 8 + LINEAR_8B // 128 // 8


@pytest.mark.parametrize(
    ("weights", "kwargs", "name", "stored"),
    [
        ({"type": "int", "num_bits": 8, "strategy": "channel"}, {"format": "int-quantized"}, "int8", {"I8": LINEAR_8B}),
        (
            {"type": "float", "num_bits": 8, "strategy": "tensor"},
            {"format": "float-quantized", "inputs": {"dynamic": False}},
            "fp8",
            {"F8_E4M3": LINEAR_8B, "BF16": REST_8B + 2 * 224},
        ),
        (
            {"type": "float", "num_bits": 8, "strategy": "block", "block_structure": [128, 128]},
            {"format": "float-quantized", "inputs": {"dynamic": True}},
            "fp8",
            {"BF16": REST_8B + LINEAR_8B // 128**2},
        ),
        (
            {"type": "float", "num_bits": 8, "strategy": "group", "group_size": 128},
            {"format": "naive-quantized"},
            "fp8",
            {"BF16": REST_8B + LINEAR_8B // 128},
        ),
        (
            {"type": "float", "num_bits": 4, "group_size": 16},
            {"format": "nvfp4-pack-quantized", "inputs": {"dynamic": "local"}},
            "nvfp4",
            {"U8": LINEAR_8B // 2, "F8_E4M3": LINEAR_8B // 16, "F32": 2 * 224},
        ),
        (
            {"type": "float", "num_bits": 4, "group_size": 32},
            {"format": "mxfp4-pack-quantized"},
            "mxfp4",
            {"U8": LINEAR_8B // 2 + LINEAR_8B // 32},
        ),
    ],
)
def test_compressed_tensors_formats(
    weights: dict[str, Any], kwargs: dict[str, Any], name: str, stored: dict[str, int]
) -> None:
    packing = pack(compressed(LLAMA_8B, weights, **kwargs))
    assert packing.quantization == f"compressed-tensors-{name}"
    assert packing.stored_elements.items() >= stored.items()


def test_channel_scales_with_zero_points_and_a_static_input() -> None:
    weights = {"type": "int", "num_bits": 8, "strategy": "channel", "symmetric": False}
    packing = pack(compressed(LLAMA_8B, weights, format="int-quantized", inputs={"dynamic": False}))
    outputs = 32 * 43008
    assert packing.stored_elements == {"I8": LINEAR_8B + outputs, "BF16": REST_8B + outputs + 224}


def test_groups_that_name_their_modules_come_before_the_one_for_all() -> None:
    groups = {
        "all": {"targets": "Linear", "weights": {"type": "int", "num_bits": 8, "strategy": "channel"}},
        "mlp": {"targets": ["re:.*mlp.*"], "weights": {"type": "int", "num_bits": 4}, "format": "pack-quantized"},
    }
    config = quantized(LLAMA_8B, quant_method="compressed-tensors", config_groups=groups, format="int-quantized")
    packing = pack(config)
    mlp = 32 * 3 * 4096 * 14336
    assert packing.quantization == "compressed-tensors-mixed"
    assert packing.stored_elements["I8"] == 8_030_261_248 - 128256 * 4096 - 65 * 4096 - mlp


def test_the_text_section_of_a_config_may_say_how_it_is_quantised() -> None:
    inner = compressed(LLAMA_8B, {"type": "int", "num_bits": 8, "strategy": "channel"}, format="int-quantized")
    outer = LLAMA_8B | {"text_config": {"quantization_config": inner["quantization_config"]}}
    assert pack(outer).stored_elements["I8"] == LINEAR_8B


def test_gptq_packs_eight_weights_in_a_word_and_keeps_indices() -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="gptq", bits=4, group_size=128, desc_act=True))
    inputs = 32 * (6 * 4096 + 14336)
    assert packing.stored_elements == {
        "BF16": REST_8B,
        "I32": LINEAR_8B // 8 + LINEAR_8B // 128 // 8 + inputs,
        "F16": LINEAR_8B // 128,
    }
    assert packing.quantization == "gptq-int4"


def test_gptq_with_one_group_keeps_one_scale_for_each_output() -> None:
    packing = pack(quantized(LLAMA_8B | {"dtype": "float16"}, quant_method="gptq", bits=4, group_size=-1))
    # RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16: F16 1,052,315,648 (same spec).
    assert packing.stored_elements["F16"] == 1_052_315_648


def test_gptq_settings_narrow_what_is_packed() -> None:
    base = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    only_mlp = pack(quantized(LLAMA_8B, **base, modules_in_block_to_quantize=[["mlp.up_proj"], ["mlp.down_proj"]]))
    assert only_mlp.stored_elements["F16"] == 32 * 2 * 4096 * 14336 // 128
    without = pack(quantized(LLAMA_8B, **base, dynamic={r"-:.*\.(q|k)_proj": {}}))
    assert without.stored_elements["F16"] == (LINEAR_8B - 32 * 4096 * (4096 + 1024)) // 128
    head = pack(quantized(LLAMA_8B, **base, lm_head=True))
    assert head.stored_elements["F16"] == (LINEAR_8B + 128256 * 4096) // 128


def test_gptq_of_gpt2_reads_its_matrices_the_other_way_round() -> None:
    packing = pack(quantized(GPT2, quant_method="gptq", bits=4, group_size=-1))
    assert packing.stored_elements["F16"] == 12 * (2304 + 768 + 3072 + 768)


def test_awq_packs_the_layers_of_the_text() -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="awq", bits=4, group_size=128, modules_to_not_convert=["v_proj"]))
    packed = LINEAR_8B - 32 * 4096 * 1024
    assert packing.stored_elements["I32"] == packed // 8 + packed // 128 // 8
    assert packing.stored_elements["F16"] == packed // 128
    assert packing.quantization == "awq-int4"


def test_routers_are_left_alone_and_experts_are_counted_one_by_one() -> None:
    packing = pack(quantized(MIXTRAL, quant_method="fp8", modules_to_not_convert=["lm_head"]))
    experts, attention = 32 * 8 * 3, 32 * 4
    assert packing.stored_elements["F32"] == experts + attention
    assert packing.stored_elements["BF16"] == 2 * 32000 * 4096 + 65 * 4096 + 32 * 8 * 4096


def test_static_activations_have_a_scale_each() -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="fp8", activation_scheme="static", weight_block_size=None))
    assert packing.stored_elements["F32"] == 2 * 224


def test_fbgemm_scales_each_output_and_never_packs_the_head() -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="fbgemm_fp8", modules_to_not_convert=["model.layers.0.mlp"]))
    assert packing.stored_elements["F8_E4M3"] == LINEAR_8B - 3 * 4096 * 14336
    assert packing.stored_elements["F32"] == 32 * 43008 - (2 * 14336 + 4096)
    assert packing.quantization == "fbgemm-fp8"


def test_deepseek_v4_is_stored_as_the_hub_counts_it() -> None:
    # huggingface.js, parse-safetensors-metadata.spec.ts, deepseek-ai/DeepSeek-V4-Pro: I8 786,381,668,352 packed bytes,
    # F8_E4M3 23,169,335,296, F8_E8M0 49,150,268,416; 61 layers, 30 of them with an indexer, and one that predicts.
    settings = {"quant_method": "fp8", "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}
    scheme = read_scheme(settings, {"model_type": "deepseek_v4", "expert_dtype": "fp4"}, "BF16")
    each = [("q_a_proj", 1536, 7168), ("q_b_proj", 65536, 1536), ("kv_proj", 512, 7168)]
    each += [("o_a_proj", 16384, 4096), ("o_b_proj", 7168, 16384)]
    matrices = [(62, Linear(f"model.layers.0.self_attn.{name}", "attention", o, i, True)) for name, o, i in each]
    matrices += [(62, Linear("model.layers.0.mlp.shared_experts.up_proj", "shared_experts", 3 * 3072, 7168, True))]
    indexer = "model.layers.2.self_attn.compressor.indexer"
    matrices += [(30, Linear(f"{indexer}.q_b_proj", "attention", 8192, 1536, True))]
    matrices += [(2, Linear("model.layers.61.e_proj", "other", 7168, 7168, True, True))]
    matrices += [(62 * 384 * 3, Linear("model.layers.0.mlp.experts.0.up_proj", "experts", 3072, 7168, True))]
    stored: dict[str, int] = {}
    for copies, linear in matrices:
        layout = scheme.choose(linear)
        assert layout is not None
        for piece in layout(linear.outputs, linear.inputs):
            stored[piece.dtype] = stored.get(piece.dtype, 0) + copies * piece.elements
    assert stored == {"I8": 786_381_668_352, "F8_E4M3": 23_169_335_296, "F8_E8M0": 49_150_268_416}
    for left in ("gate_proj", "scorer.weights_proj"):
        assert scheme.choose(Linear(f"{indexer}.{left}", "attention", 256, 7168, True)) is None


def test_a_tower_under_mlx_is_not_guessed() -> None:
    scheme = read_scheme({"bits": 4, "group_size": 64}, {}, "BF16")
    with pytest.raises(NotWorkedOutError, match="tower"):
        scheme.choose(Linear("vision_tower.layers.0.fc1", "vision", 64, 64, True))


def test_modelopt_nvfp4_leaves_what_its_globs_exclude() -> None:
    ignore = ["lm_head", "model.layers.1*", "model.layers.2.self_attn*"]
    packing = pack(quantized(LLAMA_8B, quant_method="modelopt", quant_algo="NVFP4", ignore=ignore))
    layer = LINEAR_8B // 32
    packed = LINEAR_8B - 11 * layer - 4096 * (4096 + 1024) * 2  # layers 1 and 10 to 19, attention of layer 2
    assert packing.stored_elements["U8"] == packed // 2
    assert packing.stored_elements["F8_E4M3"] == packed // 16
    assert packing.quantization == "nvfp4"


def test_modelopt_fp8_without_a_method_is_known_by_its_algorithm() -> None:
    packing = pack(quantized(LLAMA_8B, quant_algo="FP8", exclude_modules=["lm_head"]))
    assert packing.stored_elements == {"BF16": REST_8B, "F8_E4M3": LINEAR_8B, "F32": 2 * 224}


def test_modelopt_mixes_by_the_layers_it_lists() -> None:
    layers = {f"model.layers.{i}.mlp": {"quant_algo": "NVFP4", "group_size": 16} for i in range(32)}
    layers |= {f"model.layers.{i}.self_attn.o_proj": {"quant_algo": "FP8"} for i in range(32)}
    packing = pack(quantized(LLAMA_8B, quant_algo="MIXED_PRECISION", quantized_layers=layers))
    mlp = 32 * 3 * 4096 * 14336
    assert packing.stored_elements["U8"] == mlp // 2
    assert packing.stored_elements["F8_E4M3"] == 32 * 4096 * 4096 + mlp // 16


def test_mlx_packs_tables_too() -> None:
    packing = pack(LLAMA_8B | {"quantization": {"bits": 4, "group_size": 64}})
    everything = LINEAR_8B + 2 * 128256 * 4096
    assert packing.stored_elements == {"U32": everything // 8, "BF16": 2 * everything // 64 + 65 * 4096}
    mixed = {"bits": 4, "group_size": 64, "lm_head": False, "model.embed_tokens": {"bits": 8, "group_size": 32}}
    own = pack(LLAMA_8B | {"quantization": mixed | {"model.layers.3.mlp.up_proj": True}})
    assert own.stored_elements["U32"] == LINEAR_8B // 8 + 128256 * 4096 // 4
    assert own.quantization == "mlx-int4"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quant_method": "hqq"}, "its layout is not known"),
        ({"quant_method": "eetq"}, "its layout is not known"),
        ({"quant_method": "quanto", "weights": "int8"}, "its layout is not known"),
        ({"something": 1}, "its layout is not known"),
        ({"quant_method": "gptq"}, "bits is missing"),
        ({"quant_method": "gptq", "bits": 5}, "bits is 5"),
        ({"quant_method": "gptq", "bits": "4"}, "bits is '4'"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 0}, "group_size is 0"),
        ({"quant_method": "gptq", "bits": 4, "is_marlin_format": True}, "checkpoint_format is 'marlin'"),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*": {"bits": 8}}}, "settings of their own"),
        ({"quant_method": "gptq", "bits": 4, "modules_in_block_to_quantize": "mlp"}, "not a list of names"),
        ({"quant_method": "awq", "bits": 4, "version": "gemv"}, "version is 'gemv'"),
        ({"quant_method": "bitsandbytes"}, "neither 4 nor 8 bits"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "x"}, "quant_type is 'x'"),
        ({"quant_method": "fp8", "weight_block_size": [128]}, r"block size is \[128\]"),
        ({"quant_method": "fp8", "scale_fmt": "ue8m0"}, "ue8m0"),
        ({"quant_method": "fp8", "modules_to_not_convert": "lm_head"}, "not a list of names"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "W4A8_AWQ"),
        ({"quant_algo": "MIXED_PRECISION"}, "neither quantized_layers nor config_groups"),
        ({"quant_algo": "MIXED_PRECISION", "quantized_layers": {"model": {}}}, "quant_algo 'None'"),
        ({"bits": 4, "group_size": 64, "mode": "mxfp4"}, "mode is 'mxfp4'"),
        ({"bits": 4, "group_size": -1}, "group_size is -1"),
        ({"quant_method": "compressed-tensors"}, "no config_groups"),
        ({"quant_method": "compressed-tensors", "quantization_status": "frozen"}, "frozen"),
        ({"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24-bitmask"}}, "sparse"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"targets": ["Linear"]}}}, "nothing of the w"),
    ],
)
def test_what_is_not_worked_out_has_no_bytes_and_a_reason(settings: dict[str, Any], reason: str) -> None:
    packing = pack(quantized(LLAMA_8B, **settings))
    assert packing.bytes is None
    assert packing.stored_elements == {}
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(packing.warnings[0])


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ({"targets": 3, "weights": {"num_bits": 4}}, "not a list"),
        ({"targets": ["Embedding"], "weights": {"num_bits": 4}}, "class 'Embedding'"),
        ({"targets": ["Linear"], "weights": {"num_bits": 4, "type": "float"}}, "format None with 4 bits"),
        ({"format": "int-quantized", "weights": {"num_bits": 8, "type": "int", "strategy": "token"}}, "'token'"),
    ],
)
def test_a_group_that_cannot_be_read_is_named(group: dict[str, Any], reason: str) -> None:
    packing = pack(quantized(LLAMA_8B, quant_method="compressed-tensors", config_groups={"g": group}))
    assert packing.bytes is None
    assert reason in packing.warnings[0]


def test_an_empty_quantisation_is_none() -> None:
    assert pack(LLAMA_8B | {"quantization_config": {}}).quantization is None


@given(
    bits=st.sampled_from([(2, 3), (3, 4), (4, 8)]),
    group=st.sampled_from([32, 64, 128, -1]),
    layers=st.integers(1, 40),
)
def test_more_bits_are_never_smaller_and_smaller_groups_never_either(
    bits: tuple[int, int], group: int, layers: int
) -> None:
    model = LLAMA_8B | {"num_hidden_layers": layers}
    few, many = (pack(quantized(model, quant_method="gptq", bits=b, group_size=group)).bytes or 0 for b in bits)
    coarse = pack(quantized(model, quant_method="gptq", bits=bits[0], group_size=-1)).bytes or 0
    assert 0 < coarse <= few < many


@given(skip=st.lists(st.integers(0, 31), unique=True), module=st.sampled_from(["mlp", "self_attn", "mlp.up_proj"]))
def test_what_is_packed_and_what_is_not_are_all_the_weights(skip: list[int], module: str) -> None:
    names = [f"model.layers.{layer}.{module}" for layer in skip]
    packing = pack(quantized(LLAMA_8B, quant_method="fp8", modules_to_not_convert=["lm_head", *names]))
    stored = packing.stored_elements
    assert stored.get("F8_E4M3", 0) + stored["BF16"] == 8_030_261_248
