"""Small random variations of a config, as real files vary: every key that shapes tensors changes, within the law."""

from __future__ import annotations

import pkgutil
import random
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from zoo.arch.config import find_spec

#: Booleans that shape nothing, or that ask for what no file on the Hub has.
FIXED_FLAGS = {"is_encoder_decoder", "output_router_logits", "torchscript", "use_bidirectional_attention", "is_decoder"}


Tuner = Callable[[random.Random, dict[str, Any]], None]


@cache
def load_tuner_modules() -> list[Any]:
    """The ``tuners_*`` modules beside this one."""
    names = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name.startswith("tuners_")]
    return [import_module(f"tests.oracle.{name}") for name in names]


@cache
def load_tuners() -> Mapping[str, Tuner]:
    """What the tuner modules set, by model type: the keys that only some types have."""
    return {model_type: tune for module in load_tuner_modules() for model_type, tune in module.TUNERS.items()}


@cache
def load_required() -> Mapping[str, Mapping[str, Any]]:
    """Keys whose declared default no model can run with, and a value for them, by model type."""
    return {model_type: keys for module in load_tuner_modules() for model_type, keys in module.REQUIRED.items()}


def vary(model_type: str, seed: int) -> dict[str, Any]:
    """A legal small config of ``model_type``, the same for the same ``seed``; its tuner has the last word."""
    rng = random.Random(f"{model_type}{seed}")
    defaults = find_spec(model_type).defaults
    config: dict[str, Any] = {"model_type": model_type}
    heads = rng.choice([2, 4, 6, 8])
    head_dim = rng.choice([8, 16, 32])
    sizes = {
        "hidden_size": heads * head_dim,
        "n_embd": heads * head_dim,
        "d_model": heads * head_dim,
        "num_attention_heads": heads,
        "n_head": heads,
        "n_heads": heads,
        "num_heads": heads,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "num_key_value_heads": rng.choice([k for k in (1, 2, heads) if heads % k == 0]),
        "num_kv_heads": rng.choice([k for k in (1, 2, heads) if heads % k == 0]),
        "num_hidden_layers": rng.randint(1, 7),
        "n_layer": rng.randint(1, 5),
        "n_layers": rng.randint(1, 5),
        "num_layers": rng.randint(1, 4),
        "num_decoder_layers": rng.randint(1, 4),
        "encoder_layers": rng.randint(1, 4),
        "decoder_layers": rng.randint(1, 4),
        "intermediate_size": rng.choice([24, 48, 96, 112]),
        "ffn_dim": rng.choice([24, 48, 96]),
        "d_ff": rng.choice([24, 48, 96]),
        "n_inner": rng.choice([None, 40, 96]),
        "vocab_size": rng.choice([64, 97, 128]),
    }
    config |= {key: value for key, value in sizes.items() if key in defaults and rng.random() < 0.9}
    config |= {key: sizes[key] for key in ("hidden_size", "num_attention_heads") if key in defaults}
    if defaults.get("head_dim", 0) is None and rng.random() < 0.4:
        config["head_dim"] = rng.choice([8, 16, 24])
    for key, value in defaults.items():
        if isinstance(value, bool) and key not in FIXED_FLAGS and rng.random() < 0.35:
            config[key] = not value
    if rng.random() < 0.3:
        config = {key: value for key, value in config.items() if key == "model_type" or rng.random() < 0.85}
    if tune := load_tuners().get(model_type):
        tune(rng, config)
    return rename(model_type, random.Random(f"{seed}{model_type}"), config)


#: Types whose classes read a key by both of its names: zoo refuses a config that has only the other.
READ_BY_TWO = ("dbrx", "switch_transformers", "zamba2")


def rename(model_type: str, rng: random.Random, config: dict[str, Any]) -> dict[str, Any]:
    """Some files call some keys by the other name that their class knows them by."""
    if rng.random() < 0.7 or model_type in READ_BY_TWO:
        return config
    names = find_spec(model_type).aliases
    renamed = {}
    for key, value in config.items():
        others = [name for name in names.get(key, ()) if name not in config]
        if others and rng.random() < 0.5:
            renamed[rng.choice(others)] = value
            if rng.random() < 0.2:  # a stale value under its own name gives way
                renamed[key] = find_spec(model_type).defaults.get(key)
        else:
            renamed[key] = value
    return renamed
