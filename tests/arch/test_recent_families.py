"""Later mixtures, hybrids, encoders and Qwen's vision models: totals, states, what is stored besides, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, stored, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

GLM_45_AIR = {"model_type": "glm4_moe", "attention_bias": True, "head_dim": 128}
QWEN35_27B = {
    "model_type": "qwen3_5",
    "text_config": {
        "hidden_size": 5120,
        "intermediate_size": 17408,
        "num_hidden_layers": 64,
        "num_attention_heads": 24,
        "num_key_value_heads": 4,
        "linear_num_value_heads": 48,
        "mtp_num_hidden_layers": 1,
    },
    "vision_config": {"out_hidden_size": 5120},
}
QWEN3_VL_8B = {
    "model_type": "qwen3_vl",
    "text_config": {
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
    },
    "vision_config": {"out_hidden_size": 4096},
}
FALCON_H1_05B = {
    "model_type": "falcon_h1",
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 36,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "mamba_d_ssm": 1536,
    "mamba_n_heads": 24,
    "mamba_d_state": 128,
    "vocab_size": 32784,
}
DBRX = {
    "model_type": "dbrx",
    "d_model": 6144,
    "n_heads": 48,
    "n_layers": 40,
    "vocab_size": 100352,
    "attn_config": {"kv_n_heads": 8},
    "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
}
DEBERTA_V3 = {
    "model_type": "deberta-v2",
    "architectures": ["DebertaV2Model"],
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
}
LFM2_12B = {
    "model_type": "lfm2",
    "hidden_size": 2048,
    "block_ff_dim": 12288,
    "num_hidden_layers": 16,
    "full_attn_idxs": [2, 5, 8, 10, 12, 14],
}
ALBERT_BASE = {"model_type": "albert", "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}

PUBLISHED = [
    ("OLMoE-1B-7B", {"model_type": "olmoe", "intermediate_size": 1024}, 6_919_161_856),
    ("Phi-3.5-MoE", {"model_type": "phimoe", "attention_bias": True, "lm_head_bias": True}, 41_873_153_344),
    ("DBRX", DBRX, 131_596_523_520),
    ("Mamba-Codestral-7B", {"model_type": "mamba2"}, 7_285_403_648),
    ("Falcon-H1-0.5B", FALCON_H1_05B, 521_411_104),
    ("Qwen3-VL-8B", QWEN3_VL_8B, 8_767_123_696),
    ("LFM2-1.2B", LFM2_12B, 1_170_340_608),
    ("bart-large", {"model_type": "bart"}, 406_291_456),
    ("mbart-large-50", {"model_type": "mbart", "vocab_size": 250_054}, 610_879_488),
    ("deberta-v3-base", DEBERTA_V3, 183_831_552),
    ("ModernBERT-base", {"model_type": "modernbert"}, 149_655_232),
    ("albert-base-v2", ALBERT_BASE, 11_221_680),
]


@pytest.mark.parametrize(("name", "config", "parameters"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_totals_are_those_published(name: str, config: dict[str, Any], parameters: int) -> None:
    assert total(config) == parameters


def test_what_the_hub_stores_of_glm_45_air_is_the_model_its_mtp_layer_and_two_tables_more() -> None:
    copies = 2 * 151_552 * 4096
    assert total(GLM_45_AIR) + buffers(GLM_45_AIR) + stored(GLM_45_AIR, "mtp") + copies == 110_468_824_832


@pytest.mark.parametrize(
    ("config", "on_the_hub"),
    [
        ({"model_type": "qwen3_next", "mtp_num_hidden_layers": 1}, 81_324_862_720),
        (QWEN35_27B, 27_781_427_952),
    ],
    ids=["Qwen3-Next-80B-A3B", "Qwen3.5-27B"],
)
def test_what_the_hub_stores_of_qwen_is_the_model_and_its_mtp_layer(config: dict[str, Any], on_the_hub: int) -> None:
    assert total(config) + stored(config, "mtp") == on_the_hub
    assert stored(config, "mtp") > 0


def test_a_qwen3_next_layer_keeps_a_state_of_1_097_728_bytes() -> None:
    states = build_ledger({"model_type": "qwen3_next"}).states
    assert sum(s.fixed for s in states) * 2 == 1_097_728
    assert {s.kind: s.repeats for s in states} == {"linear": 36, "conv": 36, "full": 12}


def test_the_interval_of_full_attention_may_be_given() -> None:
    config = {"model_type": "qwen3_next", "num_hidden_layers": 4, "full_attention_interval": 2}
    assert cached(config) == {"full": 2 * 2 * 2 * 256}


def test_a_nemotron_h_layer_keeps_16_900_096_bytes_for_its_ssm_state_is_in_float32() -> None:
    config = {
        "model_type": "nemotron_h",
        "hidden_size": 8192,
        "mamba_num_heads": 256,
        "ssm_state_size": 256,
        "hybrid_override_pattern": "M-*",
    }
    states = {s.kind: s for s in build_ledger(config).states}
    assert states["ssm"].dtype == "float32"
    assert states["conv"].fixed * 2 + states["ssm"].fixed * 4 == 16_900_096
    assert list(states["full"].layers or ()) == [2]


def test_nemotron_h_reads_lists_and_patterns_alike() -> None:
    listed = {"layers_block_type": ["mamba", "mlp", "attention", "moe"]}
    pattern = {"hybrid_override_pattern": "M-*E"}
    neither = {"layers_block_type": ["linear_attention", "moe", "full_attention", "mlp"]}
    base = {"model_type": "nemotron_h"}
    assert total(base | listed) == total(base | pattern)
    assert total(base | neither) == total(base)


def test_nemotron_h_takes_older_names_first_and_experts_in_a_latent() -> None:
    base = {"model_type": "nemotron_h", "hybrid_override_pattern": "M"}
    assert total(base | {"mamba_d_conv": 2, "mamba_conv_bias": False}) == total(
        base | {"conv_kernel": 2, "use_conv_bias": False}
    )
    latent = {"model_type": "nemotron_h", "hybrid_override_pattern": "E", "moe_latent_size": 512}
    assert part(latent, "experts") == 8 * 2 * 7688 * 512 + 2 * 4096 * 512


def test_bamba_has_attention_where_it_is_listed() -> None:
    assert cached({"model_type": "bamba"}) == {}
    assert cached({"model_type": "bamba", "attn_layer_indices": [9, 18, 27]}) == {"full": 3 * 2 * 1024}


def test_falcon_h1_has_both_in_every_layer() -> None:
    states = build_ledger(FALCON_H1_05B).states
    assert {s.kind: s.repeats for s in states} == {"full": 36, "ssm": 36, "conv": 36}
    wider = FALCON_H1_05B | {"mamba_d_ssm": None, "mamba_n_heads": 32}
    assert build_ledger(wider).states[1].fixed > states[1].fixed


def test_lfm2_keeps_two_inputs_of_each_convolution() -> None:
    states = {s.kind: s for s in build_ledger(LFM2_12B).states}
    assert (states["conv"].fixed, states["conv"].repeats) == (2048 * 2, 10)
    assert cached({"model_type": "lfm2", "num_hidden_layers": 2}) == {"full": 2 * 2 * 640}


def test_lfm2_takes_a_width_as_it_is_or_by_rule() -> None:
    base = {"model_type": "lfm2", "num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 90}
    assert part(base | {"block_auto_adjust_ff_dim": False}, "mlp") == 3 * 64 * 90
    assert part(base | {"block_ffn_dim_multiplier": None}, "mlp") == 3 * 64 * 60
    assert part(base | {"block_multiple_of": 32}, "mlp") == 3 * 64 * 64


def test_an_untied_bart_has_a_table_for_each_stack_and_the_head() -> None:
    assert total({"model_type": "bart", "tie_word_embeddings": False}) - total({"model_type": "bart"}) == (
        3 * 50_265 * 1024
    )


def test_bart_has_three_labels_unless_told() -> None:
    config = {"model_type": "bart", "architectures": ["BartForSequenceClassification"]}
    three, five = total(config), total(config | {"num_labels": 5})
    assert five - three == 2 * (1024 + 1)


def test_a_bart_decoder_alone_is_tied_to_its_own_table() -> None:
    ledger = build_ledger({"model_type": "bart", "architectures": ["BartForCausalLM"]})
    (head,) = [t for t in ledger.tensors if t.name == "lm_head.weight"]
    assert head.tied_to == "model.decoder.embed_tokens.weight"
    assert head.tied_to in {t.name for t in ledger.tensors}


def test_albert_stores_one_layer_and_passes_through_twelve() -> None:
    one, twelve = (build_ledger(ALBERT_BASE | {"num_hidden_layers": n}) for n in (1, 12))
    assert sum(t.stored for t in one.tensors) == sum(t.stored for t in twelve.tensors)
    tied = sum(t.elements for t in twelve.tensors if t.tied_to and "albert_layers" in t.name)
    assert tied == 11 * sum(t.stored for t in one.tensors if "albert_layers" in t.name)


def test_deberta_has_projections_for_distances_unless_they_are_shared() -> None:
    config = DEBERTA_V3 | {"share_att_key": False}
    assert total(config) - total(DEBERTA_V3) == 12 * 2 * (768 * 768 + 768)
    assert total(config | {"pos_att_type": ["c2p"]}) - total(DEBERTA_V3) == 12 * (768 * 768 + 768)


def test_deberta_has_what_its_switches_ask_for() -> None:
    base = total(DEBERTA_V3)
    assert total(DEBERTA_V3 | {"position_biased_input": True, "type_vocab_size": 2}) - base == (512 + 2) * 768
    assert total(DEBERTA_V3 | {"conv_kernel_size": 3, "conv_groups": 2}) - base == 768 * 384 * 3 + 768 + 2 * 768
    assert total(DEBERTA_V3 | {"position_buckets": -1}) - base == 2 * (512 - 256) * 768
    narrow = DEBERTA_V3 | {"embedding_size": 128}
    assert part(narrow, "embedding") == 128_100 * 128 + 128 * 768
    scored = {"model_type": "deberta-v2", "legacy": False}
    assert part(scored, "head") == 1536 * 1536 + 1536 + 128_100


def test_debertas_pooler_may_have_a_width_of_its_own() -> None:
    config = DEBERTA_V3 | {"architectures": ["DebertaV2ForSequenceClassification"]}
    assert part(config, "other") == 768 * 768 + 768
    assert part(config | {"pooler_hidden_size": 64}, "other") == 64 * 64 + 64


def test_deepseek_v32_keeps_a_latent_and_an_index_key_and_looks_at_2048_tokens() -> None:
    states = build_ledger({"model_type": "deepseek_v32"}).states
    assert sorted((s.per_token, s.window) for s in states if s.per_token) == [(128, None), (576, None)]
    assert [(s.per_token, s.decode_flops_per_pos) for s in states if s.window == 2048] == [(0, 2 * 128 * 1088)]


def test_what_the_hub_stores_of_glm_5_is_the_model_and_its_mtp_layer() -> None:
    config = {"model_type": "glm_moe_dsa", "num_nextn_predict_layers": 1}
    assert total(config) + buffers(config) + stored(config, "mtp") == 753_864_139_008


def test_layers_of_glm_5_share_what_an_indexer_picked_by_list_by_pattern_or_by_rule() -> None:
    base = {"model_type": "glm_moe_dsa", "num_hidden_layers": 4}
    listed = base | {"indexer_types": ["full", "shared", "shared", "full"]}
    assert cached(listed) == {"full": 4 * 576 + 2 * 128}
    assert cached(base | {"index_topk_pattern": "FSSF"}) == cached(listed)
    assert cached(base | {"index_topk_freq": 2, "index_skip_topk_offset": 1}) == {"full": 4 * 576 + 2 * 128}
    assert cached(base) == {"full": 4 * (576 + 128)}


def test_upper_layers_of_gemma3n_keep_nothing() -> None:
    config = {"model_type": "gemma3n_text"}
    assert cached(config) == {"sliding": 16 * 2 * 512, "full": 4 * 2 * 512}
    rows = {t.name: t for t in build_ledger(config).tensors}
    assert len(rows["model.layers.{}.self_attn.k_proj.weight"].layers or ()) == 20
    assert len(rows["model.layers.{}.self_attn.q_proj.weight"].layers or ()) == 35
    assert total(config) == 6_835_235_568
    assert rows["model.embed_tokens_per_layer.weight"].stored == 2_348_810_240


def test_layers_of_gemma3n_may_differ_in_width() -> None:
    base = {"model_type": "gemma3n_text", "num_hidden_layers": 5, "num_kv_shared_layers": 0}
    assert part(base | {"intermediate_size": [64, 64, 96, 64, 96]}, "mlp") == 3 * 2048 * (3 * 64 + 2 * 96)
    assert part(base | {"intermediate_size": 64}, "mlp") == 3 * 2048 * 5 * 64
    assert build_ledger(base | {"intermediate_size": [64, 64, 96, 64, 96]}).text.ffn == 96


def test_a_single_stream_needs_no_projections() -> None:
    names = {t.name for t in build_ledger({"model_type": "gemma3n_text", "altup_num_inputs": 1}).tensors}
    assert not any("altup_projections" in name for name in names)


def test_modernbert_looks_64_tokens_around_in_two_layers_of_three() -> None:
    states = {s.kind: s for s in build_ledger({"model_type": "modernbert"}).states}
    assert (states["sliding"].window, states["sliding"].repeats) == (129, 14)
    assert cached({"model_type": "modernbert"}) == {}


def test_deepstack_adds_a_merger_for_each_layer_that_it_takes() -> None:
    stacked = part(QWEN3_VL_8B, "projector")
    plain = part(
        QWEN3_VL_8B | {"vision_config": {"out_hidden_size": 4096, "deepstack_visual_indexes": []}}, "projector"
    )
    merged = 4 * 1152
    assert stacked - plain == 3 * (2 * merged + merged * merged + merged + merged * 4096 + 4096)


def test_experts_of_dbrx_are_used_four_in_sixteen() -> None:
    assert total(DBRX) - active(DBRX) == part(DBRX, "experts") * 12 // 16


def test_a_correction_bias_is_stored_but_is_no_parameter() -> None:
    assert buffers({"model_type": "minimax_m2"}) == 62 * 256


def test_other_classes_have_only_their_part() -> None:
    whisper = {"model_type": "whisper", "architectures": ["WhisperForAudioClassification"]}
    assert part(whisper, "head") == 384 * 256 + 256 + 2 * 256 + 2
    assert part(whisper | {"use_weighted_layer_sum": True}, "head") == part(whisper, "head") + 5
    clip = {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"]}
    assert part(clip, "projector") == 768 * 512


def test_a_convolution_may_go_without_biases() -> None:
    with_bias, without = (total({"model_type": "mamba", "use_conv_bias": flag}) for flag in (True, False))
    assert with_bias - without == 32 * 1536


REFUSED = [
    ({"model_type": "dbrx", "ffn_config": [1]}, "ffn_config is not an object"),
    ({"model_type": "dbrx", "ffn_config": {"moe_top_k": 5}}, "5 of 4 experts per token"),
    ({"model_type": "bamba", "attn_layer_indices": 3}, "attn_layer_indices is not a list"),
    ({"model_type": "mamba2", "num_heads": 100}, "8192 channels are not a multiple of 100 heads"),
    ({"model_type": "nemotron_h", "hybrid_override_pattern": "M?"}, "is not made of M, E, * and -"),
    ({"model_type": "nemotron_h", "layers_block_type": ["magic"]}, "layers of kind 'magic' are not known"),
    ({"model_type": "nemotron_h", "num_experts_per_tok": 9}, "9 of 8 experts per token"),
    ({"model_type": "qwen3_next", "full_attention_interval": 0}, "full_attention_interval is 0"),
    ({"model_type": "qwen3_vl", "vision_config": {"deepstack_visual_indexes": 3}}, "is not a list of layers"),
    ({"model_type": "lfm2", "full_attn_idxs": 3}, "full_attn_idxs is not a list"),
    ({"model_type": "lfm2", "block_ffn_dim_multiplier": "1"}, "block_ffn_dim_multiplier is '1', not a number"),
    ({"model_type": "glm_moe_dsa", "index_topk_pattern": "FS"}, "index_topk_pattern names 2 of 78 layers"),
    ({"model_type": "glm_moe_dsa", "index_topk_pattern": "X" * 78}, "layers of kind 'X' are not known"),
    ({"model_type": "deepseek_v32", "q_lora_rank": None}, "q_lora_rank is null"),
    ({"model_type": "gemma3n_text", "num_kv_shared_layers": 32}, "no layer keeps keys and values for those with full_"),
    ({"model_type": "gemma3n_text", "num_kv_shared_layers": 35}, "no layer keeps keys and values"),
    ({"model_type": "gemma3n_text", "intermediate_size": [64]}, "intermediate_size names 1 of 35 layers"),
    ({"model_type": "gemma3n_text", "layer_types": ["chunk"] * 35}, "layers of kind 'chunk' are not known"),
    ({"model_type": "albert", "num_hidden_groups": 13}, "13 groups for 12 layers"),
    ({"model_type": "deberta-v2", "attention_head_size": 32}, "24 heads of 32 are not as wide"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
