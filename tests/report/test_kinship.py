"""Lineage, differences, fact sheets, arithmetic, and changes against a base."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.report.fakes import (
    BERT,
    LLAMA,
    MIXTRAL,
    UNKNOWN,
    find,
    list_blocks,
    list_tables,
    make_models,
    make_row,
    make_rows,
    make_view,
)
from zoo.arch.ledger import build_ledger
from zoo.errors import UsageError
from zoo.report.diagram import draw_layers
from zoo.report.memory_chart import draw_memory_chart, name_device
from zoo.report.models import read_models
from zoo.report.scope import Scope
from zoo.report.sections.kinship import build_lineage, find_relative, say_changes
from zoo.report.summary import tell_base
from zoo.report.tables import Cell, say_change, text_cell

SVG = "{http://www.w3.org/2000/svg}"
QWEN3 = {
    "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 1024, "intermediate_size": 3072,
    "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151936, "max_position_embeddings": 40960, "rope_theta": 1000000, "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}  # fmt: skip
JAMBA = {"model_type": "jamba", "architectures": ["JambaForCausalLM"], "torch_dtype": "bfloat16"}


def test_lineage_is_a_known_design_and_what_differs() -> None:
    view = make_view([make_row("acme/qwen", QWEN3), make_row("acme/llama", LLAMA)])
    told = {line.head.label: line.cells[0].text for line in list_tables(view, "lineage")["lineage-table"].lines}
    assert told["llama"] == "Llama decoder"
    assert told["qwen"].startswith("Llama decoder + QK-norm")
    (items,) = list_blocks(view, "lineage", "items")
    assert items.items[0].label == "qwen, beside llama"
    assert "adds QK-norm" in items.items[0].text


def test_a_pair_is_told_once_and_each_model_beside_its_nearest() -> None:
    small = LLAMA | {"num_hidden_layers": 16}
    models = make_models([make_row("a/one", LLAMA), make_row("a/two", small), make_row("a/moe", MIXTRAL)])
    by_name = {m.label: m for m in models}
    nearest = find_relative(by_name["one"], models)
    assert nearest is by_name["two"]
    assert find_relative(by_name["one"], [by_name["one"]]) is None
    view = make_view([make_row("a/one", LLAMA), make_row("a/two", small)])
    assert len(list_blocks(view, "lineage", "items")[0].items) == 1


def test_models_that_are_alike_are_said_to_be() -> None:
    one, two = make_models([make_row("a/one", LLAMA), make_row("b/two", LLAMA)])
    assert say_changes(one, two) == "the same in everything that zoo counts."
    many = say_changes(make_models([make_row("a/moe", MIXTRAL)])[0], make_models([make_row("a/bert", BERT)])[0])
    assert more_is_said(many)


def more_is_said(text: str) -> bool:
    return text.endswith(" more.") and "; and " in text


def test_kept_models_have_no_lineage_to_tell() -> None:
    kept = read_models([make_row("a/one", LLAMA), make_row("b/two", LLAMA)], (32768,), stored=True)
    with pytest.raises(ValueError, match="by their ledgers"):
        say_changes(*kept)
    assert build_lineage(Scope(kept, 32768)) == ()


def test_differing_keys_of_few_models_stand_in_one_table() -> None:
    rows = [make_row("a/one", LLAMA), make_row("a/two", LLAMA | {"vocab_size": 100, "hidden_act": "gelu"})]
    lines = {line.head.label: [c.text for c in line.cells] for line in list_tables(make_view(rows), "differences")[
        "config-keys"].lines}  # fmt: skip
    assert lines == {"hidden_act": ['"gelu"', "–"], "vocab_size": ["100", "128,256"]}
    same = make_view([make_row("a/one", LLAMA), make_row("b/two", dict(LLAMA))])
    assert list_blocks(same, "differences", "prose")[0].text == "The configs have the same keys and values."
    assert "differences" not in [s.id for s in make_view(rows[:1]).sections]


def test_differing_keys_of_more_models_stand_beside_the_nearest() -> None:
    tables = list_tables(make_view(make_rows(6)), "differences")
    captions = [table.caption for table in tables.values()]
    assert any(caption.startswith("Llama-3.1-8B beside Mistral-7B-v0.1") for caption in captions)
    copies = [make_row(f"a/copy-{i}", LLAMA) for i in range(6)]
    assert "differences" not in [s.id for s in make_view(copies).sections]


def test_very_many_keys_are_counted() -> None:
    wild = LLAMA | {f"some_key_{i}": i for i in range(80)}
    table = list_tables(make_view([make_row("a/one", LLAMA), make_row("a/two", wild)]), "differences")["config-keys"]
    assert table.caption == "Config keys that differ (20 more are not shown)"
    assert len(table.lines) == 60


def test_a_sheet_has_facts_words_and_a_drawing() -> None:
    view = make_view([make_row("acme/moe", MIXTRAL), make_row("acme/llama", LLAMA)])
    sheets = {sheet.head.label: sheet for sheet in list_blocks(view, "models", "sheet")}
    facts = dict(sheets["moe"].facts)
    assert facts["Parameters"] == "46,702,792,704 (46.7 B)"
    assert facts["Active per token"] == "12,879,925,248 (27.6 %)"
    assert facts["Experts"] == "8, 2 for each token"
    assert facts["Attention"] == "gqa, 32 heads, 8 KV heads of 128"
    assert sheets["moe"].words[0].startswith("Mixtral decoder")
    assert sheets["moe"].words[2].startswith("Beside llama: ")
    assert sheets["llama"].drawings[0].narrow
    bare = dict(
        list_blocks(make_view([make_row("a/b", BERT, license=None, created_at=None)]), "models", "sheet")[0].facts
    )
    assert "License" not in bare
    assert "Created" not in bare


def test_the_arithmetic_ends_at_the_total() -> None:
    view = make_view([make_row("meta-llama/Llama-3.1-8B"), make_row("acme/moe", MIXTRAL)])
    table = list_tables(view, "arithmetic")["steps"]
    assert table.caption == "Llama-3.1-8B: 8,030,261,248 parameters"
    assert table.lines[-1].cells[-1].text == "8,030,261,248"
    terms = {term.label: term.text for term in list_blocks(view, "arithmetic", "terms")[0].terms}
    assert any(label.startswith("V = 128,256") for label in terms)


def draw(config: dict[str, object]) -> ET.Element:
    return ET.fromstring(draw_layers("x", "x", build_ledger(config))[0].svg)


def test_a_layer_is_drawn_from_the_ledger() -> None:
    texts = [element.text for element in draw(LLAMA).iter(f"{SVG}text")]
    assert "32 × layers: 0-31" in texts
    assert "q_proj  n_q·d × H" in texts
    assert "keeps full: 2,048 elements a token" in texts
    assert any("H = 4,096" in (text or "") for text in texts)


@pytest.mark.parametrize("config", [LLAMA, MIXTRAL, BERT, JAMBA, {"model_type": "mllama"}, {"model_type": "whisper"}])
def test_no_drawing_leaves_its_frame(config: dict[str, object]) -> None:
    root = draw(config)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        left, top = float(box.attrib["x"]), float(box.attrib["y"])
        assert left >= 0
        assert left + float(box.attrib["width"]) <= width
        assert top + float(box.attrib["height"]) <= height


@pytest.mark.parametrize(
    ("value", "base", "said"),
    [
        ("10", "10", "="), ("15", "10", "+50.0 %"), ("9", "10", "−10.0 %"), ("20", "10", "2.0×"),
        ("1", "10", "−90.0 %"), ("10001", "10000", "≈"), ("0", "10", ""), ("5", "0", ""), ("", "10", ""),
        ("x", "10", "≠"),
    ],
)  # fmt: skip
def test_a_change_is_a_share_or_a_factor(value: str, base: str, said: str) -> None:
    assert say_change(Cell(value, sort=value), Cell(base, sort=base)) == said


def test_words_are_alike_or_not() -> None:
    assert say_change(text_cell("gqa"), text_cell("mha")) == "≠"
    assert say_change(text_cell("gqa"), text_cell("GQA")) == "="


def test_every_model_is_compared_to_the_base() -> None:
    rows = make_rows(5)
    view = make_view(rows, base="meta-llama/Llama-3.1-8B")
    assert view.base == "Llama-3.1-8B"
    lines = {line.head.label: line for line in list_tables(view, "answer")["at-a-glance"].lines}
    assert lines["Mixtral-8x7B-v0.1"].cells[0].change == "5.8×"
    assert lines["Mixtral-8x7B-v0.1"].cells[3].change == "="
    assert {cell.change for cell in lines["Llama-3.1-8B"].cells} == {""}
    summary = dict(list_blocks(view, "answer", "summary")[0].sentences)
    assert summary["Against the base"] == (
        "3 of 4 keep less at 32k tokens than Llama-3.1-8B does; gemma-3-1b-it keeps least, 3.4 % of it. "
        "1 of 4 have more parameters."
    )
    labels = [item.label for item in list_blocks(view, "lineage", "items")[0].items]
    assert len(labels) == 4
    assert all(label.endswith("beside Llama-3.1-8B") for label in labels)
    assert view.title == "5 models compared with Llama-3.1-8B"


def test_nothing_is_compared_to_a_model_without_numbers() -> None:
    with pytest.raises(UsageError, match="nothing can be compared to acme/odd: model_type"):
        make_view([make_row("acme/odd", UNKNOWN), make_row("acme/llama", LLAMA)], base="acme/odd")


def test_a_base_alone_has_nothing_to_say() -> None:
    (model,) = make_models([make_row("acme/llama", LLAMA)])
    assert tell_base([model], model, 1 << 15) is None


def test_memory_names_the_smallest_device_that_holds_it() -> None:
    assert name_device(10 * 10**9) == "RTX 4090"
    assert name_device(70 * 10**9) == "H100 SXM"
    assert name_device(500 * 10**9) == "2 × B300"
    view = make_view([make_row("acme/llama", LLAMA)])
    assert find(view, "memory", "8 sequences") == "50.42 GB"


def test_the_memory_chart_says_how_many_fit() -> None:
    rows = [make_row("acme/llama", LLAMA), make_row("acme/moe", MIXTRAL)]
    models = make_models(rows)
    chart = draw_memory_chart(models, 1 << 15)
    assert chart is not None
    assert chart.title == "1 of 2 fit on one H100 SXM with 32k tokens of context"
    one = draw_memory_chart(models[:1], 1 << 15)
    both = draw_memory_chart(make_models([rows[0], make_row("a/b", LLAMA)]), 1 << 15)
    none = draw_memory_chart(make_models([make_row("acme/odd", LLAMA | {"torch_dtype": "float13"})]), 1 << 15)
    assert one is not None
    assert one.title.startswith("llama fits on one H100")
    assert both is not None
    assert both.title.startswith("All of these fit")
    assert none is None


def test_every_type_of_the_snapshot_is_drawn_within_its_frame() -> None:
    from zoo.arch.config import UnsupportedError
    from zoo.sources.snapshot import read_snapshot

    drawn: set[str] = set()
    for record in read_snapshot():
        name = str((record.config or {}).get("model_type"))
        if name in drawn or not record.config:
            continue
        try:
            ledger = build_ledger(record.config)
        except UnsupportedError:
            continue
        drawn.add(name)
        for chart in draw_layers("x", name, ledger):
            root = ET.fromstring(chart.svg)
            _, _, width, height = map(float, root.attrib["viewBox"].split())
            assert height < 1200, name
            for box in root.iter(f"{SVG}rect"):
                assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width, name
                assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height, name
    assert len(drawn) > 80


def test_a_model_of_many_stacks_is_drawn_in_pieces() -> None:
    charts = draw_layers("x", "mllama", build_ledger({"model_type": "mllama"}))
    assert len(charts) > 1
    assert charts[0].title == f"One layer of each kind of mllama (1 of {len(charts)})"
    assert len({chart.id for chart in charts}) == len(charts)


def test_what_has_no_room_in_a_drawing_is_counted() -> None:
    from zoo.explain.layers import Layer, Module, Stack
    from zoo.report import diagram

    many = [Module(f"m{i}", {"mlp"}, [(f"t{j}", "H") for j in range(12)]) for i in range(12)]
    assert "and 4 more" in str(diagram.draw_outside(many, 0, 700).body)
    kinds = [Layer(str(i), 1, many, [], [], "decoder") for i in range(5)]
    drawn = str(diagram.draw_stack(Stack("model.layers", kinds), 0).body)
    assert "and 2 more kinds of layer in 2 layers" in drawn
    assert "and 3 more modules" in drawn
    assert "and 3 more" in drawn


def test_an_arithmetic_of_very_many_steps_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.report.sections import models

    monkeypatch.setattr(models, "MOST_STEPS", 3)
    table = list_tables(make_view([make_row("acme/llama", LLAMA)]), "arithmetic")["steps"]
    assert len(table.lines) == 3
    assert "(the first 3 of " in table.caption


def test_a_model_without_heads_has_only_a_kind() -> None:
    mamba = {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "torch_dtype": "bfloat16"}
    (sheet,) = list_blocks(make_view([make_row("acme/mamba", mamba)]), "models", "sheet")
    assert dict(sheet.facts)["Attention"] == "ssm"
