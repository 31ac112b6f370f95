"""Mimi, the codec of Moshi, and Moshi's small decoder that turns one state into the codes of one frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, prod

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError, check_whole
from zoo.arch.layers import at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.rows import Place, Row

CODEC_DIMS: dict[str, Dim] = {"window": lambda c: None, "vocab": lambda c: 0}


def convolve(p: Place, name: str, inputs: int, outputs: int, kernel: int, *, turned: bool = False) -> Iterable[Row]:
    """A convolution over time, with a bias; ``turned`` is one that widens time, its weight the other way round."""
    shape = (inputs, outputs, kernel) if turned else (outputs, inputs, kernel)
    yield p.tensor(f"{name}.conv.weight", shape, "audio")
    yield p.tensor(f"{name}.conv.bias", (outputs,), "audio", "vector")


def read_ratios(c: Config) -> Sequence[int]:
    ratios = c["upsampling_ratios"] or [8, 6, 5, 4]
    if not isinstance(ratios, list) or len(ratios) > 16:
        raise UnsupportedError(f"{c.model_type}: {c.path}upsampling_ratios is not a list")
    return [check_whole(ratio, f"{c.model_type}: {c.path}upsampling_ratios", 1) for ratio in ratios]


def read_residuals(c: Config) -> range:
    count = c.whole("num_residual_layers")
    if count > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {c.path}num_residual_layers is {count}, out of range")
    return range(count)


def residual_block(c: Config, p: Place, name: str, width: int) -> Iterable[Row]:
    """Two convolutions through a narrower width, and a third beside them where ``use_conv_shortcut`` is on."""
    inner = width // c.whole("compress", least=1)
    below = p.at(name)
    yield from convolve(below, "block.1", width, inner, c.whole("residual_kernel_size", least=1))
    yield from convolve(below, "block.3", inner, width, 1)
    if c.flag("use_conv_shortcut"):
        yield from convolve(below, "shortcut", width, width, 1)


def listen(c: Config, p: Place) -> Iterable[Row]:
    """SEANet's encoder (arXiv:2009.02095): each step takes ``ratio`` samples for one and doubles the width."""
    below, width, number = p.at("encoder_seanet.layers"), c.whole("num_filters", least=1), 1
    yield from convolve(below, "0", c.whole("audio_channels", least=1), width, c.whole("kernel_size", least=1))
    for ratio in reversed(read_ratios(c)):
        for _ in read_residuals(c):
            yield from residual_block(c, below, str(number), width)
            number += 1
        yield from convolve(below, str(number + 1), width, 2 * width, 2 * ratio)
        number, width = number + 2, 2 * width
    yield from convolve(below, str(number + 1), width, c.hidden, c.whole("last_kernel_size", least=1))


def sound(c: Config, p: Place) -> Iterable[Row]:
    """SEANet's decoder, the encoder backwards."""
    ratios, below, number = read_ratios(c), p.at("decoder_seanet.layers"), 1
    width = c.whole("num_filters", least=1) << len(ratios)
    yield from convolve(below, "0", c.hidden, width, c.whole("kernel_size", least=1))
    for ratio in ratios:
        yield from convolve(below, str(number + 1), width, width // 2, 2 * ratio, turned=True)
        number, width = number + 2, width // 2
        for _ in read_residuals(c):
            yield from residual_block(c, below, str(number), width)
            number += 1
    channels = c.whole("audio_channels", least=1)
    yield from convolve(below, str(number + 1), width, channels, c.whole("last_kernel_size", least=1))


def scale_residuals(c: Config, p: Place) -> Iterable[Row]:
    for name in ("self_attn_layer_scale", "mlp_layer_scale"):
        yield p.tensor(f"{name}.scale", (c.hidden,), "audio", "vector")


LAYERS = stack(
    "layers",
    at("self_attn", Attention(bias="attention_bias", cached=False)),
    at("mlp", Mlp(bias=False)),
    layer_norm("input_layernorm"),
    layer_norm("post_attention_layernorm"),
    scale_residuals,
)


def count_stride(c: Config) -> int:
    """Frames of SEANet in one of the codec's, by ``frame_rate``: two unless the file says; 0 for no convolution."""
    rate, samples = c.whole("sampling_rate", least=1), prod(read_ratios(c))
    frames, said = ceil(rate / samples), c.raw.get("_frame_rate" if "_frame_rate" in c.raw else "frame_rate")
    if said is not None and (isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= rate):
        raise UnsupportedError(f"{c.model_type}: {c.path}frame_rate is {said!r:.40}, not a rate")
    per_second = rate / (2 * samples) if said is None else said
    return 0 if per_second == frames else int(frames / per_second)


def take_fewer_frames(c: Config, p: Place) -> Iterable[Row]:
    if stride := count_stride(c):
        yield p.tensor("downsample.conv.weight", (c.hidden, c.hidden, 2 * stride), "audio")


def make_more_frames(c: Config, p: Place) -> Iterable[Row]:
    if stride := count_stride(c):
        width = c.hidden // c.whole("upsample_groups", least=1)
        yield p.tensor("upsample.conv.weight", (c.hidden, width, 2 * stride), "audio")


def quantize(c: Config, p: Place) -> Iterable[Row]:
    """Codebooks, each of the rest that the one before left; they are averages, and no parameters."""
    width = c.whole("vector_quantization_hidden_dimension", least=1)
    size, semantic = c.whole("codebook_size", least=1), c.whole("num_semantic_quantizers", least=1)
    parts = {"semantic": semantic, "acoustic": c.whole("num_quantizers") - semantic}
    for name, count in parts.items():
        below = p.at(f"{name}_residual_vector_quantizer")
        if width != c.hidden:
            yield below.tensor("input_proj.weight", (width, c.hidden, 1), "audio")
            yield below.tensor("output_proj.weight", (c.hidden, width, 1), "audio")
        dim = c.maybe("codebook_dim", least=1) or c.hidden
        book = below.at("layers.{}.codebook")._replace(layers=range(count), role="buffer")
        for key, shape in (("initialized", (1,)), ("cluster_usage", (size,)), ("embed_sum", (size, dim))):
            yield book.tensor(key, shape, "audio", "vector")


MIMI = (
    at("encoder", listen, at("encoder_transformer", LAYERS), take_fewer_frames),
    at("decoder", make_more_frames, at("decoder_transformer", LAYERS), sound),
    at("quantizer", quantize),
)


def encode(c: Config, p: Place) -> Iterable[Row]:
    codec = c.section("audio_encoder_config", CODEC_DIMS)
    if codec.model_type != "mimi":
        raise UnsupportedError(f"{c.model_type}: a codec of type {codec.model_type!r:.40} is not followed")
    place = p.at("audio_encoder")._replace(part="audio", stack="audio")
    for block in MIMI:
        yield from block(codec, place)


def count_codes(c: Config) -> int:
    """``audio_vocab_size``, or the size of the codebooks of the codec that the file describes."""
    if (said := c.maybe("audio_vocab_size", least=1)) is not None:
        return said
    if c["audio_encoder_config"] is None:
        raise UnsupportedError(f"{c.model_type}: audio_vocab_size and audio_encoder_config are null")
    return c.section("audio_encoder_config").whole("codebook_size", least=1)


def embed_codes(c: Config, p: Place) -> Iterable[Row]:
    """A table for each codebook, of what Moshi and of what its user says."""
    tables, rows = 2 * c.whole("num_codebooks", least=1), count_codes(c) + 1
    place = p._replace(layers=range(tables))
    yield place.tensor("embed_tokens.{}.weight", (rows, c.hidden), "audio", "lookup")


def read_depth(c: Config) -> Config:
    """The depth decoder's section, four of whose keys are the whole's; without one, those must be the usual."""
    inner = c.section("depth_decoder_config")
    over = {"audio_vocab_size": count_codes(c), "input_size": c.hidden, "vocab_size": c.vocab}
    over["num_codebooks"] = c.whole("num_codebooks", least=1)
    if c["depth_decoder_config"] is None:
        other = next((key for key, value in over.items() if inner[key] != value), None)
        if other:
            raise UnsupportedError(f"{c.model_type}: depth_decoder_config is null, and its {other} does not fit")
    return Config({**inner.raw, **over}, inner.model_type, parent=c, path=inner.path)


def speak_codes(c: Config, p: Place) -> Iterable[Row]:
    """The codes of a frame, one after the other: each position has weights of its own in every matrix."""
    d, place = read_depth(c), p.at("depth_decoder")._replace(part="audio", stack="audio")
    books, codes, width = d.whole("num_codebooks", least=2), d.whole("audio_vocab_size", least=1), d.whole("ffn_dim")
    if width % 2:
        raise UnsupportedError(f"{d.model_type}: {d.path}ffn_dim {width} is odd")
    yield place.table("text_embed_tokens", d.vocab + 1, d.hidden)
    tables = place._replace(layers=range(books - 1))
    yield tables.tensor("embed_tokens.{}.weight", (codes + 1, d.hidden), "audio", "lookup")
    yield place.tensor("input_projections.weight", (books, d.hidden, d.whole("input_size", least=1)), "audio")
    query, key = d.heads * d.head_dim, d.kv_heads * d.head_dim
    layer = place._replace(prefix=f"{place.prefix}layers.{{}}.", layers=range(d.layers))
    sizes = {"q": (query, d.hidden), "k": (key, d.hidden), "v": (key, d.hidden), "o": (d.hidden, query)}
    for name, shape in sizes.items():
        yield layer.tensor(f"self_attn.{name}_proj.linear.weight", (books, *shape), "audio")
    yield layer.tensor("mlp.fc1.weight", (books, width, d.hidden), "audio")
    yield layer.tensor("mlp.fc2.weight", (books, d.hidden, width // 2), "audio")
    for block in (rms("input_layernorm"), rms("post_attention_layernorm")):
        yield from block(d, layer)
    yield place.tensor("lm_heads.weight", (books, codes, d.hidden), "audio")
