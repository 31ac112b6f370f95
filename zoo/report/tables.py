"""Tables as data: cells that know how they are sorted, and tables that turn or split to fit the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from zoo.metrics.glossary import BY_KEY
from zoo.report.format import (
    MISSING,
    cut_middle,
    format_binary_bytes,
    format_count,
    format_decimal_bytes,
    format_factor,
    format_real,
    format_share,
)
from zoo.report.models import LABEL_LENGTH, ReportModel

#: Up to this many models stand side by side as columns; more are rows.
SIDE_BY_SIDE = 4
#: Beyond this many rows a table is set more closely.
MANY_ROWS = 12
#: Text from outside is cut to this many characters: no stranger fills the pages of a report.
MOST_TEXT = 240
#: What zoo itself explains is shown whole, up to this many.
MOST_EXPLANATION = 1200
#: Longer words may be broken anywhere.
LONG_WORD = 20
#: Columns beside the name that fit an upright A4 page.
MOST_COLUMNS = 7


def has_long_word(text: str) -> bool:
    """Whether ``text`` has more letters without a place to break than a column has room for."""
    return any(len(word) > LONG_WORD for word in re.split(r"[\s-]", text))


@dataclass(frozen=True, slots=True)
class Cell:
    """``text`` is shown, ``sub`` small below it; ``sort`` is the bare value for sorting, empty if none.

    ``change`` says how the value differs from that of the base, where there is one.
    """

    text: str
    sub: str = ""
    sort: str = ""
    numeric: bool = True
    change: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it holds a word that may have to be broken to fit its column."""
        return has_long_word(f"{self.text} {self.sub}")


@dataclass(frozen=True, slots=True)
class Head:
    """Heading of a column or a row; ``why`` is one line on what it means for the reader.

    ``model`` is the number of the model that it names, by which a model is found in every table and chart.
    """

    label: str
    sub: str = ""
    why: str = ""
    title: str = ""
    model: int | None = None

    @property
    def is_long(self) -> bool:
        """Whether it holds a word that may have to be broken to fit its column."""
        return has_long_word(f"{self.label} {self.sub}")


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its heading and its cells."""

    head: Head
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``corner`` heads the column of headings; ``by_model`` says that each row is one model (then it can be sorted).

    A ``wide`` one has a page on its side; ``ordered`` ones that are not by model can be sorted, too.
    """

    kind: ClassVar[str] = "table"
    id: str
    caption: str
    corner: str
    columns: tuple[Head, ...]
    lines: tuple[Line, ...]
    by_model: bool = True
    wide: bool = False
    ordered: bool = False

    @property
    def sortable(self) -> bool:
        """Whether its rows may stand in another order."""
        return self.by_model or self.ordered

    @property
    def dense(self) -> bool:
        """Whether it has so many rows that each must be low."""
        return len(self.lines) > MANY_ROWS

    @property
    def explains(self) -> bool:
        """Whether the rows carry a line on why they matter (where the facts are rows)."""
        return any(line.head.why for line in self.lines)


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of a model: its heading, and how it is read. ``key`` is its row of the glossary, if it has one."""

    head: Head
    read: Callable[[ReportModel], Cell]
    key: str | None = None
    optional: bool = False  #: left out where it is nothing for every model


def make_fact(key: str, read: Callable[[ReportModel], Cell], why: str = "", label: str = "", unit: str = "") -> Fact:
    """A fact that the glossary knows: label and unit come from there unless given."""
    metric = BY_KEY[key]
    said = "" if metric.unit == "params" else unit or metric.unit
    return Fact(Head(label or metric.label, said, why, metric.meaning), read, key)


def no_cell(numeric: bool = True) -> Cell:
    """What stands where there is no number."""
    return Cell(MISSING, numeric=numeric)


def count_cell(value: int | None, sub: str = "") -> Cell:
    return no_cell() if value is None else Cell(format_count(value), sub, str(value))


def real_cell(value: float | None) -> Cell:
    return no_cell() if value is None else Cell(format_real(value), sort=repr(value))


def bytes_cell(value: int | None) -> Cell:
    """Bytes in decimal units, the binary ones below."""
    if value is None:
        return no_cell()
    binary = format_binary_bytes(value) if abs(value) >= 1000 else ""
    return Cell(format_decimal_bytes(value), binary, str(value))


def exact_bytes_cell(value: int | None) -> Cell:
    """Bytes in full, rounded in binary units below."""
    if value is None:
        return no_cell()
    return Cell(f"{format_count(value)} B", format_binary_bytes(value) if value >= 1024 else "", str(value))


def share_cell(part: int, whole: int) -> Cell:
    """A part with its share of the whole below; of nothing there is no share to tell."""
    return Cell(format_count(part), format_share(part, whole) if part else "", str(part))


def text_cell(value: Any, sub: str = "", most: int = MOST_TEXT) -> Cell:
    """Text from outside stays text, and within ``most`` letters; nothing (None, empty) is shown as missing."""
    if value is None or value == "":
        return no_cell(numeric=False)
    text = ("yes" if value else "no") if isinstance(value, bool) else cut_middle(str(value), most)
    return Cell(text, cut_middle(sub, MOST_TEXT), text.casefold(), numeric=False)


def read_count(path: str) -> Callable[[ReportModel], Cell]:
    return lambda model: count_cell(model.get(path))


def read_bytes(path: str) -> Callable[[ReportModel], Cell]:
    return lambda model: bytes_cell(model.get(path))


def read_exact_bytes(path: str) -> Callable[[ReportModel], Cell]:
    return lambda model: exact_bytes_cell(model.get(path))


def read_text(path: str) -> Callable[[ReportModel], Cell]:
    return lambda model: text_cell(model.get(path))


def head_model(model: ReportModel) -> Head:
    """The heading of a model: its short name, its author below, its full id where the mouse stays."""
    author = "" if model.label.startswith(f"{model.author}/") else cut_middle(model.author, LABEL_LENGTH)
    return Head(model.label, author, title=model.repo_id, model=model.index)


def head_source(model: ReportModel) -> Head:
    """The heading of a model with all of its id."""
    return Head(model.repo_id.rpartition("/")[2], model.author, title=model.repo_id, model=model.index)


def tabulate(
    name: str,
    caption: str,
    facts: Sequence[Fact],
    models: Sequence[ReportModel],
    head: Callable[[ReportModel], Head] = head_model,
) -> Table:
    """One row a model, one column a fact."""
    lines = tuple(Line(head(model), tuple(fact.read(model) for fact in facts)) for model in models)
    return Table(name, caption, "Model", tuple(fact.head for fact in facts), lines)


def drop_empty(facts: Sequence[Fact], models: Sequence[ReportModel]) -> list[Fact]:
    """Without the optional facts that are missing or zero for every model."""
    return [f for f in facts if not f.optional or any(f.read(m).sort not in ("", "0") for m in models)]


def turn(table: Table, corner: str = "Figure") -> Table:
    """Rows become columns; what stands in one column is aligned alike, to the side that suits most of it."""
    cells = [cell for line in table.lines for cell in line.cells]
    numeric = sum(cell.numeric for cell in cells) * 2 >= len(cells)
    lines = tuple(
        Line(head, tuple(replace(line.cells[index], numeric=numeric) for line in table.lines))
        for index, head in enumerate(table.columns)
    )
    return replace(
        table, corner=corner, columns=tuple(line.head for line in table.lines), lines=lines, by_model=not table.by_model
    )


def mark_changes(read: Callable[[ReportModel], Cell], base: ReportModel) -> Callable[[ReportModel], Cell]:
    """``read`` with what each value is against that of ``base``."""

    def read_change(model: ReportModel) -> Cell:
        cell = read(model)
        return cell if model is base else replace(cell, change=say_change(cell, read(base)))

    return read_change


def say_change(cell: Cell, base: Cell) -> str:
    """How a value differs from that of the base: ``=``, ``≈``, ``−12.5 %``, ``2.0×``; of words, whether."""
    if not cell.sort or not base.sort:
        return ""
    if cell.sort == base.sort:
        return "="
    if not cell.numeric:
        return "≠"
    try:
        value, other = Decimal(cell.sort), Decimal(base.sort)
    except InvalidOperation:
        return "≠"
    if other <= 0 or value <= 0:
        return ""  # of a difference or of nothing there is no factor
    ratio = value / other
    if ratio < 2:
        percent = f"{abs(ratio - 1) * 100:.1f}"
        return f"{'+' if ratio > 1 else '−'}{percent} %" if percent != "0.0" else "≈"
    return format_factor(value, other)


def lay_out(
    name: str,
    caption: str,
    facts: Sequence[Fact],
    models: Sequence[ReportModel],
    most: int = MOST_COLUMNS,
    head: Callable[[ReportModel], Head] = head_model,
) -> tuple[Table, ...]:
    """Few models stand side by side; many are rows, and the facts are split over tables that fit a page."""
    facts = drop_empty(facts, models)
    if len(models) <= SIDE_BY_SIDE:
        return (turn(tabulate(name, caption, facts, models, head)),)
    parts = split_even(facts, most)
    if len(parts) == 1:
        return (tabulate(name, caption, facts, models, head),)
    return tuple(
        tabulate(f"{name}-{i}", f"{caption} ({i} of {len(parts)})", part, models, head)
        for i, part in enumerate(parts, 1)
    )


def split_even(facts: Sequence[Fact], most: int = MOST_COLUMNS) -> list[Sequence[Fact]]:
    """As few pieces of at most ``most`` as will do, all of about the same width."""
    pieces = -(-len(facts) // most)
    width = -(-len(facts) // max(1, pieces))
    return [facts[i : i + width] for i in range(0, len(facts), width)]
