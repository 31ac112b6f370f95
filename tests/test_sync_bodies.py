"""What strangers put into a ``config.json``: each gives a clean value or an error with a name, in the database."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.sync_fixtures import Synced, hub, synced, template
from zoo.config_text import parse_config

__all__ = ["hub", "synced", "template"]

REFUSED = [
    (b"", "is empty"),
    (b"   \n", "is empty"),
    (b"[1, 2]", "holds a list where a JSON object is needed"),
    (b'"text"', "holds a string where a JSON object is needed"),
    (b"null", "holds null where a JSON object is needed"),
    (b"7", "holds a number where a JSON object is needed"),
    (b"{", "is not JSON"),
    (b"{'model_type': 'llama'}", "is not JSON"),
    (b'{"a": 1,}', "is not JSON"),
    (b"<!DOCTYPE html><title>404</title>", "is not JSON"),
    (b"\xff\xfe\xff", "is not text"),
    (b'{"a": "\xc3"}', "is not text"),
    (b'{"a": ' + b"9" * 5000 + b"}", "holds an integer of thousands of digits"),
    (b'{"a": ' + b"[" * 150 + b"]" * 150 + b"}", "is nested deeper than 100 levels"),
    (b'{"a": ' * 50_000 + b"1" + b"}" * 50_000, "is nested deeper than 100 levels"),
]
READ: list[tuple[bytes, dict[str, Any]]] = [
    (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
    ('{"a": "é"}'.encode("utf-32-le"), {"a": "é"}),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b'{"a": "x\\ud800y"}', {"a": "x\ufffdy"}),
    (b'{"a": "x\\u0000y", "\\ud800": 1}', {"a": "x\ufffdy", "\ufffd": 1}),
    (b'{"a": 9223372036854775808, "b": -99999999999999999999999}', {"a": 2**63, "b": -99999999999999999999999}),
    (b'{"a": ' + b"9" * 4000 + b"}", {"a": int("9" * 4000)}),
    (b'{"a": 1e400, "b": -0.0, "c": 1.5e-300}', {"a": math.inf, "b": -0.0, "c": 1.5e-300}),
    (b'{"a": [0.0, Infinity, -Infinity]}', {"a": [0.0, math.inf, -math.inf]}),
    (b'{"a": {"__float__": "Infinity"}}', {"a": math.inf}),
    (b"{}", {}),
]
WRONG_TYPES: list[dict[str, Any]] = [
    {"hidden_size": "4096"},
    {"hidden_size": [64]},
    {"hidden_size": -1},
    {"hidden_size": 2**63},
    {"hidden_size": 10**30},
    {"hidden_size": 1e308},
    {"num_hidden_layers": {"a": 1}},
    {"num_hidden_layers": True},
    {"num_hidden_layers": math.inf},
    {"num_attention_heads": 0},
    {"vocab_size": None},
    {"architectures": "LlamaForCausalLM"},
    {"architectures": [None, 7]},
    {"architectures": {}},
    {"model_type": 7},
    {"model_type": ["llama"]},
    {"model_type": None},
    {"model_type": "x" * 5000},
    {"rope_scaling": "linear"},
    {"rope_scaling": [1]},
    {"rope_theta": "NaN"},
    {"quantization_config": "awq"},
    {"quantization_config": {"bits": "four"}},
    {"torch_dtype": 16},
    {"torch_dtype": {"a": "b"}},
    {"tie_word_embeddings": "yes"},
    {"text_config": "llama"},
    {"text_config": [[]]},
    {"layer_types": "full_attention"},
    {"sliding_window": "4096"},
]
CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 4}


@pytest.mark.parametrize(("body", "said"), REFUSED, ids=lambda each: str(each)[:30])
def test_what_is_no_config_is_recorded_by_name(synced: Synced, body: bytes, said: str) -> None:
    synced.hub.add("org/odd", body)
    synced.hub.add("org/good", CONFIG)
    summary = synced.sync()
    assert (summary.new, summary.by_kind) == (1, {"malformed": 1})
    ((kind, message),) = synced.query("SELECT kind, message FROM sync_errors")
    assert kind == "malformed"
    assert message.startswith(f"config.json {said}")
    assert synced.query("SELECT config_id, problem_kind FROM model WHERE repo_id = 'org/odd'") == [(None, "malformed")]
    synced.hub.requests.clear()
    assert synced.sync().by_kind == {"malformed": 1}  # said again, but not asked for again: the commit is the same
    assert len(synced.hub.requests) == 1
    synced.check()


def test_all_that_can_be_read_is_stored_clean(synced: Synced) -> None:
    for number, (body, _) in enumerate(READ):
        synced.hub.add(f"org/m{number:02}", body)
    assert synced.sync().new == len(READ)
    rows = synced.query("SELECT b.text FROM model m JOIN config_body b USING (config_id) ORDER BY m.repo_id")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    for (_, wanted), (text,) in zip(READ, rows, strict=True):
        json.loads(text, parse_constant=refuse)
        assert text.encode("utf-8").decode() == text
        assert parse_config(text, source="the database") == wanted
    synced.check()


def test_wrong_types_of_known_keys_are_never_a_crash_or_a_poisoned_row(synced: Synced) -> None:
    for number, change in enumerate(WRONG_TYPES):
        synced.hub.add(f"org/m{number:02}", json.dumps(CONFIG | change).encode())
    summary = synced.sync()
    assert (summary.new, summary.by_kind) == (len(WRONG_TYPES), {})
    rows = synced.query("SELECT repo_id, method, params_total, fingerprint FROM models ORDER BY repo_id")
    assert len(rows) == len(WRONG_TYPES)
    for repo_id, method, total, _ in rows:
        change = WRONG_TYPES[int(repo_id[-2:])]
        assert method in {"ledger", "unsupported"}, change
        assert (total is None) == (method == "unsupported"), change
        assert total is None or 0 < total < 2**63, change
    assert synced.query("SELECT count(*) FROM config_values WHERE repo_id = 'org/m00'")[0][0] >= 4
    synced.check()


def test_infinity_and_nan_are_read_back_by_postgresql(synced: Synced, postgres_url: str) -> None:
    import psycopg

    synced.hub.add("org/a", b'{"model_type": "llama", "time_step_limit": [0.0, Infinity], "eps": NaN}')
    synced.path = postgres_url  # type: ignore[assignment]  # the same sync, into another database
    assert synced.sync().new == 1
    with psycopg.connect(postgres_url) as connection:
        ((limit, eps),) = connection.execute(
            "SELECT config::jsonb #>> '{time_step_limit,1}', config::jsonb ->> 'eps' FROM models"
        ).fetchall()
    assert json.loads(limit) == {"__float__": "Infinity"}
    assert json.loads(eps) == {"__float__": "NaN"}


@pytest.mark.parametrize("length", ["told", "chunked"])
def test_a_config_over_five_megabytes_is_refused_while_it_streams(synced: Synced, length: str) -> None:
    """Whatever ``Content-Length`` says, and however it is packed."""
    filler = b" " if length == "chunked" else b"abc,"
    synced.hub.add("org/large", b'{"a": "' + filler * (5_000_001 // len(filler) + 1) + b'"}')
    synced.hub.add("org/good", CONFIG)
    if length == "told":
        synced.hub.break_next("large/.*config.json", "body", times=9, value=b"{" * 30_000_000)
    summary = synced.sync()
    assert (summary.new, summary.by_kind) == (1, {"too_large": 1})
    assert synced.query("SELECT message LIKE 'config.json is larger than 5 MB%' FROM sync_errors") == [(1,)]
    synced.hub.requests.clear()
    assert synced.sync().by_kind == {"too_large": 1}
    assert len(synced.hub.requests) == 1


def test_a_length_that_is_wrong_is_not_believed(synced: Synced) -> None:
    """A Content-Length of gigabytes in front of a small body is a fault of the way, not a large config."""
    synced.hub.add("org/a", CONFIG)
    synced.hub.break_next("config.json", "huge", times=1)
    assert synced.sync().new == 1
    assert synced.hub.count("config.json") == 2
