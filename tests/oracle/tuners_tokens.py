"""Last words on random configs of models whose tokens are codes of images, or bytes, and of towers known by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import section, tune_tower

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]

#: FastViTHD as FastVLM has it.
FAST: Config = {
    "model_type": "timm_wrapper",
    "architecture": "fastvit_mci3",
    "model_args": {"inference_mode": True},
}
#: The tower of PerceptionLM, which looks for its width among the arguments.
LARGE: Config = {
    "model_type": "timm_wrapper",
    "architecture": "vit_pe_core_large_patch14_336",
    "model_args": {
        "embed_dim": 1024,
        "img_size": [448, 448],
        "depth": 23,
        "global_pool": "",
        "use_post_transformer_norm": False,
        "init_values": 0.1,
        "ref_feat_shape": [32, 32],
    },
}


def settle_heads(config: Config) -> None:
    """As many keys and values as queries, where the file says how many queries but not how many keys."""
    if "num_attention_heads" in config:
        config.setdefault("num_key_value_heads", config["num_attention_heads"])


def tune_codec(rng: random.Random, config: Config) -> None:
    config["base_channels"] = rng.choice([32, 64])
    factors = [rng.choice([1, 2, 3, 4]) for _ in range(rng.randint(1, 4))]
    maybe(rng, config, channel_multiplier=[factors], num_res_blocks=[1, 2, 3], latent_channels=[8, 16])
    maybe(rng, config, 0.4, in_channels=[1, 4], embed_dim=[4, 8])
    maybe(rng, config, 0.4, **{"codebook_size" if "emu3" in config["model_type"] else "num_embeddings": [64, 100]})


def tune_chameleon_codec(rng: random.Random, config: Config) -> None:
    tune_codec(rng, config)
    maybe(rng, config, 0.5, resolution=[64, 100, 512], attn_resolutions=[[], [16], [64, 32], [512, 25], None])
    maybe(rng, config, 0.3, attn_type=["none"])
    config["architectures"] = ["ChameleonVQVAE"]


def tune_janus_codec(rng: random.Random, config: Config) -> None:
    tune_codec(rng, config)
    for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"):
        config.pop(key, None)
    maybe(rng, config, 0.5, out_channels=[1, 3], projection_dim=[16, 48], num_hidden_layers=[0, 1, 2, 4])
    maybe(rng, config, 0.5, image_token_embed_dim=[16, 40])
    config["architectures"] = ["JanusVQVAE"]


def tune_emu3_codec(rng: random.Random, config: Config) -> None:
    tune_codec(rng, config)
    maybe(rng, config, 0.5, attn_resolutions=[[], [0], [1, 3], [0, 2]], temporal_downsample_factor=[1, 2, 3, 8])
    maybe(rng, config, 0.4, out_channels=[1, 3], num_attention_heads=[1, 2])
    config["architectures"] = ["Emu3VQVAE"]


def tune_chameleon(rng: random.Random, config: Config) -> None:
    config |= REQUIRED["chameleon"]
    config.pop("head_dim", None)
    settle_heads(config)
    maybe(rng, config, 0.9, vq_config=[section(rng, "chameleon_vqgan")])
    if rng.random() < 0.2:
        config["vq_config"] = None


def tune_emu3_text(rng: random.Random, config: Config) -> None:
    config |= {"pad_token_id": 0, "architectures": [rng.choice(["Emu3TextModel", "Emu3ForCausalLM"])]}
    maybe(rng, config, 0.3, head_dim=[8, 24], attention_bias=[True, False], mlp_bias=[True, False])
    settle_heads(config)


def tune_emu3(rng: random.Random, config: Config) -> None:
    names = ["Emu3Model", *3 * ["Emu3ForConditionalGeneration"], "Emu3ForCausalLM", "Emu3TextModel"]
    config |= REQUIRED["emu3"] | {"architectures": [rng.choice(names)]}
    text = section(rng, "emu3_text_model")
    maybe(rng, text, 0.3, tie_word_embeddings=[True, False])
    maybe(rng, config, 0.9, text_config=[text], vq_config=[section(rng, "emu3_vqgan")])


def tune_janus_tower(rng: random.Random, config: Config) -> None:
    tune_tower(rng, config)
    config["architectures"] = ["JanusVisionModel"]
    maybe(rng, config, 0.5, mlp_ratio=[2, 3.7, 4.0], projection_dim=[16, 48], depth=[0, 1, 2, 4])


def tune_janus(rng: random.Random, config: Config) -> None:
    text = section(rng, rng.choice(["llama", "qwen2"]))
    maybe(rng, text, 0.3, tie_word_embeddings=[True, False])
    maybe(rng, config, 0.9, text_config=[text], vision_config=[section(rng, "janus_vision_model")])
    maybe(rng, config, 0.9, vq_config=[section(rng, "janus_vqgan")])


def small_blt(rng: random.Random, **keys: Any) -> Config:
    heads = rng.choice([2, 4])
    one: Config = {"hidden_size": 16 * heads, "num_attention_heads": heads, "num_hidden_layers": rng.randint(0, 3)}
    maybe(rng, one, intermediate_size=[24, 40, 0], num_key_value_heads=[1, 2, None, 0], vocab_size=[97, 260])
    return one | keys


def tune_blt(rng: random.Random, config: Config) -> None:
    encoder, decoder, inner = small_blt(rng), small_blt(rng), small_blt(rng)
    inner.pop("vocab_size", None)
    maybe(rng, encoder, 0.5, cross_attn_all_layers=[True, False], cross_attn_k=[1, 3], sliding_window=[7])
    maybe(rng, decoder, 0.5, cross_attn_all_layers=[True, False], cross_attn_k=[1, 3], hidden_size_global=[24, 64])
    maybe(rng, config, 0.9, encoder_config=[encoder], decoder_config=[decoder], global_config=[inner])
    maybe(rng, config, 0.9, patcher_config=[small_blt(rng)], encoder_hash_byte_group_vocab=[50])
    maybe(rng, config, 0.4, cross_attn_k=[1, 3, 4], encoder_hash_byte_group_size=[[3], [2, 4, 6], []])
    maybe(rng, config, 0.4, encoder_hash_byte_group_nb_functions=[2], patching_mode=["space"], vocab_size=[97, 260])
    maybe(rng, config, 0.4, local_attention_window_len=[None, 16])
    config["tie_word_embeddings"] = rng.random() < 0.3
    if config["tie_word_embeddings"]:
        same = {"hidden_size": 32, "num_attention_heads": 4, "vocab_size": 97}
        config |= {"vocab_size": 97, "encoder_config": encoder | same, "decoder_config": decoder | same}


def tune_patcher(rng: random.Random, config: Config) -> None:
    config |= small_blt(rng, architectures=["BltPatcher"])


def small_encoder(rng: random.Random, **keys: Any) -> Config:
    """A small Perception Encoder: any of its versions, with sizes and switches of its own."""
    kind = rng.choice(["core_tiny_patch16_384", "core_gigantic_patch14_448", "lang_large_patch14_448"])
    kind = rng.choice([kind, "core_large_patch14_336", "lang_gigantic_patch14_448", "spatial_small_patch16_512"])
    given: Config = {"embed_dim": rng.choice([32, 64]), "depth": rng.randint(0, 3), "num_heads": rng.choice([2, 4])}
    maybe(rng, given, 0.5, img_size=[56, [56, 70]], global_pool=["", "avg", "max", "map"], init_values=[0.1, None])
    maybe(rng, given, 0.3, mlp_ratio=[2, 3.5], class_token=[True, False], patch_size=[7, 16], in_chans=[1, 3])
    maybe(rng, given, 0.3, use_post_transformer_norm=[True, False, None], use_fc_norm=[True, False])
    maybe(rng, given, 0.3, attn_pool_mlp_ratio=[2.0], attn_pool_num_heads=[4], ref_feat_shape=[[32, 32]])
    return {"model_type": "timm_wrapper", "architecture": f"vit_pe_{kind}", "model_args": given} | keys


def tune_timm(rng: random.Random, config: Config) -> None:
    config |= small_encoder(rng) if rng.random() < 0.8 else dict(FAST)
    if rng.random() < 0.3:
        config["architectures"] = ["TimmWrapperForImageClassification"]
        maybe(rng, config, 0.6, label_names=[["a", "b", "c"]])
    config["num_classes"] = len(config["label_names"]) if "label_names" in config else rng.choice([3, 7])


def tune_perception(rng: random.Random, config: Config) -> None:
    text = section(rng, rng.choice(["llama", "qwen2"]))
    maybe(rng, text, 0.5, tie_word_embeddings=[True, False])
    config |= {"vision_config": small_encoder(rng)}
    maybe(rng, config, 0.9, text_config=[text])
    maybe(rng, config, 0.5, tie_word_embeddings=[True, False, None], projector_pooling_ratio=[2])


def tune_fast(rng: random.Random, config: Config) -> None:
    text = section(rng, rng.choice(["qwen2", "llama"]))
    maybe(rng, text, 0.5, tie_word_embeddings=[True, False])
    tower = dict(FAST) if rng.random() < 0.5 else small_encoder(rng)
    maybe(rng, config, 0.9, text_config=[text], vision_config=[tower | {"hidden_size": rng.choice([32, 3072])}])


TUNERS: dict[str, Tuner] = {
    "timm_wrapper": tune_timm,
    "perception_lm": tune_perception,
    "fast_vlm": tune_fast,
    "blt": tune_blt,
    "blt_patcher": tune_patcher,
    "chameleon": tune_chameleon,
    "chameleon_vqgan": tune_chameleon_codec,
    "emu3": tune_emu3,
    "emu3_text_model": tune_emu3_text,
    "emu3_vqgan": tune_emu3_codec,
    "janus": tune_janus,
    "janus_vision_model": tune_janus_tower,
    "janus_vqgan": tune_janus_codec,
}
#: Types that no auto class maps to a class, and those that cannot be built without their vocabulary.
REQUIRED: dict[str, Config] = {
    "timm_wrapper": FAST | {"num_classes": 2},
    "perception_lm": {"vision_config": LARGE},
    "blt_patcher": {"architectures": ["BltPatcher"]},
    "chameleon": {"vocabulary_map": {"<image>": 8711}},
    "chameleon_vqgan": {"architectures": ["ChameleonVQVAE"]},
    "emu3": {"vocabulary_map": {"<image>": 151859}, "architectures": ["Emu3ForConditionalGeneration"]},
    "emu3_text_model": {"architectures": ["Emu3ForCausalLM"]},
    "emu3_vqgan": {"architectures": ["Emu3VQVAE"]},
    "janus_vision_model": {"architectures": ["JanusVisionModel"]},
    "janus_vqgan": {"architectures": ["JanusVQVAE"]},
}
