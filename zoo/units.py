"""Numbers as people write them: ``32k`` tokens of context, ``7B`` parameters, ``1e21`` FLOPs; and back to text.

Two readers, because two habits meet: a context of "32k" is 32,768 tokens (k = 1024), while "7B" parameters and "15T"
tokens of training data are powers of ten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from zoo.errors import UsageError

_NUMBER = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)(?:e\+?([0-9]{1,2}))?\s*([a-z]*)\s*", re.IGNORECASE)

_BINARY = {"": 1, "k": 1 << 10, "ki": 1 << 10, "m": 1 << 20, "mi": 1 << 20}
_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12, "p": 10**15}

_BYTE_STEPS = ((1 << 50, "PiB"), (1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_COUNT_STEPS = ((10**15, "P"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))


def parse_context(text: str) -> int:
    """Tokens of a context, cache or sequence: ``"32k"`` is 32,768, ``"1M"`` 1,048,576, ``"4096"`` itself.

    Raises UsageError for anything that is not a whole, positive number of tokens.
    """
    return _parse(text, _BINARY, "tokens, such as 8192, 32k or 1M")


def parse_count(text: str) -> int:
    """Parameters, training tokens or FLOPs: ``"7B"`` is 7 x 10^9, ``"15T"`` 15 x 10^12, ``"1.4e11"`` itself.

    k, M, B (or G), T, P are powers of 1,000. Raises UsageError for anything that is not a whole, positive number.
    """
    return _parse(text, _DECIMAL, "a number, such as 7B or 1e21")


def _parse(text: str, units: Mapping[str, int], wanted: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None or match[3].lower() not in units:
        raise UsageError(f"{text!r:.40} is not {wanted}")
    digits, exponent, unit = match.groups()
    value = Fraction(re.sub("[_,]", "", digits)) * units[unit.lower()] * 10 ** int(exponent or 0)
    if value.denominator != 1 or value <= 0:
        raise UsageError(f"{text!r:.40} is not a whole, positive number")
    return int(value)


def format_context(tokens: int) -> str:
    """Tokens as :func:`parse_context` reads them: "32k" for 32,768, "1M" for 1,048,576; else all digits ("32,000")."""
    for step, unit in ((1 << 20, "M"), (1 << 10, "k")):
        if tokens and tokens % step == 0:
            return f"{tokens // step:,}{unit}"
    return f"{tokens:,}"


def format_bytes(size: int | None) -> str:
    """Bytes in binary units to three or four digits ("15.0 GiB", "132 KiB", "576 B"); a dash for None."""
    if size is None:
        return "–"
    for step, unit in _BYTE_STEPS:
        if abs(size) >= step * 2047 / 2048:  # it would round to 1,024 of the smaller unit
            return f"{_round(size / step)} {unit}"
    return f"{size} B"


def format_count(count: float | None) -> str:
    """A count in powers of 1,000 ("8.03 B", "124 M", "70.6 B"), exact below 1,000; a dash for None."""
    if count is None:
        return "–"
    for step, unit in _COUNT_STEPS:
        # What would round to 1,000 of the smaller unit is 1.00 of this one.
        if abs(count) >= (step if step == 10**3 else step * 0.9995):
            return f"{_round(count / step, 2)} {unit}"
    return f"{count:g}"


def _round(value: float, decimals: int = 1) -> str:
    """Three significant digits or all of the whole part, with at most ``decimals`` after the point."""
    places = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else decimals
    return f"{value:,.{places}f}"
