"""Values that break readers and databases: each is stored so that every JSON reader has it back, or refused by name."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.records import make_config, make_record
from zoo.config_text import MAX_BYTES, parse_config
from zoo.db.check import check_database
from zoo.db.rows import read_config
from zoo.db.store import DatabaseStore
from zoo.errors import BadInput
from zoo.sources.record import HubFacts

BASE = json.dumps(make_config())


def make_text(members: str) -> bytes:
    """A whole config with ``members`` added, as its file holds them."""
    return f"{BASE[:-1]}, {members}}}".encode("utf-8", "surrogatepass")


def read_back(engine: Engine) -> Any:
    """The stored config, after every reader has taken it."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL jit = off"))  # compiling takes longer than asking
        stored = connection.execute(text("SELECT config FROM models")).scalar_one()
        connection.execute(text("SELECT COUNT(*) FROM config_values WHERE value IS NOT NULL")).scalar_one()
        if engine.dialect.name == "postgresql":
            kinds = connection.execute(text("SELECT jsonb_typeof(CAST(config AS jsonb)) FROM models")).scalar_one()
            assert kinds == "object"
        else:
            assert connection.execute(text("SELECT json_valid(config) FROM models")).scalar_one() == 1
    stored.encode("utf-8")
    json.loads(stored, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return read_config(stored)


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ('"x": "\\ud800"', "\ufffd"),
        ('"x": "\ud800"', "\ufffd"),
        ('"x": "a\\u0000b"', "a\ufffdb"),
        ('"x": "\\ud83d\\ude00"', "\U0001f600"),
        ('"x": 9223372036854775808', 2**63),
        ('"x": -99999999999999999999999999', -99999999999999999999999999),
        (f'"x": {"9" * 4000}', int("9" * 4000)),
        ('"x": Infinity', math.inf),
        ('"x": [0.0, -Infinity]', [0.0, -math.inf]),
        ('"x": {"__float__": "Infinity"}', math.inf),
        ('"x": 1e400', math.inf),
        ('"x": 1e-400', 0.0),
        ('"x": -0.0', -0.0),
        (f'"x": "{"y" * 1_000_000}"', "y" * 1_000_000),
        (f'"x": {"[" * 90}{"]" * 90}', json.loads("[" * 90 + "]" * 90)),
        ('"x": {"": {"": null}}', {"": {"": None}}),
        ('"x": 1, "x": 2', 2),
        ('"x": "\\u202e\\u001b[2J"', "\u202e\x1b[2J"),
    ],
)
def test_a_value_is_read_back_as_it_was(store: DatabaseStore, engine: Engine, members: str, value: Any) -> None:
    store.save([make_record(config=parse_config(make_text(members), source="x"))])
    found = read_back(engine)
    assert found["x"] == value
    assert type(found["x"]) is type(value)


def test_what_is_no_number_is_read_back(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(config=parse_config(make_text('"x": NaN'), source="x"))])
    assert math.isnan(read_back(engine)["x"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_text(f'"x": {"9" * 5000}'), "an integer of thousands of digits"),
        (make_text(f'"x": {"[" * 200}{"]" * 200}'), "nested deeper than 100 levels"),
        (make_text(f'"x": {"[" * 100_000}{"]" * 100_000}'), "nested deeper than 100 levels"),
        (make_text(f'"x": "{"y" * MAX_BYTES}"'), "larger than 5 MB"),
        (b"[1, 2]", "a list where a JSON object is needed"),
        (b'"text"', "a string where a JSON object is needed"),
        (b"\xff\xfe\x00", "is not"),
        (b"", "is empty"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        parse_config(data, source="x")


def test_every_key_with_every_kind_of_value_gives_a_row(store: DatabaseStore, engine: Engine, url: str) -> None:
    odd: tuple[Any, ...] = (None, True, -1, 0, 2**70, 1.5, math.inf, math.nan, "", "\ud800\0", [], [None], {}, {"a": 1})
    keys = list(make_config())
    records = [
        make_record(f"a/m{number}-{at}", config=make_config(**{key: value}))
        for number, key in enumerate(keys)
        for at, value in enumerate(odd)
    ]
    assert store.save(records).new == len(keys) * len(odd)
    assert all(finding.ok for finding in check_database(url))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT COUNT(*), COUNT(method) FROM models")).one()
    assert tuple(rows) == (len(records), len(records))


def test_facts_that_no_column_holds_are_cleaned(store: DatabaseStore, engine: Engine) -> None:
    evil = "x\x00\ud800y"
    facts = HubFacts(
        hub_id=evil, downloads=2**63, likes=-(2**63) - 1, license=evil, gated=evil, tags=(evil,), base_model=(evil,),
        pipeline_tag=evil, library=evil, reported_params=2**64, reported_by_dtype={evil: 2**70},
    )  # fmt: skip
    record = make_record("a/b", facts=facts, origin=evil)
    assert store.save([record]).new == 1
    assert store.save([record]).unchanged == 1
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT license, base_model, downloads, likes, reported_params FROM models")
        ).one()
    assert tuple(row) == ("x\ufffd\ufffdy", "x\ufffd\ufffdy", None, None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_json_is_stored_and_read_back_the_same(engine: Engine, url: str, value: Any) -> None:
    config = parse_config(json.dumps({"model_type": "x", "y": value}), source="x")
    with_store = DatabaseStore(engine)
    with_store.save([make_record(config=config)])
    with_store.close()
    assert repr(read_back(engine)["y"]) == repr(sort_keys(config)["y"])


def sort_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sort_keys(inner) for key, inner in sorted(value.items())}
    return [sort_keys(inner) for inner in value] if isinstance(value, list) else value
