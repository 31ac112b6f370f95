"""Kimi-K3, whose code is in its own repository, against what its files hold by data type."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.kimi_k3 import KIMI_K3, LINEAR, TEXT, seeing, speaking
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger
from zoo.metrics.analysis import analyze

#: What its files hold in 32 bits; of the rest the experts are packed, all else has 16 bits.
IN_FULL = ("conv1d.weight", "dt_bias", "A_log", "o_norm.weight", "e_score_correction_bias")


def test_the_files_hold_as_much_of_each_data_type() -> None:
    tensors = build_ledger(KIMI_K3).tensors
    full = sum(t.stored for t in tensors if t.name.endswith(IN_FULL))
    experts = sum(t.stored for t in tensors if ".experts.{}." in t.name)
    everything = sum(t.stored for t in tensors)
    assert (full, experts, everything - full - experts) == (11_122_432, 2_722_740_830_208, 57_179_884_544)


def test_its_own_list_leaves_out_some_of_what_is_not_packed() -> None:
    ignore = [f"re:.*{name}.*" for name in ("self_attn", "shared_experts", "lm_head", "vision_tower", "mm_projector")]
    weights = {"num_bits": 4, "type": "float", "group_size": 32, "strategy": "group"}
    group = {"weights": weights, "targets": ["Linear"], "format": "mxfp4-pack-quantized"}
    packed = KIMI_K3 | {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": group},
            "ignore": [*ignore, r"re:.*mlp\.(gate|up|gate_up|down)_proj.*"],
        }
    }
    packing = analyze(packed).packing
    assert packing is not None
    assert packing.packed_matrices == 92 * 896 * 3
    assert packing.stored_elements["U8"] == 1_361_370_415_104 + 2_722_740_830_208 // 32


def test_about_104_billion_are_active_but_for_the_table_and_the_tower() -> None:
    params = analyze(KIMI_K3).params
    assert params is not None
    seen = params.by_part["vision"] + params.by_part["projector"]
    assert params.active - params.embedding - seen == 104_189_532_416


def test_a_cache_grows_in_a_quarter_of_its_layers() -> None:
    states = build_ledger(KIMI_K3).states
    assert sum(s.per_token * s.repeats for s in states if s.stack == "decoder") == 24 * (512 + 64)
    assert sum(s.fixed * s.repeats for s in states) == 69 * (96 * 128 * 128 + 3 * 96 * 128 * 3)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (speaking(mla_use_output_gate=False), "text_config.mla_use_output_gate is False"),
        (speaking(latent_moe_use_norm=False), "text_config.latent_moe_use_norm is False"),
        (speaking(num_nextn_predict_layers=1), "text_config.num_nextn_predict_layers is 1"),
        (speaking(attn_res_block_size=0), "attn_res_block_size is 0"),
        (speaking(linear_attn_config=LINEAR | {"use_full_rank_gate": False}), "which layers have full gates"),
        (speaking(linear_attn_config={"use_full_rank_gate": True}), "which layers have full gates"),
        (speaking(linear_attn_config=LINEAR | {"num_heads": 48}), "48 heads of 128: the length of A_log"),
        (speaking(num_experts_per_token=897), "897 of 896 experts"),
        (speaking(tie_word_embeddings=True), "text_config.tie_word_embeddings is True"),
        (KIMI_K3 | {"tie_word_embeddings": True}, "tie_word_embeddings is set"),
        (KIMI_K3 | {"text_config": None}, "text_config is missing or no object"),
        (KIMI_K3 | {"vision_config": []}, "vision_config is missing or no object"),
        (KIMI_K3 | {"text_config": {k: v for k, v in TEXT.items() if k != "hidden_size"}}, "'text_config.hidden_size'"),
        (seeing(attn_bias=True), "vision_config.attn_bias is True"),
        (seeing(mm_projector_type="patchmerger"), "mm_projector_type is 'patchmerger'"),
        (seeing(merge_kernel_size=4), "not a height and a width"),
        (seeing(vt_num_attention_heads=7), "qkv_hidden_size 1536 is not a multiple of 7 heads"),
    ],
)
def test_what_its_files_do_not_vouch_for_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
