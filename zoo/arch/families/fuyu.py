"""Fuyu: Persimmon that takes patches of an image as they are, through one matrix and no tower."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import Projector
from zoo.arch.layers import open_section, text_section
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_text(c: Config) -> Config:
    """The text section; files older than it keep its keys at the top."""
    return open_section(c, "text_config", flat=True)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """The pixels of a patch, as a vector, into the width of the text."""
    pixels = c.whole("num_channels", least=1) * c.whole("patch_size", least=1) ** 2
    yield from p.linear("vision_embed_tokens", pixels, read_text(c).hidden, "projector", True)


register(
    seeing(
        *("fuyu", "Fuyu", "Fuyu", text_section(flat=True), Projector((embed_patches,))),
        text=read_text,
        natural="FuyuForCausalLM",
        supported=None,
        example="adept/fuyu-8b",
        about="Persimmon that takes patches of an image as they are, through one matrix and no tower.",
    ),
)
