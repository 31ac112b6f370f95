"""Models as dots in a plane: size against cache, and size against date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from zoo.report.charts import WIDTH, Chart, Frame
from zoo.report.format import format_count, format_tick, join_words
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
from zoo.report.tables import Head, Line, Table, count_cell, head_model, text_cell

HEIGHT = 380.0
#: With more dots than this, a colour stands for a kind of attention instead of a model, and only a few have names.
MOST_NAMED = 20
#: Of fewer dots a table says as much.
FEWEST = 3
#: So many of many dots have their name beside them.
MOST_LABELS = 14
#: The kinds of attention, in the order of their colours.
GROUPS = ("gqa", "mha", "mqa", "mla", "hybrid", "linear", "ssm", "none")


class Dot(NamedTuple):
    """A model in the plane; ``start`` is where its active part stands, if that is elsewhere."""

    model: int
    series: int
    label: str
    x: float
    y: float
    start: float | None
    said: str
    named: bool = True


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def list_placed(models: Sequence[ReportModel]) -> list[ReportModel]:
    """The models that have a place on logarithmic axes: with parameters, and a cache that grows."""
    paths = ("params.total", "params.active", "kv_cache.bytes_per_token")
    return [m for m in models if all(m.get(path) for path in paths)]


def find_frontier(models: Sequence[ReportModel]) -> list[ReportModel]:
    """Those that no other one beats: none has at least as many parameters at no more cache per token.

    The smallest cache first; of those that are alike in both, all stay.
    """
    order = sorted(models, key=lambda m: (m.get("kv_cache.bytes_per_token"), -m.get("params.total"), m.repo_id))
    found: list[ReportModel] = []
    for model in order:
        last = found[-1] if found else None
        if last is None or model.get("params.total") > last.get("params.total") or _is_alike(model, last):
            found.append(model)
    return found


def _is_alike(a: ReportModel, b: ReportModel) -> bool:
    return all(a.get(path) == b.get(path) for path in ("params.total", "kv_cache.bytes_per_token"))


def draw_size_chart(models: Sequence[ReportModel]) -> Chart | None:
    """Parameters against bytes of cache per token; None where too few models have a place."""
    placed = list_placed(models)
    if len(placed) < FEWEST:
        return None
    frontier = find_frontier(placed)
    growth = [m.get("kv_cache.bytes_per_token") for m in placed]
    sizes = [m.get(path) for m in placed for path in ("params.active", "params.total")]
    many = len(placed) > MOST_NAMED
    top = 46 if many else 24
    frame = Frame(62, WIDTH - 20, top, HEIGHT - 48, *round_out(sizes), *round_out(growth))
    names = {m.index for m in frontier[:: max(1, -(-len(frontier) // MOST_LABELS))]} if many else None
    dots = [place_model(frame, m, names) for m in placed]
    body = [
        *_draw_axes(frame),
        _draw_steps(frame, frontier),
        *draw_dots(frame, dots),
        *(draw_key(placed) if many else ()),
    ]
    title = say_frontier(placed, frontier)
    note = (
        "Parameters against KV cache per token; both axes are logarithmic. Right and low is more model for less "
        "memory; along the dotted line nobody has more parameters without more cache."
    )
    note += "" if many else " A hollow mark is the active part of a sparse model, its full mark the total."
    there = {dot.model for dot in dots}
    if missing := [m.label for m in models if m.index not in there]:
        said = f"{len(missing)} models" if many else ", ".join(missing)
        note += f" Without a place here, for their cache does not grow: {said}."
    svg = wrap_svg("size-chart", f"{title}. {note}", WIDTH, HEIGHT, body)
    return Chart("size-chart", title, svg, note, None if many else tabulate_sizes(placed, frontier))


def say_frontier(placed: Sequence[ReportModel], frontier: Sequence[ReportModel]) -> str:
    """The title of the chart: who is not beaten in both."""
    if len(frontier) > 4:
        return f"{len(frontier)} of {len(placed)} models are the largest for their KV cache per token"
    if len(frontier) == len(placed):
        return "More parameters, more KV cache per token: none of these beats another in both"
    beaten = len(placed) - len(frontier)
    verb = "is the largest" if len(frontier) == 1 else "are the largest"
    others = "the other one is" if beaten == 1 else f"the other {beaten} are"
    names = join_words([m.label for m in frontier])
    return f"{names} {verb} for {'its' if len(frontier) == 1 else 'their'} KV cache per token; {others} beaten in both"


def tabulate_sizes(placed: Sequence[ReportModel], frontier: Sequence[ReportModel]) -> Table:
    """What the chart draws, as a table."""
    best = {m.index for m in frontier}
    columns = (Head("Parameters"), Head("Active"), Head("KV cache per token", "bytes"), Head("Beaten in both by"))
    lines = []
    for model in placed:
        total, growth = model.get("params.total"), model.get("kv_cache.bytes_per_token")
        better = [
            m.label for m in frontier if m.get("params.total") >= total and m.get("kv_cache.bytes_per_token") <= growth
        ]
        cells = (
            count_cell(total), count_cell(model.get("params.active")), count_cell(growth),
            text_cell("none" if model.index in best else better[0]),
        )  # fmt: skip
        lines.append(Line(head_model(model), cells))
    return Table("size-points", "Parameters and KV cache per token", "Model", columns, tuple(lines))


def place_model(frame: Frame, model: ReportModel, names: set[int] | None) -> Dot:
    """A model in the plane of size and cache."""
    total, active, growth = (model.get(p) for p in ("params.total", "params.active", "kv_cache.bytes_per_token"))
    said = f"{model.label}: {format_count(total)} parameters, {format_count(growth)} bytes per token"
    start = frame.x(active) if active < total and names is None else None
    if start is not None:
        said += f", {format_count(active)} active"
    series = model.index if names is None else find_group(model)
    named = names is None or model.index in names
    return Dot(model.index, series, model.label, frame.x(total), frame.y(growth), start, said, named)


def find_group(model: ReportModel) -> int:
    kind = model.get("attention.kind")
    return GROUPS.index(kind) if kind in GROUPS else len(GROUPS) - 1


def draw_key(models: Sequence[ReportModel]) -> list[Markup]:
    """Which colour and shape is which kind of attention."""
    body: list[Markup] = []
    x = 66.0
    for series in sorted({find_group(m) for m in models}):
        body.append(draw_marker(series, x, 30, radius=4))
        body.append(write_text(x + 9, 34, GROUPS[series]))
        x += measure_text(GROUPS[series]) + 30
    return body


def _draw_steps(frame: Frame, frontier: Sequence[ReportModel]) -> Markup:
    """The line along which nobody has more parameters without more cache."""
    points: list[tuple[float, float]] = []
    for model in frontier:
        x, y = frame.x(model.get("params.total")), frame.y(model.get("kv_cache.bytes_per_token"))
        if points:
            points.append((points[-1][0], y))
        points.append((x, y))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return element(
        "polyline", points=path, fill="none", stroke=MUTED, stroke_width=1.0, stroke_dasharray="1.5 3", class_="axis"
    )


def _draw_axes(frame: Frame) -> list[Markup]:
    body: list[Markup] = []
    for tick in choose_ticks(frame.x_low, frame.x_high):
        x = frame.x(tick)
        body.append(draw_line(x, frame.top, x, frame.bottom))
        body.append(write_text(x, frame.bottom + 15, format_tick(tick), anchor="middle", muted=True))
    body += draw_rises(frame, decimal_bytes=True)
    middle = (frame.left + frame.right) / 2
    body.append(write_text(middle, frame.bottom + 34, "Parameters", anchor="middle", muted=True))
    body.append(write_text(4, 12, "KV cache, bytes per token", muted=True, size=10.5))
    return body


def draw_rises(frame: Frame, *, decimal_bytes: bool) -> list[Markup]:
    """The lines of the upright axis, and the two axes."""
    body: list[Markup] = []
    for tick in choose_ticks(frame.y_low, frame.y_high):
        y = frame.y(tick)
        body.append(draw_line(frame.left, y, frame.right, y))
        text = format_tick(tick, decimal_bytes=decimal_bytes)
        body.append(write_text(frame.left - 6, y + 4, text, anchor="end", muted=True))
    body.append(draw_line(frame.left, frame.bottom, frame.right, frame.bottom, color=MUTED))
    body.append(draw_line(frame.left, frame.top, frame.left, frame.bottom, color=GRID))
    return body


def draw_dots(frame: Frame, dots: Sequence[Dot]) -> list[Markup]:
    """All dots, and names where they have room; what is named stands above what is not."""
    radius = 4.4 if len(dots) <= MOST_NAMED else 3.0
    taken = [Box(d.x - 6, d.y - 6, d.x + 6, d.y + 6) for d in dots]
    taken += [Box(min(d.start, d.x) - 6, d.y - 5, d.x, d.y + 5) for d in dots if d.start is not None]
    under: list[Markup] = []
    over: list[Markup] = []
    for dot in dots:
        if dot.start is not None:
            under += _draw_active(dot, dot.start)
        over.append(draw_marker(dot.series, dot.x, dot.y, radius=radius, note=dot.said, model=dot.model))
    for dot in dots:
        if dot.named:
            box = place_label(frame, dot.label, dot.x, dot.y, taken)
            taken.append(box)
            over += _draw_label(dot, box)
    return [*under, *over]


def _draw_active(dot: Dot, start: float) -> list[Markup]:
    line = element(
        "line", x1=start, y1=dot.y, x2=dot.x, y2=dot.y, stroke=series_color(dot.series), stroke_width=1.2,
        stroke_dasharray="3 3", class_=series_class(dot.series), data_model=dot.model,
    )  # fmt: skip
    return [line, draw_marker(dot.series, start, dot.y, hollow=True, radius=4.4, note=dot.said, model=dot.model)]


def place_label(frame: Frame, label: str, x: float, y: float, taken: Sequence[Box]) -> Box:
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
    reach = Box(x - wide - 60, frame.top - 20, x + wide + 60, frame.bottom + 20)
    near = [other for other in taken if other.meets(reach)]
    return next((b for b in within if not any(b.meets(other) for other in near)), within[0])


def _draw_label(dot: Dot, box: Box) -> list[Markup]:
    """The name, with a thin line to its point where it had to move away."""
    body: list[Markup] = []
    middle = (box.top + box.bottom) / 2
    if abs(middle - dot.y) > 15:
        near = min(max(dot.x, box.left), box.right)
        body.append(
            element("line", x1=dot.x, y1=dot.y, x2=near, y2=box.top if middle > dot.y else box.bottom, stroke=MUTED,
                    stroke_width=0.6, class_="axis", data_model=dot.model)
        )  # fmt: skip
    body.append(write_text(box.left, middle + 4, dot.label, model=dot.model))
    return body
