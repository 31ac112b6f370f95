"""Every architecture against what transformers 5.23 built on the meta device, tensor by tensor."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.check import built_by_transformers, differences
from zoo.arch.registry import load_architectures

RECORDED = Path(__file__).parents[1] / "data" / "oracle.jsonl.gz"


def load_recorded() -> dict[str, list[dict[str, Any]]]:
    """Recorded models by model type."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for line in gzip.decompress(RECORDED.read_bytes()).decode().splitlines()[1:]:
        entry = json.loads(line)
        by_type.setdefault(entry["config"]["model_type"], []).append(entry)
    return by_type


RECORDS = load_recorded()


@pytest.mark.parametrize("model_type", sorted(built_by_transformers()))
def test_every_tensor_is_named_and_shaped_as_transformers_has_it(model_type: str) -> None:
    entries = RECORDS[model_type]
    assert len(entries) >= 3
    wrong = {json.dumps(e["config"]): found for e in entries if (found := differences(e["config"], e["said"]))}
    assert wrong == {}


@pytest.mark.parametrize("model_type", sorted(built_by_transformers()))
def test_every_class_is_recorded(model_type: str) -> None:
    recorded = {entry["said"]["class"] for entry in RECORDS[model_type]}
    heads = load_architectures()[model_type].heads
    # A class that has a second name is recorded under the one that transformers gives it.
    by_head = {name: {other for other, same in heads.items() if same == head} for name, head in heads.items()}
    assert [name for name, names in by_head.items() if not names & recorded] == []
