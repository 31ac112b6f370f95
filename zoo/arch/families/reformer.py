"""Reformer: attention within chunks, of the text or of the text sorted by a hash; long texts on little memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isqrt

from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError, check_whole
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, by_kind, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def read_kinds(c: Config) -> Sequence[str]:
    """Each layer attends to its neighbours (``local``) or to what its hash has put beside it (``lsh``)."""
    kinds = c.words("attn_layers")
    return [kinds[0]] * c.layers if len(set(kinds)) == 1 else kinds[: c.layers]


def count_layers(c: Config) -> int:
    """As many layers as ``attn_layers`` names; a file may ask for fewer, or for more where all are of one kind."""
    kinds, given = c.words("attn_layers"), c.maybe("num_hidden_layers", least=1)
    count = len(kinds) if given is None else given
    if not kinds or count > MAX_LAYERS or (count > len(kinds) and len(set(kinds)) > 1):
        raise UnsupportedError(f"{c.model_type}: attn_layers names {len(kinds)} layers where the model has {count}")
    return count


def read_sizes(c: Config, key: str) -> list[int]:
    """A list of sizes, each at least 1."""
    sizes = c[key]
    if not isinstance(sizes, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {key} is not a list of sizes")
    return [check_whole(size, f"{c.model_type}: {key}", 1) for size in sizes]


def axial_positions(c: Config, p: Place) -> Iterable[Row]:
    """A position is a row and a column, each with a table of its own, whose vectors stand one after the other."""
    below = p.at("embeddings.position_embeddings")
    if not c.flag("axial_pos_embds"):
        yield below.table("embedding", c.whole("max_position_embeddings", least=1), c.hidden, "position")
        return
    shape, widths = read_sizes(c, "axial_pos_shape"), read_sizes(c, "axial_pos_embds_dim")
    if len(widths) != len(shape) or sum(widths) != c.hidden:
        raise UnsupportedError(f"{c.model_type}: axial_pos_embds_dim {widths} does not go with shape and hidden size")
    for axis, width in enumerate(widths):
        table = (*(size if i == axis else 1 for i, size in enumerate(shape)), width)
        yield below.tensor(f"weights.{axis}", table, "position", "lookup")


def remember_inputs(c: Config, p: Place) -> Iterable[Row]:
    """A decoder keeps all inputs of each layer, and works keys and values out again where they are read."""
    if c.flag("is_decoder"):
        yield p.state("full", per_token=c.hidden, materialized=c.hidden)


def read_span(c: Config, kind: str) -> tuple[int, int, int]:
    """Length of a chunk, and how many before and after it a chunk attends to."""
    chunk = c.whole(f"{kind}_attn_chunk_length", least=1)
    before, after = c.whole(f"{kind}_num_chunks_before"), c.whole(f"{kind}_num_chunks_after")
    if after and c.flag("is_decoder"):
        raise UnsupportedError(f"{c.model_type}: {kind}_num_chunks_after in a decoder, which the class refuses")
    return chunk, before, after


def local_attention(c: Config, p: Place) -> Iterable[Row]:
    """Each token attends to its chunk and those beside it; in a decoder to the earlier tokens of these."""
    width = c.heads * c.head_dim
    for name in ("query", "key", "value"):
        yield from p.linear(f"self_attention.{name}", c.hidden, width, "attention")
    yield from p.linear("output.dense", width, c.hidden, "attention")
    (chunk, before, after), flops = read_span(c, "local"), 4 * width
    if not c.flag("is_decoder"):
        span = chunk * (1 + before + after)
        yield p.state("sliding", window=span, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)
        return
    again = flops + 4 * c.hidden * width
    yield p.state("chunked", window=chunk, flops_per_pos=flops, decode_flops_per_pos=again)
    if before:
        yield p.state("sliding", window=before * chunk, flops_per_pos=flops, decode_flops_per_pos=again)
    yield from remember_inputs(c, p)


def hashed_attention(c: Config, p: Place) -> Iterable[Row]:
    """Tokens are sorted by a hash of their one query and key, then attend within chunks (arXiv:2001.04451, section 2).

    Done ``num_hashes`` times. What a chunk of sorted tokens may not see is masked only after it is multiplied, so all
    of it counts. A decoder also keeps the hash of each token.
    """
    width, rounds = c.heads * c.head_dim, c.whole("num_hashes", least=1)
    for name in ("query_key", "value"):
        yield from p.linear(f"self_attention.{name}", c.hidden, width, "attention")
    yield from p.linear("output.dense", width, c.hidden, "attention")
    (chunk, before, after), flops = read_span(c, "lsh"), 4 * width * rounds
    again = flops + 4 * c.hidden * width * rounds
    yield p.state(
        "sliding",
        window=chunk * (1 + before + after),
        flops_per_pos=flops,
        decode_flops_per_pos=again,
        flops_per_token=width * rounds * count_rotations(c),
        causal=False,
    )
    if c["num_buckets"] is None:  # then twice as many as chunks, until that is too many for one table
        limit = 2 * max(isqrt(c.whole("max_position_embeddings") // chunk), chunk)
        turned = 2 * width * rounds // chunk
        yield p.state(
            "sliding",
            window=limit * chunk // 2,
            flops_per_pos=turned,
            decode_flops_per_pos=turned,
            causal=False,
        )
    yield from remember_inputs(c, p)
    if c.flag("is_decoder"):
        codes = c.heads * rounds
        yield p.state("full", per_token=codes, materialized=codes, token_bytes=8 * codes)


def count_rotations(c: Config) -> int:
    """Directions that a vector is turned into, both ways of each counted, to find its bucket; 0 where not yet known."""
    buckets = c["num_buckets"]
    if buckets is None:
        return 0
    return sum(read_sizes(c, "num_buckets")) if isinstance(buckets, list | tuple) else c.whole("num_buckets", least=1)


def final_norm(c: Config, p: Place) -> Iterable[Row]:
    """Both halves of the reversible layers, side by side."""
    yield from layer_norm("encoder.layer_norm", lambda c: 2 * c.hidden)(c, p)


def predict(*, decoder: bool) -> Block:
    """Logits from both halves, never tied; each class is for a decoder or for what is none."""

    def logits(c: Config, p: Place) -> Iterable[Row]:
        if c.flag("is_decoder") != decoder:
            raise UnsupportedError(f"{c.model_type}: is_decoder is {not decoder}, which the class refuses")
        below = p.at("lm_head")
        yield from below.linear("decoder", 2 * c.hidden, c.vocab, "head")
        yield below.tensor("bias", (c.vocab,), "head", "vector")

    return logits


def classify(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("classifier.dense", 2 * c.hidden, c.hidden, "head", True)
    yield from p.linear("classifier.out_proj", c.hidden, c.labels, "head", True)


ATTENTION = by_kind(read_kinds, local=local_attention, lsh=hashed_attention)
DIMS: dict[str, Dim] = {
    "layers": count_layers,
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: c.whole("attention_head_size", least=1),
    "ffn": "feed_forward_size",
    "both": lambda c: 2 * c.hidden,
}
BASE = "reformer."

register(
    Architecture(
        "reformer",
        "Reformer",
        At(
            "",
            (
                Embedding("embeddings.word_embeddings"),
                axial_positions,
                stack(
                    "encoder.layers",
                    at(
                        "attention",
                        layer_norm("layer_norm"),
                        by_kind(read_kinds, local=local_attention, lsh=hashed_attention),
                    ),
                    at("feed_forward", layer_norm("layer_norm"), Mlp(("dense.dense", "output.dense"))),
                ),
                final_norm,
            ),
        ),
        heads={
            "ReformerModel": Head(),
            "ReformerModelWithLMHead": Head(BASE, (predict(decoder=True),)),
            "ReformerForMaskedLM": Head(BASE, (predict(decoder=False),)),
            "ReformerForSequenceClassification": Head(BASE, (classify,)),
            "ReformerForQuestionAnswering": Head(BASE, (LabelHead("qa_outputs", bias=True, width="both"),)),
        },
        natural="ReformerForMaskedLM",
        dims=DIMS,
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="google/reformer-crime-and-punishment",
        about="Attention within chunks, in some layers after sorting by a hash; positions are a row and a column.",
    )
)
