"""Qwen's mixtures of experts: Qwen1.5-MoE, Qwen2-MoE, Qwen3-MoE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.qwen import read_switched_window
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import At, at, by_kind, layer_types
from zoo.arch.mlp import Experts, GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

EXPERTS: dict[str, Dim] = {
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ffn": "moe_intermediate_size",
    "window": read_switched_window,
}


def mlp_kinds(c: Config) -> Sequence[str]:
    """Sparse in every ``decoder_sparse_step``-th layer, but for those listed in ``mlp_only_layers``."""
    step = c.whole("decoder_sparse_step", least=1)
    dense = [] if c["mlp_only_layers"] is None else c["mlp_only_layers"]
    if not isinstance(dense, list | tuple):
        raise UnsupportedError(f"{c.model_type}: mlp_only_layers is not a list of layers")
    sparse = [c.experts > 0 and layer not in dense and (layer + 1) % step == 0 for layer in range(c.layers)]
    return ["sparse" if is_sparse else "dense" for is_sparse in sparse]


def alternate_windows(c: Config) -> Sequence[str]:
    """With windows switched on, every other layer below ``max_window_layers`` slides, from layer 0 on."""
    if not c.flag("use_sliding_window"):
        return ["full_attention"] * c.layers
    last = c.whole("max_window_layers")
    return ["sliding_attention" if i % 2 == 0 and i < last else "full_attention" for i in range(c.layers)]


def shared_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of the shared expert is added: one number per token."""
    return p.linear("shared_expert_gate", c.hidden, 1, "shared_experts")


SHARED = At("shared_expert", (GatedMlp(width="shared_ffn", part="shared_experts"),))
PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))

register(
    decoder(
        "qwen2_moe",
        "Qwen2Moe",
        "Qwen",
        at("self_attn", Attention(bias="qkv_bias", o_bias=False, kinds=layer_types(alternate_windows))),
        at("mlp", by_kind(mlp_kinds, dense=GatedMlp(), sparse=Moe(shared=(SHARED, shared_gate)))),
        *PRE_NORMS,
        heads=causal_heads("Qwen2Moe", questions="model."),
        dims=EXPERTS | {"shared_experts": lambda c: 1, "shared_ffn": "shared_expert_intermediate_size"},
        example="Qwen/Qwen1.5-MoE-A2.7B",
        about="Many small experts of which 4 serve a token, and one gated shared expert that serves all.",
    ),
    decoder(
        "qwen3_moe",
        "Qwen3Moe",
        "Qwen",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM, kinds=window_everywhere)),
        at("mlp", by_kind(mlp_kinds, dense=GatedMlp(), sparse=Moe(Router(), Experts()))),
        *PRE_NORMS,
        heads=causal_heads("Qwen3Moe", questions="transformer."),
        dims=EXPERTS,
        example="Qwen/Qwen3-30B-A3B",
        about="8 of 128 small experts per token and no shared one; queries and keys are normalised per head.",
    ),
)
