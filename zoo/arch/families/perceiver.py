"""Perceiver IO: a fixed number of latents reads the input, thinks, and is asked for the output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple

from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.passes import pass_through, refuse_quantised
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, at
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

#: Width and heads of the queries that ask for words, which the class fixes.
WORD_QUERY, WORD_HEADS = 256, 8


class Widths(NamedTuple):
    """Sizes of one layer: its queries' input, its keys' input, queries and keys, values, output, and the MLP."""

    queries: int
    keys: int
    inner: int
    values: int
    output: int
    mlp: int
    crosses: bool


def cross_widths(
    c: Config, queries: int, keys: int, heads: int, inner: int | None = None, values: int | None = None, mlp: int = 1
) -> Widths:
    """A layer that reads another sequence; queries are as wide as what the config says unless ``inner`` says more."""
    shape = c["cross_attention_shape_for_attention"]
    if shape not in ("q", "kv"):
        raise UnsupportedError(f"{c.model_type}: cross_attention_shape_for_attention {shape!r:.40} is not known")
    inner = inner or (queries if shape == "q" else keys)
    values = values or inner
    if inner % heads or values % heads:
        raise UnsupportedError(f"{c.model_type}: attention of {inner} and {values} channels in {heads} heads")
    return Widths(queries, keys, inner, values, queries, mlp * queries, True)


def self_widths(c: Config) -> Widths:
    """A layer of the latents among themselves."""
    inner = c.maybe("qk_channels", least=1) or c.hidden
    values = c.maybe("v_channels", least=1) or inner
    if inner % c.heads or values % c.heads or c.hidden % c.heads:
        raise UnsupportedError(f"{c.model_type}: channels do not divide into {c.heads} num_self_attention_heads")
    return Widths(c.hidden, c.hidden, inner, values, values, c.ffn, False)


def layer(c: Config, p: Place, sizes: Widths, queries: int = 0, keys: int = 0, runs: int = 1) -> Iterable[Row]:
    """Attention and an MLP, gone through ``runs`` times with so many queries and keys, in a text of full length.

    The latents are few, and as many however long the text: what each costs is shared out among the tokens of the
    longest text, to which the tokenizer fills up every other.
    """
    inner, length = p.at("attention.self"), count_bytes(c)
    asked, read = Fraction(runs * queries, length), Fraction(runs * keys, length)
    if p.stack != "decoder":
        asked, read = Fraction(1), Fraction(1)
    yield from layer_norm("layernorm1", lambda c: sizes.queries)(c, inner)
    if sizes.crosses:
        yield from layer_norm("layernorm2", lambda c: sizes.keys)(c, inner)
    for rows, times in (
        (inner.linear("query", sizes.queries, sizes.inner, "attention", True), asked),
        (inner.linear("key", sizes.keys, sizes.inner, "attention", True), read),
        (inner.linear("value", sizes.keys, sizes.values, "attention", True), read),
        (p.linear("attention.output.dense", sizes.values, sizes.output, "attention", True), asked),
        (p.linear("mlp.dense1", sizes.queries, sizes.mlp, "mlp", True), asked),
        (p.linear("mlp.dense2", sizes.mlp, sizes.queries, "mlp", True), asked),
    ):
        for row in rows:
            yield from pass_through(row, times)
    yield from layer_norm("layernorm", lambda c: sizes.queries)(c, p)
    pairs = 2 * runs * queries * keys * (sizes.inner + sizes.values)
    if p.stack == "decoder":
        yield p.state("full", flops_per_token=pairs // length, causal=False)


def count_bytes(c: Config) -> int:
    """Tokens of the longest text."""
    return c.whole("max_position_embeddings", least=1)


def count_latents(c: Config) -> int:
    return c.whole("num_latents", least=1)


def reader(channels: Callable[[Config], int]) -> Block:
    """Latents, the layer in which they read an input of so many ``channels``, and the layers after it."""

    def read(c: Config, p: Place) -> Iterable[Row]:
        latents, heads = count_latents(c), c.whole("num_cross_attention_heads", least=1)
        if c.hidden % heads:
            raise UnsupportedError(f"{c.model_type}: num_cross_attention_heads {heads} does not divide d_latents")
        yield p.tensor("embeddings.latents", (latents, c.hidden), "embedding", "vector")
        inner, values = c.maybe("qk_channels", least=1), c.maybe("v_channels", least=1)
        mlp = c.whole("cross_attention_widening_factor", least=1)
        widths = cross_widths(c, c.hidden, channels(c), heads, inner, values, mlp)
        yield from layer(c, p.at("encoder.cross_attention"), widths, latents, count_bytes(c))
        if c.layers:
            below = p.at("encoder.self_attends")
            stacked = below._replace(prefix=f"{below.prefix}{{}}.", layers=range(c.layers))
            yield from layer(c, stacked, self_widths(c), latents, latents, c.whole("num_blocks", least=1))

    return read


def read_words(c: Config) -> int:
    return c.whole("d_model", least=1)


TEXT_INPUT = at(
    "input_preprocessor",
    Embedding("embeddings", width="word_width"),
    Embedding("position_embeddings", "positions", "word_width", "position"),
)


def ask_words(c: Config, p: Place) -> Iterable[Row]:
    """A query for each position of the longest text, whatever the text."""
    below, words = p.at("decoder"), read_words(c)
    shape = (count_bytes(c), words)
    yield below.tensor("output_position_encodings.position_embeddings", shape, "position", "lookup")
    widths = cross_widths(c, words, c.hidden, WORD_HEADS, WORD_QUERY, words)
    yield from layer(c, below.at("decoding_cross_attention"), widths, count_bytes(c), count_latents(c))


def score_words(c: Config, p: Place) -> Iterable[Row]:
    """Logits by the table of the words itself, of which there is no second name."""
    yield p.tensor("embedding_decoder.bias", (c.vocab,), "head", "vector")
    yield p.state("full", flops_per_token=2 * read_words(c) * c.vocab, causal=False)


def ask_label(c: Config, p: Place) -> Iterable[Row]:
    """One query, and a classifier of what it gets."""
    below = p.at("decoder.decoder")
    yield below.tensor("output_position_encodings.position_embeddings", (1, c.hidden), "position", "vector")
    widths = cross_widths(c, c.hidden, c.hidden, 1)
    yield from layer(c, below.at("decoding_cross_attention"), widths, 1, count_latents(c))
    for row in below.linear("final_layer", c.hidden, c.labels, "head", True):
        yield from pass_through(row, Fraction(1, count_bytes(c)) if p.stack == "decoder" else 1)


def count_fourier(bands: int, axes: int) -> int:
    """Channels of a position: sine and cosine of each band and axis, and the axes themselves."""
    return axes * (2 * bands + 1)


PIXEL_POSITION = count_fourier(64, 2)


def convolve_pixels(c: Config, p: Place) -> Iterable[Row]:
    """Each pixel made wider, and a position for each, projected."""
    below = p.at("input_preprocessor")
    yield below.tensor("convnet_1x1.weight", (256, 3, 1, 1), "vision")
    yield below.tensor("convnet_1x1.bias", (256,), "vision", "vector")
    positions = c.whole("image_size", least=1) ** 2
    yield below.tensor("position_embeddings.position_embeddings", (positions, 256), "position", "lookup")
    yield from below.linear("positions_projection", 256, 256, "vision", True)


def downsample_pixels(c: Config, p: Place) -> Iterable[Row]:
    """A convolution and a batch norm, which also keeps what it has seen."""
    below = p.at("input_preprocessor.convnet")
    yield below.tensor("conv.weight", (64, 3, 7, 7), "vision")
    yield from below.vector("batchnorm", 64, "norm", True)
    for name in ("running_mean", "running_var"):
        yield below.tensor(f"batchnorm.{name}", (64,), "norm", "vector", role="buffer")
    yield below.tensor("batchnorm.num_batches_tracked", (), "norm", "vector", role="buffer")


def project_patches(c: Config, p: Place) -> Iterable[Row]:
    """Patches of two frames."""
    yield from p.linear("input_preprocessor.conv_after_patches", 54, 64, "vision", True)


def ask_flow(c: Config, p: Place) -> Iterable[Row]:
    """The input itself is the query, for two numbers at each pixel."""
    below, width = p.at("decoder.decoder"), 64 + PIXEL_POSITION
    yield from layer(c, below.at("decoding_cross_attention"), cross_widths(c, width, c.hidden, 1))
    yield from below.linear("final_layer", width, 2, "head", True)


#: Channels of the positions of sound and of moving pictures.
SOUND_POSITION, FILM_POSITION = count_fourier(192, 1), count_fourier(32, 3)


def read_senses(c: Config) -> dict[str, int]:
    """Channels of each kind of input: sound, patches of frames, and a label."""
    patch = c.whole("samples_per_patch", least=1)
    return {"audio": patch + SOUND_POSITION, "image": 3 * 4**2 + FILM_POSITION, "label": int(c.labels)}


def ask_senses(c: Config) -> dict[str, int]:
    """Channels of the queries for each of them."""
    return {
        "audio": SOUND_POSITION,
        "image": FILM_POSITION,
        "label": c.whole("_label_trainable_num_channels", least=1),
    }


def common_width(channels: dict[str, int], least: int) -> int:
    """All are filled up to the widest and ``least`` more."""
    return max(channels.values()) + least


def fill_senses(c: Config, p: Place) -> Iterable[Row]:
    """What fills each kind of input up, and what hides it."""
    below, senses = p.at("input_preprocessor"), read_senses(c)
    width = common_width(senses, 4)
    for name, channels in senses.items():
        yield below.tensor(f"padding.{name}", (1, width - channels), "other", "vector")
        yield below.tensor(f"mask.{name}", (1, width), "other", "vector")


def rebuild_senses(c: Config, p: Place) -> Iterable[Row]:
    """Queries for all kinds at once, and the way back to each."""
    below, senses, output = p.at("decoder"), ask_senses(c), c.whole("output_num_channels", least=1)
    width = common_width(senses, 2)
    label = "modalities.label.decoder.output_position_encodings.position_embeddings"
    yield below.tensor(label, (1, senses["label"]), "position", "vector")
    for name, channels in senses.items():
        yield below.tensor(f"padding.{name}", (1, width - channels), "other", "vector")
    yield from layer(c, below.at("decoder.decoding_cross_attention"), cross_widths(c, width, c.hidden, 1))
    yield from below.linear("decoder.final_layer", width, output, "head", True)
    sizes = {"audio": c.whole("samples_per_patch", least=1), "image": 3, "label": c.labels}
    for name, size in sizes.items():
        yield from p.linear(f"output_postprocessor.modalities.{name}.classifier", output, size, "head", True)


def seeing(channels: Callable[[Config], int], *blocks: Block, part: str | None = "vision") -> Block:
    """All of a model that reads no text."""

    def see(c: Config, p: Place) -> Iterable[Row]:
        place = p._replace(part=part, stack="vision")
        for block in (reader(channels), *blocks):
            yield from block(c, place)

    return see


DIMS: dict[str, Dim] = {
    "hidden": lambda c: c.whole("d_latents", least=1),
    "word_width": read_words,
    "positions": count_bytes,
    "layers": "num_self_attends_per_block",
    "heads": lambda c: c.whole("num_self_attention_heads", least=1),
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: self_widths(c).inner // c.heads,
    "v_head_dim": lambda c: self_widths(c).values // c.heads,
    "ffn": lambda c: c.whole("self_attention_widening_factor", least=1) * c.hidden,
}
BASE = "perceiver."
TEXT = reader(read_words)

register(
    Architecture(
        "perceiver",
        "Perceiver",
        TEXT,
        heads={
            "PerceiverModel": Head(),
            "PerceiverForMaskedLM": Head(BASE, (score_words,), At("", (TEXT_INPUT, TEXT, ask_words))),
            "PerceiverForSequenceClassification": Head(BASE, (), At("", (TEXT_INPUT, TEXT, ask_label))),
            "PerceiverForImageClassificationLearned": Head(BASE, (), seeing(lambda c: 512, convolve_pixels, ask_label)),
            "PerceiverForImageClassificationFourier": Head(BASE, (), seeing(lambda c: 3 + PIXEL_POSITION, ask_label)),
            "PerceiverForImageClassificationConvProcessing": Head(
                BASE, (), seeing(lambda c: 64 + PIXEL_POSITION, downsample_pixels, ask_label)
            ),
            "PerceiverForOpticalFlow": Head(BASE, (), seeing(lambda c: 64 + PIXEL_POSITION, project_patches, ask_flow)),
            "PerceiverForMultimodalAutoencoding": Head(
                BASE, (), seeing(lambda c: common_width(read_senses(c), 4), fill_senses, rebuild_senses, part=None)
            ),
        },
        natural="PerceiverForMaskedLM",
        dims=DIMS,
        norm="layernorm",
        position="learned",
        embedding="input_preprocessor.embeddings.weight",
        supported=refuse_quantised,
        example="deepmind/language-perceiver",
        about="256 latents read up to 2,048 bytes, think in 26 layers, and are asked for each byte.",
    )
)
