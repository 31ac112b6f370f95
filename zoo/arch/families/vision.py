"""Vision towers: CLIP's, SigLIP's and Pixtral's, and how a model with a fixed tower of its own names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, divide
from zoo.arch.layers import Flag, at, is_on, stack, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import Norm, layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def count_patches(c: Config) -> int:
    """Square patches of a square image."""
    patch = c.whole("patch_size", least=1)
    return divide(c, c.whole("image_size"), patch, "patch_size") ** 2


VISION_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "vocab": lambda c: 0,
    "context": count_patches,
    "patches": count_patches,
    "channels": "num_channels",
}


@dataclass(frozen=True)
class Patches:
    """A convolution over square patches: [hidden, channels, patch, patch]; one multiply-add per weight and patch."""

    name: str
    bias: Flag = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        patch = c.whole("patch_size", least=1)
        yield p.tensor(f"{self.name}.weight", (c.hidden, c.channels, patch, patch), "vision")
        if is_on(c, self.bias):
            yield p.tensor(f"{self.name}.bias", (c.hidden,), "vision", "vector")


@dataclass(frozen=True)
class Vision:
    """Blocks that are all vision: none of their parameters serves text, none of their states is a cache."""

    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p.of_tower("vision", "vision")
        rows: list[Row] = []
        for block in self.blocks:
            rows += block(c, place)
        return rows


@dataclass(frozen=True)
class Tower:
    """The vision section of a model that has a tower of its own: the type is fixed, no class stands for it alone."""

    name: str
    blocks: tuple[Block, ...]
    dims: Mapping[str, Dim] = field(default_factory=dict)
    key: str = "vision_config"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        return Vision(self.blocks)(c.section(self.key, self.dims), p.at(self.name))


@dataclass(frozen=True)
class Projector:
    """Blocks that carry what a tower has seen into the language model."""

    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p.of_tower("projector", "vision")
        for block in self.blocks:
            yield from block(c, place)


PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
#: Attention that sees the whole image.
VISION_ATTENTION = Attention(PROJECTIONS, bias=True, cached=False, causal=False)
ENCODER = at(
    "encoder",
    stack(
        "layers",
        at("self_attn", VISION_ATTENTION),
        layer_norm("layer_norm1"),
        layer_norm("layer_norm2"),
        at("mlp", Mlp()),
    ),
)


def class_token(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("class_embedding", (c.hidden,), "vision", "vector")


@dataclass(frozen=True)
class Positions:
    """A learned vector for each patch, and for the class token where there is one."""

    extra: int = 0

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield p.table("position_embedding", c.patches + self.extra, c.hidden, "vision")


CLIP_VISION = Vision(
    (
        at("embeddings", class_token, Patches("patch_embedding"), Positions(extra=1)),
        layer_norm("pre_layrnorm"),  # spelt so in every checkpoint
        ENCODER,
        layer_norm("post_layernorm"),
    )
)


def pool_by_attention(c: Config, p: Place) -> Iterable[Row]:
    """SigLIP's head: one learned query attends to all patches."""
    below = p.at("head")
    yield below.tensor("probe", (1, 1, c.hidden), "vision", "vector")
    yield below.tensor("attention.in_proj_weight", (3 * c.hidden, c.hidden), "vision")
    yield below.tensor("attention.in_proj_bias", (3 * c.hidden,), "vision", "vector")
    yield from below.linear("attention.out_proj", c.hidden, c.hidden, "vision", True)
    yield from Norm("layernorm", bias=True)(c, below)
    yield from Mlp()(c, below.at("mlp"))


SIGLIP_VISION = Vision(
    (
        at("embeddings", Patches("patch_embedding", bias=True), Positions()),
        ENCODER,
        layer_norm("post_layernorm"),
        when("vision_use_head", pool_by_attention),
    )
)
PIXTRAL_VISION = Vision(
    (
        Patches("patch_conv"),
        rms("ln_pre"),
        stack(
            "transformer.layers",
            rms("attention_norm"),
            at("feed_forward", GatedMlp()),
            at("attention", Attention(cached=False, causal=False)),
            rms("ffn_norm"),
        ),
    )
)


def project_image(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("visual_projection", c.hidden, c.whole("projection_dim"), "projector")


register(
    Architecture(
        "clip_vision_model",
        "CLIP",
        CLIP_VISION,
        heads={"CLIPVisionModel": Head(), "CLIPVisionModelWithProjection": Head("vision_model.", (project_image,))},
        natural="CLIPVisionModel",
        dims=VISION_DIMS,
        norm="layernorm",
        position="learned",
        about="The image half of CLIP: a vision transformer with a class token.",
    ),
    Architecture(
        "siglip_vision_model",
        "SigLIP",
        SIGLIP_VISION,
        heads={"SiglipVisionModel": Head()},
        natural="SiglipVisionModel",
        dims=VISION_DIMS,
        norm="layernorm",
        position="learned",
        about="The image half of SigLIP: a vision transformer without a class token.",
    ),
    Architecture(
        "pixtral",
        "Mistral",
        PIXTRAL_VISION,
        heads={"PixtralVisionModel": Head()},
        natural="PixtralVisionModel",
        dims=VISION_DIMS,
        about="A vision transformer with gated MLPs and rotary positions in two dimensions, for images of any shape.",
    ),
)
