"""DeepSeek-OCR 2, as its file describes it."""

from __future__ import annotations

from typing import Any

WIDTH: dict[str, Any] = {
    "qwen2-0-5b": {"dim": 896},
    "sam_vit_b": {
        "downsample_channels": [512, 1024],
        "global_attn_indexes": [2, 5, 8, 11],
        "heads": 12,
        "layers": 12,
        "width": 768,
    },
}
LANGUAGE: dict[str, Any] = {
    "first_k_dense_replace": 1,
    "hidden_size": 1280,
    "intermediate_size": 6848,
    "kv_lora_rank": None,
    "lm_head": True,
    "max_position_embeddings": 8192,
    "moe_intermediate_size": 896,
    "n_group": 1,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_attention_heads": 10,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 12,
    "num_key_value_heads": 10,
    "q_lora_rank": None,
    "qk_nope_head_dim": 0,
    "qk_rope_head_dim": 0,
    "topk_group": 1,
    "topk_method": "greedy",
    "use_mla": False,
    "v_head_dim": 0,
    "vocab_size": 129_280,
}
OCR_2: dict[str, Any] = {
    "model_type": "deepseek_vl_v2",
    "architectures": ["DeepseekOCR2ForCausalLM"],
    "language_config": LANGUAGE,
    "projector_config": {"input_dim": 896, "n_embed": 1280, "projector_type": "linear"},
    "vision_config": {"image_size": 1024, "mlp_ratio": 3.7362, "model_type": "vision", "width": WIDTH},
}


def speaking(**changes: Any) -> dict[str, Any]:
    """DeepSeek-OCR 2 with another text."""
    return OCR_2 | {"language_config": LANGUAGE | changes}


def seeing(**towers: Any) -> dict[str, Any]:
    """DeepSeek-OCR 2 with other towers."""
    return OCR_2 | {"vision_config": {"width": towers}}
