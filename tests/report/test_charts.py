"""Charts: their numbers, their marks, and places that do not overlap."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.fakes import BERT, LLAMA, make_models, make_row, make_rows
from zoo.paths import templates_dir
from zoo.report import scatter, svg
from zoo.report.charts import (
    _LIGHT,
    BLACK,
    MOST_SERIES,
    PART_COLORS,
    Chart,
    draw_cache_chart,
    draw_parts_chart,
    trace_cache,
)
from zoo.report.facts import PART_NAMES, list_parts
from zoo.report.strips import KINDS, draw_strip

SVG = "{http://www.w3.org/2000/svg}"
CURVE = [1 << i for i in range(9, 18)]


def parse(chart: Chart | str) -> ET.Element:
    return ET.fromstring(str(chart.svg if isinstance(chart, Chart) else chart))


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_the_curve_of_a_window_bends_where_it_is_full() -> None:
    (curve,) = trace_cache(make_models(make_rows(2)[1:]), 512, 1 << 20)
    sizes = {point.tokens: point.size for point in curve.points}
    assert sizes[2048] == 2 * sizes[1024] == 131072 * 2048
    assert sizes[4096] == sizes[8192] == sizes[32768] == 131072 * 4096


def test_a_curve_ends_at_the_context_that_its_model_declares() -> None:
    curves = trace_cache(make_models(make_rows(2)), 512, 1 << 20)
    assert [curve.points[-1].tokens for curve in curves] == [32768, 131072]


def test_every_curve_has_its_label_and_its_own_dash() -> None:
    chart = draw_cache_chart(make_models(make_rows(5)), CURVE, 1 << 15)
    assert chart is not None
    root = parse(chart)
    assert {"gpt2", "Llama-3.1-8B", "gemma-3-1b-it", "Mixtral-8x7B-v0.1", "Mistral-7B-v0.1"} <= set(words(root))
    lines = [line for line in root.iter(f"{SVG}polyline") if "curve" in line.attrib["class"]]
    assert len({(line.attrib["stroke"], line.attrib.get("stroke-dasharray")) for line in lines}) == 5
    assert "Context, tokens" in words(root)
    assert any(word.endswith("GB") for word in words(root))


def test_a_model_that_keeps_nothing_is_named_below_the_chart() -> None:
    rows = [make_row("acme/llama", LLAMA), make_row("acme/bert", BERT)]
    chart = draw_cache_chart(make_models(rows), CURVE, 1 << 15)
    assert chart is not None
    assert chart.note.endswith("no room: bert.")
    assert draw_cache_chart(make_models(rows[1:]), CURVE, 1 << 15) is None


def test_bars_are_as_wide_as_their_shares() -> None:
    models = make_models(make_rows(2))
    root = parse(draw_parts_chart(models, list_parts(models), PART_NAMES))
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.attrib.get("class") == "segment"]
    titles = {bar.findtext(f"{SVG}title"): float(bar.attrib["width"]) for bar in bars}
    mlp = titles["Llama-3.1-8B, MLP: 5,637,144,576 (70.2 %)"]
    llama = [width for title, width in titles.items() if title and title.startswith("Llama")]
    assert mlp / sum(llama) == pytest.approx(5_637_144_576 / 8_030_261_248, abs=0.002)
    assert "8.03 B" in words(root)


def test_a_legend_that_is_too_long_for_one_line_goes_on_in_the_next() -> None:
    models = make_models(make_rows(1))
    root = parse(draw_parts_chart(models, list(PART_NAMES), PART_NAMES))
    swatches = [bar for bar in root.iter(f"{SVG}rect") if bar.attrib.get("class") != "segment"]
    assert len(swatches) == len(PART_NAMES)
    assert {swatch.attrib["y"] for swatch in swatches} == {"4", "22"}
    assert all(float(swatch.attrib["x"]) < 700 for swatch in swatches)


def test_more_models_than_a_chart_can_tell_apart_are_said_to_be_left_out() -> None:
    models = make_models(make_rows(MOST_SERIES + 3))
    chart = draw_parts_chart(models, list_parts(models), PART_NAMES)
    assert chart.note.endswith(f"The {MOST_SERIES} smallest of {MOST_SERIES + 3} models are drawn.")
    cache = draw_cache_chart(models, CURVE, 1 << 15)
    assert cache is not None
    assert models[-1].label in cache.note


def test_a_sparse_model_has_two_marks_and_a_dense_one() -> None:
    models = make_models(make_rows(3))
    chart = scatter.draw_size_chart(models)
    assert chart is not None
    root = parse(chart)
    marks = [e for e in root.iter() if e.attrib.get("class", "").startswith(("mark", "hollow"))]
    assert len(marks) == 4
    assert root.findtext(f"{SVG}title") == f"{chart.title}. {chart.note}"


def test_two_dots_are_no_chart() -> None:
    assert scatter.draw_size_chart(make_models(make_rows(2))) is None


def test_labels_of_twenty_models_keep_out_of_each_others_way() -> None:
    frame = scatter.Frame(62, 700, 24, 332, 1e7, 1e12, 1e4, 1e7)
    dots = [scatter.place_model(frame, m, None) for m in scatter.list_placed(make_models(make_rows(20)))]
    boxes: list[scatter.Box] = []
    for dot in dots:
        boxes.append(scatter.place_label(frame, dot.label, dot.x, dot.y, boxes))
    assert not any(a.meets(b) for a, b in combinations(boxes, 2))


def test_a_label_without_any_free_place_takes_the_first() -> None:
    frame = scatter.Frame(0, 700, 0, 332, 1, 10, 1, 10)
    everywhere = [scatter.Box(-1e6, -1e6, 1e6, 1e6)]
    box = scatter.place_label(frame, "name", 300, 100, everywhere)
    assert (box.left, box.top) == (309, 93)


@given(
    wanted=st.lists(st.floats(0, 400), min_size=1, max_size=20),
    gap=st.floats(5, 20),
)
def test_spread_labels_keep_their_order_and_their_distance(wanted: list[float], gap: float) -> None:
    placed = svg.spread_labels(wanted, gap, 0, 400)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    rows = [placed[i] for i in order]
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(rows))
    if gap * len(wanted) < 400:
        assert -1e-6 <= min(placed) <= max(placed) <= 400 + 1e-6


@pytest.mark.parametrize(("low", "high", "ticks"), [(9e5, 2e6, [10**6, 2 * 10**6]), (1, 1000, [1, 10, 100, 1000])])
def test_axes_have_round_ticks(low: float, high: float, ticks: list[int]) -> None:
    assert svg.choose_ticks(low, high) == ticks


def test_twenty_series_all_look_different() -> None:
    looks = set()
    for series in range(MOST_SERIES):
        mark = ET.fromstring(svg.draw_marker(series, 0.0, 0.0))
        shape = "".join(f"{mark.tag} {len(mark.attrib.get('points', '').split())} {mark.attrib.get('points', '')}")
        looks.add((svg.series_color(series), svg.series_dash(series), shape))
    assert len(looks) == MOST_SERIES


def test_the_writer_escapes_text_and_attributes() -> None:
    markup = svg.element("text", "<script>&", class_='"><script>', font_size=2.5, nothing=None)
    assert markup == '<text class="&#34;&gt;&lt;script&gt;" font-size="2.5">&lt;script&gt;&amp;</text>'


def test_coordinates_are_spelled_alike_everywhere() -> None:
    assert svg.element("line", x1=-0.01, x2=1 / 3, y1=2.0) == '<line x1="0" x2="0.3" y1="2"/>'


def test_letters_outside_ascii_are_taken_for_wide_ones() -> None:
    assert svg.measure_text("…", 10) == 7
    assert svg.measure_text("ii", 10) < svg.measure_text("WW", 10)


def test_a_strip_has_a_cell_for_each_layer_and_a_foot_for_each_with_experts() -> None:
    models = {m.label: m for m in make_models(make_rows(5))}
    gemma = ET.fromstring(draw_strip("g", "Gemma", models["gemma-3-1b-it"].layers))
    colors = [cell.attrib["fill"] for cell in gemma.iter(f"{SVG}rect")]
    assert colors == ([KINDS["sliding"].color] * 5 + [KINDS["full"].color]) * 4 + [KINDS["sliding"].color] * 2
    mixtral = ET.fromstring(draw_strip("m", "Mixtral", models["Mixtral-8x7B-v0.1"].layers))
    assert [cell.attrib["class"] for cell in mixtral.iter(f"{SVG}rect")].count("foot") == 32


def test_kinds_of_layer_differ_in_more_than_colour() -> None:
    from zoo.metrics.facts import LAYER_KINDS

    assert set(KINDS) == set(LAYER_KINDS)
    assert KINDS["full"].height > KINDS["sliding"].height


def test_titles_say_what_there_is_to_say() -> None:
    from zoo.report.charts import say_cache, say_parts

    models = make_models(make_rows(3))
    assert say_cache(models, 1 << 15) == (
        "Cache of one sequence at 32,768 tokens: from 536.9 MB (Mistral-7B-v0.1) to 4.295 GB "
        "(Llama-3.1-8B and Mixtral-8x7B-v0.1)"
    )
    assert say_cache(models[:1], 1 << 15) == "Cache of one sequence: Mistral-7B-v0.1 keeps 536.9 MB at 32,768 tokens"
    assert say_cache(models, 12345) == "What one sequence keeps, against its length"
    assert say_parts(models, PART_NAMES) == "The largest part by number of models: MLP (2), experts (1)"
    assert say_parts(models[:2], PART_NAMES) == "Most parameters are in the MLP"
    assert say_parts([], PART_NAMES) == "Share of the parameters in each part"


def luminance(color: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_lines_and_marks_stand_out_on_white_and_on_dark() -> None:
    style = (templates_dir() / "screen.css").read_text(encoding="utf-8")
    series = re.findall(r"svg \.s(\d) \{ stroke: light-dark\((#\w+), (#\w+)\)", style)
    assert [light for _, light, _ in series] == list(svg.PALETTE)
    assert all(contrast(light, svg.PAPER) >= 3 for _, light, _ in series)
    assert all(contrast(dark, "#15181c") >= 4.5 for _, _, dark in series)
    assert contrast(svg.MUTED, svg.PAPER) >= 4.5


@pytest.mark.parametrize("part", PART_COLORS)
def test_a_share_can_be_read_on_the_colour_of_its_part(part: str) -> None:
    ink = BLACK if part in _LIGHT else svg.PAPER
    assert contrast(PART_COLORS[part], ink) >= 4.5
