"""What goes over the wire between the test Hub and its clients: repositories, requests, replies, cursors, errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

EXPANDABLE = frozenset(
    """
    author baseModels cardData config createdAt disabled downloads downloadsAllTime evalResults gated gguf inference
    inferenceProviderMapping lastModified library_name likes mask_token model-index pipeline_tag private resourceGroup
    safetensors sha siblings spaces tags transformersInfo trendingScore widgetData xetEnabled
    """.split()  # noqa: SIM905 - read in one glance
)
LISTED_BY_DEFAULT = ("likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt")


@dataclass
class Repo:
    """A repository with one revision; ``info`` holds whatever else its info says."""

    repo_id: str
    files: dict[str, bytes]
    info: dict[str, Any] = field(default_factory=dict)
    gated: str | bool = False
    private: bool = False
    disabled: bool = False

    @property
    def sha(self) -> str:
        return _hash_files(self.repo_id, tuple(sorted(self.files.items())))

    @property
    def hub_id(self) -> str:
        return str(self.info.get("_id") or hashlib.sha1(self.repo_id.encode()).hexdigest()[:24])

    def describe(self) -> dict[str, Any]:
        """Everything that can be expanded."""
        fields: dict[str, Any] = {
            "author": self.repo_id.partition("/")[0],
            "sha": self.sha,
            "siblings": [{"rfilename": name} for name in sorted(self.files)],
            "downloads": 0,
            "likes": 0,
            "trendingScore": 0,
            "gated": self.gated,
            "private": self.private,
            "disabled": self.disabled,
            "tags": [],
            "createdAt": "2024-01-01T00:00:00.000Z",
            "lastModified": "2024-02-01T00:00:00.000Z",
        }
        return {**fields, **self.info, "_id": self.hub_id, "id": self.repo_id}


@lru_cache(maxsize=100_000)
def _hash_files(repo_id: str, files: tuple[tuple[str, bytes], ...]) -> str:
    content = b"".join(name.encode() + data for name, data in files)
    return hashlib.sha1(repo_id.encode() + content).hexdigest()


class Request(NamedTuple):
    """One request as it came in; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


class Reply(NamedTuple):
    """What is to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Fault:
    """``kind`` for the next ``times`` requests whose path matches: see :meth:`HubServer.break_next`."""

    pattern: re.Pattern[str]
    kind: str
    times: int
    value: Any = None


def break_reply(reply: Reply, fault: Fault | None) -> Reply:
    if fault is None:
        return reply
    if fault.kind == "status":
        return make_error(fault.value, "", "broken for the test")
    if fault.kind == "error":
        return make_error(*fault.value)
    if fault.kind == "html":
        return Reply(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><title>Please log in</title>")
    if fault.kind == "body":
        return reply._replace(body=fault.value)
    if fault.kind == "redirect":
        return Reply(307, {"Location": fault.value})
    return reply


def make_error(status: int, code: str, message: str) -> Reply:
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Error-Message": message}
    if code:
        headers["X-Error-Code"] = code
    return Reply(status, headers, json.dumps({"error": message}).encode())


def make_missing() -> Reply:
    """A missing and a private repository look the same to those who send no token."""
    return make_error(401, "", "Invalid username or password.")


def make_etag(data: bytes) -> str:
    """What git calls the content."""
    return '"' + hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() + '"'


def make_cursor(last: dict[str, Any], sort: str) -> str:
    value = last[sort]
    places = [{sort: value, "_id": {"$gt": last["_id"]}}, {sort: {"$lt": value}}, {sort: None}]
    return base64.b64encode(json.dumps({"$or": places}).encode()).decode()


def read_cursor(cursor: str, sort: str) -> tuple[Any, str]:
    place = json.loads(base64.b64decode(cursor))["$or"][0]
    return place[sort], place["_id"]["$gt"]


def select_fields(model: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {"_id": model["_id"], "id": model["id"], **{name: model[name] for name in names if name in model}}
