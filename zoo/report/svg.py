"""A small SVG writer: elements with literal presentation attributes, everything escaped.

WeasyPrint reads no CSS of the page inside an SVG, so colours and sizes stand in the attributes; browsers let the page's
CSS override them by class, which is how the same markup turns dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from math import ceil, floor, log10

from markupsafe import Markup, escape

INK, MUTED, GRID, PAPER = "#1a1c20", "#5b616b", "#dfe2e6", "#ffffff"
#: Okabe and Ito's colours for colour-blind readers, those with most contrast on white first; the last two are darkened
#: to a contrast of 3 on white, which lines need to be seen.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#3d3d3d", "#b97f00", "#2a90c7")
#: Dashes of lines: a second sign beside the colour.
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2")

#: Advances of the letters from space to tilde in Inter at weight 400, in hundredths of the font size.
ADVANCES = bytes.fromhex(
    "1c1d2f3f4062401e242432421d2e1d243f293d3e413b3e393e3e1d1e4242423361454149483c3b4b4a1b3943395a4b4c404c"
    "4040414a456344443f2424242f2e20383d393d3a253d3b18183718583b3c3d3d2635213b38523738372b212b42"
)


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """One element. Text among the children is escaped, as are attributes; ``_`` in their names stands for ``-``."""
    spelled = "".join(
        f' {_spell_name(name)}="{escape(_spell(value))}"'
        for name, value in attributes.items()
        if value is not None and value != ""
    )
    if not children:
        return Markup(f"<{tag}{spelled}/>")  # noqa: S704  # every value is escaped above
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{spelled}>{inner}</{tag}>")  # noqa: S704  # escaped, or markup already


@cache
def _spell_name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _spell(value: object) -> str:
    """Coordinates to a tenth: enough for print, and the same on every machine."""
    if isinstance(value, float):
        text = f"{value:.1f}"
        return text.removesuffix(".0") if text != "-0.0" else "0"
    return str(value)


def write_text(
    x: float,
    y: float,
    content: str,
    *,
    size: float = 11,
    anchor: str = "start",
    muted: bool = False,
    bold: bool = False,
    model: int | None = None,
) -> Markup:
    """A line of text with its baseline at ``y``."""
    return element(
        "text",
        content,
        x=float(x),
        y=float(y),
        fill=MUTED if muted else INK,
        class_="muted" if muted else "ink",
        font_size=size,
        font_weight=600 if bold else None,
        text_anchor=None if anchor == "start" else anchor,
        data_model=model,
    )


def draw_line(x1: float, y1: float, x2: float, y2: float, *, color: str = GRID, width: float = 1) -> Markup:
    """A straight line of the grid."""
    return element(
        "line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke=color, stroke_width=width,
        class_={GRID: "grid", MUTED: "axis"}.get(color),
    )  # fmt: skip


def draw_marker(
    series: int,
    x: float,
    y: float,
    *,
    hollow: bool = False,
    radius: float = 3.6,
    note: str = "",
    model: int | None = None,
) -> Markup:
    """The mark of a series: shape and colour both tell which."""
    color = series_color(series)
    paint = {
        "fill": PAPER if hollow else color,
        "stroke": color,
        "stroke_width": 1.5,
        "class_": f"{'hollow' if hollow else 'mark'} {series_class(series)}",
        "data_model": model,
    }
    title = (element("title", note),) if note else ()
    shape = (series + series // len(PALETTE)) % 5
    r = radius
    if shape == 0:
        return element("circle", *title, cx=float(x), cy=float(y), r=r, **paint)
    points = {
        1: ((-r, -r), (r, -r), (r, r), (-r, r)),
        2: ((0, -1.3 * r), (1.2 * r, r), (-1.2 * r, r)),
        3: ((0, -1.4 * r), (1.4 * r, 0), (0, 1.4 * r), (-1.4 * r, 0)),
        4: ((-1.2 * r, -r), (1.2 * r, -r), (0, 1.3 * r)),
    }[shape]
    path = " ".join(f"{_spell(float(x + dx))},{_spell(float(y + dy))}" for dx, dy in points)
    return element("polygon", *title, points=path, **paint)


def series_color(series: int) -> str:
    return PALETTE[series % len(PALETTE)]


def series_dash(series: int) -> str:
    return DASHES[(series + series // len(PALETTE)) % len(DASHES)]


def series_class(series: int) -> str:
    return f"s{series % len(PALETTE)}"


def wrap_svg(name: str, title: str, width: float, height: float, body: Iterable[str]) -> Markup:
    """A whole figure that stands for itself; ``title`` is what is read out in its place."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_spell(float(width))} {_spell(float(height))}",
        width=float(width),
        height=float(height),
        role="img",
        aria_labelledby=f"{name}-title",
        font_family="Inter, Zoo Symbols, sans-serif",
    )


def measure_text(text: str, size: float = 11) -> float:
    """Width of ``text`` in Inter, from the font's own advances; other letters than ASCII count as wide ones."""
    return sum(ADVANCES[ord(c) - 32] if " " <= c <= "~" else 70 for c in text) * size / 100


def place_log(value: float, low: float, high: float, start: float, end: float) -> float:
    """Where ``value`` > 0 stands between ``start`` (at ``low``) and ``end`` (at ``high``) of a logarithmic axis."""
    return start + (end - start) * (log10(value) - log10(low)) / (log10(high) - log10(low))


def spread_labels(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near to ``wanted``, at least ``gap`` apart, and within ``low`` to ``high`` while they fit."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + gap
    ceiling = max(high, low + gap * (len(wanted) - 1))
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed


def choose_ticks(low: float, high: float) -> list[int]:
    """Round values within a logarithmic axis: powers of ten, with 2 and 5 between them where the axis is short."""
    steps = (1,) if high / low > 300 else (1, 2, 5)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    ticks = [step * 10**power for power in powers if power >= 0 for step in steps]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def round_out(values: Iterable[float]) -> tuple[float, float]:
    """The range of a logarithmic axis that holds all ``values`` (> 0) with some air around them."""
    found = list(values)
    return min(found) / 1.6, max(found) * 1.6
