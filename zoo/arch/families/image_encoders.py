"""Image encoders with classes of their own: ViT, DeiT and DINOv2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, read_head_dim
from zoo.arch.families.towers import count_rectangle, read_pair
from zoo.arch.families.vision import VISION_DIMS, Vision
from zoo.arch.layers import Flag, at, is_on, stack, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

IMAGE_DIMS: dict[str, Dim] = {
    **VISION_DIMS,
    "head_dim": read_head_dim,
    "context": count_rectangle,
    "patches": count_rectangle,
    "pooled": lambda c: c.maybe("pooler_output_size") or c.hidden,
}


@dataclass(frozen=True)
class ImageEmbeddings:
    """Patches of any height and width, the ``tokens`` learned besides, and a learned position for each."""

    tokens: tuple[str, ...] = ("cls_token",)
    masked: Flag = False  #: with a vector for patches that are hidden
    positions: Flag = True  #: whether positions are learned

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        below = p.at("embeddings")
        for name in (*self.tokens, *(("mask_token",) if is_on(c, self.masked) else ())):
            yield below.tensor(name, (1, 1, c.hidden), "vision", "vector")
        patch = read_pair(c, "patch_size")
        yield below.tensor("patch_embeddings.projection.weight", (c.hidden, c.channels, *patch), "vision")
        yield below.tensor("patch_embeddings.projection.bias", (c.hidden,), "vision", "vector")
        if is_on(c, self.positions):
            places = c.patches + len(self.tokens)
            yield below.tensor("position_embeddings", (1, places, c.hidden), "vision", "lookup")


PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
VIT_LAYERS = stack(
    "layers",
    at("attention", Attention(PROJECTIONS, bias="qkv_bias", o_bias=True, cached=False, causal=False)),
    layer_norm("layernorm_before"),
    layer_norm("layernorm_after"),
    at("mlp", Mlp()),
)


def vit(*around: Block) -> Vision:
    """The layers behind their embeddings, the first of ``around``, and what follows the last norm."""
    embeddings, *final = around
    return Vision((embeddings, VIT_LAYERS, layer_norm("layernorm"), *final))


def pool(c: Config, p: Place) -> Iterable[Row]:
    """A dense layer over the class token, of a width of its own."""
    yield from p.linear("pooler.dense", c.hidden, c.pooled, "vision", True)


@dataclass(frozen=True)
class ImageLabels:
    """A classifier over the features, unless there are no labels; ``width`` is the dimension that is theirs."""

    name: str = "classifier"
    width: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        if c.labels:
            yield from p.linear(self.name, c.dim(self.width), c.labels, "head", True)


@dataclass(frozen=True)
class PixelHead:
    """The pixels of a hidden patch, from its features: a convolution of one position, then a shuffle."""

    width: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        pixels = c.whole("encoder_stride", least=1) ** 2 * c.channels
        yield p.tensor("decoder.0.weight", (pixels, c.dim(self.width), 1, 1), "head")
        yield p.tensor("decoder.0.bias", (pixels,), "head", "vector")


def encoder(
    model_type: str,
    family: str,
    body: Block,
    heads: dict[str, Head],
    dims: Mapping[str, Dim] | None = None,
    *,
    example: str,
    about: str,
) -> Architecture:
    """An image encoder whose first class is the one without a task."""
    return Architecture(
        model_type,
        family,
        body,
        heads,
        natural=next(iter(heads)),
        dims={**IMAGE_DIMS, **(dims or {})},
        norm="layernorm",
        position="learned",
        example=example,
        about=about,
    )


def vit_like(model_type: str, prefix: str, tokens: tuple[str, ...], *, example: str, about: str) -> Architecture:
    """ViT's classes; ``tokens`` are learned vectors besides the patches."""
    base = f"{model_type}."
    bare, masked = vit(ImageEmbeddings(tokens)), vit(ImageEmbeddings(tokens, masked=True))
    heads = {
        f"{prefix}Model": Head(),
        f"{prefix}ForImageClassification": Head(base, (ImageLabels(),), body=bare),
        f"{prefix}ForMaskedImageModeling": Head(base, (PixelHead(),), body=masked),
    }
    if len(tokens) == 2:
        both = (ImageLabels("cls_classifier"), ImageLabels("distillation_classifier"))
        heads[f"{prefix}ForImageClassificationWithTeacher"] = Head(base, both, body=bare)
    return encoder(model_type, prefix, vit(ImageEmbeddings(tokens), pool), heads, example=example, about=about)


def scale_features(name: str) -> Block:
    """A gain on what a block adds."""

    def gain(c: Config, p: Place) -> Iterable[Row]:
        yield p.tensor(f"{name}.lambda1", (c.hidden,), "vision", "vector")

    return gain


def mask_patches(c: Config, p: Place) -> Iterable[Row]:
    if c.flag("use_mask_token"):
        yield p.tensor("embeddings.mask_token", (1, c.hidden), "vision", "vector")


def scale_ffn(c: Config) -> int:
    """``mlp_ratio`` times the width; gated, two thirds of it, filled up to a multiple of 8."""
    width = int(c.hidden) * c.whole("mlp_ratio", least=1)
    return (width * 2 // 3 + 7) // 8 * 8 if c.flag("use_swiglu_ffn") else width


DINO = Vision(
    (
        ImageEmbeddings(),
        mask_patches,
        at(
            "encoder",
            stack(
                "layer",
                layer_norm("norm1"),
                at("attention", Attention(PROJECTIONS, bias="qkv_bias", o_bias=True, cached=False, causal=False)),
                scale_features("layer_scale1"),
                layer_norm("norm2"),
                at("mlp", when("use_swiglu_ffn", GatedMlp(bias=True), otherwise=(Mlp(),))),
                scale_features("layer_scale2"),
            ),
        ),
        layer_norm("layernorm"),
    )
)

register(
    vit_like(
        "vit",
        "ViT",
        ("cls_token",),
        example="google/vit-base-patch16-224",
        about="BERT's layers with the norms before the blocks, over patches of an image and a class token.",
    ),
    vit_like(
        "deit",
        "DeiT",
        ("cls_token", "distillation_token"),
        example="facebook/deit-base-distilled-patch16-224",
        about="ViT with a second token, which learns from a teacher.",
    ),
    encoder(
        "dinov2",
        "DINO",
        DINO,
        {
            "Dinov2Model": Head(),
            "Dinov2ForImageClassification": Head("dinov2.", (ImageLabels(width="doubled"),)),
            "Dinov2Backbone": Head(),
        },
        dims={"ffn": scale_ffn, "doubled": lambda c: 2 * c.hidden},
        example="facebook/dinov2-base",
        about="ViT that learned without labels, with a gain on every residual; the giant one has gated MLPs.",
    ),
)
