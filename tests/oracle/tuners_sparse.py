"""Last words on random configs of mixtures of experts, state-space models, encoders and models with sections."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def maybe(rng: random.Random, config: Config, chance: float = 0.7, **choices: list[Any]) -> None:
    """Set each key to one of its choices, most of the time."""
    for key, values in choices.items():
        if rng.random() < chance:
            config[key] = rng.choice(values)


def tune_experts(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_local_experts=[2, 4, 5], num_experts_per_tok=[1, 2], moe_intermediate_size=[16, 24])
    maybe(rng, config, 0.3, sliding_window=[None, 16])


def tune_qwen_moe(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    maybe(rng, config, num_experts=[4, 5, 8], moe_intermediate_size=[16, 24])
    maybe(rng, config, 0.5, decoder_sparse_step=[1, 2, 3], mlp_only_layers=[[], [0], [1, 2], None])
    maybe(rng, config, 0.5, shared_expert_intermediate_size=[32, 40], sliding_window=[16, 32])
    layers = config.get("num_hidden_layers")
    if config["model_type"] == "qwen2_moe" and layers:
        maybe(rng, config, 0.5, max_window_layers=[0, 1, 2, layers])
        if config.get("use_sliding_window") and rng.random() < 0.5:
            config["layer_types"] = [rng.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]


def tune_deepseek(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    config["n_group"] = config["topk_group"] = 1
    maybe(rng, config, n_routed_experts=[2, 4, 6], moe_intermediate_size=[16, 24], n_shared_experts=[1, 2])
    maybe(rng, config, q_lora_rank=[None, 16, 24], kv_lora_rank=[16, 32], first_k_dense_replace=[0, 1, 2, 9])
    maybe(rng, config, qk_rope_head_dim=[8, 16], qk_nope_head_dim=[8, 16], v_head_dim=[8, 24])
    maybe(rng, config, num_key_value_heads=[None], num_nextn_predict_layers=[0, 1, 2])
    if rng.random() < 0.2 and "n_routed_experts" in config:
        alias = "num_experts" if config["model_type"] == "deepseek_v2" else "num_local_experts"
        config[alias] = config.pop("n_routed_experts")


def tune_gpt_oss(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_local_experts=[4, 8], num_experts_per_tok=[1, 2], head_dim=[8, 16], sliding_window=[16])
    layers = config.get("num_hidden_layers")
    if layers and rng.random() < 0.5:
        config["layer_types"] = [rng.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]


def tune_encoder(rng: random.Random, config: Config) -> None:
    maybe(rng, config, max_position_embeddings=[16, 34], type_vocab_size=[1, 2, 3], num_labels=[1, 3])
    config.pop("add_cross_attention", None)
    if rng.random() < 0.3:
        config["is_decoder"] = True
        maybe(rng, config, add_cross_attention=[True])
    if config["model_type"] == "electra":
        maybe(rng, config, embedding_size=[8, config.get("hidden_size", 8)], summary_use_proj=[False])
    if config["model_type"] == "distilbert":
        maybe(rng, config, dim=[32, 64], n_heads=[2, 4], hidden_dim=[40, 96])
        config.pop("num_labels", None)


def tune_t5(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_heads=[2, 3], d_kv=[8, 16], d_model=[32, 48], relative_attention_num_buckets=[8, 32])
    maybe(rng, config, feed_forward_proj=["relu", "gated-gelu", "gated-silu"], num_labels=[2, 3])
    maybe(rng, config, 0.3, num_decoder_layers=[None])


def tune_whisper(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    config |= {"encoder_attention_heads": heads, "decoder_attention_heads": heads, "d_model": 16 * heads}
    config |= {"pad_token_id": 3, "bos_token_id": 3, "eos_token_id": 3}
    maybe(rng, config, encoder_ffn_dim=[24, 48], decoder_ffn_dim=[24, 48], num_mel_bins=[80, 128])
    maybe(rng, config, max_source_positions=[50, 100], max_target_positions=[20, 48], classifier_proj_size=[16])


def tune_mamba(rng: random.Random, config: Config) -> None:
    maybe(rng, config, state_size=[4, 16], conv_kernel=[2, 4], expand=[1, 2, 3], time_step_rank=["auto", 5])


def tune_jamba(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_experts=[1, 4], attn_layer_period=[2, 3, 5], mamba_d_conv=[2, 4], mamba_expand=[1, 2])
    config["attn_layer_offset"] = rng.randrange(config.get("attn_layer_period", 8))
    maybe(rng, config, num_experts_per_tok=[1, 2], mamba_dt_rank=["auto", 7], mamba_d_state=[4, 16])
    config["expert_layer_period"] = period = rng.choice([1, 2, 3])
    config["expert_layer_offset"] = rng.randrange(period)


def tune_sparse(rng: random.Random, config: Config) -> None:
    experts = "num_experts" if config["model_type"] == "olmoe" else "num_local_experts"
    config |= {experts: rng.choice([2, 4, 5]), "num_experts_per_tok": rng.choice([1, 2])}
    maybe(rng, config, 0.4, num_key_value_heads=[None])
    if config["model_type"] == "minimax_m2":
        maybe(rng, config, num_key_value_heads=[1, 2], head_dim=[8, 16])
    if config["model_type"] == "phimoe":
        maybe(rng, config, sliding_window=[None, 16], num_key_value_heads=[1, 2])


def tune_glm_moe(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    for key in ("q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "num_experts"):
        config.pop(key, None)
    config["num_key_value_heads"] = rng.choice([1, 2])
    maybe(rng, config, 0.4, head_dim=[8, 16])


def tune_dbrx(rng: random.Random, config: Config) -> None:
    config.pop("tie_word_embeddings", None)
    config |= {"d_model": 64, "n_heads": rng.choice([2, 4])}
    config["attn_config"] = {"rope_theta": 1e4} | rng.choice([{"kv_n_heads": 1}, {"kv_n_heads": 2, "clip_qkv": 8}, {}])
    maybe(rng, config, ffn_config=[{"ffn_hidden_size": 24, "moe_num_experts": 4, "moe_top_k": 2}, {"moe_top_k": 1}])


def tune_mamba2(rng: random.Random, config: Config) -> None:
    heads, expand = rng.choice([2, 4]), rng.choice([1, 2])
    config |= {"hidden_size": 32, "expand": expand, "num_heads": heads, "head_dim": 32 * expand // heads}
    maybe(rng, config, state_size=[4, 16], conv_kernel=[2, 4], n_groups=[1, 2])


def tune_bamba(rng: random.Random, config: Config) -> None:
    config |= {"mamba_expand": rng.choice([1, 2, 4]), "mamba_n_heads": rng.choice([2, 4])}
    config |= {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 2, 4])}
    maybe(rng, config, mamba_d_state=[4, 16], mamba_d_conv=[2, 4], mamba_n_groups=[1, 2])
    if config["model_type"] == "bamba":
        maybe(rng, config, attn_layer_indices=[[0], [1, 2], [], None])
        config.pop("head_dim", None)
    else:
        maybe(rng, config, 1.0, mamba_d_ssm=[None, 48])


def tune_nemotron_h(rng: random.Random, config: Config) -> None:
    length = rng.randint(1, 6)
    words = ["mamba", "linear_attention", "attention", "full_attention", "mlp", "moe"]
    spelling = rng.choice(["layers_block_type", "hybrid_override_pattern", None])
    if spelling == "layers_block_type":
        config[spelling] = rng.choices(words, k=length)
    elif spelling:
        config[spelling] = "".join(rng.choices("ME*-", k=length))
    config |= {"n_routed_experts": rng.choice([2, 4]), "num_experts_per_tok": rng.choice([1, 2]), "n_group": 1}
    maybe(rng, config, moe_intermediate_size=[16], moe_latent_size=[8, None], moe_shared_expert_intermediate_size=[24])
    maybe(rng, config, mamba_num_heads=[2, 4], mamba_head_dim=[8], ssm_state_size=[4], n_groups=[1, 2])
    maybe(rng, config, 0.2, mamba_n_groups=[1, 2], mamba_d_conv=[2], mamba_conv_bias=[True, False])
    maybe(rng, config, head_dim=[8, 16])


def tune_delta(rng: random.Random, config: Config) -> None:
    config["num_experts_per_tok"] = rng.choice([1, 2])
    maybe(rng, config, num_experts=[4, 8], moe_intermediate_size=[16], shared_expert_intermediate_size=[24])
    maybe(rng, config, 0.4, decoder_sparse_step=[1, 2], mlp_only_layers=[[0]], full_attention_interval=[1, 2, 3])
    maybe(rng, config, 0.3, mtp_num_hidden_layers=[0, 1])
    maybe(rng, config, linear_num_key_heads=[2], linear_num_value_heads=[2, 4], linear_key_head_dim=[8, 16])
    maybe(rng, config, linear_value_head_dim=[8, 16], linear_conv_kernel_dim=[2, 4], head_dim=[8, 16])
    layers = config.get("num_hidden_layers")
    if layers and rng.random() < 0.3:
        config["layer_types"] = rng.choices(["linear_attention", "full_attention"], k=layers)


def tune_lfm2(rng: random.Random, config: Config) -> None:
    layers = config.get("num_hidden_layers", 32)
    maybe(rng, config, 0.5, full_attn_idxs=[None, [0], [1, 2]], conv_L_cache=[2, 3], block_multiple_of=[8, 16])
    maybe(rng, config, 0.4, block_ffn_dim_multiplier=[None, 1.3], block_ff_dim=[40], tie_embedding=[True, False])
    if rng.random() < 0.4:
        config["layer_types"] = rng.choices(["conv", "full_attention"], k=layers)


def tune_bart(rng: random.Random, config: Config) -> None:
    tune_whisper(rng, config)
    for key in ("num_mel_bins", "max_source_positions", "max_target_positions", "classifier_proj_size"):
        config.pop(key, None)
    maybe(rng, config, max_position_embeddings=[16, 40])
    prefix = "Bart" if config["model_type"] == "bart" else "MBart"
    maybe(rng, config, 0.5, architectures=[[prefix + "ForCausalLM"], [prefix + "ForSequenceClassification"]])
    maybe(rng, config, 0.3, num_labels=[2, 5])


def tune_albert(rng: random.Random, config: Config) -> None:
    tune_encoder(rng, config)
    config["num_hidden_layers"] = rng.choice([2, 4, 6])
    maybe(rng, config, num_hidden_groups=[1, 2], inner_group_num=[1, 2, 3], embedding_size=[8, 16])


def tune_deberta(rng: random.Random, config: Config) -> None:
    tune_encoder(rng, config)
    config.pop("type_vocab_size", None)
    maybe(rng, config, type_vocab_size=[0, 2], embedding_size=[16], share_att_key=[True, False])
    maybe(rng, config, pos_att_type=["p2c|c2p", ["c2p"], None], position_buckets=[-1, 8], conv_kernel_size=[0, 3])
    maybe(rng, config, 0.5, norm_rel_ebd=["layer_norm", "none"], max_relative_positions=[-1, 20], conv_groups=[1])


def tune_modernbert(rng: random.Random, config: Config) -> None:
    maybe(rng, config, local_attention=[8, 16], global_attn_every_n_layers=[1, 2, 3], num_labels=[3])
    config.pop("num_key_value_heads", None)
    config |= {"pad_token_id": 1}


def tune_dsa(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    config["q_lora_rank"] = rng.choice([16, 24])
    config["num_key_value_heads"] = config.get("num_attention_heads")
    config["num_hidden_layers"] = layers = rng.randint(1, 5)
    maybe(rng, config, index_head_dim=[16, 24], index_n_heads=[2, 4], index_topk=[8, 16])
    if rng.random() < 0.3:
        config["mlp_layer_types"] = rng.choices(["dense", "sparse"], k=layers)
    if rng.random() < 0.3:
        config["layer_types"] = rng.choices(["indexed_attention", "deepseek_sparse_attention"], k=layers)
    if config["model_type"] == "glm_moe_dsa":
        patterns = [None, "".join(rng.choices("FS", k=layers))]
        config["indexer_types"] = rng.choice([None, rng.choices(["full", "shared"], k=layers)])
        maybe(rng, config, index_topk_pattern=patterns, index_topk_freq=[1, 2, 4], index_skip_topk_offset=[0, 1, 3])


def tune_gemma3n(rng: random.Random, config: Config) -> None:
    config["num_hidden_layers"] = layers = rng.randint(2, 7)
    maybe(rng, config, 1.0, num_kv_shared_layers=[0, 1, layers - 1], vocab_size_per_layer_input=[32, 64])
    maybe(rng, config, hidden_size_per_layer_input=[4, 8], altup_num_inputs=[1, 2, 4], laurel_rank=[2, 4])
    config["num_key_value_heads"] = rng.choice([1, 2])
    maybe(rng, config, head_dim=[8, 16], sliding_window=[16])
    if rng.random() < 0.4:
        config["intermediate_size"] = rng.choices([24, 40], k=layers)
    if rng.random() < 0.3:
        config["layer_types"] = rng.choices(["sliding_attention", "full_attention"], k=layers)


TUNERS: dict[str, Tuner] = {
    "mixtral": tune_experts,
    "qwen2_moe": tune_qwen_moe,
    "qwen3_moe": tune_qwen_moe,
    "deepseek_v2": tune_deepseek,
    "deepseek_v3": tune_deepseek,
    "gpt_oss": tune_gpt_oss,
    "bert": tune_encoder,
    "roberta": tune_encoder,
    "xlm-roberta": tune_encoder,
    "electra": tune_encoder,
    "distilbert": tune_encoder,
    "t5": tune_t5,
    "mt5": tune_t5,
    "umt5": tune_t5,
    "whisper": tune_whisper,
    "mamba": tune_mamba,
    "falcon_mamba": tune_mamba,
    "jamba": tune_jamba,
    "gemma3n_text": tune_gemma3n,
    "deepseek_v32": tune_dsa,
    "glm_moe_dsa": tune_dsa,
    "lfm2": tune_lfm2,
    "bart": tune_bart,
    "mbart": tune_bart,
    "albert": tune_albert,
    "deberta-v2": tune_deberta,
    "modernbert": tune_modernbert,
    "qwen3_vl_moe_text": tune_qwen_moe,
    "qwen3_5_text": tune_delta,
    "qwen3_5_moe_text": tune_delta,
    "mamba2": tune_mamba2,
    "bamba": tune_bamba,
    "falcon_h1": tune_bamba,
    "nemotron_h": tune_nemotron_h,
    "qwen3_next": tune_delta,
    "olmoe": tune_sparse,
    "phimoe": tune_sparse,
    "minimax_m2": tune_sparse,
    "granitemoe": tune_sparse,
    "glm4_moe": tune_glm_moe,
    "dbrx": tune_dbrx,
}

#: DeepSeek-V2 declares null, with which its router fails on the first token; the class that transformers maps Llama 4
#: and Qwen3.5 to first takes only the text section; DBRX reads a base of its rotary positions
#: that its config does not declare.
REQUIRED: dict[str, Config] = {
    "deepseek_v2": {"num_experts_per_tok": 6},
    "llama4": {"architectures": ["Llama4ForConditionalGeneration"]},
    "qwen3_5": {"architectures": ["Qwen3_5ForConditionalGeneration"]},
    "qwen3_5_moe": {"architectures": ["Qwen3_5MoeForConditionalGeneration"]},
    "dbrx": {"attn_config": {"rope_theta": 10000.0}},
}
