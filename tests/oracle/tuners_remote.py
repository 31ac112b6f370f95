"""Small models of the types that transformers does not have; no defaults are declared, so all sizes are required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNERS: Mapping[str, Any] = {}  # transformers builds none of them

SIZES: Mapping[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 128,
    "tie_word_embeddings": False,
}
GROUPED: Mapping[str, Any] = {**SIZES, "num_key_value_heads": 2}
EXPERTS: Mapping[str, Any] = {
    **GROUPED,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 16,
    "num_experts_per_tok": 2,
}
MINIMAX: Mapping[str, Any] = {
    **GROUPED,
    "attn_type_list": [0, 0, 1],
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
PATCHES: Mapping[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_channels": 3,
    "image_size": 28,
    "patch_size": 14,
}
LINEAR: Mapping[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_heads": 4,
    "expand_k": 0.5,
    "expand_v": 1,
    "vocab_size": 128,
    "tie_word_embeddings": False,
}
REQUIRED: Mapping[str, Mapping[str, Any]] = {
    "gla": LINEAR,
    "retnet": LINEAR,
    "transformer": LINEAR,
    "delta_net": {**LINEAR, "conv_size": 4},
    "internvl_chat": {
        "downsample_ratio": 0.5,
        "llm_config": {**GROUPED, "model_type": "internlm2"},
        "vision_config": {
            **PATCHES,
            "model_type": "intern_vit_6b",
            "norm_type": "layer_norm",
            "qk_normalization": False,
            "qkv_bias": True,
        },
    },
    "phi3_v": {
        **GROUPED,
        "embd_layer": {"projection_cls": "mlp", "use_hd_transform": True, "with_learnable_separator": True},
        "img_processor": {"name": "clip_vision_model"},
    },
    "phi4": GROUPED,
    "step3p5": {
        **SIZES,
        "head_dim": 16,
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
        "moe_intermediate_size": 16,
        "moe_layers_enum": "1,2",
        "moe_num_experts": 8,
        "moe_top_k": 2,
        "num_attention_groups": 2,
        "share_expert_dim": 16,
        "sliding_window": 64,
    },
    "dflash_draft": {**GROUPED, "head_dim": 16, "dflash_config": {"target_layer_ids": [1, 2]}},
    "dspark_draft": {
        **GROUPED,
        "head_dim": 16,
        "dflash_config": {
            "markov_head_type": "vanilla",
            "markov_rank": 8,
            "projector_type": "dspark",
            "target_layer_ids": [1, 2],
        },
    },
    "eagle3_draft": {**GROUPED, "num_hidden_layers": 1, "draft_vocab_size": 64},
    "phi-msft": {"n_embd": 64, "n_head": 4, "n_layer": 3, "n_positions": 128, "vocab_size": 128},
    "phi3small": {
        **GROUPED,
        "ff_intermediate_size": 96,
        "dense_attention_every_n_layers": 2,
        "blocksparse_num_local_blocks": 4,
        "blocksparse_block_size": 8,
        "blocksparse_vert_stride": 4,
    },
    "RefinedWebModel": {"hidden_size": 64, "n_head": 4, "n_layer": 3, "vocab_size": 128, "multi_query": True},
    "RefinedWeb": {"hidden_size": 64, "n_head": 4, "n_head_kv": 2, "n_layer": 3, "vocab_size": 128},
    "nemotron-nas": {
        **SIZES,
        "block_configs": [
            {"attention": {"n_heads_in_group": 2}, "ffn": {"ffn_mult": 2.0}},
            {"attention": {"replace_with_linear": True}, "ffn": {"ffn_mult": 1.0}},
            {"attention": {"no_op": True}, "ffn": {"no_op": True}},
        ],
    },
    "mimo": {**GROUPED, "num_nextn_predict_layers": 1},
    "hunyuan": {**GROUPED, "attention_head_dim": 16, "num_experts": 8, "moe_topk": 2},
    "minimax_m1": MINIMAX,
    "minimax_text_01": MINIMAX,
    "minicpmv": {**GROUPED, "version": 2.6, "query_num": 4, "vision_config": PATCHES},
    "qwen": {**SIZES, "kv_channels": 16},
    "internlm": SIZES,
    "internlm2": GROUPED,
    "baichuan": SIZES,
    "minicpm": GROUPED,
    "exaone": {**GROUPED, "num_layers": 3},
    "deepseek": {**EXPERTS, "n_routed_experts": 8, "n_shared_experts": 2},
    "bailing_moe": {**EXPERTS, "num_experts": 8, "num_shared_experts": 1},
    "grok-1": {**GROUPED, "num_experts": 8, "num_experts_per_tok": 2},
    "chatglm": {
        "hidden_size": 64,
        "num_layers": 3,
        "num_attention_heads": 4,
        "kv_channels": 16,
        "ffn_hidden_size": 96,
        "padded_vocab_size": 128,
        "multi_query_attention": True,
        "multi_query_group_num": 2,
        "add_qkv_bias": True,
        "post_layer_norm": True,
        "rmsnorm": True,
        "seq_length": 256,
        "tie_word_embeddings": False,
    },
}
