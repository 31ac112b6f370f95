"""Promises of the project about itself: dependencies argued for, imports light, no cycles, generated files fresh."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.generate import find_stale
from zoo.cli import COMMANDS

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "zoo").rglob("*.py"))


def declared_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {re.split(r"[\[<>=,; ]", line, maxsplit=1)[0] for line in lines}


def test_every_dependency_is_argued_for_and_nothing_else_is() -> None:
    argued = set(re.findall(r"^\| ([\w-]+) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE))
    assert argued - {"package", "---"} == declared_dependencies()


def test_every_locked_version_is_free_of_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    for name in declared_dependencies() - {"torch", "transformers", "accelerate"}:
        assert re.search(rf"^{name.replace('_', '-')}==", lock, re.MULTILINE), name


@pytest.mark.parametrize("words", [["--version"], ["analyze", "--help"]])
def test_starting_loads_no_heavy_library(words: list[str]) -> None:
    heavy = ("pandas", "weasyprint", "pyarrow", "sqlalchemy", "huggingface_hub", "numpy", "alembic", "jinja2")
    code = (
        "import sys\nfrom zoo.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("HEAVY []")


def test_generated_files_are_fresh() -> None:
    assert find_stale() == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    for name in COMMANDS:
        assert f"## zoo {name}\n" in text


def imports_at_top(path: Path) -> set[str]:
    """Modules of zoo that ``path`` imports when it is itself imported (not inside functions, not for types only)."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("zoo"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("zoo")}
    return found


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_imports_have_no_cycle() -> None:
    graph = {name_module(path): imports_at_top(path) for path in SOURCES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for other in graph[name]:
            if other != name:
                visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    ("part", "forbidden"),
    [
        ("arch", ("zoo.db", "zoo.sources", "zoo.report", "zoo.cli", "zoo.metrics", "zoo.explain")),
        ("metrics", ("zoo.db", "zoo.sources", "zoo.report", "zoo.cli")),
        ("sources", ("zoo.db", "zoo.report", "zoo.cli", "zoo.arch", "zoo.metrics")),
        ("report", ("zoo.sources", "zoo.cli")),
    ],
)
def test_rooms_know_only_what_they_should(part: str, forbidden: tuple[str, ...]) -> None:
    for path in (ROOT / "zoo" / part).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for module in forbidden:
            assert not re.search(rf"^\s*(from|import) {re.escape(module)}\b", text, re.MULTILINE), (path.name, module)


def test_files_and_functions_stay_small() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 50, (path, node.name)
