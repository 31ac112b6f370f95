"""GLM-4.1V, GLM-4.5V, GLM-4.6V and GLM-OCR: GLM behind a tower with a convolution that merges patches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim
from zoo.arch.families.deepseek import MOE_V3, dense_first
from zoo.arch.families.llava import is_tied_anywhere, read_text
from zoo.arch.families.llava_kin import is_tied_whole, seeing
from zoo.arch.families.qwen3_vl import embed_patches
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Positions, Projector, count_patches
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind, stack, text_section, vision_section
from zoo.arch.mlp import FusedGatedMlp, GatedMlp
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))
POST_NORMS = (rms("post_self_attn_layernorm"), rms("post_mlp_layernorm"))


def merge_patches(c: Config, p: Place) -> Iterable[Row]:
    """A convolution over ``spatial_merge_size`` x ``spatial_merge_size`` patches, to the width of the text."""
    side, output = c.whole("spatial_merge_size", least=1), c.merged
    yield p.tensor("downsample.weight", (output, c.hidden, side, side), "projector")
    yield p.tensor("downsample.bias", (output,), "projector", "vector")


@dataclass(frozen=True)
class Merger:
    """A matrix, a norm and a gated MLP, all in the width of the text; ``inner`` is the width between."""

    inner: Callable[[Config], int]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        width, inner = c.merged, self.inner(c)
        yield from p.linear("proj", width, width, "projector")
        yield from layer_norm("post_projection_norm", lambda c: width)(c, p)
        yield from p.linear("gate_proj", width, inner, "projector")
        yield from p.linear("up_proj", width, inner, "projector")
        yield from p.linear("down_proj", inner, width, "projector")


MERGED: Dim = lambda c: c.whole("out_hidden_size", least=1)  # noqa: E731 # a dimension, as others are
TOWER_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("num_heads", least=1),
    "layers": "depth",
    "context": count_patches,
    "patches": count_patches,
    "merged": MERGED,
}
#: The tower's MLPs are as wide as the text is.
GLM4V_ATTENTION = FusedAttention(("qkv", "proj"), bias="attention_bias", o_bias=False, cached=False, causal=False)
GLM4V_BLOCKS: tuple[Block, ...] = (
    at("embeddings", Positions()),
    embed_patches,
    stack("blocks", rms("norm1"), rms("norm2"), at("attn", GLM4V_ATTENTION), at("mlp", GatedMlp(width="merged"))),
    at("merger", Projector((Merger(lambda c: int(c.ffn)),))),
    rms("post_conv_layernorm"),
    Projector((merge_patches,)),
    rms("post_layernorm"),
)
OCR_ATTENTION = FusedAttention(("qkv", "proj"), bias="attention_bias", cached=False, causal=False, extra=QK_NORM)
OCR_BLOCKS: tuple[Block, ...] = (
    embed_patches,
    stack("blocks", rms("norm1"), rms("norm2"), at("attn", OCR_ATTENTION), at("mlp", GatedMlp(bias="attention_bias"))),
    at("merger", Projector((Merger(lambda c: int(c.merged * c.whole("in_channels", least=1))),))),
    Projector((merge_patches,)),
    rms("post_layernorm"),
)


def glm_tower(model_type: str, name: str, blocks: tuple[Block, ...]) -> Architecture:
    about = f"The tower of {model_type.removesuffix('_vision')}: patches over two frames, gated MLPs."
    return tower(model_type, "GLM", *blocks, name=name, dims=TOWER_DIMS, norm="rmsnorm", about=about)


def glm_vl(
    model_type: str, prefix: str, example: str, about: str, tie: Callable[[Config], bool] = is_tied_anywhere
) -> Architecture:
    """Tower and text; ``tie`` is who decides whether the head is tied."""
    return seeing(
        *(model_type, "GLM", prefix, vision_section(name="visual"), text_section()),
        tie=tie,
        text=read_text,
        example=example,
        about=about,
    )


MIXTURE: dict[str, Dim] = {
    "experts": "n_routed_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ffn": "moe_intermediate_size",
    "shared_experts": "n_shared_experts",
    "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
}

register(
    glm_tower("glm4v_vision", "Glm4vVisionModel", GLM4V_BLOCKS),
    glm_tower("glm4v_moe_vision", "Glm4vMoeVisionModel", GLM4V_BLOCKS),
    glm_tower("glm_ocr_vision", "GlmOcrVisionModel", OCR_BLOCKS),
    decoder(
        *("glm4v_text", "Glm4v", "GLM"),
        at("self_attn", Attention(bias=True, o_bias=False)),
        at("mlp", FusedGatedMlp()),
        *(*PRE_NORMS, *POST_NORMS),
        heads={"Glm4vTextModel": Head()},
        dims={"head_dim": MULTI_HEAD["head_dim"]},
        about="The language model inside GLM-4.1V: GLM-4's layers.",
    ),
    decoder(
        *("glm4v_moe_text", "Glm4vMoe", "GLM"),
        at("self_attn", Attention(bias="attention_bias", o_bias=False)),
        at("mlp", by_kind(dense_first, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads={"Glm4vMoeTextModel": Head()},
        dims=MIXTURE,
        about="The language model inside GLM-4.5V: GLM-4.5-Air's layers.",
    ),
    decoder(
        *("glm_ocr_text", "GlmOcr", "GLM"),
        at("self_attn", Attention()),
        at("mlp", FusedGatedMlp()),
        *(*PRE_NORMS, *POST_NORMS),
        heads={"GlmOcrTextModel": Head()},
        about="The language model inside GLM-OCR: GLM-4's layers without biases.",
    ),
    glm_vl("glm4v", "Glm4v", "zai-org/GLM-4.1V-9B-Thinking", "GLM-4 behind a tower that takes images as they are."),
    glm_vl("glm4v_moe", "Glm4vMoe", "zai-org/GLM-4.5V", "GLM-4.5-Air behind GLM-4.1V's tower."),
    glm_vl(
        "glm46v", "Glm46V", "zai-org/GLM-4.6V-Flash", "GLM-4.1V's parts or GLM-4.5V's, by its sections.", is_tied_whole
    ),
    glm_vl("glmga", "Glm46V", "", "GLM-4.6V's classes under another type.", is_tied_whole),
    glm_vl(
        "glm_ocr",
        "GlmOcr",
        "zai-org/GLM-OCR",
        "A small GLM that reads pages, behind a tower with norms on queries and keys.",
    ),
)
