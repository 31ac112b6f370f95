"""``zoo changes``: what changed in the zoo, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tests.cli.calling as calling
from tests.cli.calling import Call, call
from tests.db.conftest import Clock
from tests.records import make_config, make_problem, make_record
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.record import HubFacts, ModelRecord

__all__ = ["call"]

Save = Callable[..., None]


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "COMMANDS", ("history", "changes", "diff"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def save_day(tmp_path: Path, clock: Clock) -> Save:
    """Saves records as of ``clock``, whose time then goes on by a day; the first day is 1 March 2026."""

    def save(*records: ModelRecord) -> None:
        engine = open_engine(str(tmp_path / "zoo.sqlite"), write=True)
        DatabaseStore(engine, clock=clock).save(list(records))
        engine.dispose()
        clock.pass_days(1)

    return save


def make(repo_id: str, context: int, **changes: Any) -> ModelRecord:
    return make_record(repo_id, config=make_config(max_position_embeddings=context), **changes)


@pytest.fixture
def zoo(save_day: Save) -> None:
    """A few days in the life of three models."""
    facts = HubFacts(hub_id="01", downloads=10)
    save_day(make("a/one", 8192, facts=facts), make("b/two", 512))
    save_day(make("a/one", 32768, sha="b" * 40, facts=facts), make_record("c/three", source="folder", sha=None))
    save_day(make("a/First", 32768, sha="b" * 40, facts=facts), make_problem("gone", "b/two"))


def test_changes_are_told_in_words_the_newest_first(call: Call, zoo: None) -> None:
    found = call("changes", "--since", "2026-03-01")
    assert found.code == 0
    assert found.out.splitlines() == [
        "since 2026-03-01T00:00:00Z: 1 config, 1 gone, 3 new, 1 renamed",
        "2026-03-03 12:00:05  b/two: gone from the Hub; what was known of it is kept",
        "2026-03-03 12:00:05  a/First: renamed: a/one → a/First",
        "2026-03-02 12:00:05  a/First: context 8k → 32k tokens (× 4)",
        "2026-03-02 12:00:05  c/three: new: Llama, 95.0 k parameters",
        "2026-03-01 12:00:05  b/two: new: Llama, 95.0 k parameters",
        "2026-03-01 12:00:05  a/First: new: Llama, 95.0 k parameters",
    ]


def test_a_day_is_included_and_a_moment_is_not(call: Call, zoo: None) -> None:
    words = ("changes", "--since", "2026-03-02", "--json")
    assert call(*words, "--until", "2026-03-02").document["counts"] == {"config": 1, "new": 1}
    assert call(*words, "--until", "2026-03-03T12:00:05").document["counts"] == {"config": 1, "new": 1}
    assert call(*words, "--until", "2026-03-03").document["total"] == 4


def test_the_json_says_what_was_asked_and_each_change(call: Call, zoo: None) -> None:
    document = call("changes", "--since", "2026-03-02", "--until", "2026-03-02", "--author", "A", "--json").document
    change = document["changes"][0]
    assert [len(change.pop(key)) for key in ("before", "after")] == [64, 64]
    assert document == {
        "since": "2026-03-02T00:00:00Z",
        "until": "2026-03-03T00:00:00Z",
        "counts": {"config": 1},
        "total": 1,
        "changes": [
            {
                "repo_id": "a/First",
                "at": "2026-03-02T12:00:05Z",
                "kind": "config",
                "sha": "b" * 40,
                "words": ["context 8k → 32k tokens (× 4)"],
            }
        ],
    }


def test_models_can_be_chosen(call: Call, zoo: None) -> None:
    document = call("changes", "--since", "2026-01-01", "--models", "two,c/*", "--json").document
    assert {change["repo_id"] for change in document["changes"]} == {"b/two", "c/three"}
    unknown = call("changes", "--models", "nonesuch")
    assert unknown.code == 1
    assert "nonesuch" in unknown.err


def test_no_more_than_the_limit_is_shown_and_that_is_said(call: Call, zoo: None) -> None:
    found = call("changes", "--since", "2026-01-01", "--limit", "2")
    assert len(found.out.splitlines()) == 3
    assert "2 of 6 changes (--limit shows more)" in found.err
    assert "3 new" in found.out.splitlines()[0]


def test_nothing_that_changed_is_said(call: Call, zoo: None) -> None:
    found = call("changes", "--since", "2026-03-10", "--until", "2026-03-11")
    assert found.out == "nothing changed since 2026-03-10T00:00:00Z and before 2026-03-12T00:00:00Z\n"
    assert found.code == 0
    assert call("changes", "--since", "2026-03-10", "--json").document["changes"] == []


def test_spans_count_back_from_now(call: Call, save_day: Save, clock: Clock) -> None:
    clock.now = datetime.now(UTC) - timedelta(days=3)
    save_day(make("a/one", 512))
    assert call("changes", "--json").document["total"] == 1
    assert call("changes", "--since", "4d", "--json").document["total"] == 1
    assert call("changes", "--since", "2 days ago", "--json").document["total"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "'soon' is no moment"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), "--until 2026-03-01 is not after --since 2026-03-02"),
    ],
)
def test_dates_that_are_none_are_refused(call: Call, zoo: None, words: tuple[str, ...], said: str) -> None:
    found = call("changes", *words)
    assert found.code == 2
    assert said in found.err


def test_hostile_names_cannot_steer_the_terminal(call: Call, save_day: Save) -> None:
    config = make_config(**{"evil\x1b[2J": "\x1b]0;x\x07"})
    save_day(make("a/one", 512))
    save_day(make_record("a/one", config=config, sha="b" * 40))
    found = call("changes", "--since", "2026-01-01")
    assert "\x1b" not in found.out
    assert "\x1b" not in call("history", "a/one").out


def test_thousands_of_models_may_be_named(call: Call, save_day: Save) -> None:
    save_day(*(make_record(f"a/m{number}") for number in range(2500)))
    assert call("changes", "--since", "2026-01-01", "--models", "a/*", "--json").document["counts"] == {"new": 2500}
