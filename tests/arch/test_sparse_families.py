"""Mixtures of experts, latent attention, state-space models: published totals, active parameters, caches, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, stored, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

DEEPSEEK_V2 = {
    "model_type": "deepseek_v2",
    "hidden_size": 5120,
    "intermediate_size": 12288,
    "num_hidden_layers": 60,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "n_routed_experts": 160,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1536,
    "first_k_dense_replace": 1,
    "q_lora_rank": 1536,
    "vocab_size": 102400,
}
DEEPSEEK_V2_LITE = DEEPSEEK_V2 | {
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "n_routed_experts": 64,
    "moe_intermediate_size": 1408,
    "q_lora_rank": None,
}
QWEN3_30B = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
}
QWEN3_235B = QWEN3_30B | {
    "hidden_size": 4096,
    "num_hidden_layers": 94,
    "num_attention_heads": 64,
    "moe_intermediate_size": 1536,
}
GPT_OSS_120B = {"model_type": "gpt_oss", "num_hidden_layers": 36, "num_local_experts": 128, "num_experts_per_tok": 4}
LLAMA4_VISION = {
    "hidden_size": 1408,
    "image_size": 336,
    "intermediate_size": 5632,
    "num_hidden_layers": 34,
    "projector_input_dim": 4096,
    "projector_output_dim": 4096,
    "vision_output_dim": 4096,
}
SCOUT = {"model_type": "llama4", "text_config": {"num_local_experts": 16}, "vision_config": LLAMA4_VISION}
MAVERICK = SCOUT | {"text_config": {"num_local_experts": 128, "interleave_moe_layer_step": 2}}
MIXTRAL = {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}

PUBLISHED = [
    ("DeepSeek-V3", {"model_type": "deepseek_v3"}, 671_026_404_352, 37_552_282_624),
    ("DeepSeek-V2", DEEPSEEK_V2, 235_741_434_880, 21_375_800_320),
    ("DeepSeek-V2-Lite", DEEPSEEK_V2_LITE, 15_706_484_224, 2_661_150_208),
    ("Mixtral-8x7B", MIXTRAL, 46_702_792_704, 12_879_925_248),
    ("gpt-oss-120b", GPT_OSS_120B, 116_829_156_672, 5_711_982_912),
    (
        "gpt-oss-20b",
        GPT_OSS_120B | {"num_hidden_layers": 24, "num_local_experts": 32},
        20_914_757_184,
        4_187_440_704,
    ),
    ("Qwen3-30B-A3B", QWEN3_30B, 30_532_122_624, 3_353_032_704),
    ("Qwen3-235B-A22B", QWEN3_235B, 235_093_634_560, 22_190_763_520),
    ("Llama-4-Scout", SCOUT, 108_641_793_536, 18_044_827_136),
    ("Llama-4-Maverick", MAVERICK, 401_583_781_376, 18_056_623_616),
]


@pytest.mark.parametrize(("name", "config", "parameters", "used"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_totals_and_active_parameters_are_those_published(
    name: str, config: dict[str, Any], parameters: int, used: int
) -> None:
    assert (total(config), active(config)) == (parameters, used)


def test_jamba_mini_has_its_published_total() -> None:
    assert total({"model_type": "jamba"}) == 51_570_323_328


def test_deepseek_v3_caches_one_latent_of_576_elements_per_layer() -> None:
    config = {"model_type": "deepseek_v3"}
    assert cached(config) == {"full": 576 * 61}
    assert cached(config)["full"] * 2 == 70_272  # bytes in bfloat16
    (state,) = build_ledger(config).states
    assert state.latent
    assert state.materialized == 128 * (128 + 64 + 128)


def test_what_the_hub_stores_of_deepseek_v3_is_the_model_the_mtp_layer_and_the_scales() -> None:
    config = {"model_type": "deepseek_v3"}
    mtp = stored(config, "mtp")
    copies = 2 * 129_280 * 7_168  # the embedding and the head again, in the MTP layer
    scales = 41_540_496  # one per block of 128 x 128 of every FP8 matrix
    assert buffers(config) == 256 * 58
    assert total(config) + buffers(config) + mtp + copies + scales == 684_531_386_000


def test_a_deepseek_without_mtp_layers_has_none() -> None:
    config = {"model_type": "deepseek_v3", "num_nextn_predict_layers": 0}
    assert stored(config, "mtp") == 0
    assert total(config) == 671_026_404_352


def test_the_mtp_layer_keeps_no_cache_and_counts_in_no_total() -> None:
    with_mtp = build_ledger({"model_type": "deepseek_v3", "num_nextn_predict_layers": 2})
    without = build_ledger({"model_type": "deepseek_v3", "num_nextn_predict_layers": 0})
    assert with_mtp.states == without.states
    assert {t.role for t in with_mtp.tensors} == {"param", "buffer", "mtp"}


def test_a_deepseek_without_q_lora_rank_projects_queries_at_once() -> None:
    names = {tensor.name for tensor in build_ledger(DEEPSEEK_V2_LITE).tensors}
    assert "model.layers.{}.self_attn.q_proj.weight" in names
    assert "model.layers.{}.self_attn.q_a_proj.weight" not in names


def test_gpt_oss_keeps_a_window_of_128_in_every_other_layer() -> None:
    assert cached(GPT_OSS_120B) == {"sliding": 18_432, "full": 18_432}
    assert sum(cached(GPT_OSS_120B).values()) * 2 == 73_728  # bytes in bfloat16
    windows = {s.kind: (s.window, list(s.layers or ())[:3]) for s in build_ledger(GPT_OSS_120B).states}
    assert windows == {"sliding": (128, [0, 2, 4]), "full": (None, [1, 3, 5])}


def test_gpt_oss_takes_the_kinds_of_its_layers_from_the_config() -> None:
    config = GPT_OSS_120B | {"num_hidden_layers": 2, "layer_types": ["full_attention", "full_attention"]}
    assert cached(config) == {"full": 2 * 2 * 8 * 64}


def test_sinks_are_attention_and_expert_biases_are_experts() -> None:
    parts = {tensor.name.rpartition(".")[2]: tensor.part for tensor in build_ledger(GPT_OSS_120B).tensors}
    assert parts["sinks"] == "attention"
    assert parts["down_proj_bias"] == "experts"


def test_mixtral_slides_only_with_a_window() -> None:
    assert cached(MIXTRAL) == {"full": 65_536}
    assert cached(MIXTRAL | {"sliding_window": 4096}) == {"sliding": 65_536}


def test_qwen_moe_mixes_dense_and_sparse_layers() -> None:
    config = QWEN3_30B | {"num_hidden_layers": 6, "decoder_sparse_step": 2, "mlp_only_layers": [3]}
    rows = {t.name: t for t in build_ledger(config).tensors}
    assert rows["model.layers.{}.mlp.experts.down_proj"].layers == [1, 5]
    assert rows["model.layers.{}.mlp.down_proj.weight"].layers == [0, 2, 3, 4]


def test_qwen2_moe_has_a_gated_shared_expert_that_every_token_passes() -> None:
    config = {"model_type": "qwen2_moe"}
    assert part(config, "shared_experts") == 24 * (3 * 2048 * 5632 + 2048)
    assert active(config) == total(config) - part(config, "experts") * 56 // 60


def test_qwen2_moe_windows_stand_in_even_layers_below_the_limit_and_only_when_switched_on() -> None:
    config = {"model_type": "qwen2_moe", "num_hidden_layers": 6, "max_window_layers": 4}
    assert set(cached(config)) == {"full"}
    states = build_ledger(config | {"use_sliding_window": True, "sliding_window": 64}).states
    assert {s.kind: list(s.layers or ()) for s in states} == {"sliding": [0, 2], "full": [1, 3, 4, 5]}


def test_a_jamba_layer_keeps_a_state_of_311_296_bytes() -> None:
    states = build_ledger({"model_type": "jamba"}).states
    conv, mamba = ([s for s in states if s.kind == kind] for kind in ("conv", "ssm"))
    assert [s.fixed for s in conv] == [8192 * 3]
    assert [s.fixed for s in mamba] == [8192 * 16]
    assert 2 * (conv[0].fixed + mamba[0].fixed) == 311_296
    assert mamba[0].repeats == conv[0].repeats == 28
    assert [list(s.layers or ()) for s in states if s.kind == "full"] == [[4, 12, 20, 28]]


def test_a_jamba_with_one_expert_has_plain_mlps() -> None:
    assert part({"model_type": "jamba", "num_experts": 1}, "experts") == 0


def test_mamba_has_no_cache_that_grows() -> None:
    ledger = build_ledger({"model_type": "mamba", "hidden_size": 768, "num_hidden_layers": 24})
    assert sum(t.stored for t in ledger.parameters) == 129_135_360
    by_kind = {state.kind: state for state in ledger.states}
    assert {kind: (s.per_token, s.fixed) for kind, s in by_kind.items()} == {
        "conv": (0, 1536 * 3),
        "ssm": (0, 1536 * 16),
    }
    assert by_kind["ssm"].flops_per_token == 6 * 1536 * 16


def test_the_rank_of_the_time_step_may_be_given() -> None:
    automatic, given = (total({"model_type": "mamba", "time_step_rank": rank}) for rank in ("auto", 48))
    assert automatic == given
    assert total({"model_type": "falcon_mamba", "time_step_rank": 47}) < automatic


def test_llama4_attends_in_chunks_but_for_every_fourth_layer() -> None:
    states = build_ledger(SCOUT).states
    kept = {s.kind: s for s in states if s.stack == "decoder"}
    assert kept["chunked"].window == 8192
    assert list(kept["full"].layers or ())[:3] == [3, 7, 11]
    assert kept["chunked"].repeats == 36


def test_llama4_takes_chunks_and_experts_from_lists() -> None:
    text = {"num_hidden_layers": 3, "no_rope_layers": [0, 1, 1], "moe_layers": [1]}
    ledger = build_ledger({"model_type": "llama4_text"} | text)
    assert {s.kind: list(s.layers or ()) for s in ledger.states} == {"full": [0], "chunked": [1, 2]}
    rows = {t.name: t for t in ledger.tensors}
    assert rows["model.layers.{}.feed_forward.experts.down_proj"].layers == [1]
    assert rows["model.layers.{}.feed_forward.down_proj.weight"].shape == (5120, 16384)


REFUSED = [
    ({"model_type": "deepseek_v2"}, "num_experts_per_tok is None"),
    ({"model_type": "mixtral", "num_experts_per_tok": 9}, "9 of 8 experts per token"),
    ({"model_type": "qwen3_moe", "mlp_only_layers": 3}, "mlp_only_layers is not a list"),
    ({"model_type": "qwen3_moe", "decoder_sparse_step": 0}, "decoder_sparse_step is 0"),
    ({"model_type": "jamba", "attn_layer_offset": 8}, "attn_layer_offset 8 is not below its period 8"),
    ({"model_type": "mamba", "time_step_rank": "large"}, "time_step_rank is 'large', not a whole number"),
    ({"model_type": "llama4_text", "moe_layers": 4}, "moe_layers is not a list"),
    ({"model_type": "llama4_text", "moe_layers": ["all"]}, "moe_layers is 'all', not a whole number"),
    ({"model_type": "llama4_text", "no_rope_layers": [1, 0]}, "no_rope_layers does not name each of 48 layers"),
    ({"model_type": "llama4_text", "attention_chunk_size": None}, "no size for their window"),
    ({"model_type": "deepseek_v3", "kv_lora_rank": "512"}, "kv_lora_rank is '512', not a whole number"),
    ({"model_type": "gpt_oss", "layer_types": ["full_attention"]}, "layer_types names 1 layers"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
