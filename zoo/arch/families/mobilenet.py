"""MobileNetV5 (the 300M encoder), the convolutional vision tower of Gemma 3n; its sizes are fixed by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import Config
from zoo.arch.families.vision import Vision
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

NAME = "mobilenetv5_300m_enc"


def convolve(p: Place, conv: str, norm: str, shape: tuple[int, ...], bias: bool = False) -> Iterable[Row]:
    """A convolution [outputs, inputs, height, width] and the norm after it."""
    yield p.tensor(f"{conv}.weight", shape, "vision")
    if bias:
        yield p.tensor(f"{conv}.bias", shape[:1], "vision", "vector")
    yield from p.vector(norm, shape[0], "vision")


def fused_residual(p: Place, inputs: int, middle: int, outputs: int) -> Iterable[Row]:
    """Up by a convolution over 3 x 3 pixels, down by one over single pixels."""
    yield from convolve(p, "conv_exp", "bn1", (middle, inputs, 3, 3))
    yield from convolve(p, "conv_pwl", "bn2", (outputs, middle, 1, 1))


def inverted_bottleneck(
    p: Place, inputs: int, middle: int, outputs: int, start: int = 0, mid: int = 0, scale: bool = True
) -> Iterable[Row]:
    """Up and down over single pixels, with depthwise convolutions of ``start`` before and ``mid`` between (0: none)."""
    if start:
        yield from convolve(p, "dw_start.conv", "dw_start.bn", (inputs, 1, start, start))
    yield from convolve(p, "pw_exp.conv", "pw_exp.bn", (middle, inputs, 1, 1))
    if mid:
        yield from convolve(p, "dw_mid.conv", "dw_mid.bn", (middle, 1, mid, mid))
    yield from convolve(p, "pw_proj.conv", "pw_proj.bn", (outputs, middle, 1, 1))
    if scale:
        yield p.tensor("layer_scale.gamma", (outputs,), "vision", "vector")


def pixel_attention(p: Place, width: int, heads: int, head: int, shrunk: bool) -> Iterable[Row]:
    """Attention of all pixels with one key and value head; ``shrunk``, to a quarter of the pixels."""
    yield from p.vector("norm", width, "vision")
    below = p.at("attn")
    yield below.tensor("query.proj.weight", (heads * head, width, 1, 1), "vision")
    for name in ("key", "value"):
        if shrunk:
            yield from convolve(below, f"{name}.down_conv", f"{name}.norm", (width, 1, 3, 3))
        yield below.tensor(f"{name}.proj.weight", (head, width, 1, 1), "vision")
    yield below.tensor("output.proj.weight", (width, heads * head, 1, 1), "vision")
    yield p.tensor("layer_scale.gamma", (width,), "vision", "vector")
    flops = 4 * heads * head // (4 if shrunk else 1)
    yield p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)


def stem_and_stages(c: Config, p: Place) -> Iterable[Row]:
    """Four stages of 128, 256, 640 and 1,280 channels; the last two attend. Their outputs are fused to 2,048."""
    whole = p.at("timm_model")
    yield from convolve(whole, "conv_stem.conv", "conv_stem.bn", (64, 3, 3, 3), bias=True)

    def blocks(stage: int, layers: Sequence[int]) -> Place:
        return whole._replace(prefix=f"{whole.prefix}blocks.{stage}.{{}}.", layers=layers)

    yield from fused_residual(blocks(0, [0]), 64, 256, 128)
    yield from fused_residual(blocks(0, [1, 2]), 128, 512, 128)
    yield from inverted_bottleneck(blocks(1, [0]), 128, 768, 256, 3, 5)
    yield from inverted_bottleneck(blocks(1, [1, 3]), 256, 1024, 256, 5)
    yield from inverted_bottleneck(blocks(1, [2, 4]), 256, 1024, 256, 3)
    yield from inverted_bottleneck(blocks(2, [0]), 256, 1536, 640, 5, 5)
    yield from inverted_bottleneck(blocks(2, range(1, 8)), 640, 2560, 640, 5)
    yield from inverted_bottleneck(blocks(2, [8]), 640, 640, 640)
    yield from pixel_attention(blocks(2, range(9, 37, 2)), 640, 12, 64, True)
    yield from inverted_bottleneck(blocks(2, range(10, 37, 2)), 640, 1280, 640)
    yield from inverted_bottleneck(blocks(3, [0]), 640, 3840, 1280, 5, 5)
    yield from pixel_attention(blocks(3, range(1, 39, 2)), 1280, 16, 96, False)
    yield from inverted_bottleneck(blocks(3, range(2, 39, 2)), 1280, 2560, 1280)
    fusion = whole.at("msfa")
    yield from inverted_bottleneck(fusion.at("ffn"), 640 + 1280, 3840, 2048, scale=False)
    yield from fusion.vector("norm", 2048, "vision")


def refuse_other(c: Config) -> str | None:
    """Another network of the library, or this one with other sizes."""
    if c["architecture"] != NAME:
        return f"{c.path}architecture {c['architecture']!r:.60} is not known"
    return f"{c.path}model_args are not followed" if c.get("model_args") else None


register(
    Architecture(
        "gemma3n_vision",
        "Gemma",
        Vision((stem_and_stages,)),
        heads={"TimmWrapperModel": Head()},
        natural="TimmWrapperModel",
        dims={
            "vocab": lambda c: 0,
            "layers": lambda c: 84,
            "heads": lambda c: 16,
            "kv_heads": lambda c: 1,
            "head_dim": lambda c: 96,
            "ffn": lambda c: 2560,
            "context": lambda c: None,
            "window": lambda c: None,
        },
        position="none",
        supported=refuse_other,
        about="MobileNetV5: convolutions, and in the later stages attention with one key and value head.",
    )
)
