"""Last words on random configs of models that see."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.layered import say_layers
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


def tune_glm_tower(rng: random.Random, config: Config) -> None:
    heads = rng.choice([1, 2])
    config |= {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 7}
    config.pop("num_attention_heads", None)
    maybe(rng, config, out_hidden_size=[32, 48], intermediate_size=[24, 40], image_size=[28, 49])
    maybe(rng, config, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])


def tune_glm_vl(rng: random.Random, config: Config) -> None:
    kind = config["model_type"]
    kinds = [kind] if kind not in ("glm46v", "glmga") else ["glm4v", "glm4v_moe"]
    nest(rng, config, [f"{name}_text" for name in kinds], [f"{name}_vision" for name in kinds])


def tune_glm_text(rng: random.Random, config: Config) -> None:
    """Heads always share the width out evenly: a file that says one and not the other keeps the type's own."""
    if "hidden_size" not in config:
        config.pop("num_attention_heads", None)


def tune_glm_moe_text(rng: random.Random, config: Config) -> None:
    config |= {"num_experts_per_tok": rng.choice([1, 2]), "n_group": 1, "topk_group": 1}
    config |= {rng.choice(["n_routed_experts", "num_local_experts"]): rng.choice([4, 6])}
    maybe(rng, config, moe_intermediate_size=[16, 24], n_shared_experts=[1, 2], first_k_dense_replace=[0, 1, 9])


def tune_kimi_tower(rng: random.Random, config: Config) -> None:
    maybe(rng, config, patch_size=[7, 14], pos_emb_height=[4, 8], pos_emb_width=[4, 8])
    maybe(rng, config, merge_kernel_size=[[1, 2], [2, 2]])


def tune_kimi_vl(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["deepseek_v3", "kimi_k2"], ["kimi_k25_vision"])
    maybe(rng, config, projection_hidden_size=[16, 32])


def tune_fuyu(rng: random.Random, config: Config) -> None:
    text = section(rng, "persimmon")
    for key in ("num_key_value_heads", "model_type"):
        text.pop(key, None)
    if rng.random() < 0.5:
        config |= {key: value for key, value in text.items() if key not in ("tie_word_embeddings", "use_cache")}
    else:
        config["text_config"] = text | {"model_type": "persimmon"}
    maybe(rng, config, patch_size=[4, 8], num_channels=[1, 3])


def tune_mllama(rng: random.Random, config: Config) -> None:
    text: Config = {
        "hidden_size": 32,
        "num_attention_heads": rng.choice([2, 4]),
        "num_key_value_heads": rng.choice([1, 2]),
    }
    maybe(rng, text, num_hidden_layers=[2, 5, 9], intermediate_size=[24, 48], vocab_size=[64, 97])
    maybe(
        rng,
        text,
        cross_attention_layers=[[1], [0, 3, 12], [], None],
        pad_token_id=[3],
        model_type=["mllama_text_model"],
    )
    text["pad_token_id"] = 3
    vision: Config = {"hidden_size": 32, "attention_heads": rng.choice([2, 4]), "vision_output_dim": 96}
    maybe(rng, vision, num_hidden_layers=[1, 3], num_global_layers=[1, 2], intermediate_size=[24], num_channels=[1, 3])
    maybe(rng, vision, image_size=[56, 70], patch_size=[7, 14])
    if rng.random() < 0.4:
        vision |= {"supported_aspect_ratios": [[1, 1], [1, 2]], "max_num_tiles": 2}
    maybe(rng, config, 0.85, text_config=[text], vision_config=[vision])
    maybe(rng, config, 0.4, tie_word_embeddings=[True, False])
    config["architectures"] = [rng.choice(["MllamaForConditionalGeneration", "MllamaModel"])]


def tune_paddle(rng: random.Random, config: Config) -> None:
    text = section(rng, "paddleocr_vl_text")
    del text["model_type"]
    maybe(rng, text, 0.3, head_dim=[8, 16], tie_word_embeddings=[True, False])
    if rng.random() < 0.4:
        config |= {key: value for key, value in text.items() if key != "tie_word_embeddings"}
    else:
        config["text_config"] = text
    vision = section(rng, "idefics3_vision") | {"model_type": rng.choice(["paddleocr_vl", "paddleocr_vl_vision"])}
    maybe(rng, vision, spatial_merge_size=[1, 2])
    maybe(rng, config, 0.9, vision_config=[vision])


def tune_muse(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["muse_glimmer_text"], ["muse_glimmer_vision"])
    maybe(rng, config, out_hidden_size=[32, 48], projector_hidden_size=[24])


def tune_muse_text(rng: random.Random, config: Config) -> None:
    maybe(rng, config, sliding_window=[16, 32], head_dim=[8, 16])
    if "num_hidden_layers" in config and rng.random() < 0.3:
        config["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=config["num_hidden_layers"])


def tune_muse_tower(rng: random.Random, config: Config) -> None:
    maybe(rng, config, patch_size=[7, 14], pos_emb_height=[4, 8], pos_emb_width=[4, 8], patch_temporal=[1, 2])


def tune_step(rng: random.Random, config: Config) -> None:
    text = section(rng, "step3p5")
    text["num_hidden_layers"] = layers = rng.randint(1, 5)
    extra = rng.choice([0, 0, 2])
    text |= {rng.choice(["num_experts_per_tok", "moe_top_k"]): rng.choice([1, 2]), "sliding_window": 16}
    text |= {rng.choice(["n_routed_experts", "moe_num_experts"]): rng.choice([4, 6])}
    text |= {"num_nextn_predict_layers": extra, "head_dim": rng.choice([8, 16])}
    for key in ("num_local_experts", "num_sliding_attention_heads"):
        text.pop(key, None)
    maybe(rng, text, moe_intermediate_size=[16, 24], share_expert_dim=[16, 24])
    maybe(rng, text, 0.3, gating=[True, "per-head", "elementwise"], moe_layers_enum=["0,2", "", [1, 2]])
    if rng.random() < 0.6:
        text["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=layers + extra)
        heads = 2 * text.get("num_attention_heads", 32)
        maybe(rng, text, 0.4, attention_other_setting=[{"num_attention_heads": heads}, {}])
        maybe(rng, text, 0.4, num_sliding_attention_heads=[heads])
    if rng.random() < 0.4:
        text["mlp_layer_types"] = rng.choices(["dense", "sparse"], k=layers + extra)
    some = rng.sample(range(layers), rng.randint(1, layers))
    heads = 2 * text.get("num_attention_heads", 32)
    sizes = {"num_attention_heads": heads, "attention_bias": True, "num_key_value_heads": 1}
    say_layers(rng, text, some, dict(rng.sample(sorted(sizes.items()), rng.randint(1, 3))))
    vision: Config = {"patch_size": 7, "image_size": 28, rng.choice(["width", "hidden_size"]): 32}
    vision |= {rng.choice(["layers", "num_hidden_layers"]): 2, rng.choice(["heads", "num_attention_heads"]): 2}
    maybe(rng, vision, 0.4, mlp_ratio=[2.0, 8960 / 1536], num_channels=[1], model_type=["perception_encoder"])
    config |= {"text_config": text, "vision_config": vision}


def tune_minimax_vl(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["minimax_m3_vl_text"], ["idefics3_vision"])
    config.setdefault("text_config", section(rng, "minimax_m3_vl_text"))
    if "vision_config" in config:
        config["vision_config"]["model_type"] = rng.choice(["clip_vision_model", "minimax_m3_vl_vision"])
        maybe(rng, config["vision_config"], spatial_merge_size=[1, 2], temporal_patch_size=[1, 2])
    maybe(rng, config, projector_hidden_size=[24, 48])


def tune_minicpm(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["qwen3_5_text", "qwen2"], ["idefics3_vision"])
    if "vision_config" in config:
        config["vision_config"].pop("model_type", None)
        maybe(rng, config["vision_config"], window_kernel_size=[[1, 2], [2, 2]])
    maybe(rng, config, merger_times=[1, 2, 3])


def tune_aria(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["aria_text"], ["idefics3_vision", "siglip_vision_model"])
    maybe(rng, config, projector_patch_to_query_dict=[{"16": 8, "64": 24}, None])


def tune_siglip_eyes(rng: random.Random, config: Config) -> None:
    vision = {"deepseek_vl": "siglip_vision_model", "video_llama_3": "video_llama_3_vision"}[config["model_type"]]
    nest(rng, config, ["llama", "qwen2"], [vision])


def tune_qwen_tower(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    config.pop("num_attention_heads", None)
    config |= {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 7}
    maybe(rng, config, out_hidden_size=[32, 48], intermediate_size=[24, 40])
    maybe(rng, config, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])
    if config["model_type"] == "exaone4_5_vision":
        config["num_key_value_heads"] = rng.choice([1, 2])


def tune_exaone_eyes(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["exaone4"], ["exaone4_5_vision"])
    if "text_config" in config:
        config["text_config"]["model_type"] = rng.choice(["exaone4", "exaone4_5_text"])


def tune_hyperclova(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["hyperclovax"], ["qwen2_5_vl_vision"])
    if "vision_config" in config:
        maybe(rng, config["vision_config"], 0.5, model_type=["qwen2_5_vl"])


def tune_ovis(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["qwen2", "llama"], ["siglip_vision_model"])
    config["hidden_size"] = 64
    if "vision_config" in config:
        vision = config["vision_config"]
        for key in ("vision_use_head", "model_type"):
            vision.pop(key, None)
        maybe(rng, vision, vocab_size=[40, 64], hidden_stride=[1, 2], num_visual_indicator_tokens=[3, 5])
        maybe(rng, vision, 0.3, qkv_bias=[True], mlp_bias=[True])


def small_vit(rng: random.Random) -> Config:
    """A small vision transformer by the keys that most know."""
    vision: Config = {"hidden_size": rng.choice([32, 48]), "num_attention_heads": rng.choice([2, 4])}
    vision |= {"num_hidden_layers": rng.randint(1, 3), "intermediate_size": 24, "patch_size": 7, "image_size": 28}
    return vision


def tune_blip(rng: random.Random, config: Config) -> None:
    text: Config = {"hidden_size": 32, "num_attention_heads": rng.choice([2, 4])}
    maybe(rng, text, num_hidden_layers=[1, 3], vocab_size=[64, 97], max_position_embeddings=[16], is_decoder=[True])
    maybe(rng, text, 0.2, is_decoder=[False], tie_word_embeddings=[True, False], encoder_hidden_size=[16])
    maybe(rng, config, 0.85, text_config=[text], vision_config=[small_vit(rng)])
    maybe(rng, config, 0.4, projection_dim=[16], image_text_hidden_size=[8])
    if rng.random() < 0.5:
        name = rng.choice(["QuestionAnswering", "ConditionalGeneration", "ImageTextRetrieval"])
        config["architectures"] = [f"BlipFor{name}"]


def tune_blip_2(rng: random.Random, config: Config) -> None:
    former: Config = {"hidden_size": 32, "num_attention_heads": rng.choice([2, 4]), "vocab_size": 64}
    maybe(rng, former, num_hidden_layers=[2, 5], cross_attention_frequency=[1, 2, 3], intermediate_size=[24])
    maybe(rng, former, 0.3, use_qformer_text_input=[True], encoder_hidden_size=[16])
    config["text_config"] = section(rng, rng.choice(["opt", "llama", "t5"]))
    config |= {"vision_config": small_vit(rng), "qformer_config": former}
    maybe(rng, config["vision_config"], 0.4, qkv_bias=[False])
    maybe(rng, config, num_query_tokens=[8, 32])
    for key in ("text_config", "vision_config", "qformer_config"):
        if rng.random() < 0.1:
            del config[key]


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
    "glm4v": tune_glm_vl,
    "glm4v_moe": tune_glm_vl,
    "glm46v": tune_glm_vl,
    "glmga": tune_glm_vl,
    "glm_ocr": tune_glm_vl,
    "glm4v_vision": tune_glm_tower,
    "glm4v_moe_vision": tune_glm_tower,
    "glm_ocr_vision": tune_glm_tower,
    "glm4v_moe_text": tune_glm_moe_text,
    "glm4v_text": tune_glm_text,
    "kimi_k25": tune_kimi_vl,
    "kimi_k25_vision": tune_kimi_tower,
    "fuyu": tune_fuyu,
    "mllama": tune_mllama,
    "paddleocr_vl": tune_paddle,
    "muse_glimmer": tune_muse,
    "muse_glimmer_text": tune_muse_text,
    "muse_glimmer_vision": tune_muse_tower,
    "step3p7": tune_step,
    "minimax_m3_vl": tune_minimax_vl,
    "minicpmv4_6": tune_minicpm,
    "minicpmv4_7": tune_minicpm,
    "minicpm_ocr": tune_minicpm,
    "aria": tune_aria,
    "deepseek_vl": tune_siglip_eyes,
    "video_llama_3": tune_siglip_eyes,
    "video_llama_3_vision": tune_tower,
    "exaone4_5_vision": tune_qwen_tower,
    "qwen2_5_vl_vision": tune_qwen_tower,
    "exaone4_5": tune_exaone_eyes,
    "hyperclovax_vision_v2": tune_hyperclova,
    "ovis2": tune_ovis,
    "blip": tune_blip,
    "blip-2": tune_blip_2,
    "instructblip": tune_blip_2,
    "instructblipvideo": tune_blip_2,
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

#: The class that transformers maps Llama 3.2 Vision to first takes only the text section; Aya Vision declares a tower
#: whose heads do not divide its width.
REQUIRED: dict[str, Config] = {
    "mllama": {"architectures": ["MllamaForConditionalGeneration"]},
    "aya_vision": {"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152}},
}
