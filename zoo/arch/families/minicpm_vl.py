"""MiniCPM-V 4.6 and 4.7 and MiniCPM-OCR: Qwen3.5's text behind a SigLIP tower that merges windows half-way up."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.llava import TEXT, read_text
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import BARE
from zoo.arch.families.vision import VISION_ATTENTION, VISION_DIMS, Projector, Tower
from zoo.arch.layers import at
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, register
from zoo.arch.rows import Place, Row

MAX_MERGERS = 16  # the files have one


def count_window(c: Config) -> int:
    """Patches of a window, which become one."""
    kernel = c["window_kernel_size"]
    if not isinstance(kernel, list | tuple) or len(kernel) != 2:
        raise UnsupportedError(f"{c.model_type}: window_kernel_size is {kernel!r:.40}, not a height and a width")
    height, width = (check_whole(side, f"{c.model_type}: window_kernel_size", 1) for side in kernel)
    return height * width


def merge_windows(c: Config, p: Place) -> Iterable[Row]:
    """Attention within a window, and an MLP that makes one patch of it."""
    window = count_window(c)
    yield from at("self_attn", VISION_ATTENTION)(c, p)
    yield from layer_norm("layer_norm1")(c, p)
    yield from layer_norm("pre_norm", lambda c: window * c.hidden)(c, p)
    yield from p.linear("linear_1", window * c.hidden, window * c.ffn, "vision", True)
    yield from p.linear("linear_2", window * c.ffn, c.hidden, "vision", True)


def merge_again(c: Config, p: Place) -> Iterable[Row]:
    """Four patches become one, ``merger_times`` times, the last time in the width of the text."""
    vision, times = c.section("vision_config", VISION_DIMS).hidden, c.whole("merger_times", least=0)
    if times > MAX_MERGERS:
        raise UnsupportedError(f"{c.model_type}: merger_times is {times}, out of range")
    for step in range(max(times, 1)):
        below = p.at(f"mlp.{step}")
        output = read_text(c).hidden if step + 1 >= times else vision
        yield from below.vector("pre_norm", 4 * vision, "projector", True)
        yield from below.linear("linear_1", 4 * vision, 4 * vision, "projector", True)
        yield from below.linear("linear_2", 4 * vision, output, "projector", True)


TOWER = Tower("vision_tower", (*BARE, at("vit_merger", merge_windows)), dims=VISION_DIMS)
BODY = (TOWER, TEXT, at("merger", Projector((merge_again,))))


def minicpm(model_type: str, prefix: str, example: str, about: str) -> Architecture:
    return seeing(*(model_type, "MiniCPM", prefix, *BODY), example=example, about=about)


register(
    minicpm(
        "minicpmv4_6",
        "MiniCPMV4_6",
        "openbmb/MiniCPM-V-4.6",
        "Qwen3.5 behind a SigLIP tower that merges windows half-way up, and once more at its end.",
    ),
    minicpm("minicpmv4_7", "MiniCPMV4_7", "openbmb/MiniCPM-V-4.7-1B", "MiniCPM-V 4.6's parts."),
    minicpm("minicpm_ocr", "MiniCPMOcr", "openbmb/MiniCPM-OCR-1.0", "MiniCPM-V 4.6's parts, tied, to read pages."),
)
