"""Vision towers that are SigLIP or BEiT with a detail changed, as types of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.vision import ENCODER, VISION_DIMS, Patches, Positions, Vision, pool_by_attention
from zoo.arch.layers import at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import Norm, layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def tower(
    model_type: str,
    family: str,
    *blocks: Block,
    name: str,
    dims: dict[str, Dim] | None = None,
    about: str = "",
    norm: str = "layernorm",
    position: str = "learned",
    supported: Callable[[Config], str | None] | None = None,
) -> Architecture:
    """A vision tower that has a type of its own; ``name`` is its class."""
    return Architecture(
        model_type,
        family,
        Vision(blocks),
        heads={name: Head()},
        natural=name,
        dims=VISION_DIMS | (dims or {}),
        norm=norm,
        position=position,
        about=about,
        supported=supported,
    )


def read_pair(c: Config, key: str) -> tuple[int, int]:
    """Height and width: two numbers, or one for both."""
    value = c[key]
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise UnsupportedError(f"{c.model_type}: {c.path}{key} has {len(value)} numbers, not a height and a width")
        height, width = (check_whole(side, f"{c.model_type}: {c.path}{key}", 1) for side in value)
        return height, width
    side = c.whole(key, least=1)
    return side, side


def count_rectangle(c: Config) -> int:
    """Patches of an image that need not be square."""
    (height, width), (tall, wide) = read_pair(c, "image_size"), read_pair(c, "patch_size")
    return divide(c, height, tall, "patch_size") * divide(c, width, wide, "patch_size")


def embed_naflex(c: Config, p: Place) -> Iterable[Row]:
    """SigLIP 2's patches, as vectors through one biased matrix, and a position for each of a fixed number of them."""
    below = p.at("embeddings")
    pixels = c.channels * c.whole("patch_size", least=1) ** 2
    yield from below.linear("patch_embedding", pixels, c.hidden, "vision", True)
    yield below.table("position_embedding", c.whole("num_patches", least=1), c.hidden, "vision")


def embed_beit(c: Config, p: Place) -> Iterable[Row]:
    """A class token, patches of any height and width, and learned positions where they are wanted."""
    below = p.at("embeddings")
    yield below.tensor("cls_token", (1, 1, c.hidden), "vision", "vector")
    if c.flag("use_mask_token"):
        yield below.tensor("mask_token", (1, 1, c.hidden), "vision", "vector")
    yield below.tensor(
        "patch_embeddings.projection.weight", (c.hidden, c.channels, *read_pair(c, "patch_size")), "vision"
    )
    yield below.tensor("patch_embeddings.projection.bias", (c.hidden,), "vision", "vector")
    if c.flag("use_absolute_position_embeddings"):
        yield below.tensor("position_embeddings", (1, c.patches + 1, c.hidden), "vision", "lookup")


def scale_residuals(c: Config, p: Place) -> Iterable[Row]:
    """LayerScale: a gain on what attention and MLP add."""
    yield p.tensor("lambda_1", (c.hidden,), "vision", "vector")
    yield p.tensor("lambda_2", (c.hidden,), "vision", "vector")


@dataclass(frozen=True)
class ChosenNorm:
    """LayerNorm or RMSNorm, by the key ``norm_type``."""

    name: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        kind = c["norm_type"]
        if kind not in ("layer_norm", "rms_norm"):
            raise UnsupportedError(f"{c.model_type}: {c.path}norm_type {kind!r:.40} is not known")
        yield from Norm(self.name, bias=kind == "layer_norm")(c, p)


BEIT_ATTENTION = Attention(
    ("q_proj", "k_proj", "v_proj", "projection_layer"),
    bias="attention_bias",
    o_bias=True,
    cached=False,
    causal=False,
    extra=(when("use_qk_norm", rms("q_norm"), rms("k_norm")),),
)
BEIT_LAYER = (
    at("attention", BEIT_ATTENTION),
    at("mlp", Mlp()),
    ChosenNorm("layernorm_before"),
    ChosenNorm("layernorm_after"),
    scale_residuals,
)
UNPOOLED = when(lambda c: not c.flag("use_mean_pooling"), layer_norm("layernorm"))
BEIT_DIMS: dict[str, Dim] = {**MULTI_HEAD, "context": count_rectangle, "patches": count_rectangle}
#: SigLIP without its pooling head.
BARE = (at("embeddings", Patches("patch_embedding", bias=True), Positions()), ENCODER, layer_norm("post_layernorm"))

register(
    tower(
        "siglip2_vision_model",
        "SigLIP",
        embed_naflex,
        ENCODER,
        layer_norm("post_layernorm"),
        when("vision_use_head", pool_by_attention),
        name="Siglip2VisionModel",
        dims={"context": "num_patches", "patches": "num_patches"},
        about="The image half of SigLIP 2 in its version for images of any shape.",
    ),
    tower(
        *("idefics3_vision", "Idefics", *BARE),
        name="Idefics3VisionTransformer",
        about="The SigLIP tower of Idefics3.",
    ),
    tower(
        *("smolvlm_vision", "SmolLM", *BARE),
        name="SmolVLMVisionTransformer",
        about="The SigLIP tower of SmolVLM.",
    ),
    tower(
        *("internvl_vision", "InternVL", embed_beit, at("encoder", stack("layer", *BEIT_LAYER)), UNPOOLED),
        name="InternVLVisionModel",
        dims=BEIT_DIMS,
        about="InternViT: a vision transformer with a class token and a gain on every residual.",
    ),
    tower(
        *("qianfan_ocr_vision", "Qianfan", embed_beit, stack("layers", *BEIT_LAYER), UNPOOLED),
        name="QianfanOCRVisionModel",
        dims=BEIT_DIMS,
        about="The tower of Qianfan-OCR: InternViT.",
    ),
)
