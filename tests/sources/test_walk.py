"""How far a walk over all models has come: only as far as everything before it is saved."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from zoo.sources.walk import Walk, WalkState, begin_walk, read_walk

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def start() -> tuple[Walk, list[WalkState]]:
    kept: list[WalkState] = []
    return Walk(WalkState("https://hub", BEGAN), kept.append), kept


def test_a_page_counts_when_its_end_was_listed_and_all_of_it_is_saved() -> None:
    walk, kept = start()
    walk.note_listed(1, "a")
    walk.note_listed(1, "b")
    walk.note_saved(["a"])
    walk.note_page(1, "/api/models?cursor=2", 2)
    assert kept == []
    walk.note_saved(["b"])
    assert [(state.next, state.listed) for state in kept] == [("/api/models?cursor=2", 2)]


def test_pages_count_in_their_order() -> None:
    walk, kept = start()
    walk.note_listed(1, "a")
    walk.note_page(1, "/2", 1)
    walk.note_listed(2, "b")
    walk.note_page(2, "/3", 1)
    walk.note_saved(["b"])
    assert kept == []
    walk.note_saved(["a"])
    assert [(state.next, state.listed) for state in kept] == [("/3", 2)]
    walk.note_page(3, None, 0)
    assert walk.ended
    assert kept[-1].ended is not None
    assert (kept[-1].next, kept[-1].listed, kept[-1].began) == (None, 2, BEGAN)


def test_a_model_that_two_pages_list_is_saved_once() -> None:
    walk, _ = start()
    walk.note_listed(1, "a")
    walk.note_page(1, "/2", 1)
    walk.note_listed(2, "a")
    walk.note_saved(["a"])
    walk.note_page(2, None, 1)
    assert walk.ended


def test_a_restart_begins_anew() -> None:
    walk, _ = start()
    walk.note_page(1, "/2", 5)
    walk.restart()
    assert (walk.state.next, walk.state.listed, walk.state.endpoint) == (None, 0, "https://hub")
    assert walk.state.began > BEGAN


def test_a_state_is_read_as_it_was_written() -> None:
    for state in (
        WalkState("https://hub", BEGAN, full=True, next="/api/models?x=1", listed=7),
        WalkState("https://hub", BEGAN, ended=BEGAN),
    ):
        assert read_walk(state.to_json()) == state


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "7", '{"began": 5}', json.dumps({"began": BEGAN.isoformat(), "next": "https://x"})]
)
def test_anything_else_is_no_state(text: str | None) -> None:
    assert read_walk(text) is None


def test_only_the_same_walk_is_gone_on_with() -> None:
    last = WalkState("https://hub", BEGAN, next="/2", listed=5)
    assert begin_walk(last, "https://hub", full=False) is last
    for other in (
        begin_walk(last, "https://mirror", full=False),
        begin_walk(last, "https://hub", full=True),
        begin_walk(WalkState("https://hub", BEGAN, ended=BEGAN), "https://hub", full=False),
        begin_walk(None, "https://hub", full=False),
    ):
        assert (other.next, other.listed) == (None, 0)
        assert other.began > BEGAN
