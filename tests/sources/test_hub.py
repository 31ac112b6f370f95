"""The Hub as a source: which requests are made, and which record each answer becomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.hub_server import HubServer
from tests.sources import hub_fixtures
from tests.sources.hub_fixtures import LLAMA, QUICK, crawl_one, hub, kind_of
from zoo.errors import HubError
from zoo.sources.hub import Crawl, fetch_models
from zoo.sources.hub_crawl import Arrived, Crawler
from zoo.sources.hub_settings import HubSettings
from zoo.sources.known import KnownModel
from zoo.sources.record import ModelRecord
from zoo.sources.selection import Findings, Selection, build_selection

__all__ = ["hub"]

#: Requests are counted here: on a busy machine nothing shall be asked again because it took long.
PATIENT = replace(QUICK, read_timeout=30.0, request_timeout=40.0, probe_timeout=40.0)
crawl = partial(hub_fixtures.crawl, settings=PATIENT)


class TestRequests:
    def test_asks_once_a_page_and_once_a_config(self, hub: HubServer) -> None:
        for number in range(1203):
            hub.add(f"org/model-{number:04}", None if number % 20 else LLAMA, createdAt=f"2024-01-01T{number:08}")
        records = crawl(hub, everything=True)
        assert len(records) == 1203
        assert hub.count(r"^/api/models$") == 2
        assert hub.count(r"^/api/resolve-cache/") == 61
        assert len(hub.requests) == 63

    def test_asks_for_exactly_the_fields_that_are_stored(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        crawl(hub, author="org")
        assert hub.requests[0].query.count("expand=") == 13
        assert "limit=1000" in hub.requests[0].query
        assert "sort=createdAt" in hub.requests[0].query

    def test_asks_nothing_more_for_an_unchanged_commit(self, hub: HubServer) -> None:
        old, new = hub.add("org/old", LLAMA, downloads=7), hub.add("org/new", LLAMA)
        records = crawl(hub, author="org", known={"org/old": old.sha, "org/new": "0" * 40})
        assert [(record.repo_id, record.unchanged, record.config) for record in records] == [
            ("org/new", False, LLAMA),
            ("org/old", True, None),
        ]
        assert records[1].facts.downloads == 7
        assert [request.path for request in hub.requests[1:]] == [
            f"/api/resolve-cache/models/org/new/{new.sha}/config.json"
        ]

    def test_asks_two_requests_for_a_named_model(self, hub: HubServer) -> None:
        repo = hub.add("org/a", LLAMA)
        record = crawl_one(hub, "org/a")
        assert (record.config, record.sha, record.source) == (LLAMA, repo.sha, "hub")
        assert len(hub.requests) == 2

    def test_names_each_model_once_however_it_is_spelled(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        assert crawl_one(hub, "org/a", "ORG/A", ids=["org/a"]).repo_id == "org/a"
        assert len(hub.requests) == 2

    def test_goes_through_resolve_where_the_short_way_is_missing(self, hub: HubServer) -> None:
        hub.has_resolve_cache = False
        for number in range(30):
            hub.add(f"org/m{number}", LLAMA)
        records = crawl(hub, author="org", settings=replace(QUICK, jobs=1))
        assert [record.config for record in records] == [LLAMA] * 30
        assert hub.count("resolve-cache") == 1
        assert hub.count("/resolve/") == 30

    def test_goes_through_resolve_where_the_short_way_only_breaks(self, hub: HubServer) -> None:
        for number in range(5):
            hub.add(f"org/m{number}", LLAMA)
        hub.has_resolve_cache = False
        hub.break_next("resolve-cache", "status", times=99, value=503)
        records = crawl(hub, author="org", settings=replace(QUICK, jobs=1))
        assert [record.config for record in records] == [LLAMA] * 5
        assert hub.count("resolve-cache") == 3  # one model's attempts

    def test_a_short_way_that_is_silent_is_not_tried_twice_over(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("config.json", "reset", times=99)
        assert kind_of(crawl_one(hub, author="org")) == "failed"
        assert hub.count("config.json") == 3

    def test_keeps_the_short_way_after_one_odd_answer(self, hub: HubServer) -> None:
        for number in range(4):
            hub.add(f"org/m{number}", LLAMA)
        hub.break_next("resolve-cache/models/org/m2", "status", value=404)
        records = crawl(hub, author="org", settings=replace(QUICK, jobs=1))
        assert [record.config for record in records] == [LLAMA] * 4
        assert hub.count("/resolve-cache/") == 5  # one of them after the redirect of /resolve
        assert hub.count("/m2/resolve/") == 1

    def test_reads_main_where_the_listing_names_no_commit(self, hub: HubServer) -> None:
        repo = hub.add("org/a", LLAMA)
        sha = repo.sha
        repo.info["sha"] = None
        record = crawl_one(hub, author="org")
        assert (record.config, record.sha) == (LLAMA, sha)
        assert hub.count("/resolve/main/config.json") == 1

    def test_fetches_many_at_a_time(self, hub: HubServer) -> None:
        for number in range(64):
            hub.add(f"org/m{number}", LLAMA)
        hub.latency = 0.2
        began = datetime.now(UTC)
        crawl(hub, author="org", settings=replace(QUICK, jobs=32))
        assert (datetime.now(UTC) - began).total_seconds() < 64 * 0.2 / 3

    def test_stops_its_requests_when_the_reader_stops(self, hub: HubServer) -> None:
        for number in range(1000):
            hub.add(f"org/m{number:03}", LLAMA)
        settings = HubSettings(hub.url, jobs=2)
        records = fetch_models(build_selection(author="org"), settings)
        next(records)
        records.close()  # type: ignore[attr-defined]  # a generator, as the docstring says
        made = len(hub.requests)
        assert made < 100  # 16 * jobs are under way at most

    def test_passes_on_what_fails_in_known(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)

        def fail(repo_ids: object) -> dict[str, KnownModel]:
            raise RuntimeError("database is locked")

        with pytest.raises(RuntimeError, match="locked"):
            list(fetch_models(build_selection(author="org"), HubSettings(hub.url), Crawl(fail)))

    def test_passes_on_what_fails_in_its_thread(self, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("no memory")

        monkeypatch.setattr("zoo.sources.hub_crawl.HubClient", fail)
        with pytest.raises(RuntimeError, match="no memory"):
            crawl(hub, author="org")

    def test_passes_on_first_what_came_before_a_failure(self) -> None:
        crawler = Crawler(Selection(), QUICK, Findings())
        arrived = Arrived(ModelRecord("org/a", "hub"), fetched=False)
        for event in (arrived, RuntimeError("no memory"), arrived):
            crawler._events.put(event)
        assert crawler.next_events() == [arrived]
        with pytest.raises(RuntimeError, match="no memory"):
            crawler.next_events()
        crawler._loop.close()


class TestSelections:
    @pytest.fixture(autouse=True)
    def _fill(self, hub: HubServer) -> None:
        for number in range(30):
            hub.add(f"google/gemma-{number}b", LLAMA, downloads=number)
        hub.add("google/bert", LLAMA, downloads=500)
        hub.add("other/gemma-2b-it", LLAMA, downloads=1000)
        hub.add("openai-community/gpt2", LLAMA)
        hub.renames["gpt2"] = "openai-community/gpt2"

    def test_top_brings_the_most_downloaded(self, hub: HubServer) -> None:
        assert [record.repo_id for record in crawl(hub, top=2)] == ["google/bert", "other/gemma-2b-it"]
        assert "limit=2&" in hub.requests[0].query
        assert "sort=downloads" in hub.requests[0].query

    def test_top_and_author_go_together(self, hub: HubServer) -> None:
        assert [record.repo_id for record in crawl(hub, author="Google", top=2)] == ["google/bert", "google/gemma-29b"]

    def test_search_brings_all_that_the_hub_finds(self, hub: HubServer) -> None:
        assert len(crawl(hub, search="gemma")) == 31

    def test_a_glob_within_an_author_lists_that_author_only(self, hub: HubServer) -> None:
        assert [record.repo_id for record in crawl(hub, "google/*-2?b", top=2)] == [
            "google/gemma-28b",
            "google/gemma-29b",
        ]
        assert "author=google" in hub.requests[0].query

    def test_a_glob_over_authors_searches_for_its_longest_piece(self, hub: HubServer) -> None:
        assert [record.repo_id for record in crawl(hub, "*/gemma-2b*")] == ["google/gemma-2b", "other/gemma-2b-it"]
        assert "search=gemma-2b" in hub.requests[0].query

    def test_a_word_that_is_an_old_id_brings_that_model(self, hub: HubServer) -> None:
        record = crawl_one(hub, "gpt2")
        assert (record.repo_id, record.renamed_from) == ("openai-community/gpt2", "gpt2")

    def test_any_other_word_brings_its_most_downloaded_and_says_so(self, hub: HubServer) -> None:
        findings = Findings()
        records = crawl(hub, "gemma", findings=findings)
        assert len(records) == 20
        assert "other/gemma-2b-it" in {record.repo_id for record in records}
        assert findings.notes == ["'gemma' brings its 20 most downloaded models; --top N brings more"]
        assert len(crawl(hub, "gemma", top=3, findings=findings)) == 3
        assert len(findings.notes) == 1

    def test_says_what_matched_nothing(self, hub: HubServer) -> None:
        findings = Findings()
        assert crawl(hub, "zzz", "yyy/*", findings=findings) == []
        assert crawl(hub, author="nobody", findings=findings) == []
        assert findings.unmatched == ["zzz", "yyy/*", "nobody"]

    def test_a_word_that_cannot_be_asked_for_is_a_failed_model(self, hub: HubServer) -> None:
        hub.break_next("/api/models/gpt2", "status", times=9, value=500)
        assert kind_of(crawl_one(hub, "gpt2")) == "failed"

    def test_a_revision_is_read_at_its_own_commit(self, hub: HubServer) -> None:
        sha = hub.repos["google/bert"].sha
        record = crawl_one(hub, "google/bert", revision=sha)
        assert record.sha == sha
        assert hub.requests[0].path == f"/api/models/google/bert/revision/{sha}"

    def test_a_revision_that_is_not_there_is_missing(self, hub: HubServer) -> None:
        record = crawl_one(hub, "google/bert", revision="no/such")
        assert record.problem == ("missing", "it has no such revision")
        assert hub.requests[0].path.endswith("/revision/no%2Fsuch")


class TestRecords:
    def test_facts_are_those_of_the_listing(self, hub: HubServer) -> None:
        repo = hub.add(
            "org/a",
            LLAMA,
            gated="manual",
            downloads=10,
            likes=3,
            tags=["license:apache-2.0", "base_model:org/b", "base_model:finetune:org/b"],
            pipeline_tag="text-generation",
            library_name="transformers",
            createdAt="2024-03-01T12:00:00.000Z",
            safetensors={"parameters": {"BF16": 8030261248}, "total": 8030261248},
        )
        hub.tokens["hf_good"] = {"org/a"}
        facts = crawl_one(hub, author="org", token="hf_good").facts
        assert (facts.downloads, facts.likes, facts.gated, facts.hub_id) == (10, 3, "manual", repo.hub_id)
        assert (facts.license, facts.base_model) == ("apache-2.0", ("org/b",))
        assert (facts.pipeline_tag, facts.library) == ("text-generation", "transformers")
        assert facts.created_at == datetime(2024, 3, 1, 12, tzinfo=UTC)
        assert (facts.reported_params, facts.reported_by_dtype) == (8030261248, {"BF16": 8030261248})

    def test_a_renamed_model_comes_under_its_new_name(self, hub: HubServer) -> None:
        repo = hub.add("new/name", LLAMA)
        hub.renames["old/name"] = "new/name"
        record = crawl_one(hub, "old/name")
        assert (record.repo_id, record.renamed_from, record.facts.hub_id) == ("new/name", "old/name", repo.hub_id)

    def test_a_gated_model_keeps_its_facts(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA, gated="auto", downloads=5)
        record = crawl_one(hub, author="org")
        assert record.problem == ("gated", "gated: ask for access on its page, then log in")
        assert (record.facts.downloads, record.facts.gated, record.config) == (5, "auto", None)
        hub.tokens["hf_other"] = set()
        record = crawl_one(hub, author="org", token="hf_other")
        assert record.problem == ("gated", "gated: ask for access on its page")

    def test_a_token_opens_gated_and_private_models_in_one_request_each(self, hub: HubServer) -> None:
        hub.add("org/gated", LLAMA, gated="auto")
        hub.add("org/private", LLAMA, private=True)
        hub.tokens["hf_good"] = {"org/gated", "org/private"}
        records = crawl(hub, author="org", token="hf_good")
        assert [record.config for record in records] == [LLAMA, LLAMA]
        assert len(hub.requests) == 3

    def test_a_missing_model_is_missing(self, hub: HubServer) -> None:
        assert kind_of(crawl_one(hub, "no/such")) == "missing"
        hub.tokens["hf_good"] = set()
        record = crawl_one(hub, "no/such", token="hf_good")
        assert record.problem == ("missing", "no such model on the Hub")

    def test_a_model_that_the_token_may_not_read_is_private(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("resolve", "status", times=2, value=403)
        assert kind_of(crawl_one(hub, "org/a")) == "private"
        assert hub.count("resolve") == 2

    def test_a_disabled_model_is_disabled(self, hub: HubServer) -> None:
        repo = hub.add("org/a", LLAMA, disabled=True)
        assert kind_of(crawl_one(hub, author="org")) == "disabled"
        assert len(hub.requests) == 1
        repo.info["disabled"] = None  # not said: the file says so
        assert kind_of(crawl_one(hub, "org/a")) == "disabled"

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            (["model-q4.gguf"], "GGUF files"),
            (["adapter_config.json", "adapter_model.safetensors"], "an adapter"),
            (["model_index.json", "unet/config.json"], "a diffusers pipeline"),
            (["modules.json", "1_Pooling/config.json"], "sentence-transformers modules"),
            (["params.json", "consolidated.safetensors"], "Mistral's own format"),
            (["weights.bin"], "no config.json at its root"),
            ([], "no files"),
        ],
    )
    def test_the_listing_tells_who_has_no_config_and_why(self, hub: HubServer, files: list[str], said: str) -> None:
        hub.add("org/a", files=dict.fromkeys(files, b"x"))
        record = crawl_one(hub, author="org")
        assert record.problem is not None
        assert record.problem.kind == "no_config"
        assert said in record.problem.message
        assert len(hub.requests) == 1

    def test_a_config_that_turns_out_to_be_missing_is_no_config(self, hub: HubServer) -> None:
        repo = hub.add("org/a")
        repo.info["siblings"] = None
        assert kind_of(crawl_one(hub, author="org")) == "no_config"
        repo.info["siblings"] = "odd"
        hub.break_next("config.json", "status", times=2, value=404)
        assert kind_of(crawl_one(hub, author="org")) == "no_config"

    def test_a_listed_config_that_is_not_given_is_failed(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("config.json", "status", times=2, value=404)
        assert kind_of(crawl_one(hub, author="org")) == "failed"

    def test_a_commit_that_was_replaced_meanwhile_gives_way_to_the_newest(self, hub: HubServer) -> None:
        repo = hub.add("org/a", LLAMA)
        sha = repo.sha
        repo.info["sha"] = "0" * 40
        record = crawl_one(hub, author="org")
        assert (record.config, record.sha) == (LLAMA, sha)

    def test_a_commit_that_is_replaced_again_and_again_is_failed(self, hub: HubServer) -> None:
        repo = hub.add("org/a", LLAMA)
        repo.info["sha"] = "0" * 40
        hub.break_next("/main/config.json", "error", value=(404, "RevisionNotFound", "Invalid rev id"))
        record = crawl_one(hub, author="org")
        assert record.problem == ("failed", "its commit was replaced while it was read: sync again")

    @pytest.mark.parametrize("body", [b"[1, 2]", b"{", b"\xff\xfe\xff", b'"text"', b"<!DOCTYPE html>"])
    def test_a_config_that_cannot_be_used_is_malformed(self, hub: HubServer, body: bytes) -> None:
        hub.add("org/a", body)
        record = crawl_one(hub, author="org")
        assert record.problem is not None
        assert record.problem.kind == "malformed"
        assert record.problem.message.startswith("config.json ")
        assert hub.count("config.json") == 1

    @pytest.mark.parametrize("filler", [b" ", b'"abc",'])
    def test_a_config_over_five_megabytes_is_too_large(self, hub: HubServer, filler: bytes) -> None:
        hub.add("org/a", b'{"a": [' + filler * (5_000_001 // len(filler) + 1) + b'"e"]}')
        assert kind_of(crawl_one(hub, author="org", settings=HubSettings(""))) == "too_large"

    def test_a_length_over_five_megabytes_is_not_even_read(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("resolve-cache", "body", value=b"x" * 5_000_001)
        assert kind_of(crawl_one(hub, author="org")) == "too_large"

    def test_odd_items_of_a_listing_are_counted_and_passed_over(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA, downloads="many", tags=[1, "license:mit"], safetensors=[1], likes=-1, createdAt="late")
        hub.add("org/../b", LLAMA)
        findings = Findings()
        record = crawl_one(hub, author="org", findings=findings)
        assert (record.config, record.facts.downloads, record.facts.likes) == (LLAMA, None, None)
        assert (record.facts.license, record.facts.reported_params, record.facts.created_at) == ("mit", None, None)
        assert findings.notes == ["1 items of the Hub's listing had no usable id"]

    def test_an_info_that_names_no_model_is_failed(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("/api/models/org/a", "body", value=b"[]")
        assert kind_of(crawl_one(hub, "org/a")) == "failed"


class TestRefusals:
    def test_a_refused_token_ends_the_crawl(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        for options in ({"author": "org"}, {"ids": ["org/a"]}):
            with pytest.raises(HubError, match="refuses the token"):
                crawl(hub, token="hf_stale", **options)  # type: ignore[arg-type]  # two kinds of options

    def test_a_listing_that_is_refused_ends_the_crawl(self, hub: HubServer) -> None:
        hub.break_next("/api/models", "status", value=400)
        with pytest.raises(HubError, match="refuses the listing: the Hub answers 400: broken for the test"):
            crawl(hub, author="org")

    def test_a_listing_that_is_no_list_ends_the_crawl(self, hub: HubServer) -> None:
        hub.break_next("/api/models", "body", value=b'{"error": 1}')
        with pytest.raises(HubError, match="no list of models"):
            crawl(hub, author="org")

    def test_a_broken_listing_yields_first_what_had_come(self, hub: HubServer) -> None:
        for number in range(1005):
            hub.add(f"org/m{number:04}", createdAt=f"{number:05}")
        settings = HubSettings(hub.url, attempts=2, backoff=0.01)
        records = fetch_models(build_selection(author="org"), settings)
        seen = [next(records)]
        hub.break_next("^/api/models$", "status", times=9, value=502)
        with pytest.raises(HubError, match="broke off: the Hub answers 502"):
            seen.extend(records)
        assert len(seen) == 1000

    def test_a_page_that_points_at_itself_does_not_hang(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.links_in_circle = True
        with pytest.raises(HubError, match="goes in a circle"):
            crawl(hub, author="org", settings=QUICK)
