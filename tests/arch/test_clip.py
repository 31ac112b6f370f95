"""CLIP and SigLIP: two halves, and the sections that older files repeat."""

from __future__ import annotations

import pytest

from tests.arch.ledgers import cached, part, total
from zoo.arch.config import UnsupportedError


def test_both_halves_and_what_joins_them_make_up_the_whole() -> None:
    halves = total({"model_type": "clip_text_model"}) + total({"model_type": "clip_vision_model"})
    assert total({"model_type": "clip"}) == halves + 512 * 768 + 512 * 512 + 1
    assert part({"model_type": "clip"}, "vision") == total({"model_type": "clip_vision_model"})
    assert cached({"model_type": "clip"}) == cached({"model_type": "siglip"}) == {}


def test_a_section_that_an_older_file_repeats_must_be_the_same() -> None:
    text = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96}
    same = {"model_type": "clip", "text_config": text, "text_config_dict": text}
    assert total(same) == total({"model_type": "clip", "text_config": text})
    with pytest.raises(UnsupportedError, match="text_config_dict stands over text_config"):
        total(same | {"text_config_dict": text | {"hidden_size": 128}})
