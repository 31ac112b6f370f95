"""Funnel Transformer: an encoder whose text grows shorter by half from block to block, and is then drawn out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.bert import LABELS, QUESTIONS, Dense
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

BASE = "funnel."


def read_sizes(c: Config, key: str) -> list[int]:
    """A list of whole numbers, each at least 1."""
    sizes = c[key]
    if not isinstance(sizes, list | tuple) or not sizes:
        raise UnsupportedError(f"{c.model_type}: {key} is not a list of sizes")
    return [check_whole(size, f"{c.model_type}: {key}", 1) for size in sizes]


def read_repeats(c: Config, blocks: Sequence[int]) -> list[int]:
    """How often the layers of each block are gone through, each with the same weights; null is once."""
    repeats = [1] * len(blocks) if c["block_repeats"] is None else read_sizes(c, "block_repeats")
    if len(repeats) != len(blocks):
        raise UnsupportedError(f"{c.model_type}: block_repeats has {len(repeats)} blocks, block_sizes {len(blocks)}")
    return repeats


def relative_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to tokens, distances and segments at once (arXiv:2006.03236, appendix A.2)."""
    heads, width = (c.heads, c.head_dim), c.heads * c.head_dim
    yield from p.linear("q_head", c.hidden, width, "attention")
    yield from p.linear("k_head", c.hidden, width, "attention", True)
    yield from p.linear("v_head", c.hidden, width, "attention", True)
    for name in ("r_w_bias", "r_r_bias", "r_s_bias"):
        yield p.tensor(name, heads, "attention", "vector")
    yield p.tensor("r_kernel", (c.hidden, *heads), "attention")
    yield p.tensor("seg_embed", (2, *heads), "attention", "vector")
    yield from p.linear("post_proj", width, c.hidden, "attention", True)
    yield from layer_norm("layer_norm")(c, p)


def is_factorized(c: Config) -> bool:
    """Whether distances are taken apart into sines and cosines, or looked at one by one."""
    kind = c["attention_type"]
    if kind not in ("relative_shift", "factorized"):
        raise UnsupportedError(f"{c.model_type}: attention_type {kind!r:.40} is not known")
    return bool(kind == "factorized")


def count_pairs(c: Config) -> int:
    """FLOPs of a query and a key: contents, values, and two distances, or all sines and cosines of each head."""
    width = c.heads * c.head_dim
    return int(4 * width + (4 * c.heads * c.hidden if is_factorized(c) else 4 * width))


def count_layer(c: Config, queries: int, keys: int) -> int:
    """FLOPs per token of the text in a layer with one query for ``queries`` and one key for ``keys`` tokens."""
    square, segments = c.hidden * c.heads * c.head_dim, 4 * c.heads * c.head_dim
    by_query, by_key = 4 * square + 4 * c.hidden * c.ffn + segments, 4 * square
    if is_factorized(c):
        by_query += 2 * square
    else:
        by_key += 4 * square  # two distances for each key
    return int(by_query // queries + by_key // keys)


def attend(c: Config, p: Place, layers: Sequence[int], runs: Sequence[tuple[int, int]]) -> Row:
    """The state of ``layers`` that are gone through once for each of ``runs``: tokens per query, and per key.

    The ledger has each weight multiplied once per token of the text. ``flops_per_token`` sets that right: it is what
    repetition adds, less what is spared as several tokens have become one.
    """
    counted = 10 * c.hidden * c.heads * c.head_dim + 4 * c.hidden * c.ffn
    pairs = sum(count_pairs(c) // (queries * keys) for queries, keys in runs)
    work = sum(count_layer(c, queries, keys) for queries, keys in runs)
    return p.state(
        "full",
        layers,
        flops_per_pos=pairs,
        decode_flops_per_pos=pairs,
        flops_per_token=work - counted,
        causal=False,
    )


def shrinking_blocks(c: Config, p: Place) -> Iterable[Row]:
    """Blocks of layers; the first layer of each but the first makes one token of two.

    With ``pool_q_only`` its keys are still those of all tokens.
    """
    sizes, begin = read_sizes(c, "block_sizes"), 0
    for block, (size, repeats) in enumerate(zip(sizes, read_repeats(c, sizes), strict=True)):
        for part in LAYER:
            yield from part(c, p._replace(prefix=f"{p.prefix}encoder.blocks.{block}.{{}}.", layers=range(size)))
        merged = 2**block
        before = merged // 2 if block and c.flag("pool_q_only") else merged
        yield attend(c, p, range(begin, begin + 1), [(merged, before), *[(merged, merged)] * (repeats - 1)])
        if size > 1:
            yield attend(c, p, range(begin + 1, begin + size), [(merged, merged)] * repeats)
        begin += size


def full_layers(c: Config, p: Place) -> Iterable[Row]:
    """Layers over all tokens again, each with what it was before the funnel and after."""
    yield from stack("decoder.layers", *LAYER, count="decoder_layers")(c, p)
    if c.decoder_layers:
        yield attend(c, p, range(c.layers, c.layers + c.decoder_layers), [(1, 1)])


def refuse_depth(c: Config) -> str | None:
    """At most 20 halvings: longer than any text."""
    read_repeats(c, sizes := read_sizes(c, "block_sizes"))
    return f"block_sizes has {len(sizes)} blocks" if len(sizes) > 20 else None


LAYER = (
    at("attention", relative_attention),
    at("ffn", Mlp(("linear_1", "linear_2")), layer_norm("layer_norm")),
)
SHRINKING = (at("embeddings", Embedding("word_embeddings"), layer_norm("layer_norm")), shrinking_blocks)
SHORT = At("", SHRINKING)
DISCRIMINATOR = at("discriminator_predictions", Dense("dense"), LabelHead("dense_prediction", bias=True, outputs=1))
DIMS: dict[str, Dim] = {
    "hidden": lambda c: c.whole("d_model", least=1),
    "heads": lambda c: c.whole("n_head", least=1),
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: c.whole("d_head", least=1),
    "ffn": "d_inner",
    "layers": lambda c: sum(read_sizes(c, "block_sizes")),
    "decoder_layers": "num_decoder_layers",
}


def classifier(outputs: int | None = None) -> At:
    """Two dense layers over the first token."""
    return at("classifier", Dense("linear_hidden"), LabelHead("linear_out", bias=True, outputs=outputs))


register(
    Architecture(
        "funnel",
        "Funnel",
        At("", (*SHRINKING, full_layers)),
        heads={
            "FunnelModel": Head(),
            "FunnelBaseModel": Head(body=SHORT),
            "FunnelForPreTraining": Head(BASE, (DISCRIMINATOR,)),
            "FunnelForMaskedLM": Head(BASE, (LmHead(bias=True),)),
            "FunnelForSequenceClassification": Head(BASE, (classifier(),), SHORT),
            "FunnelForMultipleChoice": Head(BASE, (classifier(1),), SHORT),
            "FunnelForTokenClassification": Head(BASE, (LABELS,)),
            "FunnelForQuestionAnswering": Head(BASE, (QUESTIONS,)),
        },
        natural="FunnelForMaskedLM",
        dims=DIMS,
        norm="layernorm",
        position="relative",
        embedding="embeddings.word_embeddings.weight",
        supported=refuse_depth,
        example="funnel-transformer/small",
        about="An encoder that halves its text twice on the way, and for predictions draws it out again.",
    )
)
