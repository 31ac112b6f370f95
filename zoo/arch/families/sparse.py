"""Mixtures of experts without latents or windows: OLMoE, Phi-3.5-MoE, GLM-4.5, MiniMax-M2, Granite 3 MoE, DBRX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.deepseek import MOE_V3, FinalNormAndMtp, dense_first
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.olmo import WIDE_QK_NORM
from zoo.arch.heads import Embedding, LmHead, causal_heads, decoder
from zoo.arch.layers import at, by_kind, when
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

LOCAL_EXPERTS: dict[str, Dim] = {"experts": "num_local_experts", "experts_per_token": "num_experts_per_tok"}
PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))

#: OLMoE's norms are as wide as the hidden size gives, whatever ``head_dim`` says.
OLMOE_QK_NORM = (
    rms("q_norm"),
    rms("k_norm", lambda c: c.hidden // c.heads * c.kv_heads),
)
GLM_ATTENTION = at(
    "self_attn",
    Attention(bias="attention_bias", o_bias=False, extra=(when("use_qk_norm", *QK_NORM),)),
)


def correct_scores(c: Config, p: Place) -> Iterable[Row]:
    """The stored bias that balances the experts; it is no parameter."""
    yield p.tensor("e_score_correction_bias", (c.experts,), "router", "vector", role="buffer")


register(
    decoder(
        "olmoe",
        "Olmoe",
        "OLMo",
        at("self_attn", Attention(bias="attention_bias", extra=OLMOE_QK_NORM)),
        at("mlp", Moe()),
        *PRE_NORMS,
        heads=causal_heads("Olmoe", sequence=None, tokens=None),
        dims={"experts": "num_experts", "experts_per_token": "num_experts_per_tok"},
        example="allenai/OLMoE-1B-7B-0924",
        about="8 of 64 small experts per token; queries and keys are normed over all heads at once.",
    ),
    decoder(
        "phimoe",
        "Phimoe",
        "Phi",
        at("self_attn", Attention(bias="attention_bias", kinds=window_everywhere)),
        at("mlp", Moe(Router("router"))),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        final=layer_norm("norm"),
        heads=causal_heads("Phimoe", lm=LmHead(bias="lm_head_bias"), tokens=None),
        dims={
            **LOCAL_EXPERTS,
            "experts_per_token": lambda c: 2,
        },  # its sparse mixer picks two, whatever the config says
        norm="layernorm",
        example="microsoft/Phi-3.5-MoE-instruct",
        about="2 of 16 experts per token, LayerNorm, and biases in attention and head.",
    ),
    decoder(
        "glm4_moe",
        "Glm4Moe",
        "GLM",
        GLM_ATTENTION,
        at("mlp", by_kind(dense_first, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        final=FinalNormAndMtp((GLM_ATTENTION, at("mlp", MOE_V3), *PRE_NORMS)),
        heads=causal_heads("Glm4Moe", sequence=None, tokens=None),
        dims={
            "experts": "n_routed_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
            "shared_experts": "n_shared_experts",
            "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
        },
        example="zai-org/GLM-4.5",
        about="DeepSeek-V3's mixture behind grouped-query attention, and a layer that predicts a second token.",
    ),
    decoder(
        "minimax_m2",
        "MiniMaxM2",
        "MiniMax",
        at("self_attn", Attention(extra=WIDE_QK_NORM)),
        at("mlp", Moe(), correct_scores),
        *PRE_NORMS,
        heads=causal_heads("MiniMaxM2", sequence=None, tokens=None),
        dims=LOCAL_EXPERTS,
        example="MiniMaxAI/MiniMax-M2",
        about="8 of 256 experts per token, full attention everywhere, heads together twice as wide as the hidden size.",
    ),
    decoder(
        "granitemoe",
        "GraniteMoe",
        "Granite",
        at("self_attn", Attention(bias="attention_bias")),
        at("block_sparse_moe", Moe(Router("router"))),
        *PRE_NORMS,
        heads=causal_heads("GraniteMoe", sequence=None, tokens=None),
        dims=LOCAL_EXPERTS,
        example="ibm-granite/granite-3.1-3b-a800m-instruct",
        about="Granite's scaled residuals with 8 of 40 small experts per token.",
    ),
)

#: What the nested configs of DBRX declare; they have no types of their own.
DBRX_ATTENTION: Mapping[str, int] = {"kv_n_heads": 1}
DBRX_FFN: Mapping[str, int] = {"ffn_hidden_size": 3584, "moe_num_experts": 4, "moe_top_k": 1}


def nested(section: str, key: str, defaults: Mapping[str, int]) -> Dim:
    """A whole number of a nested config, or what that config declares."""

    def read(c: Config) -> int:
        inner: Any = c[section] or {}
        if not isinstance(inner, Mapping):
            raise UnsupportedError(f"{c.model_type}: {section} is not an object")
        return check_whole(inner.get(key, defaults[key]), f"{c.model_type}: {section}.{key}", 1)

    return read


def refuse_other_names(c: Config) -> str | None:
    """The width of the experts follows d_model alone, whatever hidden_size says."""
    said = c.raw.get("hidden_size")
    return "hidden_size is there, but not d_model" if said is not None and said != c.raw.get("d_model") else None


def dbrx_experts(c: Config, p: Place) -> Iterable[Row]:
    """All experts below one another in three matrices [E x width, hidden]."""
    experts, used = c.experts, c.experts_per_token
    if used > experts:
        raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
    for name in ("w1", "v1", "w2"):
        yield p.tensor(f"experts.mlp.{name}", (experts * c.ffn, c.hidden), "experts", used=used, of=experts)


register(
    decoder(
        "dbrx",
        "Dbrx",
        "DBRX",
        at(
            "norm_attn_norm",
            layer_norm("norm_1", bias=False),
            at("attn", FusedAttention(("Wqkv", "out_proj"))),
            layer_norm("norm_2", bias=False),
        ),
        at("ffn", Router("router.layer"), dbrx_experts),
        embed=Embedding("wte"),
        layers="blocks",
        final=layer_norm("norm_f", bias=False),
        heads={"DbrxModel": Head(), "DbrxForCausalLM": Head("transformer.", (LmHead(),))},
        dims={
            "head_dim": MULTI_HEAD["head_dim"],
            "kv_heads": nested("attn_config", "kv_n_heads", DBRX_ATTENTION),
            "ffn": nested("ffn_config", "ffn_hidden_size", DBRX_FFN),
            "experts": nested("ffn_config", "moe_num_experts", DBRX_FFN),
            "experts_per_token": nested("ffn_config", "moe_top_k", DBRX_FFN),
            "tied": lambda c: False,
            "activation": lambda c: None,
        },
        supported=refuse_other_names,
        norm="layernorm",
        example="databricks/dbrx-instruct",
        about="4 of 16 experts per token, stored below one another in three matrices; q, k and v in one.",
    )
)
