"""Where the files that are not Python modules lie: in a checkout, or packed into an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def migrations_dir() -> Path:
    """Folder of the schema migrations (``env.py``, ``versions/``)."""
    return _find_data("migrations", "migrations")


def templates_dir() -> Path:
    """Folder of the report templates."""
    return _find_data("reports/templates", "templates")


def _find_data(in_checkout: str, packed: str) -> Path:
    """The folder of the checkout where there is one: an editable install may hold an older packed copy beside it."""
    root = _PACKAGE.parent
    for folder in (root / in_checkout, _PACKAGE / "_data" / packed):
        if folder.is_dir() and (folder.is_relative_to(_PACKAGE) or (root / "pyproject.toml").is_file()):
            return folder
    raise FileNotFoundError(f"{_PACKAGE / '_data' / packed} (zoo's own files are missing: install zoo again)")
