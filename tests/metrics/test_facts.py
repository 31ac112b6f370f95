"""Descriptive facts that depend on a switch, or on which stack a layer stands in."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch import build_ledger
from zoo.metrics.facts import attention_facts, shape_facts


@pytest.mark.parametrize(("alibi", "position"), [(True, "alibi"), (False, "rope")])
def test_falcon_tells_positions_by_its_switch(alibi: bool, position: str) -> None:
    facts = shape_facts(build_ledger({"model_type": "falcon", "alibi": alibi}))
    assert facts["position"] == position
    assert (facts["rope_theta"] is None) == alibi


@pytest.mark.parametrize(
    ("config", "window", "sliding"),
    [
        ({"model_type": "led"}, None, 0),  # its encoder slides, its decoder does not
        ({"model_type": "longt5"}, None, 0),
        ({"model_type": "longformer"}, 513, 12),  # one stack: itself and 256 to each side
        ({"model_type": "mistral", "sliding_window": 4096}, 4096, 32),
        ({"model_type": "deepseek_v4"}, 128, 0),  # of the raw entries, not of what waits to be compressed
    ],
)
def test_the_window_is_that_of_the_layers_counted(config: dict[str, Any], window: int | None, sliding: int) -> None:
    facts = attention_facts(build_ledger(config))
    assert facts["window"] == window
    assert facts["layers"]["sliding"] == sliding


@pytest.mark.parametrize(
    ("model_type", "norm", "position"), [("fuyu", "layernorm", "rope"), ("blip-2", "layernorm", "learned")]
)
def test_norm_and_positions_are_those_of_the_text(model_type: str, norm: str, position: str) -> None:
    """Fuyu's text is a Persimmon, BLIP-2's an OPT: what the wrapper says is of no use."""
    shape = shape_facts(build_ledger({"model_type": model_type}))
    assert (shape["norm"], shape["position"]) == (norm, position)
