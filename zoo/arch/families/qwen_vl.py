"""Qwen2-VL and Qwen2.5-VL: Qwen2 with a vision tower of its own, which takes images of any size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim
from zoo.arch.families.qwen import QWEN_DIMS, QWEN_KINDS
from zoo.arch.families.vision import Projector, Tower
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import At, at, open_section, stack, text_section
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import Norm, layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

TEXT_DIMS: dict[str, Dim] = {**QWEN_DIMS, "head_dim": MULTI_HEAD["head_dim"]}
QWEN2_LAYER = (
    at("self_attn", Attention(bias=True, o_bias=False, kinds=QWEN_KINDS)),
    at("mlp", GatedMlp()),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """A convolution over ``temporal_patch_size`` frames of square patches."""
    patch, frames = c.whole("patch_size", least=1), c.whole("temporal_patch_size", least=1)
    yield p.tensor("patch_embed.proj.weight", (c.hidden, c.whole("in_channels"), frames, patch, patch), "vision")


@dataclass(frozen=True)
class PatchMerger:
    """Four neighbouring patches become one position of the text: a norm and two biased layers."""

    norm: Norm

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        merged = c.hidden * c.whole("spatial_merge_size", least=1) ** 2
        yield from self.norm(c, p)
        yield from p.linear("mlp.0", merged, merged, "projector", True)
        yield from p.linear("mlp.2", merged, c.text_hidden, "projector", True)


VISION_ATTENTION = FusedAttention(("qkv", "proj"), bias=True, cached=False, causal=False)
VISION_DIMS: dict[str, Dim] = {**MULTI_HEAD, "layers": "depth", "heads": lambda c: c.whole("num_heads", least=1)}
TOWER_2 = Tower(
    "visual",
    (
        embed_patches,
        stack("blocks", layer_norm("norm1"), layer_norm("norm2"), at("attn", VISION_ATTENTION), at("mlp", Mlp())),
        at("merger", Projector((PatchMerger(layer_norm("ln_q")),))),
    ),
    dims=VISION_DIMS
    | {
        "hidden": lambda c: c.whole("embed_dim", least=1),
        "ffn": lambda c: c.hidden * c.whole("mlp_ratio", least=1),
        "text_hidden": "hidden_size",
    },
)
TOWER_2_5 = Tower(
    "visual",
    (
        embed_patches,
        stack("blocks", rms("norm1"), rms("norm2"), at("attn", VISION_ATTENTION), at("mlp", GatedMlp(bias=True))),
        at("merger", Projector((PatchMerger(rms("ln_q")),))),
    ),
    dims=VISION_DIMS | {"text_hidden": "out_hidden_size"},
)


def read_text(c: Config) -> Config:
    """The text section; files older than it keep its keys at the top."""
    return open_section(c, "text_config", flat=True)


def is_tied_anywhere(c: Config) -> bool:
    """Tied where the whole says so, or its text does: some files keep the key there."""
    return bool(c.tied or read_text(c).tied)


def qwen_vl(model_type: str, prefix: str, tower: Tower, example: str, about: str) -> tuple[Architecture, Architecture]:
    """The whole model, and its text model, which has a type of its own."""
    text = decoder(
        f"{model_type}_text",
        prefix,
        "Qwen",
        *QWEN2_LAYER,
        heads={f"{prefix}TextModel": Head()},
        dims=TEXT_DIMS,
        about=f"The language model inside {prefix}: Qwen2's layers.",
    )
    whole = Architecture(
        model_type,
        "Qwen",
        At("", (tower, text_section(flat=True))),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=is_tied_anywhere),)),
        },
        natural=f"{prefix}ForConditionalGeneration",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        example=example,
        about=about,
    )
    return text, whole


register(
    *qwen_vl(
        "qwen2_vl",
        "Qwen2VL",
        TOWER_2,
        "Qwen/Qwen2-VL-7B-Instruct",
        "Qwen2 behind a vision transformer that takes images as they are and merges four patches into one position.",
    ),
    *qwen_vl(
        "qwen2_5_vl",
        "Qwen2_5_VL",
        TOWER_2_5,
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen2-VL with a tower of gated MLPs and RMSNorm, most layers of which attend to windows of the image.",
    ),
)
