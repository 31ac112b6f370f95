"""Size against cache: who gets by with less memory per token at what number of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from zoo.report.charts import MOST_SERIES, WIDTH, Chart, Frame
from zoo.report.format import format_count, format_tick
from zoo.report.models import ReportModel
from zoo.report.svg import (
    GRID,
    MUTED,
    choose_ticks,
    draw_line,
    draw_marker,
    element,
    measure_text,
    round_out,
    series_class,
    series_color,
    wrap_svg,
    write_text,
)


class Dot(NamedTuple):
    """A model in the plane; ``active`` below ``total`` where it is sparse."""

    series: int
    label: str
    total: int
    active: int
    growth: int


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def read_dots(models: Sequence[ReportModel]) -> tuple[Dot, ...]:
    """The models that have a place on logarithmic axes: with parameters, and a cache that grows."""
    return tuple(
        Dot(i, m.label, m.get("params.total"), m.get("params.active"), m.get("kv_cache.bytes_per_token"))
        for i, m in enumerate(models[:MOST_SERIES])
        if m.get("params.total") and m.get("params.active") and m.get("kv_cache.bytes_per_token")
    )


def draw_size_chart(models: Sequence[ReportModel]) -> Chart | None:
    """Parameters against bytes of cache per token; None where fewer than two models have a place."""
    dots = read_dots(models)
    if len(dots) < 2:
        return None
    height = 380.0
    frame = Frame(
        62, WIDTH - 20, 24, height - 48, *round_out([d.active for d in dots] + [d.total for d in dots]),
        *round_out([d.growth for d in dots]),
    )  # fmt: skip
    body = [*_draw_axes(frame), *_draw_dots(frame, dots)]
    title = "KV cache per token against parameters (both axes logarithmic)"
    placed = {dot.series for dot in dots}
    missing = [m.label for i, m in enumerate(models) if i not in placed]
    note = (
        "Lower is less memory per token. A hollow mark is the active part of a sparse model, its full mark the total."
    )
    if missing:
        note += f" Without a place here (no growing cache, or no room): {', '.join(missing)}."
    return Chart("size-chart", title, wrap_svg("size-chart", title, WIDTH, height, body), note)


def _draw_axes(frame: Frame) -> list[Markup]:
    body: list[Markup] = []
    for tick in choose_ticks(frame.x_low, frame.x_high):
        x = frame.x(tick)
        body.append(draw_line(x, frame.top, x, frame.bottom))
        body.append(write_text(x, frame.bottom + 15, format_tick(tick), anchor="middle", muted=True))
    for tick in choose_ticks(frame.y_low, frame.y_high):
        y = frame.y(tick)
        body.append(draw_line(frame.left, y, frame.right, y))
        body.append(write_text(frame.left - 6, y + 4, format_tick(tick, decimal_bytes=True), anchor="end", muted=True))
    body.append(draw_line(frame.left, frame.bottom, frame.right, frame.bottom, color=MUTED))
    body.append(draw_line(frame.left, frame.top, frame.left, frame.bottom, color=GRID))
    middle = (frame.left + frame.right) / 2
    body.append(write_text(middle, frame.bottom + 34, "Parameters", anchor="middle", muted=True))
    body.append(write_text(4, frame.top - 12, "KV cache, bytes per token", muted=True, size=10.5))
    return body


def _draw_dots(frame: Frame, dots: Sequence[Dot]) -> list[Markup]:
    spots = [(frame.x(d.total), frame.y(d.growth)) for d in dots]
    taken = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in spots]
    taken += [Box(frame.x(d.active) - 6, y - 6, x + 6, y + 6) for d, (x, y) in zip(dots, spots, strict=True)]
    under: list[Markup] = []
    over: list[Markup] = []
    for dot, (x, y) in zip(dots, spots, strict=True):
        if dot.active < dot.total:
            under += _draw_active(frame, dot, x, y)
        said = f"{dot.label}: {format_count(dot.total)} parameters, {format_count(dot.growth)} bytes per token"
        over.append(draw_marker(dot.series, x, y, radius=4.4, note=said))
        box = _place_label(frame, dot.label, x, y, taken)
        taken.append(box)
        over += _draw_label(dot, x, y, box)
    return [*under, *over]


def _draw_active(frame: Frame, dot: Dot, x: float, y: float) -> list[Markup]:
    start = frame.x(dot.active)
    said = f"{dot.label}: {format_count(dot.active)} active parameters"
    line = element(
        "line", x1=start, y1=y, x2=x, y2=y, stroke=series_color(dot.series), stroke_width=1.2, stroke_dasharray="3 3",
        class_=series_class(dot.series),
    )  # fmt: skip
    return [line, draw_marker(dot.series, start, y, hollow=True, radius=4.4, note=said)]


def _place_label(frame: Frame, label: str, x: float, y: float, taken: Sequence[Box]) -> Box:
    """The nearest place around a point that is free; the first one where none is."""
    wide = measure_text(label)
    inside = Box(frame.left, frame.top - 4, WIDTH, frame.bottom)
    sides = ((9, 0), (-9 - wide, 6), (-wide / 2, 8), (-wide / 4, 12), (-3 * wide / 4, 12), (40, 20), (-40 - wide, 26))
    spots = [
        (abs(rise) + cost, Box(x + dx, y + rise - 7, x + dx + wide, y + rise + 7))
        for rise in range(-299, 300, 13)
        for dx, cost in sides
    ]
    choices = [box for _, box in sorted(spots)]
    within = [b for b in choices if b.left >= inside.left and b.right <= inside.right]
    within = [b for b in within if b.top >= inside.top and b.bottom <= inside.bottom] or choices
    return next((b for b in within if not any(b.meets(other) for other in taken)), within[0])


def _draw_label(dot: Dot, x: float, y: float, box: Box) -> list[Markup]:
    """The name, with a thin line to its point where it had to move away."""
    body: list[Markup] = []
    middle = (box.top + box.bottom) / 2
    if abs(middle - y) > 15:
        near = min(max(x, box.left), box.right)
        body.append(
            element("line", x1=x, y1=y, x2=near, y2=box.top if middle > y else box.bottom, stroke=MUTED,
                    stroke_width=0.6, class_="axis")
        )  # fmt: skip
    body.append(write_text(box.left, middle + 4, dot.label))
    return body
