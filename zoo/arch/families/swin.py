"""Swin, its second version and Donut's: windows of patches, in stages of ever fewer and wider ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, MULTI_HEAD, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.image_encoders import ImageLabels, PixelHead
from zoo.arch.families.towers import count_rectangle, read_pair
from zoo.arch.families.vision import VISION_DIMS, Vision
from zoo.arch.layers import At, Flag, at, is_on, resized, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


class Stage(NamedTuple):
    """One stage: its width, its layers and their heads."""

    width: int
    depth: int
    heads: int

    def sizes(self) -> dict[str, Dim]:
        """The dimensions that its blocks see."""
        return {"hidden": lambda _: self.width, "heads": lambda _: self.heads, "layers": lambda _: self.depth}


def read_stages(c: Config) -> list[Stage]:
    """A stage for each of ``depths``, the width doubled from one to the next."""
    depths, heads = c["depths"], c["num_heads"]
    if not isinstance(depths, list | tuple) or not isinstance(heads, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}depths or num_heads is not a list")
    if not 0 < len(depths) <= len(heads) or len(depths) > 20:
        raise UnsupportedError(f"{c.model_type}: {c.path}depths has {len(depths)} stages, num_heads {len(heads)}")
    width, stages = c.whole("embed_dim", least=1), []
    for number, (depth, count) in enumerate(zip(depths, heads, strict=False)):
        layers = check_whole(depth, f"{c.model_type}: {c.path}depths")
        if layers > MAX_LAYERS:
            raise UnsupportedError(f"{c.model_type}: {c.path}depths has {layers} layers, out of range")
        stages.append(Stage(width << number, layers, check_whole(count, f"{c.model_type}: {c.path}num_heads", 1)))
    return stages


def last_width(c: Config) -> int:
    """The width of what comes out."""
    return read_stages(c)[-1].width


def scale_width(c: Config, width: int) -> int:
    """``mlp_ratio`` times ``width``, cut to a whole number."""
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(ratio * width)


def count_output(c: Config) -> int:
    """Positions that come out: patches, halved in each dimension between stages, what is odd filled up."""
    (height, width), (tall, wide) = read_pair(c, "image_size"), read_pair(c, "patch_size")
    rows, columns = -(-height // tall), -(-width // wide)
    for _ in read_stages(c)[1:]:
        rows, columns = -(-rows // 2), -(-columns // 2)
    return rows * columns


SWIN_DIMS: dict[str, Dim] = {
    **VISION_DIMS,
    **MULTI_HEAD,
    "hidden": lambda c: c.whole("hidden_size", least=1) if "hidden_size" in c.raw else last_width(c),
    "features": last_width,
    "layers": lambda c: sum(stage.depth for stage in read_stages(c)),
    "heads": lambda c: read_stages(c)[-1].heads,
    "ffn": lambda c: scale_width(c, c.hidden),
    "window": lambda c: c.whole("window_size", least=1) ** 2,
    "patches": count_rectangle,
    "context": count_rectangle,
    "outputs": count_output,
}


def windows(c: Config) -> list[str]:
    return ["sliding_attention"] * int(c.layers)


def bias_window(c: Config, p: Place) -> Iterable[Row]:
    """One number for each head and distance within a window."""
    reach = 2 * c.whole("window_size", least=1) - 1
    yield p.tensor("relative_position_bias_table", (reach * reach, c.heads), "vision", "lookup")


def index_window(c: Config, p: Place) -> Iterable[Row]:
    """Which of those numbers is for which pair of patches: stored, but no parameter."""
    yield p.tensor("relative_position_index", (c.window, c.window), "vision", "vector", role="buffer")


def learn_bias(c: Config, p: Place) -> Iterable[Row]:
    """In the second version those numbers come from a small MLP, and attention is of cosines, scaled for each head."""
    yield p.tensor("logit_scale", (c.heads, 1, 1), "vision", "vector")
    yield from p.linear("continuous_position_bias_mlp.0", 2, 512, "vision", True)
    yield from p.linear("continuous_position_bias_mlp.2", 512, c.heads, "vision")


def attend(names: tuple[str, str, str, str], k_bias: Flag | None = None) -> Attention:
    return Attention(names, bias="qkv_bias", k_bias=k_bias, o_bias=True, kinds=windows, cached=False, causal=False)


NORMS = (layer_norm("layernorm_before"), layer_norm("layernorm_after"))
SWIN_LAYER: tuple[Block, ...] = (
    at("attention", attend(("q_proj", "k_proj", "v_proj", "o_proj")), at("relative_position_bias", bias_window)),
    *NORMS,
    at("mlp", Mlp()),
)
BERT_NAMES = ("self.query", "self.key", "self.value", "output.dense")
DONUT_LAYER: tuple[Block, ...] = (
    at(
        "attention",
        attend(BERT_NAMES),
        at("self", bias_window, index_window),
    ),
    *NORMS,
    Mlp(("intermediate.dense", "output.dense")),
)

SECOND_LAYER: tuple[Block, ...] = (
    at("attention", attend(BERT_NAMES, k_bias=False), at("self", learn_bias)),
    *NORMS,
    Mlp(("intermediate.dense", "output.dense")),
)


@dataclass(frozen=True)
class Stages:
    """Layers of all stages; between two, four neighbours become one of twice the width."""

    layer: tuple[Block, ...]
    normed: int = 4  #: how many widths the norm has: of the four neighbours, or of the two that they become

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        stages = read_stages(c)
        for number, stage in enumerate(stages):
            below = p.at(f"encoder.layers.{number}")
            yield from resized(stage.sizes(), stack("blocks", *self.layer))(c, below)
            if stage != stages[-1]:
                merge = below.at("downsample")
                yield from merge.linear("reduction", 4 * stage.width, 2 * stage.width, "vision")
                yield from merge.vector("norm", self.normed * stage.width, "vision", True)


@dataclass(frozen=True)
class StageEmbeddings:
    """Patches, a norm, and learned positions where they are wanted; ``spare`` more than there are patches."""

    spare: int = 0
    masked: Flag = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        below, width = p.at("embeddings"), c.whole("embed_dim", least=1)
        if is_on(c, self.masked):
            yield below.tensor("mask_token", (1, 1, width), "vision", "vector")
        patch = read_pair(c, "patch_size")
        yield below.tensor("patch_embeddings.projection.weight", (width, c.channels, *patch), "vision")
        yield below.tensor("patch_embeddings.projection.bias", (width,), "vision", "vector")
        yield from below.vector("norm", width, "vision", True)
        if c.flag("use_absolute_embeddings"):
            yield below.tensor("position_embeddings", (1, c.patches + self.spare, width), "vision", "lookup")


def swin(embeddings: Block) -> Vision:
    return Vision((embeddings, Stages(SWIN_LAYER), layer_norm("layernorm", "features")))


def second(embeddings: Block, *final: Block) -> Vision:
    return Vision((embeddings, Stages(SECOND_LAYER, normed=2), *final))


def pixel_width(c: Config) -> int:
    """The class that fills in pixels counts stages by ``num_layers`` where the file says it."""
    if c.raw.get("num_layers") is None and c.raw.get("num_hidden_layers") is None:
        return last_width(c)
    return c.whole("embed_dim", least=1) << min(c.whole("num_layers", least=1) - 1, 40)


def normalise_stages(c: Config, p: Place) -> Iterable[Row]:
    """A norm for each stage whose features are given out: those named, those numbered, or the last."""
    widths = [c.whole("embed_dim", least=1), *(stage.width for stage in read_stages(c))]
    names = ["stem", *(f"stage{number}" for number in range(1, len(widths)))]
    wanted, numbers = c.get("out_features"), c.get("out_indices")
    if wanted is None:
        chosen = [names[-1]] if numbers is None else pick_stages(c, names, numbers)
    else:
        chosen = list(c.words("out_features"))
    for name in chosen:
        if name not in names:
            raise UnsupportedError(f"{c.model_type}: out_features names {name!r:.40}, which is no stage")
        yield from p.vector(f"hidden_states_norms.{name}", widths[names.index(name)], "vision", True)


def pick_stages(c: Config, names: list[str], numbers: object) -> list[str]:
    if not isinstance(numbers, list | tuple) or not all(type(one) is int for one in numbers):
        raise UnsupportedError(f"{c.model_type}: out_indices is not a list of stages")
    if not all(-len(names) <= one < len(names) for one in numbers):
        raise UnsupportedError(f"{c.model_type}: out_indices names a stage that is not there")
    return [names[one] for one in numbers]


def architecture(model_type: str, family: str, body: Block, heads: dict[str, Head], **about: str) -> Architecture:
    return Architecture(
        model_type,
        family,
        body,
        heads,
        natural=next(iter(heads)),
        dims={**SWIN_DIMS, "pixel_width": pixel_width},
        norm="layernorm",
        position="relative",
        example=about["example"],
        about=about["about"],
    )


LABELS = ImageLabels(width="features")
FINAL = layer_norm("layernorm", "features")

register(
    architecture(
        "swin",
        "Swin",
        swin(StageEmbeddings()),
        {
            "SwinModel": Head(),
            "SwinForImageClassification": Head("swin.", (LABELS,)),
            "SwinForMaskedImageModeling": Head(
                "swin.", (PixelHead("pixel_width"),), body=swin(StageEmbeddings(masked=True))
            ),
            "SwinBackbone": Head("swin.", (normalise_stages,)),
        },
        example="microsoft/swin-tiny-patch4-window7-224",
        about="Attention within windows that move by half from layer to layer; four patches become one in each stage.",
    ),
    architecture(
        "swinv2",
        "Swin",
        second(StageEmbeddings(spare=1), FINAL),
        {
            "Swinv2Model": Head(),
            "Swinv2ForImageClassification": Head("swinv2.", (LABELS,)),
            "Swinv2ForMaskedImageModeling": Head(
                "swinv2.", (PixelHead("pixel_width"),), body=second(StageEmbeddings(spare=1, masked=True), FINAL)
            ),
            "Swinv2Backbone": Head(body=second(StageEmbeddings(spare=1))),
        },
        example="microsoft/swinv2-tiny-patch4-window8-256",
        about="Swin for larger images: norms after the blocks, attention by cosine, biases from a small MLP.",
    ),
    architecture(
        "donut-swin",
        "Swin",
        At("", (Vision((StageEmbeddings(spare=1), Stages(DONUT_LAYER))),)),
        {"DonutSwinModel": Head(), "DonutSwinForImageClassification": Head("donut.", (LABELS,))},
        example="naver-clova-ix/donut-base",
        about="The half of Donut that sees pages: Swin without its last norm.",
    ),
)
