"""PaddleOCR-VL: a small ERNIE behind a SigLIP tower, to read documents."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import BARE
from zoo.arch.families.vision import VISION_DIMS, Projector, Tower
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, at, every, layer_types, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

KINDS = layer_types(every("full_attention"))
TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at("self_attn", Attention(bias="use_bias", kinds=KINDS)),
            at("mlp", GatedMlp(bias="use_bias")),
            *PRE_NORMS,
        ),
        rms("norm"),
    ),
)


def read_text(c: Config) -> Config:
    """The text section; files older than it keep its keys at the top."""
    return c.section("text_config", flat=True)


def is_tied(c: Config) -> bool:
    """Tied unless both the whole and the text say otherwise, which a file without a section for the text cannot."""
    return c.raw.get("text_config") is None or bool(c.tied or read_text(c).tied)


def project(c: Config, p: Place) -> Iterable[Row]:
    """A norm over each patch, then neighbours side by side through two biased matrices."""
    vision = c.section("vision_config", VISION_DIMS)
    merged = vision.hidden * vision.whole("spatial_merge_size", least=1) ** 2
    yield from p.vector("pre_norm", vision.hidden, "projector", True)
    yield from p.linear("linear_1", merged, merged, "projector", True)
    yield from p.linear("linear_2", merged, read_text(c).hidden, "projector", True)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


register(
    seeing(
        *("paddleocr_vl", "Paddle", "PaddleOCRVL"),
        Tower("visual.vision_model", BARE, dims=VISION_DIMS),
        at("language_model", speak),
        at("projector", Projector((project,))),
        tie=is_tied,
        text=read_text,
        supported=None,
        example="PaddlePaddle/PaddleOCR-VL",
        about="A small ERNIE 4.5 behind a SigLIP tower for images of any shape; four patches become one position.",
    ),
)
