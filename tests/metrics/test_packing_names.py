"""Quantised checkpoints whose lists name modules as the checkpoint does, and mixtures of methods."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.metrics.configs import LLAMA_8B, MIXTRAL, compressed, quantized
from zoo.arch.ledger import build_ledger
from zoo.metrics.analysis import analyze
from zoo.metrics.packing import Packing
from zoo.metrics.packing_layouts import scaled_layout, sharded_layout
from zoo.metrics.packing_linears import Reader
from zoo.metrics.packing_names import RENAMES
from zoo.metrics.reconcile import check
from zoo.sources.snapshot import read_snapshot

EXPERT = 14336 * 4096  #: one matrix of an expert of Mixtral
NVFP4 = {"quant_algo": "NVFP4", "group_size": 16}


@cache
def read_configs() -> dict[str, dict[str, Any]]:
    return {record.repo_id: dict(record.config) for record in read_snapshot() if record.config is not None}


def pack(config: dict[str, Any]) -> Packing:
    packing = analyze(config).packing
    assert packing is not None
    return packing


def mix(config: dict[str, Any], layers: dict[str, Any], **settings: Any) -> Packing:
    return pack(quantized(config, quant_algo="MIXED_PRECISION", quantized_layers=layers, **settings))


# The Hub's safetensors totals of these repositories.
@pytest.mark.parametrize(
    ("repo_id", "total", "said"),
    [
        (
            "nvidia/DeepSeek-V4-Flash-NVFP4",
            166_726_476_754,
            ["no dimension: +17,314,444,416", "into words: −138,512,695,296", "(MTP) layers with their scales"],
        ),
        ("nvidia/MiniMax-M3-NVFP4", 220_479_056_768, ["into words: −206,561,083,392", "+7,296"]),
        (
            "XiaomiMiMo/MiMo-V2-Flash",
            309_785_318_400,
            ["fp8 weights: +18,669,312", "says nothing, with their scales: +987,868,224", "+12,032"],
        ),
    ],
)
def test_a_mixed_checkpoint_is_stored_as_the_hub_counts_it(repo_id: str, total: int, said: list[str]) -> None:
    word, explanation = check(analyze(read_configs()[repo_id]).as_dict(), total, {})
    assert word == "explained"
    assert all(part in (explanation or "") for part in said)


def test_what_is_packed_anew_in_an_fp8_checkpoint_leaves_the_rest_as_it_was() -> None:
    packing = pack(read_configs()["nvidia/DeepSeek-V4-Flash-NVFP4"])
    experts = 43 * 256 * 3 * 4096 * 2048
    assert packing.stored_elements["U8"] == experts // 2
    assert packing.stored_elements["F8_E8M0"] == 43 * 8064 + 21 * 512  # blocks of 128 x 128 of attention and shared
    assert packing.mtp_stored_elements["I8"] == 256 * 3 * 4096 * 2048 // 2  # the MXFP4 of DeepSeek's own checkpoint


def test_nemotron_leaves_what_its_list_names_below_backbone() -> None:
    packing = pack(read_configs()["nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"])
    attention = 2 * 2688 * (32 + 2) * 128  # queries, keys, values and outputs, in six layers
    mamba = 2688 * (2 * 4096 + 2 * 8 * 128 + 64) + 4096 * 2688  # in six of 23 layers
    tables = 2 * 131072 * 2688
    assert packing.stored_elements["BF16"] > tables + 6 * (attention + mamba)
    assert packing.stored_elements["U8"] == 15_245_905_920


@pytest.mark.parametrize(
    "name",
    ["model.layers.3.block_sparse_moe.experts.5.w1", "model.layers.3.mlp.experts.5.gate_proj"],
)
def test_one_expert_of_one_layer_can_be_left_alone(name: str) -> None:
    plain = pack(quantized(MIXTRAL, quant_method="fp8", modules_to_not_convert=["lm_head"]))
    packing = pack(quantized(MIXTRAL, quant_method="fp8", modules_to_not_convert=["lm_head", name]))
    assert plain.stored_elements["F8_E4M3"] - packing.stored_elements["F8_E4M3"] == EXPERT


def test_one_expert_can_be_left_alone_in_all_layers() -> None:
    plain = pack(quantized(MIXTRAL, quant_method="fp8", modules_to_not_convert=["lm_head"]))
    packing = pack(quantized(MIXTRAL, quant_method="fp8", modules_to_not_convert=["lm_head", "experts.5"]))
    assert plain.stored_elements["F8_E4M3"] - packing.stored_elements["F8_E4M3"] == 32 * 3 * EXPERT


def test_every_expert_can_be_listed_with_a_method_of_its_own() -> None:
    name = "model.layers.{}.block_sparse_moe.experts.{}.{}".format
    layers = {
        name(layer, expert, word): {"quant_algo": "FP8"} if expert == 2 else NVFP4
        for layer in range(32)
        for expert in range(8)
        for word in ("w1", "w2", "w3")
    }
    packing = mix(MIXTRAL, layers)
    assert packing.stored_elements["U8"] == 32 * 7 * 3 * EXPERT // 2
    assert packing.stored_elements["F8_E4M3"] == 32 * 3 * EXPERT + 32 * 7 * 3 * EXPERT // 16
    assert packing.stored_elements["F32"] == 2 * 32 * 8 * 3


def test_experts_that_stand_apart_in_the_ledger_are_told_apart() -> None:
    config = read_configs()["deepseek-ai/deepseek-moe-16b-chat"]
    plain = pack(quantized(config, quant_method="fp8", modules_to_not_convert=["lm_head"]))
    listed = ["lm_head", "model.layers.9.mlp.experts.63.up_proj"]
    packing = pack(quantized(config, quant_method="fp8", modules_to_not_convert=listed))
    assert plain.stored_elements["F8_E4M3"] - packing.stored_elements["F8_E4M3"] == 2048 * 1408


def test_mxfp8_has_a_scale_for_32_inputs() -> None:
    packing = mix(LLAMA_8B, {f"model.layers.{i}.mlp.up_proj": {"quant_algo": "MXFP8"} for i in range(32)})
    assert packing.stored_elements["F8_E4M3"] == 32 * 4096 * 14336
    assert packing.stored_elements["U8"] == 4096 * 14336


def test_weights_alone_in_nvfp4_have_no_scale_for_inputs() -> None:
    layers = {f"model.layers.{i}.mlp.up_proj": NVFP4 | {"quant_algo": "W4A16_NVFP4"} for i in range(32)}
    assert mix(LLAMA_8B, layers).stored_elements["F32"] == 32


def test_without_layers_a_mixture_is_read_from_its_groups() -> None:
    groups = {
        "a": {
            "weights": {"type": "float", "num_bits": 8},
            "input_activations": {"num_bits": 8},
            "targets": [f"model.layers.{i}.self_attn.o_proj" for i in range(32)],
        },
        "b": {
            "weights": {"type": "float", "num_bits": 4, "group_size": 16},
            "targets": [f"model.layers.{i}.mlp*" for i in range(32)],
        },
    }
    packing = pack(quantized(LLAMA_8B, quant_algo="MIXED_PRECISION", config_groups=groups))
    mlp = 32 * 3 * 4096 * 14336
    assert packing.stored_elements["U8"] == mlp // 2
    assert packing.stored_elements["F32"] == 2 * 32 + 32 * 3


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ({"weights": {"type": "float", "num_bits": 8}, "targets": ["Linear"]}, "names no modules"),
        ({"weights": {"type": "float", "num_bits": 8}}, "names no modules"),
        ({"weights": {"type": "int", "num_bits": 8}, "targets": ["lm_head"]}, "packs weights as"),
        ({"targets": ["lm_head"]}, "packs weights as"),
    ],
)
def test_a_group_that_does_not_say_enough_is_not_worked_out(group: dict[str, Any], reason: str) -> None:
    packing = pack(quantized(LLAMA_8B, quant_algo="MIXED_PRECISION", config_groups={"a": group}))
    assert packing.bytes is None
    assert reason in packing.warnings[0]


@pytest.mark.parametrize("name", ["model.layers.3.mlp.w1", "model.layers.*.ffn.experts", "model.layers.1.mlp.x*"])
def test_a_list_that_names_what_the_model_does_not_have_gives_no_bytes(name: str) -> None:
    packing = mix(LLAMA_8B, {"lm_head": {"quant_algo": "FP8"}, name: {"quant_algo": "FP8"}})
    assert packing.bytes is None
    assert f"it names '{name}', which is no linear layer of the model" in packing.warnings[0]


def test_a_group_of_which_no_module_is_met_gives_no_bytes() -> None:
    config = compressed(LLAMA_8B, {"num_bits": 8, "type": "float", "strategy": "tensor"}, format="float-quantized")
    groups = config["quantization_config"]["config_groups"]
    groups["group_0"]["targets"] = ["re:.*ffn.*_proj$"]
    packing = pack(config)
    assert packing.bytes is None
    assert "it names 'fp8'" in packing.warnings[0]


@pytest.mark.parametrize(("outputs", "scales"), [(768, 8 * 32), (1536, 12 * 32), (770, 7 * 32)])
def test_blocks_begin_anew_in_each_shard_where_shards_divide_the_outputs(outputs: int, scales: int) -> None:
    weights, beside = sharded_layout(4, scaled_layout("F8_E4M3", "F32", (128, 128)))(outputs, 4096)
    assert (weights.elements, beside.elements) == (outputs * 4096, scales)


@pytest.mark.parametrize("model_type", sorted(RENAMES))
def test_each_rename_is_of_a_name_that_its_type_has(model_type: str) -> None:
    whole = read_configs()["nvidia/MiniMax-M3-NVFP4"]  # the default of its type has no indexer
    kinds = {"layer_types": ["conv"] * 32} if model_type == "lfm2_moe" else {}
    ledger = build_ledger(whole if model_type == whole["model_type"] else {"model_type": model_type, **kinds})
    names = [
        linear.name for tensor in ledger.tensors for linear, _, _ in Reader(ledger, tables=False).split_linears(tensor)
    ]
    for old, new in RENAMES[model_type]:
        renamed = [name.replace(old, new) for name in names]
        assert renamed != names
        names = renamed
