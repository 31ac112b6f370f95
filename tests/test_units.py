"""Numbers as people write them, and as terminals show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import UsageError
from zoo.units import format_bytes, format_count, parse_context, parse_count


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("32k", 32768),
        ("128K", 131072),
        ("1M", 1 << 20),
        ("4096", 4096),
        ("8,192", 8192),
        ("0.5k", 512),
        (" 2Ki ", 2048),
    ],
)
def test_a_context_counts_in_powers_of_two(text: str, tokens: int) -> None:
    assert parse_context(text) == tokens


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7B", 7 * 10**9),
        ("7e9", 7 * 10**9),
        ("1.4e11", 140_000_000_000),
        ("15T", 15 * 10**12),
        ("1e21", 10**21),
        ("1E+21", 10**21),
        ("124M", 124_000_000),
        ("1_000", 1000),
        (".5k", 500),
    ],
)
def test_parameters_and_tokens_count_in_powers_of_ten(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "many", "32x", "-5", "0", "0.3", "1e999", "7BB", "1..2", "nan", "inf", "1 2"])
def test_what_is_no_number_is_refused_by_both(text: str) -> None:
    for parse in (parse_context, parse_count):
        with pytest.raises(UsageError):
            parse(text)


def test_a_context_has_no_billions() -> None:
    with pytest.raises(UsageError, match="'7B' is not tokens"):
        parse_context("7B")


@given(st.integers(min_value=1, max_value=10**30))
def test_plain_digits_are_read_as_they_are(number: int) -> None:
    assert parse_context(str(number)) == parse_count(str(number)) == parse_count(f"{number:,}") == number


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (1023, "1023 B"),
        (131072, "128 KiB"),
        ((1 << 30) - 1, "1.0 GiB"),
        (1023 << 20, "1,023 MiB"),
        (16_060_522_496, "15.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (3 << 50, "3.0 PiB"),
        (5 << 60, "5,120 PiB"),
    ],
)
def test_bytes_are_shown_in_binary_units(size: int | None, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (999, "999"),
        (124_439_808, "124 M"),
        (8_030_261_248, "8.03 B"),
        (70_553_706_496, "70.6 B"),
        (671_026_404_352, "671 B"),
        (14.8e12, "14.8 T"),
        (2e15, "2.00 P"),
        (1500, "1.50 k"),
        (999.6, "999.6"),
        (999_499_999, "999 M"),
        (999_885_952, "1.00 B"),
    ],
)
def test_counts_are_shown_in_powers_of_a_thousand(count: float | None, text: str) -> None:
    assert format_count(count) == text
