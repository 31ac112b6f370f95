"""BEiT: ViT with positions as biases between patches and gains on residuals, and its heads that draw borders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.image_encoders import PROJECTIONS, ImageEmbeddings, ImageLabels, encoder
from zoo.arch.families.towers import read_pair, scale_residuals
from zoo.arch.families.vision import Vision
from zoo.arch.layers import at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row


def bias_distances(c: Config) -> tuple[int, int]:
    """One number for each head and distance between patches in two dimensions, and three for the class token."""
    height, width = read_pair(c, "image_size")
    patch = c.whole("patch_size", least=1)
    tall, wide = height // patch, width // patch
    if not tall or not wide:
        raise UnsupportedError(f"{c.model_type}: {c.path}patch_size {patch} is larger than the image")
    return (2 * tall - 1) * (2 * wide - 1) + 3, c.heads


def share_distances(c: Config, p: Place) -> Iterable[Row]:
    if c.flag("use_shared_relative_position_bias"):
        yield p.tensor("shared_position_bias.relative_position_bias_table", bias_distances(c), "vision", "lookup")


def own_distances(c: Config, p: Place) -> Iterable[Row]:
    if c.flag("use_relative_position_bias"):
        yield p.tensor("relative_position_bias.relative_position_bias_table", bias_distances(c), "vision", "lookup")


def scales_residuals(c: Config) -> bool:
    """Whether residuals have gains: not where their first value is zero."""
    first = c["layer_scale_init_value"]
    if isinstance(first, bool) or not isinstance(first, int | float):
        raise UnsupportedError(f"{c.model_type}: {c.path}layer_scale_init_value is {first!r:.40}, not a number")
    return first > 0


BEIT = Vision(
    (
        ImageEmbeddings(masked="use_mask_token", positions="use_absolute_position_embeddings"),
        share_distances,
        stack(
            "layers",
            at(
                "attention",
                Attention(PROJECTIONS, bias=True, k_bias=False, cached=False, causal=False),
            ),
            layer_norm("layernorm_before"),
            layer_norm("layernorm_after"),
            at("mlp", Mlp()),
            when(scales_residuals, scale_residuals),
            own_distances,
        ),
        when(lambda c: not c.flag("use_mean_pooling"), layer_norm("layernorm")),
    )
)
#: And a norm of the mean of all patches, unless the class token stands for them.
POOLED = Vision((*BEIT.blocks, when("use_mean_pooling", layer_norm("pooler.layernorm"))))


def predict_tokens(c: Config, p: Place) -> Iterable[Row]:
    """Which of a codebook's entries stands for a hidden patch."""
    yield from layer_norm("layernorm")(c, p)
    yield from p.linear("lm_head", c.hidden, c.whole("vocab_size", least=1), "head", True)


def batch_norm(p: Place, width: int) -> Iterable[Row]:
    """Gain and bias of each channel, and what was seen of it in training, which is stored but no parameter."""
    yield from p.vector("normalization", width, "head", True)
    for name in ("running_mean", "running_var"):
        yield p.tensor(f"normalization.{name}", (width,), "head", "vector", role="buffer")
    yield p.tensor("normalization.num_batches_tracked", (), "head", "vector", role="buffer")


def convolve(p: Place, name: str, inputs: int, outputs: int, size: int) -> Iterable[Row]:
    """A convolution over ``size`` x ``size`` patches and a norm over the batch."""
    below = p.at(name)
    yield below.tensor("convolution.weight", (outputs, inputs, size, size), "head")
    yield from batch_norm(below, outputs)


def widen(p: Place, name: str, width: int) -> Iterable[Row]:
    """A convolution that makes four patches of one."""
    yield p.tensor(f"{name}.weight", (width, width, 2, 2), "head")
    yield p.tensor(f"{name}.bias", (width,), "head", "vector")


def pyramid(c: Config, p: Place) -> Iterable[Row]:
    """The features of four layers at four resolutions."""
    below = p.at("fpn")
    yield from widen(below, "fpn1.conv_transpose1", c.hidden)
    yield from batch_norm(below.at("fpn1"), c.hidden)
    yield from widen(below, "fpn1.conv_transpose2", c.hidden)
    yield from widen(below, "fpn2", c.hidden)


def count_scales(c: Config) -> int:
    scales = c["pool_scales"]
    if not isinstance(scales, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}pool_scales is not a list")
    return len(scales)


def draw_borders(c: Config, p: Place) -> Iterable[Row]:
    """UPerNet: pools of several sizes, and the four resolutions from the coarsest to the finest."""
    layers: Any = next(
        (c.raw[key] for key in ("out_indices", "segmentation_indices", "out_features") if c.raw.get(key)), []
    )
    if not isinstance(layers, list) or len(layers) != 4:
        raise UnsupportedError(f"{c.model_type}: out_indices are not the four layers that the class draws borders from")
    below, width, scales = p.at("decode_head"), c.hidden, count_scales(c)
    yield below.tensor("classifier.weight", (c.labels, width, 1, 1), "head")
    yield below.tensor("classifier.bias", (c.labels,), "head", "vector")
    for scale in range(scales):
        yield from convolve(below, f"psp_modules.blocks.{scale}.conv", width, width, 1)
    yield from convolve(below, "psp_bottleneck", (1 + scales) * width, width, 3)
    for level in range(3):
        yield from convolve(below, f"lateral_convs.{level}", width, width, 1)
        yield from convolve(below, f"fpn_convs.{level}", width, width, 3)
    yield from convolve(below, "fpn_bottleneck", 4 * width, width, 3)


def draw_roughly(c: Config, p: Place) -> Iterable[Row]:
    """A second head, for training alone."""
    below, width = p.at("auxiliary_head"), c.whole("auxiliary_channels", least=1)
    for layer in range(check_convs(c)):
        yield from convolve(below, f"convs.{layer}", width if layer else c.hidden, width, 3)
    if c.flag("auxiliary_concat_input"):
        yield from convolve(below, "conv_cat", c.hidden + width, width, 3)
    yield below.tensor("classifier.weight", (c.labels, width, 1, 1), "head")
    yield below.tensor("classifier.bias", (c.labels,), "head", "vector")


def check_convs(c: Config) -> int:
    count = c.whole("auxiliary_num_convs")
    if count > 100:
        raise UnsupportedError(f"{c.model_type}: {c.path}auxiliary_num_convs is {count}, out of range")
    return count


register(
    encoder(
        "beit",
        "BEiT",
        POOLED,
        {
            "BeitModel": Head(),
            "BeitForImageClassification": Head("beit.", (ImageLabels(),)),
            "BeitForMaskedImageModeling": Head("beit.", (predict_tokens,), BEIT),
            "BeitForSemanticSegmentation": Head(
                "beit.", (pyramid, draw_borders, when("use_auxiliary_head", draw_roughly)), BEIT
            ),
            "BeitBackbone": Head("beit.", (when("add_fpn", pyramid),), BEIT),
        },
        example="microsoft/beit-base-patch16-224",
        about="ViT that learned to guess hidden patches; positions are biases between patches, residuals have gains.",
    )
)
