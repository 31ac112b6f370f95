"""Build a config with transformers on the meta device and say what is in it. Nothing is allocated or downloaded."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from typing import Any

from zoo.arch.config import find_spec

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)|(?<=\.expert_)\d+(?=\.)")

#: Auto classes in the order in which they are asked for the natural head of a type: that of a causal language model
#: names the text alone of some types that see.
TASKS = (
    "IMAGE_TEXT_TO_TEXT",
    "CAUSAL_LM",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "SPEECH_SEQ_2_SEQ",
    "MASKED_LM",
)

#: Types that transformers does not know by name, though it has the class that their files name.
SAME_AS = {"kimi_k2": "deepseek_v3"}

Patterns = dict[tuple[str, tuple[int, ...]], int]

#: Parameters of the largest model that is run on a CPU.
LARGEST = 400_000_000


def fold(name: str) -> str:
    """``name`` with every number that is a component of its own, or that of an expert, replaced by ``{}``."""
    return NUMBER.sub("{}", name)


def find_class(config: dict[str, Any]) -> Any:
    """The transformers class that ``architectures`` names, else the natural one of the type."""
    import transformers
    from transformers.models.auto import modeling_auto

    named = config.get("architectures") or []
    if named:
        return getattr(transformers, named[0])
    model_type = config["model_type"]
    tasks = TASKS
    if config.get("is_encoder_decoder", find_spec(model_type).defaults.get("is_encoder_decoder")):
        tasks = ("SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", *TASKS)
    elif model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        tasks = ("MASKED_LM", *TASKS)
    for task in tasks:
        name = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES").get(model_type)
        if name:
            return getattr(transformers, name)
    return getattr(transformers, modeling_auto.MODEL_MAPPING_NAMES[model_type])


def build_model(config: dict[str, Any], device: str = "meta") -> Any:
    """The model of ``config``, nothing in it unless ``device`` is a real one; raises what transformers raises."""
    import torch
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    torch.set_num_threads(1)
    config = {**config, "model_type": SAME_AS.get(config["model_type"], config["model_type"])}
    parsed = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    named = find_class(config)
    if not isinstance(parsed, named.config_class):  # a class of the text alone takes the section
        sections = (getattr(parsed, key, None) for key in parsed.sub_configs)
        parsed = next((section for section in sections if isinstance(section, named.config_class)), parsed)
    with torch.device(device):
        model = named(parsed)
    model.tie_weights()
    return model


def build_to_run(config: dict[str, Any]) -> Any:
    """The model of ``config`` with random weights that are the same each time, in its plainest implementation.

    Raises OverflowError when it is too large to run, and what transformers raises.
    """
    import torch

    size = sum(p.numel() for p in build_model(config).parameters())
    if size > LARGEST:
        raise OverflowError(f"{size:,} parameters are too many to run")
    torch.manual_seed(0)
    plain = {"attn_implementation": "eager", "experts_implementation": "eager"}
    return build_model(config | plain, device="cpu").float().eval()


def describe_model(model: Any) -> dict[str, Any]:
    """Class, totals, patterns (folded name, shape, count), ties and persistent buffers of a built model."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    unique = dict(model.named_parameters())
    stored = model.state_dict(keep_vars=True)
    buffers = {name: value.numel() for name, value in stored.items() if name not in unique and id(value) not in names}
    patterns = Counter((fold(name), tuple(value.shape)) for name, value in unique.items())
    biases = sum(value.numel() for name, value in unique.items() if is_bias(name))
    return {
        "class": type(model).__name__,
        "params": sum(value.numel() for value in unique.values()),
        "biases": biases,
        "buffers": sum(buffers.values()),
        "ties": sorted({tuple(sorted(fold(n) for n in group)) for group in names.values() if len(group) > 1}),
        "patterns": [[name, list(shape), count] for (name, shape), count in patterns.items()],
    }


def is_bias(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.endswith("_bias") or last.startswith("bias")


def describe(config: dict[str, Any]) -> dict[str, Any]:
    """Build and describe."""
    return describe_model(build_model(config))


def save_config(model: Any) -> dict[str, Any]:
    """The ``config.json`` that transformers writes beside the weights of ``model``."""
    model.config.architectures = [type(model).__name__]
    written: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=True))
    return written
