"""Repository ids: what the Hub allows, and what the names of files and folders tell."""

from __future__ import annotations

import re
from typing import TypeGuard

_PART = r"(?=\.*[A-Za-z0-9_-])[A-Za-z0-9_.-]{1,96}"  # not of dots alone
_ID = re.compile(rf"{_PART}(/{_PART})?\Z")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.-]+")
_RUNS = re.compile(r"[-.]{2,}")
SHA = re.compile(r"[0-9a-f]{40}\Z")


def is_repo_id(text: str) -> bool:
    """Whether the Hub lets a repository be named so: ``author/name`` or the old form ``name``; no ``--``, no ``..``."""
    return is_listed_id(text) and "--" not in text and ".." not in text and not text.endswith(".git")


def is_listed_id(text: object) -> TypeGuard[str]:
    """Whether ``text`` may stand in an address as an id: less strict, for the old names that a listing still holds."""
    return isinstance(text, str) and _ID.match(text) is not None


def split_double_dash(text: str) -> str | None:
    """``author/name`` from ``author--name`` or ``models--author--name``; None when ``text`` is no such thing."""
    repo_id = text.removeprefix("models--").replace("--", "/")
    return repo_id if "--" in text and "/" in repo_id and is_repo_id(repo_id) else None


def make_local_id(text: str) -> str:
    """``local/…`` for something that has no repository id: the text with what no id may hold replaced by ``-``."""
    name = _RUNS.sub("-", _NOT_ALLOWED.sub("-", text)).strip("-.")[:90].strip("-.")
    return f"local/{name or 'config'}"
