"""A report as Markdown: sentences, tables and lists; of each figure what it says, and its data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from zoo.report.blocks import Block, Heading, Items, Prose, Sheet, Strips, Summary, Terms
from zoo.report.charts import Chart
from zoo.report.tables import Cell, Head, Table
from zoo.report.view import ReportView

#: What means something to a Markdown reader wherever it stands; text from outside may hold any of it.
_SIGNS = re.compile(r"([\\`*_{}\[\]<>#!|~&$])")
#: What means something at the start of a line alone.
_OPENING = re.compile(r"^(\d*)([-=:+.)])")


def render_markdown(view: ReportView) -> str:
    """The whole report, GitHub-flavoured: tables have pipes, no HTML is used, and all text is escaped."""
    lines = [f"# {escape(view.title)}", "", escape(view.subtitle), ""]
    lines += [f"Written {view.generated} by zoo {view.version} from each model’s config.json alone.", ""]
    for section in view.sections:
        lines += [f"## {escape(section.title)}", ""]
        for block in section.blocks:
            lines += [*write_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """``text`` so that Markdown shows it as it is, at the start of a line, too."""
    return _OPENING.sub(r"\1\\\2", escape_cell(text))


def escape_cell(text: str) -> str:
    """``text`` within a line: in a table, in brackets."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def write_block(block: Block) -> Iterable[str]:
    """The lines of one block."""
    match block:
        case Table():
            return write_table(block)
        case Chart():
            return write_chart(block)
        case Prose():
            return [escape(block.text)]
        case Heading():
            return [f"### {escape(block.text)}"]
        case Summary():
            return [f"- **{escape(s.topic)}.** {escape(s.text)}" for s in block.sentences]
        case Terms():
            return [f"- **{escape(t.label)}**: {escape(t.text)}" for t in block.terms]
        case Items():
            return write_items(block)
        case Strips():
            return write_strips(block)
        case Sheet():
            return write_sheet(block)


def write_table(table: Table) -> Iterator[str]:
    """A table with pipes; what stands below a value follows it in brackets."""
    heads = [escape(table.corner) or " ", *(write_head(head) for head in table.columns)]
    sides = [":---", *("---:" if _is_numeric(table, index) else ":---" for index in range(len(table.columns)))]
    if table.explains:
        heads, sides = [*heads, "Why it matters"], [*sides, ":---"]
    yield f"**{escape(table.caption)}**"
    yield ""
    yield _join(heads)
    yield _join(sides)
    for line in table.lines:
        why = [escape(line.head.why)] if table.explains else []
        yield _join([write_head(line.head), *(write_cell(cell) for cell in line.cells), *why])


def write_head(head: Head) -> str:
    return escape_cell(head.label) + (f" ({escape_cell(head.sub)})" if head.sub else "")


def write_cell(cell: Cell) -> str:
    text = escape_cell(cell.text)
    text += f" ({escape_cell(cell.sub)})" if cell.sub else ""
    return text + (f" ({escape_cell(cell.change)})" if cell.change else "")


def write_chart(chart: Chart) -> Iterator[str]:
    yield f"**{escape(chart.title)}.** {escape(chart.note)}"
    if chart.data is not None:
        yield ""
        yield from write_table(chart.data)


def write_items(block: Items) -> Iterator[str]:
    if block.title:
        yield f"**{escape(block.title)}**"
        yield ""
    for item in block.items:
        yield f"- **{escape(item.label)}**: {escape(item.text)}" if item.label else f"- {escape(item.text)}"


def write_strips(block: Strips) -> Iterator[str]:
    for strip in block.strips:
        yield f"- **{escape(strip.head.label)}**: {strip.depth} layers, {escape(strip.words)}"


def write_sheet(block: Sheet) -> Iterator[str]:
    yield f"### {write_head(block.head)}"
    for words in block.words:
        yield from ("", escape(words))
    yield ""
    for fact in block.facts:
        yield f"- {escape(fact.label)}: {escape(fact.text)}"


def _is_numeric(table: Table, index: int) -> bool:
    return bool(table.lines) and table.lines[0].cells[index].numeric


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
