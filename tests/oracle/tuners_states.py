"""Last words on random configs of models with states of fixed size, and of others unlike the rest."""

from __future__ import annotations

import random

from tests.oracle.layered import say_layers
from tests.oracle.tuners_rest import (
    Config,
    Tuner,
    after_common,
    maybe,
    read,
    some_layers,
    tune_granite_moe,
    tune_latent,
)


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


def tune_hrm(rng: random.Random, config: Config) -> None:
    maybe(rng, config, H_cycles=[1, 2, 3], L_cycles=[1, 2], num_layers_per_stack=[1, 3, None], head_dim=[8, 16])
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config["hidden_size"] = 16 * heads


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
    if rng.random() < 0.5:
        config["architectures"] = ["MoshiForConditionalGeneration"]
        config["num_codebooks"] = rng.choice([2, 4])
        config["audio_encoder_config"] = codec = {"model_type": "mimi", "hidden_size": 32, "num_filters": 4}
        config["depth_decoder_config"] = depth = {"model_type": "moshi_depth", "hidden_size": 32, "ffn_dim": 24}
        depth["num_attention_heads"] = rng.choice([2, 4])
        maybe(rng, depth, num_key_value_heads=[1, 2], num_hidden_layers=[1, 2], head_dim=[8], num_codebooks=[5])
        codec |= {"num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 4]), "num_hidden_layers": 2}
        codec["upsample_groups"] = rng.choice([1, 32])
        maybe(rng, codec, codebook_size=[16], codebook_dim=[8], attention_bias=[True])
        maybe(rng, codec, vector_quantization_hidden_dimension=[8, 32])
        maybe(
            rng, codec, num_quantizers=[6], num_semantic_quantizers=[2], intermediate_size=[48], attention_bias=[True]
        )
        maybe(rng, codec, 0.3, use_conv_shortcut=[True], num_residual_layers=[2], compress=[1], audio_channels=[2])
        maybe(rng, codec, 0.3, upsampling_ratios=[[4, 2], [8, 5, 4]], frame_rate=[12.5, 25.0], head_dim=[16])


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


def tune_inkling(rng: random.Random, config: Config) -> None:
    config |= {"n_routed_experts": rng.choice([2, 4]), "num_experts_per_tok": rng.choice([1, 2])}
    maybe(rng, config, moe_intermediate_size=[16, 24], n_shared_experts=[1, 2], head_dim=[8, 16], swa_head_dim=[8, 16])
    maybe(rng, config, swa_num_attention_heads=[2, 4], swa_num_key_value_heads=[1, 2], sliding_window_size=[16])
    maybe(rng, config, d_rel=[4, 8], rel_extent=[16, 24], conv_kernel_size=[2, 4], dense_mlp_idx=[0, 1, 9])
    maybe(rng, config, 0.4, dense_intermediate_size=[40], local_layer_ids=[[], [0], [0, 2]])
    some_layers(rng, config, "layer_types", "hybrid", "hybrid_sliding")
    if config["model_type"] == "inkling_text":
        some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    else:
        config.pop("n_shared_experts", None)
        config.pop("intermediate_size", None)


def tune_dots3(rng: random.Random, config: Config) -> None:
    config |= {"num_attention_heads": 4, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1}
    config |= {"num_experts_per_tok": 1, "n_routed_experts": rng.choice([2, 4]), "n_shared_experts": rng.choice([1, 2])}
    config |= {"swa_num_attention_heads": 2, "swa_num_key_value_heads": 2, "q_lora_rank": 16}
    maybe(rng, config, kv_lora_rank=[16, 32], qk_rope_head_dim=[8, 16], qk_nope_head_dim=[8], v_head_dim=[8, 24])
    maybe(rng, config, swa_kv_lora_rank=[16], swa_q_lora_rank=[24], swa_v_head_dim=[8], index_head_dim=[32])
    maybe(rng, config, moe_intermediate_size=[16], moe_shared_expert_intermediate_size=[24], use_dsa=[True, False])
    maybe(rng, config, first_k_dense_replace=[0, 2], moe_layer_freq=[1, 2], sliding_window_size=[16])
    maybe(rng, config, 0.4, use_sliding_window=[True, False])
    if rng.random() < 0.5:
        config |= {"swa_head_dim": 24, "swa_qk_nope_head_dim": 16}
    if rng.random() < 0.3:
        config["moe_layer_freq"] = rng.choices([0, 1], k=read(config, "num_hidden_layers"))
    some_layers(rng, config, "layer_types", "full_attention", "sliding_attention")
    some_layers(rng, config, "mlp_layer_types", "dense", "sparse")
    sizes = {"kv_lora_rank": 24, "v_head_dim": 16, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "head_dim": 48}
    layers, said = range(read(config, "num_hidden_layers")), config.get("layer_types")
    wide = [i for i in layers if (said[i] == "sliding_attention" if said else i > 1 and i % 4 != 1)]
    say_layers(rng, config, wide, sizes | {"num_attention_heads": 2, "num_key_value_heads": 2})


OWN: dict[str, Tuner] = {
    "dots3_note_text": tune_dots3,
    "inkling_text": tune_inkling,
    "inkling2_text": tune_inkling,
    "minimax_m3_vl_text": tune_m3,
    "moshi": tune_moshi,
    "trocr": tune_trocr,
    "cpmant": tune_cpm,
    "bert-generation": tune_bert_generation,
    "xlstm": tune_xlstm,
    "xlnet": tune_xlnet,
    "zaya": tune_zaya,
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
    "kimi_linear": tune_kimi,
}

TUNERS: dict[str, Tuner] = {name: after_common(own) for name, own in OWN.items()}

REQUIRED: dict[str, Config] = {}
