"""NeoMME, Inkling with its towers, Muse Spark, GLM-5.3-Flash and dots 3 Note: what is kept, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

Json = dict[str, Any]

NEOMME: Json = {"model_type": "neomme"}
FOLDS: Json = {"model_type": "inkling_vision"}
SPARK_AUDIO: Json = {"model_type": "muse_spark_audio"}
GLM: Json = {"model_type": "glm5_next_text", "num_hidden_layers": 8}
PYRAMID: Json = {"model_type": "dots3_note_vision_encoder"}
EARS: Json = {"model_type": "dots3_note_audio_encoder"}


def test_neomme_sees_windows_to_both_sides_and_keeps_no_cache() -> None:
    ledger = build_ledger(NEOMME)
    windows = [(state.window, list(state.layers or ())) for state in ledger.states]
    assert windows == [(513, [0, 2, 4, 7, 9, 12, 14]), (2049, [1, 3, 6, 8, 10, 13, 15]), (None, [5, 11, 16])]
    assert cached(NEOMME) == {}
    assert total(NEOMME) == 262_937_906
    untied = total(NEOMME | {"tie_word_embeddings": False})
    assert untied - total(NEOMME) == 256 * (131_072 + 1024)


def test_the_tower_of_inkling_folds_a_patch_into_one_vector_of_the_text() -> None:
    names = [tensor for tensor in build_ledger(FOLDS).tensors if tensor.name.endswith("projection.weight")]
    assert len(names) == 24
    assert names[-1].shape[0] == 6144
    wider = {"model_type": "inkling_mm_model", "text_config": {"hidden_size": 512, "num_hidden_layers": 1}}
    assert part(wider, "audio") == 80 * 256 * 512 + 512


def test_a_prime_patch_folds_in_one_step_of_space_and_one_of_time() -> None:
    shapes = [t.shape for t in build_ledger(FOLDS | {"patch_size": 7, "n_layers": 3}).tensors]
    assert (192, 3 * 49) in shapes


def test_the_indexer_of_glm_5_3_keeps_keys_and_scores_in_every_fourth_layer() -> None:
    assert cached(GLM)["full"] == 2 * (512 + 2 * 128 + 1)
    assert cached(GLM | {"indexer_types": ["shared"] * 8})["full"] == 2 * 512
    assert cached(GLM | {"index_topk_pattern": "FFFFFFFS"})["full"] == 2 * 512 + 257
    frequent = GLM | {"index_topk_freq": 4, "index_skip_topk_offset": 0}
    assert cached(frequent)["full"] == 2 * (512 + 257)
    windows = {state.window for state in build_ledger(GLM).states if state.kind == "full"}
    assert windows == {None, 2048 + 15}
    tailless = build_ledger(GLM | {"index_kpool_always_select_tail": False})
    assert {state.window for state in tailless.states if state.kind == "full"} == {None, 2048}


def test_the_tower_of_dots_3_has_four_more_experts_in_each_layer() -> None:
    assert buffers(PYRAMID) == sum(range(4, 65, 4)) + 64
    experts = part({"model_type": "dots3_note_vision_encoder", "num_experts_per_tok": 3}, "vision")
    assert experts == part(PYRAMID, "vision")
    few = PYRAMID | {"num_hidden_layers": 2, "pyramid_num_routed": [-1, 1], "num_experts_per_tok": 8}
    assert buffers(few) == 1
    assert buffers(few | {"per_layer_config": {"1": {"num_local_experts": 16}}}) == 16


def test_older_files_of_dots_3_name_the_ears_as_whisper_does() -> None:
    older = {"whisper_config": {"encoder_layers": 2, "encoder_ffn_dim": 5120, "num_mel_bins": 128}}
    assert total(EARS | older) == total(EARS | {"num_hidden_layers": 2})
    assert total(EARS | {"whisper_adapter_out_dim": 4096}) == total(EARS | {"adapter_out_dim": 4096})


REFUSED: list[tuple[Json, str]] = [
    (NEOMME | {"layer_types": ["chunked_attention"] * 17}, "layers of kind 'chunked_attention' are not known"),
    (NEOMME | {"layer_types": ["sliding_attention"] * 17}, "no layer has full attention"),
    (NEOMME | {"sliding_window": None}, "sliding_attention layers have no sliding_window"),
    (NEOMME | {"num_key_value_heads": 3}, "16 heads do not share 3"),
    (FOLDS | {"n_layers": 3}, "n_layers is 3, fewer than the 6 scales"),
    (FOLDS | {"patch_size": 4096}, "patch_size or temporal_patch_size is over 1024"),
    (FOLDS | {"patch_size": 4, "num_channels": 4, "n_layers": 14}, "two scales for layer 2"),
    (FOLDS | {"patch_size": 1}, "patch_size is 1, out of range"),
    ({"model_type": "muse_spark_text", "hidden_size": 100}, "hidden_size 100 is not a multiple of 128 heads"),
    (SPARK_AUDIO | {"depths": [1]}, "depths does not hold a number for each of 4 layers"),
    (SPARK_AUDIO | {"depths": [1, 1, 1, 10**6]}, "depths holds 1000000, out of range"),
    (SPARK_AUDIO | {"mlp_ratio": "wide"}, "mlp_ratio is 'wide', not a ratio"),
    ({"model_type": "muse_spark", "audio_config": {"out_hidden_size": 8}}, "audio_config.out_hidden_size is 8"),
    (GLM | {"index_topk_pattern": "FS"}, "index_topk_pattern is not a letter for each layer"),
    (GLM | {"q_lora_rank": None}, "q_lora_rank is null"),
    (GLM | {"qk_rope_head_dim": 64}, "qk_rope_head_dim is 64"),
    (GLM | {"index_kpool": 3}, "index_topk is not a multiple of index_kpool"),
    (GLM | {"num_key_value_heads": 8}, "num_key_value_heads is not the number of heads, 64"),
    (PYRAMID | {"pyramid_num_routed": "all"}, "pyramid_num_routed is not a list of numbers"),
    (PYRAMID | {"mlp_layer_types": ["dense"]}, "mlp_layer_types names 1 of 42 layers"),
    (PYRAMID | {"num_hidden_layers": 30}, "pyramid_num_routed names more than 30 layers"),
    (PYRAMID | {"adapter_in_dim": 8}, "adapter_in_dim is 8, not the hidden size 1536"),
    (PYRAMID | {"adapter_merge_size": 1}, "adapter_merge_size is 1, but spatial_merge_size 2"),
    (PYRAMID | {"mlp_bias": True}, "mlp_bias is set, but experts have none"),
    (EARS | {"whisper_config": [1]}, "whisper_config is not an object"),
    ({"model_type": "dots3_note", "text_config": {"hidden_size": 64}}, "image and sound come 5120 and 5120 wide"),
    ({"model_type": "dots3_note", "audio_config": {"adapter_input_size": 8}}, "adapter_input_size is 8"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: Json, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
