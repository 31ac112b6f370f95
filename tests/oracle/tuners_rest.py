"""Last words on random configs of the less common decoders."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from zoo.arch.config import find_spec

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]

#: Positions for each kind of layer.
ROPES: Config = {kind: {"rope_type": "default", "rope_theta": 1e4} for kind in ("full_attention", "sliding_attention")}


def maybe(rng: random.Random, config: Config, chance: float = 0.6, **choices: list[Any]) -> None:
    """Set each key to one of its choices, most of the time."""
    for key, values in choices.items():
        if rng.random() < chance:
            config[key] = rng.choice(values)


def read(config: Config, key: str) -> Any:
    """The value, by itself or by default."""
    return config[key] if key in config else find_spec(config["model_type"]).defaults[key]


def some_layers(rng: random.Random, config: Config, key: str, *kinds: str, chance: float = 0.4) -> None:
    """Spell the kind of each layer out, sometimes."""
    if rng.random() < chance:
        config[key] = rng.choices(kinds, k=read(config, "num_hidden_layers"))


def tune_ernie_moe(rng: random.Random, config: Config) -> None:
    maybe(rng, config, moe_num_experts=[4, 6], moe_intermediate_size=[16, 24], moe_num_shared_experts=[0, 1, 2])
    maybe(rng, config, moe_layer_start_index=[0, 1, 3], moe_layer_end_index=[-1, 2, 4], moe_layer_interval=[1, 2])
    maybe(rng, config, 0.4, head_dim=[8, 16])
    config["moe_k"] = rng.choice([1, 2])


def tune_deepseek_kin(rng: random.Random, config: Config) -> None:
    config |= {"num_experts_per_tok": rng.choice([1, 2]), "n_routed_experts": rng.choice([2, 4, 6])}
    config |= {"n_shared_experts": rng.choice([1, 2]), "n_group": 1, "topk_group": 1}
    maybe(rng, config, moe_intermediate_size=[16, 24], first_k_dense_replace=[0, 1, 2, 9], head_dim=[8, 16])
    some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    if config["model_type"] == "dots1":
        maybe(rng, config, sliding_window=[16, None], max_window_layers=[0, 2, 9])
        some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")
        config["sliding_window"] = config.get("sliding_window") or 32


def tune_latent(rng: random.Random, config: Config) -> None:
    maybe(rng, config, q_lora_rank=[None, 16, 24], kv_lora_rank=[16, 32])
    maybe(rng, config, qk_rope_head_dim=[8, 16], qk_nope_head_dim=[8, 16], v_head_dim=[8, 24])
    if config["model_type"] == "glm4_moe_lite":
        tune_deepseek_kin(rng, config)
        config.pop("head_dim", None)


def tune_mimo(rng: random.Random, config: Config) -> None:
    config |= {"num_experts_per_tok": rng.choice([1, 2]), "n_routed_experts": rng.choice([2, 4, 6])}
    maybe(rng, config, moe_intermediate_size=[16, 24], head_dim=[8, 16], v_head_dim=[8, 24], sliding_window_size=[16])
    some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")
    config["n_group"] = 1


def tune_longcat(rng: random.Random, config: Config) -> None:
    config |= {"moe_topk": rng.choice([1, 2]), "n_routed_experts": rng.choice([2, 4, 6])}
    maybe(rng, config, zero_expert_num=[0, 2, 3], expert_ffn_hidden_size=[16, 24], ffn_hidden_size=[24, 48])
    maybe(rng, config, qk_rope_head_dim=[8, 16], qk_nope_head_dim=[8, 16], v_head_dim=[8, 24], q_lora_rank=[16, 24])
    maybe(rng, config, kv_lora_rank=[16, 32], router_bias=[False, True], tie_word_embeddings=[True])
    config["num_layers"] = rng.choice([1, 2, 3])


def tune_windows(rng: random.Random, config: Config) -> None:
    maybe(rng, config, sliding_window=[16, 32], head_dim=[8, 16, 24])
    some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")


def tune_head_dim(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.4, head_dim=[8, 16, 24])


def tune_diffllama(rng: random.Random, config: Config) -> None:
    config["num_key_value_heads"] = 2
    maybe(rng, config, 0.4, head_dim=[8, 16, 24])


def tune_internlm(rng: random.Random, config: Config) -> None:
    bias = rng.random() < 0.5
    config |= {rng.choice(["qkv_bias", "attention_bias"]): bias, rng.choice(["bias", "mlp_bias"]): bias}
    for one, other in (("qkv_bias", "attention_bias"), ("bias", "mlp_bias")):
        if one in config:
            config.pop(other, None)


def tune_doge(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 4])
    maybe(rng, config, num_experts=[16, 30, 64], sliding_window=[16], is_moe=[True])
    tune_head_dim(rng, config)


def tune_jetmoe(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_local_experts=[2, 4], kv_channels=[8, 16], num_key_value_heads=[1, 2, 4])
    config["num_experts_per_tok"] = rng.choice([1, 2])
    config.pop("num_attention_heads", None)


def tune_granite_moe(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    maybe(rng, config, num_local_experts=[2, 4], shared_intermediate_size=[0, 16, 24])
    if config["model_type"].endswith("swa"):
        tune_windows(rng, config)


def tune_mixture(rng: random.Random, config: Config) -> None:
    """The keys of most mixtures, where the type has them."""
    choices: dict[str, list[Any]] = {
        "num_experts": [4, 6, 8],
        "moe_intermediate_size": [16, 24],
        "shared_expert_intermediate_size": [16, 40],
        "num_shared_experts": [1, 2],
        "num_dense_layers": [0, 1, 3],
        "first_k_dense_replace": [0, 1, 2],
        "decoder_sparse_step": [1, 2],
        "mlp_only_layers": [None, [], [0], [1, 2]],
        "global_attn_every_n_layers": [1, 2, 3],
        "sliding_window_pattern": [1, 2, 3],
        "prefix_dense_sliding_window_pattern": [1, 2],
        "prefix_dense_intermediate_size": [None, 40],
        "sliding_window": [16, 32],
        "head_dim": [8, 16, 24],
    }
    known = {**find_spec(config["model_type"]).defaults, "head_dim": None}
    maybe(rng, config, **{key: values for key, values in choices.items() if key in known})
    config["num_experts_per_tok"] = rng.choice([1, 2])
    for key in ("n_group", "topk_group"):
        if key in known:
            config[key] = 1
    if "mlp_layer_types" in known:
        some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    if "layer_types" in known:
        some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")
    if config["model_type"] == "cohere2_moe" and rng.random() < 0.5:
        config["first_k_dense_replace"] = rng.choice([0, 1])


def tune_hunyuan(rng: random.Random, config: Config) -> None:
    top = rng.choice([1, 2])
    config["moe_topk"] = [top] * read(config, "num_hidden_layers") if rng.random() < 0.5 else top
    config["head_dim"] = rng.choice([8, 16])
    maybe(rng, config, 1.0, num_experts=[2, 4])


def tune_gpt_kin(rng: random.Random, config: Config) -> None:
    choices: dict[str, list[Any]] = {
        "dff": [24, 48],
        "intermediate_multiple_size": [1, 2, 4],
        "local_attention": [16, 32],
        "global_attn_every_n_layers": [1, 2, 4],
        "max_position_embeddings": [16, 34],
        "n_positions": [16, 34],
    }
    known = {**find_spec(config["model_type"]).defaults, "global_attn_every_n_layers": 3}
    maybe(rng, config, **{key: values for key, values in choices.items() if key in known})
    for width, heads in (("n_embd", "n_head"), ("d_model", "attention_heads"), ("hidden_size", "num_attention_heads")):
        if width in known:
            config[heads] = rng.choice([2, 4])
            config[width] = 16 * config[heads]
    if "layer_types" in known:
        some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")


def tune_indexed(rng: random.Random, config: Config) -> None:
    tune_deepseek_kin(rng, config)
    config.pop("head_dim", None)
    maybe(rng, config, q_lora_rank=[16, 24], kv_lora_rank=[16, 32], index_head_dim=[16, 32], index_n_heads=[2])
    maybe(rng, config, qk_rope_head_dim=[8, 16], qk_nope_head_dim=[8, 16], v_head_dim=[8, 24])
    maybe(rng, config, moe_layer_freq=[1, 2], gated_norm_rank=[4], hc_mult=[2, 4])
    if config["model_type"] == "hy_v4":
        some_layers(rng, config, "indexer_types", "full", "shared")


def tune_laguna(rng: random.Random, config: Config) -> None:
    config.pop("moe_apply_router_weight_on_input", None)
    tune_mixture(rng, config)
    maybe(rng, config, gating=[True, False, "per-head", "per-element"])
    if rng.random() < 0.6:
        config["num_attention_heads_per_layer"] = rng.choices([2, 4, 8], k=read(config, "num_hidden_layers"))
        config["num_key_value_heads"] = rng.choice([1, 2])


def tune_kimi_k2(rng: random.Random, config: Config) -> None:
    """The type declares no defaults: its files say everything."""
    config |= {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": rng.choice([1, 3]), "vocab_size": 97}
    config |= {"intermediate_size": rng.choice([24, 48]), "num_key_value_heads": 4}
    config |= {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    config |= {"moe_intermediate_size": 16, "first_k_dense_replace": 1, "num_nextn_predict_layers": 0}
    maybe(rng, config, 0.3, attention_bias=[True, False], tie_word_embeddings=[True, False])
    tune_latent(rng, config)
    tune_deepseek_kin(rng, config)
    config.pop("head_dim", None)
    config.pop("mlp_layer_types", None)


def tune_aria(rng: random.Random, config: Config) -> None:
    config["moe_topk"] = rng.choice([1, 2])
    maybe(rng, config, moe_num_experts=[2, 4], moe_num_shared_experts=[1, 2])


def tune_compass(rng: random.Random, config: Config) -> None:
    config["rope_parameters"] = ROPES
    tune_windows(rng, config)


OWN: dict[str, Tuner] = {
    "aria_text": tune_aria,
    "cohere_compass_text": tune_compass,
    "kimi_k2": tune_kimi_k2,
    **dict.fromkeys(("axk1", "axk2", "hy_v4"), tune_indexed),
    "youtu": tune_latent,
    "laguna": tune_laguna,
    **dict.fromkeys(("gpt-sw3", "openai-gpt", "ctrl", "xglm", "biogpt"), tune_gpt_kin),
    **dict.fromkeys(("gpt_neox_japanese", "modernbert-decoder"), tune_gpt_kin),
    "granitemoeshared": tune_granite_moe,
    "granitemoe_swa": tune_granite_moe,
    "hunyuan_v1_moe": tune_hunyuan,
    **dict.fromkeys(("flex_olmo", "exaone_moe", "hy_v3", "afmoe", "flint", "kolibri1", "mellum"), tune_mixture),
    **dict.fromkeys(("beam", "cohere2_moe"), tune_mixture),
    "granite_swa": tune_windows,
    "cwm": tune_windows,
    "vaultgemma": tune_windows,
    "nanochat": tune_head_dim,
    "diffllama": tune_diffllama,
    "internlm3": tune_internlm,
    "doge": tune_doge,
    "jetmoe": tune_jetmoe,
    "mimo_v2_flash": tune_mimo,
    "longcat_flash": tune_longcat,
    "dots1": tune_deepseek_kin,
    "solar_open": tune_deepseek_kin,
    "glm4_moe_lite": tune_latent,
    "minicpm3": tune_latent,
    "ernie4_5_moe": tune_ernie_moe,
}

#: Types with nothing of their own to vary.
PLAIN = ("ernie4_5", "iquestcoder", "hyperclovax", "jais2", "bitnet")


def after_common(own: Tuner | None) -> Tuner:
    """What all have in common, then what the type has of its own."""

    def tune(rng: random.Random, config: Config) -> None:
        config["pad_token_id"] = 0  # the declared one lies beyond the small vocabularies here
        maybe(rng, config, 0.2, num_labels=[1, 3])
        if own:
            own(rng, config)

    return tune


TUNERS: dict[str, Tuner] = {name: after_common(OWN.get(name)) for name in (*OWN, *PLAIN)}

#: Keys whose declared default no model can run with.
REQUIRED: dict[str, Config] = {
    "cohere_compass_text": {"rope_parameters": ROPES},
    "kimi_k2": {
        "hidden_size": 7168,
        "num_attention_heads": 64,
        "num_key_value_heads": 64,
        "num_hidden_layers": 61,
        "vocab_size": 163840,
        "intermediate_size": 18432,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
        "n_routed_experts": 384,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 2048,
        "first_k_dense_replace": 1,
        "num_nextn_predict_layers": 0,
    },
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"] * 8},
    "hunyuan_v1_moe": {"head_dim": 128},
    "dots1": {"n_shared_experts": 2, "n_routed_experts": 128, "num_experts_per_tok": 6},
}
