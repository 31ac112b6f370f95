"""From a config to rows: what does not fit a column gives a reason, never a crash and never a wrong number."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from tests.records import LLAMA_PARAMS, make_config
from zoo.db.derive import (
    IDLE_KEYS,
    MAX_TEXT,
    analysis_version,
    derive,
    derive_cached,
    digest_analysis,
    list_columns,
    pack_core,
)
from zoo.metrics import analysis
from zoo.sources.snapshot import read_snapshot


def test_a_config_gives_columns_parts_and_json() -> None:
    derived = derive(make_config())
    assert derived.columns["params_total"] == LLAMA_PARAMS
    assert derived.columns["rope_theta"] == 10000.0
    assert sum(params for _, params, _ in derived.parts) == LLAMA_PARAMS
    assert derived.digest == digest_analysis(derived.text, reversed(derived.parts))


def test_what_shapes_nothing_changes_nothing() -> None:
    assert derive(make_config(bos_token_id=5)) == derive(make_config())
    assert derive(make_config(num_hidden_layers=3)).digest != derive(make_config()).digest


def test_a_failure_of_the_analyzer_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(analysis, "analyze", fail)
    columns = derive(make_config()).columns
    assert (columns["method"], columns["params_total"]) == ("unsupported", None)
    assert columns["reason"] == "the analyzer failed: ZeroDivisionError"


def test_a_broken_installation_is_no_fault_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Any) -> Any:
        raise ImportError("no such module")

    monkeypatch.setattr(analysis, "analyze", fail)
    with pytest.raises(ImportError):
        derive(make_config())


def test_a_number_over_64_bits_takes_all_numbers_away(monkeypatch: pytest.MonkeyPatch) -> None:
    real = analysis.Analysis.as_dict

    def enlarge(self: Any) -> dict[str, Any]:
        document = real(self)
        if self.method == "ledger":
            document["kv_cache"]["window_bytes"] = 1 << 63
        return document

    monkeypatch.setattr(analysis.Analysis, "as_dict", enlarge)
    columns = derive(make_config()).columns
    assert columns["params_total"] is None
    assert columns["reason"] == "KV windows (kv_cache.window_bytes) does not fit 64 bits"


def test_long_text_is_cut_in_columns() -> None:
    assert len(list_columns({"model_type": "x" * 10_000, "reason": "y" * 10_000})["model_type"]) == MAX_TEXT


def test_the_version_names_the_code_behind_the_numbers() -> None:
    release, _, digest = analysis_version().partition("+")
    assert release
    assert len(digest) == 12


def test_idle_keys_change_nothing_in_any_model_of_the_snapshot() -> None:
    for record in read_snapshot():
        config = dict(record.config or {})
        assert derive_cached(config) == derive(config), record.repo_id
        idle = config | dict.fromkeys(IDLE_KEYS, 0.5)
        assert derive(idle) == derive(config), record.repo_id


def test_a_cached_analysis_is_taken_for_idle_differences_only() -> None:
    assert derive_cached(make_config(_name_or_path="a")) is derive_cached(make_config(_name_or_path="b"))
    assert derive_cached(make_config(vocab_size=101)).columns["vocab_size"] == 101
    assert derive_cached(make_config(rope_theta=float("inf"))) == derive(make_config(rope_theta=float("inf")))


def test_values_of_no_plain_type_are_packed_as_json_has_them() -> None:
    class Keys(dict[str, Any]):
        pass

    odd = make_config(rope_scaling=MappingProxyType({"factor": 2.0}), layers=frozenset({1}))
    plain = make_config(rope_scaling={"factor": 2.0}, layers=[1])
    assert pack_core(odd) == pack_core(plain)
    assert pack_core(Keys(plain)) == pack_core(plain)
