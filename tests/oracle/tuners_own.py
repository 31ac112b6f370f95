"""What Kimi-K3 and DeepSeek-OCR 2 must say, whose files transformers does not read; what varies in CSM and LayoutLM."""

from __future__ import annotations

import random
from typing import Any

from tests.oracle.tuners_rest import maybe
from tests.oracle.vary import Tuner

LINEAR: dict[str, Any] = {
    "full_attn_layers": [3],
    "kda_layers": [1, 2],
    "head_dim": 4,
    "num_heads": 4,
    "short_conv_kernel_size": 4,
    "use_full_rank_gate": True,
}
TEXT: dict[str, Any] = {
    "attn_res_block_size": 2,
    "first_k_dense_replace": 1,
    "hidden_size": 64,
    "intermediate_size": 96,
    "kv_lora_rank": 16,
    "latent_moe_use_norm": True,
    "linear_attn_config": LINEAR,
    "mla_use_nope": True,
    "mla_use_output_gate": True,
    "moe_intermediate_size": 24,
    "moe_layer_freq": 1,
    "num_attention_heads": 4,
    "num_experts": 8,
    "num_experts_per_token": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "num_nextn_predict_layers": 0,
    "num_shared_experts": 2,
    "q_lora_rank": 12,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "routed_expert_hidden_size": 32,
    "tie_word_embeddings": False,
    "v_head_dim": 16,
    "vocab_size": 128,
}
VISION: dict[str, Any] = {
    "attn_bias": False,
    "init_pos_emb_height": 4,
    "init_pos_emb_width": 4,
    "linear_bias": False,
    "merge_kernel_size": [2, 2],
    "merge_type": "sd2_tpool",
    "mlp_type": "mlp2",
    "mm_hidden_size": 32,
    "mm_projector_type": "patchmergerv2",
    "norm_type": "rmsnorm",
    "patch_embed_proj_bias": False,
    "patch_size": 14,
    "pos_emb_type": "divided_fixed",
    "qkv_hidden_size": 48,
    "vt_hidden_size": 32,
    "vt_intermediate_size": 64,
    "vt_num_attention_heads": 4,
    "vt_num_hidden_layers": 2,
}
OCR: dict[str, Any] = {
    "language_config": {
        "first_k_dense_replace": 1,
        "hidden_size": 64,
        "intermediate_size": 96,
        "lm_head": True,
        "moe_intermediate_size": 24,
        "n_routed_experts": 8,
        "n_shared_experts": 2,
        "num_attention_heads": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 3,
        "num_key_value_heads": 4,
        "use_mla": False,
        "vocab_size": 128,
    },
    "projector_config": {"n_embed": 64, "projector_type": "linear"},
    "vision_config": {"width": {"qwen2-0-5b": {"dim": 896}, "sam_vit_b": {}}},
}


def tune_csm(rng: random.Random, config: dict[str, Any]) -> None:
    config["num_attention_heads"] = heads = rng.choice([2, 4])
    config |= {"hidden_size": 16 * heads, "num_codebooks": rng.choice([2, 4]), "vocab_size": rng.choice([17, 33])}
    maybe(rng, config, text_vocab_size=[64], head_dim=[8, 16], mlp_bias=[True], attention_bias=[True])
    maybe(rng, config, num_key_value_heads=[1, heads, None])
    config["depth_decoder_config"] = depth = {"num_codebooks": config["num_codebooks"], "hidden_size": 32}
    depth |= {"vocab_size": config["vocab_size"], "backbone_hidden_size": config["hidden_size"]}
    depth |= {"num_attention_heads": rng.choice([2, 4]), "num_key_value_heads": rng.choice([1, 2])}
    maybe(rng, depth, num_hidden_layers=[1, 2], head_dim=[8], intermediate_size=[48], mlp_bias=[True])
    maybe(rng, depth, attention_bias=[True])
    if rng.random() < 0.5:
        config["tie_codebooks_embeddings"] = False
        maybe(rng, depth, num_codebooks=[5], vocab_size=[40], backbone_hidden_size=[24])
    maybe(rng, config, 0.3, tie_word_embeddings=[True, False])
    config["codec_config"] = codec = {"model_type": "mimi", "hidden_size": 32, "num_filters": 4}
    codec |= {"num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 4]), "num_hidden_layers": 2}
    codec["upsample_groups"] = rng.choice([1, 32])
    maybe(rng, codec, codebook_size=[16], codebook_dim=[8], num_quantizers=[6], intermediate_size=[48])
    maybe(rng, config, 0.3, architectures=[["CsmBackboneModel"], ["CsmForConditionalGeneration"]])


def tune_layoutlm(rng: random.Random, config: dict[str, Any]) -> None:
    maybe(rng, config, num_labels=[3, 9, 10, 12], input_size=[32, 56], patch_size=[8, 16], num_channels=[1, 4])
    maybe(rng, config, max_2d_position_embeddings=[32], coordinate_size=[8], shape_size=[4], rel_pos_bins=[16])
    maybe(rng, config, 0.4, rel_2d_pos_bins=[16], type_vocab_size=[1], max_position_embeddings=[40])
    maybe(rng, config, 0.3, has_relative_attention_bias=[False], has_spatial_attention_bias=[False])
    maybe(rng, config, 0.2, text_embed=[False], visual_embed=[False])


TUNERS: dict[str, Tuner] = {"csm": tune_csm, "layoutlmv3": tune_layoutlm}
REQUIRED: dict[str, dict[str, Any]] = {
    "kimi_k3": {"text_config": TEXT, "vision_config": VISION},
    "deepseek_vl_v2": OCR,
}
