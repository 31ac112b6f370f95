"""Models that hear speech, and that speak: conformers, encoders of waveforms, projectors and vocoders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

GRANITE = {"model_type": "granite_speech"}
PLUS = {"model_type": "granite_speech_plus"}
VIBEVOICE = {"model_type": "vibevoice_asr"}
TRANSCRIBE = {"model_type": "nemo_speechlm"}
VOICES = {"model_type": "nemotron3_diarization"}
OMNI = {"model_type": "nemotron_h_omni"}
SOUND = {"projection_hidden_size": 64, "projection_bias": False}
SEAMLESS = {"model_type": "seamless_m4t"}
SEAMLESS_2 = {"model_type": "seamless_m4t_v2"}


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (GRANITE, 6_990_441_514),
        (VIBEVOICE, 12_772_521_344),
        (TRANSCRIBE, 32_361_750_159),
        (OMNI, 2_659_803_008),
        ({"model_type": "radio"}, 651_727_360),
        ({"model_type": "parakeet_encoder"}, 607_749_120),
        (SEAMLESS, 1_370_531_840),
        (SEAMLESS | {"architectures": ["SeamlessM4TModel"]}, 2_359_990_658),
        (SEAMLESS_2 | {"architectures": ["SeamlessM4Tv2Model"]}, 2_309_249_669),
    ],
)
def test_totals_are_those_of_the_class(config: dict[str, Any], parameters: int) -> None:
    assert total(config) == parameters


@pytest.mark.parametrize("config", [GRANITE, VIBEVOICE, TRANSCRIBE, OMNI | {"audio_config": SOUND}])
def test_only_the_text_keeps_anything(config: dict[str, Any]) -> None:
    ledger = build_ledger(config)
    assert sum(cached(config).values()) > 0
    assert all(state.stack == "decoder" for state in ledger.states if state.per_token or state.fixed)


def test_a_head_of_granite_speech_is_tied_unless_the_whole_says_otherwise() -> None:
    assert total(GRANITE | {"tie_word_embeddings": False}) - total(GRANITE) == part(GRANITE, "embedding")


def test_a_conformer_has_a_head_width_of_its_own_and_answers_to_both_names_of_its_sizes() -> None:
    wide = GRANITE | {"encoder_config": {"dim_head": 256}}
    assert part(wide, "audio") - part(GRANITE, "audio") == 10 * (4 * 1024 * 1024 + 1025 * 128)
    assert total(GRANITE | {"encoder_config": {"num_hidden_layers": 4}}) == total(
        GRANITE | {"encoder_config": {"num_layers": 4}}
    )


def test_batch_norms_store_what_they_have_seen_and_count_it_as_no_parameter() -> None:
    assert buffers(GRANITE) == 10 * (2 * 2048 + 1)


def test_a_longer_window_has_more_queries_of_the_same_width() -> None:
    assert total(GRANITE | {"window_size": 30}) - total(GRANITE) == 3 * 768


def test_granite_speech_plus_widens_what_its_queries_see() -> None:
    encoder = {"cat_hidden_layers": [3], "num_layers": 10}
    plus = PLUS | {"encoder_config": encoder, "projector_config": {"encoder_hidden_size": 2048}}
    assert total(plus) - total(PLUS) == 6 * 2 * 768 * (2048 - 1408)


def test_the_two_encoders_of_vibevoice_differ_in_what_they_give() -> None:
    assert part(VIBEVOICE, "projector") == 4096 * (64 + 128 + 2 * 4096) + 4 * 4096 + 2 * 4096
    same: dict[str, Any] = VIBEVOICE | {"semantic_tokenizer_encoder_config": {}}
    assert total(same) < total(VIBEVOICE)


def test_a_vibevoice_stage_may_have_no_blocks() -> None:
    tokenizer = {"model_type": "vibevoice_acoustic_tokenizer_encoder", "downsampling_ratios": [2], "num_filters": 4}
    stem, down, head = 4 * 7 + 4, 8 * 4 * 4 + 8, 64 * 8 * 7 + 64
    assert total(tokenizer | {"depths": [0, 0]}) == stem + down + head


def test_the_speakers_are_told_apart_by_a_model_within() -> None:
    named = VOICES | {"architectures": ["Nemotron3DiarizationForAudioFrameClassification"]}
    assert total(named) - total(VOICES) == 192 * 192 + 192 + 192 * 8 + 8 + 512
    fewer = {"head_config": {"num_speakers": 4}}
    assert total(named) - total(named | fewer) == 4 * (192 + 1)


def test_a_token_of_transcribed_text_passes_six_of_128_experts() -> None:
    assert active(TRANSCRIBE) == 4_363_886_223


def test_omni_hears_only_where_it_has_a_section_for_sound() -> None:
    assert part(OMNI, "audio") == 0
    hearing = OMNI | {"audio_config": SOUND}
    encoder = {"model_type": "parakeet_encoder", "attention_bias": False}
    assert part(hearing, "audio") == total(encoder)
    assert part(hearing, "projector") - part(OMNI, "projector") == 1024 + 1024 * 64 + 64 * 4096


def test_omni_answers_to_the_names_that_released_files_have() -> None:
    text = {"hybrid_override_pattern": "M*", "hidden_size": 512}
    newer = OMNI | {"text_config": text, "audio_config": SOUND, "vision_hidden_size": 640}
    older = OMNI | {"llm_config": text, "sound_config": SOUND | {"model_type": "parakeet"}, "vit_hidden_size": 640}
    assert total(newer) == total(older)


def test_omni_takes_the_newer_name_where_it_says_something() -> None:
    newer = OMNI | {"vision_hidden_size": 640}
    assert total(newer | {"vit_hidden_size": 320}) == total(newer)
    assert total(OMNI | {"vision_hidden_size": 1280, "vit_hidden_size": 640}) == total(newer)


def test_omni_normalizes_what_it_sees_where_its_text_guesses_ahead() -> None:
    guessing = OMNI | {"text_config": {"num_nextn_predict_layers": 1}}
    assert total(guessing) - total(OMNI | {"text_config": {}}) == 2 * 1280


def test_radio_alone_keeps_the_colours_that_omni_leaves_out() -> None:
    names = {tensor.name for tensor in build_ledger({"model_type": "radio"}).tensors}
    within = {tensor.name for tensor in build_ledger(OMNI).tensors}
    assert "input_conditioner.norm_mean" in names
    assert not any("input_conditioner" in name for name in within)
    assert buffers({"model_type": "radio", "summary_idxs": [0, 1, 2]}) == 3 + 3 + 3


def test_a_gated_mlp_of_radio_is_two_thirds_as_wide_in_steps_of_eight() -> None:
    gated = build_ledger({"model_type": "radio", "use_swiglu_ffn": True, "hidden_size": 1280, "mlp_ratio": 4.0})
    widths = {tensor.shape[0] for tensor in gated.tensors if tensor.name.endswith("mlp.up_proj.weight")}
    assert widths == {3416}


def test_seamless_keeps_a_cache_of_what_it_writes_and_of_what_it_reads() -> None:
    whole = SEAMLESS | {"architectures": ["SeamlessM4TModel"]}
    assert cached(SEAMLESS) == {"full": 24 * 2 * 1024, "cross": 24 * 2 * 1024}
    kept = [s for s in build_ledger(whole).states if s.stack == "decoder"]
    assert sum(s.per_token * s.repeats for s in kept) == 2 * 24 * 2 * 1024


def test_sound_is_no_part_of_what_text_passes_in_seamless() -> None:
    spoken = SEAMLESS | {"architectures": ["SeamlessM4TForTextToSpeech"]}
    units = SEAMLESS | {"architectures": ["SeamlessM4TTextToUnitForConditionalGeneration"]}
    vocoder = SEAMLESS | {"architectures": ["SeamlessM4TCodeHifiGan"]}
    assert part(spoken, "audio") == total(units) + total(vocoder)
    assert total(spoken) == total(SEAMLESS) + part(spoken, "audio")


def test_seamless_says_the_shape_of_the_model_that_is_named() -> None:
    def layers(name: str | list[str]) -> int:
        return int(build_ledger(SEAMLESS | {"architectures": name}).text.layers)

    assert layers([]) == 24
    assert layers("SeamlessM4TModel") == 24
    assert layers(["SeamlessM4TTextToUnitForConditionalGeneration"]) == 6
    assert layers(["SeamlessM4TCodeHifiGan"]) == 0


def test_untied_every_table_of_seamless_is_stored() -> None:
    assert total(SEAMLESS | {"tie_word_embeddings": False}) - total(SEAMLESS) == 3 * 256_102 * 1024


@pytest.mark.parametrize(
    ("kind", "parameters", "stored"),
    [("relative", 24 * (1024 * 1024 + 2 * 1024), 0), ("rotary", 0, 32), ("none", 0, 0)],
)
def test_how_seamless_counts_distances_is_a_matter_of_its_config(kind: str, parameters: int, stored: int) -> None:
    hearing = SEAMLESS | {"architectures": ["SeamlessM4TForSpeechToText"]}
    plain = hearing | {"position_embeddings_type": "no such"}
    said = hearing | {"position_embeddings_type": kind}
    assert total(said) - total(plain) == parameters
    assert buffers(said) - buffers(plain) == stored


def test_a_newer_seamless_learns_a_vector_for_each_distance() -> None:
    hearing = SEAMLESS_2 | {"architectures": ["SeamlessM4Tv2ForSpeechToText"]}
    assert total(hearing) - total(hearing | {"position_embeddings_type": "none"}) == 24 * 73 * 64


VOICE = SEAMLESS | {"architectures": ["SeamlessM4TCodeHifiGan"]}
TOKENIZER = {"model_type": "vibevoice_acoustic_tokenizer_encoder"}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (GRANITE | {"projector_config": {"model_type": "bert"}}, "projector_config of type 'bert' is not followed"),
        (GRANITE | {"text_config": {"model_type": "gpt2"}}, "tied to an embedding that gpt2 does not have"),
        (
            GRANITE | {"text_config": {"model_type": "helium", "head_dim": 1}},
            "helium: .* do not add up to hidden_size",
        ),
        (GRANITE | {"downsample_rate": 0}, "downsample_rate is 0"),
        (PLUS | {"encoder_config": {"cat_hidden_layers": [1]}}, "encoder_hidden_size 1408 is not 2 x 1024"),
        (PLUS | {"encoder_config": {"cat_hidden_layers": 1}}, "cat_hidden_layers is not a list"),
        (VIBEVOICE | {"acoustic_tokenizer_encoder_config": {"model_type": "llama"}}, "of type 'llama' is not followed"),
        (TOKENIZER | {"depths": [1]}, "depths has 1 entries where 7 are needed"),
        (TOKENIZER | {"depths": [20_000] * 7}, "out of range"),
        (TOKENIZER | {"downsampling_ratios": [2] * 17, "depths": [1] * 18}, "out of range"),
        (VOICES | {"head_config": 3}, "head_config is not an object"),
        (VOICES | {"audio_config": {"hidden_size": 256}}, "audio_hidden_size is 512, audio_config.hidden_size is 256"),
        (VOICES | {"audio_config": {"num_attention_heads": 7}}, "hidden size 512 is not a multiple of its 7 heads"),
        (
            TRANSCRIBE | {"audio_config": {"diarization_config": {"model_type": "bert"}}},
            "diarization_config of type 'bert' is not followed",
        ),
        (
            TRANSCRIBE | {"audio_config": {"diarization_config": {"head_config": {"subsampling_factor": 4}}}},
            "head_config.subsampling_factor is 4",
        ),
        (OMNI | {"text_config": {"model_type": "llama"}}, "text_config of type 'llama' is not followed"),
        (OMNI | {"audio_config": {"model_type": "bert"}}, "audio_config of type 'bert' is not followed"),
        (OMNI | {"audio_config": {}}, "projection_hidden_size"),
        (OMNI | {"video_temporal_patch_size": 3}, "video_temporal_patch_size is not 3"),
        (OMNI | {"downsample_ratio": 2.0}, "merged patches by downsample_ratio is 0, out of range"),
        (OMNI | {"downsample_ratio": "half"}, "downsample_ratio is 'half', not a number in range"),
        ({"model_type": "radio", "norm_mean": 0.5}, "norm_mean is not a list"),
        (SEAMLESS | {"position_embeddings_type": None, "architectures": ["SeamlessM4TModel"]}, "None, not a name"),
        (VOICE | {"resblock_dilation_sizes": [1, 3]}, "resblock_dilation_sizes is not a list of lists"),
        (VOICE | {"upsample_rates": []}, "upsample_rates is empty"),
        (VOICE | {"upsample_initial_channel": 8}, "upsample_initial_channel, halved 4 times is 0, out of range"),
    ],
)
def test_what_the_ledger_does_not_follow_is_refused_with_a_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
