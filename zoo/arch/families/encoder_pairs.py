"""Models put together from encoders: ModernVBERT with eyes, and any two of BERT's kin as encoder and decoder."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.encoders import MODERN_TOP
from zoo.arch.families.llava import read_text, read_vision
from zoo.arch.families.vision import Projector
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, open_section, text_section, vision_section
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Place, Row


def shuffle_patches(c: Config, p: Place) -> Iterable[Row]:
    """A square of patches made one vector, and one matrix."""
    squares = c.whole("pixel_shuffle_factor", least=1) ** 2
    yield from p.linear("modality_projection", read_vision(c).hidden * squares, read_text(c).hidden, "projector")


def prepare_words(c: Config, p: Place) -> Iterable[Row]:
    """ModernBERT's layer before a prediction, for masked words."""
    yield from At("projection_head", MODERN_TOP.blocks)(read_text(c), p)


def prepare_labels(c: Config, p: Place) -> Iterable[Row]:
    """The same before a classifier, whose size the whole says."""
    yield from MODERN_TOP(read_text(c), p)
    yield from p.linear("classifier", read_text(c).hidden, c.labels, "head", True)


#: Types that a pair can be made of here, and the class of the decoder.
DECODERS = {
    "bert": "BertLMHeadModel",
    "roberta": "RobertaForCausalLM",
    "xlm-roberta": "XLMRobertaForCausalLM",
    "camembert": "CamembertForCausalLM",
}


def open_half(c: Config, name: str) -> Config:
    """The config of one half, which must be of a type that can be followed."""
    half = open_section(c, name)
    if half.model_type not in DECODERS:
        raise UnsupportedError(f"{c.model_type}: {name} of type {half.model_type!r:.40} is not followed")
    return half


def read_decoder(c: Config) -> Config:
    return open_half(c, "decoder")


def both_halves(c: Config, p: Place) -> Iterable[Row]:
    """The base model of one, and the other with its head, which must attend to the first."""
    encoder, decoder = open_half(c, "encoder"), read_decoder(c)
    if encoder.flag("is_decoder") or not (decoder.flag("is_decoder") and decoder.flag("add_cross_attention")):
        raise UnsupportedError(f"{c.model_type}: an encoder that is a decoder, or a decoder without cross-attention")
    architecture, place = find_architecture(encoder.model_type), p.at("encoder")._replace(stack="encoder")
    yield from architecture.body(encoder, place)
    for block in architecture.heads[architecture.natural.replace("ForMaskedLM", "Model")].blocks:
        yield from block(encoder, place)
    architecture = find_architecture(decoder.model_type)
    head, place = architecture.heads[DECODERS[decoder.model_type]], p.at("decoder")
    inner = place.at(head.base.rstrip("."))
    yield from architecture.body(decoder, inner)
    for block in head.blocks:
        yield from block(decoder, place._replace(embedding=inner.prefix + architecture.embedding))
    if encoder.hidden != decoder.hidden and decoder.get("cross_attention_hidden_size") is None:
        yield from p.linear("enc_to_dec_proj", encoder.hidden, decoder.hidden, "projector", True)


def refuse_shared_halves(c: Config) -> str | None:
    """Older files let both halves share their weights, which the class no longer does."""
    return "tie_encoder_decoder is not followed" if c.get("tie_encoder_decoder") else None


register(
    Architecture(
        "modernvbert",
        "ModernBERT",
        At(
            "",
            (
                vision_section(name="vision_model"),
                at("connector", Projector((shuffle_patches,))),
                text_section(name="text_model"),
            ),
        ),
        heads={
            "ModernVBertModel": Head(),
            "ModernVBertForMaskedLM": Head(
                "model.", (prepare_words, LmHead(bias="decoder_bias", inner=read_text, tie_of=lambda c: bool(c.tied)))
            ),
            "ModernVBertForSequenceClassification": Head("model.", (prepare_labels,)),
            "ModernVBertForTokenClassification": Head("model.", (prepare_labels,)),
        },
        natural="ModernVBertForMaskedLM",
        norm="layernorm",
        text=read_text,
        embedding="text_model.embeddings.tok_embeddings.weight",
        example="ModernVBERT/modernvbert",
        about="ModernBERT behind a SigLIP tower, to find pages by what they show.",
    ),
    Architecture(
        "encoder-decoder",
        "BERT",
        At("", (both_halves,)),
        heads={"EncoderDecoderModel": Head()},
        natural="EncoderDecoderModel",
        norm="layernorm",
        position="learned",
        text=read_decoder,
        supported=refuse_shared_halves,
        embedding="decoder.bert.embeddings.word_embeddings.weight",
        example="patrickvonplaten/bert2bert_cnn_daily_mail",
        about="Two of BERT's kin, the second with cross-attention to the first.",
    ),
)
