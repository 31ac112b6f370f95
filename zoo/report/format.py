"""Numbers as text. Each function is pure, keeps the magnitude, and names its unit in what it returns.

Decimal units are kB, MB, GB (1e3, 1e6, 1e9); binary ones KiB, MiB, GiB (2^10, 2^20, 2^30): the two are never mixed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

#: What stands where there is no number. Never a zero.
MISSING = "–"

_SHORT = ("", "K", "M", "B", "T")
_FLOPS = ("FLOPs", "kFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs", "EFLOPs", "ZFLOPs", "YFLOPs", "RFLOPs", "QFLOPs")
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_count(value: int | None) -> str:
    """A whole number in full, with thousands set apart: ``8,030,261,248``."""
    return MISSING if value is None else f"{value:,}"


def format_short(value: int | None) -> str:
    """A whole number to three digits: ``8.03 B`` (K, M, B, T for 1e3, 1e6, 1e9, 1e12)."""
    return MISSING if value is None else _scale(value, 1000, _SHORT)


def format_decimal_bytes(value: int | None) -> str:
    """Bytes to four digits in powers of 1,000: ``16.06 GB``."""
    return MISSING if value is None else _scale(value, 1000, _DECIMAL, digits=4)


def format_binary_bytes(value: int | None) -> str:
    """Bytes to four digits in powers of 1,024: ``14.96 GiB``."""
    return MISSING if value is None else _scale(value, 1024, _BINARY, digits=4)


def format_tick(value: int, *, decimal_bytes: bool = False) -> str:
    """A round value at an axis, without empty decimals: ``100 MB``, ``5 B``."""
    number, _, unit = (format_decimal_bytes if decimal_bytes else format_short)(value).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}".rstrip()


def format_flops(value: int | None) -> str:
    """Floating point operations to three digits: ``15.0 GFLOPs``."""
    return MISSING if value is None else _scale(value, 1000, _FLOPS)


def format_share(part: int, whole: int) -> str:
    """``part`` of ``whole`` in percent to one decimal; only nothing is 0 %, only all is 100 %."""
    if whole <= 0:
        return MISSING
    if part == 0 or part == whole:
        return f"{100 * part // whole} %"
    percent = 100 * part / whole
    if percent < 0.05:
        return "< 0.1 %"
    return "> 99.9 %" if percent >= 99.95 and part < whole else f"{percent:.1f} %"


def format_factor(larger: int | Decimal, smaller: int | Decimal) -> str:
    """How many times ``larger`` is ``smaller`` (> 0): ``1.9×``, ``12.5×``; to more digits where it is all but once."""
    ratio = Decimal(larger) / Decimal(smaller)
    digits = 3 if ratio >= 10 else 2
    while ratio != 1 and digits < 12 and Decimal(_round(ratio, digits).replace(",", "")) == 1:
        digits += 1
    return f"{_round(ratio, digits)}×"


def format_context(tokens: int | None) -> str:
    """A sequence length as people say it: ``32k`` for 32,768, ``1M`` for 1,048,576; else in full."""
    if tokens is None:
        return MISSING
    for size, unit in ((1 << 20, "M"), (1 << 10, "k")):
        if tokens >= size and tokens % size == 0:
            return f"{tokens // size}{unit}"
    return f"{tokens:,}"


def format_real(value: float | None) -> str:
    """A real number without a needless fraction: ``500,000``, ``0.5``."""
    if value is None:
        return MISSING
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def format_time(moment: datetime | None) -> str:
    """A moment to the minute, in UTC: ``2026-11-21 10:30 UTC``. A time without a zone is taken to be UTC."""
    if moment is None:
        return MISSING
    zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{zoned:%Y-%m-%d %H:%M} UTC"


def cut_middle(text: str, length: int) -> str:
    """``text`` in at most ``length`` (>= 3) characters: the start and the end are what tells names apart."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def join_words(words: list[str] | tuple[str, ...]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _scale(value: int, base: int, units: tuple[str, ...], digits: int = 3) -> str:
    """``value`` in the largest unit that leaves at least 1; whole numbers below ``base`` as they are."""
    sign, size = ("−" if value < 0 else ""), abs(value)
    if size < base:
        return f"{sign}{size} {units[0]}".rstrip()
    power = 1
    while power + 1 < len(units) and size >= base ** (power + 1):
        power += 1
    text = _round(Decimal(size) / base**power, digits)
    # Rounding may reach the next unit: 999,999 is 1.00 M, not 1,000 K.
    if Decimal(text.replace(",", "")) >= base and power + 1 < len(units):
        text, power = _round(Decimal(size) / base ** (power + 1), digits), power + 1
    return f"{sign}{text} {units[power]}"


def _round(value: Decimal, digits: int) -> str:
    """``value`` (>= 0) to ``digits`` significant digits, never in scientific notation; whole digits are all kept."""
    places = max(0, digits - max(1, value.adjusted() + 1))
    return f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,}"
