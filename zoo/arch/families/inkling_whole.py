"""Inkling: its text model with a tower that folds patches step by step, and ears that look sounds up in a table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from math import log, prod
from operator import mul

from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.gemma4_towers import Audio
from zoo.arch.families.llava import TEXT, read_text
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.layers import open_section
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Block, Place, Row

#: Frames, height, width and channels of what a layer sees as one.
Scale = tuple[int, int, int, int]
CHANNELS = 64  #: channels come in multiples of it
LARGEST = 1024


def factorize(number: int) -> list[int]:
    """Prime factors, the largest first."""
    found, factor = [], 2
    while number > 1:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return found[::-1]


def list_scales(c: Config) -> list[Scale]:
    """From one pixel to a whole patch: by prime factors, first in space and then in time."""
    side, frames, channels = (c.whole(key, least=2) for key in ("patch_size", "temporal_patch_size", "num_channels"))
    if max(side, frames) > LARGEST:
        raise UnsupportedError(f"{c.model_type}: {c.path}patch_size or temporal_patch_size is over {LARGEST}")
    space = [(1, n, n, -(-n * n * channels // CHANNELS) * CHANNELS) for n in accumulate(factorize(side), mul)]
    # the class rounds only in space; in time it has as many channels as there are numbers, times 64
    time = [(n, side, side, side * side * channels * n * CHANNELS) for n in accumulate(factorize(frames), mul)]
    return [(1, 1, 1, channels), *space, *time]


def plan_scales(c: Config) -> list[Scale]:
    """What each layer folds up to: the scales nearest to even steps in the logarithm of the size.

    Raises UnsupportedError for fewer layers than scales, and where two scales are as near.
    """
    scales, steps = list_scales(c), c.layers
    if steps < len(scales):
        raise UnsupportedError(f"{c.model_type}: {c.path}n_layers is {steps}, fewer than the {len(scales)} scales")
    whole = log(prod(scales[-1][:3]) * scales[0][3])
    planned = [scales[0]]
    for step in range(1, steps):
        far = sorted((abs(whole * step / steps - log(prod(scale[:3]))), scale) for scale in scales)
        if far[1][0] - far[0][0] < 1e-4:
            raise UnsupportedError(f"{c.model_type}: {c.path}patch_size has two scales for layer {step}")
        planned.append(far[0][1])
    return [*planned, scales[-1]]


def fold_patches(c: Config, p: Place) -> Iterable[Row]:
    """Neighbours side by side through a matrix, over and over; the last step leads into the text."""
    for layer, (start, end) in enumerate(pairwise(plan_scales(c))):
        below, last = p.at(f"encoder_layers.{layer}"), layer == c.layers - 1
        width = c.hidden if last else end[3]
        yield from below.linear("projection", start[3] * prod(end[:3]) // prod(start[:3]), width, "vision")
        if not last:
            yield from below.vector("layer_norm", width, "norm")


def embed_sounds(c: Config, p: Place) -> Iterable[Row]:
    """A vector for each loudness of each mel band; those of all bands are added up."""
    rows = c.whole("num_codebooks", least=1) * c.whole("codebook_size", least=1)
    yield p.table("embed_audio_tokens.embed_audio_tokens", rows, c.hidden, "audio")


def sense(key: str, name: str) -> Block:
    """A tower whose output is as wide as the text, whatever its section says; ears call that their hidden size too."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        inner = open_section(c, key)
        inner.raw = {**inner.raw, **dict.fromkeys(("text_hidden_size", "hidden_size"), read_text(c).hidden)}
        return find_architecture(inner.model_type).body(inner, p.at(name))

    return rows


FOLDS: dict[str, Dim] = {
    "hidden": lambda c: c.whole("text_hidden_size", least=1),
    "layers": lambda c: c.whole("n_layers", least=1),
    "context": lambda c: None,
    "patches": lambda c: None,
}

register(
    tower(
        *("inkling_vision", "Inkling", fold_patches, rms("final_norm")),
        name="InklingVisionModel",
        dims=FOLDS,
        norm="rmsnorm",
        position="none",
        about="The tower of Inkling: matrices that fold each patch into one vector, without attention.",
    ),
    Architecture(
        "inkling_audio",
        "Inkling",
        Audio((embed_sounds, rms("norm"))),
        heads={"InklingAudioModel": Head()},
        natural="InklingAudioModel",
        dims={"layers": lambda c: 0, "vocab": lambda c: 0, "context": lambda c: None},
        position="none",
        about="The ears of Inkling: one table of sounds.",
    ),
    seeing(
        *("inkling_mm_model", "Inkling", "Inkling", TEXT),
        sense("audio_config", "audio_tower"),
        sense("vision_config", "vision_tower"),
        tie=lambda c: False,
        example="thinkingmachines/Inkling",
        about="Inkling's text model; images are folded by matrices alone, sounds looked up in a table.",
    ),
)
