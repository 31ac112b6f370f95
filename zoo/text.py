"""Text from outside, made safe to print on a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

#: C0 and C1 controls (escape sequences start with one), DEL, line separators and bidirectional overrides.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """``text`` with everything that could move the cursor, hide or reorder text replaced by ``\\ufffd``."""
    return _UNPRINTABLE.sub("\ufffd", text)


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """``value`` as strict JSON that is safe on a terminal: what could steer it is written as an escape."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    lines = (_UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n"))
    return "\n".join(lines)
