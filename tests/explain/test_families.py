"""Groups of one design, the tree of designs, and the relatives of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.explain.configs import LLAMA_7B, LLAMA_8B, MIXTRAL
from zoo.arch.ledger import build_ledger, fingerprint_ledger
from zoo.explain.families import (
    UNSAID,
    Group,
    find_relatives,
    group_members,
    grow_tree,
    write_relatives,
    write_tree,
)
from zoo.explain.features import extract_features


@dataclass
class Model:
    """One model of a database."""

    repo_id: str
    config: dict[str, Any]
    created_at: str | None = None
    twin_ids: list[str] = field(default_factory=list)
    family: str | None = None
    params_total: int | None = 1

    @property
    def model_type(self) -> str | None:
        return self.config.get("model_type")

    @property
    def fingerprint(self) -> str:
        return fingerprint_ledger(build_ledger(self.config))

    @property
    def count(self) -> int:
        return 1 + len(self.twin_ids)


QWEN3 = {"model_type": "qwen3", "num_key_value_heads": 8}
QWEN3_MOE = {"model_type": "qwen3_moe", "num_key_value_heads": 4}
BERT = {"model_type": "bert"}
MODELS = [
    Model("meta/llama-8b", LLAMA_8B, "2024-04", ["acme/tune", "acme/merge"]),
    Model("meta/llama-70b", LLAMA_8B | {"num_hidden_layers": 80}, "2024-05"),
    Model("mistral/mixtral", MIXTRAL, "2024-01"),
    Model("qwen/qwen3", QWEN3, "2025-04"),
    Model("qwen/qwen3-moe", QWEN3_MOE, "2025-05"),
    Model("google/bert", BERT, None),
    Model("acme/unknown", {"model_type": "eliza"}),
]


def groups_of(models: list[Model]) -> dict[str, Group]:
    return {group.members[0].repo_id: group for group in group_members(models)}


def test_models_of_one_design_are_one_group() -> None:
    ticks: list[int] = []
    groups = group_members(MODELS, lambda: ticks.append(1))
    assert len(ticks) == len(MODELS)
    assert next((g.number, g.name, g.models, len(g.members)) for g in groups) == (1, "meta/llama-8b", 4, 2)
    assert len(groups) == 5
    assert not any(member.repo_id == "acme/unknown" for group in groups for member in group.members)
    assert groups[0].types == ["llama"]


def test_each_design_hangs_below_the_older_one_that_it_is_nearest_to() -> None:
    groups = group_members(MODELS)
    roots = grow_tree(groups)
    assert [root.name for root in roots] == ["mistral/mixtral", "google/bert"]
    by_name = {group.name: group for group in groups}
    llama, qwen, moe = (by_name[name] for name in ("meta/llama-8b", "qwen/qwen3", "qwen/qwen3-moe"))
    assert llama.parent is by_name["mistral/mixtral"]
    assert llama.words == "drops routed experts"
    assert (qwen.parent, qwen.words) == (llama, "adds QK-norm")
    assert (moe.parent, moe.words) == (by_name["mistral/mixtral"], "adds QK-norm")
    assert by_name["google/bert"].words == "BERT encoder"


def test_a_design_that_differs_in_nothing_that_is_said_is_told_as_such() -> None:
    unnamed = dict(LLAMA_8B, hidden_act=None)
    groups = groups_of([Model("a/a", LLAMA_8B, "2024"), Model("b/b", unnamed, "2025")])
    grow_tree(list(groups.values()))
    assert groups["b/b"].words == UNSAID


def test_the_tree_is_json_too() -> None:
    root = grow_tree(group_members(MODELS))[0]
    document = write_tree(root)
    assert document["name"] == "mistral/mixtral"
    assert document["lineage"] == "Mixtral decoder"
    assert document["parent"] is None
    child = next(child for child in document["children"] if child["name"] == "meta/llama-8b")
    assert child["parent"] == document["number"]
    assert child["changes"] == [{"feature": "experts", "parent": "routed", "own": "", "words": "drops routed experts"}]
    assert child["members"][0]["same_fingerprint"] == ["acme/tune", "acme/merge"]
    assert (child["models"], child["fingerprints"]) == (4, 2)
    assert child["features"]["heads"] == "gqa"


def relate(config: dict[str, Any], repo_id: str, models: list[Model] | None = None) -> dict[str, Any]:
    ledger = build_ledger(config)
    design = extract_features(ledger)
    groups = group_members(MODELS if models is None else models)
    return write_relatives(repo_id, design, find_relatives(design, fingerprint_ledger(ledger), repo_id, groups))


def test_relatives_share_a_fingerprint_a_design_or_all_but_one_feature() -> None:
    found = relate(LLAMA_8B, "acme/tune")
    assert found["lineage"]["text"] == "Llama decoder"
    assert found["same_fingerprint"] == ["meta/llama-8b", "acme/merge"]
    assert [member["repo_id"] for member in found["same_design"]] == ["meta/llama-70b"]
    near = {
        each["group"]["name"]: [change["words"] for change in each["changes"]] for each in found["one_feature_apart"]
    }
    assert near == {"qwen/qwen3": ["adds QK-norm"], "mistral/mixtral": ["adds routed experts"]}
    assert found["nearest"] is None
    assert {"key": "heads", "value": "gqa", "label": "attention", "words": "grouped-query (GQA)"} in found["features"]


def test_a_model_with_no_near_relative_has_a_nearest_one() -> None:
    found = relate(LLAMA_7B | {"attention_bias": True}, "local/file")
    assert found["same_fingerprint"] == found["same_design"] == found["one_feature_apart"] == []
    assert found["nearest"]["group"]["name"] == "meta/llama-8b"
    assert len(found["nearest"]["changes"]) == 2


def test_a_model_alone_has_no_relatives() -> None:
    found = relate(LLAMA_7B, "local/file", [])
    assert found["nearest"] is None
    assert found["one_feature_apart"] == []
