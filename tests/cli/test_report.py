"""``zoo report`` as people call it: what is written where, what is printed, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from pypdf import PdfReader
from rich.console import Console

import zoo.cli
from tests.records import NOW
from tests.report.fakes import EPOCH, LLAMA, MISTRAL, UNKNOWN
from zoo.cli.context import Context
from zoo.cli.report import show_progress
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.report import render
from zoo.sources.record import HubFacts, ModelRecord, Problem


class Output(NamedTuple):
    code: int
    out: str
    err: str


def make_record(repo_id: str, config: dict[str, object] | None, downloads: int = 1) -> ModelRecord:
    problem = None if config else Problem("gated", "config.json may not be read without access")
    return ModelRecord(repo_id, "hub", config=config, problem=problem, facts=HubFacts(downloads=downloads))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "zoo.sqlite"
    variants = [make_record(f"acme/llama-{i}", LLAMA | {"num_hidden_layers": 8 + i}, i) for i in range(7)]
    records = [
        make_record("meta-llama/Llama-3.1-8B", dict(LLAMA), 100),
        make_record("acme/Llama-3.1-8B-tuned", dict(LLAMA), 5),
        make_record("mistralai/Mistral-7B-v0.1", dict(MISTRAL), 90),
        make_record("acme/odd-mistral", dict(UNKNOWN)),
        make_record("acme/gated-mistral", None),
        *variants,
    ]
    DatabaseStore(open_engine(str(path), write=True), clock=lambda: NOW).save(records)
    return path


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Output]:
    monkeypatch.setattr(zoo.cli, "COMMANDS", ("report", "list"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Output:
        code = 0
        try:
            zoo.cli.main(["report", "--db", str(database), *words])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Output(code, *capsys.readouterr())

    return call


def test_a_report_is_an_html_and_a_pdf_whose_paths_are_printed(call: Callable[..., Output], tmp_path: Path) -> None:
    done = call("--models", "llama,mistral", "--out", "deep/er", "--title", "Two families")
    assert done.code == 0, done.err
    assert done.out.split() == ["deep/er/zoo-report.html", "deep/er/zoo-report.pdf"]
    page = (tmp_path / "deep/er/zoo-report.html").read_text(encoding="utf-8")
    assert "8,030,261,248" in page
    assert "7,241,732,096" in page
    assert ">Two families</h1>" in page
    assert "model_type &#39;no-such-type&#39; is not known" in page
    assert "Written 2026-03-01 12:00 UTC" in page
    assert (tmp_path / "deep/er/zoo-report.pdf").read_bytes().startswith(b"%PDF-1.7")
    assert sorted(path.name for path in (tmp_path / "deep/er").iterdir()) == ["zoo-report.html", "zoo-report.pdf"]


def test_what_is_left_out_is_said_in_the_report_and_on_stderr(call: Callable[..., Output], tmp_path: Path) -> None:
    done = call("--models", "llama", "--format", "html", "--top", "2")
    assert done.out == "zoo-report.html\n"
    assert "left out" in done.err
    page = (tmp_path / "zoo-report.html").read_text(encoding="utf-8")
    assert "2 models at a context of 32,768 tokens" in page
    assert "the 2 models downloaded most are kept" in page
    assert "1 further model shares a fingerprint with one here (named under provenance)." in page


def test_all_takes_every_match(call: Callable[..., Output], tmp_path: Path) -> None:
    assert call("--models", "llama", "--all", "--format", "html").code == 0
    assert "9 models at a context" in (tmp_path / "zoo-report.html").read_text(encoding="utf-8")
    assert call("--all", "--format", "html").code == 0
    assert "12 models at a context" in (tmp_path / "zoo-report.html").read_text(encoding="utf-8")


def test_the_context_can_be_chosen(call: Callable[..., Output], tmp_path: Path) -> None:
    assert call("--models", "meta-llama/Llama-3.1-8B", "--format", "html", "--context", "64k").code == 0
    page = (tmp_path / "zoo-report.html").read_text(encoding="utf-8")
    assert "65,536 tokens" in page
    assert "at 64k" in page
    assert call("--models", "llama", "--context", "plenty").code == 2


def test_json_names_the_files(call: Callable[..., Output]) -> None:
    done = call("--models", "llama", "--format", "html", "--json", "--quiet")
    assert json.loads(done.out) == {"html": "zoo-report.html"}
    assert done.err == ""


def test_the_same_database_and_epoch_give_the_same_page(call: Callable[..., Output], tmp_path: Path) -> None:
    pages = set()
    for folder in "ab":
        assert call("--models", "llama,mistral", "--format", "html", "--out", folder).code == 0
        pages.add((tmp_path / folder / "zoo-report.html").read_bytes())
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--models", "gpt-17"), 1, "no model matches 'gpt-17'"),
        ((), 2, "name the models, such as --models llama,mistral, or take everything with --all"),
        (("--models", "llama", "--format", "docx"), 2, "no format 'docx': use html, pdf, md, json, xlsx"),
        (("--models", "llama", "--format", ","), 2, "--format names no format"),
        (("--models", "llama", "--sections", "cash"), 2, "no section 'cash' in a report of 5 models"),
        (("--models", "llama", "--theme", "pink"), 2, "no theme 'pink': use auto, light, dark"),
        (("--models", "llama", "--paper", "a5"), 2, "no paper 'a5': use a4, letter"),
        (("--models", "llama", "--template", "nowhere", "--format", "html"), 2, "--template nowhere is no folder"),
        (("--models", "llama", "--compare-to", "acme/gated-mistral"), 2, "nothing can be compared to acme/gated"),
    ],
)
def test_wrong_use_is_told_in_one_sentence(
    call: Callable[..., Output], words: tuple[str, ...], code: int, message: str
) -> None:
    done = call(*words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_every_format_is_written_and_named(call: Callable[..., Output]) -> None:
    done = call("--models", "meta-llama/Llama-3.1-8B", "--format", "xlsx,json,md", "--sections", "answer, cache")
    assert done.out.split() == ["zoo-report.md", "zoo-report.json", "zoo-report.xlsx"]
    assert "## KV cache" in Path("zoo-report.md").read_text(encoding="utf-8")
    assert [s["id"] for s in json.loads(Path("zoo-report.json").read_text(encoding="utf-8"))["sections"]] == [
        "answer", "cache"
    ]  # fmt: skip


def test_all_are_compared_to_a_base_that_joins_them(call: Callable[..., Output]) -> None:
    words = ("--models", "mistralai/Mistral-7B-v0.1", "--compare-to", "Llama-3.1-8B", "--format", "md")
    assert call(*words).code == 0
    text = Path("zoo-report.md").read_text(encoding="utf-8")
    assert "**Against the base.**" in text
    assert "(−9.8 %)" in text


def test_theme_and_paper_are_the_readers_choice(call: Callable[..., Output]) -> None:
    assert call("--models", "mistralai/Mistral-7B-v0.1", "--format", "html", "--theme", "dark").code == 0
    assert 'data-theme="dark"' in Path("zoo-report.html").read_text(encoding="utf-8")
    words = ("--models", "mistralai/Mistral-7B-v0.1", "--format", "pdf", "--sections", "answer", "--paper", "Letter")
    assert call(*words).code == 0
    box = PdfReader("zoo-report.pdf").pages[0].mediabox
    assert (round(box.width), round(box.height)) == (612, 792)


def test_templates_of_ones_own_are_used(call: Callable[..., Output], tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/base.html").write_text("<title>{{ report.models[0].repo_id }}</title>")
    assert call("--models", "mistralai/Mistral-7B-v0.1", "--format", "html", "--template", "own").code == 0
    assert Path("zoo-report.html").read_text() == "<title>mistralai/Mistral-7B-v0.1</title>\n"


def test_a_file_is_no_folder(call: Callable[..., Output], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert "--out taken is a file: name a folder" in call("--models", "llama", "--out", "taken").err


def test_the_page_is_written_where_the_pdf_cannot_be(
    call: Callable[..., Output], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise render.PdfUnavailable(render.LIBRARIES)

    monkeypatch.setattr(render, "_load_weasyprint", fail)
    done = call("--models", "llama")
    assert done.code == 1
    assert done.out == "zoo-report.html\n"
    assert "the PDF needs Pango" in done.err
    assert "--format html" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["zoo-report.html"]


def test_progress_shows_on_a_terminal_alone() -> None:
    context = Context()
    context._consoles["err"] = Console(force_terminal=True, quiet=True)
    with show_progress(context, "writing") as shown:
        assert shown is not None
    context._consoles["err"] = Console(force_terminal=False)
    with show_progress(context, "writing") as shown:
        assert shown is None


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    import subprocess
    import sys

    code = "import sys, zoo.cli.report; print({'weasyprint', 'jinja2', 'sqlalchemy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
