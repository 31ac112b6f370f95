"""Encoders, encoder-decoders and models that see or hear: totals, caches, ties, old spellings, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

WHISPER_LARGE = {
    "model_type": "whisper",
    "d_model": 1280,
    "encoder_layers": 32,
    "decoder_layers": 32,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_ffn_dim": 5120,
    "num_mel_bins": 128,
    "vocab_size": 51866,
}
FLAN_T5_BASE = {
    "model_type": "t5",
    "d_model": 768,
    "d_ff": 2048,
    "num_layers": 12,
    "num_heads": 12,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
QWEN2_VL_TEXT = {
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
}
QWEN2_VL_VISION = {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "mlp_ratio": 4, "num_heads": 16}

PUBLISHED = [
    ("bert-base-uncased", {"model_type": "bert", "architectures": ["BertForMaskedLM"]}, 109_514_298),
    ("t5-small", {"model_type": "t5"}, 60_506_624),
    ("flan-t5-base", FLAN_T5_BASE, 222_903_552),
    ("whisper-large-v3", WHISPER_LARGE, 1_543_490_560),
    ("llava-1.5-7b", {"model_type": "llava"}, 7_062_902_784),
    (
        "Qwen2-VL-2B",
        {"model_type": "qwen2_vl", "tie_word_embeddings": True, "vision_config": QWEN2_VL_VISION} | QWEN2_VL_TEXT,
        2_208_985_600,
    ),
]


@pytest.mark.parametrize(("name", "config", "parameters"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_totals_are_those_published(name: str, config: dict[str, Any], parameters: int) -> None:
    assert total(config) == parameters


def test_an_encoder_caches_nothing_and_a_decoder_of_the_same_layers_does() -> None:
    assert cached({"model_type": "bert"}) == {}
    assert cached({"model_type": "bert", "is_decoder": True}) == {"full": 12 * 2 * 768}


def test_the_class_decides_whether_there_is_a_pooler() -> None:
    pooled, plain = (
        part({"model_type": "roberta", "architectures": [f"Roberta{head}"]}, "other")
        for head in ("ForMultipleChoice", "ForTokenClassification")
    )
    assert (pooled, plain) == (768 * 768 + 768, 0)


def test_an_untied_masked_language_model_has_two_biases_and_two_tables() -> None:
    tied, untied = (total({"model_type": "bert", "tie_word_embeddings": tie}) for tie in (True, False))
    assert untied - tied == 30_522 * 768 + 30_522


def test_electra_has_embeddings_of_their_own_width() -> None:
    assert part({"model_type": "electra", "architectures": ["ElectraModel"]}, "embedding") == (
        (30_522 + 2) * 128 + 128 * 256 + 256
    )
    same = {"model_type": "electra", "architectures": ["ElectraModel"], "embedding_size": 256}
    assert part(same, "embedding") == (30_522 + 2) * 256


def test_a_multiple_choice_may_go_without_the_projection_before_it() -> None:
    config = {"model_type": "electra", "architectures": ["ElectraForMultipleChoice"]}
    assert total(config) - total(config | {"summary_use_proj": False}) == 256 * 256 + 256
    assert total(config | {"summary_proj_to_labels": True, "num_labels": 3}) == (
        total(config | {"summary_use_proj": False}) + 3 * 256 + 3
    )


def test_t5_is_tied_whatever_the_config_says() -> None:
    assert total(FLAN_T5_BASE) == total(FLAN_T5_BASE | {"tie_word_embeddings": True})


def test_t5_holds_relative_positions_once_per_stack_and_umt5_in_every_layer() -> None:
    assert part({"model_type": "t5"}, "position") == 2 * 32 * 8
    assert part({"model_type": "umt5"}, "position") == (8 + 8) * 32 * 6


def test_an_encoder_alone_has_half_of_t5() -> None:
    names = {t.name for t in build_ledger({"model_type": "t5", "architectures": ["T5EncoderModel"]}).tensors}
    assert "encoder.final_layer_norm.weight" in names
    assert not any(name.startswith("decoder.") for name in names)


def test_t5_keeps_keys_and_values_of_itself_and_of_the_source() -> None:
    config = {"model_type": "t5", "num_layers": 6, "num_decoder_layers": 4}
    assert cached(config) == {"full": 4 * 1024, "cross": 4 * 1024}


def test_whisper_keeps_1500_positions_of_sound_whatever_the_length() -> None:
    (cross,) = [s for s in build_ledger(WHISPER_LARGE).states if s.kind == "cross"]
    assert cross.fixed == 2 * 1280 * 1500
    assert cross.window == 1500


def test_whispers_convolutions_are_audio_and_its_sinusoids_positions() -> None:
    assert part(WHISPER_LARGE, "audio") == 1280 * 128 * 3 + 1280 + 1280 * 1280 * 3 + 1280
    assert part(WHISPER_LARGE, "position") == (1500 + 448) * 1280


def test_a_decoder_alone_has_no_ears() -> None:
    assert part(WHISPER_LARGE | {"architectures": ["WhisperForCausalLM"]}, "audio") == 0


def test_a_vision_tower_is_vision_and_serves_no_cache() -> None:
    ledger = build_ledger({"model_type": "llava"})
    tower = [t for t in ledger.tensors if t.name.startswith("model.vision_tower.")]
    assert {t.part for t in tower} == {"vision"}
    assert sum(t.stored for t in tower) == 303_507_456
    assert cached({"model_type": "llava"}) == {"full": 2 * 4096 * 32}


def test_a_missing_section_is_what_the_wrapper_declares_and_an_empty_one_what_its_type_does() -> None:
    missing, empty = ({"model_type": "llava"}, {"model_type": "llava", "vision_config": {}})
    assert part(missing, "vision") == 303_507_456
    assert part(empty, "vision") == 87_456_000


def test_features_of_several_layers_widen_the_projector() -> None:
    one, two = (part({"model_type": "llava", "vision_feature_layer": layers}, "projector") for layers in (-2, [-2, -5]))
    assert two - one == 1024 * 4096


def test_llava_takes_any_text_model_that_is_known() -> None:
    config = {"model_type": "llava", "text_config": {"model_type": "qwen2_moe"}}
    assert part(config, "experts") == part({"model_type": "qwen2_moe"}, "experts")


def test_llava_is_tied_when_its_text_says_so() -> None:
    text = {"model_type": "qwen2", "tie_word_embeddings": True}
    assert part({"model_type": "llava", "text_config": text}, "head") == 0


def test_gemma3_asks_the_whole_for_the_tie_and_not_the_text() -> None:
    text = {"tie_word_embeddings": False}
    assert part({"model_type": "gemma3", "text_config": text}, "head") == 0
    assert part({"model_type": "gemma3", "tie_word_embeddings": False}, "head") == 262_208 * 2304


def test_mistral3_is_tied_by_default_and_merges_four_patches() -> None:
    assert part({"model_type": "mistral3"}, "head") == 0
    merger = 4 * 1024 * 1024
    assert part({"model_type": "mistral3"}, "projector") == 1024 + merger + 1024 * 5120 + 5120 * 5120


def test_llama4_asks_the_text_for_the_tie() -> None:
    config = {"model_type": "llama4", "text_config": {"tie_word_embeddings": True}, "tie_word_embeddings": False}
    assert part(config, "head") == 0


def test_old_qwen2_vl_files_keep_the_text_at_the_top() -> None:
    flat = {"model_type": "qwen2_vl", "vision_config": QWEN2_VL_VISION} | QWEN2_VL_TEXT
    nested = {"model_type": "qwen2_vl", "vision_config": QWEN2_VL_VISION, "text_config": QWEN2_VL_TEXT}
    assert total(flat) == total(nested)
    assert build_ledger(flat).states == build_ledger(nested).states


def test_qwen2_vl_files_that_give_the_tower_the_type_of_the_whole_are_read() -> None:
    config = {"model_type": "qwen2_vl", "vision_config": QWEN2_VL_VISION}
    mistyped = config | {"vision_config": QWEN2_VL_VISION | {"model_type": "qwen2_vl"}}
    assert total(mistyped) == total(config)


def test_the_merger_of_qwen_vl_is_its_projector() -> None:
    config = {"model_type": "qwen2_5_vl", "vision_config": {"hidden_size": 1280, "out_hidden_size": 2048}}
    merged = 4 * 1280
    assert part(config, "projector") == 1280 + merged * merged + merged + merged * 2048 + 2048


REFUSED = [
    ({"model_type": "bert", "hidden_size": 770}, "is not a multiple of its 12 heads"),
    ({"model_type": "t5", "feed_forward_proj": "swish-gelu"}, "feed_forward_proj 'swish-gelu' is not known"),
    ({"model_type": "t5", "feed_forward_proj": "gated-a-b"}, "feed_forward_proj 'gated-a-b' is not known"),
    ({"model_type": "llava", "vision_feature_layer": "last"}, "vision_feature_layer is 'last'"),
    ({"model_type": "llava", "vision_config": {"model_type": "eyes"}}, "model_type 'eyes' is not known"),
    ({"model_type": "llava", "vision_config": {"patch_size": 0}}, "patch_size is 0"),
    ({"model_type": "clip_vision_model", "patch_size": [14, 14]}, "patch_size is [14, 14], not a whole number"),
    ({"model_type": "gemma3", "text_config": ["gemma"]}, "text_config is not an object"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
