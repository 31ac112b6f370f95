"""``config.json`` as text: reading what comes from strangers, and the one spelling that is stored and hashed.

The rules, and why:

- what ``json.loads`` reads is read: UTF-8 with or without BOM, UTF-16, UTF-32, bare ``NaN`` and ``Infinity``
  (they occur in good configs), duplicate keys (the last one counts, as in every Python reader);
- what would be a crash later is an error with a name now: too large, too deep, absurdly long integers, a list or a
  string at top level;
- lone surrogates cannot be written as UTF-8 and NUL cannot be stored by PostgreSQL's ``jsonb``: both become U+FFFD;
- a number that is not finite is written as ``{"__float__": "Infinity"}``, the way transformers 5 writes it, so that
  every JSON reader and PostgreSQL can read it back; both spellings are read as the same number and hash alike.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zoo.errors import BadInput

#: Bytes of the largest ``config.json`` that is read; the largest known good ones have some hundred kilobytes.
MAX_BYTES = 5_000_000
#: Levels of nesting; real configs have at most a dozen.
MAX_DEPTH = 100

#: How transformers 5 names the numbers that strict JSON has no form for.
NON_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Refused(Exception):
    """What is wrong with a text; turned into :class:`BadInput` once the source is known."""


def parse_config(data: bytes | str, *, source: str, warnings: list[str] | None = None) -> dict[str, Any]:
    """The JSON object in ``data``; ``source`` (a path, an id) names it in errors.

    ``warnings``, when given, receives a sentence for each thing that was read but is not as it should be: duplicate
    keys, characters that had to be replaced.

    Raises:
        BadInput: not a JSON object, or one that cannot be stored: larger than 5 MB, nested deeper than 100 levels,
            an integer of thousands of digits (Python's own limit, 4,300).
    """
    try:
        return _parse_text(_decode(data), warnings)
    except _Refused as error:
        raise BadInput(source, str(error)) from None


def canonical_json(config: Mapping[str, Any]) -> str:
    """``config`` in its one spelling: keys sorted, no spaces, Unicode as it is, strict JSON.

    ``canonical_json(parse_config(canonical_json(x)))`` is ``canonical_json(x)``. Integers keep every digit.

    Raises:
        BadInput: a value that JSON has no form for.
    """
    try:
        return _dump_storable(config)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput("config", f"cannot be written as JSON: {error}") from None


def config_sha256(config: Mapping[str, Any]) -> str:
    """sha256 (hex) of :func:`canonical_json`: the name under which a config is stored once."""
    return hash_canonical(canonical_json(config))


def hash_canonical(text: str) -> str:
    """sha256 (hex) of a text that :func:`canonical_json` made."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _decode(data: bytes | str) -> str:
    if len(data) > MAX_BYTES:
        raise _Refused(f"is larger than {MAX_BYTES // 1_000_000} MB")
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        # As json.loads does: the encoding by the first bytes; surrogates are let through here and replaced later.
        return data.decode(json.detect_encoding(data), "surrogatepass").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _Refused(f"is not text: {error.reason} at byte {error.start}") from None


def _parse_text(text: str, warnings: list[str] | None) -> dict[str, Any]:
    if not text.strip():
        raise _Refused("is empty")
    duplicates: list[str] = []
    try:
        # The hook is Python code for each object: only for those who want to know.
        value = json.loads(text, object_pairs_hook=None if warnings is None else _make_pairs_hook(duplicates))
    except json.JSONDecodeError as error:
        raise _Refused(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError:  # Python refuses to read integers of more than 4,300 digits
        raise _Refused("holds an integer of thousands of digits") from None
    except RecursionError:
        raise _Refused(f"is nested deeper than {MAX_DEPTH} levels") from None
    if not isinstance(value, dict):
        raise _Refused(f"holds {_describe_type(value)} where a JSON object is needed")
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise _Refused(f"is nested deeper than {MAX_DEPTH} levels")
    if "\\u" in text or "__float__" in text or not _is_utf8(text):
        value = _read_back(value)
    if warnings is not None and duplicates:
        warnings.append(f"holds keys twice ({', '.join(sorted(set(duplicates))[:5])}): the last one counts")
    return dict(value)


def _make_pairs_hook(duplicates: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) < len(pairs):
            counted = Counter(key for key, _ in pairs)
            duplicates.extend(key for key, times in counted.items() if times > 1)
        return built

    return build_object


# Made once: json.dumps makes one for each call.
_dump = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _dump_storable(config: Mapping[str, Any]) -> str:
    try:
        text = _dump(config)
    except ValueError:  # a number that is not finite: written out the slow way
        text = None
    if text is not None and _is_utf8(text) and "\\u0000" not in text:
        return text
    return _dump(_replace_unstorable(config))


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether containers are nested deeper than ``levels``; walks level by level, so no recursion."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _list_members(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _list_members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _replace_unstorable(value: Any) -> Any:
    """A copy that strict JSON, SQLite and PostgreSQL can hold."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Mapping):
        return {_replace_unstorable(key): _replace_unstorable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_unstorable(inner) for inner in value]
    return value


def _read_back(value: Any) -> Any:
    """``value`` with unstorable characters replaced and ``{"__float__": …}`` read as the number that it stands for."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(name := value.get("__float__"), str) and name in NON_FINITE:
            return NON_FINITE[name]
        return {_read_back(key): _read_back(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_read_back(inner) for inner in value]
    return value


def _describe_type(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        list: "a list",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names[type(value)]
