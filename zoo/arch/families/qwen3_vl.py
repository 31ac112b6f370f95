"""Qwen3-VL and Qwen3.5: Qwen's later language models behind a vision tower with learned positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError
from zoo.arch.families.qwen_moe import EXPERTS as SPARSE
from zoo.arch.families.qwen_moe import mlp_kinds
from zoo.arch.families.qwen_next import EXPERTS, MOE, PRE_NORMS, SPLIT_MIXER, FinalNormAndMtp
from zoo.arch.families.vision import Projector, Vision
from zoo.arch.heads import Embedding, LabelHead, LmHead, decoder
from zoo.arch.layers import At, Stack, at, by_kind, open_section, stack, text_section, vision_section
from zoo.arch.mlp import GatedMlp, Mlp, Moe
from zoo.arch.norms import QK_NORM, Norm, layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """A biased convolution over ``temporal_patch_size`` frames of square patches."""
    patch, frames = c.whole("patch_size", least=1), c.whole("temporal_patch_size", least=1)
    below = p.at("patch_embed")
    yield below.tensor("proj.weight", (c.hidden, c.whole("in_channels"), frames, patch, patch), "vision")
    yield below.tensor("proj.bias", (c.hidden,), "vision", "vector")


def merged_width(c: Config) -> int:
    """Neighbouring patches side by side."""
    return int(c.hidden * c.whole("spatial_merge_size", least=1) ** 2)


@dataclass(frozen=True)
class PatchMerger:
    """Neighbouring patches become one position of the text: a norm, before or ``after`` they are joined, two layers."""

    after: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        merged = merged_width(c)
        yield from Norm("norm", (lambda c: merged) if self.after else "hidden", True)(c, p)
        yield from p.linear("linear_fc1", merged, merged, "projector", True)
        yield from p.linear("linear_fc2", merged, c.whole("out_hidden_size", least=1), "projector", True)


def count_deepstack(c: Config) -> int:
    """From how many layers of the tower features are also taken into the first layers of the text."""
    layers = c["deepstack_visual_indexes"]
    if not isinstance(layers, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}deepstack_visual_indexes is not a list of layers")
    return len(layers)


VISION_ATTENTION = FusedAttention(("qkv", "proj"), bias=True, cached=False, causal=False)
VISION_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("num_heads", least=1),
    "layers": "depth",
    "vocab": lambda c: 0,
    "positions": "num_position_embeddings",
    "context": "num_position_embeddings",
}
TOWER: tuple[Block, ...] = (
    embed_patches,
    Embedding("pos_embed", "positions", part="position"),
    stack(
        "blocks",
        layer_norm("norm1"),
        layer_norm("norm2"),
        at("attn", VISION_ATTENTION),
        at("mlp", Mlp(("linear_fc1", "linear_fc2"))),
    ),
    at("merger", Projector((PatchMerger(),))),
)
DEEPSTACK = Projector((Stack("deepstack_merger_list", (PatchMerger(after=True),), "deepstack"),))


def vision_model(model_type: str, prefix: str, *more: Block, dims: dict[str, Dim] | None = None) -> Architecture:
    """The tower, which has a type of its own."""
    return Architecture(
        model_type,
        "Qwen",
        Vision((*TOWER, *more)),
        heads={f"{prefix}VisionModel": Head()},
        natural=f"{prefix}VisionModel",
        dims=VISION_DIMS | (dims or {}),
        norm="layernorm",
        position="learned",
        about=f"The vision tower inside {prefix}.",
    )


def read_text(c: Config) -> Config:
    return open_section(c, "text_config")


def whole_model(model_type: str, prefix: str, example: str, about: str, **heads: Head) -> Architecture:
    """Tower and text together; the whole says whether the head is tied."""
    return Architecture(
        model_type,
        "Qwen",
        At("", (vision_section(name="visual"), text_section())),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("model.", (LmHead(inner=read_text),)),
            **heads,
        },
        natural=f"{prefix}ForConditionalGeneration",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        example=example,
        about=about,
    )


#: The class of the text alone, which takes the section for its config: the section says whether the head is tied.
TEXT_ALONE = Head(
    "model.",
    (LmHead(inner=read_text, tie_of=lambda c: bool(read_text(c).tied)),),
    text_section(name=""),
    "embed_tokens.weight",
)
QWEN3_ATTENTION = at("self_attn", Attention(bias="attention_bias", extra=QK_NORM))
STACKED: dict[str, Dim] = {"deepstack": count_deepstack}
SPARSE_NO_WINDOW: dict[str, Dim] = SPARSE | {"window": lambda c: None}

register(
    vision_model("qwen3_vl_vision", "Qwen3VL", DEEPSTACK, dims=STACKED),
    vision_model("qwen3_vl_moe_vision", "Qwen3VLMoe", DEEPSTACK, dims=STACKED),
    vision_model("qwen3_5_vision", "Qwen3_5"),
    vision_model("qwen3_5_moe_vision", "Qwen3_5Moe"),
    decoder(
        "qwen3_vl_text",
        "Qwen3VL",
        "Qwen",
        QWEN3_ATTENTION,
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads={"Qwen3VLTextModel": Head()},
        about="The language model inside Qwen3-VL: Qwen3's layers.",
    ),
    decoder(
        "qwen3_vl_moe_text",
        "Qwen3VLMoe",
        "Qwen",
        QWEN3_ATTENTION,
        at("mlp", by_kind(mlp_kinds, dense=GatedMlp(), sparse=Moe())),
        *PRE_NORMS,
        heads={"Qwen3VLMoeTextModel": Head()},
        dims=SPARSE_NO_WINDOW,
        about="The language model inside Qwen3-VL-MoE: Qwen3-MoE's layers.",
    ),
    decoder(
        "qwen3_5_text",
        "Qwen3_5",
        "Qwen",
        SPLIT_MIXER,
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        final=FinalNormAndMtp(at("mlp", GatedMlp())),
        heads={
            "Qwen3_5TextModel": Head(),
            "Qwen3_5ForCausalLM": Head("model.", (LmHead(),)),
            "Qwen3_5TextForSequenceClassification": Head("model.", (LabelHead("score"),)),
        },
        about="The language model inside Qwen3.5: three layers of the gated delta rule to one of gated full attention.",
    ),
    decoder(
        "qwen3_5_moe_text",
        "Qwen3_5Moe",
        "Qwen",
        SPLIT_MIXER,
        at("mlp", MOE),
        *PRE_NORMS,
        final=FinalNormAndMtp(at("mlp", MOE)),
        heads={"Qwen3_5MoeTextModel": Head(), "Qwen3_5MoeForCausalLM": Head("model.", (LmHead(),))},
        dims={**EXPERTS, "ffn": lambda c: c.expert_ffn},
        about="The language model inside Qwen3.5-MoE: Qwen3.5's layers with 8 of 256 experts per token.",
    ),
    whole_model(
        "qwen3_vl",
        "Qwen3VL",
        "Qwen/Qwen3-VL-8B-Instruct",
        "Qwen3 behind a vision tower, of which several layers feed the first layers of the text.",
    ),
    whole_model(
        "qwen3_vl_moe",
        "Qwen3VLMoe",
        "Qwen/Qwen3-VL-30B-A3B-Instruct",
        "Qwen3-MoE behind Qwen3-VL's tower.",
    ),
    whole_model(
        "qwen3_5",
        "Qwen3_5",
        "Qwen/Qwen3.5-27B",
        "Three layers with a state of fixed size to one with a cache, behind a vision tower.",
        Qwen3_5ForSequenceClassification=Head("model.", (LabelHead("score", inner=read_text),)),
        Qwen3_5ForTokenClassification=Head("model.", (LabelHead("score", bias=True, inner=read_text),)),
        Qwen3_5ForCausalLM=TEXT_ALONE,
    ),
    whole_model(
        "qwen3_5_moe",
        "Qwen3_5Moe",
        "Qwen/Qwen3.5-35B-A3B",
        "Qwen3.5 with 8 of 256 small experts per token and a shared one.",
        Qwen3_5MoeForCausalLM=TEXT_ALONE,
    ),
)
