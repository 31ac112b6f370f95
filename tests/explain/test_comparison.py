"""Rows of a comparison: units, the best value, what is worth a row."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.configs import DEEPSEEK_V3, LLAMA_7B, LLAMA_8B, MIXTRAL
from zoo.explain.comparison import (
    Row,
    Subject,
    choose_writer,
    compare_models,
    find_best,
    write_comparison,
    write_markdown,
    write_scaled,
)
from zoo.metrics.analysis import analyze


def rows_of(*configs: dict[str, Any]) -> dict[str, Row]:
    comparison = compare_models([Subject(f"m{n}", analyze(config).as_dict()) for n, config in enumerate(configs)])
    return {row.label: row for rows in comparison.sections.values() for row in rows}


def test_a_row_has_the_unit_of_its_least_value() -> None:
    rows = rows_of(LLAMA_7B, LLAMA_8B)
    assert rows["Per token (KiB)"].texts == ("512", "128")
    assert rows["At 32,768 tokens (GiB)"].texts == ("16", "4")
    assert rows["Per token (GFLOPs)"].texts == ("13.21", "15.01")
    assert rows["Optimal tokens, 20 a parameter (B tokens)"].texts == ("134.8", "160.6")
    assert rows["Attention"].texts == ("31.9%", "16.7%")
    assert rows["Head tied to embedding"].texts == ("no", "no")


def test_rows_that_say_nothing_are_left_out() -> None:
    rows = rows_of(LLAMA_7B, LLAMA_8B)
    for label in ("Experts, routed", "Biases", "Value head dim", "Window (tokens)", "Vision", "Recurrent layers"):
        assert label not in rows
    rows = rows_of(MIXTRAL | {"sliding_window": 4096}, DEEPSEEK_V3)
    assert rows["Experts, routed"].texts == ("8", "256")
    assert rows["Experts, shared"].texts == ("0", "1")
    assert rows["Value head dim"].texts == ("128", "128")
    assert rows["Window (tokens)"].texts == ("4,096", "–")
    assert rows["Per token, windows full (KiB)"].texts[0] == "0"


@pytest.mark.parametrize(
    ("values", "better", "best"),
    [
        ((3, 1, 2), "low", {1}),
        ((3, 1, 3), "high", {0, 2}),
        ((None, 1, 2), "low", {1}),
        ((1, 1), "low", set()),
        ((None, 1), "high", set()),
        ((3, 1), None, set()),
    ],
)
def test_the_best_is_marked_where_there_is_a_choice(values: tuple[Any, ...], better: Any, best: set[int]) -> None:
    assert find_best(values, better) == best


@pytest.mark.parametrize(
    ("kind", "values", "unit"),
    [
        ("bytes", [5, None], " (bytes)"),
        ("bytes", [0, 3 << 20], " (MiB)"),
        ("bytes", [None], " (bytes)"),
        ("flops", [3 * 10**12], " (TFLOPs)"),
        ("tokens", [5], " (tokens)"),
        ("text", ["x"], ""),
    ],
)
def test_units_fit_the_values(kind: str, values: list[Any], unit: str) -> None:
    assert choose_writer(kind, values)[0] == unit


@pytest.mark.parametrize(
    ("value", "step", "text"), [(2048, 1024, "2"), (1536, 1024, "1.50"), (1 << 20, 1000, "1,048.6"), (0, 1024, "0")]
)
def test_values_are_scaled(value: int, step: int, text: str) -> None:
    assert write_scaled(value, step) == text


def test_text_of_strangers_is_cleaned_and_escaped() -> None:
    odd = analyze({"model_type": "a|b\x1b"}).as_dict()
    comparison = compare_models([Subject("x|y", odd), Subject("z", odd)])
    text = write_markdown(comparison)
    assert "| | x\\|y | z |" in text
    assert "a\\|b\ufffd" in text
    assert "\x1b" not in text
    assert write_comparison(comparison)["models"] == ["x|y", "z"]
