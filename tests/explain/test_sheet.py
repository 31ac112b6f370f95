"""The fact sheet: what is said of a model, and what is left out when there is nothing to say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.configs import DEEPSEEK_V3, GPT2, MIXTRAL
from zoo.explain.sheet import build_sheet, count, describe_heads, number, size, text_of
from zoo.metrics.analysis import analyze


def rows_of(config: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for section in build_sheet(analyze(config).as_dict()) for row in section.rows}


def test_deepseek_v3_as_a_sheet() -> None:
    rows = rows_of(DEEPSEEK_V3)
    assert rows["Total"] == ("671,026,404,352 (671 B)",)
    assert rows["Active per token"] == ("37,552,282,624 (37.6 B), 5.6% of all",)
    assert rows["Per token (bfloat16)"] == ("70,272 bytes (68.6 KiB)",)
    assert "Per token, decompressed" in rows
    assert rows["Experts per token"] == ("8 of 256 routed + 1 shared, in 58 layers",)
    assert rows["Heads"] == ("128 query, 128 key-value, width 192 (values 128)",)
    assert "Not counted: MTP layers" in rows
    assert "Not counted: buffers" in rows
    assert "Window" not in rows
    assert "Per token, windows full" not in rows


def test_a_window_and_a_tie_are_told() -> None:
    rows = rows_of(MIXTRAL | {"sliding_window": 4096})
    assert rows["Window"] == ("4,096 tokens",)
    assert rows["Per token, windows full"] == ("0 bytes",)
    assert rows["Windows hold at most"] == ("536,870,912 bytes (512 MiB)",)
    tied = rows_of(GPT2)
    assert tied["Head"] == ("tied to the embedding",)
    assert "RoPE θ" not in tied
    assert tied[""] == ("the config declares no dtype: float32 is assumed, the default of PyTorch",)


def test_an_unsupported_model_has_its_name_and_reason_only() -> None:
    sheet = build_sheet(analyze({"model_type": "eliza"}).as_dict())
    assert [section.title for section in sheet] == ["Model"]
    assert ("Reason", "model_type 'eliza' is not known") in sheet[0].rows


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (9_999, "9,999"), (10_000, "10,000 (10.0 k)"), (8_030_261_248, "8,030,261,248 (8.03 B)")],
)
def test_counts_are_exact_and_then_short(value: int | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "unknown"), (0, "0 bytes"), (2048, "2,048 bytes (2.0 KiB)")])
def test_sizes_are_exact_and_then_short(value: int | None, text: str) -> None:
    assert size(value) == text


def test_small_formatters() -> None:
    assert number(None) == "–"
    assert number(5, "tokens") == "5 tokens"
    assert text_of(None) == "–"
    assert text_of(1e6, ",.10g") == "1,000,000"
    assert text_of("a\nb\tc\x1b") == "a b c\ufffd"
    assert describe_heads({"heads": None}) == ""
