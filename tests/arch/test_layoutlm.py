"""LayoutLMv3: words, boxes and patches in one encoder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import cached, part, total
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger

LAYOUT: dict[str, Any] = {"model_type": "layoutlmv3"}
PATCHES = 768 * 3 * 16 * 16 + 768 + 197 * 768 + 768  #: with their positions and the token before them


def classes(labels: int) -> dict[str, Any]:
    named = ["LayoutLMv3ForTokenClassification"]
    return LAYOUT | {"architectures": named, "id2label": {str(n): str(n) for n in range(labels)}}


def test_the_default_has_as_many_as_transformers_builds() -> None:
    assert total(LAYOUT | {"architectures": ["LayoutLMv3ForQuestionAnswering"]}) == 125_918_338
    assert part(LAYOUT, "vision") == PATCHES
    assert part(LAYOUT, "position") == 512 * 768 + 1024 * 4 * 128 + 12 * (32 + 2 * 64)
    assert sum(cached(LAYOUT).values()) == 0


def test_nine_labels_take_one_layer_and_ten_take_two() -> None:
    assert part(classes(9), "head") == 9 * 769
    assert part(classes(10), "head") == 768 * 769 + 10 * 769


def test_a_page_without_an_image_has_no_patches() -> None:
    assert total(LAYOUT) - total(LAYOUT | {"visual_embed": False}) == PATCHES + 4 * 768  # and two norms


def test_without_distances_no_table_counts_them() -> None:
    off = LAYOUT | {"has_relative_attention_bias": False, "has_spatial_attention_bias": False}
    assert total(LAYOUT) - total(off) == 12 * (32 + 2 * 64)


@pytest.mark.parametrize("key", ["input_size", "patch_size"])
def test_sizes_that_are_pairs_are_refused(key: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{key} is a list"):
        build_ledger(LAYOUT | {key: [224, 224]})
