"""Last words on random configs of models that see: towers of SAM, experts for images, and others."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sight import small_vit
from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import nest, section

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def small_sam(rng: random.Random) -> Config:
    vision = small_vit(rng) | {"mlp_dim": 24}
    del vision["intermediate_size"]
    maybe(rng, vision, window_size=[2, 3], global_attn_indexes=[[0], [1, 2], []], output_channels=[8, 16])
    maybe(rng, vision, 0.3, qkv_bias=[False], use_abs_pos=[False], use_rel_pos=[False], num_channels=[1])
    return vision


def tune_got(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["qwen2", "llama"], ["idefics3_vision"])
    config["vision_config"] = small_sam(rng)


def tune_ernie(rng: random.Random, config: Config) -> None:
    text = section(rng, "ernie4_5_vl_moe_text") | {rng.choice(["moe_k", "num_experts_per_tok"]): rng.choice([1, 2])}
    text |= {rng.choice(["moe_num_experts", "num_experts"]): rng.choice([4, 6])}
    heads = rng.choice([1, 2])  # of 128, which is what the declared sections of the rotation add up to
    text |= {"hidden_size": 128 * heads, "num_attention_heads": heads, "num_key_value_heads": rng.choice([1, heads])}
    text.pop("head_dim", None)
    maybe(rng, text, moe_intermediate_size=[[16, 8], [24, 16]], moe_num_shared_experts=[1, 2])
    layers = text.get("num_hidden_layers", 28)
    maybe(rng, text, 0.3, mlp_layer_types=[rng.choices(["dense", "sparse"], k=layers)])
    heads = rng.choice([1, 2])
    vision: Config = {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 7}
    maybe(rng, vision, intermediate_size=[24], spatial_merge_size=[1, 2], temporal_merge_size=[1, 2], in_channels=[1])
    config |= {"text_config": text, "vision_config": vision}


def tune_docling(rng: random.Random, config: Config) -> None:
    text, vision = section(rng, "granite_docling_text"), section(rng, "idefics3_vision")
    text |= {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 2, 4])}
    maybe(rng, vision, scale_factor=[2, 4], deepstack_visual_indexes=[[], [0], [0, 1]], use_fine_route=[False])
    vision |= {"out_hidden_size": text["hidden_size"], "model_type": "granite_docling_vision"}
    vision |= {"image_size": 56, "patch_size": 7}
    config |= {"text_config": text, "vision_config": vision}
    if vision.get("use_fine_route", True):
        maybe(rng, config, 0.4, density_router_hidden_size=[16])


def tune_docling_text(rng: random.Random, config: Config) -> None:
    config["pad_token_id"] = 0  # the declared one lies beyond the small vocabularies here


def tune_docling_tower(rng: random.Random, config: Config) -> None:
    config |= {"image_size": 56, "patch_size": 7}
    maybe(rng, config, scale_factor=[2, 4], out_hidden_size=[32, 48], deepstack_visual_indexes=[[], [0], [0, 1]])


def tune_cosmos(rng: random.Random, config: Config) -> None:
    kind = "cosmos3_edge" if config["model_type"] == "cosmos3_edge" else "qwen3_vl"
    nest(rng, config, [f"{kind}_text"], [f"{kind}_vision"])
    maybe(rng, config, projector_hidden_size=[24, 48])
    if kind == "qwen3_vl" and "vision_config" in config:
        maybe(rng, config["vision_config"], 0.4, model_type=["qwen3_vl", "anything"])


def tune_edge_text(rng: random.Random, config: Config) -> None:
    config["head_dim"] = rng.choice([16, 32])
    half = config["head_dim"] // 2
    config["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": 1e4,
        "mrope_section": [half - 2 * (half // 4), half // 4, half // 4],
    }


def tune_edge_tower(rng: random.Random, config: Config) -> None:
    maybe(rng, config, patch_size=[7, 14], num_patches=[16, 64], num_channels=[1], spatial_merge_size=[1, 2])


def tune_lfm_tower(rng: random.Random, config: Config) -> None:
    config["num_hidden_layers"] = layers = rng.randint(1, 5)
    config["num_key_value_heads"] = rng.choice([1, 2])
    maybe(rng, config, patch_size=[7, 14], conv_kernel_size=[3, 5], temporal_patch_size=[1, 2], in_channels=[1])
    maybe(rng, config, 0.4, layer_types=[rng.choices(["conv", "full_attention"], k=layers)])


def tune_lfm3_vl(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["lfm3", "llama"], ["lfm3_vl_vision"])
    maybe(rng, config, projector_hidden_size=[24, 48])


def tune_molmo(rng: random.Random, config: Config) -> None:
    text = section(rng, "molmo2_text")
    vision = small_vit(rng) | {"head_dim": rng.choice([8, 16]), "num_key_value_heads": rng.choice([1, 2])}
    vision["num_hidden_layers"] = rng.randint(3, 5)
    del vision["image_size"]
    vision |= rng.choice([{"image_size": [28, 56]}, {"image_default_input_size": [28, 28]}, {"image_num_pos": 20}])
    vision |= rng.choice([{"patch_size": 14}, {"image_patch_size": 14}])
    adapter: Config = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 4])}
    adapter |= {rng.choice(["vit_layers", "vision_feature_layer"]): rng.choice([[1], [2, 0], [-1, -3]])}
    adapter |= {"head_dim": 8, "intermediate_size": 24, "text_hidden_size": text.get("hidden_size", 4096)}
    maybe(rng, adapter, 0.3, attention_bias=[False], mlp_bias=[True])
    config |= {"text_config": text, "adapter_config": adapter, rng.choice(["vision_config", "vit_config"]): vision}


def tune_molmo_text(rng: random.Random, config: Config) -> None:
    maybe(rng, config, head_dim=[8, 16], additional_vocab_size=[0, 8], qk_norm_type=["qwen3", "olmo"])
    maybe(rng, config, 0.3, qkv_bias=[True])


def tune_sam(rng: random.Random, config: Config) -> None:
    config |= small_sam(rng)
    maybe(rng, config, 0.5, mlp_dim=[None], mlp_ratio=[2.0, 4.0])


def tune_hybrid(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["llama", "qwen2"], ["siglip_vision_model"])
    high = small_sam(rng) | {"model_type": "sam_vision_model"}
    high["global_attn_indexes"] = high.get("global_attn_indexes") or [0]
    maybe(rng, config, 0.9, high_res_vision_config=[high])


def tune_hunyuan_text(rng: random.Random, config: Config) -> None:
    config |= {rng.choice(["head_dim", "attention_head_dim"]): rng.choice([8, 16]), "pad_token_id": 0}
    if "attention_head_dim" in config:
        config.pop("head_dim", None)


def tune_hunyuan_tower(rng: random.Random, config: Config) -> None:
    config |= {"patch_size": 8, "max_image_size": rng.choice([32, 64]), "max_vit_seq_len": 16}
    maybe(rng, config, text_hidden_size=[32], spatial_merge_size=[1, 2], num_channels=[1])


def tune_hunyuan(rng: random.Random, config: Config) -> None:
    text = section(rng, "hunyuan_vl_text")
    maybe(rng, text, 0.4, tie_word_embeddings=[True, False])
    if rng.random() < 0.4:
        config |= {key: value for key, value in text.items() if key not in ("model_type", "tie_word_embeddings")}
    else:
        config["text_config"] = text
    config["vision_config"] = section(rng, "hunyuan_vl_vision")


def tune_kosmos(rng: random.Random, config: Config) -> None:
    text: Config = {rng.choice(["embed_dim", "hidden_size"]): 32, "attention_heads": rng.choice([2, 4])}
    text |= {rng.choice(["layers", "num_hidden_layers"]): rng.randint(1, 3)}
    maybe(rng, text, ffn_dim=[24, 48], vocab_size=[64], max_position_embeddings=[32])
    maybe(rng, text, 0.4, tie_word_embeddings=[True, False])
    maybe(rng, config, 0.85, text_config=[text], vision_config=[small_vit(rng)])
    maybe(rng, config, 0.4, latent_query_num=[8, 16])


def tune_omni(rng: random.Random, config: Config) -> None:
    text = section(rng, "qwen2_5_omni_text")
    maybe(rng, text, 0.3, sliding_window=[16], max_window_layers=[0, 1, 2])
    heads = rng.choice([1, 2])
    vision: Config = {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 7}
    maybe(rng, vision, out_hidden_size=[32, 48], intermediate_size=[24], spatial_merge_size=[1, 2], in_channels=[1])
    audio: Config = {rng.choice(["d_model", "hidden_size"]): 32, "encoder_attention_heads": rng.choice([2, 4])}
    maybe(rng, audio, encoder_layers=[1, 3], encoder_ffn_dim=[24], num_mel_bins=[80], output_dim=[32])
    maybe(rng, config, 0.85, text_config=[text], vision_config=[vision], audio_config=[audio])


def tune_omni_moe(rng: random.Random, config: Config) -> None:
    text = section(rng, "qwen3_omni_moe_text") | {"num_experts": 4, "num_experts_per_tok": rng.choice([1, 2])}
    maybe(rng, text, 0.4, decoder_sparse_step=[1, 2], mlp_only_layers=[[0], [1, 2], None], head_dim=[8, 16])
    maybe(rng, text, moe_intermediate_size=[16, 24])
    heads = rng.choice([1, 2])
    vision: Config = {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 8}
    maybe(rng, vision, out_hidden_size=[32, 48], intermediate_size=[24], spatial_merge_size=[1, 2], in_channels=[1])
    maybe(rng, vision, 0.5, num_position_embeddings=[16, 64], deepstack_visual_indexes=[[], [0], [0, 1]])
    audio: Config = {rng.choice(["d_model", "hidden_size"]): 32, "encoder_attention_heads": rng.choice([2, 4])}
    maybe(rng, audio, encoder_layers=[1, 3], encoder_ffn_dim=[24], num_mel_bins=[80, 65], output_dim=[32])
    maybe(rng, audio, 0.5, downsample_hidden_size=[8, 16])
    maybe(rng, config, 0.85, text_config=[text], vision_config=[vision], audio_config=[audio])


#: Rotations by kind of layer, without which Compass's text fails.
COMPASS_ROPE: Config = {
    "full_attention": {"rope_type": "default", "rope_theta": 1e4},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}


def tune_compass(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["cohere_compass_text"], ["cohere_compass_vision"])
    config.setdefault("text_config", {})["rope_parameters"] = COMPASS_ROPE


def tune_qwen3_kin(rng: random.Random, config: Config) -> None:
    heads = rng.choice([1, 2])
    config.pop("num_attention_heads", None)
    config |= {"depth": rng.randint(1, 3), "num_heads": heads, "hidden_size": 16 * heads, "patch_size": 8}
    maybe(rng, config, out_hidden_size=[32], intermediate_size=[24, 40], num_position_embeddings=[16, 64])
    maybe(rng, config, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])
    maybe(rng, config, deepstack_visual_indexes=[[], [0], [0, 1]])


def tune_inkling_tower(rng: random.Random, config: Config) -> None:
    maybe(rng, config, patch_size=[4, 8], posemb_grid_size=[4, 8], projection_hidden_dim=[24], num_channels=[1])
    maybe(rng, config, intermediate_size=[None, 24], mlp_ratio=[2.0], spatial_merge_size=[1, 2])


def tune_inkling(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["inkling2_text"], ["inkling2_vision"])
    text = config.setdefault("text_config", section(rng, "inkling2_text"))
    vision = config.setdefault("vision_config", {})
    vision["text_hidden_size"] = text.setdefault("hidden_size", 64)


TUNERS: dict[str, Tuner] = {
    "granite_docling": tune_docling,
    "granite_docling_text": tune_docling_text,
    "granite_docling_vision": tune_docling_tower,
    "cosmos3_edge": tune_cosmos,
    "cosmos3_omni": tune_cosmos,
    "cosmos3_edge_text": tune_edge_text,
    "cosmos3_edge_vision": tune_edge_tower,
    "lfm3_vl": tune_lfm3_vl,
    "lfm3_vl_vision": tune_lfm_tower,
    "molmo2": tune_molmo,
    "molmo2_text": tune_molmo_text,
    "sam_vision_model": tune_sam,
    "deepseek_vl_hybrid": tune_hybrid,
    "hunyuan_vl": tune_hunyuan,
    "hunyuan_vl_text": tune_hunyuan_text,
    "hunyuan_vl_vision": tune_hunyuan_tower,
    "kosmos-2": tune_kosmos,
    "qwen2_5_omni_thinker": tune_omni,
    "qwen3_omni_moe_thinker": tune_omni_moe,
    "cohere_compass": tune_compass,
    "cohere_compass_vision": tune_qwen3_kin,
    "inkling2": tune_inkling,
    "inkling2_vision": tune_inkling_tower,
    "got_ocr2": tune_got,
    "pp_chart2table": tune_got,
    "ernie4_5_vl_moe": tune_ernie,
}
#: HunYuan-VL's text fails where head_dim is null, as it is declared.
REQUIRED: dict[str, Config] = {
    "cohere_compass": {"text_config": {"rope_parameters": COMPASS_ROPE}},
    "hunyuan_vl": {"text_config": {"head_dim": 128}},
    "hunyuan_vl_text": {"head_dim": 128},
}
