"""T5Gemma: a pair of Gemma 2 models, one of them made an encoder, the other given cross-attention."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.gemma import alternate
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, at, layer_types, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

KINDS = layer_types(alternate)


def sandwich(name: str) -> tuple[Block, ...]:
    """A norm before a block and one after."""
    return rms(f"pre_{name}_layernorm"), rms(f"post_{name}_layernorm")


def read_encoder(c: Config) -> Config:
    return c.section("encoder")


def read_decoder(c: Config) -> Config:
    return c.section("decoder")


def read_main(c: Config) -> Config:
    """The section that says how large the model is: the decoder's, or that of an encoder alone."""
    return read_decoder(c) if c.flag("is_encoder_decoder") else read_encoder(c)


def cross_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to the encoder, whose width the keys and values start from; these are kept once per sequence."""
    bias = c.flag("attention_bias")
    source = p._replace(stack="cross")
    width = read_encoder(c.parent).hidden if c.parent else c.hidden
    yield from p.linear("q_proj", c.hidden, c.heads * c.head_dim, "attention", bias)
    yield from source.linear("k_proj", width, c.kv_heads * c.head_dim, "attention", bias)
    yield from source.linear("v_proj", width, c.kv_heads * c.head_dim, "attention", bias)
    yield from p.linear("o_proj", c.heads * c.head_dim, c.hidden, "attention", bias)
    per_token, flops = 2 * c.kv_heads * c.head_dim, 4 * c.heads * c.head_dim
    yield p.state(
        "cross",
        per_token=per_token,
        materialized=per_token,
        flops_per_pos=flops,
        decode_flops_per_pos=flops,
        causal=False,
    )


ENCODER = (
    Embedding(),
    stack(
        "layers",
        at("self_attn", Attention(bias="attention_bias", kinds=KINDS, cached=False, causal=False)),
        *sandwich("self_attn"),
        at("mlp", GatedMlp()),
        *sandwich("feedforward"),
        of="encoder",
    ),
    rms("norm"),
)
DECODER = (
    Embedding(),
    stack(
        "layers",
        at("self_attn", Attention(bias="attention_bias", kinds=KINDS)),
        *sandwich("self_attn"),
        at("cross_attn", cross_attention),
        *sandwich("cross_attn"),
        at("mlp", GatedMlp()),
        *sandwich("feedforward"),
    ),
    rms("norm"),
)


def lone_encoder(c: Config, p: Place) -> Iterable[Row]:
    """The encoder of a config that says it is one alone."""
    if c.flag("is_encoder_decoder"):
        raise UnsupportedError(f"{c.model_type}: an encoder alone, though is_encoder_decoder is true")
    for block in ENCODER:
        yield from block(read_encoder(c), p.at("encoder"))


def both_stacks(c: Config, p: Place) -> Iterable[Row]:
    """Each stack by its own section of the config."""
    if reason := refuse_lone_encoder(c):
        raise UnsupportedError(f"{c.model_type}: {reason}")
    for name, section, blocks in (("encoder", read_encoder(c), ENCODER), ("decoder", read_decoder(c), DECODER)):
        for block in blocks:
            yield from block(section, p.at(name))


def predict_words(c: Config, p: Place) -> Iterable[Row]:
    """Logits, tied to the decoder's table."""
    text = read_decoder(c)
    tied = p.embedding if c.tied else None
    yield p.tensor("lm_head.out_proj.weight", (text.vocab, text.hidden), "head", tied_to=tied)


def refuse_lone_encoder(c: Config) -> str | None:
    return None if c.flag("is_encoder_decoder") else "is_encoder_decoder is false, an encoder alone"


def score_labels(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("score.out_proj", read_decoder(c).hidden, c.labels, "head", True)


register(
    Architecture(
        "t5gemma",
        "Gemma",
        At("", (both_stacks,)),
        heads={
            "T5GemmaModel": Head(),
            "T5GemmaEncoderModel": Head(body=lone_encoder),
            "T5GemmaForConditionalGeneration": Head("model.", (predict_words,)),
            "T5GemmaForSequenceClassification": Head("model.", (score_labels,)),
            "T5GemmaForTokenClassification": Head("model.", (score_labels,)),
        },
        natural="T5GemmaForConditionalGeneration",
        text=read_main,
        embedding="decoder.embed_tokens.weight",
        example="google/t5gemma-2b-2b-prefixlm",
        about="Two Gemma 2 models, of one size or of two: an encoder that sees everything and a decoder that reads it.",
    ),
)
