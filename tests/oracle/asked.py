"""The model types that must be right: all that generate text in transformers, and those that fill in masked words."""

from __future__ import annotations

#: The auto classes whose types are asked for.
TASKS = ("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "MASKED_LM")

#: Types that are among them by the way, and what they are for.
ELSEWHERE = {
    "musicgen": "writes sound",
    "musicgen_melody": "writes sound",
    "shieldgemma2": "classifies images",
    "whisper": "hears speech; it is compared all the same",
    "gemma4_assistant": "drafts for another model, whose cache it reads",
    "gemma4_unified_assistant": "drafts for another model, whose cache it reads",
}

#: Types whose plain default config is not counted, and why. With the keys of ``REQUIRED`` they are compared as others.
ARGUED = {
    "deepseek_v2": "its default has no num_experts_per_tok: no token could pass through such a model",
}


def list_asked() -> list[str]:
    """The types asked for, sorted. Needs transformers."""
    from transformers.models.auto import modeling_auto

    named = {name for task in TASKS for name in getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES")}
    return sorted(named - ELSEWHERE.keys())
