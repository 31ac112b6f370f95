"""Files that are not Python: the checkout's where there is one, else the packed copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import paths


def test_the_checkout_has_both_folders() -> None:
    assert (paths.migrations_dir() / "env.py").is_file()
    assert paths.migrations_dir().name == "migrations"


def make_package(root: Path, *folders: str) -> Path:
    for folder in ("zoo", *folders):
        (root / folder).mkdir(parents=True)
    return root / "zoo"


def test_the_checkout_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_package(tmp_path, "migrations", "zoo/_data/migrations", "reports/templates")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.migrations_dir() == tmp_path / "migrations"
    assert paths.templates_dir() == tmp_path / "reports" / "templates"


def test_an_installed_package_uses_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_package(tmp_path, "migrations", "zoo/_data/migrations", "zoo/_data/templates")
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.migrations_dir() == package / "_data" / "migrations"
    assert paths.templates_dir() == package / "_data" / "templates"


def test_an_installation_without_them_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_PACKAGE", make_package(tmp_path))
    with pytest.raises(FileNotFoundError, match="install zoo again"):
        paths.templates_dir()
