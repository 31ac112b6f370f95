"""What a design is made of: features read off the ledger, and how one design differs from another in words.

A feature says how a model is built, never how large it is: two sizes of one series have the same features. All are read
from tensors and states (a few that leave no trace there, such as soft-capping, from the config), so that they hold for
every architecture, and nothing here knows a model by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zoo.arch.ledger import Ledger
from zoo.explain import body as of
from zoo.explain.body import Body

#: The value of each feature, by its key.
Design = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Feature:
    """One way in which designs differ. ``nouns`` are its values in words; a value without words is to have none of it.

    ``weight`` says how far a difference sets two designs apart: 1 for details, more for what they are.
    """

    key: str
    label: str
    read: Callable[[Body], str]
    weight: int
    nouns: Mapping[str, str]

    def say(self, value: str) -> str:
        """``value`` in words: of values joined by "+", each; of one that is an open word, itself."""
        if value in self.nouns:
            return self.nouns[value]
        return " and ".join(self.nouns.get(word, word) for word in value.split("+"))


class FeatureChange(NamedTuple):
    """A feature in which a second design differs from a first."""

    feature: Feature
    a: str
    b: str

    @property
    def gained(self) -> str:
        """What the second has and the first has not, in words; "" where it only has another of the kind."""
        if self.feature.key == "mixers" and set(self.a.split("+")) < set(self.b.split("+")):
            return f"{self._say_others(self.b, self.a)} in some layers"
        return "" if self.feature.say(self.a) else self.feature.say(self.b)

    @property
    def lost(self) -> str:
        """What the first has and the second has not, in words."""
        if self.feature.key == "mixers" and set(self.b.split("+")) < set(self.a.split("+")):
            return self._say_others(self.a, self.b)
        return "" if self.feature.say(self.b) else self.feature.say(self.a)

    def _say_others(self, more: str, less: str) -> str:
        return self.feature.say("+".join(word for word in more.split("+") if word not in less.split("+")))

    @property
    def words(self) -> str:
        """What one does who goes from the first to the second: "adds QK-norm", "drops …", "norm: … → …"."""
        if self.gained:
            return f"adds {self.gained}"
        if self.lost:
            return f"drops {self.lost}"
        return f"{self.feature.label}: {self.feature.say(self.a)} → {self.feature.say(self.b)}"


_SPANS = {
    "": "no layer mixes tokens",
    "full": "full attention",
    "sliding": "sliding-window attention",
    "chunked": "chunked attention",
    "ssm": "state-space layers",
    "linear": "linear attention",
    "conv": "short convolutions",
}
_RECURRENCE = {
    "": "",
    "mamba": "Mamba layers",
    "mamba-2": "Mamba-2 layers",
    "linear": "linear attention",
    "conv": "short convolutions",
}
_HEADS = {
    "": "",
    "mha": "multi-head (MHA)",
    "gqa": "grouped-query (GQA)",
    "mqa": "multi-query (MQA)",
    "mla": "multi-head latent (MLA)",
}
_POSITIONS = {
    "rope": "rotary positions (RoPE)",
    "learned": "learned positions",
    "alibi": "ALiBi",
    "relative": "relative positions",
    "sinusoidal": "sinusoidal positions",
    "none": "no positions",
}
_NORMS = {
    "": "norms without weights",
    "pre": "norms before each block",
    "post": "norms after each sum",
    "sandwich": "norms before and after each block",
    "inside": "norms after each block, before the sum",
}
_BIASES = {
    "": "",
    "qkv": "biases on queries, keys and values",
    "all": "biases in attention",
    "some": "biases in part of attention",
}
_SOFTCAPS = {
    "": "",
    "attention": "soft-capped attention scores",
    "logits": "soft-capped logits",
    "both": "soft-capped attention scores and logits",
}

#: In the order in which they are told.
FEATURES = (
    Feature("stack", "stack", of.name_stack, 8, {}),
    Feature("medium", "reads", of.name_medium, 4, {"vision": "images", "audio": "sound"}),
    Feature("mixers", "layers", of.name_mixers, 4, _SPANS),
    Feature("pattern", "pattern", of.name_pattern, 1, {"": ""}),
    Feature("recurrence", "recurrence", of.name_recurrence, 3, _RECURRENCE),
    Feature("heads", "attention", of.name_heads, 2, _HEADS),
    Feature(
        "sparsity",
        "choice of tokens",
        of.name_sparsity,
        2,
        {"": "", "indexer": "an indexer that picks tokens", "compressor": "compression of earlier tokens"},
    ),
    Feature("position", "position", of.name_position_of, 2, _POSITIONS),
    Feature("rotation", "rotation", of.name_rotation, 1, {"": "", "partial": "rotation of part of each head only"}),
    Feature(
        "norm",
        "norm",
        lambda body: body.architecture.norm,
        2,
        {"rmsnorm": "RMSNorm", "layernorm": "LayerNorm", "groupnorm": "GroupNorm"},
    ),
    Feature("norms", "placement of norms", of.name_norms, 2, _NORMS),
    Feature("order", "order of blocks", of.name_order, 1, {"": "", "parallel": "attention and MLP side by side"}),
    Feature(
        "qk_norm", "QK-norm", of.name_qk_norm, 1, {"": "", "head": "QK-norm", "whole": "QK-norm over all heads at once"}
    ),
    Feature("mlp", "MLP", of.name_mlp, 2, {"": "no MLP", "gated": "a gated MLP", "plain": "a plain MLP"}),
    Feature("activation", "activation", of.name_activation, 1, {}),
    Feature(
        "experts",
        "experts",
        of.name_experts,
        3,
        {"": "", "routed": "routed experts", "shared": "routed and shared experts"},
    ),
    Feature("attention_bias", "biases in attention", of.name_attention_bias, 1, _BIASES),
    Feature("mlp_bias", "biases in the MLP", of.name_mlp_bias, 1, {"": "", "all": "biases in the MLP"}),
    Feature("sinks", "sinks", lambda body: body.find_word("sinks"), 1, {"": "", "sinks": "attention sinks"}),
    Feature("gate", "gate", of.name_gate, 1, {"": "", "gate": "a gate on the output of attention"}),
    Feature("softcap", "soft-capping", of.name_softcap, 1, _SOFTCAPS),
    Feature(
        "residual",
        "residual stream",
        of.name_residual,
        2,
        {"": "", "hyper": "hyper-connections (several residual streams)", "altup": "AltUp (a wider residual stream)"},
    ),
    Feature(
        "per_layer",
        "inputs of layers",
        lambda body: body.find_word("per_layer"),
        1,
        {"": "", "per_layer": "an embedding of its own for every layer"},
    ),
    Feature("inputs", "towers", of.name_inputs, 1, {"": "", "vision": "a vision tower", "audio": "an audio tower"}),
    Feature("cross", "cross-attention", of.name_cross, 1, {"": "", "cross": "cross-attention to the tower"}),
    Feature("head", "head", of.name_head, 1, {"": "", "language": "a language-model head", "other": "a task head"}),
    Feature("tie", "tie", of.name_tie, 1, {"": "", "tied": "a head tied to the embedding", "untied": "an untied head"}),
)


BY_KEY: Mapping[str, Feature] = {feature.key: feature for feature in FEATURES}


def extract_features(ledger: Ledger) -> dict[str, str]:
    """The value of every feature of the design that ``ledger`` has, by key, in the order of :data:`FEATURES`."""
    body = Body(ledger)
    return {feature.key: feature.read(body) for feature in FEATURES}


def compare_designs(a: Design, b: Design) -> list[FeatureChange]:
    """The features in which ``b`` differs from ``a``, in the order of :data:`FEATURES`.

    What follows from another change is left out: the kind of recurrence where layers change between attention and
    recurrence, how often a kind of layer stands where the kinds change, the tie where one of the two has no head.
    """
    changes = [FeatureChange(f, a[f.key], b[f.key]) for f in FEATURES if a[f.key] != b[f.key]]
    return [change for change in changes if not follows(change, a, b)]


def follows(change: FeatureChange, a: Design, b: Design) -> bool:
    """Whether ``change`` goes without saying once other features have changed."""
    if change.feature.key == "recurrence":
        return not (a["recurrence"] and b["recurrence"])
    if change.feature.key == "pattern":
        return a["mixers"] != b["mixers"]
    if change.feature.key == "heads":
        return not (a["heads"] and b["heads"])
    if change.feature.key == "rotation":
        return a["position"] != b["position"]
    if change.feature.key == "activation":
        return not (a["activation"] and b["activation"])  # a config need not name it
    return change.feature.key == "tie" and a["head"] != b["head"]


def measure_distance(changes: Iterable[FeatureChange]) -> int:
    """How far apart two designs are: the sum of the weights of their differences."""
    return sum(change.feature.weight for change in changes)


def describe_design(design: Design) -> list[tuple[str, str, str]]:
    """Key, label and words of every feature that ``design`` has."""
    return [(f.key, f.label, said) for f in FEATURES if (said := f.say(design[f.key]))]
