"""GIT: a captioner of CLIP's tower and BERT's layers."""

from __future__ import annotations

from typing import Any

from tests.arch.ledgers import cached, part, total

GIT: dict[str, Any] = {"model_type": "git"}


def test_git_base_is_177_million() -> None:
    assert total(GIT) == 176_619_066
    assert part(GIT, "vision") == total({"model_type": "git_vision_model"})


def test_a_tied_head_keeps_its_bias_alone() -> None:
    assert part(GIT | {"tie_word_embeddings": True}, "head") == 30_522


def test_each_frame_of_a_video_has_a_vector() -> None:
    assert total(GIT | {"num_image_with_embedding": 6}) - total(GIT) == 6 * 768


def test_only_the_text_layers_keep_anything() -> None:
    assert cached(GIT) == {"full": 6 * 2 * 768}
