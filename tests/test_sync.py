"""From source to store: batches, the summary, and what stands in for a Hub that cannot be reached."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import zoo.sync
from tests.hub_server import HubServer
from tests.sources.hub_fixtures import LLAMA, hub
from zoo.errors import BadInput, HubError, NoMatch, UsageError
from zoo.sources.hub_settings import HubSettings, read_settings
from zoo.sources.known import KnownModel
from zoo.sources.record import ModelRecord, Problem
from zoo.sources.selection import build_selection
from zoo.sources.snapshot import read_snapshot
from zoo.sources.walk import WalkState
from zoo.sync import BATCH, KEPT_PROBLEMS, Summary, check_outcome, sync
from zoo.sync_plan import SyncRequest, run_sync, suggest_names

__all__ = ["hub"]


class Counts(NamedTuple):
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: int = 0


class MemoryStore:
    """A store of rows in a dict, with the promises of the real one."""

    def __init__(self) -> None:
        self.rows: dict[str, ModelRecord] = {}
        self.batches: list[int] = []
        self.failed: list[str] = []
        self.walk: WalkState | None = None

    def find_known(self, repo_ids: Mapping[str, str | None]) -> Mapping[str, KnownModel]:
        rows = {repo_id: self.rows[repo_id] for repo_id in repo_ids if repo_id in self.rows}
        return {
            repo_id: KnownModel(row.facts.hub_id, None if row.source == "snapshot" else row.sha)
            for repo_id, row in rows.items()
        }

    def list_failed(self) -> list[str]:
        return self.failed

    def list_unseen(self, since: datetime, author: str | None = None) -> list[str]:
        return []

    def has_read_hub(self) -> bool:
        return any(row.source == "hub" for row in self.rows.values())

    def read_walk(self) -> WalkState | None:
        return self.walk

    def keep_walk(self, state: WalkState) -> None:
        self.walk = state

    def save(self, records: Sequence[ModelRecord]) -> Counts:
        self.batches.append(len(records))
        return Counts(*(sum(each) for each in zip(*(self._save(record) for record in records), strict=True)))

    def _save(self, record: ModelRecord) -> Counts:
        old = self.rows.get(record.repo_id)
        if record.problem is not None:
            return Counts(problems=1)
        if record.unchanged or (old is not None and old.source == "hub" and record.source == "snapshot"):
            return Counts(unchanged=1)
        self.rows[record.repo_id] = record
        if old is None:
            return Counts(new=1)
        return Counts(unchanged=1) if old.config == record.config else Counts(changed=1)


def record(name: str, **options: Any) -> ModelRecord:
    options.setdefault("config", LLAMA)
    return ModelRecord(f"org/{name}", "folder", **options)


def stumble(name: str, kind: Any = "malformed") -> ModelRecord:
    return record(name, config=None, problem=Problem(kind, "it is broken"))


class TestSaving:
    def test_saves_in_batches_and_counts(self) -> None:
        store = MemoryStore()
        records = [record(str(number)) for number in range(2 * BATCH + 3)]
        seen: list[ModelRecord] = []
        summary = sync(records, store, Summary("folder"), advance=seen.append)
        assert store.batches == [BATCH, BATCH, 3]
        assert (summary.new, summary.changed, summary.unchanged) == (2 * BATCH + 3, 0, 0)
        assert seen == records
        again = sync([record("0", config={}), *records[1:]], store, Summary("folder"))
        assert (again.new, again.changed, again.unchanged, again.usable) == (0, 1, 2 * BATCH + 2, 2 * BATCH + 3)

    def test_saves_a_small_batch_once_it_is_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(zoo.sync, "BATCH_SECONDS", 0.0)
        store = MemoryStore()
        sync([record("a"), record("b")], store, Summary("folder"))
        assert store.batches == [1, 1]

    def test_saves_nothing_when_nothing_comes(self) -> None:
        store = MemoryStore()
        assert sync([], store, Summary("folder")) == Summary("folder")
        assert store.batches == []

    def test_lists_problems_and_goes_on(self) -> None:
        summary = sync([stumble("x"), record("a"), stumble("y", "gated")], MemoryStore(), Summary("hub"))
        assert summary.new == 1
        assert summary.by_kind == {"malformed": 1, "gated": 1}
        assert summary.problems == [("org/x", "malformed", "it is broken"), ("org/y", "gated", "it is broken")]

    def test_keeps_a_bounded_list_of_problems(self) -> None:
        summary = sync((stumble(str(n)) for n in range(KEPT_PROBLEMS + 5)), MemoryStore(), Summary("hub"))
        assert len(summary.problems) == KEPT_PROBLEMS
        assert summary.by_kind["malformed"] == KEPT_PROBLEMS + 5

    def test_a_known_model_that_is_missing_is_gone(self) -> None:
        store = MemoryStore()
        store.save([record("a", sha="a" * 40)])
        summary = sync([stumble("a", "missing"), stumble("b", "missing")], store, Summary("hub"))
        assert [(line.repo_id, line.kind) for line in summary.problems] == [("org/a", "gone"), ("org/b", "missing")]

    def test_counts_renamed_models(self) -> None:
        assert sync([record("a", renamed_from="org/b"), record("c")], MemoryStore(), Summary("hub")).renamed == 1

    def test_a_source_that_breaks_off_loses_nothing(self) -> None:
        def break_off() -> Iterator[ModelRecord]:
            yield record("a")
            raise HubError("the listing broke off")

        store = MemoryStore()
        summary = sync(break_off(), store, Summary("hub"))
        assert (summary.new, summary.broken_off) == (1, "the listing broke off")
        assert list(store.rows) == ["org/a"]

    def test_an_interruption_saves_what_had_come(self) -> None:
        def interrupt() -> Iterator[ModelRecord]:
            yield record("a")
            raise KeyboardInterrupt

        store = MemoryStore()
        with pytest.raises(KeyboardInterrupt):
            sync(interrupt(), store, Summary("hub"))
        assert list(store.rows) == ["org/a"]

    def test_the_summary_is_json(self) -> None:
        summary = sync([stumble("x"), record("a")], MemoryStore(), Summary("hub"))
        document = json.loads(json.dumps(summary.to_json()))
        assert document["by_kind"] == {"gone": 0, "gated": 0, "no_config": 0, "malformed": 1, "failed": 0}
        assert document["problems"] == [{"repo_id": "org/x", "kind": "malformed", "message": "it is broken"}]


class TestOutcome:
    def test_some_model_is_enough(self) -> None:
        check_outcome(Summary("hub", unchanged=1, unmatched=["x"]))
        check_outcome(Summary("hub"))

    def test_a_source_that_broke_off_is_an_error(self) -> None:
        with pytest.raises(HubError, match="broke off"):
            check_outcome(Summary("hub", new=5, broken_off="the listing broke off"))

    def test_every_model_failing_is_an_error(self) -> None:
        summary = sync([stumble("x", "failed")], MemoryStore(), Summary("hub"))
        with pytest.raises(HubError, match="no model could be read; org/x: it is broken"):
            check_outcome(summary)
        check_outcome(sync([stumble("x", "failed"), stumble("y", "gated")], MemoryStore(), Summary("hub")))

    def test_nothing_matched_is_an_error_with_near_names(self) -> None:
        with pytest.raises(NoMatch, match=r"no model matches 'lama'. Did you mean org/llama\?"):
            check_outcome(Summary("hub", unmatched=["lama"]), lambda term: ["org/llama"])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Summary]:
    """Runs a sync into ``run.store``, sentences into ``run.said``."""
    monkeypatch.setattr("zoo.sources.hub._PROBE_PAUSE", 0.01)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    store, said = MemoryStore(), list[str]()

    def run(source: str = "auto", *terms: str, endpoint: str = "http://127.0.0.1:9", **options: Any) -> Summary:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        own = {name: options.pop(name) for name in ("watchlist", "full", "anonymous", "jobs") if name in options}
        request = SyncRequest(source, build_selection(terms, **options), **own)
        return run_sync(request, store, say=said.append)

    run.store, run.said = store, said  # type: ignore[attr-defined]  # what a test looks at
    return run


def write_watchlist(tmp_path: Path, *repo_ids: str) -> Path:
    path = tmp_path / "list.toml"
    path.write_text(f'[[group]]\nname = "Mine"\nmodels = {json.dumps(repo_ids)}\n')
    return path


class TestHub:
    def test_brings_new_models_then_asks_for_nothing_twice(self, hub: HubServer, run: Any) -> None:
        for name in "abc":
            hub.add(f"org/{name}", LLAMA)
        hub.add("org/gguf", files={"q4.gguf": b"x"})
        first = run("hub", author="org", endpoint=hub.url)
        assert (first.source, first.new, first.by_kind) == ("hub", 3, {"no_config": 1})
        hub.add("org/b", {**LLAMA, "hidden_size": 8})
        hub.requests.clear()
        second = run("hub", author="org", endpoint=hub.url)
        assert (second.new, second.changed, second.unchanged) == (0, 1, 2)
        assert [request.path.split("/")[-1] for request in hub.requests] == ["models", "config.json"]

    def test_full_fetches_what_is_known(self, hub: HubServer, run: Any) -> None:
        hub.add("org/a", LLAMA)
        run("hub", author="org", endpoint=hub.url)
        assert run("hub", author="org", endpoint=hub.url, full=True).unchanged == 1
        assert hub.count(r"config\.json") == 2

    def test_nothing_named_is_the_watch_list(self, hub: HubServer, run: Any, tmp_path: Path) -> None:
        hub.add("org/a", LLAMA)
        hub.add("org/b", LLAMA)
        summary = run("hub", endpoint=hub.url, watchlist=write_watchlist(tmp_path, "org/a", "org/none"))
        assert (summary.new, summary.by_kind) == (1, {"missing": 1})
        summary = run("hub", "org/b", endpoint=hub.url, watchlist=write_watchlist(tmp_path, "org/a"))
        assert (summary.new, summary.unchanged) == (1, 1)

    def test_the_bundled_watch_list_is_asked_for_by_default(
        self, hub: HubServer, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.sync_plan.load_watchlist", lambda path: ["org/a"] if path is None else [])
        hub.add("org/a", LLAMA)
        assert run("auto", endpoint=hub.url).new == 1

    def test_a_model_that_goes_away_is_gone(self, hub: HubServer, run: Any) -> None:
        hub.add("org/a", LLAMA)
        run("hub", "org/a", endpoint=hub.url)
        del hub.repos["org/a"]
        assert run("hub", "org/a", endpoint=hub.url).by_kind == {"gone": 1}

    def test_says_what_matched_nothing(self, hub: HubServer, run: Any) -> None:
        assert run("hub", "zzz", endpoint=hub.url).unmatched == ["zzz"]

    def test_hub_alone_is_an_error_when_it_is_away(self, run: Any) -> None:
        began = time.monotonic()
        with pytest.raises(HubError, match=r"cannot be reached at http://127\.0\.0\.1:9"):
            run("hub")
        assert time.monotonic() - began < 10

    def test_offline_is_honoured(self, run: Any, monkeypatch: pytest.MonkeyPatch, hub: HubServer) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
            run("hub", endpoint=hub.url)
        assert "HF_HUB_OFFLINE" in run("auto", "mistralai/*", endpoint=hub.url).instead_of_hub
        assert hub.requests == []


class TestFallback:
    def test_loads_the_snapshot_and_says_so(self, run: Any) -> None:
        summary = run("auto")
        assert summary.new == len(list(read_snapshot())) > 200
        assert summary.source == "snapshot"
        assert "cannot be reached at http://127.0.0.1:9" in summary.instead_of_hub
        warning, instead = run.said
        assert warning.startswith("WARNING: the Hub cannot be reached at http://127.0.0.1:9: ")
        assert instead.startswith("Loading the snapshot of 20")
        check_outcome(summary)

    def test_decides_in_time_for_a_silent_server(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def be_impatient(**options: Any) -> HubSettings:
            settings = read_settings(**options)
            assert settings.probe_timeout <= 6
            return replace(settings, probe_timeout=1.0)

        monkeypatch.setattr("zoo.sources.hub_settings.read_settings", be_impatient)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            began = time.monotonic()
            summary = run("auto", "mistralai/*", endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
            assert time.monotonic() - began < 5
        assert summary.source == "snapshot"
        assert "no answer within 1 seconds" in summary.instead_of_hub

    def test_a_stale_token_is_a_reason(self, run: Any, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_stale")
        assert "refuses the token" in run("auto", "mistralai/*", endpoint=hub.url).instead_of_hub
        assert "hf_stale" not in "".join(run.said)
        hub.add("mistralai/a", LLAMA)
        assert run("auto", "mistralai/*", endpoint=hub.url, anonymous=True).source == "hub"

    def test_never_overwrites_what_the_hub_brought(self, run: Any, hub: HubServer) -> None:
        first = next(read_snapshot())
        hub.add(first.repo_id, LLAMA)
        run("hub", first.repo_id, endpoint=hub.url)
        summary = run("auto")
        assert summary.unchanged == 1
        assert run.store.rows[first.repo_id].source == "hub"
        assert run.store.rows[first.repo_id].config == LLAMA

    def test_brings_the_whole_config_once_the_hub_is_back(self, run: Any, hub: HubServer) -> None:
        first = next(read_snapshot())
        run("auto", first.repo_id)
        repo = hub.add(first.repo_id, LLAMA)
        run.store.rows[first.repo_id] = ModelRecord(first.repo_id, "snapshot", first.config, sha=repo.sha)
        assert run("auto", first.repo_id, endpoint=hub.url).changed == 1
        assert run.store.rows[first.repo_id].config == LLAMA

    def test_takes_what_it_can_from_a_selection_and_says_what_it_cannot(self, run: Any) -> None:
        summary = run("auto", "mixtral", "Nobody/none", top=3)
        assert summary.new == len([each for each in read_snapshot() if "mixtral" in each.repo_id.casefold()]) > 0
        assert summary.notes == ["--top can be answered by the Hub only and was left out"]
        assert summary.unmatched == ["Nobody/none"]

    def test_a_search_that_finds_nothing_suggests_names(self, run: Any) -> None:
        summary = run("auto", author="mistralia")
        assert (summary.new, summary.unmatched) == (0, ["mistralia"])
        assert "mistralai/Mixtral-8x7B-v0.1" in suggest_names("mixtral-8x7b-v01")

    def test_a_named_watch_list_chooses_from_it(self, run: Any, tmp_path: Path) -> None:
        first = next(read_snapshot())
        summary = run("auto", watchlist=write_watchlist(tmp_path, first.repo_id, "no/such"))
        assert (summary.new, summary.unmatched) == (1, ["no/such"])


class TestLocal:
    def test_the_snapshot_can_be_asked_for(self, run: Any) -> None:
        summary = run("snapshot", "mixtral")
        assert (summary.source, summary.instead_of_hub) == ("snapshot", None)
        assert summary.new > 0
        assert run.said == []

    def test_a_folder_is_a_source(self, run: Any, tmp_path: Path) -> None:
        for name in ("a", "b"):
            folder = tmp_path / "configs" / "org" / name
            folder.mkdir(parents=True)
            (folder / "config.json").write_text(json.dumps(LLAMA))
        assert run(str(tmp_path / "configs"), "*/a").new == 1
        assert run(str(tmp_path / "configs")).new == 1

    def test_a_jsonl_is_a_source(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "set.jsonl"
        path.write_text(json.dumps({"repo_id": "org/a", "config": LLAMA}) + "\n{\n")
        summary = run(str(path))
        assert (summary.new, summary.by_kind) == (1, {"malformed": 1})
        assert summary.problems[0].message.startswith(f"{path}, line 2: ")

    def test_the_cache_is_a_source(self, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        snapshot = tmp_path / "models--org--a" / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(json.dumps(LLAMA))
        monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(tmp_path))
        assert run("cache").new == 1

    @pytest.mark.parametrize(
        ("options", "said"),
        [({"top": 5}, "--top can"), ({"everything": True}, "--all can"), ({"ids": ["a/b"], "revision": "x"}, "--rev")],
    )
    def test_what_only_the_hub_knows_is_refused(self, run: Any, options: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            run("snapshot", **options)

    @pytest.mark.parametrize(("source", "error"), [("hubb", UsageError), ("no/ne", BadInput), ("x.jsonl", BadInput)])
    def test_an_unknown_source_is_refused(self, run: Any, source: str, error: type[Exception]) -> None:
        with pytest.raises(error, match=source):
            run(source)
