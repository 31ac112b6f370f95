"""The charts: each says in its title what it shows, names its units, and has its data in a table beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from typing import ClassVar

from markupsafe import Markup

from zoo.report.format import (
    format_context,
    format_count,
    format_decimal_bytes,
    format_share,
    format_short,
    format_tick,
)
from zoo.report.models import ReportModel
from zoo.report.summary import name_models
from zoo.report.svg import (
    MUTED,
    PAPER,
    choose_ticks,
    draw_line,
    draw_marker,
    element,
    measure_text,
    place_log,
    series_class,
    series_color,
    series_dash,
    spread_labels,
    wrap_svg,
    write_text,
)
from zoo.report.tables import Head, Line, Table, count_cell

WIDTH = 720.0
#: Of text on colours, which ink is not dark enough for.
BLACK = "#000000"
#: Most models that one chart tells apart.
MOST_SERIES = 20

PART_COLORS: Mapping[str, str] = {
    "embedding": "#56b4e9",
    "position": "#9ad0f0",
    "attention": "#0072b2",
    "mlp": "#e69f00",
    "experts": "#d55e00",
    "shared_experts": "#f0a878",
    "router": "#a0522d",
    "recurrent": "#009e73",
    "norm": "#6b7280",
    "head": "#aa4499",
    "vision": "#66c2a5",
    "audio": "#b7d36b",
    "projector": "#777f8b",
    "other": "#b4b9c1",
}
#: Parts on which black text is read better than white, each with a contrast of 4.5 or more.
_LIGHT = frozenset(PART_COLORS) - {"attention", "router", "norm", "head"}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure. ``title`` says what it shows, ``svg`` is safe markup, ``note`` says how to read it and what is missing.

    ``data``: the same as a table, for those who cannot see it.
    """

    kind: ClassVar[str] = "chart"
    id: str
    title: str
    svg: Markup
    note: str = ""
    data: Table | None = None
    narrow: bool = False  #: half as wide as the page


@dataclass(frozen=True, slots=True)
class Point:
    tokens: int
    size: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A model's cache over the context: exact at each point, straight between them."""

    series: int
    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The area that data is drawn in, and the ranges of its two logarithmic axes."""

    left: float
    right: float
    top: float
    bottom: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return place_log(value, self.x_low, self.x_high, self.left, self.right)

    def y(self, value: float) -> float:
        return place_log(value, self.y_low, self.y_high, self.bottom, self.top)


def trace_cache(models: Sequence[ReportModel], first: int, last: int) -> tuple[Curve, ...]:
    """Bytes of each cache from ``first`` to ``last`` tokens, but not beyond the context that the model declares."""
    curves = []
    for series, model in enumerate(models[:MOST_SERIES]):
        sizes = model.get("kv_cache.bytes_at") or {}
        end = min(last, model.max_context or last)
        points = tuple(
            Point(int(tokens), size)
            for tokens, size in sizes.items()
            if size and first <= int(tokens) and (int(tokens) <= end)
        )
        if points:
            curves.append(Curve(series, model.label, points))
    return tuple(curves)


def draw_cache_chart(models: Sequence[ReportModel], contexts: Sequence[int], context: int) -> Chart | None:
    """KV cache and state against context, both axes logarithmic; None where no model keeps anything."""
    curves = trace_cache(models, min(contexts), max(contexts)) if contexts else ()
    if not curves:
        return None
    sizes = [p.size for c in curves for p in c.points]
    ends = [p.tokens for c in curves for p in c.points]
    labels = max(measure_text(c.label) for c in curves) + 34
    height = max(380.0, 15.0 * len(curves) + 70)
    frame = Frame(
        left=62, right=WIDTH - labels, top=24, bottom=height - 48,
        x_low=min(ends), x_high=max(max(ends), 2 * min(ends)),
        y_low=min(sizes) / 1.3, y_high=max(sizes) * 1.3,
    )  # fmt: skip
    body = [*_draw_axes(frame, "Context, tokens", "Cache of one sequence, bytes"), *_draw_curves(frame, curves)]
    title = say_cache(models, context)
    drawn = {curve.series for curve in curves}
    missing = [m.label for i, m in enumerate(models) if i not in drawn]
    note = (
        "Cache and state of one sequence against its length; both axes are logarithmic. Lines end at the context that "
        "each model declares; a bend is a window that has filled up."
    )
    if missing:
        note += f" Not drawn, because there is no size in bytes or no room: {', '.join(missing)}."
    svg = wrap_svg("cache-chart", f"{title}. {note}", WIDTH, height, body)
    return Chart("cache-chart", title, svg, note, tabulate_curves(curves))


def say_cache(models: Sequence[ReportModel], context: int) -> str:
    """The title of the cache chart: who keeps least and most at ``context`` tokens."""
    path = f"kv_cache.bytes_at.{context}"
    sized = sorted((m for m in models if m.get(path)), key=lambda m: (m.get(path), m.repo_id))
    at = f"at {format_count(context)} tokens"
    if not sized:
        return "What one sequence keeps, against its length"
    least, most = sized[0], sized[-1]
    if least.get(path) == most.get(path):
        who = f"{least.label} keeps" if len(sized) == 1 else "all keep"
        return f"Cache of one sequence: {who} {format_decimal_bytes(least.get(path))} {at}"
    lightest, heaviest = (name_models([m for m in sized if m.get(path) == end.get(path)]) for end in (least, most))
    return (
        f"Cache of one sequence {at}: from {format_decimal_bytes(least.get(path))} ({lightest}) "
        f"to {format_decimal_bytes(most.get(path))} ({heaviest})"
    )


def tabulate_curves(curves: Sequence[Curve]) -> Table:
    """Every point that the cache chart draws: contexts as rows, models as columns."""
    sizes: list[Mapping[int, int]] = [{p.tokens: p.size for p in curve.points} for curve in curves]
    tokens = sorted({t for points in sizes for t in points})
    return Table(
        "cache-points",
        "Cache of one sequence at each length, in bytes",
        "Tokens",
        tuple(Head(curve.label, model=curve.series) for curve in curves),
        tuple(Line(Head(format_count(t)), tuple(count_cell(points.get(t)) for points in sizes)) for t in tokens),
        by_model=False,
    )


def _draw_axes(frame: Frame, x_label: str, y_label: str) -> list[Markup]:
    """Grid and ticks: powers of two (tokens) below, powers of ten (bytes) at the side."""
    body: list[Markup] = []
    first, last = ceil(log2(frame.x_low)), floor(log2(frame.x_high))
    step = 1 if last - first <= 8 else 2
    for power in range(first, last + 1, step):
        x = frame.x(2**power)
        body += [
            draw_line(x, frame.top, x, frame.bottom),
            write_text(x, frame.bottom + 15, format_context(2**power), anchor="middle", muted=True),
        ]
    body += _draw_sizes(frame)
    body.append(write_text((frame.left + frame.right) / 2, frame.bottom + 34, x_label, anchor="middle", muted=True))
    body.append(write_text(4, frame.top - 12, y_label, muted=True, size=10.5))
    return body


def _draw_sizes(frame: Frame) -> list[Markup]:
    body: list[Markup] = []
    for tick in choose_ticks(frame.y_low, frame.y_high):
        y = frame.y(tick)
        body.append(draw_line(frame.left, y, frame.right, y))
        body.append(write_text(frame.left - 6, y + 4, format_tick(tick, decimal_bytes=True), anchor="end", muted=True))
    body.append(draw_line(frame.left, frame.bottom, frame.right, frame.bottom, color=MUTED))
    return body


def _draw_curves(frame: Frame, curves: Sequence[Curve]) -> list[Markup]:
    body: list[Markup] = []
    tips = [(frame.x(c.points[-1].tokens), frame.y(c.points[-1].size)) for c in curves]
    spots = spread_labels([y for _, y in tips], 14, frame.top + 6, frame.bottom)
    for curve, (x, y), spot in zip(curves, tips, spots, strict=True):
        color, css = series_color(curve.series), series_class(curve.series)
        path = " ".join(f"{frame.x(p.tokens):.1f},{frame.y(p.size):.1f}" for p in curve.points)
        last = curve.points[-1]
        said = f"{curve.label}: {format_decimal_bytes(last.size)} at {format_count(last.tokens)} tokens"
        body.append(
            element("polyline", points=path, fill="none", stroke=color, stroke_width=2, stroke_linejoin="round",
                    stroke_dasharray=series_dash(curve.series), class_=f"curve {css}", data_model=curve.series)
        )  # fmt: skip
        leader = f"{x + 6:.1f},{y:.1f} {frame.right + 10:.1f},{spot:.1f} {frame.right + 22:.1f},{spot:.1f}"
        body.append(
            element(
                "polyline",
                points=leader,
                fill="none",
                stroke=MUTED,
                stroke_width=0.7,
                stroke_dasharray="1 2",
                class_="axis",
                data_model=curve.series,
            )
        )
        body.append(draw_marker(curve.series, x, y, note=said, model=curve.series))
        body.append(write_text(frame.right + 26, spot + 4, curve.label, model=curve.series))
    return body


def draw_parts_chart(models: Sequence[ReportModel], parts: Sequence[str], names: Mapping[str, str]) -> Chart:
    """Where the parameters are: one bar a model, each part's share of its total."""
    shown = models[:MOST_SERIES]
    left = max(measure_text(m.label) for m in shown) + 12
    right = WIDTH - 64
    legend, top = _draw_legend(parts, names)
    body = [*legend]
    for row, model in enumerate(shown):
        y = top + 26 * row
        body.append(write_text(left - 8, y + 14, model.label, anchor="end", model=model.index))
        body += _draw_bar(model, parts, names, left, right, y)
        total = format_short(model.get("params.total"))
        body.append(write_text(WIDTH, y + 14, total, anchor="end", bold=True, model=model.index))
    title = say_parts(shown, names)
    height = top + 26 * len(shown) + 4
    note = "Share of each part in all parameters; the total stands at the right."
    if len(shown) < len(models):
        note += f" The {len(shown)} smallest of {len(models)} models are drawn."
    return Chart("parts-chart", title, wrap_svg("parts-chart", f"{title}. {note}", WIDTH, height, body), note)


def say_parts(models: Sequence[ReportModel], names: Mapping[str, str]) -> str:
    """The title of the parts chart: which part is the largest, and of how many models."""
    largest = Counter(max(by_part, key=lambda p: by_part[p]) for m in models if (by_part := m.get("params.by_part")))
    told = [f"{names[part].lower() if part != 'mlp' else 'MLP'} ({count})" for part, count in largest.most_common()]
    if not told:
        return "Share of the parameters in each part"
    if len(told) == 1:
        return f"Most parameters are in the {told[0].rpartition(' (')[0]}"
    return f"The largest part by number of models: {', '.join(told)}"


def _draw_legend(parts: Sequence[str], names: Mapping[str, str]) -> tuple[list[Markup], float]:
    body: list[Markup] = []
    x, y = 0.0, 4.0
    for part in parts:
        wide = measure_text(names[part]) + 32
        if x + wide > WIDTH:
            x, y = 0.0, y + 18
        body.append(element("rect", x=x, y=y, width=12, height=12, fill=PART_COLORS[part], rx=2))
        body.append(write_text(x + 17, y + 10, names[part]))
        x += wide
    return body, y + 26


def _draw_bar(
    model: ReportModel, parts: Sequence[str], names: Mapping[str, str], left: float, right: float, y: float
) -> list[Markup]:
    total, by_part = model.get("params.total"), model.get("params.by_part")
    body: list[Markup] = []
    x = left
    for part in parts:
        if not (count := by_part.get(part, 0)):
            continue
        wide = (right - left) * count / total
        said = f"{model.label}, {names[part]}: {format_count(count)} ({format_share(count, total)})"
        body.append(
            element("rect", element("title", said), x=x, y=float(y), width=wide, height=20,
                    fill=PART_COLORS[part], stroke=PAPER, stroke_width=0.8, class_="segment", data_model=model.index)
        )  # fmt: skip
        share = format_share(count, total)
        if wide > measure_text(share, 9.5) + 8:
            ink = BLACK if part in _LIGHT else PAPER
            body.append(
                element(
                    "text",
                    share,
                    x=x + wide / 2,
                    y=y + 13.5,
                    font_size=9.5,
                    fill=ink,
                    text_anchor="middle",
                    data_model=model.index,
                )
            )
        x += wide
    return body
