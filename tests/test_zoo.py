"""The package's own surface."""

from __future__ import annotations

import json

import pytest

import zoo
from zoo.errors import BadInput, NoMatch, SchemaTooNew, ZooError
from zoo.text import clean_text, dump_json


def test_analyze_is_reached_from_the_package() -> None:
    assert zoo.analyze({"model_type": "llama"}).params.total == 6738415616
    assert zoo.Analysis.__name__ == "Analysis"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = zoo.nonsense


def test_errors_say_what_to_do_and_carry_data() -> None:
    error = NoMatch("lama", ["llama"])
    assert (error.term, error.near, error.exit_code) == ("lama", ("llama",), 1)
    assert str(error) == "no model matches 'lama'. Did you mean llama?"
    assert str(NoMatch("x", what="query")) == "no query matches 'x'."
    assert BadInput("a.json", "is a list").exit_code == 3
    assert "update zoo" in str(SchemaTooNew("0009", "0002"))
    assert issubclass(SchemaTooNew, ZooError)


def test_json_on_a_terminal_cannot_steer_it_and_reads_back() -> None:
    value = {"name": "a\x1b[31m\x9b2J\u202eé", "list": [1, None]}
    for indent in (None, 2):
        text = dump_json(value, indent=indent)
        assert not set(text) & {"\x1b", "\x9b", "\u202e"}
        assert "é" in text
        assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        dump_json(float("inf"))


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert clean_text("a\x1b[31mred\x07\u202egnp.exe") == "a\ufffd[31mred\ufffd\ufffdgnp.exe"
    assert clean_text("plain\ttext\n") == "plain\ttext\n"
