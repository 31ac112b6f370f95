"""Mixtures of experts whose code is in their own repositories: DeepSeekMoE and Ling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import Config, Dim, UnsupportedError, split_heads
from zoo.arch.families.deepseek import dense_first
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads, refuse_unproven
from zoo.arch.heads import Embedding, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import GatedMlp, Moe
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row, Tensor


@dataclass(frozen=True)
class SeparateExperts:
    """Routed experts stored one by one: a gated MLP of ``expert_ffn`` for each."""

    names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        experts, used = c.experts, c.experts_per_token
        if not 0 < used <= experts:
            raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
        for row in GatedMlp(self.names, width="expert_ffn", part="experts")(c, p.at("experts.{}")):
            assert isinstance(row, Tensor)  # a gated MLP keeps no state
            yield row._replace(copies=experts, used=used, of=experts)


MOE = at(
    "mlp",
    by_kind(
        dense_first,
        dense=GatedMlp(),
        sparse=Moe(
            experts=SeparateExperts(),
            shared=(at("shared_experts", GatedMlp(width="shared_ffn", part="shared_experts")),),
        ),
    ),
)


def moe_dims(experts: str, shared: str) -> dict[str, Dim]:
    return {
        "experts": experts,
        "experts_per_token": "num_experts_per_tok",
        "shared_experts": shared,
        "expert_ffn": "moe_intermediate_size",
        "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
    }


register(
    decoder(
        "deepseek",
        "Deepseek",
        "DeepSeek",
        at("self_attn", Attention()),
        MOE,
        *PRE_NORMS,
        heads=lm_heads("DeepseekForCausalLM", base="model.", model="DeepseekModel", lm=LM_HEAD),
        dims={**moe_dims("n_routed_experts", "n_shared_experts"), "head_dim": split_heads},
        supported=refuse_unproven({"attention_bias": False, "moe_layer_freq": 1}),
        example="deepseek-ai/deepseek-moe-16b-chat",
        about="DeepSeekMoE: ordinary attention, a dense first layer, then 6 of 64 small experts beside 2 shared ones.",
        verified="Hub total of deepseek-moe-16b-chat: 16,375,728,128.",
    ),
    decoder(
        "bailing_moe",
        "BailingMoe",
        "Ling",
        at("attention", FusedAttention(("query_key_value", "dense"))),
        MOE,
        *PRE_NORMS,
        embed=Embedding("word_embeddings"),
        heads=lm_heads("BailingMoeForCausalLM", base="model.", model="BailingMoeModel", lm=LM_HEAD),
        dims=moe_dims("num_experts", "num_shared_experts"),
        supported=refuse_unproven({"use_bias": False, "use_qkv_bias": False}, ("multi_gate", "use_qk_norm")),
        example="inclusionAI/Ling-lite",
        about="DeepSeekMoE's experts with grouped-query attention; the rows of the head are normalised when used.",
        verified="Hub total of Ling-lite: 16,801,974,272.",
    ),
)
