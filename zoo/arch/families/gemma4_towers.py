"""Gemma 4's towers for images and sound, and the whole models: with towers, or with one matrix for each sense."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.gemma import SANDWICH_NORMS
from zoo.arch.families.vision import Vision
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, Section, at, open_section, stack, text_section, vision_section, when
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def clipped_linear(c: Config, p: Place, name: str, inputs: int, outputs: int) -> Iterable[Row]:
    """A dense layer, which with ``use_clipped_linears`` stores the bounds of its input and its output."""
    below = p.at(name)
    yield from below.linear("linear", inputs, outputs, "other")
    if c.flag("use_clipped_linears"):
        for bound in ("input_min", "input_max", "output_min", "output_max"):
            yield below.tensor(bound, (), "other", "vector", role="buffer")


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """Patches through one matrix; a learned vector for each row and one for each column."""
    below = p.at("patch_embedder")
    yield from below.linear("input_proj", 3 * c.whole("patch_size", least=1) ** 2, c.hidden, "vision")
    positions = (2, c.whole("position_embedding_size", least=1), c.hidden)
    yield below.tensor("position_embedding_table", positions, "vision", "lookup")


def tower_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to the whole image, with normalised queries and keys; nothing is cached."""
    width, kv_width = c.heads * c.head_dim, c.kv_heads * c.head_dim
    yield from clipped_linear(c, p, "q_proj", c.hidden, width)
    yield from clipped_linear(c, p, "k_proj", c.hidden, kv_width)
    yield from clipped_linear(c, p, "v_proj", c.hidden, kv_width)
    yield from clipped_linear(c, p, "o_proj", width, c.hidden)
    yield p.state("full", flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def tower_mlp(c: Config, p: Place) -> Iterable[Row]:
    yield from clipped_linear(c, p, "gate_proj", c.hidden, c.ffn)
    yield from clipped_linear(c, p, "up_proj", c.hidden, c.ffn)
    yield from clipped_linear(c, p, "down_proj", c.ffn, c.hidden)


def standardize(c: Config, p: Place) -> Iterable[Row]:
    """The mean and spread of what the tower gives; stored, but no parameters."""
    for name in ("std_bias", "std_scale"):
        yield p.tensor(name, (c.hidden,), "vision", "vector", role="buffer")


VISION_LAYER = (at("self_attn", tower_attention, *QK_NORM), at("mlp", tower_mlp), *SANDWICH_NORMS)


def read_channels(c: Config) -> tuple[int, int]:
    """Channels of the two convolutions that shorten the spectrogram."""
    value = c["subsampling_conv_channels"]
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UnsupportedError(f"{c.model_type}: {c.path}subsampling_conv_channels is not a list of two")
    first, second = (check_whole(v, f"{c.model_type}: {c.path}subsampling_conv_channels", 1) for v in value)
    return first, second


def subsample(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over time and frequency, each halving both, and one matrix."""
    first, second = read_channels(c)
    below = p.at("subsample_conv_projection")
    for layer, inputs, outputs in (("layer0", 1, first), ("layer1", first, second)):
        yield below.tensor(f"{layer}.conv.weight", (outputs, inputs, 3, 3), "audio")
        yield from below.vector(f"{layer}.norm", outputs, "audio")
    yield from below.linear("input_proj_linear", first // 4 * second, c.hidden, "audio")


def conformer_mlp(c: Config, p: Place) -> Iterable[Row]:
    yield from clipped_linear(c, p, "ffw_layer_1", c.hidden, 4 * c.hidden)
    yield from clipped_linear(c, p, "ffw_layer_2", 4 * c.hidden, c.hidden)
    yield from p.vector("pre_layer_norm", c.hidden, "norm")
    yield from p.vector("post_layer_norm", c.hidden, "norm")


def conformer_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to the frames nearby, with relative positions; nothing is cached."""
    width = c.heads * c.head_dim
    for name in ("q_proj", "k_proj", "v_proj"):
        yield from clipped_linear(c, p, name, c.hidden, width)
    yield from clipped_linear(c, p, "post", c.hidden, c.hidden)
    yield from p.linear("relative_k_proj", c.hidden, width, "attention")
    yield p.tensor("per_dim_scale", (c.head_dim,), "attention", "vector")
    yield p.state("chunked", window=c.window, flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def light_convolution(c: Config, p: Place) -> Iterable[Row]:
    """A gated depthwise convolution between two matrices."""
    yield from clipped_linear(c, p, "linear_start", c.hidden, 2 * c.hidden)
    yield from clipped_linear(c, p, "linear_end", c.hidden, c.hidden)
    yield p.tensor("depthwise_conv1d.weight", (c.hidden, 1, c.whole("conv_kernel_size", least=1)), "audio", "conv")
    yield from p.vector("pre_layer_norm", c.hidden, "norm")
    yield from p.vector("conv_norm", c.hidden, "norm")


def project_sound(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("output_proj", c.hidden, c.whole("output_proj_dims", least=1), "audio", True)


class Audio(Vision):
    """Blocks that are all sound."""

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p._replace(part="audio", stack="audio")
        for block in self.blocks:
            yield from block(c, place)


def read_span(c: Config) -> int:
    """Frames that a frame attends to: its chunk, and what stands before and after."""
    left, right = c.whole("attention_context_left", least=1), c.whole("attention_context_right")
    return c.whole("attention_chunk_size", least=1) + left - 1 + right


def has(key: str) -> Callable[[Config], bool]:
    """Whether the config has the section ``key``; a model without it lacks that sense."""
    return lambda c: c.get(key) is not None


def read_text(c: Config) -> Config:
    return open_section(c, "text_config")


def sense_width(c: Config) -> int:
    """Width of what a tower gives; without a tower for sound, of a frame of it."""
    if c.model_type == "gemma4_unified_audio":
        if strange := {"hidden_size", "output_proj_dims", "audio_samples_per_token"} & set(c.raw):
            raise UnsupportedError(f"{c.model_type}: {c.path}{min(strange)} stands for audio_embed_dim, not followed")
        return c.whole("audio_embed_dim", least=1)
    width = c.maybe("output_proj_dims", least=1)
    return int(c.hidden) if width is None else width


def sense_projection(key: str, name: str, stack: str) -> Block:
    """One matrix from the width of a sense to that of the text."""

    def project(c: Config, p: Place) -> Iterable[Row]:
        place = p._replace(part="projector", stack=stack)
        yield from place.linear(
            f"{name}.embedding_projection", sense_width(c.section(key)), read_text(c).hidden, "projector"
        )

    return project


def embed_patches_directly(c: Config, p: Place) -> Iterable[Row]:
    """Large patches through one matrix between two layer norms, and learned positions, in place of a tower."""
    inner = c.section("vision_config")
    width = inner.whole("mm_embed_dim", least=1)
    if "model_patch_size" in inner.raw:
        raise UnsupportedError(f"{c.model_type}: vision_config.model_patch_size is not followed")
    side = inner.whole("patch_size", least=1) * inner.whole("pooling_kernel_size", least=1)
    place = p.at("embed_vision")._replace(part="vision", stack="vision")
    yield from place.vector("patch_ln1", 3 * side**2, "norm", True)
    yield from place.linear("patch_dense", 3 * side**2, width, "vision", True)
    yield from place.vector("patch_ln2", width, "norm", True)
    yield place.tensor("pos_embedding", (inner.whole("mm_posemb_size", least=1), 2, width), "vision", "lookup")
    yield from place.vector("pos_norm", width, "norm", True)


def whole_model(
    model_type: str, prefix: str, *blocks: Block, family: str = "Gemma", example: str = "", about: str
) -> Architecture:
    """Senses and text together; the whole says whether the head is tied."""
    return Architecture(
        model_type,
        family,
        At("", blocks),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("model.", (LmHead(inner=read_text),)),
        },
        natural=f"{prefix}ForConditionalGeneration",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        example=example,
        about=about,
    )


VISION_DIMS: dict[str, Dim] = {
    "head_dim": lambda c: c.whole("head_dim", least=1),
    "vocab": lambda c: 0,
    "context": "position_embedding_size",
}
AUDIO_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: divide(c, c.hidden, c.heads, "num_attention_heads"),
    "ffn": lambda c: 4 * c.hidden,
    "vocab": lambda c: 0,
    "context": lambda c: None,
    "window": read_span,
}
CONFORMER = (
    at("feed_forward1", conformer_mlp),
    at("feed_forward2", conformer_mlp),
    at("self_attn", conformer_attention),
    at("lconv1d", light_convolution),
    rms("norm_pre_attn"),
    rms("norm_post_attn"),
    rms("norm_out"),
)

register(
    Architecture(
        "gemma4_vision",
        "Gemma",
        Vision((embed_patches, at("encoder", stack("layers", *VISION_LAYER)), when("standardize", standardize))),
        heads={"Gemma4VisionModel": Head()},
        natural="Gemma4VisionModel",
        dims=VISION_DIMS,
        position="learned",
        about="The vision tower of Gemma 4: a vision transformer with rotary positions beside learned ones.",
    ),
    Architecture(
        "gemma4_audio",
        "Gemma",
        Audio((subsample, stack("layers", *CONFORMER), project_sound)),
        heads={"Gemma4AudioModel": Head()},
        natural="Gemma4AudioModel",
        dims=AUDIO_DIMS,
        position="relative",
        about="The audio tower of Gemma 4: a conformer that attends to frames nearby.",
    ),
    whole_model(
        "gemma4",
        "Gemma4",
        when(has("vision_config"), vision_section(), sense_projection("vision_config", "embed_vision", "vision")),
        text_section(),
        when(
            has("audio_config"),
            Section("audio_config", "audio_tower", "audio"),
            sense_projection("audio_config", "embed_audio", "audio"),
        ),
        example="google/gemma-4-26B-A4B",
        about="Gemma 4 with a vision tower, and in the small models one for sound.",
    ),
    whole_model(
        "gemma4_unified",
        "Gemma4Unified",
        text_section(),
        when(
            has("vision_config"),
            embed_patches_directly,
            sense_projection("vision_config", "embed_vision.multimodal_embedder", "vision"),
        ),
        when(has("audio_config"), sense_projection("audio_config", "embed_audio", "audio")),
        about="Gemma 4 without towers: patches and frames come in through one matrix each.",
    ),
)
