"""ProphetNet: a decoder that predicts several tokens to come, with a stream for each beside that of the text."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim
from zoo.arch.families.passes import pass_through
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row, State

PROJECTIONS = ("query_proj", "key_proj", "value_proj", "out_proj")
WORDS = "word_embeddings"


def own_words(c: Config, p: Place) -> Iterable[Row]:
    """The table of one stack, which is the shared one where the model is tied."""
    yield p.table(WORDS, c.vocab, c.hidden)._replace(tied_to=p.embedding if c.tied else None)


def count_streams(c: Config) -> int:
    """Streams beside the text's own: one for each token that is predicted at once."""
    return c.whole("ngram", least=1)


def stream_attention(c: Config, p: Place) -> Iterable[Row]:
    """Self-attention of all streams to the text's own (arXiv:2001.04063, section 3.2).

    Each stream attends to the text and to itself; the text's alone is cached. Distances come in by a projection of the
    queries' inputs.
    """
    buckets, streams = c.whole("num_buckets", least=1), count_streams(c)
    for name in PROJECTIONS:
        yield from p.linear(name, c.hidden, c.hidden, "attention", True)
    yield from p.linear("relative_pos_embeddings", c.hidden, buckets * c.heads, "attention", True)
    flops = 4 * c.hidden
    yield p.state(
        "full",
        per_token=2 * c.hidden,
        materialized=2 * c.hidden,
        flops_per_pos=(1 + streams) * flops,
        decode_flops_per_pos=(1 + streams) * flops,
        flops_per_token=streams * flops,
    )


def cross_attention(c: Config, p: Place) -> Iterable[Row]:
    """Every stream attends to the source, whose keys and values are worked out once."""
    for row in CrossAttention(PROJECTIONS, bias=True)(c, p):
        if isinstance(row, State):
            flops = (1 + count_streams(c)) * row.flops_per_pos
            row = row._replace(flops_per_pos=flops, decode_flops_per_pos=flops)
        yield row


def in_streams(*blocks: Block) -> Block:
    """Blocks that the text and every stream pass through; the source's keys and values are worked out once."""

    def go_through(c: Config, p: Place) -> Iterable[Row]:
        for block in blocks:
            for row in block(c, p):
                yield from (row,) if row.stack == "cross" else pass_through(row, 1 + count_streams(c))

    return go_through


def stream_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """What each stream begins with in place of a word."""
    yield p.table("ngram_embeddings", count_streams(c), c.hidden)


def later_logits(c: Config, p: Place) -> Iterable[Row]:
    """Logits of the tokens after the next, from the streams that predict them, by the same matrix."""
    yield p.state("full", flops_per_token=2 * (count_streams(c) - 1) * c.hidden * c.vocab)


def refuse_uneven_heads(c: Config) -> str | None:
    heads = c.whole("num_encoder_attention_heads", least=1)
    return f"num_encoder_attention_heads {heads} does not divide hidden_size" if c.hidden % heads else None


def stack_of(words: Block, *blocks: Block) -> tuple[Block, ...]:
    """Words, positions, a norm after both, and layers."""
    return (
        words,
        Embedding("position_embeddings", "positions", part="position"),
        layer_norm("embeddings_layer_norm"),
        *blocks,
    )


ENCODER_LAYERS = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
    layer_norm("self_attn_layer_norm"),
    at("feed_forward", Mlp(("intermediate", "output"), width="encoder_ffn")),
    layer_norm("feed_forward_layer_norm"),
    count="encoder_layers",
    of="encoder",
)
DECODER_LAYERS = stack(
    "layers",
    in_streams(
        at("self_attn", stream_attention),
        layer_norm("self_attn_layer_norm"),
        when("add_cross_attention", at("cross_attn", cross_attention), layer_norm("cross_attn_layer_norm")),
        at("feed_forward", Mlp(("intermediate", "output"))),
        layer_norm("feed_forward_layer_norm"),
    ),
)
ENCODER = stack_of(own_words, ENCODER_LAYERS)
DECODER = stack_of(own_words, stream_embeddings, DECODER_LAYERS)
ALONE = stack_of(Embedding(WORDS), ENCODER_LAYERS)
DECODER_ALONE = stack_of(Embedding(WORDS), stream_embeddings, DECODER_LAYERS)

DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("num_decoder_attention_heads", least=1),
    "layers": "num_decoder_layers",
    "encoder_layers": "num_encoder_layers",
    "ffn": "decoder_ffn_dim",
    "encoder_ffn": "encoder_ffn_dim",
    "positions": "max_position_embeddings",
}

register(
    Architecture(
        "prophetnet",
        "ProphetNet",
        At("", (Embedding(WORDS), at("encoder", *ENCODER), at("decoder", *DECODER))),
        heads={
            "ProphetNetModel": Head(),
            "ProphetNetForConditionalGeneration": Head("prophetnet.", (LmHead(), later_logits)),
            "ProphetNetForCausalLM": Head(
                "prophetnet.", (LmHead(), later_logits), At("", (Embedding(WORDS), at("decoder", *DECODER)))
            ),
            "ProphetNetEncoder": Head(body=At("", ALONE)),
            "ProphetNetDecoder": Head(body=At("", DECODER_ALONE)),
        },
        natural="ProphetNetForConditionalGeneration",
        dims=DIMS,
        norm="layernorm",
        position="learned",
        embedding="word_embeddings.weight",
        supported=refuse_uneven_heads,
        example="microsoft/prophetnet-large-uncased",
        about="BART whose decoder predicts the next two tokens at once, with a stream of its own for each.",
    )
)
