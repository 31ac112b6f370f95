"""A report for programs: the facts of every model, and the tables and sentences with their bare values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from zoo.report.blocks import Block, Heading, Items, Prose, Section, Sheet, Strips, Summary, Terms
from zoo.report.charts import Chart
from zoo.report.tables import Cell, Head, Table
from zoo.report.view import ReportView


def render_json(view: ReportView) -> str:
    """One JSON object: under ``models`` the JSON of ``zoo analyze``, under ``sections`` what the report says."""
    return json.dumps(write_report(view), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_report(view: ReportView) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "title": view.title,
        "subtitle": view.subtitle,
        "generated": view.created,
        "version": view.version,
        "context_tokens": view.context,
        "compared_to": view.base,
        "models": [dict(model.facts) | {"repo_id": model.repo_id} for model in view.models],
        "sections": [
            {"id": s.id, "title": s.title, "blocks": [write_block(block) for block in s.blocks]} for s in view.sections
        ],
    }


def write_block(block: Block) -> dict[str, Any]:
    """A block with its kind; drawings are left out, their data is in."""
    match block:
        case Table():
            return {"kind": "table", **write_table(block)}
        case Chart():
            data = write_table(block.data) if block.data else None
            return {"kind": "chart", "id": block.id, "title": block.title, "note": block.note, "data": data}
        case Prose() | Heading():
            return {"kind": block.kind, "text": block.text}
        case Summary():
            return {"kind": "summary", "sentences": [s._asdict() for s in block.sentences]}
        case Terms():
            return {"kind": "terms", "terms": [t._asdict() for t in block.terms]}
        case Items():
            return {"kind": "items", "title": block.title, "items": [i._asdict() for i in block.items]}
        case Strips():
            strips = [{"model": s.head.title, "layers": s.depth, "order": s.words} for s in block.strips]
            return {"kind": "strips", "caption": block.caption, "strips": strips}
        case Sheet():
            facts = {fact.label: fact.text for fact in block.facts}
            return {"kind": "sheet", "model": block.head.title, "words": list(block.words), "facts": facts}


def write_table(table: Table) -> dict[str, Any]:
    """A table by rows: the bare value where there is one, else the text; null where there is nothing."""
    return {
        "id": table.id,
        "caption": table.caption,
        "columns": [table.corner, *(name_head(head) for head in table.columns)],
        "rows": [[line.head.title or line.head.label, *map(read_value, line.cells)] for line in table.lines],
    }


def name_head(head: Head) -> str:
    """The heading in one line: of a model its id, else the label with its unit."""
    if head.model is not None:
        return head.title or head.label
    return f"{head.label} ({head.sub})" if head.sub else head.label


def read_value(cell: Cell) -> str | int | float | None:
    """The bare value of a cell; of nothing None."""
    if not cell.sort:
        return None
    if not cell.numeric:
        return cell.text
    try:
        return int(cell.sort)
    except ValueError:
        pass
    try:
        return float(cell.sort)
    except ValueError:
        return cell.text


def list_tables(sections: tuple[Section, ...]) -> Iterator[tuple[Section, Table]]:
    """Every table of a report, those of its figures too, with the section that it stands in."""
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield section, block
            elif isinstance(block, Chart) and block.data is not None:
                yield section, block.data
