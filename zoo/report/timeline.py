"""When the models came: parameters against the day on which each appeared on the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from zoo.report.charts import WIDTH, Chart, Frame
from zoo.report.format import format_count, format_short
from zoo.report.models import ReportModel
from zoo.report.scatter import FEWEST, HEIGHT, MOST_LABELS, MOST_NAMED, Dot, draw_dots, draw_key, draw_rises, find_group
from zoo.report.svg import draw_line, round_out, wrap_svg, write_text
from zoo.report.tables import Head, Line, Table, count_cell, head_model, text_cell


def read_day(model: ReportModel) -> date | None:
    """The day on which its repository was made, as the Hub says; None where it does not."""
    said = str(model.row.get("created_at") or "")[:10]
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


def draw_timeline(models: Sequence[ReportModel]) -> Chart | None:
    """Parameters by date; None where too few models have both, or all came on one day."""
    dated = [(day, m) for m in models if m.get("params.total") and (day := read_day(m))]
    days = [day for day, _ in dated]
    if len(dated) < FEWEST or min(days) == max(days):
        return None
    dated.sort(key=lambda pair: (pair[0], pair[1].repo_id))
    many = len(dated) > MOST_NAMED
    sizes = round_out(m.get("params.total") for _, m in dated)
    frame = Frame(62, WIDTH - 20, 46 if many else 24, HEIGHT - 48, 1, 10, *sizes)
    first, last = min(days).toordinal(), max(days).toordinal()
    margin = max(10.0, (last - first) * 0.04)
    scale = (frame.right - frame.left) / (last - first + 2 * margin)
    names = name_records(dated) if many else None
    dots = [
        place_day(frame, m, day, frame.left + (day.toordinal() - first + margin) * scale, names) for day, m in dated
    ]
    body = [
        *draw_years(frame, first - margin, last + margin, scale), *draw_rises(frame, decimal_bytes=False),
        *draw_dots(frame, dots), *(draw_key([m for _, m in dated]) if many else ()),
        write_text(4, 12, "Parameters", muted=True, size=10.5),
    ]  # fmt: skip
    title = say_span(dated)
    note = "Parameters (logarithmic) by the day on which the repository was made, as the Hub says."
    if undated := len(models) - len(dated):
        note += f" {undated} without a date {'is' if undated == 1 else 'are'} left out."
    svg = wrap_svg("time-chart", f"{title}. {note}", WIDTH, HEIGHT, body)
    return Chart("time-chart", title, svg, note, None if many else tabulate_days(dated))


def say_span(dated: Sequence[tuple[date, ReportModel]]) -> str:
    """The title: how far apart the oldest and the newest are, and the largest of all."""
    (first, oldest), (last, newest) = dated[0], dated[-1]
    day, largest = max(dated, key=lambda pair: (pair[1].get("params.total"), pair[1].repo_id))
    size = format_short(largest.get("params.total"))
    return (
        f"From {oldest.label} ({first:%Y-%m}) to {newest.label} ({last:%Y-%m}); "
        f"the largest, {largest.label} ({size}), is of {day:%Y-%m}"
    )


def name_records(dated: Sequence[tuple[date, ReportModel]]) -> set[int]:
    """Of many: those that were the largest when they came, the later ones first."""
    records: list[int] = []
    most = 0
    for _, model in dated:
        if model.get("params.total") > most:
            most = model.get("params.total")
            records.append(model.index)
    return set(records[-MOST_LABELS:])


def place_day(frame: Frame, model: ReportModel, day: date, x: float, names: set[int] | None) -> Dot:
    total = model.get("params.total")
    said = f"{model.label}: {day.isoformat()}, {format_count(total)} parameters"
    series = model.index if names is None else find_group(model)
    return Dot(model.index, series, model.label, x, frame.y(total), None, said, names is None or model.index in names)


def draw_years(frame: Frame, first: float, last: float, scale: float) -> list[Markup]:
    """A line where each year begins; quarters where the time is short."""
    body: list[Markup] = []
    months = (1,) if last - first > 900 else (1, 4, 7, 10) if last - first > 120 else tuple(range(1, 13))
    for year in range(date.fromordinal(int(first)).year, date.fromordinal(int(last)).year + 1):
        for month in months:
            day = date(year, month, 1).toordinal()
            if first <= day <= last:
                x = frame.left + (day - first) * scale
                body.append(draw_line(x, frame.top, x, frame.bottom))
                text = str(year) if len(months) == 1 else f"{year}-{month:02}"
                body.append(write_text(x, frame.bottom + 15, text, anchor="middle", muted=True))
    return body


def tabulate_days(dated: Sequence[tuple[date, ReportModel]]) -> Table:
    lines = tuple(
        Line(head_model(m), (text_cell(day.isoformat()), count_cell(m.get("params.total")))) for day, m in dated
    )
    return Table(
        "time-points", "When each model came, and its parameters", "Model", (Head("Created"), Head("Parameters")), lines
    )
