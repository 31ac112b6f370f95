"""Kimi-K3, as its file describes it."""

from __future__ import annotations

from typing import Any

LINEAR: dict[str, Any] = {
    "full_attn_layers": [*range(4, 93, 4), 93],
    "kda_layers": [layer for layer in range(1, 93) if layer % 4],
    "gate_lower_bound": -5.0,
    "head_dim": 128,
    "num_heads": 96,
    "short_conv_kernel_size": 4,
    "use_full_rank_gate": True,
}
TEXT: dict[str, Any] = {
    "model_type": "kimi_linear",
    "attn_res_block_size": 12,
    "first_k_dense_replace": 1,
    "hidden_act": "situ",
    "hidden_size": 7168,
    "intermediate_size": 33792,
    "kv_lora_rank": 512,
    "latent_moe_use_norm": True,
    "linear_attn_config": LINEAR,
    "max_position_embeddings": 1_048_576,
    "mla_use_nope": True,
    "mla_use_output_gate": True,
    "moe_intermediate_size": 3072,
    "moe_layer_freq": 1,
    "num_attention_heads": 96,
    "num_experts": 896,
    "num_experts_per_token": 16,
    "num_hidden_layers": 93,
    "num_key_value_heads": 96,
    "num_nextn_predict_layers": 0,
    "num_shared_experts": 2,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "routed_expert_hidden_size": 3584,
    "tie_word_embeddings": False,
    "v_head_dim": 128,
    "vocab_size": 163_840,
}
VISION: dict[str, Any] = {
    "attn_bias": False,
    "init_pos_emb_height": 64,
    "init_pos_emb_width": 64,
    "linear_bias": False,
    "merge_kernel_size": [2, 2],
    "merge_type": "sd2_tpool",
    "mlp_type": "mlp2",
    "mm_hidden_size": 1024,
    "mm_projector_type": "patchmergerv2",
    "norm_type": "rmsnorm",
    "patch_embed_proj_bias": False,
    "patch_size": 14,
    "pos_emb_type": "divided_fixed",
    "qkv_hidden_size": 1536,
    "vt_hidden_size": 1024,
    "vt_intermediate_size": 4096,
    "vt_num_attention_heads": 12,
    "vt_num_hidden_layers": 27,
}
KIMI_K3: dict[str, Any] = {
    "model_type": "kimi_k3",
    "architectures": ["KimiK3ForConditionalGeneration"],
    "dtype": "bfloat16",
    "text_config": TEXT,
    "vision_config": VISION,
    "tie_word_embeddings": False,
}


def speaking(**changes: Any) -> dict[str, Any]:
    """Kimi-K3 with another text section."""
    return KIMI_K3 | {"text_config": TEXT | changes}


def seeing(**changes: Any) -> dict[str, Any]:
    """Kimi-K3 with another tower."""
    return KIMI_K3 | {"vision_config": VISION | changes}
