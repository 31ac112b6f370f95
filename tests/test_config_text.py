"""Reading and spelling config.json."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.config_text import MAX_BYTES, MAX_DEPTH, canonical_json, config_sha256, parse_config
from zoo.errors import BadInput

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
OBJECTS = st.dictionaries(st.text(max_size=8), VALUES, max_size=6)


def refuse(data: bytes | str) -> str:
    with pytest.raises(BadInput) as caught:
        parse_config(data, source="a/b")
    assert caught.value.source == "a/b"
    return caught.value.reason


class TestParse:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_reads_every_encoding_that_json_allows(self, encoding: str) -> None:
        assert parse_config('{"name": "Qwen 千问"}'.encode(encoding), source="x") == {"name": "Qwen 千问"}

    def test_reads_text_with_a_byte_order_mark(self) -> None:
        assert parse_config('\ufeff{"a": 1}', source="x") == {"a": 1}

    def test_reads_bare_infinity_and_nan(self) -> None:
        config = parse_config(b'{"time_step_limit": [0.0, Infinity], "low": -Infinity, "odd": NaN}', source="x")
        assert config["time_step_limit"] == [0.0, math.inf]
        assert config["low"] == -math.inf
        assert math.isnan(config["odd"])

    def test_reads_the_transformers_spelling_of_infinity_as_the_number(self) -> None:
        spelled = '{"limit": [0.0, {"__float__": "Infinity"}], "kept": {"__float__": "other"}, "two": {"__float__": 1}}'
        config = parse_config(spelled, source="x")
        assert config == {"limit": [0.0, math.inf], "kept": {"__float__": "other"}, "two": {"__float__": 1}}

    def test_keeps_integers_beyond_64_bits(self) -> None:
        assert parse_config(f'{{"n": {2**80}}}', source="x") == {"n": 2**80}

    @pytest.mark.parametrize("text", ['{"a": "\\ud800", "b\\u0000": 1}', b'{"a": "\xed\xa0\x80", "b\\u0000": 1}'])
    def test_replaces_what_no_database_can_store(self, text: str | bytes) -> None:
        assert parse_config(text, source="x") == {"a": "\ufffd", "b\ufffd": 1}

    def test_takes_the_last_of_duplicate_keys_and_says_so(self) -> None:
        warnings: list[str] = []
        text = '{"hidden_size": 1, "hidden_size": 2, "inner": {"k": 1, "k": 2, "one": 1}}'
        assert parse_config(text, source="x", warnings=warnings) == {"hidden_size": 2, "inner": {"k": 2, "one": 1}}
        assert warnings == ["holds keys twice (hidden_size, k): the last one counts"]

    def test_says_nothing_of_a_clean_text(self) -> None:
        warnings: list[str] = []
        parse_config('{"a": [1, {"b": 2}]}', source="x", warnings=warnings)
        assert warnings == []

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("[]", "a list"),
            ('"x"', "a string"),
            ("3", "a number"),
            ("NaN", "a number"),
            ("null", "null"),
            ("true", "true or false"),
        ],
    )
    def test_refuses_what_is_no_object(self, text: str, found: str) -> None:
        assert refuse(text) == f"holds {found} where a JSON object is needed"

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "is empty"),
            (b" \n\t", "is empty"),
            (b"\xff\xff{", "is not text"),
            (b'{"a": "\xff"}', "is not text"),
            ("{'a': 1}", "is not JSON"),
            ('{"a": 1, // note\n}', "is not JSON"),
            ("<html></html>", "is not JSON"),
            ('{"n": ' + "9" * 5000 + "}", "holds an integer of thousands of digits"),
            ('{"a": ' + "[" * 100_000, "is nested deeper"),
            ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "is nested deeper"),
            ('{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "is nested deeper"),
            (b" " * (MAX_BYTES + 1), "is larger than 5 MB"),
        ],
    )
    def test_refuses_with_a_reason(self, data: bytes | str, said: str) -> None:
        assert refuse(data).startswith(said)

    def test_names_line_and_column(self) -> None:
        assert refuse('{"a": 1,\n "b" 2}').endswith("(line 2, column 6)")

    def test_takes_as_many_levels_as_it_says(self) -> None:
        inner = MAX_DEPTH - 1
        assert parse_config('{"a": ' + "[" * inner + "]" * inner + "}", source="x")

    def test_does_not_count_brackets_within_strings_as_levels(self) -> None:
        assert parse_config(json.dumps({"chat_template": "{[" * 500}), source="x")

    @given(st.binary(max_size=200) | st.text(max_size=200))
    def test_never_fails_otherwise(self, data: bytes | str) -> None:
        try:
            parsed = parse_config(data, source="x")
        except BadInput:
            return
        assert isinstance(parsed, dict)


class TestCanonical:
    def test_sorts_keys_and_leaves_out_spaces(self) -> None:
        assert canonical_json({"b": [1, 2.5], "a": {"é": None}}) == '{"a":{"é":null},"b":[1,2.5]}'

    def test_writes_infinity_and_nan_so_that_strict_readers_read_them(self) -> None:
        text = canonical_json({"a": [math.inf, -math.inf], "b": (math.nan,)})
        assert text == '{"a":[{"__float__":"Infinity"},{"__float__":"-Infinity"}],"b":[{"__float__":"NaN"}]}'

    def test_hashes_both_spellings_of_infinity_alike(self) -> None:
        bare = parse_config('{"limit": Infinity}', source="x")
        spelled = parse_config('{"limit": {"__float__": "Infinity"}}', source="x")
        assert config_sha256(bare) == config_sha256(spelled)

    def test_lets_no_surrogate_and_no_nul_through(self) -> None:
        assert canonical_json({"\ud800": "a\x00b"}) == '{"\ufffd":"a\ufffdb"}'

    def test_leaves_an_escaped_backslash_before_u0000_alone(self) -> None:
        config = {"note": "\\u0000"}
        assert json.loads(canonical_json(config)) == config

    @pytest.mark.parametrize("value", [{1, 2}, [math.inf, {1, 2}]])
    def test_refuses_what_json_has_no_form_for(self, value: Any) -> None:
        with pytest.raises(BadInput, match="cannot be written as JSON"):
            canonical_json({"a": value})

    def test_refuses_a_loop(self) -> None:
        loop: dict[str, Any] = {}
        loop["again"] = loop
        with pytest.raises(BadInput, match="cannot be written as JSON"):
            canonical_json(loop)

    def test_gives_the_known_hash(self) -> None:
        assert config_sha256({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    @given(OBJECTS)
    def test_is_a_fixed_point(self, config: dict[str, Any]) -> None:
        text = canonical_json(config)
        assert canonical_json(parse_config(text, source="x")) == text

    @given(OBJECTS, st.randoms())
    def test_hash_ignores_the_order_of_keys(self, config: dict[str, Any], random: Any) -> None:
        keys = list(config)
        random.shuffle(keys)
        assert config_sha256({key: config[key] for key in keys}) == config_sha256(config)

    @given(OBJECTS)
    def test_is_strict_storable_json(self, config: dict[str, Any]) -> None:
        text = canonical_json(config)

        def refuse_constant(name: str) -> None:
            raise AssertionError(name)

        value = json.loads(text, parse_constant=refuse_constant)
        assert "\x00" not in "".join(_list_strings(value))
        text.encode("utf-8")


def _list_strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in [key, *_list_strings(inner)]]
    return [text for inner in value for text in _list_strings(inner)] if isinstance(value, list) else []
