"""Models whose own code is of the layout of a class that transformers has since: MiMo, Hunyuan-A13B, MiniMax-01."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.mixtral import EXPERTS
from zoo.arch.families.mixtures import read_equal, refuse_other_hunyuan, shared
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads, refuse_unproven
from zoo.arch.families.remote_moe import SeparateExperts
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.recurrent import UPDATES
from zoo.arch.registry import Architecture, register
from zoo.arch.rows import Place, Row, Tensor

# MiMo: Qwen2's layers, and one that predicts a further token.

MIMO_LAYER = (at("self_attn", Attention(bias=True, o_bias=False)), at("mlp", GatedMlp()), *PRE_NORMS)


def further_tokens(c: Config, p: Place) -> Iterable[Row]:
    """The final norm, and the layers behind it that take a token further (MTP), each with a norm of its own."""
    yield from rms("norm")(c, p)
    count = c.maybe("num_nextn_predict_layers") or 0
    if count == 0:
        return
    place = p._replace(prefix=f"{p.prefix}mtp_layers.{{}}.", layers=range(count), role="mtp")
    for block in (*MIMO_LAYER, rms("token_layernorm"), rms("hidden_layernorm"), rms("final_layernorm")):
        yield from (row for row in block(c, place) if isinstance(row, Tensor))
    yield from place.linear("input_proj", 2 * c.hidden, c.hidden, "other")


# MiniMax-01 and M1.


def listed_kinds(c: Config) -> Sequence[str]:
    """``attn_type_list``: 1 for full attention, 0 for linear."""
    listed = c["attn_type_list"]
    if not isinstance(listed, list) or len(listed) != c.layers or any(kind not in (0, 1) for kind in listed):
        raise UnsupportedError(f"{c.model_type}: attn_type_list is not a list of 0 or 1 for each of {c.layers} layers")
    return ["full_attention" if kind else "linear_attention" for kind in listed]


def lightning_attention(c: Config, p: Place) -> Iterable[Row]:
    """Linear attention in blocks (arXiv:2501.08313, section 2.2); the decays are worked out, not stored.

    State per sequence: heads x head_dim x head_dim.
    """
    width = c.heads * c.head_dim
    yield from p.linear("qkv_proj", c.hidden, 3 * width, "attention")
    yield from p.linear("output_gate", c.hidden, width, "attention")
    yield from p.linear("out_proj", width, c.hidden, "attention")
    yield from p.vector("norm", width, "norm")
    state = width * c.head_dim
    yield p.state("linear", fixed=state, flops_per_token=2 * UPDATES * state)


def minimax(model_type: str, name: str, example: str) -> Architecture:
    return decoder(
        model_type,
        name,
        "MiniMax",
        at(
            "self_attn",
            by_kind(
                listed_kinds,
                full_attention=Attention(kinds=window_everywhere),
                linear_attention=lightning_attention,
            ),
        ),
        at("block_sparse_moe", Moe(experts=SeparateExperts(("w1", "w3", "w2")))),
        *PRE_NORMS,
        heads=lm_heads(f"{name}ForCausalLM", base="model.", model=f"{name}Model", lm=LM_HEAD),
        dims=EXPERTS,
        supported=refuse_unproven({}, ("shared_intermediate_size", "attention_bias")),
        example=example,
        about="Seven layers of linear attention to one of full, by the list that the file gives.",
        verified="Hub totals of MiniMax-Text-01 and M1-80k, the same: 456,089,655,296.",
    )


register(
    decoder(
        "mimo",
        "MiMo",
        "MiMo",
        *MIMO_LAYER,
        final=further_tokens,
        heads=lm_heads("MiMoForCausalLM", base="model.", model="MiMoModel", lm=LM_HEAD),
        supported=refuse_unproven({"attention_bias": True, "use_sliding_window": False}),
        example="XiaomiMiMo/MiMo-7B-Base",
        about="Qwen2's layers, and a layer that predicts a second token.",
        verified="Hub total of MiMo-7B: 7,833,409,536, of which 210,790,400 in the layer that predicts further.",
    ),
    decoder(
        "hunyuan",
        "HunYuanMoEV1",
        "HunYuan",
        at("self_attn", Attention(extra=(rms("query_layernorm", "head_dim"), rms("key_layernorm", "head_dim")))),
        at("mlp", Moe(Router("gate.wg"), SeparateExperts(), shared=(shared("shared_mlp"),))),
        *PRE_NORMS,
        heads=lm_heads("HunYuanMoEV1ForCausalLM", base="model.", model="HunYuanModel", lm=LM_HEAD),
        dims={
            "experts": "num_experts",
            "experts_per_token": read_equal("moe_topk"),
            "shared_experts": lambda c: 1,
            "shared_ffn": lambda c: c.ffn,
            "head_dim": lambda c: c.whole("attention_head_dim", least=1),
        },
        supported=lambda c: (
            refuse_unproven(
                {
                    "attention_bias": False,
                    "mlp_bias": False,
                    "use_qk_norm": True,
                    "use_mixed_mlp_moe": True,
                    "moe_layer_num_skipped": 0,
                },
                ("use_cla", "use_mla", "vit_type", "vit_path"),
            )(c)
            or refuse_other_hunyuan(c)
        ),
        example="tencent/Hunyuan-A13B-Instruct",
        about="Hunyuan-A13B by the code of its own repository: 8 of 64 experts and one shared.",
        verified="Hub total of Hunyuan-A13B-Instruct: 80,393,183,232.",
    ),
    minimax("minimax_m1", "MiniMaxM1", "MiniMaxAI/MiniMax-M1-80k"),
    minimax("minimax_text_01", "MiniMaxText01", "MiniMaxAI/MiniMax-Text-01"),
)
