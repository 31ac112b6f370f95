"""Write the generated files, or with ``--check`` say which of them are stale: ``python -m tests.generate [--check]``.

Each generated file says so in its first line. ``make style`` writes them, ``make check`` checks them, and with them
that the migrations lead to the tables that the code declares.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.counting import write_counting
from tests.documents import MARK, write_architectures, write_commands, write_metrics

ROOT = Path(__file__).parents[1]


def write_all() -> dict[str, str]:
    """The text of every generated file, by name."""
    pages = {"docs/commands.md": write_commands(), "docs/metrics.md": write_metrics()}
    return {**pages, "docs/counting.md": write_counting(MARK), **write_architectures()}


def find_stale() -> list[str]:
    """The generated files that are not what their generator writes, or that nothing writes any more."""
    texts = write_all()
    stale = [
        name
        for name, text in texts.items()
        if not (path := ROOT / name).exists() or path.read_text(encoding="utf-8") != text
    ]
    return stale + [name for name in list_pages() if name not in texts]


def list_pages() -> list[str]:
    """The pages of families that there are."""
    return sorted(f"docs/architectures/{path.name}" for path in (ROOT / "docs/architectures").glob("*.md"))


def check_migrations() -> None:
    """Raise CheckFailed when the migrations do not lead to the tables that the code declares."""
    from zoo.db.migrate import check_models

    with tempfile.TemporaryDirectory() as folder:
        check_models(f"sqlite:///{folder}/check.sqlite")


def main() -> int:
    if "--check" in sys.argv:
        for name in (stale := find_stale()):
            print(f"{name} is stale: run `make style`", file=sys.stderr)
        check_migrations()
        return 1 if stale else 0
    texts = write_all()
    for name in list_pages():
        if name not in texts:
            (ROOT / name).unlink()
    for name, text in texts.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
    print(f"{len(texts)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
