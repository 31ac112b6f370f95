"""CSM, which speaks: a Llama over words and codes, a small one for the codes of a frame, and Mimi, a codec."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.llama import LLAMA
from zoo.arch.families.mimi import CODEC_DIMS, MIMI
from zoo.arch.layers import At, at, stack
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, Tensor

BACKBONE = (stack("layers", *LLAMA), rms("norm"))
CODES = "backbone_model.embed_tokens.embed_audio_tokens.weight"
DEPTH_CODES = "depth_decoder.model.embed_tokens.weight"


def count_codes(c: Config) -> int:
    """Rows of a table that has those of all codebooks, one after the other."""
    return c.whole("num_codebooks", least=1) * c.whole("vocab_size", least=1)


def embed_codes(c: Config, p: Place) -> Iterable[Row]:
    """The codes of a frame, summed; in the whole model the depth decoder's table again."""
    tied = p.prefix + "embed_tokens.embed_audio_tokens.weight" == CODES and c.flag("tie_codebooks_embeddings")
    shape = (count_codes(c), c.hidden)
    name = "embed_tokens.embed_audio_tokens.weight"
    yield p.tensor(name, shape, "audio", "lookup", tied_to=DEPTH_CODES if tied else None)


def read_words(c: Config, p: Place) -> Iterable[Row]:
    """Both ends of the backbone: words come in, the first code of a frame goes out."""
    yield p.tensor("lm_head.weight", (c.vocab, c.hidden), "head")
    yield p.table("embed_text_tokens", c.whole("text_vocab_size", least=1), c.hidden)


def speak(c: Config, p: Place) -> Iterable[Row]:
    """The codes of a frame after the first, each read off by a matrix of its own."""
    inner = c.section("depth_decoder_config")
    if inner.raw.get("tie_word_embeddings"):
        raise UnsupportedError(
            f"{c.model_type}: depth_decoder_config.tie_word_embeddings is set, which its class refuses"
        )
    place, width = p.at("model")._replace(part="audio", stack="audio"), inner.whole("backbone_hidden_size", least=1)
    if c.flag("tie_codebooks_embeddings") and (count_codes(c), c.hidden) != (count_codes(inner), width):
        raise UnsupportedError(
            f"{c.model_type}: tie_codebooks_embeddings is set, and the two tables are of other sizes"
        )
    yield place.tensor("embed_tokens.weight", (count_codes(inner), width), "audio", "lookup")
    for block in BACKBONE:
        yield from (row for row in block(inner, place) if isinstance(row, Tensor))
    yield from place.linear("inputs_embeds_projector", width, inner.hidden, "audio")
    books = inner.whole("num_codebooks", least=2)
    yield p.tensor("codebooks_head.weight", (books - 1, inner.hidden, inner.vocab), "audio")


def encode(c: Config, p: Place) -> Iterable[Row]:
    codec = c.section("codec_config", CODEC_DIMS)
    if codec.model_type != "mimi":
        raise UnsupportedError(f"{c.model_type}: a codec of type {codec.model_type!r:.40} is not followed")
    place = p._replace(part="audio", stack="audio")
    for block in MIMI:
        yield from block(codec, place)


WHOLE = At(
    "",
    (
        read_words,
        at("backbone_model", embed_codes, *BACKBONE),
        at("depth_decoder", speak),
        at("codec_model", encode),
    ),
)

register(
    Architecture(
        "csm",
        "CSM",
        At("", (embed_codes, *BACKBONE)),
        heads={"CsmBackboneModel": Head(), "CsmForConditionalGeneration": Head(body=WHOLE)},
        natural="CsmForConditionalGeneration",
        dims={"vocab": lambda c: c.whole("vocab_size", least=1)},
        example="sesame/csm-1b",
        about="A backbone finds the first code of each frame of sound, a small decoder the rest, a codec the sound.",
    )
)
