"""DeepSeek-V3.2 and GLM-5: DeepSeek-V3's layers, whose latent attention looks at the tokens that an indexer picks."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS, FinalNormAndMtp, dense_first
from zoo.arch.families.deepseek_kin import refuse_full_queries
from zoo.arch.families.indexed import PickedLatent, indexer
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, every, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.registry import register

#: ``num_experts``, where a file has it, goes before ``n_routed_experts``.
DSA_DIMS: dict[str, Dim] = DEEPSEEK | {
    "experts": lambda c: c.whole("n_routed_experts" if c.get("num_experts") is None else "num_experts")
}
INDEXED = named_kinds(every("indexed_attention"))
MLP = at("mlp", by_kind(named_kinds(dense_first, "mlp_layer_types"), dense=GatedMlp(), sparse=MOE_V3))
LATENT = by_kind(INDEXED, indexed_attention=PickedLatent())
SPARSE_MLP = at("mlp", MOE_V3)
INDEXER = at("indexer", indexer)


def indexer_kinds(c: Config) -> Sequence[str]:
    """ "full" where a layer picks tokens itself, "shared" where it takes what the layer before picked.

    From ``indexer_types``, else the pattern ("FSSF"), else one in ``index_topk_freq`` from ``index_skip_topk_offset``.
    """
    if c["indexer_types"] is not None:
        return c.words("indexer_types", c.layers)
    pattern = c.get("index_topk_pattern")
    if pattern is not None:
        words = [{"F": "full", "S": "shared"}.get(mark, mark) for mark in pattern]
        if len(words) != c.layers:
            raise UnsupportedError(f"{c.model_type}: index_topk_pattern names {len(words)} of {c.layers} layers")
        return words
    step = max(check_whole(c.get("index_topk_freq", 1), f"{c.model_type}: index_topk_freq"), 1)
    offset = check_whole(c.get("index_skip_topk_offset", 2), f"{c.model_type}: index_skip_topk_offset")
    return ["shared" if max(layer - offset + 1, 0) % step else "full" for layer in range(c.layers)]


register(
    decoder(
        "deepseek_v32",
        "DeepseekV32",
        "DeepSeek",
        at("self_attn", LATENT, INDEXER),
        MLP,
        *PRE_NORMS,
        final=FinalNormAndMtp((at("self_attn", PickedLatent(), INDEXER), SPARSE_MLP, *PRE_NORMS)),
        heads=causal_heads("DeepseekV32", sequence=None, tokens=None),
        dims=DSA_DIMS,
        supported=refuse_full_queries,
        example="deepseek-ai/DeepSeek-V3.2",
        about="DeepSeek-V3 whose queries look at 2,048 tokens, picked by small heads that score all of them.",
    ),
    decoder(
        "glm_moe_dsa",
        "GlmMoeDsa",
        "GLM",
        at("self_attn", LATENT, by_kind(indexer_kinds, full=INDEXER, shared=())),
        MLP,
        *PRE_NORMS,
        final=FinalNormAndMtp((at("self_attn", PickedLatent(), INDEXER), SPARSE_MLP, *PRE_NORMS)),
        heads=causal_heads("GlmMoeDsa", sequence=None, tokens=None),
        dims=DSA_DIMS,
        supported=refuse_full_queries,
        example="zai-org/GLM-5",
        about="DeepSeek-V3.2's layers with wider latents and heads; some layers take over what another picked.",
    ),
)
