"""What the tests of the Hub share: a server, quick settings, and the ways to run a crawl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.hub_server import HubServer
from zoo.sources.hub import Crawl, fetch_models
from zoo.sources.hub_settings import HubSettings
from zoo.sources.known import KnownModel
from zoo.sources.record import ModelRecord
from zoo.sources.selection import Findings, build_selection

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "pad": "x" * 600}
QUICK = HubSettings(
    "",
    jobs=8,
    connect_timeout=1.0,
    read_timeout=1.0,
    request_timeout=2.5,
    attempts=3,
    page_attempts=3,
    backoff=0.01,
    refusal_pause=0.01,
    probe_timeout=3.0,
)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def crawl(
    hub: HubServer,
    *terms: str,
    known: Mapping[str, str] | None = None,
    findings: Findings | None = None,
    settings: HubSettings = QUICK,
    token: str | None = None,
    **options: Any,
) -> list[ModelRecord]:
    """The records of a crawl, sorted by id."""

    def find_known(repo_ids: Mapping[str, str | None]) -> dict[str, KnownModel]:
        return {repo_id: KnownModel(sha=sha) for repo_id, sha in (known or {}).items() if repo_id in repo_ids}

    selection = build_selection(terms, **options)
    own = replace(settings, endpoint=hub.url, token=token)
    records = fetch_models(selection, own, Crawl(find_known, findings or Findings()))
    return sorted((record for record in records if record), key=lambda record: record.repo_id)


def crawl_one(hub: HubServer, *terms: str, **options: Any) -> ModelRecord:
    (record,) = crawl(hub, *terms, **options)
    return record


def kind_of(record: ModelRecord) -> str | None:
    return record.problem.kind if record.problem else None
