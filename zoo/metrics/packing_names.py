"""How checkpoints spell the modules of a type, where that is not as transformers 5 has them.

The lists of a quantisation name modules as the checkpoint does. By ``conversion_mapping.py`` of transformers 5.23,
which turns the one into the other on loading. What only differs before the layers (``model.``) is left to
:func:`zoo.metrics.packing_rules.spell_name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from zoo.arch.ledger import Ledger

#: Replacements in order, from the name in the ledger (layers and experts as ``{}``) to that in the checkpoint.
Renames = tuple[tuple[str, str], ...]

_NUMBERED: Renames = (
    ("experts.{}.gate_proj", "experts.{}.w1"),
    ("experts.{}.up_proj", "experts.{}.w3"),
    ("experts.{}.down_proj", "experts.{}.w2"),
)
_SHARED: Renames = (
    ("shared_experts.gate_proj", "shared_experts.w1"),
    ("shared_experts.up_proj", "shared_experts.w3"),
    ("shared_experts.down_proj", "shared_experts.w2"),
)
_SPARSE: Renames = ((".mlp.", ".block_sparse_moe."), *_NUMBERED)

RENAMES: Mapping[str, Renames] = {
    "mixtral": _SPARSE,
    "minimax": _SPARSE,
    "minimax_m2": _SPARSE,
    "phimoe": _SPARSE,
    "lfm2_moe": _NUMBERED,
    "minimax_m3_vl": (
        (".mlp.experts.", ".block_sparse_moe.experts."),
        (".mlp.shared_experts.", ".block_sparse_moe.shared_experts."),
        (".self_attn.indexer.q_proj", ".self_attn.index_q_proj"),
        (".self_attn.indexer.k_proj", ".self_attn.index_k_proj"),
        ("multi_modal_projector.merge_linear_", "patch_merge_mlp.linear_"),
        *_NUMBERED,
    ),
    "nemotron_h": (("model.layers.", "backbone.layers."),),
    "hy_v3": ((".mlp.shared_experts.", ".mlp.shared_mlp."),),
    "step3p7": ((".mlp.experts.{}.", ".moe."), (".mlp.shared_experts.", ".share_expert.")),
    "bailing_hybrid": (
        (".self_attn.forget_gate.", ".attention."),
        (".self_attn.o_proj", ".attention.dense"),
        (".self_attn.", ".attention."),
    ),
    "deepseek_v4": (
        (".compressor.indexer.scorer.weights_proj", ".indexer.weights_proj"),
        (".compressor.indexer.q_b_proj", ".indexer.wq_b"),
        (".compressor.indexer.", ".indexer.compressor."),
        ("compressor.kv_proj", "compressor.wkv"),
        ("compressor.gate_proj", "compressor.wgate"),
        (".self_attn.kv_proj", ".self_attn.wkv"),
        (".q_a_proj", ".wq_a"),
        (".q_b_proj", ".wq_b"),
        (".o_a_proj", ".wo_a"),
        (".o_b_proj", ".wo_b"),
        (".self_attn.", ".attn."),
        (".mlp.", ".ffn."),
        ("lm_head", "head"),
        *_NUMBERED,
        *_SHARED,
    ),
}
#: Types whose dense ``gate_up_proj`` stands for two matrices of the checkpoint.
FUSED = frozenset(("minimax_m3_vl",))


def find_renames(ledger: Ledger) -> Renames:
    """What to replace in the names of ``ledger``; nothing for most types."""
    return RENAMES.get(ledger.architecture.model_type) or RENAMES.get(ledger.text.model_type, ())


@lru_cache(maxsize=4096)
def rename_module(name: str, renames: Renames) -> str:
    """``name`` as the checkpoint has it; empty where it is the same."""
    renamed = name
    for old, new in renames:
        renamed = renamed.replace(old, new)
    return "" if renamed == name else renamed
