"""Last words on random configs of models that see."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import nest, section, tune_tower

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]

TEXTS = ["llama", "mistral", "qwen2", "gemma", "qwen3"]
TOWERS = ["clip_vision_model", "siglip_vision_model", "pixtral"]


def first(favourite: str, names: list[str]) -> list[str]:
    """``names`` with the type that the class declares in front."""
    return [favourite, *(name for name in names if name != favourite)]


def tune_llava_kin(rng: random.Random, config: Config) -> None:
    tower = "siglip_vision_model" if config["model_type"] == "llava_onevision" else "clip_vision_model"
    nest(rng, config, first("qwen2" if "onevision" in config["model_type"] else "llama", TEXTS), first(tower, TOWERS))
    maybe(rng, config, vision_feature_layer=[-1, -2, [-1, -2], [0, 1, 2]])
    if config["model_type"] == "llava_next_video":
        maybe(rng, config, spatial_pool_mode=["max", "conv", "average"], spatial_pool_stride=[2, 3])
        maybe(rng, config, 0.3, spatial_pool_out_channels=[24])


def tune_paligemma(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["gemma", "gemma2"], ["siglip_vision_model"])
    config.pop("vocab_size", None)
    maybe(rng, config, projection_dim=[16, 64], hidden_size=[32])


def tune_cohere_vision(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["cohere2"], first("siglip_vision_model", TOWERS))
    config.setdefault("vision_config", section(rng, "siglip_vision_model"))
    maybe(rng, config, downsample_factor=[1, 2, 3], alignment_intermediate_size=[24, 64])


def tune_lighton(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["qwen3", "qwen2"], ["pixtral"])
    maybe(rng, config, spatial_merge_size=[1, 2, 3])


def tune_lfm_vl(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["lfm2"], ["siglip2_vision_model", "siglip_vision_model"])
    maybe(rng, config, downsample_factor=[1, 2, 3], projector_hidden_size=[24, 48])
    maybe(rng, config, 0.3, tie_embedding=[True, False])


def tune_naflex(rng: random.Random, config: Config) -> None:
    tune_tower(rng, config)
    config.pop("image_size", None)
    maybe(rng, config, num_patches=[16, 64])


def tune_idefics(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["llama", "qwen2", "mistral"], ["idefics3_vision"])
    if "vision_config" in config:
        config["vision_config"].pop("model_type", None)
    maybe(rng, config, scale_factor=[1, 2, 3])


def tune_idefics2(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["mistral", "llama"], ["idefics3_vision"])
    if "vision_config" in config:
        maybe(rng, config["vision_config"], model_type=["idefics2", "idefics2_vision"])
    perceiver: Config = {}
    maybe(rng, perceiver, resampler_n_latents=[8, 16], resampler_depth=[1, 2], resampler_n_heads=[4, 8])
    maybe(rng, perceiver, resampler_head_dim=[8, 16], num_key_value_heads=[1, 2, 4], hidden_size=[64])
    maybe(rng, config, perceiver_config=[perceiver])


def tune_internvl(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["qwen2", "llama", "qwen3"], [f"{config['model_type']}_vision"])
    maybe(rng, config, downsample_ratio=[0.5, 0.25, 1.0, 0.3])


def tune_beit(rng: random.Random, config: Config) -> None:
    tune_tower(rng, config)
    maybe(rng, config, 0.4, norm_type=["rms_norm", "layer_norm"], image_size=[[28, 56]], patch_size=[[7, 14]])


TUNERS: dict[str, Tuner] = {
    "llava_next": tune_llava_kin,
    "llava_onevision": tune_llava_kin,
    "llava_next_video": tune_llava_kin,
    "video_llava": tune_llava_kin,
    "vipllava": tune_llava_kin,
    "paligemma": tune_paligemma,
    "aya_vision": tune_cohere_vision,
    "cohere2_vision": tune_cohere_vision,
    "lighton_ocr": tune_lighton,
    "lfm2_vl": tune_lfm_vl,
    "siglip2_vision_model": tune_naflex,
    "idefics2": tune_idefics2,
    "idefics3": tune_idefics,
    "smolvlm": tune_idefics,
    "idefics3_vision": tune_tower,
    "smolvlm_vision": tune_tower,
    "internvl": tune_internvl,
    "qianfan_ocr": tune_internvl,
    "internvl_vision": tune_beit,
    "qianfan_ocr_vision": tune_beit,
}

#: Aya Vision declares a tower whose heads do not divide its width.
REQUIRED: dict[str, Config] = {
    "aya_vision": {"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152}},
}
