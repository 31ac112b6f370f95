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


def tune_kimi(rng: random.Random, config: Config) -> None:
    tune_latent(rng, config)
    config |= {rng.choice(["num_experts_per_tok", "num_experts_per_token"]): rng.choice([1, 2])}
    config |= {rng.choice(["num_experts", "num_local_experts"]): rng.choice([2, 4])}
    maybe(rng, config, moe_intermediate_size=[16, 24], num_shared_experts=[1, 2], first_k_dense_replace=[0, 2, 9])
    maybe(rng, config, linear_head_dim=[8, 16], linear_num_heads=[2, 3], linear_conv_kernel_dim=[2, 4])
    some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    some_layers(rng, config, "layer_types", "full_attention", "linear_attention")
    if rng.random() < 0.5:
        layers = range(1, read(config, "num_hidden_layers") + 1)
        full = [layer for layer in layers if rng.random() < 0.4]
        section = {"head_dim": 8, "num_heads": 5, "full_attn_layers": full}
        section |= {"kda_layers": [layer for layer in layers if layer not in full]}
        config["linear_attn_config"] = {key: value for key, value in section.items() if rng.random() < 0.9}


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


def tune_griffin(rng: random.Random, config: Config) -> None:
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config |= {"hidden_size": 16 * heads, "num_key_value_heads": rng.choice([1, 2, None])}
    config["block_types"] = rng.choice([["recurrent", "recurrent", "attention"], ["attention"], ["recurrent"]])
    maybe(rng, config, lru_width=[None, 8 * heads, 24 * heads], conv1d_width=[2, 4])


def tune_rwkv(rng: random.Random, config: Config) -> None:
    maybe(rng, config, attention_hidden_size=[16, 48, None], intermediate_size=[24, None])


def tune_lfm(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_dense_layers=[0, 1, 9], num_experts=[4, 6], moe_intermediate_size=[16, 24])
    maybe(rng, config, conv_L_cache=[2, 3, 5], head_dim=[8, 16], sliding_window=[16, 32])
    config["num_experts_per_tok"] = rng.choice([1, 2])
    config["num_hidden_layers"] = rng.choice([1, 4, 6])
    if config["model_type"] == "lfm2_moe":
        maybe(rng, config, 0.3, tie_embedding=[True, False])
        some_layers(rng, config, "layer_types", "full_attention", "conv", chance=1)
    else:
        some_layers(rng, config, "layer_types", "full_attention", "sliding_attention", "conv")


def tune_minimax(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    maybe(rng, config, num_local_experts=[2, 4], head_dim=[8, 16], block_size=[8, 16], sliding_window=[16])
    some_layers(rng, config, "layer_types", "full_attention", "linear_attention")


def tune_granite_hybrid(rng: random.Random, config: Config) -> None:
    tune_granite_moe(rng, config)
    config["hidden_size"] = 32 * rng.choice([2, 3])
    config["mamba_n_heads"] = rng.choice([2, 4, 8])
    config["num_attention_heads"], config["num_key_value_heads"] = 4, rng.choice([1, 2, 4])
    maybe(rng, config, num_local_experts=[0, 2, 4], mamba_n_groups=[1, 2], mamba_d_state=[8, 16], mamba_d_conv=[2, 4])
    if config["num_experts_per_tok"] == 2 and config.get("num_local_experts") == 0:
        config["num_experts_per_tok"] = 0
    key = rng.choice(["layer_types", "layers_block_type"])
    some_layers(rng, config, key, *rng.choice([("mamba", "attention"), ("linear_attention", "full_attention")]))


def tune_zamba(rng: random.Random, config: Config) -> None:
    config["num_attention_heads"], config["num_key_value_heads"] = 4, rng.choice([1, 2, 4])
    config["hidden_size"] = 32 * rng.choice([1, 2, 3])
    config["n_mamba_heads"] = rng.choice([1, 2, 4])
    maybe(rng, config, mamba_d_state=[8, 16], mamba_d_conv=[2, 4], mamba_expand=[1, 2])
    if config["model_type"] == "zamba":
        config["num_hidden_layers"] = rng.choice([8, 10])
        maybe(rng, config, attn_layer_period=[2, 3], attn_layer_offset=[0, 1], mamba_dt_rank=["auto", 3])
        maybe(rng, config, 0.3, attention_head_dim=[8], attention_hidden_size=[2 * config["hidden_size"]])
        some_layers(rng, config, "layers_block_type", "linear_attention", "mamba", "hybrid")
    else:
        maybe(rng, config, num_mem_blocks=[1, 2, 3], adapter_rank=[4, 8], intermediate_size=[24, None])
        maybe(rng, config, mamba_ngroups=[1, 2])
        if rng.random() < 0.8:
            config["num_hidden_layers"] = rng.choice([3, 7, 10])
            some_layers(rng, config, "layers_block_type", "mamba", "hybrid", chance=1)
        else:
            config.pop("num_hidden_layers", None)


def tune_deepseek_v4(rng: random.Random, config: Config) -> None:
    config |= {"n_routed_experts": rng.choice([2, 4]), "num_experts_per_tok": rng.choice([1, 2])}
    config |= {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": rng.choice([128, 256])}
    maybe(rng, config, moe_intermediate_size=[16, 24], q_lora_rank=[16], o_lora_rank=[8, 16], o_groups=[1, 2, 4])
    maybe(rng, config, index_n_heads=[2], index_head_dim=[16, 32], hc_mult=[2, 4], num_hash_layers=[0, 1, 9])
    some_layers(rng, config, "mlp_layer_types", "moe", "hash_moe")
    kinds = ("sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention")
    some_layers(rng, config, "layer_types", *kinds)
    if rng.random() < 0.4:
        config["compress_ratios"] = rng.choices([0, 4, 128], k=read(config, "num_hidden_layers") + rng.choice([0, 1]))
    if rng.random() < 0.4:
        config["compress_rates"] = {kinds[1]: 2, kinds[2]: rng.choice([8, 16])}
    maybe(rng, config, 0.3, compress_rate_csa=[8], compress_rate_hca=[32])
    config.pop("intermediate_size", None)


def tune_bailing(rng: random.Random, config: Config) -> None:
    tune_kimi(rng, config)
    config.pop("linear_attn_config", None)
    config.pop("q_lora_rank", None)
    maybe(rng, config, head_dim=[8, 16], short_conv_kernel_size=[2, 4], layer_group_size=[1, 2, 3])
    config |= {"n_group": 1, "topk_group": 1}


def tune_olmo_hybrid(rng: random.Random, config: Config) -> None:
    config["num_hidden_layers"] = rng.choice([2, 4, 5])
    maybe(rng, config, linear_num_key_heads=[2], linear_num_value_heads=[2, 4], linear_key_head_dim=[8, 16])
    maybe(rng, config, linear_value_head_dim=[8, 24], linear_conv_kernel_dim=[2, 4])
    some_layers(rng, config, "layer_types", "full_attention", "linear_attention")


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


def tune_hrm(rng: random.Random, config: Config) -> None:
    maybe(rng, config, H_cycles=[1, 2, 3], L_cycles=[1, 2], num_layers_per_stack=[1, 3, None], head_dim=[8, 16])
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config["hidden_size"] = 16 * heads


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


def tune_xlstm(rng: random.Random, config: Config) -> None:
    config["num_heads"] = rng.choice([2, 4])
    config["hidden_size"] = rng.choice([64, 96])
    maybe(rng, config, qk_dim_factor=[0.5, 1.0], v_dim_factor=[0.5, 1.0, 2.0], ffn_proj_factor=[2.0, 2.667])
    maybe(rng, config, weight_mode=["fused", "single"], ffn_round_up_to_multiple_of=[16, 64])
    if rng.random() < 0.3:
        config |= {"embedding_dim": config["hidden_size"], "num_hidden_layers": rng.choice([2, 3]), "num_blocks": 2}


def tune_xlnet(rng: random.Random, config: Config) -> None:
    config["n_head"] = rng.choice([2, 4])
    config["d_model"] = 16 * config["n_head"]
    maybe(rng, config, d_inner=[24, 48], mem_len=[None, 0, 16], attn_type=["bi", "uni"])
    config["pad_token_id"] = 5


def tune_zaya(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_experts=[4, 6], moe_intermediate_size=[16], router_hidden_size=[8, 16], head_dim=[8, 16])
    maybe(rng, config, cca_time0=[2, 3], cca_time1=[2, 3], sliding_window=[16])
    if config.get("sliding_window"):
        some_layers(rng, config, "layer_types", "hybrid", "hybrid_sliding")


def tune_aria(rng: random.Random, config: Config) -> None:
    config["moe_topk"] = rng.choice([1, 2])
    maybe(rng, config, moe_num_experts=[2, 4], moe_num_shared_experts=[1, 2])


def tune_compass(rng: random.Random, config: Config) -> None:
    config["rope_parameters"] = ROPES
    tune_windows(rng, config)


def tune_m3(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    maybe(rng, config, num_local_experts=[2, 4], dense_intermediate_size=[24], shared_intermediate_size=[16, 24])
    maybe(rng, config, head_dim=[8, 16], index_n_heads=[2], index_head_dim=[8, 16])
    layers = read(config, "num_hidden_layers")
    some_layers(rng, config, "layer_types", "full_attention", "minimax_m3_sparse")
    some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    if rng.random() < 0.4:
        config["sparse_attention_config"] = {
            "sparse_index_dim": 24,
            "sparse_attention_freq": rng.choices([0, 1], k=layers),
        }
    if rng.random() < 0.4:
        config["moe_layer_freq"] = rng.choices([0, 1], k=layers)


def tune_moshi(rng: random.Random, config: Config) -> None:
    config["tie_word_embeddings"] = False
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config["hidden_size"] = 16 * heads
    maybe(rng, config, ffn_dim=[24, 48], head_dim=[8, 16], sliding_window=[16])


def tune_trocr(rng: random.Random, config: Config) -> None:
    config["decoder_attention_heads"] = heads = rng.choice([2, 4])
    config["d_model"] = 16 * heads
    maybe(rng, config, decoder_ffn_dim=[24, 48], cross_attention_hidden_size=[24, None], max_position_embeddings=[16])


def tune_cpm(rng: random.Random, config: Config) -> None:
    maybe(rng, config, dim_head=[8, 16], dim_ff=[24, 48], prompt_types=[2], prompt_length=[3], segment_types=[2, 4])
    maybe(rng, config, position_bias_num_buckets=[8, 16])


def tune_bert_generation(rng: random.Random, config: Config) -> None:
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config["hidden_size"] = 16 * heads
    config["is_decoder"] = rng.random() < 0.5
    config["add_cross_attention"] = config["is_decoder"] and rng.random() < 0.5
    maybe(rng, config, max_position_embeddings=[16, 34])


OWN: dict[str, Tuner] = {
    "aria_text": tune_aria,
    "cohere_compass_text": tune_compass,
    "minimax_m3_vl_text": tune_m3,
    "moshi": tune_moshi,
    "trocr": tune_trocr,
    "cpmant": tune_cpm,
    "bert-generation": tune_bert_generation,
    "xlstm": tune_xlstm,
    "xlnet": tune_xlnet,
    "zaya": tune_zaya,
    "kimi_k2": tune_kimi_k2,
    **dict.fromkeys(("axk1", "axk2", "hy_v4"), tune_indexed),
    "youtu": tune_latent,
    "laguna": tune_laguna,
    "hrm_text": tune_hrm,
    "bailing_hybrid": tune_bailing,
    "olmo_hybrid": tune_olmo_hybrid,
    "deepseek_v4": tune_deepseek_v4,
    "zamba": tune_zamba,
    "zamba2": tune_zamba,
    "granitemoehybrid": tune_granite_hybrid,
    "lfm2_moe": tune_lfm,
    "lfm3": tune_lfm,
    "minimax": tune_minimax,
    "recurrent_gemma": tune_griffin,
    "rwkv": tune_rwkv,
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
    "kimi_linear": tune_kimi,
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


def tune(rng: random.Random, config: Config) -> None:
    """What all have in common, then what the type has of its own."""
    config["pad_token_id"] = 0  # the declared one lies beyond the small vocabularies here
    maybe(rng, config, 0.2, num_labels=[1, 3])
    if own := OWN.get(config["model_type"]):
        own(rng, config)


TUNERS: dict[str, Tuner] = dict.fromkeys([*OWN, *PLAIN], tune)

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
