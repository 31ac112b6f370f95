"""The strip of layers: one small cell for each layer of a model, by what it does with earlier tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from zoo.report.models import Layer
from zoo.report.svg import INK, PAPER, element, wrap_svg

WIDTH = 330.0
HEIGHT = 22.0


class KindStyle(NamedTuple):
    """How a kind of layer looks: colour and height both tell it; ``meaning`` is for the legend."""

    color: str
    height: float
    meaning: str


KINDS: dict[str, KindStyle] = {
    "full": KindStyle("#0072b2", 16, "full attention: sees every earlier token"),
    "sliding": KindStyle("#56b4e9", 9, "sliding window: sees the last tokens only"),
    "chunked": KindStyle("#aa4499", 9, "chunked: sees its own chunk only"),
    "linear": KindStyle("#009e73", 12, "linear attention: a state of constant size"),
    "ssm": KindStyle("#e69f00", 12, "state-space: a state of constant size"),
    "conv": KindStyle("#d55e00", 6, "convolution: the last few tokens only"),
    "none": KindStyle("#9aa0a8", 4, "keeps nothing"),
}


def draw_strip(name: str, title: str, layers: Sequence[Layer]) -> Markup:
    """The layers from left (first) to right (last); a dark foot marks a feed-forward with experts."""
    step = min(12.0, WIDTH / max(1, len(layers)))
    gap = 1.0 if step >= 4 else 0.4
    body: list[Markup] = []
    for index, layer in enumerate(layers):
        style = KINDS[layer.kind]
        body.append(_draw_cell(index * step, style, step - gap))
        if layer.sparse:
            body.append(element("rect", x=index * step, y=18.5, width=step - gap, height=3, fill=INK, class_="foot"))
    return wrap_svg(name, title, step * max(1, len(layers)), HEIGHT, body)


def draw_swatch(kind: str) -> Markup:
    """One cell of the legend; its meaning stands beside it, so it is hidden from those who are read to."""
    cell = _draw_cell(0.0, KINDS[kind], 11.0)
    title = element("title", kind)  # for the PDF, which knows no hidden drawing
    return element(
        "svg",
        title,
        cell,
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 12 17",
        width=12,
        height=17,
        aria_hidden="true",
    )


def _draw_cell(x: float, style: KindStyle, width: float) -> Markup:
    return element(
        "rect", x=x, y=16.5 - style.height, width=width, height=style.height, fill=style.color, stroke=PAPER,
        stroke_width=0.2, class_="cell",
    )  # fmt: skip
