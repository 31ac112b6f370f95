"""Tables turn for few models and split for many; nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.fakes import LLAMA, make_models, make_row, make_rows
from zoo.report import tables as t
from zoo.report.facts import KEY_PARAMETERS, PARAMETERS
from zoo.report.format import MISSING


def test_few_models_stand_side_by_side_with_a_line_on_why() -> None:
    (table,) = t.lay_out("key", "Key", KEY_PARAMETERS, make_models(make_rows(2)))
    assert [head.label for head in table.columns] == ["Mistral-7B-v0.1", "Llama-3.1-8B"]
    assert not table.by_model
    assert table.explains
    layers = table.lines[0]
    assert layers.head.label == "Layers"
    assert layers.head.why.startswith("Depth.")
    assert [cell.text for cell in layers.cells] == ["32", "32"]


def test_many_models_are_rows_of_tables_that_fit_the_page() -> None:
    models = make_models(make_rows(20))
    tables = t.lay_out("key", "Key", KEY_PARAMETERS, models)
    assert [table.id for table in tables] == ["key-1", "key-2"]
    assert tables[0].caption == "Key (1 of 2)"
    assert all(len(table.lines) == 20 and len(table.columns) <= t.MOST_COLUMNS for table in tables)
    assert all(table.by_model and table.dense and not table.explains for table in tables)
    assert [h.label for table in tables for h in table.columns] == [fact.head.label for fact in KEY_PARAMETERS]


@given(count=st.integers(1, 40), most=st.integers(1, 10))
def test_a_split_loses_nothing_and_is_never_too_wide(count: int, most: int) -> None:
    facts = [t.Fact(t.Head(str(i)), lambda model: t.no_cell()) for i in range(count)]
    pieces = t.split_even(facts, most)
    assert [fact for piece in pieces for fact in piece] == facts
    assert all(0 < len(piece) <= most for piece in pieces)
    assert len(pieces) == -(-count // most)


def test_a_table_turned_twice_is_the_table() -> None:
    table = t.tabulate("x", "X", PARAMETERS, make_models(make_rows(3)))
    again = t.turn(t.turn(table), "Model")
    assert again == table


def test_what_stands_in_one_column_is_aligned_alike() -> None:
    (table,) = t.lay_out("key", "Key", KEY_PARAMETERS, make_models(make_rows(2)))
    assert {cell.numeric for line in table.lines for cell in line.cells} == {True}


def test_optional_facts_show_only_where_there_is_something() -> None:
    models = make_models(make_rows(2))
    assert "MTP" not in [fact.head.label for fact in t.drop_empty(PARAMETERS, models)]


@pytest.mark.parametrize(
    "cell",
    [t.no_cell(), t.count_cell(None), t.real_cell(None), t.bytes_cell(None), t.exact_bytes_cell(None),
     t.text_cell(None), t.text_cell("")],
)  # fmt: skip
def test_what_is_not_there_is_a_dash_and_sorts_nowhere(cell: t.Cell) -> None:
    assert (cell.text, cell.sort) == (MISSING, "")


def test_zero_is_a_number() -> None:
    assert t.count_cell(0) == t.Cell("0", "", "0")
    assert t.share_cell(0, 10) == t.Cell("0", "", "0")
    assert t.bytes_cell(0) == t.Cell("0 B", "", "0")


def test_bytes_say_both_units() -> None:
    assert t.bytes_cell(16_060_522_496) == t.Cell("16.06 GB", "14.96 GiB", "16060522496")
    assert t.exact_bytes_cell(131072) == t.Cell("131,072 B", "128.0 KiB", "131072")
    assert t.bytes_cell(-16_060_522_496).sub == "−14.96 GiB"
    assert t.exact_bytes_cell(100).sub == ""


def test_text_sorts_without_regard_to_case_and_yes_is_a_word() -> None:
    assert t.text_cell("SiLU").sort == "silu"
    assert t.text_cell(True).text == "yes"
    assert t.text_cell(False).text == "no"


def test_a_word_too_long_for_a_column_may_be_broken() -> None:
    assert t.text_cell("x" * 21).is_long
    assert not t.text_cell("unsupported").is_long


def test_the_author_stands_below_the_name_unless_it_is_in_it() -> None:
    models = make_models(make_rows(2))
    assert t.head_model(models[0]) == t.Head("Mistral-7B-v0.1", "mistralai", title="mistralai/Mistral-7B-v0.1", model=0)


def test_a_stranger_cannot_fill_the_pages() -> None:
    cell = t.text_cell("x" * 100_000, "y" * 100_000)
    assert len(cell.text) == len(cell.sub) == t.MOST_TEXT


def test_sources_are_named_in_full() -> None:
    (model,) = make_models([make_row(f"{'a' * 40}/{'b' * 50}", LLAMA)])
    assert t.head_source(model) == t.Head("b" * 50, "a" * 40, title=f"{'a' * 40}/{'b' * 50}", model=0)
    assert t.head_source(model).is_long
    assert len(t.head_model(model).label) == len(t.head_model(model).sub) == 34
