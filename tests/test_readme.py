"""The README: every command in it is run, and its Python too."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(program)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A machine with no network and no database yet."""
    home = tmp_path_factory.mktemp("home")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "ZOO_"))}
    return kept | {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(home / "hf"),
        "ZOO_DATABASE_URL": str(home / "zoo.sqlite"),
        "OUT": str(home / "out"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(line), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def reported(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The first of the two commands, run as it stands; the other commands use its database."""
    line = commands("make report")[0]
    return run(f"{line} OUT={environment['OUT']}", environment)


def test_the_first_command_makes_the_database_and_both_files(
    reported: subprocess.CompletedProcess[str], environment: dict[str, str]
) -> None:
    assert reported.returncode == 0, reported.stderr
    assert "snapshot" in reported.stderr
    for name in ("zoo-report.html", "zoo-report.pdf"):
        assert str(Path(environment["OUT"]) / name) in reported.stdout
        assert (Path(environment["OUT"]) / name).stat().st_size > 10_000


@pytest.mark.parametrize("line", commands("zoo"))
def test_every_zoo_command_of_the_readme_answers(
    line: str, reported: subprocess.CompletedProcess[str], environment: dict[str, str]
) -> None:
    done = run(line, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_second_command_is_what_runs_these_tests() -> None:
    assert [line for line in commands("make") if not line.startswith("make report")] == ["make test"]
    assert "exec make test" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "ledger"


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
