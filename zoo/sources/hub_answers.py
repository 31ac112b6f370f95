"""What the Hub's answers mean: which problem a refusal is, what an item of a listing says, where the next page is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from zoo.config_text import parse_config
from zoo.errors import BadInput, HubError
from zoo.sources.facts import describe_configless, list_files, read_facts
from zoo.sources.hub_client import Answer, is_html, looks_like_html
from zoo.sources.hub_settings import HubSettings
from zoo.sources.names import SHA, is_listed_id
from zoo.sources.record import HubFacts, Problem

TOKEN_REFUSED = "Invalid credentials in Authorization header"  # noqa: S105 - what the Hub says
DISABLED = "Access to this resource is disabled."
GATED = "gated: ask for access on its page"
GATED_ANONYMOUS = f"{GATED}, then log in"
#: Strings as a whole, so that what stands in them is passed over; brackets and commas.
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)

_SAME = 3  #: times that a body has to come the same to be believed against its ETag, or without one


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A repository as a listing or a model's info shows it."""

    repo_id: str
    sha: str | None
    facts: HubFacts
    without_config: str | None  #: why there is no ``config.json``, when the list of files shows it
    lists_config: bool  #: the list of files names ``config.json``
    renamed_from: str | None = None
    page: int | None = None  #: of the walk over all models


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
        return Problem("gated", GATED if has_token else GATED_ANONYMOUS)
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


def find_next_page(answer: Answer, settings: HubSettings, asked: str) -> str | None:
    """Address of the page after ``asked``; always at the endpoint, also where a mirror passes on the Hub's own links.

    What was asked for and the link leaves out is asked for again.
    """
    target = answer.next_url
    if not target:
        return None
    query = urlsplit(target).query
    told = {name.removesuffix("[]") for name, _ in parse_qsl(query, keep_blank_values=True)}
    left_out = [(name, value) for name, value in parse_qsl(urlsplit(asked).query) if name not in told]
    return f"{settings.endpoint}/api/models?{query}{'&' if left_out else ''}{urlencode(left_out)}"


class JsonReader:
    """Checks that an answer of the API is JSON (a :data:`zoo.sources.hub_client.Check`) and keeps its ``value``.

    A list of which a part is not as it should be is read item by item: what cannot be read is None.
    """

    value: Any = None

    def __call__(self, answer: Answer) -> str | None:
        if looks_like_html(answer):
            return "an HTML page came instead of JSON (a proxy or a login page?)"
        try:
            self.value = json.loads(answer.body)
        except (ValueError, RecursionError):
            self.value = read_items(answer.body)
            if self.value is None:
                return "the answer is not JSON"
        return None if isinstance(self.value, list | dict) else "the answer is not what the Hub's API gives"


def read_items(body: bytes) -> list[Any] | None:
    """The items of a JSON list that as a whole cannot be read, each by itself; None when it is no whole list.

    One item is enough for that: a number of thousands of digits, brackets thousands deep, a byte that is no text.
    """
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith("["):
        return None
    items: list[Any] = []
    depth, start = 0, 1
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        if (mark == "," and depth == 1) or depth == 0:
            items.append(_read_one(text[start : found.start()]))
            start = found.end()
        if depth == 0:
            whole = not text[found.end() :] and any(item is not None for item in items)
            return items if whole else None
    return None


def _read_one(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class ConfigReader:
    """Checks that an answer is a ``config.json`` (a :data:`zoo.sources.hub_client.Check`) and keeps what it holds.

    What cannot be used is asked for again, unless it is known to be whole: its ETag is the hash of its content, as the
    Hub's are, or it comes the same three times. ``error`` then says what is wrong with it, ``verified`` that the ETag
    is its hash. Where ETags are known to be hashes (``trusts_etags()``), what has another hash is asked for again as
    well, and what cannot be used is damaged on the way, however often it comes the same.
    """

    config: dict[str, Any] | None = None
    error: str | None = None
    verified = False

    def __init__(self, repo_id: str, *, trusts_etags: Callable[[], bool] = lambda: False) -> None:
        self._repo_id, self._trusts_etags = repo_id, trusts_etags
        self._last: bytes | None = None
        self._times = 0  #: that it came in a row

    def __call__(self, answer: Answer) -> str | None:
        # The Hub serves files as plain text, whatever they hold, and with their commit.
        if is_html(answer) or (answer.commit is None and looks_like_html(answer)):
            return "an HTML page came instead of config.json (a proxy or a login page?)"
        wrong: str | None = None
        try:
            self.config = parse_config(answer.body, source=self._repo_id)
        except BadInput as error:
            wrong = error.reason
        self.verified = is_whole(answer)
        if not self.verified and self._is_doubtful(answer.body, is_config=wrong is None):
            return f"what came is damaged: it {wrong or 'is not what its ETag says'}"
        self.error = wrong and f"config.json {wrong}"
        return None

    def _is_doubtful(self, body: bytes, *, is_config: bool) -> bool:
        self._times = self._times + 1 if body == self._last else 1
        self._last = body
        trusts = self._trusts_etags()
        if is_config:
            return trusts and self._times < _SAME
        return trusts or self._times < _SAME


def is_whole(answer: Answer) -> bool:
    """Whether the body is what its ETag says: git's hash of a blob, or the sha256 of a large file."""
    tag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
    body = answer.body
    blob = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
    return tag == blob or tag == hashlib.sha256(body).hexdigest()
