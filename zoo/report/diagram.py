"""One layer of each kind of a model as a drawing, from its ledger: modules in order, tensors with their sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from zoo.arch.ledger import Ledger
from zoo.explain.arithmetic import count_by_steps
from zoo.explain.layers import Layer, Module, Stack, draw_model
from zoo.report.charts import PART_COLORS, Chart
from zoo.report.format import cut_middle, format_count
from zoo.report.svg import MUTED, PAPER, draw_line, element, measure_text, wrap_svg, write_text

WIDTH = 720.0
#: Of a drawing in which no two kinds of layer stand side by side.
NARROW = 350.0
#: A drawing that would be higher is split.
MOST_HEIGHT = 860.0
GAP = 14.0
LINE = 13.0
#: Kinds of layer that stand side by side; further ones are counted.
MOST_KINDS = 3
#: Lines of a box before the rest are counted.
MOST_TENSORS = 9
MOST_MODULES = 9
MOST_OUTSIDE = 8


class Piece(NamedTuple):
    """Something drawn, and how high it is."""

    body: list[Markup]
    height: float


def draw_layers(name: str, label: str, ledger: Ledger) -> tuple[Chart, ...]:
    """The drawing of a model: what stands before its layers, a layer of each kind, and what stands after them.

    A model of many stacks is drawn in several pieces, each of which fits a page.
    """
    groups = group_outside(draw_model(ledger))
    side_by_side = max((len(group.kinds) for group in groups if isinstance(group, Stack)), default=1)
    room = WIDTH if side_by_side > 1 else NARROW
    pages = split_pages(groups, room)
    legend = write_legend(ledger, room)
    title = f"One layer of each kind of {label}"
    note = "Tensors are written as output × input; colours are those of the parts."
    charts = []
    for number, page in enumerate(pages, 1):
        own = f"{name}-{number}" if number > 1 else name
        said = f"{title} ({number} of {len(pages)})" if len(pages) > 1 else title
        svg = draw_page(own, said, page, legend if number == len(pages) else [], room)
        charts.append(Chart(own, said, svg, note, narrow=room < WIDTH))
    return tuple(charts)


def draw_group(group: list[Module] | Stack, y: float, room: float) -> Piece:
    return draw_stack(group, y) if isinstance(group, Stack) else draw_outside(group, y, room)


def split_pages(groups: Sequence[list[Module] | Stack], room: float) -> list[list[list[Module] | Stack]]:
    """The groups in pieces no higher than a page, as far as single groups let them."""
    pages: list[list[list[Module] | Stack]] = [[]]
    used = 0.0
    for group in groups:
        height = draw_group(group, 0, room).height + 10
        if pages[-1] and used + height > MOST_HEIGHT:
            pages.append([])
            used = 0.0
        pages[-1].append(group)
        used += height
    return pages


def draw_page(
    name: str, title: str, groups: Sequence[list[Module] | Stack], legend: Sequence[str], room: float
) -> Markup:
    """One piece of the drawing; the legend stands below the last."""
    y = 4.0
    body: list[Markup] = []
    for group in groups:
        piece = draw_group(group, y, room)
        body += piece.body
        y += piece.height + 10
    for line in legend:
        y += LINE
        body.append(write_text(2, y, line, muted=True, size=9.5))
    return wrap_svg(name, f"{title}, with the tensors in it", room, y + 8, body)


def group_outside(drawn: Sequence[Module | Stack]) -> list[list[Module] | Stack]:
    """Modules that follow each other outside of the layers stand in one row."""
    groups: list[list[Module] | Stack] = []
    for item in drawn:
        if isinstance(item, Stack):
            groups.append(item)
        elif groups and isinstance(groups[-1], list):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def draw_outside(modules: Sequence[Module], y: float, room: float) -> Piece:
    """Modules outside of the layers: boxes in a row, as many as fit, then the next row."""
    body: list[Markup] = []
    x, top, height = 2.0, y, 0.0
    for module in modules[:MOST_OUTSIDE]:
        lines = [cut_middle(f"{name} {shape}".strip(), 60) for name, shape in module.tensors[:2]]
        title = cut_middle(module.name, 40)
        wide = max(measure_text(title, 11.8), *(measure_text(line, 9.5) for line in lines), 60.0) + 22
        if x > 2 and x + wide > room:
            x, top = 2.0, top + height + 6
        height = 20 + LINE * len(lines)
        body += draw_box(x, top, wide, height, title, lines, pick_color(module))
        x += wide + 8
    if (more := len(modules) - MOST_OUTSIDE) > 0:
        body.append(write_text(x + 4, top + 16, f"and {more} more", muted=True, size=9.5))
    return Piece(body, top + height - y)


def draw_stack(stack: Stack, y: float) -> Piece:
    """The kinds of layer of a stack, side by side."""
    kinds = stack.kinds[:MOST_KINDS]
    wide = min(342.0, (WIDTH - 4 - GAP * (len(kinds) - 1)) / len(kinds))
    pieces = [draw_kind(stack, kind, 2 + index * (wide + GAP), y, wide) for index, kind in enumerate(kinds)]
    body = [markup for piece in pieces for markup in piece.body]
    height = max(piece.height for piece in pieces)
    if more := stack.kinds[MOST_KINDS:]:
        text = f"and {len(more)} more kinds of layer in {sum(kind.count for kind in more)} layers"
        body.append(write_text(2, y + height + 14, text, muted=True, size=9.5))
        height += 18
    return Piece(body, height)


def draw_kind(stack: Stack, kind: Layer, left: float, top: float, wide: float) -> Piece:
    """One layer: its modules in boxes from above to below, within a frame that says how often it stands there."""
    y = top + 20
    inner = wide - 16
    body: list[Markup] = []
    for index, module in enumerate(kind.modules[:MOST_MODULES]):
        if index:
            body.append(draw_line(left + wide / 2, y, left + wide / 2, y + 8, color=MUTED))
            y += 8
        lines = write_tensors(module, inner - 20)
        height = 20 + LINE * len(lines)
        body += draw_box(left + 8, y, inner, height, fit_text(module.name, inner - 20, 11.8), lines, pick_color(module))
        y += height
    said = [f"keeps {text}" for text in kind.keeps]
    if (more := len(kind.modules) - MOST_MODULES) > 0:
        said.insert(0, f"and {more} more modules")
    for text in said:
        y += LINE
        body.append(write_text(left + 8, y, fit_text(text, inner), muted=True, size=9.5))
    head = f"{kind.count} × {stack.name.rpartition('.')[2]}" + (
        f": {kind.layers}" if kind.count > 1 else f" {kind.layers}"
    )
    frame = element(
        "rect", x=left, y=top, width=wide, height=y - top + 10, rx=6, fill="none", stroke=MUTED, stroke_width=1.0,
        class_="axis",
    )  # fmt: skip
    title = element(
        "text",
        fit_text(head, inner, 11.6),
        x=left + 8,
        y=top + 14,
        font_size=10.5,
        font_weight=600,
        fill=MUTED,
        class_="muted",
    )
    return Piece([frame, title, *body], y - top + 10)


def write_tensors(module: Module, wide: float) -> list[str]:
    """The tensors of a module, a line each."""
    lines = [fit_text(f"{name}  {shape}".strip(), wide) for name, shape in module.tensors[:MOST_TENSORS]]
    if (more := len(module.tensors) - MOST_TENSORS) > 0:
        lines.append(f"and {more} more")
    return lines


def fit_text(text: str, wide: float, size: float = 9.5) -> str:
    """``text``, cut in the middle until it is no wider than ``wide``."""
    length = len(text)
    while length > 8 and measure_text(text, size) > wide:
        length -= 1
        text = cut_middle(text, length)
    return text


def draw_box(
    x: float, y: float, wide: float, height: float, title: str, lines: Sequence[str], color: str
) -> list[Markup]:
    """A module: a bar in the colour of its part, its name, and its tensors below."""
    return [
        element("rect", x=x, y=y, width=wide, height=height, rx=3, fill=PAPER, stroke="#c4c9d0", stroke_width=0.8,
                class_="box"),
        element("rect", x=x, y=y, width=4.0, height=height, rx=1.5, fill=color),
        write_text(x + 12, y + 14, title, size=10.5, bold=True),
        *(write_text(x + 12, y + 14 + LINE * row, line, size=9.5) for row, line in enumerate(lines, 1)),
    ]  # fmt: skip


def pick_color(module: Module) -> str:
    """The colour of the part that names the module best: norms only where there is nothing else."""
    order = ("experts", "mlp", "attention", "recurrent", *PART_COLORS)
    return PART_COLORS[next(part for part in order if part in module.parts)]


def write_legend(ledger: Ledger, room: float) -> list[str]:
    """What each letter stands for in this model, in lines that fit."""
    words = [
        f"{letter} = {format_count(value)} {meaning}" for letter, value, meaning in count_by_steps(ledger, "").legend
    ]
    lines: list[str] = []
    for word in words:
        joined = f"{lines[-1]}  ·  {word}" if lines else word
        if lines and measure_text(joined, 9.5) <= room - 4:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines
