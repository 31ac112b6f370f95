"""Rows on their way out: as a table for people, or in a format that programs read."""

from __future__ import annotations

import io
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import UsageError
from zoo.text import clean_text

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.cli.context import Context

Row = Sequence[Any]
FORMATS = ("table", "csv", "json", "jsonl", "md", "parquet")
#: Narrowest useful column of text in a table, in characters.
_NARROW = 10
#: Characters between two columns.
_GAP = 2


def choose_format(ctx: Context, name: str | None) -> str:
    """The format to write: ``name``, else json under ``--json``, else a table.

    Raises:
        UsageError: an unknown one, or another one beside ``--json``.
    """
    if name is None:
        return "json" if ctx.json else "table"
    if name not in FORMATS:
        raise UsageError(f"{name!r:.40} is no format: choose one of {', '.join(FORMATS)}")
    if ctx.json and name not in ("json", "jsonl"):
        raise UsageError(f"--json and --format {name} contradict each other: leave one away")
    return name


def write_rows(
    ctx: Context, columns: Sequence[str], rows: Sequence[Row], fmt: str, out: Path | None, labels: Sequence[str] = ()
) -> None:
    """Write ``rows`` to ``out`` (stdout when None). ``labels`` head the columns of tables in place of their names.

    Raises:
        UsageError: Parquet to a terminal.
    """
    if fmt == "parquet":
        write_parquet(unique_names(columns), rows, out)
    elif fmt == "table":
        print_table(ctx, labels or columns, rows, out)
    else:
        writers: dict[str, Callable[[Sequence[str], Sequence[Row]], str]] = {
            "csv": format_csv,
            "json": format_json,
            "jsonl": format_jsonl,
            "md": format_markdown,
        }
        write_text(writers[fmt]((labels or columns) if fmt == "md" else columns, rows), out)


def write_text(text: str, out: Path | None) -> None:
    """Write ``text`` to the file ``out``, or to stdout; on a terminal, nothing in it can act."""
    if out is not None:
        with replace_file(out) as path:
            path.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write("\n".join(map(clean_text, text.splitlines())) + "\n" if sys.stdout.isatty() else text)


@contextmanager
def replace_file(out: Path) -> Iterator[Path]:
    """A path to write to that becomes ``out`` in one step, once all is written; nothing is left behind on failure."""
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        yield scratch
        scratch.replace(out)
    finally:
        scratch.unlink(missing_ok=True)


def format_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """RFC 4180 with line feeds; null is empty, booleans are true and false."""
    from zoo.db.export import make_csv_writer

    buffer = io.StringIO()
    writer = make_csv_writer(buffer)
    writer.writerow(columns)
    writer.writerows([_spell_bool(value) for value in row] for row in rows)
    return buffer.getvalue()


def format_json(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A list of objects."""
    names = unique_names(columns)
    return json.dumps([_as_object(names, row) for row in rows], indent=2, ensure_ascii=False, default=str) + "\n"


def format_jsonl(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """One object a line."""
    names = unique_names(columns)
    return "".join(json.dumps(_as_object(names, row), ensure_ascii=False, default=str) + "\n" for row in rows)


def format_markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A table as GitHub reads it; text cannot become markup."""
    right = find_numeric(columns, rows)
    lines = [
        [_escape_markdown(name) for name in columns],
        ["---:" if number else "---" for number in right],
        *([_escape_markdown(format_cell(value)) for value in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_parquet(columns: Sequence[str], rows: Sequence[Row], out: Path | None) -> None:
    """One Parquet file; a column of several types becomes text.

    Raises:
        UsageError: it would go to a terminal.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if out is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal: name a file with --out")
    arrays = [_make_array([row[index] for row in rows]) for index in range(len(columns))]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if out is None:
        buffer = io.BytesIO()
        parquet.write_table(table, buffer)
        sys.stdout.buffer.write(buffer.getvalue())
        return
    with replace_file(out) as path:
        parquet.write_table(table, path)


def _make_array(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if {type(value) for value in values if value is not None} == {int, float}:
        values = [None if value is None else float(value) for value in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def print_table(ctx: Context, columns: Sequence[str], rows: Sequence[Row], out: Path | None) -> None:
    """A table that fits the terminal: text is shortened where it must be, numbers never.

    Where even that does not fit, each row becomes a block of lines. In a file or a pipe nothing is shortened.
    """
    console = ctx.out
    widths = None if out is not None or not console.is_terminal else fit_widths(columns, rows, console.width)
    if widths is not None and not widths:
        write_text(format_blocks(columns, rows), None)
    else:
        write_text(render_table(build_table(columns, rows, widths)), out)


def fit_widths(columns: Sequence[str], rows: Sequence[Row], width: int) -> list[int]:
    """Widths of columns with which a table fits into ``width``; empty when none do. Only text is shortened."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, (*head.split("\n"), *(_flatten(format_cell(row[index])) for row in rows))))
        for index, head in enumerate(wrap_heads(columns, rows))
    ]
    shrinkable = [index for index, number in enumerate(find_numeric(columns, rows)) if not number]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        widest = max(shrinkable, key=lambda index: widths[index], default=None)
        if widest is None or widths[widest] <= _NARROW:
            return []
        widths[widest] -= 1
    return widths


def render_table(table: Table) -> str:
    """``table`` as wide as it wants to be, without colours."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(file=buffer, width=100_000, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def build_table(columns: Sequence[str], rows: Sequence[Row], widths: Sequence[int] | None = None) -> Table:
    """A rich table: numbers to the right, text made harmless and shortened to ``widths``."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, _GAP - 1, 0, 0))
    for index, (head, number) in enumerate(zip(wrap_heads(columns, rows), find_numeric(columns, rows), strict=True)):
        side: Literal["left", "right"] = "right" if number else "left"
        width = widths[index] if widths else None
        table.add_column(Text(head), justify=side, no_wrap=True, overflow="ellipsis", max_width=width)
    for row in rows:
        table.add_row(*(Text(_flatten(format_cell(value))) for value in row))
    return table


def wrap_heads(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Headings on as many lines as keep them from being wider than what is below them."""
    heads = []
    for index, name in enumerate(columns):
        words = _flatten(name).split(" ")
        width = max([len(format_cell(row[index])) for row in rows] + [len(word) for word in words])
        heads.append("\n".join(textwrap.wrap(" ".join(words), width)) or name)
    return heads


def format_blocks(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows under each other, one line for each value."""
    width = max(map(len, columns))
    blocks = (
        "".join(
            f"{_flatten(name):<{width}}  {_flatten(format_cell(value))}\n"
            for name, value in zip(columns, row, strict=True)
        )
        for row in rows
    )
    return "\n".join(blocks)


def format_cell(value: Any) -> str:
    """A value for people: thousands separated, few decimals, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return f"{value:,.0f}" if whole else f"{value:,.2f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def find_numeric(columns: Sequence[str], rows: Sequence[Row]) -> list[bool]:
    """Which columns hold numbers and nothing else."""
    kinds = ({type(row[index]) for row in rows} - {type(None)} for index in range(len(columns)))
    return [bool(found) and found <= {int, float} for found in kinds]


def unique_names(columns: Sequence[str]) -> list[str]:
    """``columns``, each name once: a second ``n`` becomes ``n_2``."""
    names: list[str] = []
    for column in columns:
        number, name = 1, column
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _as_object(names: Sequence[str], row: Row) -> dict[str, Any]:
    return {
        name: None if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")) else value
        for name, value in zip(names, row, strict=True)
    }


def _spell_bool(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _flatten(text: str) -> str:
    return clean_text(" ".join(text.split()) if "\n" in text or "\t" in text else text)


def _escape_markdown(text: str) -> str:
    flat = _flatten(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return flat.replace("[", "\\[").replace("]", "\\]")
