"""Funnel Transformer: an encoder whose text grows shorter by half from block to block, and is then drawn out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.bert import LABELS, QUESTIONS, Dense
from zoo.arch.families.passes import pass_through, refuse_quantised
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, Tensor

BASE = "funnel."
#: For each time that a layer is gone through, tokens of the text per query and per key.
Runs = Sequence[tuple[int, int]]


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


def count_passes(c: Config, name: str, runs: Runs) -> Fraction:
    """How often the weight ``name`` is multiplied per token of the text: by each query, or by each key."""
    if name.endswith(("k_head.weight", "v_head.weight")):
        return sum((Fraction(1, keys) for _, keys in runs), Fraction())
    if name.endswith("r_kernel") and not is_factorized(c):  # by each distance, of which there are two for each key
        return sum((Fraction(2, keys) for _, keys in runs), Fraction())
    return sum((Fraction(1, queries) for queries, _ in runs), Fraction())


def layers_of(c: Config, p: Place, first: int, runs: Runs) -> Iterable[Row]:
    """Layers that are gone through once for each of ``runs``: tokens of the text per query, and per key.

    ``first`` is their number among all layers. A query pays for its segments, too.
    """
    layers = p.layers or ()
    for block in LAYER:
        for row in block(c, p):
            yield from pass_through(row, count_passes(c, row.name, runs) if isinstance(row, Tensor) else 1)
    pairs = sum(count_pairs(c) // (queries * keys) for queries, keys in runs)
    segments = sum(4 * c.heads * c.head_dim // queries for queries, _ in runs)
    yield p.state(
        "full",
        [first + layer for layer in range(len(layers))],
        flops_per_pos=pairs,
        decode_flops_per_pos=pairs,
        flops_per_token=segments,
        causal=False,
    )


def shrinking_blocks(c: Config, p: Place) -> Iterable[Row]:
    """Blocks of layers; the first layer of each but the first makes one token of two.

    With ``pool_q_only`` its keys are still those of all tokens.
    """
    sizes, begin = read_sizes(c, "block_sizes"), 0
    for block, (size, repeats) in enumerate(zip(sizes, read_repeats(c, sizes), strict=True)):
        place = p.at(f"encoder.blocks.{block}.{{}}")
        merged = 2**block
        before = merged // 2 if block and c.flag("pool_q_only") else merged
        runs = [(merged, before), *[(merged, merged)] * (repeats - 1)]
        yield from layers_of(c, place._replace(layers=range(1)), begin, runs)
        if size > 1:
            rest = place._replace(layers=range(1, size))
            yield from layers_of(c, rest, begin + 1, [(merged, merged)] * repeats)
        begin += size


def full_layers(c: Config, p: Place) -> Iterable[Row]:
    """Layers over all tokens again, each with what it was before the funnel and after."""
    if c.decoder_layers > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: num_decoder_layers {c.decoder_layers} is out of range")
    if c.decoder_layers:
        place = p.at("decoder.layers.{}")._replace(layers=range(c.decoder_layers))
        yield from layers_of(c, place, c.layers, [(1, 1)])


def refuse_depth(c: Config) -> str | None:
    """At most 20 halvings, which is longer than any text."""
    repeats = read_repeats(c, sizes := read_sizes(c, "block_sizes"))
    if len(sizes) > 20 or sum(sizes) > MAX_LAYERS or sum(repeats) > 1000:
        return "block_sizes or block_repeats are out of range"
    return refuse_quantised(c)


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
