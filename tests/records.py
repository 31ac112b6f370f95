"""Records to save in tests: small models whose parameter counts anyone can work out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from zoo.sources.record import HubFacts, ModelRecord, Problem, ProblemKind

#: Attention 4 x 64 x 64, MLP 3 x 64 x 128, norms 2 x 64; times two layers, final norm, embedding and head of 100.
LLAMA_PARAMS = 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64 + 2 * 100 * 64
NOW = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def make_config(**changes: Any) -> dict[str, Any]:
    """A llama of two layers."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 2,
        "max_position_embeddings": 512,
        "vocab_size": 100,
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    } | changes


def make_record(repo_id: str = "acme/tiny", /, **changes: Any) -> ModelRecord:
    """A model from the Hub with a config and a few facts."""
    fields: dict[str, Any] = {
        "source": "hub",
        "config": make_config(),
        "sha": "a" * 40,
        "facts": HubFacts(downloads=10, likes=1, reported_params=LLAMA_PARAMS),
        "origin": "the Hub",
    }
    return ModelRecord(repo_id, **(fields | changes))


def make_problem(kind: ProblemKind, repo_id: str = "acme/tiny", message: str = "it cannot be read") -> ModelRecord:
    return ModelRecord(repo_id, "hub", problem=Problem(kind, message))
