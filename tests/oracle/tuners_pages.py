"""Last words on random configs of models that read pages, of Mistral 4 and of models that act."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe, tune_deepseek
from tests.oracle.tuners_vision import nest, section

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def tune_mistral4(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    config.pop("num_nextn_predict_layers", None)


def share_latents(rng: random.Random, layers: int) -> list[int]:
    """For each layer itself, or an earlier layer that is its own source."""
    sources: list[int] = []
    for layer in range(layers):
        owners = [one for one, source in enumerate(sources) if one == source]
        sources.append(rng.choice([layer, layer, *owners]))
    return sources


def tune_large4(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    for key in ("q_lora_rank", "num_nextn_predict_layers", "num_key_value_heads"):
        config.pop(key, None)
    config["num_hidden_layers"] = layers = rng.randint(1, 6)
    maybe(rng, config, index_head_dim=[16, 24], index_n_heads=[2, 4], index_topk=[8, 16])
    if rng.random() < 0.3:
        config["mlp_layer_types"] = rng.choices(["dense", "sparse"], k=layers)
    if rng.random() < 0.3:
        config["layer_types"] = rng.choices(["indexed_attention", "deepseek_sparse_attention"], k=layers)
    if rng.random() < 0.5:
        config["kv_source_layers"] = share_latents(rng, layers)
    maybe(rng, config, 0.3, no_rope_layers=[rng.choices([0, 1], k=layers + 1)], no_rope_layer_interval=[1, 2, 3])
    patterns = [None, "".join(rng.choices("FS", k=layers)), rng.choices(["full", "shared"], k=layers)]
    maybe(rng, config, 0.3, indexer_types=[rng.choices(["full", "shared"], k=layers)])
    if "num_local_experts" not in config:
        maybe(rng, config, 0.3, num_experts=[3, 8])
    maybe(rng, config, 0.4, index_topk_pattern=patterns, index_topk_freq=[1, 2, 4], index_skip_topk_offset=[0, 1, 3])
    maybe(rng, config, 0.3, rope_parameters=[{"rope_type": "default", "rope_theta": 1e4}])


def tune_large4_eyes(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["mistral_large4_text"], ["pixtral", "pixtral", "siglip_vision_model"])
    maybe(rng, config, vision_feature_layer=[-1, [-1, -2]], spatial_merge_size=[1, 2, 3])


def tune_sam(rng: random.Random) -> Config:
    """A small tower like SAM's."""
    patch, heads = rng.choice([7, 8]), rng.choice([2, 4])
    sam: Config = {"hidden_size": 8 * heads, "num_attention_heads": heads, "patch_size": patch, "image_size": 4 * patch}
    maybe(rng, sam, num_hidden_layers=[1, 4], global_attn_indexes=[[0], [1, 3], []], window_size=[2, 0, 14])
    maybe(rng, sam, 0.4, mlp_dim=[24, 40], output_channels=[16], downsample_channels=[[24, 16]], num_channels=[1])
    maybe(rng, sam, 0.4, qkv_bias=[False], use_abs_pos=[False], use_rel_pos=[False])
    return sam


def tune_reader(rng: random.Random, config: Config) -> None:
    """The text of DeepSeek-OCR 2 or Unlimited-OCR, which has no class that an auto class knows."""
    kind = config["model_type"]
    config["num_hidden_layers"] = layers = rng.randint(1, 5)
    config["num_experts_per_tok"] = rng.choice([1, 2])
    config |= {rng.choice(["n_routed_experts", "num_experts"]): rng.choice([2, 4])}
    maybe(rng, config, moe_intermediate_size=[16, 24], n_shared_experts=[1, 2], num_key_value_heads=[None, 1, 2])
    maybe(rng, config, 0.3, head_dim=[8, 24], topk_method=["group_limited_greedy"], use_mla=[False])
    if "num_attention_heads" not in config or "hidden_size" not in config:
        config |= {"hidden_size": 48, "num_attention_heads": 4}
    listed = rng.choices(["dense", "sparse"], k=layers)
    if kind == "deepseek_ocr2_text":
        config |= {"mlp_layer_types": listed}
    else:
        maybe(rng, config, 0.4, mlp_layer_types=[listed], first_k_dense_replace=[0, 1, 2, 9], sliding_window=[16])
        maybe(rng, config, 0.3, layer_types=[[rng.choice(["reference_sliding_attention", "full_attention"])] * layers])
    config["architectures"] = REQUIRED[kind]["architectures"]


def tune_ocr(rng: random.Random, config: Config) -> None:
    kind = config["model_type"]
    text: Config = {"model_type": f"{kind}_text", "vocab_size": rng.choice([64, 97]), "intermediate_size": 40}
    heads = rng.choice([2, 4])
    text |= {"num_attention_heads": heads, "hidden_size": 8 * heads, "tie_word_embeddings": rng.random() < 0.3}
    maybe(rng, text, 0.4, attention_bias=[True], mlp_bias=[True])
    tune_reader(rng, text)
    del text["architectures"]
    maybe(rng, text, 0.5, model_type=["deepseek_v2"])
    encoder: Config = {"num_attention_heads": heads, "hidden_size": 16 * heads, "num_hidden_layers": rng.randint(1, 3)}
    maybe(rng, encoder, intermediate_size=[24, 40])
    if kind == "deepseek_ocr2":
        encoder["num_key_value_heads"] = rng.choice([1, 2, None])
        maybe(rng, encoder, 0.3, head_dim=[8, 24], use_sliding_window=[True], max_window_layers=[1])
    else:
        maybe(rng, encoder, patch_size=[7, 14], image_size=[28, 56])
    vision: Config = {}
    maybe(rng, vision, 0.85, sam_config=[tune_sam(rng)], encoder_config=[encoder])
    maybe(rng, config, 0.9, vision_config=[vision, None])
    if kind == "deepseek_ocr2" or rng.random() < 0.6:
        config["text_config"] = text
    elif rng.random() < 0.8:
        config |= {"language_config": text, "hidden_size": text["hidden_size"]}
        maybe(rng, config, 0.5, sliding_window=[32])


def tune_phi4(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    vision: Config = {"hidden_size": 8 * heads, "num_attention_heads": heads, "num_hidden_layers": rng.randint(1, 3)}
    maybe(rng, vision, intermediate_size=[24, 40], patch_size=[7, 14], image_size=[28, 70], num_channels=[1])
    audio: Config = {"hidden_size": 48, "num_attention_heads": heads, "num_blocks": rng.randint(1, 3)}
    maybe(rng, audio, intermediate_size=[24, 40], input_size=[40, 81], time_reduction=[2, 4, 6, 16])
    maybe(rng, audio, kernel_size=[1, 5], nemo_conv_channels=[16], bias_max_distance=[20], bias_symmetric=[True])
    maybe(rng, audio, 0.4, ext_pw_out_channel=[24], depthwise_separable_out_channel=[40], depthwise_multiplier=[2])
    maybe(rng, audio, 0.3, downsample_rate=[2], head_dim=[8])
    maybe(rng, config, 0.85, vision_config=[vision], audio_config=[audio])
    maybe(rng, config, 0.3, sliding_window=[16], num_key_value_heads=[None], head_dim=[8, 16])
    config["pad_token_id"] = 3


def tune_pi0(rng: random.Random, config: Config) -> None:
    heads = rng.choice([1, 2])
    expert: Config = {"hidden_size": rng.choice([24, 32]), "num_attention_heads": heads, "head_dim": 8}
    expert |= {"num_hidden_layers": 2, "num_key_value_heads": 1, "intermediate_size": 40}
    maybe(rng, expert, 0.4, model_type=["gemma", "gemma2", "llama"], attention_bias=[True], vocab_size=[50])
    seen = section(rng, "paligemma")
    maybe(rng, config, 0.8, dit_config=[expert], vlm_config=[seen])
    maybe(rng, config, max_state_dim=[8, 14], max_action_dim=[7, 16], chunk_size=[10])


def tune_formula(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    text: Config = {"decoder_attention_heads": heads, rng.choice(["d_model", "hidden_size"]): 16 * heads}
    maybe(rng, text, decoder_layers=[1, 3], decoder_ffn_dim=[24, 40], vocab_size=[64, 97], encoder_layers=[2])
    maybe(rng, text, max_position_embeddings=[16, 40], tie_word_embeddings=[True], encoder_attention_heads=[4])
    vision = tune_sam(rng)
    vision.pop("downsample_channels", None)
    maybe(rng, vision, 0.5, post_conv_in_channels=[16], post_conv_mid_channels=[24], post_conv_out_channels=[40])
    maybe(rng, vision, 0.5, decoder_hidden_size=[32])
    maybe(rng, config, 0.85, text_config=[text], vision_config=[vision], tie_word_embeddings=[True, False])


def tune_granite_text(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.3, head_dim=[8, 16], num_key_value_heads=[None])
    config["architectures"] = REQUIRED["granite4_vision_text"]["architectures"]


def tune_granite_eyes(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["granite4_vision_text"], ["clip_vision_model", "siglip_vision_model"])
    if "text_config" in config:
        del config["text_config"]["architectures"]
        maybe(rng, config["text_config"], 0.2, model_type=["granite"])
    if "vision_config" in config:
        config["vision_config"] |= {"hidden_size": rng.choice([64, 128]), "num_attention_heads": 4}
    former: Config = {"num_hidden_layers": rng.randint(1, 3)}
    maybe(rng, former, intermediate_size=[24, 40], cross_attention_frequency=[1, 2], use_qformer_text_input=[True])
    maybe(rng, former, 0.2, model_type=["blip_2_qformer"], hidden_size=[32])
    maybe(rng, config, qformer_config=[former, None])
    config["downsample_rate"] = rng.choice(["1/2", "3/8", "4/8"])
    config["deepstack_layer_map"] = rng.choice([[], [[0, 0]], [[-1, 2], [3, 0], [1, 1]]])


TUNERS: dict[str, Tuner] = {
    "granite4_vision": tune_granite_eyes,
    "granite4_vision_text": tune_granite_text,
    "phi4_multimodal": tune_phi4,
    "pi0": tune_pi0,
    "pp_formulanet": tune_formula,
    "deepseek_ocr2": tune_ocr,
    "deepseek_ocr2_text": tune_reader,
    "unlimited_ocr": tune_ocr,
    "unlimited_ocr_text": tune_reader,
    "mistral4": tune_mistral4,
    "mistral_large4": tune_large4_eyes,
    "mistral_large4_text": tune_large4,
}

#: DeepSeek-OCR 2 cannot run with the kinds of MLPs and the number of experts that it declares, nor Granite 4 Vision
#: with its projectors; no auto class knows the texts alone.
SPARSE: Config = {"mlp_layer_types": ["dense", *["sparse"] * 31], "num_experts_per_tok": 6}
REQUIRED: dict[str, Config] = {
    "granite4_vision": {"downsample_rate": "4/8", "deepstack_layer_map": [[0, 0], [9, 3]]},
    "granite4_vision_text": {"architectures": ["Granite4VisionTextModel"]},
    "deepseek_ocr2": {"text_config": SPARSE},
    "deepseek_ocr2_text": {**SPARSE, "architectures": ["DeepseekOcr2TextModel"]},
    "unlimited_ocr_text": {"architectures": ["UnlimitedOcrTextModel"]},
}
