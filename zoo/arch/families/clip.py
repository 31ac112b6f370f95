"""CLIP and SigLIP: an encoder of text beside one of images, and what brings both into one space."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim
from zoo.arch.families.vision import PROJECTIONS, VISION_DIMS
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, open_section, stack, text_section, vision_section
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def read_text(c: Config) -> Config:
    return open_section(c, "text_config")


def read_vision(c: Config) -> Config:
    return c.section("vision_config", VISION_DIMS)


def encoder(*, causal: bool) -> tuple[Block, ...]:
    """The text in learned positions, read at once; CLIP's tokens see only those before them."""
    attention = Attention(PROJECTIONS, bias=True, cached=False, causal=causal)
    layer = (at("self_attn", attention), layer_norm("layer_norm1"), layer_norm("layer_norm2"), at("mlp", Mlp()))
    tables = (Embedding("token_embedding"), Embedding("position_embedding", "positions", part="position"))
    return (at("embeddings", *tables), at("encoder", stack("layers", *layer)), layer_norm("final_layer_norm"))


def project_text(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("text_projection", c.hidden, c.whole("projection_dim", least=1), "projector")


def project_by_head(c: Config, p: Place) -> Iterable[Row]:
    """SigLIP's text ends in a matrix of its own, as wide as the text unless ``projection_size`` is set."""
    yield from p.linear("head", c.hidden, c.maybe("projection_size", least=1) or c.hidden, "projector", True)


def project_both(c: Config, p: Place) -> Iterable[Row]:
    """Image and text side by side in one space."""
    width = c.whole("projection_dim", least=1)
    yield p.tensor("logit_scale", (), "other", "vector")
    yield from p.linear("visual_projection", read_vision(c).hidden, width, "projector")
    yield from p.linear("text_projection", read_text(c).hidden, width, "projector")


def compare_both(c: Config, p: Place) -> Iterable[Row]:
    for name in ("logit_scale", "logit_bias"):
        yield p.tensor(name, (1,), "other", "vector")


def refuse_older_sections(c: Config) -> str | None:
    """Files of the first port repeat the sections under other names, which then stand over them."""
    older = ("text_config_dict", "vision_config_dict")
    found = next((key for key in older if c.raw.get(key) and c.raw[key] != c.raw.get(key.removesuffix("_dict"))), None)
    return found and f"{found} stands over {found.removesuffix('_dict')}, and is not the same"


TEXT_DIMS: dict[str, Dim] = {**MULTI_HEAD, "positions": "max_position_embeddings"}
IMAGES = vision_section(name="vision_model")


def pair(model_type: str, prefix: str, family: str, last: Block, example: str, about: str) -> Architecture:
    return Architecture(
        model_type,
        family,
        At("", (text_section(name="text_model"), IMAGES, last)),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForImageClassification": Head(
                blocks=(LabelHead("classifier", bias=True, inner=read_vision),), body=IMAGES
            ),
        },
        natural=f"{prefix}Model",
        text=read_text,
        embedding="text_model.embeddings.token_embedding.weight",
        norm="layernorm",
        position="learned",
        supported=refuse_older_sections,
        example=example,
        about=about,
    )


register(
    Architecture(
        "clip_text_model",
        "CLIP",
        At("", encoder(causal=True)),
        heads={"CLIPTextModel": Head(), "CLIPTextModelWithProjection": Head("text_model.", (project_text,))},
        natural="CLIPTextModel",
        dims=TEXT_DIMS,
        embedding="embeddings.token_embedding.weight",
        norm="layernorm",
        position="learned",
        about="The text half of CLIP, which also guides Stable Diffusion.",
    ),
    Architecture(
        "siglip_text_model",
        "SigLIP",
        At("", (*encoder(causal=False), project_by_head)),
        heads={"SiglipTextModel": Head()},
        natural="SiglipTextModel",
        dims=TEXT_DIMS,
        embedding="embeddings.token_embedding.weight",
        norm="layernorm",
        position="learned",
        about="The text half of SigLIP, whose tokens all see each other.",
    ),
    pair(
        *("clip", "CLIP", "CLIP", project_both, "openai/clip-vit-large-patch14"),
        "Two encoders, of images and of text, trained to agree.",
    ),
    pair(
        *("siglip", "Siglip", "SigLIP", compare_both, "google/siglip-so400m-patch14-384"),
        "CLIP with a loss for each pair by itself.",
    ),
)
