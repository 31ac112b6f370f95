"""InternVL and Qianfan-OCR: InternViT, four patches shuffled into one, two layers, and any text model."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.llava import TEXT, VISION, read_text, read_vision
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import Projector
from zoo.arch.layers import at
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def shuffled_width(c: Config) -> int:
    """Patches side by side: (1 / ``downsample_ratio``) squared of them, rounded down as the class does."""
    ratio = c["downsample_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
        raise UnsupportedError(f"{c.model_type}: downsample_ratio is {ratio!r:.40}, not above 0 and at most 1")
    return int(read_vision(c).hidden * int(1 / ratio) ** 2)


def project(c: Config, p: Place) -> Iterable[Row]:
    merged, text = shuffled_width(c), read_text(c).hidden
    yield from p.vector("layer_norm", merged, "projector", True)
    yield from p.linear("linear_1", merged, text, "projector", True)
    yield from p.linear("linear_2", text, text, "projector", True)


BODY = (VISION, at("multi_modal_projector", Projector((project,))), TEXT)

register(
    seeing(
        *("internvl", "InternVL", "InternVL", *BODY),
        example="OpenGVLab/InternVL3-8B-hf",
        about="InternViT and any text model; four patches are shuffled into one position.",
    ),
    seeing(
        *("qianfan_ocr", "Qianfan", "QianfanOCR", *BODY),
        example="baidu/Qianfan-OCR",
        about="InternVL's parts with Qwen3, to read documents.",
    ),
)
