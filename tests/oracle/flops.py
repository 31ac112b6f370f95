"""``python -m tests.oracle flops [--write]``: FLOPs of small models as torch counts them while they run, and zoo's.

Each model of ``SMALL`` is built with random weights and run once, with eager attention, over ``TOKENS`` tokens. What
``torch.utils.flop_counter`` sees is split by operation and by the module in which it happens. With ``--write`` the
numbers become ``tests/data/flops.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.oracle.build import build_model

TOKENS = 24
RECORDED = Path(__file__).parents[1] / "data" / "flops.json"

SIZES = {"hidden_size": 32, "num_hidden_layers": 4, "vocab_size": 96, "intermediate_size": 48}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12}
DENSE: dict[str, Any] = {**SIZES, **HEADS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 20,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
    "num_key_value_heads": 4,
    "head_dim": 4,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 20,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_group": 2,
    "topk_group": 1,
    "n_shared_experts": 1,
}
GATED_DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 6,
    "num_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 20,
    "shared_expert_intermediate_size": 28,
}

SMALL: tuple[dict[str, Any], ...] = (
    {"model_type": "llama", **DENSE},
    {"model_type": "mistral", **DENSE, "sliding_window": 8},
    {"model_type": "gemma2", **DENSE, "sliding_window": 8},
    {"model_type": "mixtral", **DENSE, "num_local_experts": 4, "num_experts_per_tok": 2},
    {"model_type": "qwen3_moe", **DENSE, "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 20},
    {"model_type": "gpt_oss", **DENSE, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 8},
    {"model_type": "deepseek_v3", **DENSE, **LATENT},
    {"model_type": "deepseek_v32", **DENSE, **LATENT, "index_n_heads": 3, "index_head_dim": 10, "index_topk": 64},
    {
        "model_type": "llama4_text",
        **DENSE,
        "intermediate_size_mlp": 56,
        "num_local_experts": 4,
        "attention_chunk_size": 8,
    },
    {"model_type": "gpt2", "n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 96, "n_positions": 64},
    {"model_type": "bloom", "hidden_size": 32, "n_layer": 3, "n_head": 4, "vocab_size": 96},
    {"model_type": "falcon", **SIZES, "num_attention_heads": 4, "new_decoder_architecture": False, "multi_query": True},
    {"model_type": "mamba", **SIZES, "intermediate_size": 64, "state_size": 6},
    {"model_type": "qwen3_next", **DENSE, **GATED_DELTA},
    {"model_type": "bert", **SIZES, "num_attention_heads": 4},
    {"model_type": "bert", **SIZES, "num_attention_heads": 4, "architectures": ["BertModel"]},
    {"model_type": "t5", "d_model": 32, "d_kv": 12, "d_ff": 48, "num_layers": 3, "num_heads": 4, "vocab_size": 96},
    {
        "model_type": "bart",
        "d_model": 32,
        "encoder_layers": 3,
        "decoder_layers": 2,
        "vocab_size": 96,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 40,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    {
        "model_type": "whisper",
        "d_model": 32,
        "encoder_layers": 3,
        "decoder_layers": 2,
        "vocab_size": 96,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 40,
        "max_source_positions": TOKENS,
        "max_target_positions": 64,
        "num_mel_bins": 8,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 3,
    },
)

#: More kinds of attention and of recurrence, each by the first model of the type whose cache is recorded.
KINDS = (
    "axk2",
    "bailing_hybrid",
    "bamba",
    "bigbird_pegasus",
    "cohere2",
    "deepseek_v2",
    "diffllama",
    "doge",
    "falcon_h1",
    "falcon_mamba",
    "gemma3n_text",
    "gemma4_text",
    "glm_moe_dsa",
    "gpt_neo",
    "granitemoehybrid",
    "hrm_text",
    "jamba",
    "kimi_linear",
    "lfm2",
    "mamba2",
    "minicpm3",
    "minimax",
    "nemotron_h",
    "olmo_hybrid",
    "opt",
    "phi3",
    "recurrent_gemma",
    "rwkv",
    "xlnet",
    "zamba2",
)

#: Modules whose products are neither a weight times a token nor attention: positions.
ANGLES = "rotary_emb"
#: Modules in which products of two activations are a recurrence, beside attention in the same layer.
RECURRENT = ("mamba",)
BATCHED = ("bmm", "baddbmm")


def list_models() -> list[dict[str, Any]]:
    """The configs of all models that are measured."""
    from tests.oracle.cache import read_recorded

    recorded = read_recorded()
    return [*SMALL, *(json.loads(recorded[name][0])["config"] for name in KINDS)]


def find_recurrent(config: dict[str, Any]) -> set[int]:
    """Layers that keep a state of fixed size and attend to nothing."""
    from zoo.arch import build_ledger

    states = build_ledger(config).states
    attending = {layer for s in states if s.flops_per_pos for layer in s.layers or ()}
    return {layer for s in states if s.fixed for layer in s.layers or ()} - attending


def sort_operation(module: str, operation: str, recurrent: set[int]) -> str | None:
    """What an operation in ``module`` is part of; None for what is no part of the count."""
    if ANGLES in module:
        return None
    if operation == "convolution":
        return "conv"
    if operation not in BATCHED:
        return "linear"
    if "experts" in module:
        return "experts"
    words = module.split(".")
    layer = next((int(word) for word in words if word.isdigit()), None)
    return "recurrent" if layer in recurrent or any(word in words for word in RECURRENT) else "attention"


def measure(config: dict[str, Any]) -> dict[str, int]:
    """FLOPs of one pass over TOKENS tokens (as many of source and target, where there are both), by what they are."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    plain = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = build_model(config | plain, device="cpu").eval()
    ids = torch.randint(4, model.config.get_text_config().vocab_size, (1, TOKENS))
    inputs = {"input_ids": ids}
    if config["model_type"] == "whisper":
        inputs = {"input_features": torch.randn(1, config["num_mel_bins"], 2 * TOKENS), "decoder_input_ids": ids}
    elif model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    return split_counts(counter.get_flop_counts(), find_recurrent(config))


def split_counts(counts: dict[str, dict[Any, int]], recurrent: set[int]) -> dict[str, int]:
    """The counts of all modules by what they are: each module's own, without those of the modules in it."""
    own = {name: dict(operations) for name, operations in counts.items() if name != "Global"}
    for name in own:
        around = max((other for other in own if name.startswith(f"{other}.")), key=len, default=None)
        if around is not None:
            for operation, flops in counts[name].items():
                own[around][operation] -= flops
    found: dict[str, int] = {}
    for name, operations in own.items():
        for operation, flops in operations.items():
            kind = sort_operation(name, str(operation).removeprefix("aten."), recurrent)
            if flops and kind:
                found[kind] = found.get(kind, 0) + flops
    return found


def main(*arguments: str) -> int:
    """Print what is measured beside what the ledger says of attention; with ``--write`` keep it. 1 when one differs.

    The rest is held against the ledger by ``tests/metrics/test_flops.py``, which needs no torch.
    """
    from zoo.arch import build_ledger
    from zoo.metrics.sums import sum_flops

    wrong, rows = 0, []
    for config in list_models():
        said = measure(config)
        ledger = build_ledger(config)
        linear = sum_flops(ledger, ()).forward_per_token * TOKENS
        attention = sum(s.flops_per_pos * s.repeats for s in ledger.states) * TOKENS**2
        wrong += said.get("attention", 0) != attention
        print(f"{config['model_type']:12} zoo: linear {linear:,} attention {attention:,}; torch: {said}", flush=True)
        rows.append({"config": config, "tokens": TOKENS, "flops": dict(sorted(said.items()))})
    if "--write" in arguments:
        RECORDED.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
    return int(wrong > 0)
