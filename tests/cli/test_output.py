"""Rows on their way out: exact for programs, readable and harmless for people."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from rich.console import Console

from zoo.cli import output
from zoo.cli.context import Context
from zoo.errors import UsageError

EVIL = "\x1b[31m[red]|a`<b>\n\u202ex"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(st.tuples(TEXT, st.none() | st.integers(), st.booleans(), st.floats(allow_nan=False)), max_size=5)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(width: int, columns: list[str], rows: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of ``width`` shows."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    context = Context()
    context._consoles["out"] = Console(
        file=terminal, width=width, force_terminal=True, color_system=None, markup=False, soft_wrap=True
    )
    output.write_rows(context, columns, rows, "table", None)
    return terminal.getvalue()


@given(ROWS)
def test_csv_and_json_keep_every_value(rows: list[tuple[Any, ...]]) -> None:
    columns = ["a", "b", "c", "d"]
    assert [tuple(row.values()) for row in json.loads(output.format_json(columns, rows))] == [
        tuple(None if v in (float("inf"), float("-inf")) else v for v in row) for row in rows
    ]
    lines = output.format_jsonl(columns, rows).split("\n")
    assert len(lines) == len(rows) + 1
    read = list(csv.reader(io.StringIO(output.format_csv(columns, rows), newline="")))
    assert [row[1] for row in read[1:]] == ["" if row[1] is None else str(row[1]) for row in rows]


@given(st.lists(TEXT, min_size=2, max_size=2))
def test_markdown_keeps_its_cells(texts: list[str]) -> None:
    lines = output.format_markdown(["a", "b"], [tuple(texts)]).split("\n")
    assert len(lines) == 4
    assert lines[2].replace("\\\\", "").replace("\\|", "").count("|") == 3
    assert "<" not in lines[2]


def test_names_are_made_unique() -> None:
    assert output.unique_names(["a", "a", "a_2", "a"]) == ["a", "a_2", "a_2_2", "a_3"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""), (True, "yes"), (False, "no"), (1234567, "1,234,567"), (10000.0, "10,000"), (0.123456, "0.1235"),
        (12345.678, "12,345.68"), (1e30, "1e+30"), ("1000", "1000"),
    ],
)  # fmt: skip
def test_cells_are_written_for_people(value: Any, expected: str) -> None:
    assert output.format_cell(value) == expected


def test_text_from_outside_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (80, 5):
        shown = show(width, ["name"], [(EVIL,)], monkeypatch)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "[red]" in show(80, ["name"], [(EVIL,)], monkeypatch)


def test_a_terminal_gets_no_steering_from_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    output.write_rows(Context(), ["a"], [(EVIL,)], "csv", None)
    assert "\x1b" not in terminal.getvalue()


def test_a_table_that_fits_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show(60, ["name", "n"], [("x" * 30, 1234567)], monkeypatch)
    assert "x" * 30 in shown
    assert "1,234,567" in shown


def test_a_narrow_terminal_shortens_text_but_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show(30, ["name", "n"], [("x" * 50, 1234567)], monkeypatch)
    assert "…" in shown
    assert "1,234,567" in shown
    assert max(map(len, shown.splitlines())) <= 30


def test_where_not_even_that_fits_rows_become_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show(20, ["name", "first", "second"], [("a", 1234567890, 9876543210), ("b", 1, None)], monkeypatch)
    assert shown == ("name    a\nfirst   1,234,567,890\nsecond  9,876,543,210\n\nname    b\nfirst   1\nsecond  \n")


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows(Context(), ["name", "n"], [("x" * 300, 1)], "table", None)
    assert "x" * 300 in capsys.readouterr().out


def test_no_rows_are_still_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    for fmt in ("table", "csv", "json", "jsonl", "md"):
        output.write_rows(Context(), ["a", "b"], [], fmt, None)
    assert capsys.readouterr().out.splitlines()[0].split() == ["a", "b"]


def test_parquet_takes_mixed_and_huge_values(tmp_path: Path) -> None:
    rows = [(1, 1, None, 1 << 70, True), (2.5, "x", None, 1, False)]
    output.write_parquet(["a", "b", "c", "d", "e"], rows, tmp_path / "x.parquet")
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist() == [
        {"a": 1.0, "b": "1", "c": None, "d": str(1 << 70), "e": True},
        {"a": 2.5, "b": "x", "c": None, "d": "1", "e": False},
    ]


def test_parquet_goes_through_a_pipe_but_to_no_terminal(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    output.write_parquet(["a"], [(1,)], None)
    assert capfdbinary.readouterr().out.startswith(b"PAR1")
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(UsageError, match="--out"):
        output.write_parquet(["a"], [(1,)], None)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")

    def fail() -> None:
        with output.replace_file(target) as path:
            path.write_text("half")
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
