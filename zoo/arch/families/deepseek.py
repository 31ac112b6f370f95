"""DeepSeek-V2 and V3: latent attention, shared experts beside the routed ones, dense first layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import LatentAttention
from zoo.arch.config import Config, Dim
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor

DEEPSEEK: dict[str, Dim] = {
    "experts": "n_routed_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ffn": "moe_intermediate_size",
    "shared_experts": "n_shared_experts",
    "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
    "head_dim": lambda c: c.whole("qk_nope_head_dim") + c.whole("qk_rope_head_dim"),
    "v_head_dim": "v_head_dim",
}


def dense_first(c: Config) -> Sequence[str]:
    """The first ``first_k_dense_replace`` layers have one MLP, the others experts; ``moe_layer_freq`` is not read."""
    dense = min(c.whole("first_k_dense_replace"), c.layers)
    return ["dense"] * dense + ["sparse"] * (c.layers - dense)


def deepseek_moe(router: Block, bias: str | bool = False) -> Moe:
    """Routed experts and ``n_shared_experts`` that serve every token, stored as one wide MLP."""
    return Moe(router, shared=(at("shared_experts", GatedMlp(width="shared_ffn", part="shared_experts", bias=bias)),))


MOE_V2 = deepseek_moe(Router(), bias="mlp_bias")
MOE_V3 = deepseek_moe(Router(correction="e_score_correction_bias"))
ATTENTION = at("self_attn", LatentAttention())
PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))
LAYER_V3 = (ATTENTION, at("mlp", by_kind(dense_first, dense=GatedMlp(), sparse=MOE_V3)), *PRE_NORMS)


@dataclass(frozen=True)
class FinalNormAndMtp:
    """The final norm, and after the last layer those that predict further tokens (MTP, arXiv:2412.19437, section 2.2).

    Each is a sparse ``layer`` behind a projection of two normalised inputs. Checkpoints repeat the input embedding and
    the output head in each (``embed_tokens``, ``shared_head.head``); these are the main model's and are left out.
    """

    layer: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from rms("norm")(c, p)
        count = c.maybe("num_nextn_predict_layers") or 0
        if count == 0:
            return
        place = p._replace(prefix=f"{p.prefix}layers.{{}}.", layers=range(c.layers, c.layers + count), role="mtp")
        norms = (rms("enorm"), rms("hnorm"), at("shared_head", rms("norm")))
        blocks: tuple[Block, ...] = (*self.layer, *norms)
        for block in blocks:
            for row in block(c, place):
                if isinstance(row, Tensor):  # what these layers cache is no part of the model's own cache
                    yield row._replace(role="mtp")
        yield from place.linear("eh_proj", 2 * c.hidden, c.hidden, "other")


register(
    decoder(
        "deepseek_v2",
        "DeepseekV2",
        "DeepSeek",
        ATTENTION,
        at("mlp", by_kind(dense_first, dense=GatedMlp(bias="mlp_bias"), sparse=MOE_V2)),
        *PRE_NORMS,
        heads=causal_heads("DeepseekV2", tokens=None),
        dims=DEEPSEEK,
        example="deepseek-ai/DeepSeek-V2",
        about="Keys and values of all heads come from one small latent per token; experts are many and small.",
    ),
    decoder(
        "deepseek_v3",
        "DeepseekV3",
        "DeepSeek",
        *LAYER_V3,
        final=FinalNormAndMtp((ATTENTION, at("mlp", MOE_V3), *PRE_NORMS)),
        dims=DEEPSEEK,
        example="deepseek-ai/DeepSeek-V3",
        about="DeepSeek-V2 with sigmoid routing balanced by a stored bias, and a layer that predicts a second token.",
    ),
)
