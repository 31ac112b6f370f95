"""States of fixed size, and what they are kept in."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger

KEYS = {"nemotron_h": "mamba_ssm_cache_dtype", "qwen3_next": "mamba_ssm_dtype"}


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
