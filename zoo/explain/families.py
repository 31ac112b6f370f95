"""Families by what models are made of: who shares a fingerprint, who a design, who differs by one feature; and a tree.

A fingerprint is every tensor with its size: models that share it are the same but for their weights. A design is the
features of :mod:`zoo.explain.features`: models that share it differ in sizes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger
from zoo.explain.features import (
    Design,
    FeatureChange,
    compare_designs,
    describe_design,
    extract_features,
    measure_distance,
)
from zoo.explain.lineage import find_lineage

#: Two designs further apart than this (by the weights of features) are not told as one from the other.
FARTHEST = 7
#: Changes that two designs may be apart to be shown as near.
_NEAR = 1
#: Two designs that differ in nothing but a word that one of the configs leaves out.
UNSAID = "the same, but for an activation that not every config names"


class Member(Protocol):
    """What this module needs of a model that stands for all of its fingerprint."""

    @property
    def repo_id(self) -> str: ...
    @property
    def family(self) -> str | None: ...
    @property
    def model_type(self) -> str | None: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def params_total(self) -> int | None: ...
    @property
    def created_at(self) -> str | None: ...
    @property
    def config(self) -> Any: ...
    @property
    def twin_ids(self) -> list[str]: ...
    @property
    def count(self) -> int: ...


@dataclass(slots=True)
class Group:
    """The models of one design, the most downloaded first. ``number`` names it within one listing, from 1."""

    design: Design
    members: list[Member] = field(default_factory=list)
    parent: Group | None = None
    changes: list[FeatureChange] = field(default_factory=list)  #: from the parent's design to this
    children: list[Group] = field(default_factory=list)
    number: int = 0

    @property
    def models(self) -> int:
        return sum(member.count for member in self.members)

    @property
    def name(self) -> str:
        """The model that stands for the group: its oldest, as far as that is known."""
        return min(self.members, key=rank_age).repo_id

    @property
    def types(self) -> list[str]:
        """The model types of the members, each once."""
        return list(dict.fromkeys(m.model_type for m in self.members if m.model_type))

    @property
    def words(self) -> str:
        """What it does otherwise than its parent; of a root, its lineage."""
        if self.parent is None:
            return find_lineage(self.design).text
        return "; ".join(change.words for change in self.changes) or UNSAID


def rank_age(member: Member) -> tuple[str, int]:
    """The older first; models of unknown age last, of these the more used."""
    return member.created_at or "9999", -member.count


def group_members(members: Iterable[Member], tick: Callable[[], None] = lambda: None) -> list[Group]:
    """The groups of one design, the largest first, without members that cannot be counted; ``tick`` follows each."""
    groups: dict[tuple[str, ...], Group] = {}
    for member in members:
        try:
            design = extract_features(build_ledger(member.config))
        except UnsupportedError:
            design = None
        tick()
        if design is not None:
            groups.setdefault(tuple(design.values()), Group(design)).members.append(member)
    found = sorted(groups.values(), key=lambda group: (-group.models, rank_age_of(group)))
    for number, group in enumerate(found, 1):
        group.number = number
    return found


def rank_age_of(group: Group) -> tuple[str, int]:
    return min(rank_age(member) for member in group.members)


def grow_tree(groups: Sequence[Group]) -> list[Group]:
    """Hang every group below the older one that it is nearest to; the roots, those that are near to none.

    Age is that of the oldest member on the Hub. Of groups as near, the one with fewer changes is taken, then the older.
    """
    by_age = sorted(groups, key=rank_age_of)
    roots: list[Group] = []
    for place, group in enumerate(by_age):
        best: tuple[int, int, int] | None = None
        for index, older in enumerate(by_age[:place]):
            changes = compare_designs(older.design, group.design)
            rank = (measure_distance(changes), len(changes), index)
            if rank[0] <= FARTHEST and (best is None or rank < best):
                best, group.parent, group.changes = rank, older, changes
        (group.parent.children if group.parent else roots).append(group)
    return roots


@dataclass(frozen=True, slots=True)
class Relatives:
    """Who is near to one model."""

    group: Group | None  #: those of its design, itself included; None where it cannot be counted
    twins: list[str]  #: models of the same fingerprint
    siblings: list[Member]  #: one of each other fingerprint of the same design
    near: list[tuple[Group, list[FeatureChange]]]  #: designs one feature apart, with the change from the model to it
    nearest: tuple[Group, list[FeatureChange]] | None  #: the nearest design where none is so near


def find_relatives(design: Design, fingerprint: str, repo_id: str, groups: Sequence[Group]) -> Relatives:
    """The relatives of the model ``repo_id`` among ``groups``, which need not have it."""
    own = next((group for group in groups if group.design == design), None)
    members = own.members if own else []
    same = [m for m in members if m.fingerprint == fingerprint]
    twins = [name for m in same for name in (m.repo_id, *m.twin_ids) if name != repo_id]
    others = [(g, compare_designs(design, g.design)) for g in groups if g is not own]
    others.sort(key=lambda each: (measure_distance(each[1]), len(each[1]), -each[0].models))
    near = [each for each in others if len(each[1]) <= _NEAR]
    return Relatives(
        group=own,
        twins=twins,
        siblings=[m for m in members if m.fingerprint != fingerprint],
        near=near,
        nearest=None if near or not others else others[0],
    )


def write_group(group: Group) -> dict[str, Any]:
    """A group as a JSON object, without its children."""
    return {
        "number": group.number,
        "name": group.name,
        "lineage": find_lineage(group.design).text,
        "parent": group.parent.number if group.parent else None,
        "changes": [{"feature": c.feature.key, "parent": c.a, "own": c.b, "words": c.words} for c in group.changes],
        "model_types": group.types,
        "models": group.models,
        "fingerprints": len(group.members),
        "features": dict(group.design),
        "members": [write_member(member) for member in group.members],
    }


def write_member(member: Member) -> dict[str, Any]:
    return {
        "repo_id": member.repo_id,
        "model_type": member.model_type,
        "fingerprint": member.fingerprint,
        "params_total": member.params_total,
        "same_fingerprint": list(member.twin_ids),
    }


def write_tree(group: Group) -> dict[str, Any]:
    """A group and all below it as a JSON object."""
    return {**write_group(group), "children": [write_tree(child) for child in group.children]}


def write_relatives(repo_id: str, design: Design, found: Relatives) -> dict[str, Any]:
    """The relatives of one model as a JSON object."""

    def write_near(each: tuple[Group, list[FeatureChange]]) -> dict[str, Any]:
        group, changes = each
        return {
            "group": write_group(group),
            "changes": [{"feature": c.feature.key, "own": c.a, "other": c.b, "words": c.words} for c in changes],
        }

    return {
        "repo_id": repo_id,
        "lineage": find_lineage(design).as_dict(),
        "features": [
            {"label": label, "words": words, "key": key, "value": design[key]}
            for key, label, words in describe_design(design)
        ],
        "same_fingerprint": found.twins,
        "same_design": [write_member(member) for member in found.siblings],
        "one_feature_apart": [write_near(each) for each in found.near],
        "nearest": write_near(found.nearest) if found.nearest else None,
    }
