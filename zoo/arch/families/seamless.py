"""SeamlessM4T: speech or text in, text out, and from that text units of sound and a voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim
from zoo.arch.families.bart import PROJECTIONS, share_embedding
from zoo.arch.families.seamless_sound import HEARING, HEARING_2, VOCODER, predict_lengths, silent
from zoo.arch.families.speech_parts import convolve
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, Resized, at, resized, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

DIMS: Mapping[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("decoder_attention_heads", least=1),
    "layers": lambda c: c.whole("decoder_layers"),
    "encoder_layers": lambda c: c.whole("encoder_layers"),
    "ffn": "decoder_ffn_dim",
    "encoder_ffn": "encoder_ffn_dim",
}
#: What the vocoder has of the sizes that a language model has: none.
SILENT: Mapping[str, Dim] = {name: lambda c: 0 for name in ("layers", "heads", "kv_heads", "head_dim", "ffn", "vocab")}


def feed_forward(width: str) -> tuple[Block, ...]:
    return at("ffn", Mlp(width=width)), layer_norm("ffn_layer_norm")


def encoder_of(*embed: Block) -> Resized:
    """Layers of the encoder, whose heads are as many as its own key says."""
    attention = Attention(PROJECTIONS, bias=True, cached=False, causal=False)
    layer: tuple[Block, ...] = (
        at("self_attn", attention),
        layer_norm("self_attn_layer_norm"),
        *feed_forward("encoder_ffn"),
    )
    heads: Mapping[str, Dim] = {"heads": lambda c: c.whole("encoder_attention_heads", least=1)}
    layers = stack("layers", *layer, count="encoder_layers", of="encoder")
    return resized(heads, *embed, layers, layer_norm("layer_norm"))


DECODER_LAYERS = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True)),
    layer_norm("self_attn_layer_norm"),
    at("cross_attention", CrossAttention(PROJECTIONS, bias=True)),
    layer_norm("cross_attention_layer_norm"),
    *feed_forward("ffn"),
)
SHARED = Embedding("shared")
READS = at("text_encoder", encoder_of(share_embedding))
WRITES = at("text_decoder", share_embedding, DECODER_LAYERS, layer_norm("layer_norm"))


def convolve_twice(c: Config, p: Place) -> Iterable[Row]:
    for name in ("conv1", "conv2"):
        yield from convolve(p, name, (c.hidden, c.hidden, 7), "mlp")


def embed_characters(c: Config, p: Place) -> Iterable[Row]:
    """Characters, how much positions count, and how many units each character becomes."""
    yield p.table("embed_char", c.whole("char_vocab_size", least=1), c.hidden)
    for name in ("pos_emb_alpha_char", "pos_emb_alpha"):
        yield p.tensor(name, (1,), "position", "vector")
    inputs, inner = (c.whole(f"variance_predictor_{key}_dim", least=1) for key in ("embed", "hidden"))
    yield from predict_lengths(p.at("duration_predictor"), inputs, inner, c.whole("variance_predictor_kernel_size"))


OVER_TEXT = at("encoder", encoder_of())
UNITS = at("decoder", Embedding("embed_tokens"), DECODER_LAYERS, layer_norm("layer_norm"))
UNITS_2 = at(
    "decoder",
    Embedding("embed_tokens"),
    embed_characters,
    stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
        layer_norm("self_attn_layer_norm"),
        convolve_twice,
        layer_norm("conv_layer_norm"),
    ),
    layer_norm("layer_norm"),
)


def read_units(c: Config) -> Config:
    """The config as the model of units sees it: each key that begins with ``t2u_`` in place of the one without."""
    renamed = {key.removeprefix("t2u_"): c.get(key) for key in (*c.spec.defaults, *c.raw) if key.startswith("t2u_")}
    other = {name for key in renamed for name in c.spec.aliases.get(key, ()) if name != key}
    kept = {key: value for key, value in c.raw.items() if key not in other}
    return Config({**kept, **renamed}, c.model_type, DIMS, path=f"{c.path}t2u_", spec=c.spec)


@dataclass(frozen=True)
class Units:
    """From text to units of sound: an encoder over the text decoder's states, and a decoder."""

    decoder: Block

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        units = read_units(c)
        for block in (OVER_TEXT, self.decoder):
            yield from block(units, p)


@dataclass(frozen=True)
class Voice:
    """The model of units with its head, and the vocoder: passed when sound is asked for, not by text."""

    decoder: Block

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        below = p.at("t2u_model")._replace(embedding=f"{p.prefix}t2u_model.model.decoder.embed_tokens.weight")
        yield from silent(Units(self.decoder)(c, below.at("model")._replace(part="audio")))
        yield from silent(UNIT_HEAD(c, below._replace(part="audio")))
        yield from VOCODER(c, p.at("vocoder"))


UNIT_HEAD = LmHead(inner=read_units)


def read_shape(c: Config) -> Config:
    """What shape is said of: the text decoder, unless the class named is of units or a vocoder alone."""
    named = c.raw.get("architectures")
    first = named[0] if isinstance(named, list) and named else named
    if not isinstance(first, str):
        return c
    if first.endswith("TextToUnitForConditionalGeneration"):
        return read_units(c)
    return Config(c.raw, c.model_type, SILENT, spec=c.spec) if first.endswith("CodeHifiGan") else c


def seamless(
    model_type: str, prefix: str, hearing: Block, units: Block, heads: Mapping[str, Head], example: str, about: str
) -> Architecture:
    """Classes for each way in and each way out."""
    voice, head = Voice(units), (LmHead(),)

    def model(*blocks: Block) -> Head:
        return Head("", head, At("", (SHARED, *blocks)))

    return Architecture(
        model_type,
        "SeamlessM4T",
        At("", (SHARED, READS, WRITES)),
        heads={
            f"{prefix}ForTextToText": Head("", head),
            f"{prefix}ForSpeechToText": model(hearing, WRITES),
            f"{prefix}ForTextToSpeech": model(READS, WRITES, voice),
            f"{prefix}ForSpeechToSpeech": model(hearing, WRITES, voice),
            f"{prefix}Model": model(READS, hearing, WRITES, voice),
            **heads,
        },
        natural=f"{prefix}ForTextToText",
        dims=DIMS,
        text=read_shape,
        norm="layernorm",
        position="sinusoidal",
        embedding="shared.weight",
        example=example,
        about=about,
    )


register(
    seamless(
        "seamless_m4t",
        "SeamlessM4T",
        HEARING,
        UNITS,
        {
            # alone and without its head, the model of units takes the keys of the text decoder as they are
            "SeamlessM4TTextToUnitModel": Head("", (), At("", (OVER_TEXT, UNITS)), "decoder.embed_tokens.weight"),
            "SeamlessM4TTextToUnitForConditionalGeneration": Head(
                "model.", (UNIT_HEAD,), Units(UNITS), "decoder.embed_tokens.weight"
            ),
            "SeamlessM4TCodeHifiGan": Head("", (), VOCODER),
        },
        "facebook/hf-seamless-m4t-medium",
        "An encoder of text and a conformer of speech, a decoder of text, and behind it units of sound and a voice.",
    ),
    seamless(
        "seamless_m4t_v2",
        "SeamlessM4Tv2",
        HEARING_2,
        UNITS_2,
        {},
        "facebook/seamless-m4t-v2-large",
        "SeamlessM4T whose units of sound all come at once, character by character.",
    ),
)
