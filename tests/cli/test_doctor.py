"""``zoo doctor``: what is found of the environment, and what is never said."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo.doctor
from tests.cli.calling import Call, call, save
from tests.records import make_record
from zoo.errors import HubError

__all__ = ["call", "save"]


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise HubError("the Hub cannot be reached")

    monkeypatch.setattr("zoo.sources.hub.probe", refuse)


def find(call: Call, what: str) -> dict[str, str]:
    findings = call("doctor", "--json").document["findings"]
    return next(finding for finding in findings if finding["what"] == what)


def test_all_is_well_without_database_and_hub(call: Call) -> None:
    found = call("doctor")
    assert found.code == 0
    assert "note    schema: there is none yet: zoo sync makes it" in found.out
    assert "note    Hub: the Hub cannot be reached" in found.out
    assert "ok      zoo: " in found.out
    assert call("doctor", "--json").document["ok"] is True


def test_the_hub_may_answer(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = []
    monkeypatch.setattr("zoo.sources.hub.probe", lambda settings: patience.append(settings.probe_timeout))
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@hub.example")
    assert find(call, "Hub")["text"] == "https://hub.example answers"
    assert patience == [zoo.doctor.PATIENCE]


def test_a_token_is_a_yes_and_nothing_more(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    found = call("doctor")
    assert "token: yes" in found.out
    assert "hf_secret" not in found.out + found.err
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert find(call, "token")["text"] == "no"


def test_the_database_is_described(call: Call, save: Callable[..., None]) -> None:
    save([make_record("acme/tiny")])
    assert find(call, "schema")["text"].startswith("current (")
    assert find(call, "models")["text"].startswith("1, ")


CURRENT = {"schema": "current", "revision": "1", "models": 5, "bytes": None, "to_recompute": 3}


@pytest.mark.parametrize(
    ("status", "what", "text"),
    [
        ({"schema": "older"}, "schema", "older than this zoo"),
        (
            {"schema": "current", "revision": "1", "models": 5, "bytes": None, "to_recompute": 3},
            "numbers",
            "3 were computed",
        ),
    ],
)
def test_a_database_may_want_an_upgrade(
    call: Call, monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], what: str, text: str
) -> None:
    monkeypatch.setattr("zoo.db.status.read_status", lambda _: {"database": "x", **status})
    finding = find(call, what)
    assert finding["state"] == "note"
    assert finding["text"].startswith(text)


def test_a_damaged_database_is_a_problem(call: Call, tmp_path: Path) -> None:
    (tmp_path / "zoo.sqlite").write_bytes(b"no database at all, but long enough to be looked at " * 40)
    found = call("doctor")
    assert found.code == 1
    assert "problem database:" in found.out
    assert "not as zoo needs them" in found.err


def test_missing_libraries_are_a_problem(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "weasyprint.text.ffi":
            raise OSError("cannot load library 'libpango'\nmore")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr("zoo.paths.templates_dir", lambda: tmp_path)
    monkeypatch.setattr(zoo.doctor, "LIBRARIES", ("no-such-library",))
    found = call("doctor")
    assert found.code == 1
    assert "problem Pango: cannot be loaded (cannot load library 'libpango')" in found.out
    assert "problem bundled fonts: are missing" in found.out
    assert "problem no-such-library: is missing" in found.out
