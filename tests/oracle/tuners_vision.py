"""Last words on random configs of models that see: sections, towers, projectors."""

from __future__ import annotations

import random
from importlib import import_module

from tests.oracle.tuners_sparse import REQUIRED, Config, Tuner, maybe


def section(rng: random.Random, model_type: str) -> Config:
    """A random small config of ``model_type`` to stand inside another."""
    return import_module("tests.oracle.vary").vary(model_type, rng.randrange(1000)) | {"model_type": model_type}


def nest(rng: random.Random, config: Config, text: list[str], vision: list[str]) -> None:
    """Sections for a model with a vision tower, now and then missing."""
    config["text_config"] = section(rng, rng.choice(text))
    maybe(rng, config["text_config"], 0.3, tie_word_embeddings=[True, False])
    config["vision_config"] = section(rng, rng.choice(vision))
    for key in ("text_config", "vision_config"):
        if rng.random() < 0.1:
            del config[key]
        elif rng.random() < 0.2 and config[key]["model_type"] in (text[0], vision[0]):
            del config[key]["model_type"]


def tune_llava(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["llama", "mistral", "qwen2", "gemma"], ["clip_vision_model", "siglip_vision_model", "pixtral"])
    maybe(rng, config, vision_feature_layer=[-1, -2, [-1, -2], [0, 1, 2]], projector_hidden_act=["gelu"])


def tune_mistral3(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["mistral", "ministral3"], ["pixtral"])
    maybe(rng, config, vision_feature_layer=[-1, [-1, -2]], spatial_merge_size=[1, 2, 3])


def tune_gemma3(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["gemma3_text"], ["siglip_vision_model"])
    maybe(rng, config, num_labels=[3])


def tune_tower(rng: random.Random, config: Config) -> None:
    patch = rng.choice([4, 7, 14])
    config |= {"patch_size": patch, "image_size": patch * rng.choice([2, 3, 5])}
    maybe(rng, config, num_channels=[1, 3], projection_dim=[16])
    config.pop("num_key_value_heads", None)


def tune_qwen_vl(rng: random.Random, config: Config) -> None:
    kind = config["model_type"]
    text = section(rng, f"{kind}_text")
    heads = rng.choice([1, 2])
    vision = {"depth": rng.randint(1, 3), "num_heads": heads, "patch_size": rng.choice([7, 14])}
    maybe(rng, vision, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])
    if kind == "qwen2_vl":
        vision |= {"embed_dim": 16 * heads, "hidden_size": rng.choice([32, 48]), "mlp_ratio": rng.choice([2, 4])}
    else:
        vision |= {"hidden_size": 16 * heads, "out_hidden_size": 32, "intermediate_size": rng.choice([24, 40])}
    maybe(rng, vision, 0.3, model_type=[kind, f"{kind}_vision"])
    if rng.random() < 0.9:
        config["vision_config"] = vision
    if rng.random() < 0.4:
        config |= {key: value for key, value in text.items() if key != "model_type"}
    else:
        maybe(rng, text, 0.3, tie_word_embeddings=[True, False])
        config["text_config"] = text


def tune_llama4_text(rng: random.Random, config: Config) -> None:
    config["num_hidden_layers"] = layers = config.get("num_hidden_layers", 5)
    maybe(rng, config, num_local_experts=[2, 4], num_experts_per_tok=[1, 2], intermediate_size_mlp=[40, 64])
    maybe(rng, config, 0.4, interleave_moe_layer_step=[1, 2, 3], moe_layers=[[], [0], [1, 3]])
    maybe(rng, config, 0.4, no_rope_layers=[[], [rng.choice([0, 1]) for _ in range(layers)]])
    maybe(rng, config, 0.4, no_rope_layer_interval=[1, 2, 4], attention_chunk_size=[16, 64])
    if rng.random() < 0.2:
        config["layer_types"] = [rng.choice(["chunked_attention", "full_attention"]) for _ in range(layers)]


def tune_llama4(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["llama4_text"], ["llama4_vision_model"])
    config |= REQUIRED["llama4"]


def tune_llama4_vision(rng: random.Random, config: Config) -> None:
    tune_tower(rng, config)
    maybe(rng, config, projector_input_dim=[16, 24], projector_output_dim=[16, 24], vision_output_dim=[40])


def tune_qwen3_vision(rng: random.Random, config: Config) -> None:
    heads = rng.choice([1, 2])
    config |= {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 8}
    maybe(rng, config, out_hidden_size=[32], intermediate_size=[24, 40], num_position_embeddings=[16, 64])
    maybe(rng, config, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])
    if "vl" in config["model_type"]:
        maybe(rng, config, deepstack_visual_indexes=[[], [0], [0, 1]])


def tune_qwen3_vl(rng: random.Random, config: Config) -> None:
    kind = config["model_type"]
    nest(rng, config, [f"{kind}_text"], [f"{kind}_vision"])
    if "vision_config" in config:
        maybe(rng, config["vision_config"], 0.3, model_type=[kind])
    if kind.startswith("qwen3_5"):
        config |= REQUIRED[kind]


TUNERS: dict[str, Tuner] = {
    "clip_vision_model": tune_tower,
    "siglip_vision_model": tune_tower,
    "pixtral": tune_tower,
    "llava": tune_llava,
    "mistral3": tune_mistral3,
    "gemma3": tune_gemma3,
    "qwen3_vl": tune_qwen3_vl,
    "qwen3_vl_moe": tune_qwen3_vl,
    "qwen3_5": tune_qwen3_vl,
    "qwen3_5_moe": tune_qwen3_vl,
    "qwen3_vl_vision": tune_qwen3_vision,
    "qwen3_vl_moe_vision": tune_qwen3_vision,
    "qwen3_5_vision": tune_qwen3_vision,
    "qwen3_5_moe_vision": tune_qwen3_vision,
    "qwen2_vl": tune_qwen_vl,
    "qwen2_5_vl": tune_qwen_vl,
    "llama4": tune_llama4,
    "llama4_text": tune_llama4_text,
    "llama4_vision_model": tune_llama4_vision,
}
