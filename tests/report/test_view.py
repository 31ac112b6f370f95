"""The view of a report: its tables hold the right numbers, and nothing is passed over in silence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.report.fakes import (
    BERT,
    LLAMA,
    MIXTRAL,
    UNKNOWN,
    find,
    list_blocks,
    list_tables,
    make_row,
    make_rows,
    make_view,
)
from zoo.db.rows import ModelRow
from zoo.errors import UsageError
from zoo.metrics.glossary import BY_KEY
from zoo.report.format import MISSING
from zoo.report.scope import choose_contexts
from zoo.report.sections.provenance import list_glossary
from zoo.report.view import Options, read_moment


def test_the_numbers_that_people_know() -> None:
    view = make_view([make_row("meta-llama/Llama-3.1-8B")])
    assert find(view, "parameters", "Parameters") == "8,030,261,248"
    assert find(view, "cache", "KV cache per token") == "131,072 B"
    assert find(view, "cache", "Elements per token") == "65,536"
    assert find(view, "cache", "at 32k") == "4.295 GB"
    assert find(view, "memory", "bfloat16") == "16.06 GB"
    assert find(view, "memory", "int4") == "4.015 GB"
    assert find(view, "scaling", "Optimal tokens") == "161 B"
    assert find(view, "memory", "Together") == "20.36 GB"
    assert find(view, "parameters", "MLP") == "5,637,144,576"
    assert find(view, "provenance", "Difference") == "0"
    assert view.title == "Llama-3.1-8B"
    assert list_blocks(view, "attention", "prose")[-1].text == "No model here has experts: all are dense."


def test_an_active_share_and_the_experts_of_a_sparse_model() -> None:
    view = make_view([make_row("acme/moe", MIXTRAL), make_row("acme/llama", LLAMA)])
    assert find(view, "parameters", "Active parameters", 1) == "12,879,925,248"
    assert find(view, "attention", "Experts") == "8"
    assert [head.label for head in list_tables(view, "attention")["experts"].columns] == ["moe"]
    assert list_blocks(view, "attention", "prose")[-1].text == "Dense, without experts: llama."
    alone = make_view([make_row("acme/moe", MIXTRAL)])
    assert "ense, without" not in str(list_blocks(alone, "attention", "prose"))


def test_a_context_of_ones_own_is_a_column_of_its_own() -> None:
    view = make_view([make_row("acme/llama", LLAMA)], context=40000)
    assert find(view, "cache", "at 40,000") == "5.243 GB"
    assert find(view, "compute", "Decode at 40,000").endswith("GFLOPs")
    assert "40,000 tokens" in view.subtitle


def test_a_model_without_numbers_stands_in_the_table_with_its_reason_below() -> None:
    row = make_row("acme/odd", UNKNOWN, reported={"total": 123456, "check": "unchecked", "explanation": None})
    view = make_view([row, make_row("acme/llama", LLAMA)])
    cells = list_tables(view, "answer")["at-a-glance"].lines[-1].cells
    assert {cell.text for cell in cells} == {MISSING}
    (unnumbered,) = list_blocks(view, "answer", "items")
    assert unnumbered.items == (
        ("acme/odd", "model_type 'no-such-type' is not known (the Hub reports 123,456 stored elements)."),
    )


def test_models_without_any_number_still_make_a_report() -> None:
    row = make_row("acme/odd", UNKNOWN, reported={"total": None, "check": "unchecked", "explanation": None})
    view = make_view([row])
    assert "the Hub reports no size" in list_blocks(view, "answer", "items")[0].items[0].text
    assert [section.id for section in view.sections] == ["answer", "provenance", "method", "glossary"]
    assert len(list_tables(view, "provenance")["sources"].lines) == 1


def test_models_of_the_same_fingerprint_are_named_but_not_without_end() -> None:
    many = tuple(f"b/{number}" for number in range(14))
    view = make_view(
        [make_row("acme/llama", LLAMA, twin_ids=("b/x", "c/y")), make_row("acme/two", LLAMA, twin_ids=many)]
    )
    twins = list_blocks(view, "provenance", "items")[0].items
    assert twins[0] == ("llama", "b/x, c/y")
    assert twins[1].text.endswith("b/11 and 2 more")


def list_notes(rows: list[ModelRow]) -> list[str]:
    return [block.text for block in list_blocks(make_view(rows), "answer", "prose")]


def test_what_must_be_known_stands_below_the_table() -> None:
    twin = make_row("acme/llama", LLAMA, twin_ids=("b/x", "c/y"))
    short = [make_row(f"a/short-{i}", LLAMA | {"max_position_embeddings": 2048, "vocab_size": i}) for i in range(2, 9)]
    notes = list_notes([twin, *short])
    assert notes[0] == "short-2, short-3, short-4 and short-5 and 3 more declare a context below 32,768 tokens."
    assert notes[1] == "2 further models share a fingerprint with one here (named under provenance)."
    assert list_notes([make_row("a/llama", LLAMA, twin_ids=("b/x",)), short[0]])[:2] == [
        "short-2 declares a context below 32,768 tokens.",
        "1 further model shares a fingerprint with one here (named under provenance).",
    ]


def test_an_estimate_is_called_one() -> None:
    from dataclasses import replace

    from tests.report.fakes import make_models
    from zoo.report.sections.answer import note_answer

    (model,) = make_models([make_row("acme/llama", LLAMA)])
    guessed = replace(model, facts={**model.facts, "method": "estimate"})
    assert note_answer([guessed], 1024) == ("Estimates, not exact: llama.",)


def test_warnings_name_their_model() -> None:
    row = make_row(
        "acme/llama", {k: v for k, v in LLAMA.items() if k != "torch_dtype"},
        problem=("gated", "access is needed"), gone_at="2026-02-03T00:00:00+00:00",
    )  # fmt: skip
    assert list_blocks(make_view([row]), "provenance", "items")[0].items == (
        ("llama", "the config declares no dtype: float32 is assumed, the default of PyTorch"),
        ("llama", "a newer config could not be read: access is needed"),
        ("llama", "no longer on the Hub since 2026-02-03"),
    )


def test_provenance_says_source_commit_and_moment() -> None:
    view = make_view([make_row("acme/llama", LLAMA)])
    table = list_tables(view, "provenance")["sources"]
    cells = {head.label: cell for head, cell in zip(table.columns, table.lines[0].cells, strict=True)}
    assert (cells["Config from"].text, cells["Config from"].sub) == ("hub", "huggingface.co")
    assert cells["Commit"].text == "0123456789ab"
    assert (cells["Synced"].text, cells["Synced"].sub) == ("2026-03-01", "11:00 UTC")


def test_an_unknown_moment_is_a_dash() -> None:
    view = make_view([make_row("acme/llama", LLAMA, synced_at=None, created_at=None)])
    assert list_tables(view, "provenance")["sources"].lines[0].cells[-1].text == MISSING
    assert find(view, "provenance", "Created") == MISSING
    assert view.subtitle == "1 model at a context of 32,768 tokens"


def test_facts_of_different_days_are_dated_from_to() -> None:
    rows = [make_row("acme/a", LLAMA, synced_at="2026-01-05T00:00:00+00:00"), make_row("acme/b", LLAMA)]
    assert make_view(rows).subtitle.endswith("facts of 2026-01-05 to 2026-03-01")


def test_many_models_make_a_short_first_table() -> None:
    view = make_view(make_rows(20))
    assert view.title == "20 models compared"
    assert all(cell.sub == "" for line in list_tables(view, "answer")["at-a-glance"].lines for cell in line.cells)
    assert any(
        cell.sub for line in list_tables(make_view(make_rows(6)), "answer")["at-a-glance"].lines for cell in line.cells
    )


def test_what_does_not_fit_says_what_it_needs() -> None:
    view = make_view([make_row("acme/moe", MIXTRAL), make_row("acme/odd", LLAMA | {"torch_dtype": "float13"})])
    fits = {line.head.label: line.cells[-1] for line in list_tables(view, "answer")["at-a-glance"].lines}
    assert (fits["moe"].text, fits["moe"].sub) == ("✗ no", "97.70 GB")
    assert fits["odd"].text == MISSING
    assert find(view, "memory", "Left of 80 GB", 1) == "−17.70 GB"
    assert find(view, "memory", "Left of 80 GB", 0) == MISSING


def test_every_point_of_the_chart_is_in_a_table() -> None:
    view = make_view(make_rows(2))
    points = list_tables(view, "cache")["cache-points"]
    lines = {line.head.label: [cell.text for cell in line.cells] for line in points.lines}
    assert lines["4,096"] == ["536,870,912", "536,870,912"]
    assert lines["131,072"] == [MISSING, "17,179,869,184"]


def test_an_encoder_has_no_decoding() -> None:
    view = make_view([make_row("acme/bert", BERT)])
    assert find(view, "compute", "Decode at 32k") == MISSING
    assert find(view, "cache", "at 32k") == "0 B"
    assert list_blocks(view, "cache", "chart") == []


def test_contexts_hold_the_windows_where_curves_bend() -> None:
    rows = [make_row("acme/x", LLAMA, sliding_window=3000, max_context=5000), make_row("acme/y", LLAMA)]
    assert {3000, 5000, 7777, 131072} <= set(choose_contexts(rows, 7777))


def test_the_glossary_explains_what_is_shown() -> None:
    assert BY_KEY["kv_bytes_per_token"] in list_glossary()
    assert BY_KEY["config"] not in list_glossary()
    lines = list_tables(make_view(make_rows(1)), "glossary")["glossary-table"].lines
    assert [line.head.label for line in lines] == [metric.label for metric in list_glossary()]


def test_sections_can_be_chosen_and_unknown_ones_are_refused() -> None:
    view = make_view(make_rows(2), sections=("cache", "answer"))
    assert [section.id for section in view.sections] == ["answer", "cache"]
    with pytest.raises(UsageError, match="no section 'caches' in a report of 2 models: there are answer, key_param"):
        make_view(make_rows(2), sections=("caches",))
    with pytest.raises(UsageError, match="no section 'families' in a report of 2 models"):
        make_view(make_rows(2), sections=("families",))


@pytest.mark.parametrize(("name", "known"), [("theme", "auto, light, dark"), ("paper", "a4, letter")])
def test_an_unknown_theme_or_paper_is_refused(name: str, known: str) -> None:
    with pytest.raises(UsageError, match=f"no {name} 'no such': use {known}"):
        Options(**{name: "no such"})  # type: ignore[arg-type]


def test_the_moment_of_a_report_can_be_set() -> None:
    assert read_moment("1772366400") == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert abs((read_moment(None) - datetime.now(UTC)).total_seconds()) < 60
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        read_moment("yesterday")


def test_no_two_tables_have_one_caption() -> None:
    from zoo.report.data import list_tables as walk

    for count in (2, 6, 24):
        captions = [table.caption for _, table in walk(make_view(make_rows(count)).sections)]
        assert len(captions) == len(set(captions))
