"""Running commands as people call them, with a database of their own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import zoo.cli
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.record import ModelRecord

COMMANDS = ("show", "explain", "compare", "diff", "families", "analyze", "doctor")


class Output(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Output]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs ``zoo`` with the commands of this part; ``stdin`` are bytes."""
    monkeypatch.setattr(zoo.cli, "COMMANDS", COMMANDS)
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: object, stdin: bytes = b"") -> Output:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            zoo.cli.main(["--db", str(tmp_path / "zoo.sqlite"), *map(str, words)])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Output(code, *capsys.readouterr())

    return run


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Iterable[ModelRecord]], None]:
    """Puts records into the database that ``call`` uses."""

    def save_records(records: Iterable[ModelRecord]) -> None:
        engine = open_engine(str(tmp_path / "zoo.sqlite"), write=True)
        DatabaseStore(engine).save(list(records))
        engine.dispose()

    return save_records


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a config (or bytes as they are) to a file."""

    def write_file(name: str, content: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write_file
