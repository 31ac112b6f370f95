"""How SeamlessM4T hears and speaks: its conformers and its vocoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.config import Config, UnsupportedError, check_whole, divide
from zoo.arch.families.speech_parts import batch_norm, convolve, read_list
from zoo.arch.layers import at, resized, stack, when
from zoo.arch.norms import layer_norm
from zoo.arch.rows import Block, Place, Row


def silent(rows: Iterable[Row]) -> Iterable[Row]:
    """Rows that serve sound alone: text passes none of them, none of their states is a cache of its own."""
    for row in rows:
        yield row._replace(stack="audio")


def project_frames(c: Config, p: Place) -> Iterable[Row]:
    frames, below = c.whole("feature_projection_input_dim", least=1), p.at("feature_projection")
    yield from below.vector("layer_norm", frames, "norm", True)
    yield from below.linear("projection", frames, c.hidden, "audio", True)


@dataclass(frozen=True)
class FeedForward:
    name: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        width, below = c.whole("speech_encoder_intermediate_size"), p.at(self.name)
        yield from below.linear("intermediate_dense", c.hidden, width, "audio", True)
        yield from below.linear("output_dense", width, c.hidden, "audio", True)


def head_width(c: Config) -> int:
    return divide(c, c.hidden, count_heads(c), "speech_encoder_attention_heads")


def count_heads(c: Config) -> int:
    return c.whole("speech_encoder_attention_heads", least=1)


def position_kind(c: Config) -> str:
    """How distances between frames count; raises UnsupportedError where it is no word."""
    if not isinstance(kind := c["position_embeddings_type"], str):
        raise UnsupportedError(f"{c.model_type}: {c.path}position_embeddings_type is {kind!r:.40}, not a name")
    return kind


def attend(c: Config, p: Place) -> Iterable[Row]:
    """Attention to all frames; queries, keys and values as wide as the frames whatever the heads."""
    for name in ("linear_q", "linear_k", "linear_v", "linear_out"):
        yield from p.linear(name, c.hidden, c.hidden, "attention", True)
    width = count_heads(c) * head_width(c)
    yield p.state("full", flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def relate_frames(c: Config, p: Place) -> Iterable[Row]:
    """A matrix for distances and two vectors for each head (arXiv:1901.02860, section 3.3), where wanted."""
    if position_kind(c) == "relative":
        yield from p.linear("linear_pos", c.hidden, c.hidden, "attention")
        for name in ("pos_bias_u", "pos_bias_v"):
            yield p.tensor(name, (count_heads(c), head_width(c)), "attention", "vector")


def embed_distances(c: Config, p: Place) -> Iterable[Row]:
    """A learned vector for each distance, further to the left than to the right, where wanted."""
    if position_kind(c) == "relative_key":
        distances = c.whole("left_max_position_embeddings") + c.whole("right_max_position_embeddings") + 1
        yield p.table("distance_embedding", distances, head_width(c), "position")


def rotate_frames(c: Config, p: Place) -> Iterable[Row]:
    """The frequencies of rotary positions: stored, no parameters."""
    if position_kind(c) == "rotary":
        frequencies = ((head_width(c) + 1) // 2,)
        yield p.tensor("embed_positions.inv_freq", frequencies, "position", "vector", role="buffer")


@dataclass(frozen=True)
class Convolution:
    """A gated depthwise convolution between two matrices; what is norm behind it differs."""

    norm: Block

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        width, kernel = c.hidden, c.whole("conv_depthwise_kernel_size", least=1)
        yield from p.vector("layer_norm", width, "norm", True)
        yield from convolve(p, "pointwise_conv1", (2 * width, width, 1), "audio", bias=False)
        yield from convolve(p, "depthwise_conv", (width, 1, kernel), "audio", bias=False, op="conv")
        yield from self.norm(c, p)
        yield from convolve(p, "pointwise_conv2", (width, width, 1), "audio", bias=False)


def norm_batches(c: Config, p: Place) -> Iterable[Row]:
    yield from batch_norm(p, "batch_norm", c.hidden)


def join_frames(c: Config, p: Place) -> Iterable[Row]:
    """Two gated convolutions that make one of several frames: of what attends, and of what stays as it is."""
    shape = (2 * c.hidden, c.hidden, c.whole("adaptor_kernel_size", least=1))
    yield from convolve(p, "residual_conv", shape, "audio")
    yield from convolve(p, "self_attn_conv", shape, "audio")


ADAPTER = stack(
    "adapter.layers",
    layer_norm("residual_layer_norm"),
    join_frames,
    layer_norm("self_attn_layer_norm"),
    at("self_attn", attend),
    layer_norm("ffn_layer_norm"),
    FeedForward("ffn"),
)


@dataclass(frozen=True)
class Hearing:
    """The encoder of speech: a conformer, and an adapter that shortens what it gives."""

    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p.at("speech_encoder")._replace(part="audio")
        for block in self.blocks:
            yield from silent(block(c, place))


def hearing(norm: Block, *positions: Block) -> Hearing:
    layers = stack(
        "encoder.layers",
        layer_norm("ffn1_layer_norm"),
        FeedForward("ffn1"),
        layer_norm("self_attn_layer_norm"),
        at("self_attn", attend, *positions),
        at("conv_module", Convolution(norm)),
        layer_norm("ffn2_layer_norm"),
        FeedForward("ffn2"),
        layer_norm("final_layer_norm"),
    )
    return Hearing(
        (
            project_frames,
            resized({"layers": "speech_encoder_layers"}, layers),
            layer_norm("encoder.layer_norm"),
            FeedForward("intermediate_ffn"),
            when("add_adapter", resized({"layers": "num_adapter_layers"}, ADAPTER)),
            layer_norm("inner_layer_norm"),
        )
    )


FIRST = hearing(norm_batches, relate_frames)
HEARING = Hearing((at("encoder", rotate_frames), *FIRST.blocks))
HEARING_2 = hearing(layer_norm("depthwise_layer_norm"), embed_distances)


def predict_lengths(p: Place, inputs: int, inner: int, kernel: int) -> Iterable[Row]:
    """Two convolutions with norms and one number: how long a unit lasts."""
    for number, width in ((1, inputs), (2, inner)):
        yield from convolve(p, f"conv{number}", (inner, width, kernel), "audio")
        yield from p.vector(f"ln{number}", inner, "norm", True)
    yield from p.linear("proj", inner, 1, "audio", True)


def read_dilations(c: Config) -> Sequence[int]:
    """How many convolutions each residual block has twice."""
    value = c["resblock_dilation_sizes"]
    if not isinstance(value, list | tuple) or not all(isinstance(sizes, list | tuple) for sizes in value):
        raise UnsupportedError(f"{c.model_type}: {c.path}resblock_dilation_sizes is not a list of lists")
    return [len(sizes) for sizes in value]


def make_waves(c: Config, p: Place) -> Iterable[Row]:
    """HiFi-GAN (arXiv:2010.05646): transposed convolutions to half as many channels, residual blocks after each."""
    inputs = sum(c.whole(f"{name}_embed_dim", least=1) for name in ("unit", "lang", "spkr"))
    channels = c.whole("upsample_initial_channel", least=1)
    yield from convolve(p, "conv_pre", (channels, inputs, 7), "audio")
    kernels = [k for k, _ in zip(read_list(c, "upsample_kernel_sizes"), read_list(c, "upsample_rates"), strict=False)]
    blocks = list(zip(read_list(c, "resblock_kernel_sizes"), read_dilations(c), strict=False))
    if not kernels:
        raise UnsupportedError(f"{c.model_type}: {c.path}upsample_rates is empty")
    for step, kernel in enumerate(kernels):
        half = check_whole(
            channels // 2, f"{c.model_type}: {c.path}upsample_initial_channel, halved {step + 1} times", 1
        )
        yield from convolve(p, f"upsampler.{step}", (channels, half, kernel), "audio", outputs=half)
        channels = half
        for number, (width, depth) in enumerate(blocks, step * len(blocks)):
            for name in ("convs1", "convs2") if depth else ():
                prefix = f"{p.prefix}resblocks.{number}.{name}.{{}}"
                place = p._replace(prefix=prefix, layers=range(depth))
                yield place.tensor(".weight", (half, half, width), "audio")
                yield place.tensor(".bias", (half,), "audio", "vector")
    yield from convolve(p, "conv_post", (1, channels, 7), "audio")


def voice_units(c: Config, p: Place) -> Iterable[Row]:
    """The vocoder: from units, a language and a speaker to a waveform."""
    width = c.whole("unit_embed_dim", least=1)
    lengths = p.at("dur_predictor")
    yield from predict_lengths(lengths, width, width, c.whole("variance_predictor_kernel_size", least=1))
    yield p.table("unit_embedding", c.whole("unit_hifi_gan_vocab_size", least=1), width, "audio")
    speakers, languages = c.whole("vocoder_num_spkrs", least=1), c.whole("vocoder_num_langs", least=1)
    yield p.table("speaker_embedding", speakers, c.whole("spkr_embed_dim", least=1), "audio")
    yield p.table("language_embedding", languages, c.whole("lang_embed_dim", least=1), "audio")
    yield from make_waves(c, p.at("hifi_gan"))


def speak(c: Config, p: Place) -> Iterable[Row]:
    yield from silent(voice_units(c, p._replace(part="audio")))


VOCODER: Block = speak
