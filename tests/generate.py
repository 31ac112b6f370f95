"""Write the generated files, or with ``--check`` say which of them are stale: ``python -m tests.generate [--check]``.

Each generated file says so in its first line. ``make style`` writes them, ``make check`` checks them, and with them
that the migrations lead to the tables that the code declares.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.documents import write_architectures, write_commands, write_metrics

ROOT = Path(__file__).parents[1]

GENERATED = {
    "docs/commands.md": write_commands,
    "docs/metrics.md": write_metrics,
    "docs/architectures.md": write_architectures,
}


def find_stale() -> list[str]:
    """The generated files that are not what their generator writes."""
    return [
        name
        for name, write in GENERATED.items()
        if not (path := ROOT / name).exists() or path.read_text(encoding="utf-8") != write()
    ]


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
    for name, write in GENERATED.items():
        (ROOT / name).write_text(write(), encoding="utf-8")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
