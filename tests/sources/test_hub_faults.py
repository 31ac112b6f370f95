"""A Hub that breaks: what is retried, what it becomes when it stays broken, and that the others do not notice."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest

from tests.hub_server import HubServer
from tests.sources.hub_fixtures import LLAMA, QUICK, crawl, crawl_one, hub, kind_of
from zoo.errors import HubError
from zoo.sources.hub import probe
from zoo.sources.hub_settings import HubSettings, describe_error, read_settings
from zoo.sources.record import ModelRecord

__all__ = ["hub"]

FAULTS = [
    ("reset", None, "connection reset by peer"),
    ("truncate", None, "the answer broke off"),
    ("html", None, "an HTML page came instead"),
    ("status", 408, "the Hub answers 408"),
]


def crawl_with_neighbours(hub: HubServer) -> ModelRecord:
    """The record of ``org/broken``, after checking that eight other models came through."""
    for name in ("broken", *"abcdefgh"):
        hub.add(f"org/{name}", LLAMA)
    records = {record.repo_id: record for record in crawl(hub, author="org")}
    broken = records.pop("org/broken")
    assert [record.config for record in records.values()] == [LLAMA] * 8
    return broken


class TestOneModel:
    @pytest.mark.parametrize(("kind", "value", "said"), FAULTS)
    def test_a_passing_fault_is_retried(self, hub: HubServer, kind: str, value: int | None, said: str) -> None:
        hub.break_next("org/broken", kind, times=2, value=value)
        assert crawl_with_neighbours(hub).config == LLAMA
        assert hub.count("org/broken") == 3

    @pytest.mark.parametrize(("kind", "value", "said"), FAULTS)
    def test_a_lasting_fault_fails_that_model_only(
        self, hub: HubServer, kind: str, value: int | None, said: str
    ) -> None:
        hub.break_next("org/broken", kind, times=99, value=value)
        broken = crawl_with_neighbours(hub)
        assert broken.problem is not None
        assert broken.problem.kind == "failed"
        assert broken.problem.message.startswith(said)
        assert broken.problem.message.endswith("(asked 3 times)")
        assert broken.facts.hub_id == hub.repos["org/broken"].hub_id

    def test_a_lasting_fault_of_its_info_fails_that_model_only(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.add("org/b", LLAMA)
        hub.break_next("/api/models/org/a", "body", times=99, value=b"{")
        first, second = crawl(hub, "org/a", "org/b")
        assert first.problem == ("failed", "the answer is not JSON (asked 3 times)")
        assert second.config == LLAMA

    def test_an_unusual_refusal_is_not_asked_again(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("org/a", "status", times=99, value=418)
        assert crawl_one(hub, "org/a").problem == ("failed", "the Hub answers 418: broken for the test")
        assert len(hub.requests) == 1


class TestListing:
    @pytest.mark.parametrize("kind", ["reset", "truncate", "silence", "html"])
    def test_a_passing_fault_loses_no_page(self, hub: HubServer, kind: str) -> None:
        for number in range(1500):
            hub.add(f"org/m{number}", createdAt=f"{number:05}")
        hub.break_next("^/api/models$", kind, times=2)
        assert len({record.repo_id for record in crawl(hub, author="org")}) == 1500

    def test_links_of_another_host_are_followed_at_the_endpoint(self, hub: HubServer) -> None:
        for number in range(1500):
            hub.add(f"org/m{number}", createdAt=f"{number:05}")
        hub.links_to = "https://huggingface.example"  # as a mirror that passes the Hub's answers on
        assert len(crawl(hub, author="org")) == 1500


class TestRedirects:
    def test_the_token_stays_at_the_endpoint(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.tokens["hf_secret"] = set()
        with HubServer() as elsewhere:
            elsewhere.add("org/a", LLAMA)
            sha = elsewhere.repos["org/a"].sha
            target = f"{elsewhere.url}/api/resolve-cache/models/org/a/{sha}/config.json"
            hub.break_next("resolve-cache", "redirect", value=target)
            assert crawl_one(hub, "org/a", token="hf_secret").config == LLAMA
            assert [request.headers["authorization"] for request in hub.requests] == ["Bearer hf_secret"] * 2
            (request,) = elsewhere.requests
            assert "authorization" not in request.headers
            assert "hf_secret" not in str(request)

    def test_without_a_token_none_is_sent(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        crawl(hub, "org/a")
        assert not any("authorization" in request.headers for request in hub.requests)

    @pytest.mark.parametrize("target", ["/api/models/org/a", "ftp://example.org/x", "http://[bad"])
    def test_a_bad_redirect_fails_the_model(self, hub: HubServer, target: str) -> None:
        hub.add("org/a", LLAMA)
        hub.add("org/b", LLAMA)
        hub.break_next("/api/models/org/a", "redirect", times=99, value=target)
        first, second = crawl(hub, "org/a", "org/b")
        assert (kind_of(first), kind_of(second)) == ("failed", None)

    def test_a_token_never_appears_in_what_is_shown(self) -> None:
        assert "hf_secret" not in repr(HubSettings("https://huggingface.co", "hf_secret"))


class TestRateLimit:
    def test_gives_up_when_it_is_refused_again_and_again(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.break_next("resolve-cache", "status", times=99, value=429)
        record = crawl_one(hub, "org/a", settings=replace(QUICK, refusal_pause=0.001))
        assert record.problem == ("failed", "the Hub refuses: too many requests (429) (asked 10 times)")

    def test_needs_no_limits_to_be_told(self, hub: HubServer) -> None:
        hub.quota.clear()
        hub.add("org/a", LLAMA)
        assert crawl_one(hub, "org/a").config == LLAMA

    def test_heeds_retry_after(self, hub: HubServer) -> None:
        hub.add("org/a", LLAMA)
        hub.retry_after = "1"
        hub.break_next("resolve-cache", "status", value=503)
        began = time.monotonic()
        assert crawl_one(hub, "org/a").config == LLAMA
        assert time.monotonic() - began >= 1


class TestProbe:
    @pytest.fixture(autouse=True)
    def _hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.sources.hub._PROBE_PAUSE", 0.01)

    def test_a_hub_that_answers_is_good(self, hub: HubServer) -> None:
        probe(replace(QUICK, endpoint=hub.url))
        assert hub.count("^/api/models$") == 1

    def test_a_hub_that_asks_to_wait_is_there(self, hub: HubServer) -> None:
        hub.quota["api"] = 0
        probe(replace(QUICK, endpoint=hub.url))

    def test_a_passing_fault_is_no_reason_to_give_up(self, hub: HubServer) -> None:
        hub.break_next("", "status", times=1, value=502)
        hub.break_next("", "reset", times=1)
        probe(replace(QUICK, endpoint=hub.url))

    @pytest.mark.parametrize(
        ("kind", "value", "said"),
        [
            ("reset", None, "connection reset"),
            ("silence", None, "no answer"),
            ("drip", None, "no answer within"),
            ("html", None, "an HTML page came instead"),
            ("status", 500, "it answers 500"),
            ("body", b"{", "the answer is not JSON"),
            ("redirect", "/login", "it answers 307"),
        ],
    )
    def test_a_broken_hub_is_refused_in_time(
        self, hub: HubServer, kind: str, value: int | str | bytes | None, said: str
    ) -> None:
        for number in range(20):
            hub.add(f"org/m{number}")
        hub.break_next("", kind, times=99, value=value)
        began = time.monotonic()
        with pytest.raises(HubError, match=f"cannot be reached at {hub.url}: {said}"):
            probe(replace(QUICK, endpoint=hub.url, probe_timeout=1.0))
        assert time.monotonic() - began < 2.5

    def test_a_closed_port_is_refused_at_once(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(HubError, match=r"connection refused|connection attempts failed"):
            probe(HubSettings(f"http://127.0.0.1:{port}"))

    def test_a_refused_token_is_said(self, hub: HubServer) -> None:
        with pytest.raises(HubError, match="refuses the token: log in again"):
            probe(replace(QUICK, endpoint=hub.url, token="hf_stale"))

    def test_a_refusal_is_said(self, hub: HubServer) -> None:
        hub.break_next("", "status", value=403)
        with pytest.raises(HubError, match=f"the Hub at {hub.url} refuses"):
            probe(replace(QUICK, endpoint=hub.url))

    def test_the_usual_patience_is_under_ten_seconds(self) -> None:
        assert HubSettings("").probe_timeout <= 8


class TestSettings:
    @pytest.fixture(autouse=True)
    def _clean(self, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
        for name in ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", f"{tmp_path}/token")
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://huggingface.co")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)

    def test_are_those_of_huggingface_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_settings(jobs=4) == HubSettings("https://huggingface.co", None, jobs=4)
        monkeypatch.setenv("HF_TOKEN", "hf_mine")
        monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/hf/")
        assert read_settings() == HubSettings("https://mirror.example/hf", "hf_mine")

    def test_anonymous_sends_no_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_mine")
        assert read_settings(anonymous=True).token is None
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        assert read_settings().token is None

    def test_offline_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
            read_settings()

    @pytest.mark.parametrize(
        "endpoint", ["huggingface.co", "ftp://huggingface.co", "https://", "https://huggingface.co:999999"]
    )
    def test_a_bad_endpoint_is_named(self, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(HubError, match="HF_ENDPOINT is no address"):
            read_settings()

    def test_a_password_in_the_endpoint_is_not_shown(self) -> None:
        settings = HubSettings("https://me:secret@mirror.example/hf")
        assert settings.shown_endpoint == "https://mirror.example/hf"
        assert "secret" not in repr(settings)


def test_an_error_is_described_without_its_address() -> None:
    assert describe_error(OSError(111, "Connection refused")) == "connection refused"
    assert describe_error(ValueError("https://user:secret@host")) == "ValueError"
