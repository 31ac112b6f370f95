"""Drafts for speculative decoding: known by their class, whatever type their file names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, part, total
from tests.arch.remote_models import DFLASH, DSPARK, EAGLE3
from zoo.arch import build_ledger
from zoo.arch.config import MissingKeyError, UnsupportedError


def set_up(config: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """``config`` with other values in its ``dflash_config``."""
    return config | {"dflash_config": config["dflash_config"] | settings}


def test_a_draft_is_known_by_its_class() -> None:
    for name, config in (("dflash_draft", DFLASH), ("dspark_draft", DSPARK), ("eagle3_draft", EAGLE3)):
        assert build_ledger(config).architecture.model_type == name
        assert build_ledger(config | {"model_type": "phi3"}).tensors == build_ledger(config).tensors


def test_the_class_may_be_named_without_a_list() -> None:
    assert total(EAGLE3 | {"architectures": "LlamaForCausalLMEagle3"}) == total(EAGLE3)


def test_what_is_the_targets_is_not_counted() -> None:
    assert part(DFLASH, "embedding") == part(DSPARK, "embedding") == part(EAGLE3, "embedding") == 0
    assert part(DFLASH, "head") == 0


def test_drafts_keep_keys_and_values_of_their_own_layers() -> None:
    assert cached(DFLASH) == {"full": 5 * 2 * 8 * 128}
    assert cached(EAGLE3) == {"full": 2 * 8 * 128}
    sliding = DFLASH | {"layer_types": ["sliding_attention"] * 4 + ["full_attention"], "sliding_window": 4096}
    assert cached(sliding) == {"full": 2 * 8 * 128, "sliding": 4 * 2 * 8 * 128}


def test_a_draft_looks_into_as_many_layers_as_it_names() -> None:
    assert total(DFLASH) - total(set_up(DFLASH, target_layer_ids=[1, 9, 17, 25])) == 2560 * 2560


def test_the_guess_of_what_is_accepted_reads_the_correction_only_where_it_is_said() -> None:
    assert total(DSPARK) - total(set_up(DSPARK, confidence_head_with_markov=False)) == 256
    assert total(DSPARK) - total(set_up(DSPARK, enable_confidence_head=False)) == 7168 + 256 + 1


def test_a_target_of_another_width_is_brought_to_that_of_the_draft() -> None:
    assert total(EAGLE3 | {"target_hidden_size": 2048}) == total(EAGLE3) - 3 * 2048 * 4096
    assert buffers(EAGLE3) == 32000 + 151936


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (set_up(DFLASH, projector_type="domino"), "dflash_config.projector_type is set"),
        (set_up(DFLASH, target_layer_ids=None), "target_layer_ids is not a list of layers"),
        (DFLASH | {"dflash_config": None}, "dflash_config is not an object"),
        (set_up(DSPARK, markov_head_type="rnn"), "markov_head_type is 'rnn', not vanilla"),
        (set_up(DSPARK, projector_type=None), "projector_type is None, not dspark"),
        (set_up(DSPARK, markov_rank=0), "dflash_config.markov_rank is 0"),
        (set_up(DSPARK, emb_dim=256), "dflash_config.emb_dim is set"),
        (EAGLE3 | {"fc_norm": True}, "fc_norm is set"),
        (EAGLE3 | {"num_hidden_layers": 2}, "num_hidden_layers is 2, where the class has one layer"),
        (EAGLE3 | {"eagle_config": {"eagle_aux_hidden_state_layer_ids": [1]}}, "does not name three layers"),
        (EAGLE3 | {"draft_vocab_size": None}, "draft_vocab_size is None"),
    ],
)
def test_a_draft_that_no_total_vouches_for_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        total(config)


def test_a_draft_has_no_width_of_heads_by_default() -> None:
    with pytest.raises(MissingKeyError, match="head_dim"):
        total({key: value for key, value in DFLASH.items() if key != "head_dim"})
