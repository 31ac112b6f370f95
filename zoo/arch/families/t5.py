"""T5 and its kin: an encoder and a decoder with learned relative positions and no biases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.bert import Dense
from zoo.arch.heads import LabelHead, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

PROJECTIONS = ("q", "k", "v", "o")


@dataclass(frozen=True)
class RelativePositions:
    """A logit per head and bucket of distance, held by the first layer for all, or with ``everywhere`` by each."""

    everywhere: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p if self.everywhere else p._replace(layers=[0])
        buckets = c.whole("relative_attention_num_buckets", least=1)
        yield place.table("relative_attention_bias", buckets, c.heads, "position")


def is_gated(c: Config) -> bool:
    """Whether ``feed_forward_proj`` names a gated MLP ("gated-gelu") or a plain one ("relu")."""
    words = str(c["feed_forward_proj"]).split("-")
    if len(words) > 2 or (len(words) == 2 and words[0] != "gated"):
        raise UnsupportedError(f"{c.model_type}: feed_forward_proj {c['feed_forward_proj']!r:.40} is not known")
    return words[0] == "gated"


def share_embedding(c: Config, p: Place) -> Iterable[Row]:
    """Each stack names the shared table as its own."""
    yield p.table("embed_tokens", c.vocab, c.hidden)._replace(tied_to=p.embedding)


FEED_FORWARD = (
    at(
        "DenseReluDense",
        when(is_gated, GatedMlp(("wi_0", "wi_1", "wo")), otherwise=(Mlp(("wi", "wo"), bias=False),)),
    ),
    rms("layer_norm"),
)


def shared_table(c: Config, p: Place) -> Iterable[Row]:
    yield p.table("shared", c.vocab, c.hidden)


def encoder_of(positions: RelativePositions) -> Block:
    """Embedding, layers and final norm of the encoder."""
    attention = Attention(PROJECTIONS, cached=False, causal=False, extra=(positions,))
    return at(
        "encoder",
        share_embedding,
        stack(
            "block",
            at("layer.0", at("SelfAttention", attention), rms("layer_norm")),
            at("layer.1", *FEED_FORWARD),
            count="encoder_layers",
            of="encoder",
        ),
        rms("final_layer_norm"),
    )


def decoder_of(positions: RelativePositions) -> Block:
    """The same with cross-attention between."""
    return at(
        "decoder",
        share_embedding,
        stack(
            "block",
            at("layer.0", at("SelfAttention", Attention(PROJECTIONS, extra=(positions,))), rms("layer_norm")),
            at("layer.1", at("EncDecAttention", CrossAttention(PROJECTIONS)), rms("layer_norm")),
            at("layer.2", *FEED_FORWARD),
        ),
        rms("final_layer_norm"),
    )


def count_decoder_layers(c: Config) -> int:
    """``num_decoder_layers``; null is ``num_layers`` by that name alone: num_hidden_layers is the encoder's."""
    if (said := c.maybe("num_decoder_layers")) is not None:
        return said
    own = c.raw.get("num_layers", c.spec.defaults.get("num_layers"))
    return c.whole("num_layers") if own is None else check_whole(own, f"{c.model_type}: {c.path}num_layers")


T5_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "head_dim": "d_kv",
    "ffn": "d_ff",
    "layers": count_decoder_layers,
    "encoder_layers": "num_layers",
    "activation": lambda c: str(c["feed_forward_proj"]).rpartition("-")[2],
    "tied": lambda c: True,  # whatever tie_word_embeddings says: the classes force it
}


def t5(model_type: str, prefix: str, positions: RelativePositions, **about: str) -> Architecture:
    """T5, or the same under another name."""
    encoder, decoder = encoder_of(positions), decoder_of(positions)
    alone = At("", (shared_table, encoder))
    labels = LabelHead("classifier", bias=True)
    sequence = at("classification_head", Dense("dense"), LabelHead("out_proj", bias=True))
    return Architecture(
        model_type,
        "T5",
        At("", (shared_table, encoder, decoder)),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("", (LmHead(),)),
            f"{prefix}EncoderModel": Head("", body=alone),
            f"{prefix}ForSequenceClassification": Head("transformer.", (sequence,)),
            f"{prefix}ForTokenClassification": Head("transformer.", (labels,), body=alone),
            f"{prefix}ForQuestionAnswering": Head("", (LabelHead("qa_outputs", bias=True),)),
        },
        natural=f"{prefix}ForConditionalGeneration",
        dims=T5_DIMS,
        position="relative",
        embedding="shared.weight",
        example=about["example"],
        about=about["about"],
    )


register(
    t5(
        "t5",
        "T5",
        RelativePositions(),
        example="google-t5/t5-small",
        about="Encoder and decoder share one table; positions are buckets of distance; heads need not fill the width.",
    ),
    t5(
        "mt5",
        "MT5",
        RelativePositions(),
        example="google/mt5-small",
        about="T5 with gated GELU and a vocabulary of 250,112 for a hundred languages.",
    ),
    t5(
        "umt5",
        "UMT5",
        RelativePositions(everywhere=True),
        example="google/umt5-small",
        about="mT5 with a table of relative positions in every layer.",
    ),
)
