"""ERNIE 4.5, dense and with experts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, check_whole
from zoo.arch.heads import LmHead, causal_heads, decoder
from zoo.arch.layers import at, by_kind, when
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row, Tensor

PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))


def sparse_between(c: Config) -> Sequence[str]:
    """Experts in each ``moe_layer_interval``-th layer from ``moe_layer_start_index`` to the end index, -1 the last."""
    first, step = c.whole("moe_layer_start_index"), c.whole("moe_layer_interval", least=1)
    end = c["moe_layer_end_index"]
    last = c.layers - 1 if end == -1 else check_whole(end, f"{c.model_type}: moe_layer_end_index", 0)
    sparse = [first <= layer <= last and (layer + 1) % step == 0 for layer in range(c.layers)]
    return ["sparse" if is_sparse else "dense" for is_sparse in sparse]


def correction_bias(c: Config, p: Place) -> Iterable[Row]:
    """What balances the load of the experts: added to their scores to choose them. Here a parameter."""
    yield p.tensor("gate.moe_statics.e_score_correction_bias", (1, c.experts), "router", "vector")


def final_norm_and_mtp(c: Config, p: Place) -> Iterable[Row]:
    """The final norm, and what predicts further tokens: dense layers behind a projection of two normalised inputs."""
    yield from rms("norm")(c, p)
    count = c.maybe("num_nextn_predict_layers") or 0
    if count:
        place = p._replace(layers=range(count), role="mtp")
        norms = (rms("mtp_emb_norm.{}"), rms("mtp_hidden_norm.{}"))
        layer = (at("self_attn", ATTENTION), at("mlp", GatedMlp(bias="use_bias")), *PRE_NORMS)
        for block in (at("mtp_block.{}", *layer), *norms):
            yield from (row._replace(role="mtp") for row in block(c, place) if isinstance(row, Tensor))
        yield from place.linear("mtp_linear_proj.{}", 2 * c.hidden, c.hidden, "other", c.flag("use_bias"))


ATTENTION = Attention(bias="use_bias")
SHARED = when(
    lambda c: c.shared_experts > 0,
    at("shared_experts", GatedMlp(width="shared_ffn", part="shared_experts", bias="use_bias")),
)

register(
    decoder(
        "ernie4_5",
        "Ernie4_5",
        "ERNIE",
        at("self_attn", ATTENTION),
        at("mlp", GatedMlp(bias="use_bias")),
        *PRE_NORMS,
        heads=causal_heads("Ernie4_5", sequence=None, tokens=None),
        example="baidu/ERNIE-4.5-0.3B-PT",
        about="Llama's layers with a tied vocabulary; one flag puts biases on every matrix of them.",
    ),
    decoder(
        "ernie4_5_moe",
        "Ernie4_5_Moe",
        "ERNIE",
        at("self_attn", ATTENTION),
        at(
            "mlp",
            by_kind(
                sparse_between, dense=GatedMlp(bias="use_bias"), sparse=Moe(Router(), shared=(correction_bias, SHARED))
            ),
        ),
        *PRE_NORMS,
        final=final_norm_and_mtp,
        heads=causal_heads("Ernie4_5_Moe", lm=LmHead(bias="use_bias"), sequence=None, tokens=None),
        dims={
            "experts": "moe_num_experts",
            "experts_per_token": "moe_k",
            "expert_ffn": "moe_intermediate_size",
            "shared_experts": "moe_num_shared_experts",
            "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
        },
        example="baidu/ERNIE-4.5-21B-A3B-PT",
        about="6 of 64 experts and two shared ones behind a dense first layer; the balancing bias is a parameter.",
    ),
)
