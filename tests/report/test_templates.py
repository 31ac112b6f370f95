"""Templates of one's own stand in for zoo's, reach nothing but the view, and fail by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.fakes import make_rows, make_view
from zoo.errors import UsageError
from zoo.report.render import TemplateProblem, render_html, render_pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_one_file_stands_in_and_the_others_stay(folder: Path) -> None:
    (folder / "screen.css").write_text("body { color: rebeccapurple; }")
    page = render_html(make_view(make_rows(2)), folder)
    assert "rebeccapurple" in page
    assert "The models at a glance" in page


def test_a_whole_page_of_ones_own_uses_the_documented_view(folder: Path) -> None:
    (folder / "base.html").write_text(
        "{% import 'blocks.html' as ui with context %}<title>{{ report.title }}</title>"
        "{% for m in report.models %}<p>{{ m.repo_id }} {{ m.facts.params.total }}</p>{% endfor %}"
        "{% for b in report.sections[0].blocks %}{{ ui.block(b) }}{% endfor %}"
    )
    page = render_html(make_view(make_rows(2), title="<mine>"), folder)
    assert page.startswith("<title>&lt;mine&gt;</title>")
    assert "<p>meta-llama/Llama-3.1-8B 8030261248</p>" in page
    assert 'id="at-a-glance"' in page
    assert render_pdf(make_view(make_rows(1)), folder).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ report.no_such }}", r"base.html, line 1: .*no_such"),
        ("\n\n{% if %}", r"base.html, line 3: "),
        ("{% include 'not-there.html' %}", r"not-there.html"),
        ("{{ ''.__class__.__mro__ }}", r"unsafe"),
        ("{{ report.models.append(1) }}", r"line 1"),
    ],
)
def test_a_wrong_template_is_told_by_file_and_line(folder: Path, text: str, message: str) -> None:
    (folder / "base.html").write_text(text)
    with pytest.raises(TemplateProblem, match=message) as caught:
        render_html(make_view(make_rows(1)), folder)
    assert caught.value.exit_code == 2


def test_a_folder_without_templates_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"has none of the files of a report: base.html, blocks.html"):
        render_html(make_view(make_rows(1)), folder)
    with pytest.raises(UsageError, match="is no folder"):
        render_html(make_view(make_rows(1)), folder / "nowhere")


def test_every_field_of_the_view_is_documented() -> None:
    from dataclasses import fields

    from zoo.report import blocks, tables
    from zoo.report.charts import Chart
    from zoo.report.view import ModelEntry, ReportView

    text = (Path(__file__).parents[2] / "docs/reports.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    objects = (
        ReportView, ModelEntry, Chart, tables.Table, tables.Head, tables.Cell, blocks.Prose, blocks.Heading,
        blocks.Items, blocks.Terms, blocks.Strips, blocks.Sheet, blocks.Summary,
    )  # fmt: skip
    for kind in objects:
        names = {f"`{field.name}`" for field in fields(kind)}
        assert any(all(name in row for name in names) for row in rows), kind


def test_every_section_is_documented() -> None:
    from zoo.report.sections import PLANS

    text = (Path(__file__).parents[2] / "docs/reports.md").read_text(encoding="utf-8")
    assert all(f"`{plan.id}`" in text for plan in PLANS)
