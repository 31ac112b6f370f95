"""The text models of models with eyes and ears, which also stand by themselves: Aria, Compass, MiniMax-M3, Moshi."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zoo.arch.attention import Attention, states_of
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.mimi import embed_codes, encode, speak_codes
from zoo.arch.heads import Embedding, LabelHead, LmHead, causal_heads, decoder
from zoo.arch.layers import At, at, by_kind, every, named_kinds
from zoo.arch.mlp import Experts, FusedGatedMlp, GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Head, find_architecture, register
from zoo.arch.rows import Place, Row

SPARSE = "minimax_m3_sparse"
#: The keys of the older section on sparse attention.
OLDER = {
    "index_n_heads": "sparse_num_index_heads",
    "index_head_dim": "sparse_index_dim",
    "index_block_size": "sparse_block_size",
    "index_topk_blocks": "sparse_topk_blocks",
}


def sparse_section(c: Config) -> Mapping[str, object]:
    section = c.get("sparse_attention_config")
    if section is not None and not isinstance(section, Mapping):
        raise UnsupportedError(f"{c.model_type}: sparse_attention_config is not an object")
    return section or {}


def read_index(c: Config, key: str) -> int:
    """A size of the indexer: in the older section, where a file has that, else beside the others."""
    section = sparse_section(c)
    if OLDER[key] in section:
        return check_whole(section[OLDER[key]], f"{c.model_type}: sparse_attention_config.{OLDER[key]}", 1)
    return c.whole(key, least=1)


def read_switches(c: Config, values: object, what: str, on: str, off: str) -> Sequence[str]:
    """A list of 0 or 1 for each layer, in words."""
    if not isinstance(values, list) or len(values) != c.layers or any(value not in (0, 1) for value in values):
        raise UnsupportedError(f"{c.model_type}: {what} is not a list of 0 or 1 for each layer")
    return [on if value else off for value in values]


def m3_kinds(c: Config) -> Sequence[str]:
    section = sparse_section(c)
    if "sparse_attention_freq" not in section:
        return ["full_attention"] * c.layers
    return read_switches(c, section["sparse_attention_freq"], "sparse_attention_freq", SPARSE, "full_attention")


def m3_mlps(c: Config) -> Sequence[str]:
    switches = c.get("moe_layer_freq")
    return (
        ["sparse"] * c.layers if switches is None else read_switches(c, switches, "moe_layer_freq", "sparse", "dense")
    )


def m3_attention(c: Config, p: Place) -> Iterable[Row]:
    """Grouped-query attention with normalised queries and keys; its cache is a matter of the kind of the layer."""
    query, key = c.heads * c.head_dim, c.kv_heads * c.head_dim
    for name, inputs, outputs in (
        ("q_proj", c.hidden, query),
        ("k_proj", c.hidden, key),
        ("v_proj", c.hidden, key),
        ("o_proj", query, c.hidden),
    ):
        yield from p.linear(name, inputs, outputs, "attention")
    for norm in QK_NORM:
        yield from norm(c, p)


def full_cache(c: Config, p: Place) -> Iterable[Row]:
    return states_of(c, p, None)


def block_indexer(c: Config, p: Place) -> Iterable[Row]:
    """Small heads that pick ``index_topk_blocks`` blocks of tokens; one key of their own is kept per token."""
    heads, width = read_index(c, "index_n_heads"), read_index(c, "index_head_dim")
    seen = read_index(c, "index_block_size") * read_index(c, "index_topk_blocks")
    inner = p.at("indexer")
    yield from inner.linear("q_proj", c.hidden, heads * width, "attention")
    yield from inner.linear("k_proj", c.hidden, width, "attention")
    for name in ("q_norm", "k_norm"):
        yield from rms(name, lambda c: width)(c, inner)
    per_token, flops, scan = 2 * c.kv_heads * c.head_dim, 4 * c.heads * c.head_dim, 2 * heads * width
    yield p.state("full", per_token=per_token, materialized=per_token, vectors=2 * c.kv_heads)
    yield p.state("full", window=seen, flops_per_pos=flops, decode_flops_per_pos=flops)
    yield p.state("full", per_token=width, materialized=width, flops_per_pos=scan, decode_flops_per_pos=scan)


def gating_mlp(c: Config, p: Place) -> Iterable[Row]:
    """Gate and up in one matrix, whose two halves together are ``ffn_dim`` wide."""
    width = c.whole("ffn_dim", least=2)
    if width % 2:
        raise UnsupportedError(f"{c.model_type}: ffn_dim {width} is odd")
    yield from p.linear("fc1", c.hidden, width, "mlp")
    yield from p.linear("fc2", width // 2, c.hidden, "mlp")


def refuse_tied(c: Config) -> str | None:
    """The embedding has a row more than the head."""
    return "tied embeddings have a row too many for the head" if c.tied else None


M3_SHARED = at("shared_experts", FusedGatedMlp(width="shared_ffn", part="shared_experts"))
ARIA_SHARED = at("shared_experts", GatedMlp(width="shared_ffn", part="shared_experts", bias="mlp_bias"))
MOSHI_ATTENTION = Attention(
    ("q_proj.linear", "k_proj.linear", "v_proj.linear", "o_proj.linear"), kinds=every("sliding_attention")
)


def speak_words(c: Config, p: Place) -> Iterable[Row]:
    """Moshi's language model with its head, as ``MoshiForCausalLM`` has them."""
    head = causal_heads("Moshi")["MoshiForCausalLM"]
    below = p.at("decoder")
    yield from find_architecture("moshi").body(c, below.at(head.base.removesuffix(".")))
    for block in head.blocks:
        yield from block(c, below)


MOSHI_WHOLE = Head(body=At("", (embed_codes, encode, speak_words, speak_codes)))

register(
    decoder(
        "aria_text",
        "AriaText",
        "Aria",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Moe(Router("router"), Experts(transposed=True), (ARIA_SHARED,))),
        *PRE_NORMS,
        heads=causal_heads("AriaText", sequence=None, tokens=None),
        dims={
            "experts": "moe_num_experts",
            "experts_per_token": "moe_topk",
            "shared_experts": "moe_num_shared_experts",
            "shared_ffn": lambda c: c.shared_experts * c.ffn,
        },
        about="Llama's attention with small experts and shared ones beside them.",
    ),
    decoder(
        "cohere_compass_text",
        "CohereCompassText",
        "Command",
        at("self_attn", Attention(bias="attention_bias", kinds=named_kinds(every("full_attention")))),
        at("mlp", GatedMlp()),
        layer_norm("input_layernorm", bias=False),
        final=layer_norm("norm", bias=False),
        heads={
            "CohereCompassTextModel": Head(),
            "CohereCompassForCausalLM": Head("model.", (LmHead(),)),
            "CohereCompassTextForSequenceClassification": Head("model.", (LabelHead("score"),)),
        },
        norm="layernorm",
        about="Command R7B's parallel blocks, with windows in the layers that layer_types names.",
    ),
    decoder(
        "minimax_m3_vl_text",
        "MiniMaxM3VL",
        "MiniMax",
        at(
            "self_attn",
            m3_attention,
            by_kind(named_kinds(m3_kinds), full_attention=full_cache, minimax_m3_sparse=block_indexer),
        ),
        at(
            "mlp",
            by_kind(
                named_kinds(m3_mlps, "mlp_layer_types"),
                dense=FusedGatedMlp(width="dense_ffn"),
                sparse=Moe(Router(correction="e_score_correction_bias"), shared=(M3_SHARED,)),
            ),
        ),
        *PRE_NORMS,
        heads={"MiniMaxM3VLTextModel": Head(), "MiniMaxM3VLForCausalLM": Head("model.", (LmHead(),))},
        dims={
            "experts": "num_local_experts",
            "experts_per_token": "num_experts_per_tok",
            "shared_experts": lambda c: 1,
            "shared_ffn": "shared_intermediate_size",
            "dense_ffn": "dense_intermediate_size",
        },
        about="Attention to 16 blocks of 128 tokens that an indexer picks, 4 of 128 experts and a shared one.",
    ),
    decoder(
        "moshi",
        "Moshi",
        "Moshi",
        at("self_attn", MOSHI_ATTENTION),
        at("mlp", gating_mlp),
        *PRE_NORMS,
        embed=Embedding(rows="rows"),
        heads={**causal_heads("Moshi", sequence=None, tokens=None), "MoshiForConditionalGeneration": MOSHI_WHOLE},
        dims={
            "rows": lambda c: c.vocab + 1,
            "ffn": lambda c: c.whole("ffn_dim") // 2,
            "window": lambda c: c.whole("sliding_window", least=1),
        },
        supported=refuse_tied,
        example="kmhf/hf-moshiko",
        about="Llama's layers with a window of 3,000 frames; the whole also has a codec and a decoder of its codes.",
    ),
)
