"""Sheets and tables on a terminal, with rich. All text goes in as ``Text``: nothing in it is markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.explain.sheet import Section, number, text_of
from zoo.metrics.document import list_tensors
from zoo.text import clean_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from zoo.arch.rows import Tensor


#: Columns that hold numbers.
NUMERIC = frozenset(
    {"parameters", "share", "elements", "running total", "sum so far", "active", "KV bytes per token", "value"}
)
#: Columns that are enough for any table, for readers that are no terminal.
PIPE_WIDTH = 1000


def print_sheet(console: Console, title: str, sections: Iterable[Section]) -> None:
    """A title and its sections, each a small table."""
    from rich.text import Text

    console.print(Text(clean_text(title), style="bold"))
    print_sections(console, sections)


def print_sections(console: Console, sections: Iterable[Section]) -> None:
    """Each section below an empty line and its title."""
    from rich.text import Text

    for section in sections:
        console.print()
        console.print(Text(clean_text(section.title), style="bold cyan"))
        print_table(console, section.columns, section.rows)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows below ``columns`` (none: two unnamed ones). A pipe gets them as wide as they are, a terminal wrapped."""
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(make_table(columns, rows), soft_wrap=False)


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table; columns of :data:`NUMERIC` align right and are never broken, others wrap: nothing is cut off."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if columns else None, show_header=bool(columns), pad_edge=False, show_edge=False)
    for name in columns or ("", ""):
        right = name in NUMERIC
        table.add_column(Text(name), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_text(cell)) for cell in row))
    return table


def list_ledger(tensors: Iterable[Tensor]) -> list[tuple[str, ...]]:
    """A row for each name and shape of the ledger, with the elements that it stores and the sum so far."""
    running = 0
    rows: list[tuple[str, ...]] = []
    for row in list_tensors(list(tensors)):
        stored = row["stored"] * row["layers"]
        for extent in row["shape"]:
            stored *= extent
        running += stored
        shape = " × ".join(map(str, row["shape"])) + (f" × {row['stored']} copies" if row["stored"] > 1 else "")
        where = row["layer_indices"] or ""
        name = row["name"] + (" (tied)" if row["tied_to"] else "")
        rows.append((text_of(name), shape, row["part"], where, number(stored), number(running)))
    return rows


def print_ledger(console: Console, tensors: Iterable[Tensor]) -> None:
    """The ledger as a table."""
    print_table(console, LEDGER_COLUMNS, list_ledger(tensors))


LEDGER_COLUMNS = ("tensor", "shape", "part", "layers", "elements", "running total")
OVERVIEW_COLUMNS = ("model", "type", "parameters", "active", "KV bytes per token", "method")


def list_overview(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, ...]]:
    """A row for each named document; the reason where there is no number."""
    rows: list[tuple[str, ...]] = []
    for name, document in documents:
        params, cache = document["params"], document["kv_cache"]
        method = document["method"] + (f": {text_of(document['reason'])}" if document["reason"] else "")
        rows.append(
            (
                text_of(name),
                text_of(document["model_type"]),
                number(params["total"]),
                number(params["active"]),
                number(cache["bytes_per_token"]),
                method,
            )
        )
    return rows
