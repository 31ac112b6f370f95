"""States of fixed size, what they are kept in, and other keys of the wrong kind."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger

KEYS = {"nemotron_h": "mamba_ssm_cache_dtype", "qwen3_next": "mamba_ssm_dtype", "xlstm": "inference_state_dtype"}


def kept_in(model_type: str, said: Any) -> set[str | None]:
    states = build_ledger({"model_type": model_type, KEYS[model_type]: said}).states
    return {state.dtype for state in states if state.kind in ("ssm", "linear")}


@pytest.mark.parametrize("model_type", sorted(KEYS))
def test_a_file_says_what_a_state_is_kept_in(model_type: str) -> None:
    assert kept_in(model_type, "float16") == kept_in(model_type, "torch.float16") == {"float16"}
    assert kept_in(model_type, "auto") == kept_in(model_type, None) == {None}


@pytest.mark.parametrize("model_type", sorted(KEYS))
@pytest.mark.parametrize("said", ["x", 7, True, [None], {"a": 1}, 1.5])
def test_what_is_no_type_is_refused(model_type: str, said: Any) -> None:
    with pytest.raises(UnsupportedError, match=rf"{KEYS[model_type]} is .*, no type of a state"):
        kept_in(model_type, said)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"model_type": "lfm2", "block_ffn_dim_multiplier": -1},
            "is -1, not a number above 0",
        ),
        ({"model_type": "lfm2", "block_ffn_dim_multiplier": float("inf")}, "block_ffn_dim_multiplier is inf"),
        ({"model_type": "deberta-v2", "relative_attention": True, "pos_att_type": True}, "pos_att_type is True"),
    ],
)
def test_factors_and_lists_of_the_wrong_kind_are_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
