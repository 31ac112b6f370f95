"""Kin of LLaVA: any text model behind any vision tower, with a projector of their own between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.llava import (
    TEXT,
    VISION,
    count_features,
    is_tied_anywhere,
    merge_patches,
    read_text,
    read_vision,
    refuse_flat,
    two_layers,
)
from zoo.arch.families.vision import Projector
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, vision_section
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Block, Place, Row


def is_tied_whole(c: Config) -> bool:
    """Tied where the whole says so, whatever its text says."""
    return bool(c.tied)


def find_supported(inner: Config) -> Architecture:
    """The architecture of a section; raises UnsupportedError where it cannot count this one."""
    architecture = find_architecture(inner.model_type)
    if architecture.supported and (reason := architecture.supported(inner)):
        raise UnsupportedError(f"{inner.model_type}: {reason}")
    return architecture


def prefix_text(c: Config, p: Place) -> Iterable[Row]:
    """PaliGemma's text attends both ways within its prompt alone, and keeps a cache as any decoder does."""
    inner = read_text(c)
    inner.raw = {**inner.raw, "use_bidirectional_attention": False}
    return find_supported(inner).body(inner, p.at("language_model"))


def seeing(
    model_type: str,
    family: str,
    prefix: str,
    *blocks: Block,
    example: str = "",
    about: str = "",
    tie: Callable[[Config], bool] = is_tied_whole,
    text: Callable[[Config], Config] = read_text,
    embedding: str = "language_model.embed_tokens.weight",
    natural: str | None = None,
    heads: Mapping[str, Head] | None = None,
    dims: Mapping[str, Dim] | None = None,
    supported: Callable[[Config], str | None] | None = refuse_flat,
) -> Architecture:
    """A model that sees: ``{prefix}Model`` of ``blocks``, and the class with a head for the vocabulary of its text.

    ``natural`` is the name of that class, where it is not ``{prefix}ForConditionalGeneration``.
    """
    lm, whole = LmHead(inner=text, tie_of=tie), natural or f"{prefix}ForConditionalGeneration"
    return Architecture(
        model_type,
        family,
        At("", blocks),
        heads={f"{prefix}Model": Head(), whole: Head("model.", (lm,)), **(heads or {})},
        natural=whole,
        dims=dims or {},
        text=text,
        embedding=embedding,
        example=example,
        about=about,
        supported=supported,
    )


def image_newline(c: Config, p: Place) -> Iterable[Row]:
    """A learned vector that ends each row of patches."""
    yield p.tensor("image_newline", (read_text(c).hidden,), "projector", "vector")


def pool_frames(c: Config, p: Place) -> Iterable[Row]:
    """LLaVA-NeXT-Video makes fewer positions of a frame: by an average, a maximum, or a convolution."""
    mode = c["spatial_pool_mode"]
    if mode not in ("average", "max", "conv"):
        raise UnsupportedError(f"{c.model_type}: spatial_pool_mode {mode!r:.40} is not known")
    if mode == "conv":
        vision, stride = read_vision(c).hidden, c.whole("spatial_pool_stride", least=1)
        output = c.maybe("spatial_pool_out_channels", least=1) or vision
        yield p.tensor("pool.weight", (output, vision, stride, stride), "projector")
        yield p.tensor("pool.bias", (output,), "projector", "vector")


def layers_and_norm(c: Config, p: Place) -> Iterable[Row]:
    """VipLLaVA's projector: a norm over the features of several layers, then two biased matrices."""
    text, features = read_text(c).hidden, read_vision(c).hidden * count_features(c)
    yield from p.vector("projector_layernorm", features, "projector", True)
    yield from p.linear("linear_1", features, text, "projector", True)
    yield from p.linear("linear_2", text, text, "projector", True)


def one_layer(c: Config, p: Place) -> Iterable[Row]:
    """PaliGemma's projector; it takes its width from the whole, which must be that of the text."""
    yield from p.linear("linear", read_vision(c).hidden, c.whole("projection_dim", least=1), "projector", True)


def merged_width(c: Config) -> int:
    """``downsample_factor`` x ``downsample_factor`` neighbouring patches side by side."""
    return int(read_vision(c).hidden * c.whole("downsample_factor", least=1) ** 2)


def gate_merged(c: Config, p: Place) -> Iterable[Row]:
    """Merged patches through a SwiGLU of which gate and value are one matrix."""
    inner = c.maybe("alignment_intermediate_size", least=1) or read_text(c).hidden
    yield from p.linear("linear_1", merged_width(c), inner, "projector", True)
    yield from p.linear("linear_2", inner // 2, read_text(c).hidden, "projector", True)


def norm_merged(c: Config, p: Place) -> Iterable[Row]:
    yield from p.vector("layernorm", merged_width(c), "projector", True)


def light_layers(c: Config, p: Place) -> Iterable[Row]:
    """LightOnOCR's projector after the merger: two matrices without biases."""
    text = read_text(c).hidden
    yield from p.linear("linear_1", read_vision(c).hidden, text, "projector")
    yield from p.linear("linear_2", text, text, "projector")


def lfm_layers(c: Config, p: Place) -> Iterable[Row]:
    """LFM2-VL's projector: merged patches through an inner width of their own."""
    merged, inner, bias = merged_width(c), c.whole("projector_hidden_size", least=1), c.flag("projector_bias")
    if c.flag("projector_use_layernorm"):
        yield from p.vector("layer_norm", merged, "projector", True)
    yield from p.linear("linear_1", merged, inner, "projector", bias)
    yield from p.linear("linear_2", inner, read_text(c).hidden, "projector", bias)


def lfm_tied(c: Config) -> bool:
    """``tie_embedding`` is the older name of the key, and wins."""
    return c.flag("tie_embedding") if "tie_embedding" in c else bool(c.tied)


NEWLINE = Projector((image_newline,))
TWO_LAYERS = at("multi_modal_projector", Projector((two_layers,)))

register(
    seeing(
        *("llava_next", "LLaVA", "LlavaNext", NEWLINE, VISION, TWO_LAYERS, TEXT),
        example="llava-hf/llava-v1.6-mistral-7b-hf",
        about="LLaVA with images cut into tiles, and a learned vector at the end of each row of patches.",
    ),
    seeing(
        *("llava_onevision", "LLaVA", "LlavaOnevision", NEWLINE, VISION, TWO_LAYERS, TEXT),
        tie=is_tied_anywhere,
        example="llava-hf/llava-onevision-qwen2-7b-ov-hf",
        about="LLaVA-NeXT with Qwen2 behind a SigLIP tower, for single images, several, and video.",
    ),
    seeing(
        *("llava_next_video", "LLaVA", "LlavaNextVideo", NEWLINE, VISION, TWO_LAYERS, TEXT),
        at("vision_resampler", Projector((pool_frames,))),
        tie=is_tied_anywhere,
        example="llava-hf/LLaVA-NeXT-Video-7B-hf",
        about="LLaVA-NeXT for video: the patches of each frame are pooled to fewer positions.",
    ),
    seeing(
        *("video_llava", "LLaVA", "VideoLlava"),
        vision_section(name="video_tower"),
        vision_section(name="image_tower"),
        *(TWO_LAYERS, TEXT),
        example="LanguageBind/Video-LLaVA-7B-hf",
        about="LLaVA with two towers, one for images and one for video, of the same shape.",
    ),
    seeing(
        *("vipllava", "LLaVA", "VipLlava", VISION),
        at("multi_modal_projector", Projector((layers_and_norm,))),
        TEXT,
        example="llava-hf/vip-llava-7b-hf",
        about="LLaVA that takes the features of five layers of its tower, for images that are drawn on.",
    ),
    seeing(
        *("paligemma", "Gemma", "PaliGemma", VISION, at("multi_modal_projector", Projector((one_layer,))), prefix_text),
        example="google/paligemma-3b-pt-224",
        about="Gemma behind a SigLIP tower, with one matrix between them; it attends in both directions to its prompt.",
    ),
    seeing(
        *("aya_vision", "Cohere", "AyaVision", VISION),
        at("multi_modal_projector", Projector((norm_merged, gate_merged))),
        TEXT,
        example="CohereLabs/aya-vision-8b",
        about="Cohere's second decoder behind a SigLIP tower; four patches become one position through a SwiGLU.",
    ),
    seeing(
        *("cohere2_vision", "Cohere", "Cohere2Vision", VISION),
        at("multi_modal_projector", Projector((gate_merged,))),
        TEXT,
        example="CohereLabs/command-a-vision-07-2025",
        about="Command A behind a SigLIP tower; four patches become one position through a SwiGLU.",
    ),
    seeing(
        *("lighton_ocr", "LightOn", "LightOnOcr"),
        vision_section(name="vision_encoder"),
        at("vision_projection", Projector((merge_patches, light_layers))),
        TEXT,
        example="lightonai/LightOnOCR-1B-1025",
        about="Qwen3 behind Pixtral's tower, to read pages; four patches are merged into one.",
    ),
    seeing(
        *("lfm2_vl", "LFM", "Lfm2Vl", VISION, at("multi_modal_projector", Projector((lfm_layers,))), TEXT),
        tie=lfm_tied,
        example="LiquidAI/LFM2-VL-1.6B",
        about="LFM2 behind a SigLIP 2 tower that takes images of any shape; four patches become one position.",
    ),
)
