"""Granite 4 Vision: features of several depths of the tower, each through a Q-Former over windows, enter Granite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError
from zoo.arch.families.blip import BLIP_2_FORMER, QFORMER_DIMS
from zoo.arch.families.llama import LLAMA
from zoo.arch.families.llava import TEXT, VISION, read_text, read_vision, refuse_flat
from zoo.arch.families.llava_kin import NEWLINE, seeing
from zoo.arch.families.speech_parts import refuse_type
from zoo.arch.families.vision import Projector
from zoo.arch.heads import decoder
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

#: Sides of the window that queries fill and of the one that they read: "4/8".
RATE = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")
#: One Q-Former for each corner of 2 x 2 neighbouring patches.
CORNERS = 4


def read_former(c: Config) -> Config:
    """The Q-Former's section: as wide as the tower, with heads of 64, whatever the file says."""
    inner, width = c.section("qformer_config", QFORMER_DIMS), read_vision(c).hidden
    inner.raw = {**inner.raw, "hidden_size": width, "num_attention_heads": width // 64, "encoder_hidden_size": width}
    return inner


def read_windows(c: Config) -> tuple[int, int]:
    """Queries and patches of a window, from ``downsample_rate``."""
    rate = c["downsample_rate"]
    found = RATE.fullmatch(rate) if isinstance(rate, str) else None
    if found is None:
        raise UnsupportedError(f"{c.model_type}: downsample_rate is {rate!r:.40}, not two numbers")
    return int(found[1]) ** 2, int(found[2]) ** 2


def count_depths(c: Config) -> int:
    """How many layers of the tower are read: pairs of a layer there and one of the text."""
    pairs = c["deepstack_layer_map"]
    if not isinstance(pairs, list) or len(pairs) > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: deepstack_layer_map is not a list of layers")
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise UnsupportedError(f"{c.model_type}: deepstack_layer_map is not a list of pairs of layers")
    return len(pairs)


def sample_windows(c: Config, p: Place) -> Iterable[Row]:
    """A Q-Former with learned queries and positions, and a matrix in the width of the text."""
    former, (queries, patches) = read_former(c), read_windows(c)
    yield p.tensor("query", (1, queries, former.hidden), "projector", "lookup")
    yield p.tensor("image_positions", (1, patches, former.hidden), "projector", "lookup")
    yield from layer_norm("norm")(former, p)
    yield from BLIP_2_FORMER(former, p)
    yield from p.linear("out_linear", former.hidden, read_text(c).hidden, "projector", True)


def sample_depths(c: Config, p: Place) -> Iterable[Row]:
    """One Q-Former for each depth, and four for the corners of the last."""
    for name, count in (("layerwise_projectors", count_depths(c)), ("spatial_projectors", CORNERS)):
        for number in range(count):
            yield from sample_windows(c, p.at(f"{name}.{number}"))


def refuse_other(c: Config) -> str | None:
    """The class takes any text for Granite's plain layers; the first files name Granite's hybrid, which it is not."""
    text = c.raw.get("text_config")
    said = text.get("model_type") if isinstance(text, Mapping) else None
    if said not in (None, "granite", "granite4_vision_text"):
        return f"text_config of type {said!r:.60} is not followed"
    return refuse_flat(c) or refuse_type(c, "qformer_config", "blip_2_qformer")


register(
    decoder(
        "granite4_vision_text",
        "Granite4VisionText",
        "Granite",
        *LLAMA,
        heads={"Granite4VisionTextModel": Head()},
        about="Granite, some of whose layers take in what the tower saw.",
    ),
    seeing(
        *("granite4_vision", "Granite", "Granite4Vision", VISION, NEWLINE, TEXT, Projector((sample_depths,))),
        supported=refuse_other,
        example="ibm-granite/granite-vision-4.1-4b",
        about="Features of several depths of the tower enter as many layers of Granite, each through a small Q-Former.",
    ),
)
