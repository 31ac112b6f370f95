"""What holds for every command: global options anywhere, one sentence for each failure, an exit code for each kind."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy.exc import OperationalError

import zoo.cli
from zoo.cli import hoist_globals, main
from zoo.cli.context import Context
from zoo.cli.failures import explain_failure
from zoo.errors import BadInput, DatabaseProblem, HubError, NoMatch, UsageError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["list", "--json"], ["--json", "list"]),
        (["list", "--db", "x.sqlite", "-q"], ["--db", "x.sqlite", "-q", "list"]),
        (["list", "--db=x.sqlite"], ["--db=x.sqlite", "list"]),
        (["--db", "a", "show", "b", "--verbose"], ["--db", "a", "--verbose", "show", "b"]),
        (["sql", "--", "--json"], ["sql", "--", "--json"]),
        (["list", "--db"], ["--db", "list"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(words: list[str], expected: list[str]) -> None:
    assert hoist_globals(words) == expected


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (NoMatch("lama", ["llama"]), 1, "Did you mean llama?"),
        (UsageError("no such format"), 2, "no such format"),
        (BadInput("x.json", "is a list"), 3, "x.json: is a list"),
        (HubError("cannot be reached"), 4, "cannot be reached"),
        (DatabaseProblem("is locked"), 5, "is locked"),
        (OperationalError("select", {}, Exception("disk I/O error")), 5, "zoo db status"),
        (FileNotFoundError(2, "No such file", "x"), 2, "check the path"),
        (BrokenPipeError(), 1, "went away"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("boom\nsecond line"), 1, "--debug"),
    ],
)
def test_every_failure_is_one_sentence_with_an_exit_code(error: BaseException, code: int, part: str) -> None:
    message, exit_code = explain_failure(error)
    assert exit_code == code
    assert part in message
    assert "\n" not in message


def test_a_failure_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in explain_failure(NoMatch("\x1b[2J"))[0]


def test_main_prints_the_sentence_and_leaves_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["analyze", "/no/such/config.json"])
    assert left.value.code in (2, 3)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("zoo: ")
    assert "Traceback" not in said.err


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(Exception, match="config"):
        main(["analyze", "/no/such/config.json", "--debug"])


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"zoo {zoo.__version__}\n"


def test_an_unknown_option_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["list", "--no-such-option"])
    assert left.value.code == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_notes_go_to_stderr_and_are_silent_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Context().note("loading \x1b[1m")
    Context(quiet=True).note("nothing")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "loading \ufffd[1m\n")


def test_json_goes_to_stdout_and_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    Context().print_json({"a": [1, "é"]})
    Context().print_jsonl([{"b": 2}, {"c": 3}])
    lines = io.StringIO(capsys.readouterr().out).read().splitlines()
    assert json.loads("\n".join(lines[:-2])) == {"a": [1, "é"]}
    assert lines[-2:] == ['{"b": 2}', '{"c": 3}']
    with pytest.raises(ValueError, match="JSON"):
        Context().print_json(float("nan"))
