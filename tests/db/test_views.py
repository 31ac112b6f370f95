"""The surface of people's own SQL: the same names and values on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.records import LLAMA_PARAMS, make_config, make_record
from zoo.db import views
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.db.tables import Analysis, table_of
from zoo.metrics.glossary import METRICS, Metric

CONTRACT = """repo_id, author, name, family, model_type, architecture, fingerprint, method, params_total, params_active,
params_active_non_embedding, params_embedding, params_non_embedding, params_attention, params_mlp, params_experts,
params_norm, params_biases, reported_params, params_check, dtype, quantization, weights_bytes, kv_bytes_per_token,
kv_bytes_per_token_long, kv_window_bytes, state_bytes, kv_bytes_at_8k, kv_bytes_at_32k, kv_bytes_at_128k,
flops_per_token, layers, hidden_size, intermediate_size, heads, kv_heads, head_dim, vocab_size, max_context,
attention_kind, sliding_window, experts, experts_per_token, shared_experts, rope_theta, activation, norm,
tied_embeddings, license, gated, downloads, likes, base_model, pipeline_tag, library, sha, created_at, last_modified,
synced_at, config""".replace("\n", " ")


def read_rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def read_values(engine: Engine) -> dict[str, str | None]:
    return dict(read_rows(engine, "SELECT key, value FROM config_values"))  # type: ignore[arg-type]


def test_models_has_the_columns_that_were_promised_in_their_order(snapshot: Engine) -> None:
    with snapshot.connect() as connection:
        assert list(connection.execute(text("SELECT * FROM models LIMIT 1")).keys()) == CONTRACT.split(", ")


@pytest.mark.parametrize("view", views.VIEW_COLUMNS)
def test_each_view_has_the_columns_that_it_says(snapshot: Engine, view: str) -> None:
    with snapshot.connect() as connection:
        assert tuple(connection.execute(text(f"SELECT * FROM {view} LIMIT 1")).keys()) == views.VIEW_COLUMNS[view]


@pytest.mark.parametrize("view", views.VIEW_COLUMNS)
def test_both_databases_give_the_same_values(snapshot_path: Path, snapshot_server: str, view: str) -> None:
    columns = [name for name in views.VIEW_COLUMNS[view] if name not in ("synced_at", "seen_at")]
    query = f"SELECT {', '.join(columns)} FROM {view}"
    first, second = (read_rows(open_engine(url), query) for url in (str(snapshot_path), snapshot_server))
    assert sorted(first, key=repr) == sorted(second, key=repr)


def test_metrics_is_the_glossary(snapshot: Engine) -> None:
    rows = read_rows(snapshot, "SELECT key, label, unit, meaning, origin FROM metrics")
    assert rows == [(m.key, m.label, m.unit, m.meaning, m.origin) for m in METRICS]


def test_parts_sum_to_the_total_and_their_shares_to_one(snapshot: Engine) -> None:
    sums = read_rows(snapshot, "SELECT SUM(share), SUM(params), SUM(active), repo_id FROM parts GROUP BY repo_id")
    totals = {row[0]: row[1:] for row in read_rows(snapshot, "SELECT repo_id, params_total, params_active FROM models")}
    assert len(sums) > 200
    for share, params, active, repo_id in sums:
        assert float(share) == pytest.approx(1)
        assert (params, active) == totals[repo_id]


SPELLINGS: list[tuple[Any, str | None]] = [
    (1e-06, "1e-06"),
    (1000000.0, "1000000.0"),
    (0.1, "0.1"),
    (32, "32"),
    (2**63, "9223372036854775808"),
    (10**30, "1" + "0" * 30),
    (True, "true"),
    (False, "false"),
    (None, None),
    ("a b", "a b"),
    ("", ""),
    ('äö✓ "q" \\ \n', 'äö✓ "q" \\ \n'),
    ([1, "x", {"a": None}], '[1,"x",{"a":null}]'),
    ([], "[]"),
    ({}, "{}"),
]


def test_a_value_is_spelled_as_in_the_config(store: DatabaseStore, engine: Engine) -> None:
    values = {f"key{number}": value for number, (value, _) in enumerate(SPELLINGS)}
    store.save([make_record(config={**values, "outer": values})])
    expected = {f"key{number}": spelled for number, (_, spelled) in enumerate(SPELLINGS)}
    assert read_values(engine) == expected | {f"outer.{key}": spelled for key, spelled in expected.items()}


def test_keys_are_paths_with_dots_whatever_is_in_them(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(config={"a.b": {"c d": 1}, 'q"q': {"x'x": 2}, "": {"": 3}, "[0]": {"$": "s"}})])
    assert read_values(engine) == {"a.b.c d": "1", "q\"q.x'x": "2", ".": "3", "[0].$": "s"}


def test_objects_are_walked_six_levels_deep_and_shown_as_json_below(store: DatabaseStore, engine: Engine) -> None:
    deep: Any = {"g": 1.5}
    for key in "fedcba":
        deep = {key: deep}
    store.save([make_record(config=deep)])
    assert read_values(engine) == {"a.b.c.d.e.f": '{"g":1.5}'}


def test_a_number_below_an_odd_key_is_still_a_number(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(config={'q"q': 0.5})])
    assert read_values(engine) == {'q"q': "0.5"}


def test_only_current_configs_are_in_config_values(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(config={"old": 1}), make_record(config={"new": 2}, sha="b" * 40)])
    assert read_values(engine) == {"new": "2"}


def test_a_part_that_a_model_has_not_is_nought(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(), make_record("a/odd", config={"model_type": "nonesuch"})])
    rows = read_rows(engine, "SELECT params_experts, params_total FROM models ORDER BY repo_id DESC")
    assert rows == [(0, LLAMA_PARAMS), (None, None)]


def test_every_metric_with_a_path_is_a_column() -> None:
    assert {m.key for m in METRICS if m.path} <= set(table_of(Analysis).columns.keys())


def test_a_metric_that_comes_from_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = Metric("stray", "Stray", "", "int", "hub", None, "From nowhere.")
    monkeypatch.setattr(views, "METRICS", (*METRICS, stray))
    with pytest.raises(KeyError, match="stray has no path"):
        views.build_views("sqlite")


def test_the_digest_follows_the_glossary(monkeypatch: pytest.MonkeyPatch) -> None:
    before = views.digest_views("sqlite")
    monkeypatch.setattr(views, "METRICS", (*METRICS[:-1], METRICS[-1]._replace(meaning="It's changed.")))
    assert views.digest_views("sqlite") != before


def test_pandas_and_sqlite3_read_the_file_as_it_is(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    import pandas

    path = tmp_path / "zoo.sqlite"
    DatabaseStore(open_engine(str(path), write=True)).save([make_record(config=make_config())])
    with closing(sqlite3.connect(path)) as connection:
        frame = pandas.read_sql("SELECT repo_id, params_total FROM models", connection)
    assert frame.to_dict("records") == [{"repo_id": "acme/tiny", "params_total": LLAMA_PARAMS}]
