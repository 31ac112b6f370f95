"""Models whose tokens are codes of images, or bytes, and towers that are known by name alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError
from zoo.arch.rows import State

Config = dict[str, Any]

CHAMELEON: Config = {"model_type": "chameleon"}
EMU3: Config = {"model_type": "emu3"}
JANUS: Config = {"model_type": "janus"}
BLT: Config = {"model_type": "blt"}
FAST_VLM: Config = {"model_type": "fast_vlm"}
PE_CORE: Config = {"model_type": "timm_wrapper", "architecture": "vit_pe_core_large_patch14_336"}
FASTVIT: Config = {
    "model_type": "timm_wrapper",
    "architecture": "fastvit_mci3",
    "model_args": {"inference_mode": True},
}
PERCEPTION: Config = {
    "model_type": "perception_lm",
    "vision_config": PE_CORE | {"model_args": {"embed_dim": 1024, "depth": 23, "global_pool": ""}},
}


def codec(model_type: str, **keys: Any) -> Config:
    return {"model_type": model_type, **keys}


def test_chameleon_is_7_billion_and_its_codec_is_vision() -> None:
    assert total(CHAMELEON) == 7_043_090_432
    assert part(CHAMELEON, "vision") == total(codec("chameleon_vqgan")) == 29_423_616
    assert cached(CHAMELEON) == {"full": 2 * 4096 * 32}


def test_each_head_of_chameleon_has_norms_of_its_own() -> None:
    shapes = {t.name: t.shape for t in build_ledger(CHAMELEON | {"num_key_value_heads": 8}).tensors}
    assert shapes["model.layers.{}.self_attn.q_norm.weight"] == (32, 128)
    assert shapes["model.layers.{}.self_attn.k_norm.bias"] == (8, 128)


def test_a_listed_resolution_attends_and_another_word_than_vanilla_attends_nowhere() -> None:
    plain, listed = codec("chameleon_vqgan"), codec("chameleon_vqgan", attn_resolutions=[512, 33])
    attention = 2 * 128 + 4 * (128 * 128 + 128)
    assert total(listed) - total(plain) == 2 * attention
    without = codec("chameleon_vqgan", attn_resolutions=[512], attn_type="none")
    assert total(plain) - total(without) == 2 * 512 + 4 * (512 * 512 + 512)


def test_emu3_counts_the_statistics_of_its_norms_as_buffers() -> None:
    assert total(EMU3) == 8_762_751_807
    assert buffers(EMU3) == buffers(codec("emu3_vqgan")) == 2 * 2 * 2 * (4 + 4 + 1)
    assert part(EMU3, "vision") == total(codec("emu3_vqgan"))


def test_emu3_without_halvings_has_no_convolutions_over_time_alone() -> None:
    names = [t.name for t in build_ledger(codec("emu3_vqgan", temporal_downsample_factor=1)).tensors]
    assert not any("time_conv" in name for name in names)
    assert any("time_res_stack" in name for name in names)


def test_the_text_of_emu3_stands_alone_under_its_own_tie() -> None:
    alone = EMU3 | {"architectures": ["Emu3ForCausalLM"]}
    assert total(alone) == total({"model_type": "emu3_text_model"})
    assert part(alone | {"text_config": {"tie_word_embeddings": True}}, "head") == 0
    assert part(EMU3 | {"text_config": {"tie_word_embeddings": True}}, "head") == 184_622 * 4096


def test_emu3_honours_a_bias_that_its_class_declares_no_default_for() -> None:
    text = {"model_type": "emu3_text_model"}
    assert total(text | {"attention_bias": True}) - total(text) == 32 * (2 * 4096 + 2 * 1024)
    assert total(text | {"attention_bias": None}) == total(text)


def test_janus_is_tied_unless_the_whole_says_otherwise() -> None:
    assert total(JANUS) == 7_031_324_299
    assert part(JANUS, "head") == 0
    assert part(JANUS | {"tie_word_embeddings": False}, "head") == 32_000 * 4096


def test_what_janus_draws_with_is_vision_and_what_joins_it_to_the_text_is_projector() -> None:
    towers = total(codec("janus_vision_model")) + total(codec("janus_vqgan"))
    assert part(JANUS, "vision") == towers
    seen = 1024 * 2048 + 2048 + 2048 * 2048 + 2048
    drawn = 16384 * 8 + 8 * 2048 + 2048 + 2048 * 2048 + 2048
    chosen = 2048 * 2048 + 2048 + 2048 * 16384 + 16384
    assert part(JANUS, "projector") == seen + drawn + chosen


def test_an_aligner_of_one_layer_has_no_more() -> None:
    one = JANUS | {"vision_config": {"depth": 1}}
    assert part(JANUS, "projector") - part(one, "projector") == 2048 * 2048 + 2048


def test_a_codec_keeps_the_channels_of_each_level_and_shares_rows_among_its_blocks() -> None:
    two, many = (codec("janus_vqgan", num_res_blocks=blocks) for blocks in (2, 40))
    assert len(build_ledger(two).tensors) == len(build_ledger(many).tensors)
    assert total(many) > total(two)


def test_the_level_of_the_lowest_resolution_attends_and_one_block_may_be_all_of_a_level() -> None:
    names = {t.name for t in build_ledger(codec("janus_vqgan", num_res_blocks=1)).tensors}
    assert "encoder.down.4.attn.{}.q.weight" in names
    assert "encoder.down.3.attn.{}.q.weight" not in names
    assert {name for name in names if name.startswith("encoder.down.4.block.") and "conv1.w" in name} == {
        "encoder.down.4.block.{}.conv1.weight"
    }


def test_blt_1b_is_4_6_billion_two_thirds_of_them_hashes() -> None:
    assert total(BLT) == 4_633_127_680
    assert part(BLT, "embedding") == 500_002 * 6 * 1024 + 260 * 1024
    assert part(BLT, "other") == 99_512_064 + 1024 * 2048 + 2048 * 2048


def test_blt_keeps_patches_whole_and_bytes_within_the_window() -> None:
    assert cached(BLT) == {"full": 25 * 2 * 2048, "sliding": 10 * 2 * 1024}
    assert cached(BLT | {"local_attention_window_len": None}) == {"full": 25 * 2 * 2048 + 10 * 2 * 1024}


def test_the_three_models_of_blt_follow_one_another() -> None:
    states = [s for s in build_ledger(BLT | {"patch_in_forward": False}).states if s.kind != "cross"]
    assert [layer for state in states for layer in state.layers or ()] == list(range(1 + 25 + 9))


def test_attention_to_the_vectors_of_a_patch_is_paid_and_not_kept() -> None:
    crossed = [s for s in build_ledger(BLT).states if s.kind == "cross"]
    again, attended = 2 * 2 * 1024 * 1024, 4 * 1024 * 2
    assert [(s.repeats, s.per_token, s.flops_per_token) for s in crossed] == [
        (1, 0, again + attended),
        (9, 0, again + attended),
    ]


def test_the_patcher_is_idle_unless_entropy_cuts() -> None:
    idle, without = BLT | {"patching_mode": "space"}, BLT | {"patch_in_forward": False}
    assert total(idle) == total(BLT) == total(without) + total({"model_type": "blt_patcher"})
    assert active(idle) == active(without)


def test_a_matrix_fits_patches_to_a_large_model_of_another_width() -> None:
    odd = BLT | {"cross_attn_k": 3}
    assert total(odd) - total(BLT) == 3 * 1024 * 2048


def test_blt_is_tied_where_head_and_table_are_alike() -> None:
    assert part(BLT | {"tie_word_embeddings": True}, "head") == 0


def states_of(config: Config) -> list[State]:
    return list(build_ledger(config).states)


def test_the_perception_encoder_is_pooled_in_its_core_version_alone() -> None:
    assert any(".attn_pool." in t.name for t in build_ledger(PE_CORE).tensors)
    lang = PE_CORE | {"architecture": "vit_pe_lang_large_patch14_448"}
    names = [t.name for t in build_ledger(lang).tensors]
    assert not any(".attn_pool." in name or name.startswith("timm_model.norm.") for name in names)
    assert "timm_model.blocks.{}.gamma_1" in names
    assert {state.repeats for state in states_of(lang)} == {23}


def test_arguments_that_are_null_change_nothing() -> None:
    assert total(PE_CORE | {"model_args": {"depth": None, "attn_pool_num_heads": None}}) == total(PE_CORE)


def test_pooling_falls_back_on_the_heads_and_ratio_of_the_layers() -> None:
    pooled = {"architecture": "vit_pe_spatial_base_patch16_512", "model_args": {"global_pool": "map"}}
    width = 768
    latent, attention = width, 4 * (width * width + width)
    mlp = 2 * 4 * width * width + 5 * width
    plain = PE_CORE | {"architecture": "vit_pe_spatial_base_patch16_512"}
    assert total(PE_CORE | pooled) - total(plain) == latent + attention + 2 * width + mlp


def test_a_classifier_has_one_output_for_each_class() -> None:
    classes = {"architectures": ["TimmWrapperForImageClassification"], "num_classes": 10}
    assert total(PE_CORE | classes) - total(PE_CORE) == 10 * (1024 + 1)
    named = FASTVIT | classes | {"label_names": list("abcdefghij")}
    assert total(named) - total(FASTVIT) == 10 * (3072 + 1)


def test_fast_vlm_folds_its_tower_and_keeps_its_statistics() -> None:
    assert total(FAST_VLM) == 7_762_651_744
    assert part(FAST_VLM, "vision") == total(FASTVIT)
    assert buffers(FAST_VLM) == 35_756
    assert cached(FAST_VLM) == {"full": 28 * 2 * 4 * 128}


def test_fast_vlm_is_tied_where_its_text_is_and_perception_lm_where_nothing_else_is_said() -> None:
    text = {"text_config": {"tie_word_embeddings": True}}
    assert part(FAST_VLM | text, "head") == 0
    assert part(PERCEPTION | text, "head") == 0
    assert part(PERCEPTION | text | {"tie_word_embeddings": False}, "head") == 32_000 * 4096


def test_the_perception_encoder_stands_in_perception_lm() -> None:
    assert part(PERCEPTION, "vision") == total(PERCEPTION["vision_config"])
    assert part(PERCEPTION, "projector") == 1024 * 4096 + 4096 + 4096 * 4096 + 4096


def test_what_reads_a_tower_known_by_name_goes_by_the_width_that_the_file_says() -> None:
    behind = {"model_type": "llava", "text_config": {"hidden_size": 64, "num_attention_heads": 4}}
    said, own = behind | {"vision_config": PE_CORE | {"hidden_size": 32}}, behind | {"vision_config": PE_CORE}
    assert part(own, "projector") - part(said, "projector") == (1024 - 32) * 64


def arguments(**keys: Any) -> Config:
    return PE_CORE | {"model_args": keys}


REFUSED = [
    (codec("chameleon_vqgan", attn_resolutions=16), "attn_resolutions is not a list of resolutions"),
    (codec("chameleon_vqgan", attn_type=1), "attn_type is 1, not a word"),
    (codec("chameleon_vqgan", channel_multiplier=[]), "channel_multiplier is not a list of 1 to 64 factors"),
    (codec("chameleon_vqgan", base_channels=100), "base_channels gives 100 channels, which do not divide into 32"),
    (codec("janus_vqgan", num_res_blocks=20_000), "num_res_blocks is 20000, out of range"),
    (codec("emu3_vqgan", attn_resolutions=None), "attn_resolutions is not a list of levels"),
    (codec("emu3_vqgan", num_attention_heads=3), "hidden_size is not a multiple of num_attention_heads"),
    (codec("janus_vision_model", mlp_ratio="4"), "mlp_ratio is '4', not a number above 0"),
    (JANUS | {"vision_config": {"depth": 10_000}}, "vision_config.depth is 10000, out of range"),
    (BLT | {"encoder_hash_byte_group_size": 3}, "encoder_hash_byte_group_size is not a list of sizes"),
    (BLT | {"vocab_size": 300, "tie_word_embeddings": True}, "ties a head and an embedding of different shapes"),
    (PE_CORE | {"architecture": "resnet50"}, "architecture 'resnet50' is not known"),
    (PE_CORE | {"architecture": None}, "architecture None is not known"),
    (PE_CORE | {"model_args": [1]}, "model_args is not an object"),
    (arguments(num_reg_tokens=4), "model_args.num_reg_tokens is not followed"),
    (arguments(global_pool="mean"), "model_args.global_pool 'mean' is not known"),
    (arguments(global_pool="token", class_token=False), "global_pool is 'token', and there is no class_token"),
    (arguments(init_values="small"), "model_args.init_values is 'small', not a number"),
    (arguments(mlp_ratio=0), "model_args.mlp_ratio is 0, not a number above 0"),
    (arguments(embed_dim=48, num_heads=4, attn_pool_num_heads=9), "is not a multiple of the 9 heads that pool"),
    (FASTVIT | {"model_args": None}, "model_args.inference_mode is not true"),
    (
        FASTVIT | {"architectures": ["TimmWrapperForImageClassification"], "num_classes": 3, "label_names": ["a"]},
        "label_names has 1 names for 3 classes",
    ),
    (PERCEPTION | {"vision_config": PE_CORE}, "has no 'vision_config.model_args.embed_dim'"),
    (FAST_VLM | {"vision_feature_layer": -2}, "vision_feature_layer is not -1"),
    (FAST_VLM | {"vision_feature_select_strategy": "default"}, "vision_feature_select_strategy is not 'full'"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: Config, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
