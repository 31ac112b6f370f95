"""Latent attention that looks at a few thousand tokens only, picked by an indexer: A.X K2 and Hy4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.config import Config
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3
from zoo.arch.families.deepseek_kin import first_is_dense, refuse_full_queries, sparse_every_nth
from zoo.arch.families.deepseek_v4 import hyper_head
from zoo.arch.families.gpt_oss import attention_sinks
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, every, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row


@dataclass(frozen=True)
class PickedLatent:
    """Multi-head latent attention (see LatentAttention) over the ``index_topk`` tokens that an indexer picks.

    Kept per token: the latent and the rotary key. In prefill and decode a query attends to at most ``index_topk``.
    """

    gated: bool = False  #: queries and gates of the values in one projection, behind two latents

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        bias = c.flag("attention_bias")
        rank, rope, nope = c.whole("kv_lora_rank", least=1), c.whole("qk_rope_head_dim"), c.whole("qk_nope_head_dim")
        q_rank, value = c.whole("q_lora_rank", least=1), c.v_head_dim
        yield from p.linear("q_a_proj", c.hidden, q_rank, "attention", bias)
        yield from rms("q_a_layernorm", lambda c: q_rank)(c, p)
        if self.gated:
            yield from p.linear("q_gate_proj", 2 * q_rank, c.heads * (nope + rope + value), "attention")
        else:
            yield from p.linear("q_b_proj", q_rank, c.heads * (nope + rope), "attention")
        yield from p.linear("kv_a_proj_with_mqa", c.hidden, rank + rope, "attention", bias)
        yield from rms("kv_a_layernorm", lambda c: rank)(c, p)
        yield from p.linear("kv_b_proj", rank, c.heads * (nope + value), "attention")
        yield from p.linear("o_proj", c.heads * value, c.hidden, "attention", bias)
        written = c.heads * (nope + rope + value)
        kept = rank + rope
        yield p.state("full", per_token=kept, materialized=written, latent=True, vectors=1, rotary=rope)
        yield p.state(
            "full",
            window=c.whole("index_topk", least=1),
            flops_per_pos=2 * written,
            decode_flops_per_pos=2 * c.heads * (2 * rank + rope),
        )


def indexer(c: Config, p: Place) -> Iterable[Row]:
    """What picks the tokens: small heads with one key of their own, scored against every token before.

    Engines keep its key in 8 bits with one float32 scale for each 128 (vLLM's sparse attention indexer).
    """
    heads, width = c.whole("index_n_heads", least=1), c.whole("index_head_dim", least=1)
    yield from p.linear("wq_b", c.whole("q_lora_rank", least=1), heads * width, "attention")
    yield from p.linear("wk", c.hidden, width, "attention")
    yield from layer_norm("k_norm", lambda c: width)(c, p)
    yield from p.linear("weights_proj", c.hidden, heads, "attention")
    flops = 2 * heads * (width + 1)  # the scores of all heads are added up, each with a weight
    yield p.state(
        "full",
        per_token=width,
        materialized=width,
        token_bytes=width + -(-width // 128) * 4,
        flops_per_pos=flops,
        decode_flops_per_pos=flops,
    )


def gated_norm(name: str) -> Block:
    """A norm whose output is scaled by a small network."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        rank = c.whole("gated_norm_rank", least=1)
        below = p.at(name)
        yield from rms("norm")(c, below)
        yield from below.linear("mlp.fc1", c.hidden, rank, "norm")
        yield from below.linear("mlp.fc2", rank, c.hidden, "norm")

    return rows


def value_gate(c: Config, p: Place) -> Iterable[Row]:
    return p.linear("gate_proj", c.hidden, c.heads * c.v_head_dim, "attention")


def one_in_four(c: Config) -> Sequence[str]:
    """Layers 0, 1, 5, 9 and so on have an indexer; those between take over what it picked."""
    return ["full" if layer == 0 or layer % 4 == 1 else "shared" for layer in range(c.layers)]


def hyper_connection(c: Config, p: Place) -> Iterable[Row]:
    """Weights that mix ``hc_mult`` residual streams before and after a block."""
    streams = c.whole("hc_mult", least=1)
    yield p.tensor("fn", (2 * streams, streams * c.hidden), "other")
    yield p.tensor("base", (2 * streams,), "other", "vector")
    yield p.tensor("scale", (2,), "other", "vector")


def final(c: Config, p: Place) -> Iterable[Row]:
    yield from rms("norm")(c, p)
    yield from hyper_head(c, p.at("hc_head"))


AXK2_MLPS = named_kinds(sparse_every_nth, "mlp_layer_types")
HY4_MLPS = named_kinds(first_is_dense, "mlp_layer_types")
INDEXED = named_kinds(every("indexed_attention"))

register(
    decoder(
        "axk2",
        "AXK2",
        "A.X",
        at("self_attn", by_kind(INDEXED, indexed_attention=(PickedLatent(gated=True), at("indexer", indexer)))),
        at("mlp", by_kind(AXK2_MLPS, dense=GatedMlp(), sparse=MOE_V3)),
        gated_norm("input_layernorm"),
        by_kind(AXK2_MLPS, dense=rms("post_attention_layernorm"), sparse=gated_norm("post_attention_layernorm")),
        dims=DEEPSEEK,
        supported=refuse_full_queries,
        example="skt/A.X-K2",
        about="Latent attention to 2,048 picked tokens, with gates on what it found and on the norms.",
    ),
    decoder(
        "hy_v4",
        "HYV4",
        "HunYuan",
        at(
            "self_attn",
            by_kind(INDEXED, indexed_attention=(PickedLatent(), value_gate, attention_sinks)),
            by_kind(named_kinds(one_in_four, "indexer_types"), full=at("indexer", indexer), shared=()),
        ),
        at("mlp", by_kind(HY4_MLPS, dense=GatedMlp(), sparse=MOE_V3)),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        at("attn_hc", hyper_connection),
        at("ffn_hc", hyper_connection),
        final=final,
        heads=causal_heads("HYV4", sequence=None, tokens=None),
        dims=DEEPSEEK,
        supported=refuse_full_queries,
        example="tencent/Hy4-preview",
        about="One indexer for four layers, sinks, gates and four residual streams around latent attention.",
    ),
)
