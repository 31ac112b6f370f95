"""Running the command line as people do, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from zoo.cli import main


class Outcome(NamedTuple):
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, snapshot_path: Path) -> Run:
    """Runs ``zoo`` with words, on the bundled snapshot unless they name another database."""
    monkeypatch.setenv("ZOO_DATABASE_URL", str(snapshot_path))
    monkeypatch.setenv("NO_COLOR", "1")

    def run_zoo(*words: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(int(left.value.code or 0), said.out, said.err)

    return run_zoo
