"""MiniMax-M3: its text model behind a tower without learned positions, and two projectors one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.llava import TEXT, is_tied_anywhere, read_text
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import VISION_ATTENTION, VISION_DIMS, Projector, Tower
from zoo.arch.layers import at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """A convolution over ``temporal_patch_size`` frames of square patches."""
    patch, frames = c.whole("patch_size", least=1), c.whole("temporal_patch_size", least=1)
    yield p.tensor("embeddings.proj.weight", (c.hidden, c.channels, frames, patch, patch), "vision")


def project(c: Config, p: Place) -> Iterable[Row]:
    """Each patch into the width of the text, and then neighbours side by side into it again."""
    vision, text = c.section("vision_config", VISION_DIMS), read_text(c).hidden
    inner, merged = c.whole("projector_hidden_size", least=1), text * vision.whole("spatial_merge_size", least=1) ** 2
    yield from p.linear("linear_1", vision.hidden, inner, "projector", True)
    yield from p.linear("linear_2", inner, text, "projector", True)
    yield from p.linear("merge_linear_1", merged, inner, "projector", True)
    yield from p.linear("merge_linear_2", inner, text, "projector", True)


TOWER = Tower(
    "vision_tower",
    (
        embed_patches,
        layer_norm("pre_layrnorm"),  # spelt so in every checkpoint
        stack(
            "layers",
            at("self_attn", VISION_ATTENTION),
            layer_norm("layer_norm1"),
            at("mlp", Mlp()),
            layer_norm("layer_norm2"),
        ),
    ),
    dims=VISION_DIMS,
)

register(
    seeing(
        *("minimax_m3_vl", "MiniMax", "MiniMaxM3VL", TOWER, at("multi_modal_projector", Projector((project,))), TEXT),
        tie=is_tied_anywhere,
        natural="MiniMaxM3SparseForConditionalGeneration",
        example="MiniMaxAI/MiniMax-M3",
        about="4 of 128 experts and one shared; most layers attend to blocks of the context that an indexer picks.",
    ),
)
