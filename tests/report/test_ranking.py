"""Many models: ranked rows and families instead of columns side by side, by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.fakes import GPT2, LLAMA, MIXTRAL, UNKNOWN, list_blocks, list_tables, make_row, make_rows, make_view
from zoo.errors import UsageError
from zoo.report.models import ReportModel, has_lengths, read_models
from zoo.report.scatter import draw_size_chart, find_frontier
from zoo.report.scope import MOST_COMPARED
from zoo.report.timeline import draw_timeline
from zoo.report.view import ReportView


def make_many(count: int = 40) -> list[Any]:
    """Llamas and Mixtrals of many sizes, a GPT-2, and one that cannot be counted."""
    rows = []
    for i in range(count - 2):
        config = (LLAMA if i % 3 else MIXTRAL) | {"num_hidden_layers": 2 + i}
        day = f"20{20 + i % 6}-0{1 + i % 9}-01T00:00:00+00:00"
        rows.append(make_row(f"acme/model-{i:02}", config, created_at=day if i else None))
    return [*rows, make_row("openai-community/gpt2", GPT2), make_row("acme/odd", UNKNOWN)]


@pytest.fixture(scope="module")
def view() -> ReportView:
    return make_view(make_many())


def test_it_turns_at_more_than_twenty() -> None:
    assert not make_view(make_rows(MOST_COMPARED)).is_ranked
    assert make_view(make_rows(MOST_COMPARED + 1)).is_ranked


def test_sections_are_those_of_many(view: ReportView) -> None:
    ids = [section.id for section in view.sections]
    assert ids == ["answer", "families", "leaders", "charts", "ranking", "provenance", "method", "glossary"]
    assert [section.id for section in view.sections if section.is_wide] == ["ranking"]
    with pytest.raises(UsageError, match="no section 'cache' in a report of 40 models: there are answer, families"):
        make_view(make_many(), sections=("cache",))


def test_every_model_with_numbers_is_ranked_by_size(view: ReportView) -> None:
    table = list_tables(view, "ranking")["ranked"]
    assert table.wide
    assert len(table.lines) == 39
    assert [line.cells[0].text for line in table.lines[:3]] == ["1", "2", "3"]
    sizes = [int(line.cells[2].sort) for line in table.lines]
    assert sizes == sorted(sizes, reverse=True)
    assert table.caption == "39 models, the largest first"


def test_families_are_rows_with_their_ranges(view: ReportView) -> None:
    table = list_tables(view, "families")["families-table"]
    rows = {line.head.label: [cell.text for cell in line.cells] for line in table.lines}
    assert set(rows) == {"Llama", "Mistral", "GPT-2"}
    assert rows["GPT-2"][:6] == ["1", "124 M", "73,728", "mha", "0", "1"]
    assert rows["Mistral"][4] == "13"
    assert " – " in rows["Llama"][1]
    assert table.sortable
    assert not table.by_model


def test_page_one_has_the_largest_families_and_names_what_has_no_number(view: ReportView) -> None:
    table = list_tables(view, "answer")["at-a-glance"]
    assert table.caption == "3 families at a glance"
    assert [line.head.label for line in table.lines] == ["Llama", "Mistral", "GPT-2"]
    assert "acme/odd" in str(list_blocks(view, "answer", "items"))


def test_page_one_leaves_out_small_families_and_says_so() -> None:
    from zoo.report.scope import read_scope
    from zoo.report.sections.ranking import tabulate_families

    scope = read_scope(make_many(), 1 << 15, ())
    assert tabulate_families(scope, 2).caption == "The 2 families with most models, of 3"


def test_leaders_are_the_first_of_each_fingerprint(view: ReportView) -> None:
    tables = list_tables(view, "leaders")
    assert list(tables) == ["largest-fit", "least-cache", "sparsest"]
    fits = [int(line.cells[0].sort) for line in tables["largest-fit"].lines]
    assert fits == sorted(fits, reverse=True)
    assert len(fits) == 10
    same = make_view([make_row(f"acme/copy-{i}", LLAMA) for i in range(25)])
    assert [len(table.lines) for table in list_tables(same, "leaders").values()] == [1, 1]


def test_charts_of_many_colour_by_attention_and_name_a_few(view: ReportView) -> None:
    size, time = list_blocks(view, "charts", "chart")
    assert size.data is time.data is None
    assert ">gqa<" in size.svg
    assert size.svg.count('class="ink"') < 25
    assert "Parameters (logarithmic) by the day" in time.note
    assert "1 without a date is left out." in time.note


def test_checks_and_warnings_of_many_are_counted() -> None:
    rows = make_many(30)
    rows[0] = make_row(
        "acme/wrong", LLAMA, reported={"total": 5, "by_dtype": {}, "check": "mismatch", "explanation": "5 is odd"}
    )
    for i in range(1, 26):
        rows[i] = make_row(
            f"acme/undated-{i}", {k: v for k, v in LLAMA.items() if k != "torch_dtype"} | {"vocab_size": i}
        )
    view = make_view(rows)
    counts = {line.head.label: line.cells[0].text for line in list_tables(view, "provenance")["check-counts"].lines}
    assert counts == {"exact": "28", "mismatch": "1", "unchecked": "1"}
    lists = list_blocks(view, "provenance", "items")
    assert ("wrong", "5 is odd") in lists[0].items
    assert lists[1].items[-1].text == "and 7 more."


def test_a_frontier_is_made_of_those_that_none_beats() -> None:
    models = read_models(make_rows(5), (1 << 15,))
    assert [m.label for m in find_frontier(models)[-1:]] == ["Mixtral-8x7B-v0.1"]
    beaten = {m.label for m in models} - {m.label for m in find_frontier(models)}
    assert "Mistral-7B-v0.1" in beaten
    twins = read_models([make_row(f"a/{name}", LLAMA) for name in ("one", "two", "three")], (1 << 15,))
    assert len(find_frontier(twins)) == 3
    chart = draw_size_chart(twins)
    assert chart is not None
    assert chart.title.endswith("none of these beats another in both")


def date_models(*days: str | None) -> tuple[ReportModel, ...]:
    rows = [make_row(f"a/m{i}", LLAMA | {"vocab_size": 9 + i}, created_at=day) for i, day in enumerate(days)]
    return read_models(rows, (1 << 15,))


@pytest.mark.parametrize(
    ("days", "ticks"),
    [
        (("2024-01-10", "2024-02-02", "2024-03-20"), {"2024-01", "2024-02", "2024-03"}),
        (("2024-01-10", "2024-02-02", "2025-03-20"), {"2024-04", "2024-10", "2025-01"}),
        (("2019-05-01", "2024-02-02", "2025-03-20"), {"2020", "2023", "2025"}),
    ],
)
def test_the_axis_of_time_has_months_quarters_or_years(days: tuple[str, ...], ticks: set[str]) -> None:
    chart = draw_timeline(date_models(*days))
    assert chart is not None
    assert all(f">{tick}<" in chart.svg for tick in ticks)
    assert chart.data is not None
    assert [line.cells[0].text for line in chart.data.lines] == list(days)


def test_one_day_or_one_model_is_no_timeline() -> None:
    assert draw_timeline(date_models("2024-01-01", "2024-01-01", "2024-01-01")) is None
    assert draw_timeline(date_models("2024-01-01", "2024-01-02", None)) is None
    assert draw_timeline(date_models("2024-01-01", "2024-01-02", "no date")) is None


def test_kept_analyses_are_taken_where_they_hold_the_context() -> None:
    row, odd = make_row("acme/llama", LLAMA), make_row("acme/odd", UNKNOWN)
    assert has_lengths(row, (1024, 32768))
    assert not has_lengths(row, (40000,))
    assert has_lengths(odd, (40000,))
    assert not has_lengths(make_row("acme/none", {}), (1024,))
    kept, odd_kept = read_models([row, odd], (32768,), stored=True)
    fresh, _ = read_models([row, odd], (32768,))
    assert kept.ledger is None
    assert fresh.ledger is not None
    assert kept.get("params.total") == fresh.get("params.total")
    assert odd_kept.reason == "model_type 'no-such-type' is not known"
    other = make_view(make_many(), context=40000)
    assert list_tables(other, "ranking")["ranked"].columns[6].label == "Cache at 40,000"
    assert list_tables(other, "ranking")["ranked"].lines[0].cells[6].sort


def test_the_ranking_is_compared_to_a_base() -> None:
    view = make_view(make_many(), base="acme/model-01")
    table = list_tables(view, "ranking")["ranked"]
    base = next(line for line in table.lines if line.head.title == "acme/model-01")
    assert {cell.change for cell in base.cells} == {""}
    assert table.lines[0].cells[2].change.endswith("×")
    assert table.lines[0].cells[8].change == ""
    assert dict(list_blocks(view, "answer", "summary")[0].sentences)["Against the base"].startswith("1 of 38 keep less")
