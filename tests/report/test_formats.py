"""Markdown, JSON and workbooks: the same numbers as the page, for other readers."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
import zipfile
from io import BytesIO

import pytest

from tests.report.fakes import LLAMA, MIXTRAL, make_row, make_rows, make_view
from zoo.report.data import read_value, render_json
from zoo.report.markdown import escape, escape_cell, render_markdown
from zoo.report.tables import Cell, count_cell, no_cell, real_cell, text_cell
from zoo.report.view import ReportView
from zoo.report.workbook import clip, render_xlsx

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def view() -> ReportView:
    return make_view(make_rows(6), notes=("llama: 9 models; 4 left out",))


def read_sheet(book: bytes, number: int) -> dict[str, str | float]:
    """The cells of a sheet by their places; formulas would raise."""
    archive = zipfile.ZipFile(BytesIO(book))
    shared = ET.fromstring(archive.read("xl/sharedStrings.xml"))
    texts = ["".join(part.text or "" for part in item.iter(f"{SHEET}t")) for item in shared]
    cells: dict[str, str | float] = {}
    for cell in ET.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{SHEET}c"):
        assert cell.find(f"{SHEET}f") is None
        value = cell.findtext(f"{SHEET}v")
        if value is not None:
            cells[cell.attrib["r"]] = texts[int(value)] if cell.attrib.get("t") == "s" else float(value)
    return cells


def test_markdown_says_what_the_page_says(view: ReportView) -> None:
    text = render_markdown(view)
    assert text.startswith("# 6 models compared\n\n6 models at a context of 32,768 tokens")
    assert "- **Size.** From gemma-3-1b-it" in text or "- **Size.** From bert" in text
    assert "| Mixtral-8x7B-v0.1 (mistralai) | 46.7 B | 12.9 B | 93.41 GB (bfloat16) | 131,072 |" in text
    assert "### Mixtral-8x7B-v0.1 (mistralai)" in text
    assert "- **gemma-3-1b-it**: 26 layers, 5 sliding, 1 full, repeated; window 512" in text
    assert "llama: 9 models; 4 left out" in text
    for section in view.sections:
        assert f"## {section.title}\n" in text


def test_tables_in_markdown_have_as_many_cells_in_each_row(view: ReportView) -> None:
    lines = render_markdown(view).split("\n")
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    for number, line in enumerate(lines):
        if line.startswith("| :---"):
            start = number - 1
            end = next(i for i in range(number, len(lines)) if not lines[i].startswith("|"))
            assert len(set(widths[start:end])) == 1


def test_few_models_in_markdown_carry_why_a_figure_matters() -> None:
    text = render_markdown(make_view(make_rows(2)))
    assert "| Why it matters |" in text
    assert "Depth. Every layer brings its own weights" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", "a\\|b"), ("<script>", "\\<script\\>"), ("[x](y)", "\\[x\\](y)"), ("a\nb", "a b"), ("`x`", "\\`x\\`"),
        ("snake_case*", "snake\\_case\\*"),
    ],
)  # fmt: skip
def test_signs_of_markdown_are_escaped(text: str, safe: str) -> None:
    assert escape_cell(text) == safe


@pytest.mark.parametrize("text", ["- a", "= a", "+ a", "1. a", "12) a", ": a"])
def test_the_start_of_a_line_makes_no_list(text: str) -> None:
    assert "\\" in escape(text)
    assert escape_cell(text) == text


def test_json_holds_the_facts_and_the_tables(view: ReportView) -> None:
    data = json.loads(render_json(view))
    assert data["context_tokens"] == 32768
    assert data["compared_to"] is None
    assert data["generated"] == "2026-03-01T12:00:00Z"
    llama = next(model for model in data["models"] if model["repo_id"] == "meta-llama/Llama-3.1-8B")
    assert llama["params"]["total"] == 8_030_261_248
    answer = data["sections"][0]
    assert [block["kind"] for block in answer["blocks"][:2]] == ["summary", "table"]
    row = next(row for row in answer["blocks"][1]["rows"] if row[0] == "meta-llama/Llama-3.1-8B")
    assert row[1:6] == [8_030_261_248, 8_030_261_248, 16_060_522_496, 131072, 4_294_967_296]
    kinds = {block["kind"] for section in data["sections"] for block in section["blocks"]}
    assert kinds == {"summary", "table", "chart", "prose", "heading", "items", "terms", "strips", "sheet"}


def test_a_cell_gives_its_bare_value() -> None:
    assert read_value(count_cell(12)) == 12
    assert read_value(real_cell(0.5)) == 0.5
    assert read_value(no_cell()) is None
    assert read_value(text_cell("x")) == "x"
    assert read_value(Cell("2026-03-01", "12:00", "2026-03-01T12:00:00Z")) == "2026-03-01"


def test_a_workbook_has_a_sheet_for_each_section_with_tables(view: ReportView) -> None:
    book = render_xlsx(view)
    names = re.findall(r'<sheet name="([^"]+)"', zipfile.ZipFile(BytesIO(book)).read("xl/workbook.xml").decode())
    assert names[:4] == ["Summary", "In short", "Key parameters", "Where the parameters are"]
    summary = read_sheet(book, 1)
    assert summary["A1"] == "6 models compared"
    assert summary["A5"] == "Size"
    glance = read_sheet(book, 2)
    assert glance["B2"] == "Parameters"
    assert 8_030_261_248 in glance.values()
    assert "✓ yes" in glance.values()


def test_the_same_view_gives_the_same_workbook(view: ReportView) -> None:
    assert render_xlsx(view) == render_xlsx(view)


def test_a_formula_in_a_name_stays_text() -> None:
    config = LLAMA | {"hidden_act": '=HYPERLINK("http://127.0.0.1:9")', "model_type": "llama"}
    row = make_row("acme/=cmd|' /C calc'!A0", config, license="=1+1", base_model="http://127.0.0.1:9/x")
    book = render_xlsx(make_view([row, make_row("acme/moe", MIXTRAL)]))
    archive = zipfile.ZipFile(BytesIO(book))
    text = b"".join(archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/"))
    assert b"<f>" not in text
    assert b"hyperlink" not in text
    assert "acme/=cmd|' /C calc'!A0" in set(read_sheet(book, 2).values())


def test_a_number_beyond_what_a_workbook_holds_is_text() -> None:
    view = make_view([make_row("acme/llama", LLAMA)], sections=("scaling",))
    cells = read_sheet(render_xlsx(view), 2)
    assert any(isinstance(value, str) and value.isdecimal() and len(value) > 16 for value in cells.values())


def test_signs_that_no_workbook_may_hold_are_left_out() -> None:
    assert clip("a\x00b\x1fc￾") == "abc"
    assert len(clip("x" * 40_000)) == 32_767
