"""A walk over all models: how many requests it makes, and that it goes on where it was, whatever stopped it."""

from __future__ import annotations

import json
import re
import signal
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import pytest

import zoo.sync
from benchmarks.listing import ListingServer
from tests.hub_server import HubServer
from tests.hub_wire import Fault
from tests.sync_fixtures import Synced, hub, synced, template, wait_for
from tests.test_sync import Counts, MemoryStore
from zoo.sources.facts import EXPAND
from zoo.sources.hub import Crawl, fetch_models
from zoo.sources.hub_progress import HUB_MODELS
from zoo.sources.hub_settings import HubSettings
from zoo.sources.record import ModelRecord
from zoo.sources.selection import Selection
from zoo.sources.walk import Walk, WalkState
from zoo.sync import Summary, sync
from zoo.sync_plan import SyncRequest, _begin_walk

__all__ = ["hub", "synced", "template"]

CONFIG = {"model_type": "llama", "hidden_size": 64}


def fill(hub: HubServer, models: int, *, every: int = 10) -> None:
    """Models of which one of ``every`` has a config."""
    for number in range(models):
        created = f"2024-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
        config = {**CONFIG, "num_hidden_layers": number % 7 + 1} if number % every == 0 else None
        hub.add(f"org/m{number:05}", config, files={"q4.gguf": b"x"}, createdAt=created)


def list_fetched(hub: HubServer) -> list[str]:
    """Ids of the configs that were asked for, redirects left out."""
    found = (re.search(r"(org/m\d+)/.*config\.json$", request.path) for request in hub.requests)
    return [each[1] for each in found if each]


@pytest.fixture(autouse=True)
def _be_patient(synced: Synced) -> None:
    """Requests are counted here: on a slow machine, none may be asked again for lack of patience."""
    synced.patience = {"backoff": 0.02, "max_backoff": 0.2}


class TestRequests:
    def test_a_walk_makes_one_request_a_page_and_one_a_changed_model(self, synced: Synced) -> None:
        synced.hub.largest_page = 400
        fill(synced.hub, 1000)
        assert synced.sync().new == 100
        assert len(synced.hub.requests) == 3 + 100
        synced.hub.requests.clear()
        for number in range(0, 200, 10):
            synced.hub.change(f"org/m{number:05}", {**CONFIG, "vocab_size": number + 1})
        summary = synced.sync()
        assert (summary.changed, summary.unchanged) == (20, 80)
        assert 20 + 3 <= len(synced.hub.requests) <= 1.02 * (3 + 20)
        synced.hub.requests.clear()
        assert synced.sync().unchanged == 100
        assert len(synced.hub.requests) == 3

    def test_pages_are_raw_with_exactly_the_fields_that_are_stored(self, synced: Synced) -> None:
        synced.hub.largest_page = 200
        fill(synced.hub, 300)
        synced.sync()
        first, second = (parse_qs(request.query) for request in synced.hub.requests if request.path == "/api/models")
        for asked in (first, second):
            assert asked["expand"] == list(EXPAND)
            assert (asked["limit"], asked["sort"]) == (["1000"], ["createdAt"])
        assert "cursor" in second

    def test_smaller_pages_and_relative_links_are_followed_as_well(self, synced: Synced) -> None:
        fill(synced.hub, 250)
        synced.hub.largest_page, synced.hub.links_to = 100, "-"
        assert synced.sync().new == 25
        assert synced.hub.count("^/api/models$") == 3

    def test_links_that_leave_out_what_was_asked_for_are_filled_up(self, synced: Synced) -> None:
        fill(synced.hub, 250)
        synced.hub.largest_page, synced.hub.links_hold = 100, {"cursor", "sort"}
        assert synced.sync().new == 25
        assert synced.query("SELECT count(*) FROM model WHERE sha IS NOT NULL") == [(25,)]
        pages = [parse_qs(request.query) for request in synced.hub.requests if request.path == "/api/models"]
        assert [asked["expand"] for asked in pages] == [list(EXPAND)] * 3

    def test_a_hub_that_tells_neither_limits_nor_tags_nor_commits_is_read(self, synced: Synced) -> None:
        fill(synced.hub, 30)
        synced.hub.quota.clear()
        synced.hub.hidden = {"ETag", "X-Repo-Commit"}
        assert synced.sync().new == 3
        assert len(synced.hub.requests) == 4

    @pytest.mark.parametrize(
        "odd",
        [
            b"7",
            b"null",
            b'"text"',
            b"{}",
            b'{"id": null}',
            b'{"id": "org/x", "safetensors": [], "siblings": [{}], "tags": 7}',
            b'{"id": "a/b/c"}',
            b'{"id": "org/x", "likes": ' + b"9" * 5000 + b"}",
            b'{"id": "org/x", "tags": ' + b"[" * 3000 + b"]" * 3000 + b"}",
            b'{"id": "org/\xff", "sha": "\\ud800"}',
        ],
        ids=lambda odd: str(odd[:24]),
    )
    def test_one_odd_item_never_kills_a_page(self, synced: Synced, odd: bytes) -> None:
        fill(synced.hub, 30)
        page = json.dumps([repo.describe() for repo in synced.hub.repos.values()]).encode()
        synced.hub.break_next("^/api/models$", "body", value=page[:1] + odd + b"," + page[1:])
        assert synced.sync().new == 3
        assert synced.query("SELECT count(*) FROM model WHERE repo_id LIKE 'org/m%'") == [(30,)]
        synced.check()


class TestGoingOn:
    def test_a_walk_that_broke_off_goes_on_at_its_cursor(self, synced: Synced) -> None:
        synced.hub.largest_page = 200
        fill(synced.hub, 700)
        refuse_from(synced.hub, 3)
        summary = synced.sync()
        assert summary.broken_off is not None
        assert (summary.new, summary.by_kind) == (40, {"no_config": 360})
        synced.hub.chaos = lambda target: None
        synced.hub.requests.clear()
        summary = synced.sync()
        assert (summary.new, summary.unchanged, summary.by_kind) == (30, 0, {"no_config": 270})
        assert summary.notes[0].startswith("went on after the 400 models of the sync that began ")
        assert "cursor" in synced.hub.requests[0].query
        assert synced.hub.count("^/api/models$") == 2
        synced.hub.requests.clear()
        assert synced.sync().unchanged == 70  # that one had ended: the next begins anew
        assert "cursor" not in synced.hub.requests[0].query

    @pytest.mark.parametrize("status", [400, 500])
    def test_a_cursor_that_the_hub_forgot_begins_the_walk_anew(self, synced: Synced, status: int) -> None:
        synced.hub.largest_page = 200
        fill(synced.hub, 500)
        refuse_from(synced.hub, 2)
        assert synced.sync().broken_off is not None
        begun: list[str] = []

        def is_old(target: str) -> bool:
            begun.extend([target] if "limit=1000" in target and "cursor=" not in target else [])
            return "cursor=" in target and not begun

        refuse(synced.hub, is_old, status)
        summary = synced.sync()
        assert "the Hub does not know the page at which the last sync stopped: begun anew" in summary.notes
        assert (summary.new, summary.unchanged, summary.broken_off) == (30, 20, None)

    def test_full_fetches_everything_again_and_an_interrupted_one_nothing_twice(self, synced: Synced) -> None:
        synced.hub.largest_page = 200
        fill(synced.hub, 220, every=2)
        synced.sync()
        time.sleep(1.1)  # the database keeps whole seconds
        synced.hub.requests.clear()
        refuse_from(synced.hub, 2)
        assert synced.sync(full=True).broken_off is not None
        first = list_fetched(synced.hub)
        synced.hub.chaos = lambda target: None
        synced.hub.requests.clear()
        assert synced.sync(full=True).broken_off is None
        second = list_fetched(synced.hub)
        assert len(first) == 100
        assert sorted(first + second) == [f"org/m{number:05}" for number in range(0, 220, 2)]


class TestKills:
    def test_a_killed_sync_goes_on_and_fetches_nothing_twice(self, synced: Synced) -> None:
        synced.hub.largest_page = 500
        fill(synced.hub, 1500, every=3)
        calm = read_calm(synced)
        synced.hub.latency = 0.05
        process = synced.start("--all", "--source", "hub", "--jobs", "4")
        wait_for(partial(has_committed, synced, 40))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        committed = set(list_committed(synced))
        assert 40 <= len(committed) < 500
        synced.check()
        synced.hub.latency = 0.0
        synced.hub.requests.clear()
        assert synced.sync().new == 500 - len(committed)
        assert not committed & set(list_fetched(synced.hub))
        assert synced.state() == calm
        synced.check()

    def test_an_interrupt_saves_what_had_come(self, synced: Synced) -> None:
        fill(synced.hub, 400, every=1)
        synced.hub.latency = 0.1
        process = synced.start("--all", "--source", "hub", "--jobs", "8")
        wait_for(lambda: len(list_fetched(synced.hub)) >= 100)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert 50 <= len(list_committed(synced)) < 400
        synced.check()


def test_memory_does_not_grow_with_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first 4,000 listed models and the last, what is held stays the same: 300 bytes each would be seen."""
    monkeypatch.setattr(zoo.sync, "BATCH", 1000)
    held: list[tuple[int, int]] = []

    class Store(MemoryStore):
        def save(self, records: Sequence[ModelRecord]) -> Counts:
            held.append((crawl.progress.done, tracemalloc.get_traced_memory()[0]))
            return Counts(problems=len(records))

    with ListingServer(10_000) as server:
        walk = Walk(WalkState(server.url, datetime.now(UTC)))
        summary, crawl = Summary("hub"), Crawl(walk=walk)
        tracemalloc.start()
        try:
            records = fetch_models(Selection(everything=True), HubSettings(server.url), crawl)
            sync(records, Store(), summary, note_saved=walk.note_saved)
        finally:
            tracemalloc.stop()
    assert summary.by_kind.total() == walk.state.listed == 10_000
    early = max(memory for done, memory in held if done <= 4_000)
    late = max(memory for done, memory in held if done > 4_000)
    assert late - early < 6_000 * 300


def test_a_first_walk_over_the_real_hub_expects_its_size() -> None:
    crawl = Crawl()
    walk = _begin_walk(SyncRequest("hub"), MemoryStore(), HubSettings("https://huggingface.co"), crawl)
    assert crawl.progress.describe() == f"0 of about {HUB_MODELS:,} models"
    assert not walk.resumed


def test_a_batch_that_is_not_full_is_saved_while_nothing_comes(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill loses two seconds of work at most, also where the Hub makes one wait."""
    monkeypatch.setattr(zoo.sync, "BATCH_SECONDS", 0.2)
    fill(synced.hub, 20, every=1)
    synced.hub.quota["resolvers"], synced.hub.window = 10, 2.0
    seen: list[int] = []

    def look(target: str) -> Any:
        seen.append(len(list_committed(synced)))

    synced.hub.chaos = look
    synced.sync(budget=1.0)
    assert seen[-1] >= 10


def refuse(hub: HubServer, test: Callable[[str], bool], status: int) -> None:
    """Refuse every request whose path and query ``test`` says so of."""
    hub.chaos = lambda target: Fault(re.compile(""), "status", 1, status) if test(target) else None


def refuse_from(hub: HubServer, number: int) -> None:
    """Refuse the page ``number`` of the listing and all that follow."""
    pages = count(1)
    refuse(hub, lambda target: target.startswith("/api/models?") and next(pages) >= number, 400)


def has_committed(synced: Synced, models: int) -> bool:
    return len(list_committed(synced)) >= models


def read_calm(synced: Synced) -> list[tuple[Any, ...]]:
    """The state that a sync comes to that nothing stops, the database being away again afterwards."""
    synced.sync()
    calm = synced.state()
    synced.path.unlink()
    return calm


def list_committed(synced: Synced) -> list[str]:
    try:
        return [row[0] for row in synced.query("SELECT repo_id FROM model WHERE config_id IS NOT NULL")]
    except Exception:  # the tables are not there yet
        return []
