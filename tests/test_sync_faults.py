"""Whatever breaks on the way from the Hub, the database ends as it would have without it, or says what is missing."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.hub_server import HubServer
from tests.hub_wire import Fault
from tests.sync_fixtures import Synced, hub, synced, template
from zoo.errors import HubError
from zoo.sync import check_outcome

__all__ = ["hub", "synced", "template"]

FAULTS: list[tuple[str, Any]] = [
    ("reset", None),
    ("truncate", None),
    ("short", None),
    ("long", None),
    ("silence", None),
    ("drip", None),
    ("html", None),
    ("body", b'{"model_type": "llama", "hid'),
    *(("status", code) for code in (408, 500, 502, 503, 504)),
]
NAMES = [fault[0] if fault[1] is None else f"{fault[0]}-{str(fault[1])[:5]}" for fault in FAULTS]
CONFIG = {"model_type": "llama", "hidden_size": 64, "pad": "x" * 300}


def fill(hub: HubServer, models: int) -> None:
    for number in range(models):
        created = f"2024-01-{number % 28 + 1:02}T00:00:00.000Z"
        if number % 10 == 1:
            hub.add(f"org/m{number:04}", files={"q4.gguf": b"x"}, createdAt=created)
        else:
            hub.add(f"org/m{number:04}", {**CONFIG, "num_hidden_layers": number % 5 + 1}, createdAt=created)


def bring_calmly(synced: Synced) -> list[tuple[Any, ...]]:
    """The state that a sync with no faults comes to, the database being empty again afterwards."""
    synced.sync()
    calm = synced.state()
    synced.path.unlink()
    synced.hub.forget()
    return calm


def act_after(synced: Synced, number: int, act: Callable[[], Fault | None], times: int = 1) -> None:
    """Call ``act`` for the request after ``number`` others, and for the ``times - 1`` that follow."""
    numbers = count()

    def throw(path: str) -> Fault | None:
        return act() if number <= next(numbers) < number + times else None

    synced.hub.chaos = throw


class TestOneModel:
    @pytest.mark.parametrize(("kind", "value"), FAULTS, ids=NAMES)
    def test_a_fault_that_passes_leaves_no_trace(self, synced: Synced, kind: str, value: Any) -> None:
        fill(synced.hub, 12)
        calm = bring_calmly(synced)
        synced.hub.break_next("m0003/.*config.json", kind, times=2, value=value)
        summary = synced.sync()
        assert (summary.new, summary.by_kind) == (10, {"no_config": 2})
        assert synced.state() == calm
        assert synced.query("SELECT repo_id FROM sync_error WHERE kind <> 'no_config'") == []
        assert synced.hub.count("m0003/.*config.json") == 3

    @pytest.mark.parametrize(("kind", "value"), FAULTS, ids=NAMES)
    def test_a_fault_that_stays_is_recorded_and_can_be_retried(self, synced: Synced, kind: str, value: Any) -> None:
        fill(synced.hub, 12)
        calm = bring_calmly(synced)
        synced.hub.break_next("m0003/", kind, times=999, value=value)
        summary = synced.sync()
        check_outcome(summary)  # one model is no reason to fail
        assert (summary.new, summary.by_kind) == (9, {"no_config": 2, "failed": 1})
        assert synced.state_without("org/m0003") == [row for row in calm if row[0] != "org/m0003"]
        ((repo_id, message),) = synced.query("SELECT repo_id, message FROM sync_errors WHERE kind = 'failed'")
        assert repo_id == "org/m0003"
        assert message.endswith("(asked 3 times)")
        assert summary.notes == ["1 failed: zoo sync --retry-failed asks for them again"]
        synced.hub.heal()
        synced.hub.requests.clear()
        assert synced.sync(retry_failed=True).usable == 1
        assert {request.path for request in synced.hub.requests if "m0003" not in request.path} == set()
        assert synced.state() == calm
        synced.check()

    def test_nothing_to_retry_is_said(self, synced: Synced) -> None:
        assert synced.sync(retry_failed=True).notes == ["no model failed the last time: nothing to try again"]
        assert synced.hub.requests == []

    def test_a_damaged_config_that_is_still_json_is_not_taken(self, synced: Synced) -> None:
        """Once the Hub's ETags are known to be hashes, a body has to match its own."""
        fill(synced.hub, 12)
        calm = bring_calmly(synced)
        synced.sync("org/m0000")
        synced.hub.break_next("m0003/.*config.json", "body", times=1, value=b'{"error": "try later"}')
        synced.hub.break_next("m0004/.*config.json", "body", times=999, value=b'{"odd": "but always the same"}')
        synced.sync(jobs=1)
        assert synced.state_without("org/m0004") == [row for row in calm if row[0] != "org/m0004"]
        assert synced.query("SELECT json(config) FROM models WHERE repo_id = 'org/m0004'") == [
            ('{"odd":"but always the same"}',)
        ]


class TestStorms:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_every_fourth_answer_broken_ends_as_a_calm_run(self, synced: Synced, seed: int) -> None:
        fill(synced.hub, 150)
        calm = bring_calmly(synced)
        dice = random.Random(seed)
        kinds = [each for each in FAULTS if each[0] not in {"drip", "silence"}]

        def throw(path: str) -> Fault | None:
            kind, value = dice.choice(kinds)
            return Fault(re.compile(""), kind, 1, value) if dice.random() < 0.25 else None

        synced.hub.chaos = throw
        for _ in range(20):
            summary = synced.sync()
            if summary.broken_off is None:
                break
        while summary.by_kind["failed"]:
            summary = synced.sync(retry_failed=True)
        assert synced.state() == calm
        synced.check()

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_storm_of_errors_that_ends_costs_no_model(self, synced: Synced, status: int) -> None:
        fill(synced.hub, 60)
        calm = bring_calmly(synced)
        synced.patience |= {"attempts": 6, "backoff": 0.2}
        act_after(synced, 20, lambda: Fault(re.compile(""), "status", 1, status), times=15)
        assert synced.sync(jobs=8).broken_off is None
        assert synced.state() == calm

    def test_a_hub_that_is_away_for_a_moment_costs_no_model(self, synced: Synced) -> None:
        fill(synced.hub, 60)
        calm = bring_calmly(synced)

        def go_away() -> None:
            synced.hub.is_dead = True
            threading.Timer(0.7, lambda: setattr(synced.hub, "is_dead", False)).start()

        synced.patience |= {"attempts": 6, "backoff": 0.2}
        act_after(synced, 20, go_away)
        assert synced.sync(jobs=4).broken_off is None
        assert synced.state() == calm

    def test_a_hub_that_stays_away_ends_the_run_and_what_came_is_kept(self, synced: Synced) -> None:
        fill(synced.hub, 200)
        calm = bring_calmly(synced)
        act_after(synced, 60, lambda: setattr(synced.hub, "is_dead", True))
        began = time.monotonic()
        summary = synced.sync(jobs=4)
        assert time.monotonic() - began < 15
        assert summary.broken_off is not None
        assert "is there no longer" in summary.broken_off
        with pytest.raises(HubError, match="sync again"):
            check_outcome(summary)
        kept = synced.state()
        assert 0 < summary.new == len([row for row in kept if row[3]]) < 180
        synced.check()
        synced.hub.is_dead = False
        synced.hub.requests.clear()
        assert synced.sync().broken_off is None
        assert synced.state() == calm
        asked = {request.path for request in synced.hub.requests}
        assert not [row for row in kept if row[3] and any(f"/{row[0]}/" in path for path in asked)]

    def test_a_hub_that_falls_silent_ends_the_run(self, synced: Synced) -> None:
        fill(synced.hub, 60)
        act_after(synced, 20, lambda: Fault(re.compile(""), "silence", 1), times=9999)
        summary = synced.sync(jobs=2)
        assert summary.broken_off is not None
        assert "no answer in time" in summary.broken_off
        assert summary.new > 0

    def test_a_connection_that_fails_takes_no_other_with_it(self, synced: Synced) -> None:
        """31 slow answers are under way while one connection after the other is reset: all of them arrive."""
        fill(synced.hub, 40)
        synced.hub.latency = 0.2
        synced.hub.break_next("m0003/.*config.json", "reset", times=3)
        summary = synced.sync(jobs=32)
        assert summary.by_kind == {"no_config": 4, "failed": 1}
        assert synced.hub.count("config.json") == 35 + 3


class TestFirstContact:
    @pytest.mark.parametrize("kind", ["reset", "silence", "html", "truncate"])
    def test_a_first_answer_that_breaks_is_no_reason_to_give_up(self, synced: Synced, kind: str) -> None:
        fill(synced.hub, 5)
        synced.hub.break_next("^/api/models$", kind, times=1)
        assert synced.sync(source="auto").source == "hub"
        assert len(synced.state()) == 5

    def test_three_errors_at_the_start_are_none_either(self, synced: Synced) -> None:
        fill(synced.hub, 5)
        synced.hub.break_next("", "status", times=3, value=503)
        assert synced.sync(source="auto").source == "hub"

    def test_a_walk_that_has_begun_is_not_filled_up_with_the_snapshot(self, synced: Synced) -> None:
        fill(synced.hub, 5)
        synced.sync()
        before = synced.state()
        synced.hub.is_dead = True
        with pytest.raises(HubError, match="cannot be reached"):
            synced.sync(source="auto")
        assert synced.state() == before


class TestRateLimit:
    def test_the_window_is_waited_for_and_nothing_is_lost(self, synced: Synced) -> None:
        fill(synced.hub, 40)
        calm = bring_calmly(synced)
        synced.hub.quota["resolvers"], synced.hub.window = 20, 2.0
        synced.sync(budget=1.0)
        assert synced.state() == calm
        assert synced.hub.refused == 0

    def test_the_progress_line_says_how_long_it_will_take(self, synced: Synced) -> None:
        fill(synced.hub, 40)
        synced.sync()
        synced.hub.forget()
        synced.hub.quota["resolvers"], synced.hub.window = 20, 2.0
        seen: list[str] = []
        threading.Timer(1.2, lambda: seen.append(synced.progress.describe())).start()
        synced.sync(full=True, budget=1.0)
        pattern = r"2\d of about 40 models, 2\d configs fetched, about \d s left, waiting \d s for the Hub's rate limit"
        assert re.fullmatch(pattern, seen[0])

    def test_the_share_of_others_is_left_to_them(self, synced: Synced) -> None:
        fill(synced.hub, 30)
        synced.hub.quota["resolvers"], synced.hub.window = 20, 1.5
        synced.sync(budget=0.5)
        assert synced.hub.refused == 0
        assert 0 < max(synced.hub.used_by_window) <= 10

    def test_what_is_refused_all_the_same_is_asked_again_in_the_next_window(self, synced: Synced) -> None:
        """Another program of the same person uses the window up; the headers of what is in flight come too late."""
        fill(synced.hub, 40)
        calm = bring_calmly(synced)
        synced.hub.quota["resolvers"], synced.hub.window = 1000, 1.0
        act_after(synced, 12, lambda: synced.hub.use_up("resolvers"))
        summary = synced.sync(jobs=8, budget=1.0)
        assert summary.by_kind == {"no_config": 4}
        assert synced.state() == calm
        assert synced.hub.refused > 0
