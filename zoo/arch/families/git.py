"""GIT: BERT's layers, causal, that read the patches of CLIP's tower as the first tokens."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config
from zoo.arch.families.vision import CLIP_VISION, VISION_DIMS
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, vision_section
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

ATTENTION = Attention(("self.query", "self.key", "self.value", "output.dense"), bias=True)
LAYER = (
    at("attention", ATTENTION, layer_norm("output.LayerNorm")),
    Mlp(("intermediate.dense", "output.dense")),
    layer_norm("output.LayerNorm"),
)
EMBEDDINGS = at(
    "embeddings",
    Embedding("word_embeddings"),
    Embedding("position_embeddings", "context", part="position"),
    layer_norm("LayerNorm"),
)


def project_patches(c: Config, p: Place) -> Iterable[Row]:
    """A matrix and a norm; in models for video, a vector for each frame besides."""
    seen, place = c.section("vision_config").hidden, p._replace(part="projector", stack="vision")
    below = place.at("visual_projection")
    yield from below.linear("visual_projection.0", seen, c.hidden, "projector", True)
    yield from below.vector("visual_projection.1", c.hidden, "norm", True)
    if frames := c.maybe("num_image_with_embedding"):
        yield place.tensor("img_temporal_embedding.{}", (1, 1, seen), "projector", "vector", copies=frames)


register(
    Architecture(
        "git_vision_model",
        "GIT",
        at("vision_model", CLIP_VISION),
        heads={"GitVisionModel": Head()},
        natural="GitVisionModel",
        dims=VISION_DIMS,
        norm="layernorm",
        position="learned",
        about="The tower of GIT: CLIP's.",
    ),
    Architecture(
        "git",
        "GIT",
        At("", (EMBEDDINGS, vision_section(name="image_encoder"), stack("encoder.layer", *LAYER), project_patches)),
        heads={"GitModel": Head(), "GitForCausalLM": Head("git.", (LmHead("output", bias=True),))},
        natural="GitForCausalLM",
        dims={**MULTI_HEAD, "context": lambda c: c.whole("max_position_embeddings", least=1)},
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="microsoft/git-base",
        about="Captions images: BERT's layers, causal, with the patches as the first tokens.",
    ),
)
