"""The glossary of keys, and how a config is walked, formatted and watched."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.configs import LLAMA_8B
from zoo.arch.ledger import build_ledger
from zoo.explain.keys import CHANGES, GROUPS, explain_keys, find_entry, format_value, load_glossary, walk_keys
from zoo.explain.reads import WatchedConfig, find_defaults, find_uses
from zoo.sources.snapshot import read_snapshot

#: The keys that people ask about first.
FAMOUS = (
    "architectures", "attention_bias", "attention_dropout", "bos_token_id", "eos_token_id", "hidden_act",
    "hidden_size", "initializer_range", "intermediate_size", "max_position_embeddings", "mlp_bias",
    "model_type", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pretraining_tp",
    "rms_norm_eps", "rope_scaling", "rope_theta", "tie_word_embeddings", "torch_dtype", "transformers_version",
    "use_cache", "vocab_size",
)  # fmt: skip


def test_every_famous_key_is_described() -> None:
    assert set(FAMOUS) <= load_glossary().keys()


def test_the_glossary_keeps_to_its_own_words() -> None:
    for entry in load_glossary().values():
        assert entry.group in GROUPS
        assert entry.changes
        assert {*entry.changes, *entry.counted} <= CHANGES.keys()
        assert re.search(r"[.)]$", entry.meaning), entry.key
        assert 10 < len(entry.meaning) < 300, entry.key


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("attention_bias", "masks nothing"),
        ("rope_theta", "not a scaling factor"),
        ("pretraining_tp", "reproduce"),
        ("max_position_embeddings", "sizes no weight"),
    ],
)
def test_common_mistakes_are_put_right(key: str, part: str) -> None:
    assert part in load_glossary()[key].meaning


def test_keys_that_are_in_one_percent_of_the_bundled_configs_are_described() -> None:
    counts: dict[tuple[str, ...], int] = {}
    configs = [record.config for record in read_snapshot() if record.config]
    for config in configs:
        for path, _ in walk_keys(config):
            counts[path[-2:]] = counts.get(path[-2:], 0) + 1
    common = {path for path, count in counts.items() if count >= max(9, len(configs) / 50)}
    assert {".".join(path) for path in common if find_entry(path) is None} == set()


def test_a_key_changes_more_where_the_count_follows_from_it() -> None:
    rotary = {fact.path: fact for fact in explain_keys(LLAMA_8B)}["max_position_embeddings"]
    assert (rotary.changes, rotary.as_dict()["changes"]) == ("quality", ["quality"])
    learned = {fact.path: fact for fact in explain_keys({"model_type": "bert", "max_position_embeddings": 512})}
    assert learned["max_position_embeddings"].changes == "memory, quality"
    assert [(fact.changes, fact.changed) for fact in explain_keys({"flux_capacitor": 1})] == [("unknown", ())]


def test_no_count_follows_from_a_key_that_changes_nothing() -> None:
    idle = {"nothing", "training", "decoding"}
    wrong = set()
    for record in read_snapshot():
        for fact in explain_keys(record.config or {}):
            if fact.use == "ledger" and fact.entry and set(fact.changed) <= idle:
                wrong.add(fact.path)
    assert wrong == set()


def test_a_key_means_another_thing_below_another_key() -> None:
    scaling, weights = find_entry(("rope_scaling", "type")), find_entry(("weights", "type"))
    assert scaling is not None
    assert weights is not None
    assert "recipe" in scaling.meaning.lower()
    assert "integers" in weights.meaning
    assert find_entry(("rope_scaling", "flux_capacitor")) is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("vocab_size", 128256, "128,256"),
        ("eos_token_id", 128001, "128001"),
        ("eos_token_id", [128001, 128009], "[128001, 128009]"),
        ("rope_theta", 500000.0, "500,000.0"),
        ("eps", 1e-6, "1e-06"),
        ("use_cache", True, "true"),
        ("sliding_window", None, "null"),
        ("hidden_act", "silu", '"silu"'),
        ("limit", [0.0, math.inf], "[0.0, Infinity]"),
        ("rope_scaling", {"a": 1}, "{1 entry}"),
        ("id2label", {"0": "x", "1": "y"}, "{2 entries}"),
        ("layer_types", ["a", "b"] * 6, "12 entries: 6 × a, 6 × b"),
        ("compress_ratios", list(range(20)), "20 entries: 0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("name", "a\x1b[0m\nb\tc", '"a\\u001b[0m\\nb\\tc"'),
        ("name", "\u202e\x9b", '"\ufffd\ufffd"'),
        ("name", "x" * 500, '"' + "x" * 198 + "…"),
    ],
)
def test_values_are_formatted(key: str, value: Any, text: str) -> None:
    assert format_value(key, value) == text


def test_facts_say_what_reads_a_key() -> None:
    uses = {fact.path: fact.use for fact in explain_keys(LLAMA_8B | {"foo": 1})}
    assert uses["hidden_size"] == "ledger"
    assert uses["rope_theta"] == "facts"
    assert uses["torch_dtype"] == "facts"
    assert uses["foo"] is None


def test_nothing_counts_as_read_where_nothing_can_be_counted() -> None:
    assert find_uses({"model_type": "eliza", "hidden_size": 4}) == {}


def test_facts_come_by_group_and_undocumented_ones_last() -> None:
    facts = explain_keys({"foo": 1, "use_cache": True, "model_type": "llama", "initializer_range": 0.1})
    assert [fact.group for fact in facts] == ["architecture", "attention", "training-only", "not documented"]
    last = facts[-1].as_dict()
    assert last["meaning"] is None
    assert last["changes"] is None
    assert facts[-1].changes == "unknown"


def test_names_of_labels_and_schemes_of_modules_are_data_not_keys() -> None:
    config = {
        "id2label": {"0": "cat"},
        "quantization_config": {"modules": {f"layer{n}": {"w1": 4} for n in range(50)}},
        "rope_scaling": {"factor": 2.0},
    }
    paths = [".".join(path) for path, _ in walk_keys(config)]
    assert paths == [
        "id2label", "quantization_config", "quantization_config.modules", "rope_scaling", "rope_scaling.factor",
    ]  # fmt: skip
    facts = {fact.path: fact.as_dict() for fact in explain_keys(config)}
    assert facts["id2label"]["value"] == {"0": "cat"}
    assert facts["rope_scaling"]["value"] is None
    assert facts["quantization_config.modules"]["text"] == "{50 entries}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_any_config_is_explained_in_single_safe_lines(config: dict[str, Any]) -> None:
    for fact in explain_keys(config):
        assert fact.text.isprintable() or "\xa0" in fact.text or not fact.text.isascii()
        assert "\n" not in fact.text
        assert len(fact.text) <= 200


def test_a_watched_config_is_the_same_config() -> None:
    seen: set[str] = set()
    config = WatchedConfig({"a": {"b": 1}, "c": [1]}, seen)
    assert config == {"a": {"b": 1}, "c": [1]}
    assert config["a"].get("b") == 1
    assert config.get("d") is None
    assert config.get("c") == [1]
    assert seen == {"a", "a.b", "c"}


def test_defaults_of_a_section_are_named_with_its_path() -> None:
    ledger = build_ledger({"model_type": "mistral3", "text_config": {"model_type": "mistral", "hidden_size": 64}})
    defaults = find_defaults(ledger)
    assert defaults["text_config.num_hidden_layers"] == 32
    assert "text_config.hidden_size" not in defaults
