"""UDOP: T5 whose encoder reads words, where they stand on the page, and the patches of its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.t5 import (
    FEED_FORWARD,
    PROJECTIONS,
    T5_DIMS,
    RelativePositions,
    is_gated,
    share_embedding,
    shared_table,
)
from zoo.arch.families.towers import read_pair
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

POSITIONS = RelativePositions()
NORM = rms("layer_norm")
#: Where the first table of distances stands, which others are tied to.
FIRST_TABLE = "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias.weight"
KNOWN_KINDS = ("1d", "horizontal", "vertical")
KNOWN_KEYS = {
    *("type", "num_heads", "relative_attention_num_buckets", "bidirectional", "scaling_factor", "max_distance"),
    *("level", "augmentation", "prefix_bucket", "expand"),
}
#: Buckets of a table that says no number, whatever the model says of its own.
BUCKETS = 32


@dataclass(frozen=True)
class PatchMatrix:
    """Patches into the width of words; the encoder's is the model's own, the decoder's is one that nothing uses."""

    name: str
    tied_to: str | None = None

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place, shape = p.at(self.name)._replace(stack="vision"), (c.hidden, c.channels, *read_pair(c, "patch_size"))
        ties = [None if self.tied_to is None else f"{self.tied_to}.{kind}" for kind in ("weight", "bias")]
        yield place.tensor("proj.weight", shape, "vision", tied_to=ties[0])
        yield place.tensor("proj.bias", shape[:1], "vision", "vector", tied_to=ties[1])


def read_biases(c: Config) -> list[int]:
    """The buckets of each table of ``relative_bias_args``; null is one for each of words, columns and rows."""
    said = c["relative_bias_args"]
    if said is None:
        return [BUCKETS] * len(KNOWN_KINDS)
    if not isinstance(said, list | tuple) or len(said) > 100:
        raise UnsupportedError(f"{c.model_type}: relative_bias_args is not a list of tables")
    return [count_buckets(c, one) for one in said]


def count_buckets(c: Config, one: object) -> int:
    if not isinstance(one, Mapping) or one.get("type") not in KNOWN_KINDS or not KNOWN_KEYS.issuperset(one):
        raise UnsupportedError(f"{c.model_type}: relative_bias_args has a table that is not known: {one!r:.60}")
    if one.get("num_heads", c.heads) != c.heads:
        raise UnsupportedError(f"{c.model_type}: relative_bias_args has another num_heads than the model")
    buckets = one.get("relative_attention_num_buckets", BUCKETS)
    extra = 2 if one.get("prefix_bucket") and not one.get("expand") else 0
    return check_whole(buckets, f"{c.model_type}: relative_bias_args.relative_attention_num_buckets", 1) + extra


@dataclass(frozen=True)
class PageBiases:
    """Tables of distances along the text, across the page and down; the first may be the first layer's."""

    tied: bool

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        for number, buckets in enumerate(read_biases(c)):
            rows = c.whole("relative_attention_num_buckets", least=1) if self.tied and not number else buckets
            table = p.table(f"relative_bias.biases.{number}.relative_attention_bias", rows, c.heads, "position")
            yield table._replace(tied_to=FIRST_TABLE) if self.tied and not number else table


def place_cells(c: Config, p: Place) -> Iterable[Row]:
    """A learned vector for each coordinate of a word's box."""
    for axis in ("x", "y"):
        rows = c.whole("max_2d_position_embeddings", least=1)
        yield p.table(f"cell_2d_embedding.{axis}_position_embeddings", rows, c.hidden, "position")


def encoder_of(*, tied: bool) -> Block:
    attention = Attention(PROJECTIONS, cached=False, causal=False, extra=(POSITIONS,))
    return at(
        "encoder",
        share_embedding,
        PatchMatrix("embed_patches", "patch_embed.proj"),
        stack(
            "block",
            at("layer.0", at("SelfAttention", attention), NORM),
            at("layer.1", *FEED_FORWARD),
            count="encoder_layers",
            of="encoder",
        ),
        rms("final_layer_norm"),
        place_cells,
        PageBiases(tied),
    )


def decoder_of(*, tied: bool) -> Block:
    return at(
        "decoder",
        share_embedding,
        PatchMatrix("embed_patches"),
        stack(
            "block",
            at("layer.0", at("SelfAttention", Attention(PROJECTIONS, extra=(POSITIONS,))), NORM),
            at("layer.1", at("EncDecAttention", CrossAttention(PROJECTIONS)), NORM),
            at("layer.2", *FEED_FORWARD),
        ),
        rms("final_layer_norm"),
        PageBiases(tied),
    )


TOP = (shared_table, PatchMatrix("patch_embed"))


def refuse_unclear(c: Config) -> str | None:
    """Saved files repeat what follows from ``feed_forward_proj``, and the class believes the repetition."""
    said = c.raw.get("is_gated_act")
    if said is not None and said != is_gated(c):
        return f"is_gated_act {said!r:.40} contradicts feed_forward_proj"
    return None if read_biases(c) else "relative_bias_args is empty, which the class cannot tie"


register(
    Architecture(
        "udop",
        "T5",
        At("", (*TOP, encoder_of(tied=True), decoder_of(tied=True))),
        heads={
            "UdopModel": Head(body=At("", (*TOP, encoder_of(tied=False), decoder_of(tied=False)))),
            "UdopForConditionalGeneration": Head("", (LmHead(),)),
            "UdopEncoderModel": Head(body=At("", (*TOP, encoder_of(tied=True)))),
        },
        natural="UdopForConditionalGeneration",
        dims={**T5_DIMS, "channels": "num_channels", "context": lambda c: None},
        position="relative",
        embedding="shared.weight",
        supported=refuse_unclear,
        example="microsoft/udop-large",
        about="T5 for documents: words come with their place on the page, patches of the picture stand beside them.",
    )
)
