"""ERNIE 4.5 VL: experts of two sizes, for text and for images, behind one tower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.ernie import SHARED
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import Projector, Tower
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, by_kind, named_kinds, resized, stack
from zoo.arch.mlp import Experts, GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

WIDTHS = (1536, 512)  # of the experts for text and for images, where the file does not say


def read_width(which: int) -> Dim:
    def read(c: Config) -> int:
        widths = c["moe_intermediate_size"]
        if widths is None:
            return WIDTHS[which]
        if not isinstance(widths, list | tuple) or len(widths) < len(WIDTHS):
            raise UnsupportedError(f"{c.model_type}: {c.path}moe_intermediate_size is not a list of two widths")
        return check_whole(widths[which], f"{c.model_type}: {c.path}moe_intermediate_size", 1)

    return read


def first_dense(c: Config) -> Sequence[str]:
    return (["dense"] + ["sparse"] * c.layers)[: c.layers]


@dataclass(frozen=True)
class Router:
    """Scores of the experts; their correction is a parameter here, that training leaves alone."""

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from p.linear("gate", c.hidden, c.experts, "router")
        yield p.tensor("gate.moe_statics.e_score_correction_bias", (1, c.experts), "router", "vector")


TEXT_DIMS: dict[str, Dim] = {
    "experts": "moe_num_experts",
    "experts_per_token": "moe_k",
    "expert_ffn": read_width(0),
    "shared_experts": "moe_num_shared_experts",
    "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
}


def see(c: Config, p: Place) -> Iterable[Row]:
    """The mixture for images: what it costs is not the text's."""
    yield from at("vision_moe", Router(), Experts())(c, p._replace(stack="vision"))


#: A token of text passes the first mixture, one of an image the second.
MIXTURES = (
    at("text_moe", Router(), Experts()),
    resized({"expert_ffn": read_width(1)}, see),
    SHARED,
)
TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at("self_attn", Attention(bias="use_bias")),
            at(
                "mlp",
                by_kind(
                    named_kinds(first_dense, "mlp_layer_types"),
                    dense=GatedMlp(bias="use_bias"),
                    sparse=MIXTURES,
                ),
            ),
            *PRE_NORMS,
        ),
        rms("norm"),
    ),
)
TOWER_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("num_heads", least=1),
    "layers": "depth",
}


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    pixels = c.whole("in_channels", least=1) * c.whole("patch_size", least=1) ** 2
    yield from p.linear("patch_embed.proj", pixels, c.hidden, "vision")


def resample(c: Config, p: Place) -> Iterable[Row]:
    """Neighbours in a frame, then in neighbouring frames, side by side through two layers each, and a last matrix."""
    vision, text = c.section("vision_config", TOWER_DIMS), read_text(c).hidden
    spatial = vision.hidden * vision.whole("spatial_merge_size", least=1) ** 2
    temporal = spatial * vision.whole("temporal_merge_size", least=1)
    for name, width in (("spatial_linear", spatial), ("temporal_linear", temporal)):
        yield from p.linear(f"{name}.fc1", width, spatial, "projector", True)
        yield from p.linear(f"{name}.fc2", spatial, spatial, "projector", True)
        yield from p.vector(f"{name}.ln", spatial, "projector", True)
    yield from p.linear("mlp", spatial, text, "projector", True)
    yield from p.vector("after_norm", text, "projector")


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


VISION_ATTENTION = FusedAttention(("qkv", "proj"), bias=True, cached=False, causal=False)
TOWER = Tower(
    "vision_tower",
    (
        embed_patches,
        stack("blocks", layer_norm("norm1"), layer_norm("norm2"), at("attn", VISION_ATTENTION), at("mlp", Mlp())),
        layer_norm("ln"),
    ),
    dims=TOWER_DIMS,
)
OLDER = "Ernie4_5_VL_Moe"  # deprecated names of the same classes

register(
    seeing(
        *("ernie4_5_vl_moe", "ERNIE", "Ernie4_5_VLMoe", at("language_model", speak), TOWER),
        at("resampler_model", Projector((resample,))),
        text=read_text,
        heads={
            f"{OLDER}Model": Head(),
            f"{OLDER}ForConditionalGeneration": Head("model.", (LmHead(inner=read_text),)),
        },
        example="baidu/ERNIE-4.5-VL-28B-A3B-PT",
        about="Experts of two sizes: a token of text passes the larger, one of an image the smaller.",
    ),
)
