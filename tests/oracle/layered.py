"""Sizes of single layers in random configs, as transformers writes them in ``per_layer_config``."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any


def say_layers(rng: random.Random, config: dict[str, Any], layers: Iterable[int], changes: dict[str, Any]) -> None:
    """Sometimes writes ``changes`` of ``layers``, or that there are none; numbers with zeros before them, or without.

    Half the time the other layers are written too, with what the config says anyway.
    """
    roll = rng.random()
    if roll < 0.15:
        config["per_layer_config"] = rng.choice([{}, None])
    elif roll < 0.55:
        changed, digits = set(layers), rng.choice([1, 2, 3])
        same = {key: config[key] for key in changes if key in config} if rng.random() < 0.5 else {}
        every = sorted(changed | (set(range(config.get("num_hidden_layers", 0))) if same else set()))
        config["per_layer_config"] = {str(i).zfill(digits): {**(changes if i in changed else same)} for i in every}
