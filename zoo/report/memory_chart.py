"""What a model needs at one context, against the memory of devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from zoo.devices import Device, load_devices
from zoo.report.charts import WIDTH, Chart, Frame
from zoo.report.format import format_context, format_count, format_decimal_bytes, format_tick
from zoo.report.models import ReportModel
from zoo.report.svg import (
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
from zoo.report.tables import Head, Line, Table, bytes_cell, head_model, text_cell

#: The devices that are drawn: one of each common size of memory.
DEVICE_NAMES = ("RTX 4090", "L40S", "H100 SXM", "H200", "B200", "B300")
#: So many sequences stand for a server that is in use.
BATCH = 8


class Need(NamedTuple):
    """Bytes of the weights alone, with one sequence, and with :data:`BATCH` sequences."""

    model: ReportModel
    weights: int
    one: int
    several: int


def list_devices() -> list[Device]:
    """The devices of the report, the smallest first."""
    chosen = [device for device in load_devices() if device.name in DEVICE_NAMES]
    return sorted(chosen, key=lambda device: device.usable_bytes)


def measure_needs(models: Sequence[ReportModel], context: int) -> list[Need]:
    """The models whose weights and cache are both known in bytes."""
    needs = []
    for model in models:
        weights, cache = model.get("weights.bytes"), model.get(f"kv_cache.bytes_at.{context}")
        if weights and cache is not None:
            needs.append(Need(model, weights, weights + cache, weights + BATCH * cache))
    return needs


def name_device(need: int) -> str:
    """The smallest device of the report that holds ``need`` bytes; else how many of the largest do."""
    devices = list_devices()
    for device in devices:
        if need <= device.usable_bytes:
            return device.name
    return f"{-(-need // devices[-1].usable_bytes)} × {devices[-1].name}"


def draw_memory_chart(models: Sequence[ReportModel], context: int) -> Chart | None:
    """Weights, and weights with sequences, against device lines; None where nothing is known in bytes."""
    needs = measure_needs(models, context)
    if not needs:
        return None
    devices = list_devices()
    left = max(measure_text(n.model.label) for n in needs) + 14
    height = 74.0 + 24 * len(needs) + 40
    low, high = round_out([n.weights for n in needs] + [n.several for n in needs] + [devices[0].usable_bytes])
    frame = Frame(left, WIDTH - 12, 74, height - 44, low, max(high, devices[-1].usable_bytes * 1.5), 1, 10)
    body = [*draw_devices(frame, devices), *draw_scale(frame)]
    for row, need in enumerate(needs):
        body += draw_need(frame, need, frame.top + 24 * row + 12)
    title = say_fit(needs, devices, context)
    note = (
        f"Bytes (logarithmic): the bar is the weights as stored, the full mark adds one sequence of "
        f"{format_count(context)} tokens, the hollow mark {BATCH} of them. A dashed line is what weights and cache may "
        "take of a device’s memory, nine tenths of it. Activations and the runtime’s own needs come on top."
    )
    svg = wrap_svg("memory-chart", f"{title}. {note}", WIDTH, height, body)
    return Chart("memory-chart", title, svg, note, tabulate_needs(needs, context))


def say_fit(needs: Sequence[Need], devices: Sequence[Device], context: int) -> str:
    """The title: who fits the device of the middle of the market."""
    device = next(d for d in devices if d.name == "H100 SXM")
    fits = [n for n in needs if n.one <= device.usable_bytes]
    how = f"on one {device.name} with {format_context(context)} tokens of context"
    if len(needs) == 1:
        return f"{needs[0].model.label} {'fits' if fits else 'does not fit'} {how}"
    if len(fits) in (0, len(needs)):
        return f"{'All of these' if fits else 'None of these'} {'fit' if fits else 'fits'} {how}"
    return f"{len(fits)} of {len(needs)} fit {how}"


def draw_devices(frame: Frame, devices: Sequence[Device]) -> list[Markup]:
    """A dashed line for each device, its name above; names stand in steps so that none covers another."""
    body: list[Markup] = []
    for step, device in enumerate(devices):
        x, y = frame.x(device.usable_bytes), 14.0 + 14 * (step % 4)
        body.append(
            element("line", x1=x, y1=y + 3, x2=x, y2=frame.bottom, stroke=MUTED, stroke_width=1.0,
                    stroke_dasharray="4 3", class_="axis")
        )  # fmt: skip
        text = f"{device.name} {round(device.memory_bytes / (1 << 30))} GiB"
        anchor = "end" if x + measure_text(text, 10) / 2 > WIDTH else "middle"
        body.append(write_text(min(x, WIDTH) if anchor == "middle" else WIDTH, y, text, anchor=anchor, size=10))
    return body


def draw_scale(frame: Frame) -> list[Markup]:
    body: list[Markup] = []
    for tick in choose_ticks(frame.x_low, frame.x_high):
        x = frame.x(tick)
        body.append(draw_line(x, frame.top, x, frame.bottom))
        body.append(
            write_text(x, frame.bottom + 15, format_tick(tick, decimal_bytes=True), anchor="middle", muted=True)
        )
    body.append(draw_line(frame.left, frame.bottom, frame.right, frame.bottom, color=MUTED))
    middle = (frame.left + frame.right) / 2
    body.append(write_text(middle, frame.bottom + 34, "Memory, bytes", anchor="middle", muted=True))
    return body


def draw_need(frame: Frame, need: Need, y: float) -> list[Markup]:
    """One row: the bar of the weights, a line on to the marks with sequences."""
    model = need.model
    color, css = series_color(model.index), series_class(model.index)
    said = f"{model.label}: weights {format_decimal_bytes(need.weights)}"
    one = f"{said}, with one sequence {format_decimal_bytes(need.one)}"
    several = f"{said}, with {BATCH} sequences {format_decimal_bytes(need.several)}"
    start, middle, end = frame.x(need.weights), frame.x(need.one), frame.x(need.several)
    return [
        write_text(frame.left - 8, y + 4, model.label, anchor="end", model=model.index),
        element("line", x1=frame.left, y1=y, x2=start, y2=y, stroke=color, stroke_width=5.0, opacity=0.35,
                class_=css, data_model=model.index),
        element("line", x1=start, y1=y, x2=end, y2=y, stroke=color, stroke_width=1.6, class_=css,
                data_model=model.index),
        draw_marker(model.index, end, y, hollow=True, radius=4.2, note=several, model=model.index),
        draw_marker(model.index, middle, y, radius=4.2, note=one, model=model.index),
    ]  # fmt: skip


def tabulate_needs(needs: Sequence[Need], context: int) -> Table:
    """What the chart draws, and the smallest device that holds one sequence."""
    at = format_context(context)
    columns = (
        Head("Weights as stored"), Head(f"with 1 × {at}"), Head(f"with {BATCH} × {at}"),
        Head("Smallest device", f"1 × {at}"), Head("Smallest device", f"{BATCH} × {at}"),
    )  # fmt: skip
    lines = tuple(
        Line(
            head_model(n.model),
            (bytes_cell(n.weights), bytes_cell(n.one), bytes_cell(n.several), text_cell(name_device(n.one)),
             text_cell(name_device(n.several))),
        )
        for n in needs
    )  # fmt: skip
    return Table("memory-points", "Weights with one and with several sequences", "Model", columns, lines)
