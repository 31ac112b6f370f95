"""What became of a model, in words, also where not all of it is known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.records import make_config
from zoo.db.history import EventRow
from zoo.explain.changes import say_config, say_event
from zoo.metrics import analysis


def make_event(kind: str, before: str | None = None, after: str | None = None) -> EventRow:
    return EventRow("a/b", "2026-03-01T12:00:05Z", kind, before, after, None)


def test_a_longer_context_is_said_as_people_say_it() -> None:
    before, after = (make_config(max_position_embeddings=length) for length in (8192, 32768))
    assert say_config(before, after) == ["context 8k → 32k tokens (× 4)"]


def test_a_config_that_is_not_at_hand_is_said_to_be_unknown() -> None:
    assert say_config(make_config(), None) == ["its config is no longer known"]
    assert say_event(make_event("config", "x", "y"), {}) == ["its config is no longer known"]


def test_a_failure_of_the_analyzer_stops_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(analysis, "analyze", fail)
    assert say_config(None, make_config()) == ["its config can be read: llama, unsupported"]
    assert say_config(make_config(), make_config(vocab_size=7)) == ["vocab_size: 100 → 7"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (make_event("new"), "new"),
        (make_event("problem", None, "a kind of tomorrow"), "a kind of tomorrow"),
        (make_event("color", "red", "blue"), "color: red → blue"),
        (make_event("disabled", "True", None), "no longer disabled by the Hub"),
    ],
)
def test_what_a_newer_zoo_may_have_noted_is_told_as_it_is(event: EventRow, said: str) -> None:
    assert say_event(event, {}) == [said]
