"""The view of a report: its tables hold the right numbers, and nothing is passed over in silence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.report.fakes import BERT, LLAMA, MIXTRAL, UNKNOWN, make_row, make_rows, make_view
from zoo.errors import UsageError
from zoo.metrics.glossary import BY_KEY
from zoo.report.format import MISSING
from zoo.report.tables import Table
from zoo.report.view import SECTIONS, choose_contexts, read_moment


def find(tables: tuple[Table, ...], label: str, model: int = 0) -> str:
    """The text at the row of that label in a table with models side by side."""
    lines = {line.head.label: line for table in tables for line in table.lines}
    return lines[label].cells[model].text


def test_the_numbers_that_people_know() -> None:
    view = make_view([make_row("meta-llama/Llama-3.1-8B")])
    assert find(view.parameters.totals, "Parameters") == "8,030,261,248"
    assert find(view.cache.per_token, "KV cache per token") == "131,072 B"
    assert find(view.cache.per_token, "Elements per token") == "65,536"
    assert find(view.cache.at, "at 32k") == "4.295 GB"
    assert find(view.memory.weights, "bfloat16") == "16.06 GB"
    assert find(view.memory.weights, "int4") == "4.015 GB"
    assert find(view.compute.scaling, "Optimal tokens") == "161 B"
    assert find(view.memory.fit, "Together") == "20.36 GB"
    assert find(view.parameters.parts, "MLP") == "5,637,144,576"
    assert find(view.provenance.checks, "Difference") == "0"
    assert view.title == "Llama-3.1-8B"
    assert view.attention.dense == "No model here has experts: all are dense."


def test_an_active_share_and_the_experts_of_a_sparse_model() -> None:
    view = make_view([make_row("acme/moe", MIXTRAL), make_row("acme/llama", LLAMA)])
    assert find(view.parameters.totals, "Active parameters", 1) == "12,879,925,248"
    assert find(view.attention.experts, "Experts") == "8"
    assert [head.label for head in view.attention.experts[0].columns] == ["moe"]
    assert view.attention.dense == "Dense, without experts: llama."
    assert make_view([make_row("acme/moe", MIXTRAL)]).attention.dense == ""


def test_a_context_of_ones_own_is_a_column_of_its_own() -> None:
    view = make_view([make_row("acme/llama", LLAMA)], context=40000)
    assert find(view.cache.at, "at 40,000") == "5.243 GB"
    assert find(view.compute.flops, "Decode at 40,000").endswith("GFLOPs")
    assert "40,000 tokens" in view.subtitle


def test_a_model_without_numbers_stands_in_the_table_with_its_reason_below() -> None:
    row = make_row("acme/odd", UNKNOWN, reported={"total": 123456, "check": "unchecked", "explanation": None})
    view = make_view([row, make_row("acme/llama", LLAMA)])
    cells = view.answer.table.lines[-1].cells
    assert {cell.text for cell in cells} == {MISSING}
    (odd,) = view.answer.unnumbered
    assert odd.reason == "model_type 'no-such-type' is not known"
    assert odd.reported == "the Hub reports 123,456 stored elements"


def test_models_without_any_number_still_make_a_report() -> None:
    row = make_row("acme/odd", UNKNOWN, reported={"total": None, "check": "unchecked", "explanation": None})
    view = make_view([row])
    assert view.answer.unnumbered[0].reported == "the Hub reports no size"
    assert view.key_parameters.tables == ()
    assert view.cache.chart is view.parameters.chart is view.cache.size_chart is view.cache.points is None
    assert len(view.provenance.sources.lines) == 1


def test_models_of_the_same_fingerprint_are_named_but_not_without_end() -> None:
    many = tuple(f"b/{number}" for number in range(14))
    view = make_view(
        [make_row("acme/llama", LLAMA, twin_ids=("b/x", "c/y")), make_row("acme/two", LLAMA, twin_ids=many)]
    )
    assert view.provenance.twins[0] == ("llama", "b/x, c/y")
    assert view.provenance.twins[1][1].endswith("b/11 and 2 more")


def test_what_must_be_known_stands_below_the_table() -> None:
    twin = make_row("acme/llama", LLAMA, twin_ids=("b/x", "c/y"))
    short = [make_row(f"a/short-{i}", LLAMA | {"max_position_embeddings": 2048, "vocab_size": i}) for i in range(2, 9)]
    notes = make_view([twin, *short]).answer.notes
    assert notes[0] == "short-2, short-3, short-4 and short-5 and 3 more declare a context below 32,768 tokens."
    assert notes[1] == "2 further models share a fingerprint with one here (named under provenance)."
    assert make_view([make_row("a/llama", LLAMA, twin_ids=("b/x",)), short[0]]).answer.notes == (
        "short-2 declares a context below 32,768 tokens.",
        "1 further model shares a fingerprint with one here (named under provenance).",
    )


def test_an_estimate_is_called_one() -> None:
    from dataclasses import replace

    from tests.report.fakes import make_models
    from zoo.report.sections import note_answer

    (model,) = make_models([make_row("acme/llama", LLAMA)])
    guessed = replace(model, facts={**model.facts, "method": "estimate"})
    assert note_answer([guessed], 1024) == ("Estimates, not exact: llama.",)


def test_warnings_name_their_model() -> None:
    row = make_row(
        "acme/llama", {k: v for k, v in LLAMA.items() if k != "torch_dtype"},
        problem=("gated", "access is needed"), gone_at="2026-02-03T00:00:00+00:00",
    )  # fmt: skip
    assert make_view([row]).provenance.warnings == (
        ("llama", "the config declares no dtype: float32 is assumed, the default of PyTorch"),
        ("llama", "a newer config could not be read: access is needed"),
        ("llama", "no longer on the Hub since 2026-02-03"),
    )


def test_provenance_says_source_commit_and_moment() -> None:
    view = make_view([make_row("acme/llama", LLAMA)])
    table = view.provenance.sources
    cells = {head.label: cell for head, cell in zip(table.columns, table.lines[0].cells, strict=True)}
    assert (cells["Config from"].text, cells["Config from"].sub) == ("hub", "huggingface.co")
    assert cells["Commit"].text == "0123456789ab"
    assert (cells["Synced"].text, cells["Synced"].sub) == ("2026-03-01", "11:00 UTC")


def test_an_unknown_moment_is_a_dash() -> None:
    view = make_view([make_row("acme/llama", LLAMA, synced_at=None, created_at=None)])
    assert view.provenance.sources.lines[0].cells[-1].text == MISSING
    assert find(view.provenance.hub, "Created") == MISSING
    assert view.subtitle == "1 model at a context of 32,768 tokens"


def test_facts_of_different_days_are_dated_from_to() -> None:
    rows = [make_row("acme/a", LLAMA, synced_at="2026-01-05T00:00:00+00:00"), make_row("acme/b", LLAMA)]
    assert make_view(rows).subtitle.endswith("facts of 2026-01-05 to 2026-03-01")


def test_many_models_make_a_short_first_table() -> None:
    view = make_view(make_rows(20))
    assert view.title == "20 models compared"
    assert all(cell.sub == "" for line in view.answer.table.lines for cell in line.cells)
    assert any(cell.sub for line in make_view(make_rows(6)).answer.table.lines for cell in line.cells)


def test_what_does_not_fit_says_what_it_needs() -> None:
    view = make_view([make_row("acme/moe", MIXTRAL), make_row("acme/odd", LLAMA | {"torch_dtype": "float13"})])
    fits = {line.head.label: line.cells[-1] for line in view.answer.table.lines}
    assert (fits["moe"].text, fits["moe"].sub) == ("✗ no", "97.70 GB")
    assert fits["odd"].text == MISSING
    assert find(view.memory.fit, "Left of 80 GB", 1) == "−17.70 GB"
    assert find(view.memory.fit, "Left of 80 GB", 0) == MISSING


def test_every_point_of_the_chart_is_in_a_table() -> None:
    view = make_view(make_rows(2))
    assert view.cache.points is not None
    lines = {line.head.label: [cell.text for cell in line.cells] for line in view.cache.points.lines}
    assert lines["4,096"] == ["536,870,912", "536,870,912"]
    assert lines["131,072"] == [MISSING, "17,179,869,184"]


def test_an_encoder_has_no_decoding() -> None:
    view = make_view([make_row("acme/bert", BERT)])
    assert find(view.compute.flops, "Decode at 32k") == MISSING
    assert find(view.cache.at, "at 32k") == "0 B"
    assert view.cache.points is None


def test_contexts_hold_the_windows_where_curves_bend() -> None:
    rows = [make_row("acme/x", LLAMA, sliding_window=3000, max_context=5000), make_row("acme/y", LLAMA)]
    assert {3000, 5000, 7777, 131072} <= set(choose_contexts(rows, 7777))


def test_the_glossary_explains_what_is_shown_and_each_section_has_a_template() -> None:
    from zoo.paths import templates_dir

    view = make_view(make_rows(1))
    assert BY_KEY["kv_bytes_per_token"] in view.glossary
    assert BY_KEY["config"] not in view.glossary
    files = {path.stem for path in (templates_dir() / "sections").glob("*.html")}
    assert {section.id for section in SECTIONS} == files


def test_the_moment_of_a_report_can_be_set() -> None:
    assert read_moment("1772366400") == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert abs((read_moment(None) - datetime.now(UTC)).total_seconds()) < 60
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        read_moment("yesterday")
