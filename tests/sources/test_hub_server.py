"""The test Hub is held against huggingface_hub itself: what the library understands, zoo is tested against."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

from tests.hub_server import HubServer
from tests.sources.hub_fixtures import LLAMA, hub
from zoo.config_text import parse_config
from zoo.sources.cache import read_cache

__all__ = ["hub"]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


def test_the_library_lists_its_models_over_pages(hub: HubServer) -> None:
    for number in range(2100):
        hub.add(f"org/m{number:04}", LLAMA, downloads=number % 7, safetensors={"parameters": {"F32": 8}, "total": 8})
    listed = list(HfApi(hub.url, token=False).list_models(sort="downloads", expand=["sha", "siblings", "safetensors"]))
    assert len({model.id for model in listed}) == 2100
    assert listed[0].sha == hub.repos[listed[0].id].sha
    assert listed[0].safetensors is not None
    assert listed[0].safetensors.total == 8
    assert {sibling.rfilename for sibling in listed[0].siblings or []} == {"README.md", "config.json"}
    assert hub.count("^/api/models$") == 3


def test_the_library_reads_the_info_of_a_renamed_model(hub: HubServer) -> None:
    hub.add("new/name", LLAMA, likes=3)
    hub.renames["old/name"] = "new/name"
    info = HfApi(hub.url, token=False).model_info("old/name")
    assert (info.id, info.likes) == ("new/name", 3)
    assert HfApi(hub.url, token=False).model_info("NEW/Name", expand=["likes"]).id == "new/name"


def test_the_library_refuses_a_field_that_the_hub_refuses(hub: HubServer) -> None:
    hub.add("org/a", LLAMA)
    with pytest.raises(BadRequestError, match="unknown expand: usedStorage"):
        list(HfApi(hub.url, token=False).list_models(expand=["usedStorage"]))  # type: ignore[list-item]  # on purpose


def test_the_library_downloads_in_three_requests_and_the_cache_is_read(hub: HubServer, tmp_path: Path) -> None:
    repo = hub.add("org/a", LLAMA)
    path = hf_hub_download("org/a", "config.json", endpoint=hub.url, cache_dir=tmp_path, token=False)
    assert parse_config(Path(path).read_bytes(), source=path) == LLAMA
    assert [request.method for request in hub.requests] == ["HEAD", "HEAD", "GET"]
    (record,) = read_cache(tmp_path)
    assert (record.repo_id, record.sha, record.config, record.source) == ("org/a", repo.sha, LLAMA, "cache")


def test_the_short_way_answers_a_matching_etag_with_304(hub: HubServer) -> None:
    repo = hub.add("org/a", LLAMA)
    url = f"{hub.url}/api/resolve-cache/models/org/a/{repo.sha}/config.json"
    first = get_session().get(url)
    again = get_session().get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, first.headers["content-encoding"], first.headers["x-repo-commit"]) == (
        200,
        "gzip",
        repo.sha,
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ratelimit"].startswith('"resolvers";r=')


@pytest.mark.parametrize(
    ("path", "token", "error"),
    [
        ("org/gated/resolve/main/config.json", "", GatedRepoError),
        ("org/gated/resolve/main/config.json", "hf_other", GatedRepoError),
        ("org/disabled/resolve/main/config.json", "", DisabledRepoError),
        ("org/open/resolve/main/none.json", "", EntryNotFoundError),
        ("org/open/resolve/none/config.json", "", RevisionNotFoundError),
        ("api/models/org/private", "hf_other", RepositoryNotFoundError),
        ("api/models/org/private", "", HfHubHTTPError),  # over https: RepositoryNotFoundError
    ],
)
def test_its_refusals_are_those_that_the_library_knows(
    hub: HubServer, path: str, token: str, error: type[Exception]
) -> None:
    from huggingface_hub.utils import hf_raise_for_status

    hub.tokens["hf_other"] = set()
    hub.add("org/open", LLAMA)
    hub.add("org/gated", LLAMA, gated="auto")
    hub.add("org/disabled", LLAMA, disabled=True)
    hub.add("org/private", LLAMA, private=True)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with pytest.raises(error):
        hf_raise_for_status(get_session().get(f"{hub.url}/{path}", headers=headers))


def test_a_private_model_opens_for_its_token(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/private", LLAMA, private=True)
    hub.tokens["hf_good"] = {"org/private"}
    assert hf_hub_download("org/private", "config.json", endpoint=hub.url, cache_dir=tmp_path, token="hf_good")
    assert [model.id for model in HfApi(hub.url, token="hf_good").list_models()] == ["org/private"]
    assert list(HfApi(hub.url, token=False).list_models()) == []
    with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header"):
        hf_hub_download("org/private", "config.json", endpoint=hub.url, cache_dir=tmp_path / "other", token="hf_bad")


def test_it_limits_the_rate_as_it_says(hub: HubServer) -> None:
    hub.quota["api"] = 2
    answers = [get_session().get(f"{hub.url}/api/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]


def test_it_knows_no_other_page(hub: HubServer) -> None:
    assert get_session().get(f"{hub.url}/pricing").status_code == 404
