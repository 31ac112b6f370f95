"""Convolutional encoders that turn an image into codes of a codebook, and decoders back (VQGAN, arXiv:2012.09841).

What the codecs of Chameleon, Janus and Emu3 share: levels of residual blocks, each at half the resolution of the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError, check_whole
from zoo.arch.rows import Place, Row

#: Channels that are normed together are a 32nd of all, in every codec here.
GROUPS = 32
#: More halvings than any resolution has.
MAX_LEVELS = 64

#: A norm of so many channels below a name, or the attention of one level, which is as wide.
Named = Callable[[Place, str, int], Iterable[Row]]
Attend = Callable[[Config, Place, int], Iterable[Row]]


def convolve(p: Place, name: str, inputs: int, outputs: int, *kernel: int) -> Iterable[Row]:
    """A biased convolution [outputs, inputs, *kernel]; ``inputs`` is 1 where each channel stays by itself."""
    yield p.tensor(f"{name}.weight", (outputs, inputs, *kernel), "vision")
    yield p.tensor(f"{name}.bias", (outputs,), "vision", "vector")


def group_norm(p: Place, name: str, channels: int) -> Iterable[Row]:
    """Norm over groups of channels; raises UnsupportedError where they do not divide into as many groups."""
    if channels % GROUPS:
        raise UnsupportedError(f"base_channels gives {channels} channels, which do not divide into {GROUPS} groups")
    return p.vector(name, channels, "vision", True)


def batch_norm(p: Place, name: str, channels: int) -> Iterable[Row]:
    """Norm by what was seen in training: mean, variance and how many batches, which are buffers."""
    yield from p.vector(name, channels, "vision", True)
    for statistic in ("running_mean", "running_var"):
        yield p.tensor(f"{name}.{statistic}", (channels,), "vision", "vector", role="buffer")
    yield p.tensor(f"{name}.num_batches_tracked", (), "vision", "vector", role="buffer")


def residual(p: Place, inputs: int, outputs: int, norm: Named = group_norm) -> Iterable[Row]:
    """Two convolutions over 3 x 3 pixels, a norm before each; a third over single pixels where the width changes."""
    yield from norm(p, "norm1", inputs)
    yield from convolve(p, "conv1", inputs, outputs, 3, 3)
    yield from norm(p, "norm2", outputs)
    yield from convolve(p, "conv2", outputs, outputs, 3, 3)
    if inputs != outputs:
        yield from convolve(p, "nin_shortcut", inputs, outputs, 1, 1)


def repeat(p: Place, name: str, layers: range) -> Place:
    """The place of the numbered blocks ``layers`` below ``name``."""
    return p._replace(prefix=f"{p.prefix}{name}.{{}}.", layers=layers)


def residuals(p: Place, inputs: int, outputs: int, blocks: int, norm: Named = group_norm) -> Iterable[Row]:
    """The blocks of one level: the first changes the width."""
    first = 0 if inputs == outputs else 1
    if first:
        yield from residual(repeat(p, "block", range(1)), inputs, outputs, norm)
    if blocks > first:
        yield from residual(repeat(p, "block", range(first, blocks)), outputs, outputs, norm)


def pixel_attention(c: Config, p: Place, channels: int) -> Iterable[Row]:
    """One head of attention among all pixels, by convolutions over single ones."""
    yield from group_norm(p, "norm", channels)
    for name in ("q", "k", "v", "proj_out"):
        yield from convolve(p, name, channels, channels, 1, 1)
    yield p.state("full", flops_per_pos=4 * channels, decode_flops_per_pos=4 * channels, causal=False)


def read_channels(c: Config) -> list[int]:
    """The width of each level: ``base_channels`` times its entry in ``channel_multiplier``."""
    what, listed = f"{c.model_type}: {c.path}channel_multiplier", c["channel_multiplier"]
    if not isinstance(listed, list | tuple) or not 0 < len(listed) <= MAX_LEVELS:
        raise UnsupportedError(f"{what} is not a list of 1 to {MAX_LEVELS} factors")
    base = c.whole("base_channels", least=1)
    return [check_whole(base * check_whole(factor, what, 1), what) for factor in listed]


def read_blocks(c: Config) -> int:
    """Residual blocks in each level of an encoder; a decoder has one more."""
    blocks = c.whole("num_res_blocks", least=1)
    if blocks > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {c.path}num_res_blocks is {blocks}, out of range")
    return blocks


def attend_last(c: Config) -> list[bool]:
    """The level of the lowest resolution attends."""
    levels = len(read_channels(c))
    return [level == levels - 1 for level in range(levels)]


def descend(c: Config, p: Place, attends: Sequence[bool], attend: Attend) -> Iterable[Row]:
    """The levels of an encoder, each but the last ended by a convolution of stride 2."""
    channels, blocks = read_channels(c), read_blocks(c)
    inputs = c.whole("base_channels")
    for level, outputs in enumerate(channels):
        place = p.at(f"down.{level}")
        yield from residuals(place, inputs, outputs, blocks)
        if attends[level]:
            yield from attend(c, repeat(place, "attn", range(blocks)), outputs)
        if level < len(channels) - 1:
            yield from convolve(place, "downsample.conv", outputs, outputs, 3, 3)
        inputs = outputs


def middle(c: Config, p: Place, attend: Attend | None) -> Iterable[Row]:
    """Two residual blocks at the lowest resolution, attention between them."""
    width = read_channels(c)[-1]
    yield from residual(p.at("block_1"), width, width)
    if attend:
        yield from attend(c, p.at("attn_1"), width)
    yield from residual(p.at("block_2"), width, width)


def encode(c: Config, p: Place, attends: Sequence[bool], attend: Attend | None = pixel_attention) -> Iterable[Row]:
    """The encoder of Chameleon and Janus: in, down, middle, out; without ``attend`` nothing attends."""
    channels, latent = read_channels(c), c.whole("latent_channels", least=1)
    yield from convolve(p, "conv_in", c.whole("in_channels", least=1), c.whole("base_channels"), 3, 3)
    yield from descend(c, p, attends, attend or pixel_attention)
    yield from middle(c, p.at("mid"), attend)
    yield from group_norm(p, "norm_out", channels[-1])
    yield from convolve(p, "conv_out", channels[-1], 2 * latent if c.flag("double_latent") else latent, 3, 3)


def quantize(c: Config, p: Place) -> Iterable[Row]:
    """The codebook, and convolutions into its width and back."""
    width, latent = c.whole("embed_dim", least=1), c.whole("latent_channels", least=1)
    yield p.table("quantize.embedding", c.whole("num_embeddings", least=1), width, "vision")
    yield from convolve(p, "quant_conv", latent, width, 1, 1)
    yield from convolve(p, "post_quant_conv", width, latent, 1, 1)


def read_widest(c: Config) -> int:
    return read_channels(c)[-1]


#: The sizes that are told of a codec: of its lowest resolution, where one head attends.
CODEC_DIMS: dict[str, Dim] = {
    "hidden": read_widest,
    "layers": lambda c: len(read_channels(c)),
    "heads": lambda c: 1,
    "kv_heads": lambda c: 1,
    "head_dim": read_widest,
    "ffn": read_widest,
    "vocab": lambda c: 0,
    "context": lambda c: None,
    "window": lambda c: None,
    "tied": lambda c: False,
}
