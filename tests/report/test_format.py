"""Numbers as text: the magnitude is never lost, and every text can be read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.report import format as f

COUNTS = st.integers(min_value=0, max_value=10**17)

UNITS = {
    f.format_short: {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12},
    f.format_decimal_bytes: {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15, "EB": 10**18},
    f.format_binary_bytes: {u: 1 << 10 * i for i, u in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))},
    f.format_flops: {f"{u}FLOPs": 1000**i for i, u in enumerate(("", "k", "M", "G", "T", "P", "E"))},
}


def read_back(text: str, units: dict[str, int]) -> float:
    number, _, unit = text.replace(",", "").replace("−", "-").partition(" ")
    return float(number) * units[unit]


@pytest.mark.parametrize("function", UNITS)
@given(value=COUNTS)
def test_a_scaled_number_reads_back_to_within_its_last_digit(function: Callable[[Any], str], value: int) -> None:
    digits = 4 if "bytes" in function.__name__ else 3
    assert read_back(function(value), UNITS[function]) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits) * 1.0001)


@pytest.mark.parametrize("function", UNITS)
@given(value=COUNTS)
def test_a_scaled_number_never_needs_the_next_unit(function: Callable[[Any], str], value: int) -> None:
    base = 1024 if function is f.format_binary_bytes else 1000
    number, _, unit = function(value).replace(",", "").partition(" ")
    assert float(number) < base or unit == list(UNITS[function])[-1]


@given(value=COUNTS)
def test_a_count_in_full_reads_back_exactly(value: int) -> None:
    assert int(f.format_count(value).replace(",", "")) == value


@given(value=COUNTS, other=COUNTS)
def test_larger_bytes_never_look_smaller(value: int, other: int) -> None:
    units = UNITS[f.format_decimal_bytes]
    small, large = sorted((value, other))
    shown = [read_back(f.format_decimal_bytes(size), units) for size in (small, large)]
    assert shown[0] <= shown[1]


@given(part=st.integers(0, 10**12), rest=st.integers(0, 10**12))
def test_only_nothing_is_zero_percent_and_only_all_is_a_hundred(part: int, rest: int) -> None:
    text = f.format_share(part, part + rest)
    if part + rest == 0:
        assert text == f.MISSING
    else:
        assert (text == "0 %") == (part == 0)
        assert (text == "100 %") == (rest == 0 and part > 0)
        assert text not in ("0.0 %", "100.0 %")


@given(larger=st.integers(1, 10**12), smaller=st.integers(1, 10**12))
def test_a_factor_is_one_only_between_equals(larger: int, smaller: int) -> None:
    larger, smaller = max(larger, smaller), min(larger, smaller)
    number = float(f.format_factor(larger, smaller).removesuffix("×").replace(",", ""))
    assert number == pytest.approx(larger / smaller, rel=0.051)
    assert (number == 1) == (larger == smaller) or larger / smaller < 1 + 1e-11


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (f.format_short(8_030_261_248), "8.03 B"),
        (f.format_short(999_999), "1.00 M"),
        (f.format_short(671_026_404_352), "671 B"),
        (f.format_short(12), "12"),
        (f.format_decimal_bytes(16_060_522_496), "16.06 GB"),
        (f.format_binary_bytes(16_060_522_496), "14.96 GiB"),
        (f.format_binary_bytes(70_272), "68.63 KiB"),
        (f.format_decimal_bytes(-595_500_000_000), "−595.5 GB"),
        (f.format_flops(15_009_316_864), "15.0 GFLOPs"),
        (f.format_context(32768), "32k"),
        (f.format_context(1 << 20), "1M"),
        (f.format_context(40960), "40k"),
        (f.format_context(4097), "4,097"),
        (f.format_context(512), "512"),
        (f.format_factor(131072, 70272), "1.9×"),
        (f.format_factor(23040, 22528), "1.02×"),
        (f.format_factor(671_026_404_352, 124_439_808), "5,392×"),
        (f.format_share(1, 10_000), "< 0.1 %"),
        (f.format_share(9_999, 10_000), "> 99.9 %"),
        (f.format_share(1, 4), "25.0 %"),
        (f.format_real(500000.0), "500,000"),
        (f.format_real(2.1635), "2.1635"),
        (f.format_tick(10**8, decimal_bytes=True), "100 MB"),
        (f.format_tick(2 * 10**9), "2 B"),
        (f.format_tick(200), "200"),
        (f.join_words(["a"]), "a"),
        (f.join_words(["a", "b", "c"]), "a, b and c"),
        (f.join_words([]), ""),
    ],
)
def test_numbers_look_as_people_write_them(call: str, text: str) -> None:
    assert call == text


@pytest.mark.parametrize(
    "function",
    [f.format_count, f.format_short, f.format_decimal_bytes, f.format_binary_bytes, f.format_flops, f.format_context,
     f.format_real, f.format_time],
)  # fmt: skip
def test_nothing_is_never_shown_as_zero(function: Callable[[Any], str]) -> None:
    assert function(None) == f.MISSING
    assert not re.search(r"\d", f.MISSING)


def test_times_are_utc_to_the_minute() -> None:
    assert f.format_time(datetime(2026, 3, 1, 12, 5, 59, tzinfo=UTC)) == "2026-03-01 12:05 UTC"
    assert f.format_time(datetime(2026, 3, 1, 12, 5)) == "2026-03-01 12:05 UTC"
    east = timezone(timedelta(hours=2))
    assert f.format_time(datetime(2026, 3, 1, 1, 5, tzinfo=east)) == "2026-02-28 23:05 UTC"


@given(text=st.text(max_size=80), length=st.integers(3, 60))
def test_a_cut_name_keeps_its_start_and_its_end(text: str, length: int) -> None:
    cut = f.cut_middle(text, length)
    assert len(cut) == min(len(text), length)
    if cut != text:
        tail = (length - 1) // 2
        assert (cut[: length - 1 - tail], cut[-tail:]) == (text[: length - 1 - tail], text[-tail:])
