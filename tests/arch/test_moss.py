"""MOSS-Transcribe-Diarize: an encoder of sound before a text model."""

from __future__ import annotations

from tests.arch.ledgers import cached, part, total

MOSS = {"model_type": "moss_transcribe_diarize"}


def test_sound_text_and_projector_are_the_whole() -> None:
    assert total(MOSS) == 908_513_280
    assert part(MOSS, "audio") == total({"model_type": "moss_transcribe_diarize_audio"})
    assert part(MOSS, "projector") == 4 * 1024 * 1024 + 1024 + 1024 * 1024 + 1024 + 2 * 1024


def test_only_the_text_keeps_anything() -> None:
    assert cached(MOSS) == {"full": 28 * 2 * 8 * 128}


def test_more_frames_at_a_time_widen_the_projector_alone() -> None:
    assert total(MOSS | {"audio_merge_size": 5}) - total(MOSS) == 1024 * 1024


def test_the_encoder_is_read_by_its_older_names() -> None:
    older = MOSS | {"audio_config": {"encoder_layers": 12, "d_model": 1024}}
    assert part(older, "audio") < part(MOSS, "audio")
    assert total(older) == total(MOSS | {"audio_config": {"num_hidden_layers": 12}})
