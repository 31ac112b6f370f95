"""Florence-2: BART that reads an image's features as words, from a tower that attends to windows and to channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from zoo.arch.config import MAX_LAYERS, Config, TypeSpec, UnsupportedError, check_whole, find_spec
from zoo.arch.families.bart import BART_DIMS, logits_bias
from zoo.arch.families.llava import read_text, refuse_flat
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.families.swin import scale_width
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


class Names(NamedTuple):
    """How the tower names its parts; the first code for it wrapped each block in a module of its own."""

    patches: str = "conv"
    neighbours: str = ""
    wrapped: bool = False


NAMES = Names()


def half_block(c: Config, p: Place, width: int, attention: str, names: Names) -> Iterable[Row]:
    """Attention and MLP, each behind a convolution over 3 x 3 neighbours of one channel."""
    ffn, mlp = scale_width(c, width), "ffn"
    norms = (f"{attention}.norm", "ffn.norm") if names.wrapped else ("norm1", "norm2")
    if names.wrapped:
        attention, mlp = f"{attention}.fn", "ffn.fn.net"
    for number in (1, 2):
        yield p.tensor(f"conv{number}{names.neighbours}.weight", (width, 1, 3, 3), "vision", "conv")
        yield p.tensor(f"conv{number}{names.neighbours}.bias", (width,), "vision", "vector")
        yield from p.vector(norms[number - 1], width, "vision", True)
    yield from p.linear(f"{attention}.qkv", width, 3 * width, "vision", c.flag("qkv_bias"))
    yield from p.linear(f"{attention}.proj", width, width, "vision", True)
    yield from p.linear(f"{mlp}.fc1", width, ffn, "vision", True)
    yield from p.linear(f"{mlp}.fc2", ffn, width, "vision", True)


def see(c: Config, p: Place, names: Names = NAMES) -> Iterable[Row]:
    """Stages, each with fewer and wider patches: windows of patches attend, then channels (arXiv:2204.03645)."""
    for number, stage in enumerate(read_stages(c)):
        place = p.at(f"convs.{number}")
        shape = (stage.width, stage.inputs, stage.patch, stage.patch)
        yield place.tensor(f"{names.patches}.weight", shape, "vision")
        yield place.tensor(f"{names.patches}.bias", (stage.width,), "vision", "vector")
        yield from place.vector("norm", stage.inputs if stage.norm_first else stage.width, "vision", True)
        if stage.depth:
            place = p.at(f"blocks.{number}.{{}}")._replace(layers=range(stage.depth))
            yield from half_block(c, place.at("spatial_block"), stage.width, "window_attn", names)
            yield from half_block(c, place.at("channel_block"), stage.width, "channel_attn", names)


def half_width(c: Config) -> int:
    """Half of what the tower's last stage puts out: rows have one half of a position's vector, columns the other."""
    seen = read_stages(c)[-1].width
    if seen % 2:
        raise UnsupportedError(f"{c.model_type}: {c.path}embed_dim ends in {seen}, which has no half")
    return seen // 2


def place_patches(c: Config, p: Place, name: str) -> Iterable[Row]:
    """A learned vector for row and column, and a fixed one for the frame."""
    half, below, places = half_width(c), p.at(name), c.whole("max_position_embeddings", least=1)
    yield below.table("row_embeddings", places, half, "projector")
    yield below.table("column_embeddings", places, half, "projector")
    frames = (c.whole("max_temporal_embeddings", least=1), 2 * half)
    yield p.tensor("visual_temporal_embed.pos_idx_to_embed", frames, "projector", "lookup", role="buffer")


def project(c: Config, p: Place) -> Iterable[Row]:
    """Positions, and one matrix into the width of the text."""
    tower = c.section("vision_config")
    width = tower.whole("projection_dim", least=1)
    yield from p.linear("image_projection", 2 * half_width(tower), width, "projector")
    yield from p.vector("image_proj_norm", width, "norm", True)
    yield from place_patches(tower, p, "image_position_embed")


def speak(c: Config, p: Place) -> Iterable[Row]:
    """An encoder and a decoder, of the type that the text says."""
    text = read_text(c)
    architecture, place = find_supported(text), p.at("language_model")
    return architecture.body(text, place._replace(embedding=place.prefix + architecture.embedding))


NATIVE = At("", (Tower("vision_tower", (see,)), at("multi_modal_projector", Projector((project,))), speak))

#: What the first code for Florence-2, which came with its files, declares for its sections.
FIRST_TOWER: Mapping[str, Any] = {
    "in_channels": 3,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "projection_dim": 1024,
    "embed_dim": [256, 512, 1024, 2048],
    "num_heads": [8, 16, 32, 64],
    "num_groups": [8, 16, 32, 64],
    "depths": [1, 1, 9, 1],
    "patch_size": [7, 3, 3, 3],
    "patch_prenorm": [False, True, True, True],
}
#: And what no file of it can say: keys by these names mean nothing there.
FIRST_FIXED = ("in_channels", "mlp_ratio", "qkv_bias", "embed_dim")
FIRST_KEYS = ("image_pos_embed", "max_pos_embeddings"), ("visual_temporal_embedding", "max_temporal_embeddings")
FIRST_NAMES = Names("proj", ".fn.dw", wrapped=True)


def is_first(c: Config) -> bool:
    """Whether the file is for that code: it names its sections otherwise, and the widths of the tower."""
    text, seen = c.raw.get("text_config"), c.raw.get("vision_config")
    said = isinstance(text, Mapping) and text.get("model_type") == "florence2_language"
    return said or (isinstance(seen, Mapping) and ("dim_embed" in seen or seen.get("model_type") == "davit"))


def read_first_tower(c: Config) -> Config:
    """The tower's section in the words of the later class."""
    raw = c["vision_config"]
    if not isinstance(raw, Mapping):
        raise UnsupportedError(f"{c.model_type}: vision_config is not an object")
    sizes = []
    for key, inner in FIRST_KEYS:
        inside = raw.get(key)
        if not isinstance(inside, Mapping) or inner not in inside:
            raise UnsupportedError(f"{c.model_type}: vision_config.{key} has no {inner}")
        sizes.append(inside[inner])
    known = {key: raw[key] for key in FIRST_TOWER if key in raw and key not in FIRST_FIXED}
    widths = {"embed_dim": raw["dim_embed"]} if "dim_embed" in raw else {}
    known = {**known, **widths, "max_position_embeddings": sizes[0], "max_temporal_embeddings": sizes[1]}
    return Config(known, "florence_vision", parent=c, path="vision_config.", spec=TypeSpec(FIRST_TOWER, {}, {}))


def read_any_text(c: Config) -> Config:
    """The section of the text: BART's, whatever the first code calls it."""
    if not is_first(c):
        return read_text(c)
    raw, spec = c["text_config"], find_spec("bart")
    if not isinstance(raw, Mapping):
        raise UnsupportedError(f"{c.model_type}: text_config is not an object")
    spec = spec._replace(defaults={**spec.defaults, "vocab_size": 51289})
    return Config(raw, "bart", BART_DIMS, parent=c, path="text_config.", spec=spec)


def project_first(c: Config, p: Place) -> Iterable[Row]:
    """The same with the matrix as it is multiplied, [vision, text]."""
    tower = read_first_tower(c)
    width = tower.whole("projection_dim", least=1)
    yield p.tensor("image_projection", (2 * half_width(tower), width), "projector")
    yield from p.vector("image_proj_norm", width, "norm", True)
    yield from place_patches(tower, p, "image_pos_embed")


def speak_first(c: Config, p: Place) -> Iterable[Row]:
    """BART whole, its head included."""
    text, place = read_any_text(c), p.at("language_model")
    embedding = f"{place.prefix}model.shared.weight"
    yield from find_supported(text).body(text, place.at("model")._replace(embedding=embedding))
    yield from logits_bias(text, place)
    yield from LmHead()(text, place._replace(embedding=embedding))


def see_first(c: Config, p: Place) -> Iterable[Row]:
    yield from see(read_first_tower(c), p.at("vision_tower")._replace(part="vision", stack="vision"), FIRST_NAMES)


FIRST = At("", (see_first, Projector((project_first,)), speak_first))
LM_HEAD = LmHead(inner=read_text, tie_of=lambda c: bool(c.tied))


def answer(c: Config, p: Place) -> Iterable[Row]:
    """The class that writes, of the one code or the other."""
    if is_first(c):
        yield from FIRST(c, p)
    else:
        yield from NATIVE(c, p.at("model"))
        yield from LM_HEAD(c, p._replace(embedding="model.language_model.shared.weight"))


def refuse_others(c: Config) -> str | None:
    """Texts that were never seen here, and classes that the first code has not."""
    if is_first(c):
        named = c.raw.get("architectures") or [None]
        if isinstance(named, list) and named[0] == "Florence2Model":
            return "text_config or vision_config is for code that has no Florence2Model"
    elif (kind := read_text(c).model_type) not in TEXTS:
        return f"a text_config of type {kind!r:.40} is not followed"
    return refuse_flat(c)


register(
    Architecture(
        "florence2",
        "Florence",
        NATIVE,
        heads={"Florence2Model": Head(), "Florence2ForConditionalGeneration": Head(body=answer)},
        natural="Florence2ForConditionalGeneration",
        text=read_any_text,
        norm="layernorm",
        position="learned",
        embedding="language_model.shared.weight",
        supported=refuse_others,
        example="florence-community/Florence-2-base",
        about="BART that answers about an image: its tower attends to windows of patches and to channels by turns.",
    )
)
