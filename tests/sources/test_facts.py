"""Facts from items of the Hub's listing, however odd."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.sources.facts import EXPAND, is_iso_date, list_files, parse_time, read_facts
from zoo.sources.hub_answers import read_item
from zoo.sources.record import HubFacts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    *EXPAND,
    "_id",
    "id",
    "cardData",
    "license",
    "base_model",
    "reported_params",
    "reported_by_dtype",
    "created_at",
]


def test_reads_the_names_of_the_hub_and_its_own() -> None:
    hub = read_facts(
        {"_id": "x", "library_name": "l", "createdAt": "2024-01-01", "lastModified": "2024-02-01T00:00:00Z"}
    )
    own = read_facts({"hub_id": "x", "library": "l", "created_at": "2024-01-01", "last_modified": "2024-02-01"})
    assert hub == own
    assert hub.created_at == datetime(2024, 1, 1, tzinfo=UTC)


def test_an_empty_item_says_nothing() -> None:
    assert read_facts({}) == HubFacts()


@pytest.mark.parametrize(
    ("item", "license", "bases"),
    [
        ({"tags": ["license:mit", "base_model:a/b"]}, "mit", ("a/b",)),
        ({"tags": ["license:mit"], "cardData": {"license": "gemma", "base_model": "a/c"}}, "gemma", ("a/c",)),
        ({"cardData": {"license": ["mit", "x"], "base_model": ["a/b", "a/b", "c/d", 5]}}, "mit", ("a/b", "c/d")),
        ({"license": "apache-2.0", "base_model": ["a/b"]}, "apache-2.0", ("a/b",)),
        ({"cardData": {"license": [], "base_model": {}}}, None, ()),
        ({"cardData": "odd", "tags": "odd"}, None, ()),
    ],
)
def test_license_and_base_model(item: dict[str, Any], license: str | None, bases: tuple[str, ...]) -> None:
    facts = read_facts(item)
    assert (facts.license, facts.base_model) == (license, bases)


@pytest.mark.parametrize(
    ("item", "total", "by_dtype"),
    [
        ({"safetensors": {"total": 5, "parameters": {"BF16": 5}}}, 5, {"BF16": 5}),
        ({"reported_params": 6, "reported_by_dtype": {"F32": 6}}, 6, {"F32": 6}),
        ({"safetensors": {"total": "5", "parameters": {"BF16": None, "": 3, "I8": 2**63}}}, None, {}),
        ({"safetensors": {"total": True, "parameters": [1]}}, None, {}),
    ],
)
def test_reported_parameters(item: dict[str, Any], total: int | None, by_dtype: dict[str, int]) -> None:
    facts = read_facts(item)
    assert (facts.reported_params, facts.reported_by_dtype) == (total, by_dtype)


@pytest.mark.parametrize(("value", "gated"), [("auto", "auto"), ("manual", "manual"), (False, None), ("x", None)])
def test_gated(value: object, gated: str | None) -> None:
    assert read_facts({"gated": value}).gated == gated


@pytest.mark.parametrize(
    "value", ["yesterday", None, 5, "0001-01-01T00:00:00+23:00", "2024-13-01", "2024-01-01T25:00:00Z"]
)
def test_an_odd_time_is_not_said(value: object) -> None:
    assert parse_time(value) is None


def test_a_time_is_given_in_utc() -> None:
    assert parse_time("2024-01-01T01:00:00+01:00") == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "is_date"), [("2024-02-29", True), ("2023-02-29", False), ("20240101", False), (5, False)]
)
def test_days(value: object, is_date: bool) -> None:
    assert is_iso_date(value) is is_date


def test_files_are_those_that_are_named() -> None:
    assert list_files({"siblings": [{"rfilename": "a"}, {"rfilename": "b"}]}) == {"a", "b"}
    for odd in ({"rfilename": 5}, {}, "b"):  # there may be more than is said
        assert list_files({"siblings": [{"rfilename": "a"}, odd]}) is None
    assert list_files({"siblings": None}) is None


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8) | JSON)
def test_no_item_is_a_crash(item: Any) -> None:
    listed = read_item(item)
    if isinstance(item, dict):
        facts = read_facts(item)
        assert listed is None or listed.facts == facts
        texts = [facts.license, facts.pipeline_tag, facts.library, facts.hub_id, *facts.tags, *facts.base_model]
        assert not any("\x00" in text for text in texts if text is not None)
