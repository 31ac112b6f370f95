"""The nearest relative in words: a well-known design, and what a model adds to it, leaves out or does otherwise.

The landmarks are a few designs that people know by name. Each is a config of the type that introduced it, so that what
it is made of is read off its ledger like that of any model; only its name is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zoo.arch.ledger import Ledger, build_ledger
from zoo.explain.features import (
    BY_KEY,
    Design,
    FeatureChange,
    compare_designs,
    extract_features,
    measure_distance,
)

#: Beyond it, a landmark says less of a model than its own features do.
FARTHEST = 9
#: Features that stand around the stack.
AROUND = frozenset(("inputs", "head", "tie", "cross"))


@dataclass(frozen=True, slots=True)
class Landmark:
    """A design that has a name. ``variants`` are configs that all go by it, the usual one first."""

    name: str
    source: str  #: where it was described
    variants: tuple[Mapping[str, Any], ...]


def vary(model_type: str, *others: Mapping[str, Any], **base: Any) -> tuple[Mapping[str, Any], ...]:
    """A config of ``model_type``, and the same with each of ``others``."""
    first = {"model_type": model_type, **base}
    return (first, *({**first, **other} for other in others))


_KV = {"num_key_value_heads": 8}
_TIED = {"tie_word_embeddings": True}
_UNTIED = {"tie_word_embeddings": False}
#: The sizes of the first model of the type, for which transformers declares no defaults.
_DEEPSEEK_MOE = {
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "first_k_dense_replace": 1,
    "vocab_size": 102400,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
}
#: From the older to the newer: of two that are as near, the older is named.
LANDMARKS = (
    Landmark("BERT encoder", "Devlin et al. 2018, arXiv:1810.04805", vary("bert")),
    Landmark("GPT-2 decoder", "Radford et al. 2019", vary("gpt2")),
    Landmark(
        "T5 encoder-decoder", "Raffel et al. 2019, arXiv:1910.10683", vary("t5", {"feed_forward_proj": "gated-gelu"})
    ),
    Landmark("BART encoder-decoder", "Lewis et al. 2019, arXiv:1910.13461", vary("bart")),
    Landmark("mBART encoder-decoder", "Liu et al. 2020, arXiv:2001.08210", vary("mbart")),
    Landmark("ViT encoder", "Dosovitskiy et al. 2020, arXiv:2010.11929", vary("vit")),
    Landmark("GPT-NeoX decoder", "Black et al. 2022, arXiv:2204.06745", vary("gpt_neox", rotary_pct=0.25)),
    Landmark("Whisper encoder-decoder", "Radford et al. 2022, arXiv:2212.04356", vary("whisper")),
    Landmark(
        "Llama decoder",
        "Touvron et al. 2023, arXiv:2302.13971 and 2307.09288",
        vary("llama", _KV | _UNTIED, _TIED, _KV | _TIED, tie_word_embeddings=False),
    ),
    Landmark("RWKV-4 decoder", "Peng et al. 2023, arXiv:2305.13048", vary("rwkv")),
    Landmark("Mistral decoder", "Jiang et al. 2023, arXiv:2310.06825", vary("mistral", sliding_window=4096)),
    Landmark("Mamba", "Gu and Dao 2023, arXiv:2312.00752", vary("mamba", _UNTIED)),
    Landmark("Mixtral decoder", "Jiang et al. 2024, arXiv:2401.04088", vary("mixtral")),
    Landmark(
        "DeepSeekMoE decoder", "Dai et al. 2024, arXiv:2401.06066", vary("deepseek", _KV | _UNTIED, **_DEEPSEEK_MOE)
    ),
    Landmark("Jamba hybrid", "Lieber et al. 2024, arXiv:2403.19887", vary("jamba")),
    Landmark("DeepSeek-V2 decoder", "DeepSeek-AI 2024, arXiv:2405.04434", vary("deepseek_v3")),
    Landmark("Mamba-2", "Dao and Gu 2024, arXiv:2405.21060", vary("mamba2", _TIED)),
    Landmark("Gemma 2 decoder", "Gemma Team 2024, arXiv:2408.00118", vary("gemma2")),
    Landmark("ModernBERT encoder", "Warner et al. 2024, arXiv:2412.13663", vary("modernbert")),
    Landmark("Gemma 3 decoder", "Gemma Team 2025, arXiv:2503.19786", vary("gemma3_text", _KV)),
    Landmark(
        "Qwen3-Next hybrid",
        "Qwen Team 2025, after Gated DeltaNet, arXiv:2412.06464",
        vary("qwen3_next", _TIED, partial_rotary_factor=0.25),
    ),
)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The landmark that a model is nearest to, and how it differs. ``landmark`` is None where all are too far."""

    landmark: Landmark | None
    changes: tuple[FeatureChange, ...]
    design: Design

    @property
    def text(self) -> str:
        """ "Llama decoder + QK-norm", "Gemma 2 decoder with soft-capping left out", …; on one line, without a stop."""
        if self.landmark is None:
            return f"{self.design['stack']} of a design of its own"
        told = [change for change in self.changes if change.feature.key != "head"]
        text = " + ".join([self.landmark.name, *(change.gained for change in told if change.gained)])
        text += "".join(f" − {change.lost}" for change in told if change.lost)
        others = [say_new(change) for change in told if not (change.gained or change.lost)]
        others += [self._describe_head()] if len(told) < len(self.changes) else []
        return text + (f", with {join_words(others)}" if others else "")

    def _describe_head(self) -> str:
        return BY_KEY["head"].say(self.design["head"]) or "no head"

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "text": self.text,
            "landmark": self.landmark.name if self.landmark else None,
            "source": self.landmark.source if self.landmark else None,
            "changes": [
                {"feature": c.feature.key, "landmark": c.a, "model": c.b, "words": c.words} for c in self.changes
            ],
        }


def say_new(change: FeatureChange) -> str:
    """What the second design has, with what it is of where its noun does not say that."""
    said = change.feature.say(change.b)
    return f"{said} {change.feature.label}" if change.feature.key in ("heads", "activation") else said


def join_words(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


@cache
def list_landmarks() -> tuple[tuple[Landmark, dict[str, str]], ...]:
    """Every landmark with the design of each of its variants."""
    return tuple(
        (landmark, extract_features(build_ledger(config))) for landmark in LANDMARKS for config in landmark.variants
    )


def describe_lineage(ledger: Ledger) -> Lineage:
    """The lineage of the model that ``ledger`` is of: the nearest landmark and every feature that differs from it."""
    return find_lineage(extract_features(ledger))


def find_lineage(design: Design) -> Lineage:
    """The same for a design. Towers, heads and ties are told, but do not decide which landmark is the nearest."""
    found = [
        (weigh_core(changes := compare_designs(known, design)), measure_distance(changes), landmark, changes)
        for landmark, known in list_landmarks()
    ]
    core, _, landmark, changes = min(found, key=lambda each: (each[0], each[1]))
    if core > FARTHEST:
        return Lineage(None, (), design)
    return Lineage(landmark, tuple(changes), design)


def weigh_core(changes: list[FeatureChange]) -> int:
    """How far apart two designs are but for what stands around the stack."""
    return measure_distance(
        change for change in changes if change.feature.key not in ("inputs", "head", "tie", "cross")
    )
