"""The nearest relative in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.configs import DEEPSEEK_V3, LLAMA_7B, LLAMA_8B, MIXTRAL
from zoo.arch.ledger import build_ledger
from zoo.explain import lineage
from zoo.explain.features import BY_KEY
from zoo.explain.lineage import LANDMARKS, Landmark, describe_lineage, join_words

PARTIAL = {"model_type": "qwen3_5", "text_config": {"partial_rotary_factor": 0.25}}


def text(config: dict[str, Any]) -> str:
    return describe_lineage(build_ledger(config)).text


@pytest.mark.parametrize("landmark", LANDMARKS, ids=lambda landmark: landmark.name)
def test_every_landmark_is_its_own_nearest_relative(landmark: Landmark) -> None:
    assert landmark.source
    for config in landmark.variants:
        found = describe_lineage(build_ledger(config))
        assert (found.landmark, found.changes) == (landmark, ())
        assert found.text == landmark.name


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (LLAMA_7B, "Llama decoder"),
        (LLAMA_8B, "Llama decoder"),
        (LLAMA_8B | {"tie_word_embeddings": True}, "Llama decoder"),
        (MIXTRAL, "Mixtral decoder"),
        (DEEPSEEK_V3, "DeepSeek-V2 decoder"),
        ({"model_type": "qwen3"}, "Llama decoder + QK-norm"),
        ({"model_type": "qwen2"}, "Llama decoder + biases on queries, keys and values"),
        ({"model_type": "qwen3_moe", "num_key_value_heads": 4}, "Mixtral decoder + QK-norm"),
        ({"model_type": "gemma", "num_key_value_heads": 16}, "Llama decoder, with gelu activation"),
        ({"model_type": "bloom"}, "GPT-2 decoder, with ALiBi"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "BERT encoder, with no head"),
        ({"model_type": "bert", "architectures": ["BertForTokenClassification"]}, "BERT encoder, with a task head"),
        ({"model_type": "olmo2"}, "Llama decoder + QK-norm over all heads at once, with norms after each block, "
                                  "before the sum"),
        (PARTIAL, "Qwen3-Next hybrid + a vision tower − routed and shared experts"),
    ],
)  # fmt: skip
def test_models_are_told_by_their_nearest_landmark(config: dict[str, Any], said: str) -> None:
    assert text(config) == said


def test_the_lineage_is_json_too() -> None:
    document = describe_lineage(build_ledger({"model_type": "qwen3"})).as_dict()
    assert document["landmark"] == "Llama decoder"
    assert "arXiv" in document["source"]
    assert document["changes"] == [{"feature": "qk_norm", "landmark": "", "model": "head", "words": "adds QK-norm"}]


def test_a_design_that_is_near_to_none_is_said_to_be_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "FARTHEST", 0)
    found = describe_lineage(build_ledger({"model_type": "qwen3"}))
    assert found.text == "decoder of a design of its own"
    assert found.as_dict()["landmark"] is None


def test_words_are_joined_as_people_do() -> None:
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"


def test_towers_and_ties_do_not_choose_the_landmark() -> None:
    assert set(BY_KEY) >= lineage.AROUND
