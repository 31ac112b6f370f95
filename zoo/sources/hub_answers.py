"""What the Hub's answers mean: which problem a refusal is, what an item of a listing says, where the next page is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from zoo.errors import HubError
from zoo.sources.facts import describe_configless, list_files, read_facts
from zoo.sources.hub_client import Answer, HubSettings, read_origin
from zoo.sources.names import SHA, is_listed_id
from zoo.sources.record import HubFacts, Problem

TOKEN_REFUSED = "Invalid credentials in Authorization header"  # noqa: S105 - what the Hub says
DISABLED = "Access to this resource is disabled."


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A repository as a listing or a model's info shows it."""

    repo_id: str
    sha: str | None
    facts: HubFacts
    without_config: str | None  #: why there is no ``config.json``, when the list of files shows it
    lists_config: bool  #: the list of files names ``config.json``
    renamed_from: str | None = None


def read_item(item: Any, asked: str | None = None) -> ListedModel | None:
    """One item of a listing, or the info of the model that was ``asked`` for; None when it has no usable id."""
    if not isinstance(item, dict) or not is_listed_id(repo_id := item.get("id", item.get("modelId"))):
        return None
    files = list_files(item)
    sha = item.get("sha")
    return ListedModel(
        repo_id=repo_id,
        sha=sha if isinstance(sha, str) and SHA.match(sha) else None,
        facts=read_facts(item),
        without_config=None if files is None or "config.json" in files else describe_configless(files),
        lists_config=files is not None and "config.json" in files,
        renamed_from=asked if asked is not None and asked != repo_id else None,
    )


def name_problem(answer: Answer, *, has_token: bool, listed: ListedModel | None = None) -> Problem:
    """Which problem an answer other than 200 is; ``listed`` is what is known of the repository already.

    Raises:
        HubError: the token itself is refused, so that every other request would be refused too.
    """
    code = answer.headers.get("x-error-code", "")
    said = answer.headers.get("x-error-message", "")
    if answer.status == 401 and said == TOKEN_REFUSED:
        raise HubError("the Hub refuses the token: log in again (hf auth login), or use --anonymous")
    if code == "GatedRepo":
        return Problem("gated", "gated: ask for access on its page" + ("" if has_token else ", then log in"))
    if said == DISABLED:
        return Problem("disabled", "the Hub has switched it off")
    if code == "EntryNotFound":
        return Problem("no_config", "no config.json at its root")
    if code == "RevisionNotFound":
        if listed is not None:
            return Problem("failed", "its commit was replaced while it was read: sync again")
        return Problem("missing", "it has no such revision")
    if code == "RepoNotFound" or (answer.status == 404 and listed is None):
        return Problem("missing", "no such model on the Hub")
    if answer.status == 404 and listed is not None and not listed.lists_config:
        return Problem("no_config", "no config.json at its root")
    if answer.status == 401 and not has_token:
        return Problem("missing", "no such model on the Hub, or it is private and no token was sent")
    if answer.status in {401, 403}:
        return Problem("private", "the token may not read it")
    return Problem("failed", f"the Hub answers {answer.status}{': ' + said[:200] if said else ''}")


def find_next_page(answer: Answer, url: str, settings: HubSettings) -> str | None:
    """Address of the next page; always at the endpoint, also where a mirror passes on the Hub's own links.

    Raises:
        HubError: the next page is the page itself.
    """
    target = answer.next_url
    if not target:
        return None
    if read_origin(target) != read_origin(settings.endpoint):
        target = f"{settings.endpoint}/api/models?{urlsplit(target).query}"
    if target == url:
        raise HubError("the Hub's listing goes in a circle: its next page is the same page")
    return target


class JsonReader:
    """Checks that an answer of the API is JSON (a :data:`zoo.sources.hub_client.Check`) and keeps its ``value``."""

    value: Any = None

    def __call__(self, answer: Answer) -> str | None:
        if looks_like_html(answer):
            return "an HTML page came instead of JSON (a proxy or a login page?)"
        try:
            self.value = json.loads(answer.body)
        except (ValueError, RecursionError):
            return "the answer is not JSON"
        return None if isinstance(self.value, list | dict) else "the answer is not what the Hub's API gives"


def check_file(answer: Answer) -> str | None:
    """Why an answer is no file of the Hub: a proxy's page. What a repository really holds comes with its commit."""
    if answer.commit is None and looks_like_html(answer):
        return "an HTML page came instead of config.json (a proxy or a login page?)"
    return None


def looks_like_html(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "")
    return kind.startswith("text/html") or answer.body[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
