"""Moshi as a whole: its codec, its language model, and the decoder of its codes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, part, total
from zoo.arch.config import UnsupportedError

#: The sizes of all three are the usual ones.
MOSHI: dict[str, Any] = {
    "model_type": "moshi",
    "architectures": ["MoshiForConditionalGeneration"],
    "audio_encoder_config": {"model_type": "mimi", "frame_rate": 12.5},
    "depth_decoder_config": {"model_type": "moshi_depth"},
}


def change(key: str, **keys: Any) -> dict[str, Any]:
    """Moshi with ``keys`` in its section ``key``."""
    return MOSHI | {key: MOSHI[key] | keys}


def test_the_whole_is_the_language_model_and_what_is_audio() -> None:
    words = total({"model_type": "moshi"})
    assert total(MOSHI) - words == part(MOSHI, "audio")
    assert cached(MOSHI) == cached({"model_type": "moshi"})


def test_codebooks_are_averages_and_no_parameters() -> None:
    assert buffers(MOSHI) == 32 * (2048 * 256 + 2048 + 1)


def test_no_convolution_makes_frames_fewer_where_the_rates_agree() -> None:
    same = change("audio_encoder_config", frame_rate=25)
    assert total(MOSHI) - total(same) == 512 * 512 * 4 + 512 * 4
    assert total(change("audio_encoder_config", frame_rate=None)) == total(MOSHI)


def test_a_missing_depth_decoder_is_the_usual_one_where_it_fits() -> None:
    assert total(MOSHI | {"depth_decoder_config": None}) == total(MOSHI)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (MOSHI | {"depth_decoder_config": None, "hidden_size": 2048}, "its input_size does not fit"),
        (MOSHI | {"audio_encoder_config": None}, "audio_vocab_size and audio_encoder_config are null"),
        (MOSHI | {"audio_encoder_config": {"model_type": "encodec"}}, "codec of type 'encodec' is not followed"),
        (MOSHI | {"num_codebooks": 1}, "num_codebooks is 1"),
        (change("depth_decoder_config", ffn_dim=25), "ffn_dim 25 is odd"),
        (change("audio_encoder_config", upsampling_ratios=8), "upsampling_ratios is not a list"),
        (change("audio_encoder_config", frame_rate="fast"), "frame_rate is 'fast', not a rate"),
        (change("audio_encoder_config", num_residual_layers=1 << 20), "num_residual_layers is 1048576"),
    ],
)
def test_a_moshi_that_cannot_be_counted_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        total(config)
