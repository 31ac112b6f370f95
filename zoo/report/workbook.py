"""A report as a workbook: a sheet with the sentences, then one for each section with its tables below each other."""

from __future__ import annotations

import re
from datetime import datetime
from io import BytesIO
from typing import Any

from zoo.report.blocks import Section, Summary
from zoo.report.data import list_tables, name_head, read_value
from zoo.report.tables import Table
from zoo.report.view import ReportView

#: What a cell of a workbook can hold, and a number that it can hold exactly.
MOST_LETTERS = 32_767
MOST_EXACT = 1 << 53
_UNFIT = re.compile(r"[\[\]:*?/\\']")


def render_xlsx(view: ReportView) -> bytes:
    """The workbook. Text is written as text, never as a formula or a link; the same view gives the same bytes."""
    import xlsxwriter

    target = BytesIO()
    # In memory, so that no file is left behind; what looks like a formula, a link or a number stays text.
    book = xlsxwriter.Workbook(
        target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    created = datetime.fromisoformat(view.created).replace(tzinfo=None)
    book.set_properties({"title": view.title[:255], "comments": view.subtitle[:255], "created": created})
    formats = {
        "bold": book.add_format({"bold": True}),
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}),
        "count": book.add_format({"num_format": "#,##0"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    write_summary(book, formats, view)
    for section in view.sections:
        if tables := [table for home, table in list_tables(view.sections) if home is section]:
            write_section(book, formats, section, tables)
    book.close()
    return target.getvalue()


def write_summary(book: Any, formats: dict[str, Any], view: ReportView) -> None:
    """What was compared, and the sentences that matter."""
    sheet = book.add_worksheet("Summary")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 110, formats["wrap"])
    sheet.write_string(0, 0, clip(view.title), formats["bold"])
    sheet.write_string(1, 0, clip(view.subtitle))
    sheet.write_string(2, 0, f"Written {view.generated} by zoo {view.version}")
    row = 4
    for section in view.sections:
        for block in section.blocks:
            if isinstance(block, Summary):
                for sentence in block.sentences:
                    sheet.write_string(row, 0, clip(sentence.topic), formats["bold"])
                    sheet.write_string(row, 1, clip(sentence.text), formats["wrap"])
                    row += 1


def write_section(book: Any, formats: dict[str, Any], section: Section, tables: list[Table]) -> None:
    """The tables of one section, one below the other; a single one can be filtered and keeps its head in sight."""
    sheet = book.add_worksheet(_UNFIT.sub(" ", section.title)[:31])
    sheet.set_column(0, 0, 38)
    sheet.set_column(1, 30, 18)
    row = 0
    for table in tables:
        row = write_table(sheet, formats, table, row) + 2
    if len(tables) == 1 and tables[0].lines:
        sheet.freeze_panes(2, 1)
        sheet.autofilter(1, 0, 1 + len(tables[0].lines), len(tables[0].columns))


def write_table(sheet: Any, formats: dict[str, Any], table: Table, row: int) -> int:
    """One table from ``row`` on; returns the row after it."""
    sheet.write_string(row, 0, clip(table.caption), formats["bold"])
    sheet.write_string(row + 1, 0, clip(table.corner), formats["head"])
    for column, head in enumerate(table.columns, 1):
        sheet.write_string(row + 1, column, clip(name_head(head)), formats["head"])
    for number, line in enumerate(table.lines, row + 2):
        sheet.write_string(number, 0, clip(line.head.title or line.head.label))
        for column, cell in enumerate(line.cells, 1):
            write_value(sheet, formats, number, column, read_value(cell))
    return row + 2 + len(table.lines)


def write_value(sheet: Any, formats: dict[str, Any], row: int, column: int, value: str | float | None) -> None:
    """A number as a number, where a workbook can hold it to the last digit; all else as text."""
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(row, column, clip(value))
    elif isinstance(value, int) and abs(value) > MOST_EXACT:
        sheet.write_string(row, column, f"{value}")
    else:
        sheet.write_number(row, column, value, formats["count"] if isinstance(value, int) else None)


def clip(text: str) -> str:
    """``text`` in as many letters as a cell holds, without signs that XML forbids."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f￾￿]", "", text)[:MOST_LETTERS]
