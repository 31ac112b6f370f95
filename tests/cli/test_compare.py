"""``zoo compare``: models side by side."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tests.cli.calling import Call, call, save, write
from tests.explain.configs import LLAMA_7B, LLAMA_8B
from tests.records import make_config, make_problem, make_record
from zoo.cli.compare import print_comparison
from zoo.explain.comparison import Comparison, Subject, compare_models
from zoo.metrics.analysis import analyze
from zoo.sources.record import HubFacts

__all__ = ["call", "save", "write"]


def rows_of(text: str) -> dict[str, list[str]]:
    """Cells by label; a label ends where two spaces follow."""
    rows = {}
    for line in text.splitlines():
        label, _, rest = line.strip().partition("  ")
        rows[label] = rest.split()
    return rows


def test_two_files_stand_side_by_side_with_the_best_marked(call: Call, write: Any) -> None:
    found = call("compare", write("a.json", LLAMA_7B), write("b.json", LLAMA_8B))
    assert found.code == 0
    rows = rows_of(found.out)
    assert rows["Total"] == ["6,738,415,616", "8,030,261,248"]
    assert rows["KV heads"] == ["32", "8"]
    assert rows["Per token (KiB)"] == ["512", "128", "*"]
    assert rows["As stored (GiB)"] == ["12.55", "*", "14.96"]
    assert rows["Context (tokens)"] == ["2,048", "131,072", "*"]
    assert rows["Layers"] == ["32", "32"]
    assert "Experts, routed" not in rows


def test_words_bring_one_model_each_and_globs_several(call: Call, save: Callable[..., None]) -> None:
    save(
        [
            make_record("acme/small", facts=HubFacts(downloads=5)),
            make_record("acme/large", config=make_config(hidden_size=128), facts=HubFacts(downloads=9)),
            make_record("other/large", config=make_config(hidden_size=256), facts=HubFacts(downloads=1)),
        ]
    )
    words = call("compare", "small,large", "--json")
    assert words.document["models"] == ["acme/small", "acme/large"]
    assert "large: taken to be acme/large" in words.err
    assert call("compare", "acme/*", "--json").document["models"] == ["acme/large", "acme/small"]
    assert call("compare", "*", "--top", "3", "--json").document["models"][2] == "other/large"
    noted = call("compare", "*", "--top", "2", "--json")
    assert len(noted.document["models"]) == 2
    assert "left out" in noted.err


def test_a_comparison_is_json_and_markdown_too(call: Call, write: Any) -> None:
    one, two = write("a.json", LLAMA_7B), write("b.json", LLAMA_8B)
    document = call("compare", one, two, "--format", "json").document
    row = next(row for row in document["sections"]["Attention"] if row["label"] == "KV heads")
    assert row == {"label": "KV heads", "values": [32, 8], "texts": ["32", "8"], "best": [], "differs": True}
    row = document["sections"]["KV cache and state, one sequence"][1]
    assert row["best"] == ["local/b"]
    text = call("compare", one, two, "--format", "md").out
    assert "| | local/a | local/b |" in text
    assert "| Per token (KiB) | 512 | **128** |" in text


def test_one_model_cannot_be_compared(call: Call, write: Any) -> None:
    found = call("compare", write("a.json", LLAMA_7B))
    assert found.code == 2
    assert "zoo show" in found.err


def test_a_model_without_numbers_is_a_column_with_the_reason(call: Call, save: Callable[..., None], write: Any) -> None:
    save([make_problem("gated", "acme/shut", "it is shut")])
    rows = rows_of(call("compare", "acme/shut", write("a.json", LLAMA_7B)).out)
    assert rows["No numbers because"] == ["it", "is", "shut", "–"]
    assert rows["Total"] == ["–", "6,738,415,616"]


def make_console(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, markup=False)


def print_at(width: int, comparison: Comparison) -> list[str]:
    """The lines that a terminal of that width gets."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None, markup=False)
    print_comparison(console, comparison)
    return file.getvalue().splitlines()


def compare_depths(count: int) -> Comparison:
    configs = [make_config(num_hidden_layers=layers + 1) for layers in range(count)]
    return compare_models([Subject(f"acme/model-{n}", analyze(c).as_dict()) for n, c in enumerate(configs)])


def test_side_by_side_needs_a_terminal_that_is_wide_enough() -> None:
    comparison = compare_depths(3)
    assert "  Queries per KV head" in "\n".join(print_at(100, comparison))
    narrow = print_at(60, comparison)
    assert not any("Queries" in line for line in narrow)
    assert all(len(line) <= 60 for line in narrow)
    assert [line.split() for line in narrow if "Layers" in line] == [["Layers", "1"], ["Layers", "2"], ["Layers", "3"]]
    assert not any("…" in line for line in narrow)


def test_many_models_are_a_line_each() -> None:
    lines = print_at(400, compare_depths(10))
    assert len(lines) == 12
    assert lines[2].split()[0] == "acme/model-0"
