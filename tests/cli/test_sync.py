"""``zoo sync`` as people call it: what is printed where, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console
from sqlalchemy import create_engine, text

import zoo.cli
from tests.hub_server import HubServer
from tests.sources.hub_fixtures import hub
from zoo.cli.context import Context
from zoo.cli.sync import list_lines, print_summary, show_progress
from zoo.sources.hub_progress import CrawlProgress
from zoo.sources.record import ModelRecord
from zoo.sync import ProblemLine, Summary

__all__ = ["hub"]

#: All defaults of a small Llama, so that the real analysis has something to count.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 100,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


class Output(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Output]:
    """Runs ``zoo sync`` with a database of its own."""
    monkeypatch.setattr(zoo.cli, "COMMANDS", ("sync",))
    monkeypatch.setattr("zoo.sources.hub._PROBE_PAUSE", 0.01)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    def call(*words: str, endpoint: str | None = None) -> Output:
        if endpoint:
            monkeypatch.setenv("HF_ENDPOINT", endpoint)
        code = 0
        try:
            zoo.cli.main(["sync", "--db", str(tmp_path / "zoo.sqlite"), *words])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Output(code, *capsys.readouterr())

    return call


@pytest.fixture
def query(tmp_path: Path) -> Callable[[str], list[Any]]:
    def query(statement: str) -> list[Any]:
        engine = create_engine(f"sqlite:///{tmp_path / 'zoo.sqlite'}")
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return rows

    return query


def test_brings_models_of_the_hub_into_the_database(hub: HubServer, call: Any, query: Any) -> None:
    repo = hub.add("org/a", CONFIG, downloads=7, tags=["license:mit"])
    hub.add("org/adapter", files={"adapter_config.json": b"{}"})
    done = call("--author", "org", endpoint=hub.url)
    assert done.code == 0
    assert done.err == ""
    first, second = done.out.splitlines()
    assert first == "hub: 1 new, 0 changed, 0 unchanged, 0 gone, 0 gated, 1 no config, 0 malformed, 0 failed"
    assert second.startswith("  no config: org/adapter: no config.json at its root: it holds an adapter")
    rows = query("select repo_id, sha, downloads, license, hidden_size, method from models where config is not null")
    assert rows == [("org/a", repo.sha, 7, "mit", 64, "ledger")]
    assert query("select repo_id, kind from sync_errors") == [("org/adapter", "no_config")]
    hub.requests.clear()
    assert call("--author", "org").out.startswith("hub: 0 new, 0 changed, 1 unchanged")
    assert hub.count(r"config\.json") == 0


def test_prints_json(hub: HubServer, call: Any) -> None:
    hub.add("org/a", CONFIG)
    document = json.loads(call("org/a", "org/none", "--json", endpoint=hub.url).out)
    assert (document["source"], document["new"], document["by_kind"]["missing"]) == ("hub", 1, 1)
    assert list(document["by_kind"]) == ["gone", "gated", "no_config", "malformed", "failed", "missing"]


def test_without_a_hub_says_so_even_when_quiet_and_ends_well(call: Any, query: Any) -> None:
    done = call("mistralai/Mixtral-8x7B-v0.1", "--quiet")
    assert done.code == 0
    assert done.err.startswith("zoo: WARNING: the Hub cannot be reached at http://127.0.0.1:9: ")
    assert "Loading the snapshot of" in done.err
    assert done.out.startswith("snapshot: 1 new, ")
    assert query("select repo_id, params_total from models") == [("mistralai/Mixtral-8x7B-v0.1", 46702792704)]


def test_hub_alone_ends_with_4(call: Any) -> None:
    done = call("--source", "hub", "org/a")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("zoo: the Hub cannot be reached at ")


def test_a_broken_listing_prints_what_came_and_ends_with_4(hub: HubServer, call: Any) -> None:
    hub.add("org/a", CONFIG)
    hub.break_next("^/api/models$", "status", value=400)
    done = call("org/a", "--author", "org", endpoint=hub.url)
    assert done.code == 4
    assert done.out.startswith("hub: 1 new")
    assert "refuses the listing" in done.err


def test_a_folder_is_read(call: Any, tmp_path: Path, query: Any) -> None:
    folder = tmp_path / "configs" / "org" / "a"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    assert call("--source", str(tmp_path / "configs")).code == 0
    assert query("select repo_id from models") == [("org/a",)]


def test_nothing_matched_ends_with_1_and_suggests(call: Any) -> None:
    done = call("mixtral-8x7b-v01", "--source", "snapshot")
    assert done.code == 1
    assert "nothing matched: mixtral-8x7b-v01" in done.err
    assert "Did you mean mistralai/Mixtral-8x7B-v0.1" in done.err


@pytest.mark.parametrize("words", [["--all", "--top", "5"], ["a b"], ["--source", "snapshot", "--top", "5"]])
def test_wrong_use_ends_with_2(call: Any, words: list[str]) -> None:
    assert call(*words).code == 2


def test_notes_go_to_stderr(call: Any) -> None:
    done = call("mixtral", "--top", "1")
    assert "--top can be answered by the Hub only and was left out" in done.err
    assert done.out.count("\n") == 1


def test_lines_name_what_is_left_out() -> None:
    summary = Summary("hub", new=1200, problems=[ProblemLine("a/b", "no_config", "none")])
    summary.by_kind.update({"no_config": 3})
    assert list_lines(summary) == [
        "hub: 1,200 new, 0 changed, 0 unchanged, 0 gone, 0 gated, 3 no config, 0 malformed, 0 failed",
        "  no config: a/b: none",
        "  and 2 more in the view sync_errors",
    ]


def test_text_of_the_hub_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("hub", problems=[ProblemLine("a/b", "failed", "[red]\x1b[2J")])
    summary.by_kind.update({"failed": 1})
    print_summary(Context(), summary)
    assert "a/b: [red]\ufffd[2J" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    context = Context()
    context._consoles["err"] = Console(stderr=True, force_terminal=terminal)
    with show_progress(context, CrawlProgress()) as advance:
        advance(ModelRecord("a/b", "hub"))
    assert ("models" in capsys.readouterr().err) is terminal


def test_the_first_hundred_problems_are_named_and_the_rest_counted() -> None:
    summary = Summary("hub", problems=[ProblemLine(f"a/b{number}", "failed", "no") for number in range(300)])
    summary.by_kind.update({"failed": 2000})
    lines = list_lines(summary)
    assert len(lines) == 1 + 100 + 1
    assert lines[-1] == "  and 1,900 more in the view sync_errors"


def test_failed_models_are_asked_for_again(hub: HubServer, call: Any, query: Any) -> None:
    hub.add("org/a", CONFIG)
    hub.add("org/b", CONFIG)
    hub.break_next("org/b/.*config", "status", times=99, value=418)
    done = call("--author", "org", endpoint=hub.url)
    assert done.code == 0
    assert "1 failed: zoo sync --retry-failed asks for them again" in done.err
    assert query("select repo_id, kind from sync_errors") == [("org/b", "failed")]
    hub.heal()
    assert call("--retry-failed").out.startswith("hub: 1 new, 0 changed, 0 unchanged")
    assert len(query("select repo_id from models where method = 'ledger'")) == 2
    assert call("--retry-failed", "org/a").code == 2
