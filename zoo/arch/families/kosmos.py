"""Kosmos-2: a decoder with norms inside attention and MLP, behind CLIP's tower; 64 learned queries carry an image."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_positive
from zoo.arch.families.llava import refuse_flat
from zoo.arch.families.vision import CLIP_VISION, PROJECTIONS, VISION_DIMS, Projector, Tower
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

TEXT_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "hidden": read_positive("embed_dim"),
    "heads": read_positive("attention_heads"),
    "layers": "layers",
    "ffn": "ffn_dim",
}
TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at("self_attn", Attention(PROJECTIONS, bias=True), layer_norm("inner_attn_ln")),
            layer_norm("self_attn_layer_norm"),
            at("ffn", Mlp(), layer_norm("ffn_layernorm", "ffn")),
            layer_norm("final_layer_norm"),
        ),
        layer_norm("layer_norm"),
    ),
)


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def is_tied(c: Config) -> bool:
    """Tied where the whole says so, or its text does."""
    return bool(c.tied or read_text(c).tied)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


def query_image(c: Config, p: Place) -> Iterable[Row]:
    """Learned queries attend to the patches, in the width of the text."""
    text, vision = read_text(c).hidden, c.section("vision_config", VISION_DIMS).hidden
    yield p.tensor("latent_query", (c.whole("latent_query_num", least=1), text), "projector", "lookup")
    yield from p.linear("dense", vision, text, "projector", True)
    for name in PROJECTIONS:
        yield from p.linear(f"x_attn.{name}", text, text, "projector", True)


def refuse_crossing(c: Config) -> str | None:
    crossing = read_text(c).flag("add_cross_attention")
    return "text_config.add_cross_attention is set" if crossing else refuse_flat(c)


register(
    Architecture(
        "kosmos-2",
        "Kosmos",
        At(
            "",
            (
                at("text_model.model", speak),
                Tower("vision_model.model", CLIP_VISION.blocks, dims=VISION_DIMS),
                at("image_to_text_projection", Projector((query_image,))),
            ),
        ),
        heads={
            "Kosmos2Model": Head(),
            "Kosmos2ForConditionalGeneration": Head(
                "", (LmHead("text_model.lm_head", inner=read_text, tie_of=is_tied),)
            ),
        },
        natural="Kosmos2ForConditionalGeneration",
        text=read_text,
        norm="layernorm",
        position="sinusoidal",
        embedding="text_model.model.embed_tokens.weight",
        supported=refuse_crossing,
        example="microsoft/kosmos-2-patch14-224",
        about="A decoder with norms inside attention and MLP, behind CLIP's tower and 64 learned queries.",
    ),
)
