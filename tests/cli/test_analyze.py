"""``zoo analyze``: config files in, exact numbers out, whatever the files hold."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Call, call, write
from tests.explain.configs import LLAMA_8B
from tests.records import LLAMA_PARAMS, make_config
from zoo.cli import inputs
from zoo.cli.inputs import Item, Options, map_lines, parse_line, sniff_input, split_lines, write_item
from zoo.metrics.analysis import Analysis

__all__ = ["call", "write"]


def test_one_file_gives_the_document_of_the_contract(call: Call, write: Any) -> None:
    found = call("analyze", write("c.json", LLAMA_8B), "--json")
    assert found.code == 0
    document = found.document
    assert document["repo_id"] is None
    assert document["params"]["total"] == 8_030_261_248
    assert document["kv_cache"]["bytes_per_token"] == 131_072
    assert found.out.startswith('{\n  "repo_id": null,')
    assert "tensors" not in document


def test_one_file_gives_a_sheet_that_people_read(call: Call, write: Any) -> None:
    found = call("analyze", write("c.json", LLAMA_8B))
    lines = [line.rstrip() for line in found.out.splitlines()]
    for line in (
        "Method       ledger (exact)",
        "Total                  8,030,261,248 (8.03 B)",
        "Attention             grouped-query (GQA)",
        "Per token (bfloat16)  131,072 bytes (128 KiB)",
        "As stored (bfloat16)  16,060,522,496 bytes (15.0 GiB)",
        "Optimal tokens (20 a parameter)       160,605,224,960 (161 B)",
        "Training FLOPs (6 × active × tokens)  7.74e21",
    ):
        assert line in lines
    assert any(line.startswith("Feed-forward (MLP)   5,637,144,576   70.20%") for line in lines)


def test_the_ledger_is_listed_when_asked_for(call: Call, write: Any) -> None:
    path = write("c.json", LLAMA_8B)
    tensors = call("analyze", path, "--json", "--ledger").document["tensors"]
    assert sum(math.prod(t["shape"]) * t["stored"] * t["layers"] for t in tensors) == 8_030_261_248
    last = call("analyze", path, "--ledger").out.splitlines()[-1].split()
    assert last == ["lm_head.weight", "128256", "×", "4096", "head", "525,336,576", "8,030,261,248"]


def test_the_cache_takes_another_dtype_and_other_lengths(call: Call, write: Any) -> None:
    found = call("analyze", write("c.json", LLAMA_8B), "--json", "--kv-dtype", "fp8", "--context", "4k,1M").document
    assert found["kv_cache"]["dtype"] == "float8"
    assert found["kv_cache"]["bytes_per_token"] == 65_536
    assert found["kv_cache"]["bytes_at"]["4096"] == 65_536 * 4096
    assert found["kv_cache"]["bytes_at"]["1048576"] == 65_536 << 20


@pytest.mark.parametrize(("option", "value"), [("--kv-dtype", "int3"), ("--context", "12x"), ("--jobs", "0")])
def test_an_option_that_means_nothing_is_wrong_use(call: Call, write: Any, option: str, value: str) -> None:
    found = call("analyze", write("c.json", LLAMA_8B), option, value)
    assert found.code == 2
    assert found.out == ""
    assert found.err


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "is empty"), (b"[1]", "holds a list"), (b"{", "is not JSON"), (b"\xff\xfe\xff", "is not text")],
)
def test_a_file_that_is_no_config_is_bad_input(call: Call, write: Any, content: bytes, part: str) -> None:
    found = call("analyze", write("c.json", content), "--json")
    assert found.code == 3
    assert found.out == ""
    assert part in found.err


@pytest.mark.parametrize("name", ["nothing.json", "nothing.jsonl"])
def test_a_file_that_is_not_there_is_bad_input(call: Call, tmp_path: Path, name: str) -> None:
    found = call("analyze", tmp_path / name)
    assert found.code == 3
    assert "cannot be read: No such file" in found.err


def test_an_unknown_type_is_answered_with_the_reason(call: Call, write: Any) -> None:
    path = write("c.json", {"model_type": "eliza", "architectures": ["Eliza"]})
    found = call("analyze", path)
    assert found.code == 0
    assert "model_type 'eliza' is not known" in found.out
    assert "Parameters" not in found.out
    document = call("analyze", path, "--json", "--ledger").document
    assert document["method"] == "unsupported"
    assert document["params"]["total"] is None
    assert document["tensors"] == []


LINES = [
    (json.dumps({"repo_id": "acme/tiny", "config": make_config()}).encode(), None),
    (b"not json", "the line is not JSON: Expecting value (line 1, column 1)"),
    (b"", "the line is empty"),
    (b"[1]", "the line holds a list where a JSON object is needed"),
    (b'{"repo_id": "acme/none"}', "the line has no config"),
    (b'{"repo_id": "acme/list", "config": [1]}', "config is not a JSON object"),
    (b'{"repo_id": 5, "config": {}}', "repo_id is not a string"),
    (b'{"config": {}}', "the config names no model_type"),
    (b'{"config": {"model_type": "eliza"}}', "model_type 'eliza' is not known"),
    (json.dumps({"repo_id": None, "config": make_config(rope_theta=math.inf)}).encode(), None),
    (
        b'{"config": {"model_type": "llama", "vocab_size": 1' + b"0" * 5000 + b"}}",
        "the line holds an integer of thousands",
    ),
    (b'{"config": ' + b'{"a":' * 200 + b"1" + b"}" * 201, "the line is nested deeper than 100 levels"),
]


def test_a_jsonl_gives_one_object_a_line_in_order_bad_lines_included(call: Call, write: Any) -> None:
    path = write("many.jsonl", b"\n".join(line for line, _ in LINES))
    found = call("analyze", path)
    assert found.code == 0
    assert len(found.lines) == len(LINES)
    for document, (_, reason) in zip(found.lines, LINES, strict=True):
        assert (document["reason"] or "").startswith(reason or "")
        assert bool(document["reason"]) == bool(reason)
        assert document.keys() == found.lines[0].keys()
        assert document["method"] == ("unsupported" if reason else "ledger")
        assert document["params"]["total"] == (None if reason else LLAMA_PARAMS)
    assert [document["repo_id"] for document in found.lines[:6]] == [
        "acme/tiny", None, None, None, "acme/none", "acme/list",
    ]  # fmt: skip


def test_several_processes_give_the_same_lines(write: Any) -> None:
    path = write("many.jsonl", b"\n".join(line for line, _ in LINES) * 40)
    with path.open("rb") as file:
        alone = list(map_lines(split_lines(file), Options()))
    with path.open("rb") as file:
        together = list(map_lines(split_lines(file), Options(), jobs=2))
    assert len(alone) > inputs.BATCH * 2
    assert together == alone


def test_lines_are_written_as_they_come() -> None:
    taken = []

    def feed() -> Any:
        for number in range(3):
            taken.append(number)
            yield LINES[0][0]

    output = map_lines(feed(), Options())
    next(output)
    assert taken == [0]


def test_a_line_without_end_is_cut_off_and_the_next_one_read(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_LINE", 100)
    path = write("long.jsonl", b"x" * 950 + b"\n" + b'{"a": 1}\n' + b"y" * 101)
    with path.open("rb") as file:
        lines = list(split_lines(file))
    assert [len(line) for line in lines] == [101, 9, 101]
    assert parse_line(lines[0]).reason == "the line is larger than 5 MB"
    assert parse_line(lines[1]).reason == "the line has no config"


def test_a_fault_of_the_analyzer_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Analysis:
        raise ZeroDivisionError

    monkeypatch.setattr(inputs, "analyze", fail)
    document = json.loads(write_item(Item("x", "acme/tiny", make_config()), Options()))
    assert document["reason"] == "the analyzer failed: ZeroDivisionError"
    assert document["repo_id"] == "acme/tiny"
    assert document["model_type"] == "llama"


def test_a_number_that_is_not_finite_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Analysis(None, "llama", None, "ledger", shape={"rope_theta": math.nan})
    monkeypatch.setattr(inputs, "analyze", lambda *_, **__: odd)
    document = json.loads(write_item(Item("x", None, make_config()), Options()))
    assert document["reason"] == "a number in the config is not finite"


CONFIG = json.dumps(make_config()).encode()
PRETTY = json.dumps(make_config(), indent=2).encode()


@pytest.mark.parametrize("text", [CONFIG, PRETTY, b"\n\n" + CONFIG + b"\n\n", PRETTY.decode().encode("utf-16")])
def test_one_config_is_read_from_stdin(call: Call, text: bytes) -> None:
    found = call("analyze", "-", "--json", stdin=text)
    assert found.document["params"]["total"] == LLAMA_PARAMS


@pytest.mark.parametrize(
    "text",
    [
        b"\n".join([LINES[0][0], LINES[1][0]]),
        b"\n".join([LINES[1][0], LINES[0][0]]),
        b"\n".join([LINES[4][0], LINES[0][0]]),
        LINES[0][0] + b"\n\n",
    ],
)
def test_lines_are_read_from_stdin(call: Call, text: bytes) -> None:
    found = call("analyze", "-", stdin=text)
    assert found.code == 0
    assert len(found.lines) == 2
    assert LLAMA_PARAMS in [document["params"]["total"] for document in found.lines]


def test_two_bare_configs_on_stdin_are_lines_without_a_config(call: Call) -> None:
    found = call("analyze", "-", stdin=CONFIG + b"\n" + CONFIG)
    assert [document["reason"] for document in found.lines] == ["the line has no config"] * 2


@pytest.mark.parametrize(("text", "part"), [(b"", "stdin: is empty"), (b"{\nx", "stdin: is not JSON")])
def test_stdin_that_is_no_config_is_bad_input(call: Call, text: bytes, part: str) -> None:
    found = call("analyze", "-", stdin=text)
    assert found.code == 3
    assert part in found.err


def test_stdin_is_not_read_beyond_what_a_config_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_BYTES", 1000)
    path = tmp_path / "endless"
    path.write_bytes(b"{\n" * 5000)
    with path.open("rb") as file:
        lines, whole = sniff_input(file)
        assert lines is None
        assert len(whole) < 1100


def test_several_files_are_one_table(call: Call, write: Any) -> None:
    found = call("analyze", write("a.json", make_config()), write("b.json", LLAMA_8B))
    assert found.code == 0
    header, _, first, second = found.out.splitlines()
    assert header.split()[:3] == ["model", "type", "parameters"]
    assert first.split()[1:3] == ["llama", f"{LLAMA_PARAMS:,}"]
    assert second.split()[1:3] == ["llama", "8,030,261,248"]


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_several_files_are_all_shown_before_the_bad_one_ends_it(call: Call, write: Any, json_too: list[str]) -> None:
    found = call("analyze", write("bad.json", b"["), write("good.json", make_config()), *json_too)
    assert found.code == 3
    assert "bad.json: is not JSON" in found.err
    if json_too:
        assert [document["method"] for document in found.lines] == ["unsupported", "ledger"]
    else:
        assert f"{LLAMA_PARAMS:,}" in found.out


def test_a_folder_is_read_whole(call: Call, write: Any, tmp_path: Path) -> None:
    write("models/acme/one/config.json", make_config())
    write("models/acme/two/config.json", b"[")
    found = call("analyze", tmp_path / "models", "--json")
    assert found.code == 0
    assert [document["repo_id"] for document in found.lines] == ["acme/one", "acme/two"]
    assert "is not JSON" in found.lines[1]["reason"]
    table = call("analyze", tmp_path / "models")
    assert "acme/one" in table.out
    assert call("analyze", write("empty/x.txt", b"").parent).code == 3


def test_text_of_strangers_cannot_act_on_the_terminal(call: Call, write: Any) -> None:
    path = write("c.json", {"model_type": "x\x1b[2J\u202ey", "architectures": ["[red]\x9bm"]})
    for words in ((), ("--json",)):
        found = call("analyze", path, *words)
        assert not set("\x1b\u202e\x9b") & set(found.out + found.err)
    assert "[red]" in call("analyze", path).out


def test_the_way_of_many_lines_loads_no_heavy_library(write: Any) -> None:
    path = write("many.jsonl", LINES[0][0])
    code = (
        "import sys, zoo.cli; zoo.cli.COMMANDS = ('analyze',)\n"
        f"try: zoo.cli.main(['analyze', {str(path)!r}])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'rich', 'pandas', 'sqlalchemy', 'huggingface_hub', 'weasyprint'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
