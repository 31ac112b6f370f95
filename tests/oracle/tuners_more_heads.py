"""What CLIP and SigLIP vary: the sizes of both halves, sections that are missing, images and patches."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

Config = dict[str, Any]


def size_half(rng: random.Random) -> Config:
    """A small transformer."""
    heads = rng.choice([2, 4])
    return {
        "hidden_size": heads * rng.choice([8, 16]),
        "intermediate_size": rng.choice([24, 48]),
        "num_attention_heads": heads,
        "num_hidden_layers": rng.randint(1, 4),
    }


def tune_text(rng: random.Random, config: Config) -> None:
    config |= size_half(rng)
    config["vocab_size"] = rng.choice([97, 128])
    config["max_position_embeddings"] = rng.choice([16, 77])
    if rng.random() < 0.5:
        config["projection_dim"] = rng.choice([16, 24])
    if config["model_type"] == "siglip_text_model":
        config["architectures"] = ["SiglipTextModel"]
        config["projection_size"] = rng.choice([None, 16, 24])
    if config["model_type"] == "clip_text_model" and rng.random() < 0.5:
        config["architectures"] = ["CLIPTextModelWithProjection"]


def tune_pair(rng: random.Random, config: Config) -> None:
    names = {"clip": "CLIP", "siglip": "Siglip"}
    text: Config = {"model_type": f"{config['model_type']}_text_model"}
    tune_text(rng, text)
    text.pop("architectures", None)
    vision = {**size_half(rng), "image_size": rng.choice([32, 48]), "patch_size": rng.choice([8, 16])}
    config |= {"text_config": text, "vision_config": vision}
    if config["model_type"] == "siglip" and rng.random() < 0.3:
        vision["vision_use_head"] = False
    if config["model_type"] == "clip" and rng.random() < 0.5:
        config["projection_dim"] = rng.choice([16, 24])
    if rng.random() < 0.2:
        config[rng.choice(["text_config", "vision_config"])] = None
    if rng.random() < 0.2:
        del config[rng.choice(["text_config", "vision_config"])]
    if rng.random() < 0.3:
        config["architectures"] = [f"{names[config['model_type']]}ForImageClassification"]
        config["num_labels"] = rng.choice([2, 5])


TUNERS: Mapping[str, Any] = {
    "clip": tune_pair,
    "clip_text_model": tune_text,
    "siglip": tune_pair,
    "siglip_text_model": tune_text,
}
#: No auto class of transformers has the text half of SigLIP.
REQUIRED: Mapping[str, Any] = {"siglip_text_model": {"architectures": ["SiglipTextModel"]}}
