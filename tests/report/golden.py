"""Small pieces of markup, kept as files: ``python -m tests.report.golden`` writes them anew, to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.report.fakes import LLAMA, MIXTRAL, make_models, make_row, make_rows
from zoo.report import scatter, strips
from zoo.report.charts import draw_cache_chart, draw_parts_chart
from zoo.report.facts import CACHE, PART_NAMES, list_parts
from zoo.report.render import Sources, _tidy
from zoo.report.tables import Table, lay_out, tabulate

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


PIECES: dict[str, Callable[[], str]] = {
    "table-side-by-side.html": write_side_by_side,
    "table-by-model.html": write_by_model,
    "strip.svg": write_strip,
    "parts.svg": write_parts,
    "curves.svg": write_curves,
    "dots.svg": write_dots,
}

if __name__ == "__main__":
    for name, write in PIECES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
