"""Inkling 2: its text model behind a tower with a gain on every residual."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.llava import TEXT, VISION
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import scale_residuals, tower
from zoo.arch.families.vision import PROJECTIONS, Projector, class_token
from zoo.arch.layers import at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_ffn(c: Config) -> int:
    """``intermediate_size``, else the hidden size times ``mlp_ratio``, rounded down."""
    said = c.maybe("intermediate_size", least=1)
    if said is not None:
        return said
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(c.hidden * ratio)


def count_cells(c: Config) -> int:
    """The grid of learned positions, which is resampled to that of each image."""
    return c.whole("posemb_grid_size", least=1) ** 2


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    yield from class_token(c, p)
    yield p.tensor("cls_position_embedding", (c.hidden,), "vision", "vector")
    yield from p.linear("patch_embedding", c.channels * c.whole("patch_size", least=1) ** 2, c.hidden, "vision")
    yield p.table("position_embedding", c.patches, c.hidden, "vision")


def merge_patches(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches side by side through two matrices."""
    inner, bias = c.whole("projection_hidden_dim", least=1), c.flag("projector_bias")
    merged = c.hidden * c.whole("spatial_merge_size", least=1) ** 2
    yield from p.linear("linear_1", merged, inner, "projector", bias)
    yield from p.linear("linear_2", inner, c.whole("text_hidden_size", least=1), "projector", bias)


DIMS: dict[str, Dim] = {"ffn": read_ffn, "context": count_cells, "patches": count_cells}

register(
    tower(
        "inkling2_vision",
        "Inkling",
        at("embeddings", embed_patches),
        layer_norm("pre_layernorm"),
        stack(
            "layers",
            at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
            at("mlp", Mlp()),
            layer_norm("layernorm_before"),
            layer_norm("layernorm_after"),
            scale_residuals,
        ),
        at("merger", Projector((merge_patches,))),
        name="Inkling2VisionModel",
        dims=DIMS,
        about="The tower of Inkling 2: a class token, positions on a grid, and a gain on every residual.",
    ),
    seeing(
        *("inkling2", "Inkling", "Inkling2", TEXT, VISION),
        about="Inkling 2's text model behind a tower with a gain on every residual.",
    ),
)
