"""``zoo diff``: only what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.calling import Call, call, save, write
from tests.explain.configs import LLAMA_7B, LLAMA_8B
from tests.records import make_config, make_record

__all__ = ["call", "save", "write"]


def test_two_files_differ_in_words_numbers_and_keys(call: Call, write: Any) -> None:
    found = call("diff", write("a.json", LLAMA_7B), write("b.json", LLAMA_8B))
    assert found.code == 0
    lines = [" ".join(line.split()) for line in found.out.splitlines()]
    for line in (
        "local/a → local/b",
        "- quarters KV heads (32 → 8): cache per token 512 KiB → 128 KiB",
        "- vocabulary 32,000 → 128,256: +789 M parameters in embedding and head",
        "Parameters 6,738,415,616 8,030,261,248 +1,291,845,632 (+19.2%)",
        "num_key_value_heads – 8 the count follows from it",
        "rms_norm_eps 1e-06 1e-05 not read by zoo",
    ):
        assert line in lines
    assert not any(line.startswith(("hidden_size", "Layers")) for line in lines)


def test_the_same_config_has_no_difference(call: Call, write: Any) -> None:
    path = write("a.json", LLAMA_7B)
    assert "No difference" in call("diff", path, path).out
    document = call("diff", path, path, "--json").document
    assert document == {"a": "local/a", "b": "local/a", "words": [], "numbers": [], "keys": []}


def test_only_keys_may_differ(call: Call, write: Any) -> None:
    found = call("diff", write("a.json", LLAMA_7B), write("b.json", LLAMA_7B | {"use_cache": True}))
    assert "Keys of the config" in found.out
    assert "Derived numbers" not in found.out


def test_a_revision_is_compared_with_the_current_one(call: Call, save: Callable[..., None]) -> None:
    old, new = make_config(), make_config(num_key_value_heads=2)
    save([make_record("acme/tiny", config=old, sha="a" * 40), make_record("acme/tiny", config=new, sha="b" * 40)])
    document = call("diff", "acme/tiny@aaaa", "tiny", "--json").document
    assert document["a"] == f"acme/tiny@{'a' * 12}"
    assert document["b"] == "acme/tiny"
    assert [key["key"] for key in document["keys"]] == ["num_key_value_heads"]
    assert document["keys"][0] == {"key": "num_key_value_heads", "a": 4, "b": 2, "only": None, "read": "ledger"}
    assert document["words"][0] == "attention: multi-head (MHA) → grouped-query (GQA)"
    unknown = call("diff", "acme/tiny@cccc", "acme/tiny")
    assert unknown.code == 1
    assert "b" * 12 in unknown.err


def test_an_at_sign_may_stand_in_a_path(call: Call, write: Any) -> None:
    found = call("diff", write("a@b/one.json", LLAMA_7B), write("a@b/two.json", LLAMA_8B))
    assert found.code == 0


def test_numbers_that_json_has_no_form_for_are_spelled(call: Call, write: Any) -> None:
    one, two = b'{"model_type": "x", "y": NaN, "z": Infinity}', b'{"model_type": "x", "y": NaN, "z": 1}'
    keys = call("diff", write("a.json", one), write("b.json", two), "--json").document["keys"]
    assert keys == [{"key": "z", "a": {"__float__": "Infinity"}, "b": 1, "only": None, "read": None}]
