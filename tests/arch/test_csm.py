"""CSM: three models in one, and what they share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, part, total
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger

CSM: dict[str, Any] = {"model_type": "csm", "architectures": ["CsmForConditionalGeneration"]}
TABLE = 32 * 2051 * 2048  #: codes of all codebooks


def test_the_default_has_as_many_as_transformers_builds() -> None:
    assert total(CSM) == 1_632_100_161
    assert part(CSM, "embedding") == 128_256 * 2048
    assert part(CSM, "head") == 2051 * 2048


def test_both_decoders_can_have_a_table_of_their_own() -> None:
    apart = CSM | {"tie_codebooks_embeddings": False}
    assert total(apart) - total(CSM) == TABLE
    assert total(CSM | {"tie_word_embeddings": False}) == total(CSM)  # which its class does not read


def test_the_backbone_alone_ties_nothing() -> None:
    backbone = CSM | {"architectures": ["CsmBackboneModel"]}
    assert [t.tied_to for t in build_ledger(backbone).tensors if t.tied_to] == []
    assert part(backbone, "audio") == TABLE
    assert part(backbone, "embedding") == part(backbone, "head") == buffers(backbone) == 0


def test_only_the_backbone_keeps_a_cache() -> None:
    states = [s for s in build_ledger(CSM).states if s.per_token]
    assert {s.stack for s in states} == {"decoder"}
    assert cached(CSM) == {"full": 16 * 2 * 8 * 64}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depth_decoder_config": {"tie_word_embeddings": True}}, "depth_decoder_config.tie_word_embeddings is set"),
        ({"depth_decoder_config": {"backbone_hidden_size": 1536}}, "the two tables are of other sizes"),
        ({"num_codebooks": 8}, "the two tables are of other sizes"),
        ({"codec_config": {"model_type": "encodec"}}, "a codec of type 'encodec'"),
        ({"tie_codebooks_embeddings": "yes"}, "tie_codebooks_embeddings is 'yes'"),
    ],
)
def test_what_its_class_does_not_build_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(CSM | changes)
