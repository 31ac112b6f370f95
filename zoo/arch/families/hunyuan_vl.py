"""HunYuan-VL: HunYuan's dense layers behind a tower with a convolution that merges patches."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, read_head_dim
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Patches, Projector
from zoo.arch.heads import decoder
from zoo.arch.layers import at, open_section, stack, text_section, vision_section
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row


def read_text(c: Config) -> Config:
    """The text section; files older than it keep its keys at the top."""
    return open_section(c, "text_config", flat=True)


def is_tied(c: Config) -> bool:
    """Tied unless both the whole and the text say otherwise, which a file without a section for the text cannot."""
    return c.raw.get("text_config") is None or bool(c.tied or read_text(c).tied)


def count_positions(c: Config) -> int:
    """A square grid for the largest image, and one position more."""
    return (c.whole("max_image_size") // c.whole("patch_size", least=1)) ** 2 + 1


def read_text_width(c: Config) -> int:
    """The width of the text that the tower stands in, whatever its own section says."""
    return int(read_text(c.parent).hidden) if c.parent else c.whole("text_hidden_size", least=1)


def embed_positions(c: Config, p: Place) -> Iterable[Row]:
    yield p.table("position_embedding", c.patches, c.hidden, "vision")


def merge_patches(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions and a matrix to the width of the text; learned vectors for the ends of rows and images."""
    side, text = c.whole("spatial_merge_size", least=1), c.text_hidden
    yield p.tensor("proj_conv.weight", (2 * c.hidden, c.hidden, side, side), "projector")
    yield p.tensor("proj_conv.bias", (2 * c.hidden,), "projector", "vector")
    yield p.tensor("proj_out.weight", (4 * c.hidden, 2 * c.hidden, 1, 1), "projector")
    yield p.tensor("proj_out.bias", (4 * c.hidden,), "projector", "vector")
    yield from p.linear("mlp", 4 * c.hidden, text, "projector", True)
    yield p.tensor("image_newline", (4 * c.hidden,), "projector", "vector")
    for name in ("image_begin", "image_end", "image_sep"):
        yield p.tensor(name, (text,), "projector", "vector")
    yield from p.vector("before_rms", c.hidden, "projector")
    yield from p.vector("after_rms", text, "projector")


QK_NORMS = (rms("query_layernorm", "head_dim"), rms("key_layernorm", "head_dim"))
TOWER_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "head_dim": read_head_dim,
    "context": count_positions,
    "patches": count_positions,
    "text_hidden": read_text_width,
}

register(
    tower(
        "hunyuan_vl_vision",
        "HunYuan",
        at("embeddings", Patches("patch_embedding", bias=True), embed_positions),
        stack(
            "layers",
            layer_norm("layer_norm1"),
            at("self_attn", Attention(bias=True, cached=False, causal=False)),
            layer_norm("layer_norm2"),
            at("mlp", Mlp()),
        ),
        at("patch_merger", Projector((merge_patches,))),
        name="HunYuanVLVisionTransformer",
        dims=TOWER_DIMS,
        about="The tower of HunYuan-VL: a grid of learned positions, and convolutions that merge patches.",
    ),
    decoder(
        *("hunyuan_vl_text", "HunYuanVL", "HunYuan"),
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORMS)),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads={"HunYuanVLTextModel": Head()},
        # The class fails where head_dim is null.
        dims={"head_dim": lambda c: c.whole("head_dim", least=1)},
        about="The language model inside HunYuan-VL: HunYuan's dense layers.",
    ),
    seeing(
        *("hunyuan_vl", "HunYuan", "HunYuanVL", text_section(flat=True), vision_section()),
        tie=is_tied,
        text=read_text,
        supported=None,
        example="tencent/HunyuanOCR",
        about="HunYuan's dense layers behind a tower for images of any shape; convolutions merge four patches.",
    ),
)
