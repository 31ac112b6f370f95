"""Gemma 3n with eyes and ears: MobileNetV5, a conformer, and tables for the tokens that stand for either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.config import Config, UnsupportedError, check_whole, divide
from zoo.arch.families.gemma4_towers import Audio, read_text, whole_model
from zoo.arch.layers import Section, at, stack, text_section, vision_section
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def read_two(c: Config, key: str, width: int = 1) -> list[list[int]]:
    """A list of two: of numbers, or of lists of ``width`` numbers."""
    value = c[key]
    what = f"{c.model_type}: {c.path}{key}"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UnsupportedError(f"{what} is not a list of two")
    rows = [row if isinstance(row, list | tuple) else [row] for row in value]
    if any(len(row) != width for row in rows):
        raise UnsupportedError(f"{what} does not hold {width} for each convolution")
    return [[check_whole(number, what, 1) for number in row] for row in rows]


def subsample(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over time and frequency, and one matrix from what is left of the frequencies."""
    below, inputs, bands = p.at("subsample_conv_projection"), 1, c.whole("input_feat_size", least=1)
    shapes = zip(
        read_two(c, "sscp_conv_channel_size"),
        read_two(c, "sscp_conv_kernel_size", 2),
        read_two(c, "sscp_conv_stride_size", 2),
        strict=True,
    )
    for layer, ((outputs,), (height, width), (_, stride)) in enumerate(shapes):
        yield below.tensor(f"conv_{layer}.conv.weight", (outputs, inputs, height, width), "audio")
        yield from below.vector(f"conv_{layer}.norm", outputs, "audio")
        inputs, bands = outputs, (bands + 2 - width) // stride + 1
    if bands < 1:
        raise UnsupportedError(f"{c.model_type}: {c.path}input_feat_size leaves no frequency to the convolutions")
    yield from below.linear("input_proj_linear", inputs * bands, c.hidden, "audio")


def conformer_mlp(c: Config, p: Place) -> Iterable[Row]:
    yield from p.vector("pre_layer_norm", c.hidden, "norm")
    yield from p.linear("ffw_layer_1", c.hidden, 4 * c.hidden, "mlp")
    yield from p.linear("ffw_layer_2", 4 * c.hidden, c.hidden, "mlp")
    yield from p.vector("post_layer_norm", c.hidden, "norm")


def conformer_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to the frames nearby, with relative positions; nothing is cached."""
    width, below = c.heads * c.head_dim, p.at("attn")
    yield from p.vector("pre_attn_norm", c.hidden, "norm")
    yield from below.linear("relative_position_embedding.pos_proj", c.hidden, width, "attention")
    yield below.tensor("per_dim_scale", (c.head_dim,), "attention", "vector")
    for name in ("q_proj", "k_proj", "v_proj"):
        yield from below.linear(name, c.hidden, width, "attention")
    yield from p.linear("post", c.hidden, c.hidden, "attention")
    yield from p.vector("post_norm", c.hidden, "norm")
    yield p.state("chunked", window=c.window, flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def light_convolution(c: Config, p: Place) -> Iterable[Row]:
    """A gated depthwise convolution between two matrices."""
    yield from p.vector("pre_layer_norm", c.hidden, "norm")
    yield from p.linear("linear_start", c.hidden, 2 * c.hidden, "other")
    yield p.tensor("depthwise_conv1d.weight", (c.hidden, 1, c.whole("conf_conv_kernel_size", least=1)), "audio", "conv")
    yield from p.vector("conv_norm", c.hidden, "norm")
    yield from p.linear("linear_end", c.hidden, c.hidden, "other")


def read_span(c: Config) -> int:
    """Frames that a frame attends to: its chunk, and what stands before and after."""
    before = max(0, c.whole("conf_attention_context_left") - 1)
    return c.whole("conf_attention_chunk_size", least=1) + before + c.whole("conf_attention_context_right")


@dataclass(frozen=True)
class Sense:
    """A table for the tokens that stand for a sense, norms for these and for what the tower gives, and one matrix."""

    key: str
    name: str
    stack: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        inner, place = c.section(self.key), p.at(self.name)._replace(part="projector", stack=self.stack)
        yield place.table("embedding", inner.vocab, inner.hidden)
        yield from place.vector("hard_embedding_norm", inner.hidden, "norm")
        yield from place.vector("soft_embedding_norm", inner.hidden, "norm")
        yield from place.linear("embedding_projection", inner.hidden, read_text(c).hidden, "projector")


CONFORMER = (
    at("ffw_layer_start", conformer_mlp),
    at("attention", conformer_attention),
    at("lconv1d", light_convolution),
    at("ffw_layer_end", conformer_mlp),
    rms("norm"),
)

register(
    Architecture(
        "gemma3n_audio",
        "Gemma",
        Audio((subsample, stack("conformer", *CONFORMER))),
        heads={"Gemma3nAudioEncoder": Head()},
        natural="Gemma3nAudioEncoder",
        dims={
            "layers": "conf_num_hidden_layers",
            "heads": lambda c: c.whole("conf_num_attention_heads", least=1),
            "kv_heads": lambda c: c.heads,
            "head_dim": lambda c: divide(c, c.hidden, c.heads, "conf_num_attention_heads"),
            "ffn": lambda c: 4 * c.hidden,
            "context": lambda c: None,
            "window": read_span,
        },
        position="relative",
        about="The audio tower of Gemma 3n: a conformer that attends to frames nearby.",
    ),
    whole_model(
        "gemma3n",
        "Gemma3n",
        vision_section(),
        text_section(),
        Section("audio_config", "audio_tower", "audio"),
        Sense("vision_config", "embed_vision", "vision"),
        Sense("audio_config", "embed_audio", "audio"),
        example="google/gemma-3n-E4B",
        about="Gemma 3n's language model with a convolutional tower for images and a conformer for sound.",
    ),
)
