"""Florence-2: BART that reads an image's features as words, from a tower that attends to windows and to channels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError, check_whole
from zoo.arch.families.llava import read_text, refuse_flat
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.families.vision import Projector, Tower
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

TEXTS = ("bart", "mbart")


class Stage(NamedTuple):
    """One stage of the tower: patches of ``patch`` x ``patch``, to ``width``; then ``depth`` pairs of blocks."""

    inputs: int
    width: int
    depth: int
    patch: int
    norm_first: bool


def read_list(c: Config, key: str, length: int, least: int = 1) -> list[int]:
    """The first ``length`` numbers of the list ``key``."""
    values = c[key]
    if not isinstance(values, list | tuple) or len(values) < length:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is not a list of {length} numbers")
    return [check_whole(value, f"{c.model_type}: {c.path}{key}", least) for value in values[:length]]


def read_stages(c: Config) -> list[Stage]:
    """A stage for each of ``embed_dim``."""
    sizes = [c[key] for key in ("embed_dim", "num_heads", "num_groups")]
    lengths = {len(size) if isinstance(size, list | tuple) else 0 for size in sizes}
    if len(lengths) > 1 or not 0 < (count := lengths.pop()) <= 20:
        raise UnsupportedError(f"{c.model_type}: {c.path}embed_dim, num_heads and num_groups are not as many numbers")
    widths = read_list(c, "embed_dim", count)
    depths, patches = read_list(c, "depths", count, 0), read_list(c, "patch_size", count)
    first = c["patch_prenorm"]
    if not isinstance(first, list | tuple) or len(first) < count or any(one not in (True, False) for one in first):
        raise UnsupportedError(f"{c.model_type}: {c.path}patch_prenorm is not a list of true or false")
    if max(depths) > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {c.path}depths has {max(depths)} layers, out of range")
    inputs = [c.whole("in_channels", least=1), *widths]
    return [Stage(*stage) for stage in zip(inputs, widths, depths, patches, map(bool, first), strict=False)]


def scale_ffn(c: Config, width: int) -> int:
    """``mlp_ratio`` times the width, cut to a whole number."""
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(width * ratio)


def half_block(c: Config, p: Place, width: int, attention: str) -> Iterable[Row]:
    """Attention and MLP, each behind a convolution over 3 x 3 neighbours of one channel."""
    ffn = scale_ffn(c, width)
    for number in (1, 2):
        yield p.tensor(f"conv{number}.weight", (width, 1, 3, 3), "vision", "conv")
        yield p.tensor(f"conv{number}.bias", (width,), "vision", "vector")
        yield from p.vector(f"norm{number}", width, "vision", True)
    yield from p.linear(f"{attention}.qkv", width, 3 * width, "vision", c.flag("qkv_bias"))
    yield from p.linear(f"{attention}.proj", width, width, "vision", True)
    yield from p.linear("ffn.fc1", width, ffn, "vision", True)
    yield from p.linear("ffn.fc2", ffn, width, "vision", True)


def see(c: Config, p: Place) -> Iterable[Row]:
    """Stages, each with fewer and wider patches: windows of patches attend, then channels (arXiv:2204.03645)."""
    for number, stage in enumerate(read_stages(c)):
        place = p.at(f"convs.{number}")
        shape = (stage.width, stage.inputs, stage.patch, stage.patch)
        yield place.tensor("conv.weight", shape, "vision")
        yield place.tensor("conv.bias", (stage.width,), "vision", "vector")
        yield from place.vector("norm", stage.inputs if stage.norm_first else stage.width, "vision", True)
        if stage.depth:
            place = p.at(f"blocks.{number}.{{}}")._replace(layers=range(stage.depth))
            yield from half_block(c, place.at("spatial_block"), stage.width, "window_attn")
            yield from half_block(c, place.at("channel_block"), stage.width, "channel_attn")


def project(c: Config, p: Place) -> Iterable[Row]:
    """A learned vector for row and column, a fixed one for the frame, and one matrix into the width of the text."""
    tower = c.section("vision_config")
    seen, width = read_stages(tower)[-1].width, tower.whole("projection_dim", least=1)
    if seen % 2:
        raise UnsupportedError(f"{c.model_type}: vision_config.embed_dim ends in {seen}, which has no half")
    yield from p.linear("image_projection", seen, width, "projector")
    yield from p.vector("image_proj_norm", width, "norm", True)
    below, places = p.at("image_position_embed"), tower.whole("max_position_embeddings", least=1)
    yield below.table("row_embeddings", places, seen // 2, "projector")
    yield below.table("column_embeddings", places, seen // 2, "projector")
    frames = (tower.whole("max_temporal_embeddings", least=1), seen)
    yield p.tensor("visual_temporal_embed.pos_idx_to_embed", frames, "projector", "lookup", role="buffer")


def speak(c: Config, p: Place) -> Iterable[Row]:
    """An encoder and a decoder, of the type that the text says."""
    text = read_text(c)
    architecture, place = find_supported(text), p.at("language_model")
    return architecture.body(text, place._replace(embedding=place.prefix + architecture.embedding))


def refuse_remote(c: Config) -> str | None:
    """Files for code of their own name other types and keys, which the class would take for its defaults."""
    seen = c.raw.get("vision_config")
    if isinstance(seen, dict) and ("dim_embed" in seen or seen.get("model_type") == "davit"):
        return "vision_config is for code of its own (dim_embed, davit), which is not followed"
    if (kind := read_text(c).model_type) not in TEXTS:
        return f"a text_config of type {kind!r:.40} is not followed"
    return refuse_flat(c)


register(
    Architecture(
        "florence2",
        "Florence",
        At("", (Tower("vision_tower", (see,)), at("multi_modal_projector", Projector((project,))), speak)),
        heads={
            "Florence2Model": Head(),
            "Florence2ForConditionalGeneration": Head(
                "model.", (LmHead(inner=read_text, tie_of=lambda c: bool(c.tied)),)
            ),
        },
        natural="Florence2ForConditionalGeneration",
        text=read_text,
        norm="layernorm",
        position="learned",
        embedding="language_model.shared.weight",
        supported=refuse_remote,
        example="florence-community/Florence-2-base",
        about="BART that answers about an image: its tower attends to windows of patches and to channels by turns.",
    )
)
