"""Small pieces of markup, kept as files: ``python -m tests.report.golden`` writes them anew, to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.report.fakes import LLAMA, MIXTRAL, make_models, make_row, make_rows, make_view
from zoo.arch.ledger import build_ledger
from zoo.report import scatter, strips
from zoo.report.charts import draw_cache_chart, draw_parts_chart
from zoo.report.diagram import draw_layers
from zoo.report.facts import CACHE, PART_NAMES, list_parts
from zoo.report.markdown import render_markdown
from zoo.report.memory_chart import draw_memory_chart
from zoo.report.render import Sources, _tidy
from zoo.report.tables import Table, lay_out, tabulate
from zoo.report.timeline import draw_timeline

FOLDER = Path(__file__).parent / "golden"
CURVE = [1 << i for i in range(9, 18)]


def write_table(table: Table) -> str:
    module = Sources().make_environment().get_template("blocks.html").make_module({"medium": "html"})
    return _tidy(str(module.table(table)))  # type: ignore[attr-defined]


def write_side_by_side() -> str:
    return write_table(lay_out("cache", "KV cache", CACHE, make_models(make_rows(2)))[0])


def write_by_model() -> str:
    return write_table(tabulate("cache", "KV cache", CACHE[:4], make_models(make_rows(2))))


def write_strip() -> str:
    (model,) = make_models([make_row("acme/moe", MIXTRAL | {"num_hidden_layers": 3})])
    return f"{strips.draw_strip('moe', 'moe: 3 layers', model.layers)}\n"


def write_parts() -> str:
    models = make_models([make_row("acme/llama", LLAMA)])
    return f"{draw_parts_chart(models, list_parts(models), PART_NAMES).svg}\n".replace("><", ">\n<")


def write_curves() -> str:
    chart = draw_cache_chart(make_models(make_rows(2)), CURVE, 1 << 15)
    assert chart is not None
    return f"{chart.svg}\n".replace("><", ">\n<")


def write_dots() -> str:
    chart = scatter.draw_size_chart(make_models(make_rows(3)))
    assert chart is not None
    return f"{chart.svg}\n".replace("><", ">\n<")


def write_steps(markup: object) -> str:
    return f"{markup}\n".replace("><", ">\n<")


def write_layers() -> str:
    return write_steps(draw_layers("layers", "Mixtral", build_ledger(MIXTRAL))[0].svg)


def write_memory() -> str:
    chart = draw_memory_chart(make_models(make_rows(3)), 1 << 15)
    assert chart is not None
    return write_steps(chart.svg)


def write_timeline() -> str:
    rows = [make_row(f"a/m{i}", LLAMA | {"vocab_size": 9 + i}, created_at=f"202{i}-03-04") for i in range(3)]
    chart = draw_timeline(make_models(rows))
    assert chart is not None
    return write_steps(chart.svg)


def write_blocks(section: str, count: int, **options: str) -> str:
    """All blocks of a section of the first ``count`` models."""
    view = make_view(make_rows(count), sections=(section,), **options)
    module = Sources().make_environment().get_template("blocks.html").make_module({"medium": "html"})
    return _tidy("".join(str(module.block(b)) for b in view.sections[0].blocks))  # type: ignore[attr-defined]


PIECES: dict[str, Callable[[], str]] = {
    "table-side-by-side.html": write_side_by_side,
    "table-by-model.html": write_by_model,
    "strip.svg": write_strip,
    "parts.svg": write_parts,
    "curves.svg": write_curves,
    "dots.svg": write_dots,
    "layers.svg": write_layers,
    "memory.svg": write_memory,
    "timeline.svg": write_timeline,
    "answer.html": lambda: write_blocks("answer", 3, base="meta-llama/Llama-3.1-8B"),
    "lineage.html": lambda: write_blocks("lineage", 3),
    "sheet.html": lambda: write_blocks("models", 1),
    "arithmetic.html": lambda: write_blocks("arithmetic", 1),
    "differences.html": lambda: write_blocks("differences", 2),
    "families.html": lambda: write_blocks("families", 24),
    "ranking.html": lambda: write_blocks("ranking", 24),
    "report.md": lambda: render_markdown(make_view(make_rows(2))),
}

if __name__ == "__main__":
    for name, write in PIECES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
