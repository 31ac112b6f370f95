"""T5Gemma 2: an encoder that sees images too, and a decoder that attends to itself and to it at once."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.gemma import every_sixth_full
from zoo.arch.families.t5gemma import read_decoder, refuse_lone_encoder, sandwich, score_labels
from zoo.arch.families.vision import Projector
from zoo.arch.layers import At, at, layer_types, open_section, stack, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

KINDS = layer_types(every_sixth_full)
TABLE = "encoder.text_model.embed_tokens"


def read_reader(c: Config) -> Config:
    """The text section of the encoder."""
    return c.section("encoder").section("text_config")


def tables(c: Config, p: Place, tied: str | None = None) -> Iterable[Row]:
    """Words, and the one vector that stands for the end of an image."""
    yield p.table("embed_tokens", c.vocab, c.hidden)._replace(tied_to=tied and f"{tied}.weight")
    end = p.tensor("embed_tokens.eoi_embedding", (c.hidden,), "embedding", "vector")
    yield end._replace(tied_to=tied and f"{tied}.eoi_embedding")


def merged_attention(c: Config, p: Place) -> Iterable[Row]:
    """Self-attention whose keys and values are joined by those of the source, from the same matrices, kept once."""
    yield from Attention(bias="attention_bias", kinds=KINDS, extra=QK_NORM)(c, p)
    source = p._replace(stack="cross")
    for name in ("k_proj", "v_proj"):
        for row in source.linear(name, c.hidden, c.kv_heads * c.head_dim, "attention", c.flag("attention_bias")):
            yield row._replace(tied_to=row.name)
    per_token, flops = 2 * c.kv_heads * c.head_dim, 4 * c.heads * c.head_dim
    yield p.state(
        "cross",
        per_token=per_token,
        materialized=per_token,
        flops_per_pos=flops,
        decode_flops_per_pos=flops,
        causal=False,
    )


def pool_patches(c: Config, p: Place) -> Iterable[Row]:
    """Neighbours averaged, and one matrix, stored [vision, text]."""
    text, vision = c.section("text_config").hidden, open_section(c, "vision_config").hidden
    yield p.tensor("mm_input_projection_weight", (vision, text), "projector")
    yield from p.vector("mm_soft_emb_norm", vision, "projector")


REST: tuple[Block, ...] = (*sandwich("self_attn"), at("mlp", GatedMlp()), *sandwich("feedforward"))
READER: tuple[Block, ...] = (
    stack(
        "layers",
        at("self_attn", Attention(bias="attention_bias", kinds=KINDS, cached=False, causal=False, extra=QK_NORM)),
        *REST,
        of="encoder",
    ),
    rms("norm"),
)
WRITER: tuple[Block, ...] = (stack("layers", at("self_attn", merged_attention), *REST), rms("norm"))
EYES: tuple[Block, ...] = (vision_section(), at("multi_modal_projector", Projector((pool_patches,))))


def both_stacks(c: Config, p: Place) -> Iterable[Row]:
    """Text and images in the encoder, text in the decoder, whose tables are the encoder's where the model is tied."""
    reader, writer, encoder = read_reader(c), read_decoder(c), p.at("encoder")
    yield from tables(reader, encoder.at("text_model"))
    for block in READER:
        yield from block(reader, encoder.at("text_model"))
    for block in EYES:
        yield from block(c.section("encoder"), encoder)
    yield from tables(writer, p.at("decoder"), p.prefix + TABLE if c.tied else None)
    for block in WRITER:
        yield from block(writer, p.at("decoder"))


def predict_words(c: Config, p: Place) -> Iterable[Row]:
    """Logits, tied to the encoder's table."""
    text = read_decoder(c)
    tied = p.embedding if c.tied else None
    yield p.tensor("lm_head.out_proj.weight", (text.vocab, text.hidden), "head", tied_to=tied)


def refuse_uneven(c: Config) -> str | None:
    """One matrix makes the keys of both stacks, and one table may serve both."""
    reader, writer = read_reader(c), read_decoder(c)
    if reader.hidden != writer.hidden:
        return "encoder and decoder of different hidden sizes"
    if c.tied and reader.vocab != writer.vocab:
        return "a table tied between vocabularies of different sizes"
    return refuse_lone_encoder(c)


register(
    Architecture(
        "t5gemma2",
        "Gemma",
        At("", (both_stacks,)),
        heads={
            "T5Gemma2Model": Head(),
            "T5Gemma2ForConditionalGeneration": Head("model.", (predict_words,)),
            "T5Gemma2ForSequenceClassification": Head("model.", (score_labels,)),
            "T5Gemma2ForTokenClassification": Head("model.", (score_labels,)),
        },
        natural="T5Gemma2ForConditionalGeneration",
        text=read_decoder,
        embedding=f"{TABLE}.weight",
        example="google/t5gemma-2-270m-270m",
        about="Two Gemma 3 models: the encoder reads text and images; one attention serves decoder and source at once.",
        supported=refuse_uneven,
    ),
)
