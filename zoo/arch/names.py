"""Classes under other names than those that are declared: older spellings, and classes of a type of the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from zoo.arch.registry import Architecture, find_architecture, load_architectures

#: By model type: names that files give a class, and what it is called where it is declared.
OTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    "gpt_bigcode": {"GPTBigCodeLMHeadModel": "GPTBigCodeForCausalLM"},  # before it was part of transformers
    "gpt_oss": {"GPTOSSForCausalLM": "GptOssForCausalLM"},
    "llama": {"LLaMAForCausalLM": "LlamaForCausalLM"},  # the spelling of the first port
    "phimoe": {"PhiMoEForCausalLM": "PhimoeForCausalLM"},  # as its own repository spells it
    "t5": {"T5WithLMHeadModel": "T5ForConditionalGeneration"},  # its name until transformers 3
}

#: Classes that no type of theirs declares: their files name the type of another model, whose keys they share.
BY_CLASS: Mapping[str, str] = {
    "DFlashDraftModel": "dflash_draft",
    "DSparkDraftModel": "dspark_draft",
    "LlamaForCausalLMEagle3": "eagle3_draft",
}


def find_named(config: Mapping[str, Any], model_type: str) -> Architecture:
    """The architecture of the class that ``config`` names where that decides, else of ``model_type``.

    Raises UnsupportedError when the type is not known.
    """
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else named
    return find_architecture(BY_CLASS.get(first, model_type) if isinstance(first, str) else model_type)


@cache
def find_owners(class_name: str) -> tuple[Architecture, ...]:
    """The architectures that declare a class of this name."""
    return tuple(one for one in load_architectures().values() if class_name in one.heads)


def find_counterpart(class_name: str, owner: Architecture, architecture: Architecture) -> str | None:
    """The class of ``architecture`` with the task that ``class_name`` has in ``owner``; None when there is none.

    A class is a prefix, which all classes of a type share, and its task: MistralForCausalLM is LlamaForCausalLM there.
    """
    prefix = find_prefix(owner)
    if not prefix or not class_name.startswith(prefix):
        return None
    name = find_prefix(architecture) + class_name.removeprefix(prefix)
    return name if name in architecture.heads else None


def find_prefix(architecture: Architecture) -> str:
    """What the names of causal language models of this type begin with; "" where it has none."""
    named = (name.removesuffix("ForCausalLM") for name in architecture.heads if name.endswith("ForCausalLM"))
    return next(named, "")
