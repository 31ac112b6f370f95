"""The wheel: built, installed into a fresh environment, and used from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("zoo-*.whl"))


@pytest.fixture(scope="module")
def fresh_zoo(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``zoo`` of a new environment that has the wheel, and the libraries of this one, but not this checkout."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=True, symlinks=True)
    python = home / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    site = next((home / "lib").glob("python*/site-packages"))
    # A path line makes the libraries importable without running their .pth files: the checkout stays out.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home / "bin" / "zoo"


def run(command: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "ZOO", "PYTHON"))}
    environment |= {"HF_ENDPOINT": "http://127.0.0.1:9", "XDG_DATA_HOME": str(cwd / "data"), "HF_HOME": str(cwd / "hf")}
    return subprocess.run([str(command), *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_migrations_and_templates_are_in_the_wheel(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert any(name.startswith("zoo/_data/migrations/versions/") for name in names)
    assert any(name.startswith("zoo/_data/templates/") for name in names)
    assert {"zoo/watchlist.toml", "zoo/snapshot/models.jsonl", "zoo/arch/defaults.json"} <= set(names)
    assert not any(name.startswith("tests/") for name in names)


def test_an_installed_wheel_syncs_and_reports_from_another_folder(fresh_zoo: Path, tmp_path: Path) -> None:
    synced = run(fresh_zoo, "sync", cwd=tmp_path)
    assert synced.returncode == 0, synced.stderr
    reported = run(fresh_zoo, "report", "--models", "llama,mistral", "--out", "out", cwd=tmp_path)
    assert reported.returncode == 0, reported.stderr
    assert "8,030,261,248" in (tmp_path / "out" / "zoo-report.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "zoo-report.pdf").read_bytes().startswith(b"%PDF-")
    where = subprocess.run(
        [str(fresh_zoo.parent / "python"), "-c", "import zoo; print(zoo.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(ROOT) not in where.stdout
