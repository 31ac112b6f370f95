"""Phi before transformers had it, and Phi-3-small, by the code in their own repositories; and Falcon's first name."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import FusedAttention
from zoo.arch.config import Config, Dim, UnsupportedError, read_positive, split_heads
from zoo.arch.families.falcon import LINEAR_4H
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.remote_dense import EQUAL_HEADS, LM_HEAD, lm_heads, refuse_unproven, says_tied
from zoo.arch.heads import Embedding, LmHead, decoder
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import FusedGatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, Tensor


def tied_unless_said(c: Config) -> bool:
    """transformers 4 ties the head where neither the file nor the config's class speaks of it."""
    return "tie_word_embeddings" not in c or says_tied(c)


# Phi-1.5 and Phi-2, as their first files have them.

PHI_BODY = At(
    "",
    (
        at("transformer.embd", Embedding("wte")),
        stack(
            "transformer.h",
            layer_norm("ln"),
            at("mixer", FusedAttention(("Wqkv", "out_proj"), bias=True)),
            at("mlp", Mlp()),
        ),
    ),
)


def phi_head(c: Config, p: Place) -> Iterable[Row]:
    yield from layer_norm("lm_head.ln")(c, p)
    yield from LmHead("lm_head.linear", bias=True, tie_of=lambda c: False)(c, p)


# Phi-3-small.


def alternate_sparse(c: Config) -> tuple[list[int], list[int]]:
    """The layers that attend to everything, every ``dense_attention_every_n_layers``-th, and the others."""
    every = c.maybe("dense_attention_every_n_layers") or 0
    dense = [layer for layer in range(c.layers) if every and (layer + 1) % every == 0]
    return dense, [layer for layer in range(c.layers) if layer not in set(dense)]


def sparse_attention(c: Config, p: Place) -> Iterable[Row]:
    """In the sparse layers a query sees the last blocks, and of those before each ``vert_stride``-th.

    All keys and values are kept. Files without ``rope_scaling`` store the frequencies of their rotations.
    """
    yield from (row for row in FusedAttention(("query_key_value", "dense"), bias=True)(c, p) if isinstance(row, Tensor))
    if c.get("rope_scaling") is None:
        yield p.tensor("rotary_emb.inv_freq", (c.head_dim // 2,), "position", "vector", role="buffer")
    dense, sparse = alternate_sparse(c)
    per_token, flops = 2 * c.kv_heads * c.head_dim, 4 * c.heads * c.head_dim
    if dense:
        yield p.state(
            *("full", dense),
            per_token=per_token,
            materialized=per_token,
            flops_per_pos=flops,
            decode_flops_per_pos=flops,
        )
    if sparse:
        local = c.whole("blocksparse_num_local_blocks", least=1) * c.whole("blocksparse_block_size", least=1)
        far = flops // c.whole("blocksparse_vert_stride", least=1)
        yield p.state(
            *("full", sparse), per_token=per_token, materialized=per_token, flops_per_pos=far, decode_flops_per_pos=far
        )
        near = flops - far
        yield p.state("full", sparse, window=local, flops_per_pos=near, decode_flops_per_pos=near)


def refuse_other_small(c: Config) -> str | None:
    return refuse_unproven({"attention_bias": False, "hidden_act": "gegelu"}, ("ff_dim_multiplier",))(c)


# Falcon 7B and 40B, as their first files have them.


def read_one(c: Config) -> int:
    if not c.flag("multi_query"):
        raise UnsupportedError(f"{c.model_type}: multi_query is off, for which no stored total was found")
    return 1


OLD_FALCON: dict[str, Dim] = {
    "layers": "n_layer",
    "heads": read_positive("n_head"),
    "head_dim": split_heads,
    "ffn": lambda c: 4 * c.hidden,
}


def first_falcon(model_type: str, kv_heads: Dim, norms: tuple[str, ...], example: str, verified: str) -> Architecture:
    return decoder(
        model_type,
        "RW",
        "Falcon",
        at("self_attention", FusedAttention(("query_key_value", "dense"))),
        at("mlp", Mlp(LINEAR_4H, bias=False)),
        *(layer_norm(name) for name in norms),
        embed=Embedding("word_embeddings"),
        final=layer_norm("ln_f"),
        layers="h",
        heads=lm_heads("RWForCausalLM", base="transformer.", model="RWModel", lm=LmHead(tie_of=tied_unless_said)),
        dims={**OLD_FALCON, "kv_heads": kv_heads},
        supported=refuse_unproven({"bias": False, "parallel_attn": True, "alibi": False}),
        norm="layernorm",
        example=example,
        about="Falcon under its first name: the same layers and names, other keys.",
        verified=verified,
    )


register(
    Architecture(
        "phi-msft",
        "Phi",
        PHI_BODY,
        {"PhiModel": Head(), "PhiForCausalLM": Head("", (phi_head,))},
        "PhiForCausalLM",
        {
            **EQUAL_HEADS,
            "hidden": "n_embd",
            "layers": "n_layer",
            "heads": read_positive("n_head"),
            "ffn": lambda c: 4 * c.hidden,
            "context": "n_positions",
        },
        norm="layernorm",
        embedding="transformer.embd.wte.weight",
        supported=refuse_unproven({"tie_word_embeddings": False}, ("n_head_kv", "n_inner", "img_processor")),
        example="microsoft/phi-2",
        about="Phi under its first names: q, k and v in one matrix, the final norm in the head.",
        verified="Hub total of phi-2: 2,779,683,840; later files split the matrix of q, k and v in three.",
    ),
    decoder(
        "phi3small",
        "Phi3Small",
        "Phi",
        at("self_attn", sparse_attention),
        at("mlp", FusedGatedMlp(("up_proj", "down_proj"), bias=True)),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        final=layer_norm("final_layernorm"),
        heads=lm_heads(
            "Phi3SmallForCausalLM", base="model.", model="Phi3SmallModel", lm=LmHead(tie_of=tied_unless_said)
        ),
        dims={"head_dim": split_heads, "ffn": "ff_intermediate_size", "tied": tied_unless_said},
        norm="layernorm",
        supported=refuse_other_small,
        example="microsoft/Phi-3-small-8k-instruct",
        about="Every second layer sees the last blocks and a part of those before; all matrices have biases.",
        verified="Hub totals of Phi-3-small-8k and 128k-instruct: 7,392,274,432 with 2,048 frequencies, 7,392,272,384.",
    ),
    decoder(
        "phi4",
        "Phi3",
        "Phi",
        at("self_attn", FusedAttention(kinds=window_everywhere)),
        at("mlp", FusedGatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        heads=lm_heads("Phi3ForCausalLM", base="model.", model="Phi3Model", lm=LM_HEAD),
        dims={"head_dim": split_heads},
        supported=refuse_unproven({"attention_bias": False, "mlp_bias": False, "lm_head_bias": False}),
        example="microsoft/Phi-4-mini-reasoning",
        about="Phi-3 by the name that some files of Phi-4-mini give it.",
        verified="Hub total of Phi-4-mini-reasoning: 3,836,021,760.",
    ),
    first_falcon(
        "RefinedWebModel",
        read_one,
        ("input_layernorm",),
        "tiiuae/falcon-7b",
        "Hub total of aguila-7b: 6,854,619,456.",
    ),
    first_falcon(
        "RefinedWeb",
        lambda c: c.whole("n_head_kv", least=1),
        ("ln_attn", "ln_mlp"),
        "tiiuae/falcon-40b",
        "Hub total of falcon-40b, which stores its tied head as well: 41,835,970,560.",
    ),
)
