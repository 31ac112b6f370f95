"""What a sync saves, and that it never loses or repeats anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.db.conftest import Clock
from tests.records import LLAMA_PARAMS, make_config, make_problem, make_record
from zoo.config_text import canonical_json, config_sha256
from zoo.db.merge import merge_record
from zoo.db.saving import SaveCounts, split_waves
from zoo.db.store import DatabaseStore
from zoo.sources.record import HubFacts, ModelRecord


def ask(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def count(engine: Engine, table: str) -> int:
    return int(ask(engine, f"SELECT COUNT(*) FROM {table}")[0][0])


def test_saving_writes_facts_numbers_and_the_canonical_config(store: DatabaseStore, engine: Engine) -> None:
    created = datetime(2025, 5, 6, 7, 8, 9, tzinfo=UTC)
    facts = HubFacts(
        downloads=7, license="mit", created_at=created, base_model=("a/b", "c/d"), reported_params=LLAMA_PARAMS
    )
    assert store.save([make_record(facts=facts)]) == SaveCounts(new=1)
    row = ask(
        engine,
        "SELECT repo_id, author, name, family, params_total, params_attention, params_experts, tied_embeddings, "
        "params_check, downloads, license, base_model, created_at, synced_at, config FROM models",
    )[0]
    assert row == (
        *("acme/tiny", "acme", "tiny", "Llama", LLAMA_PARAMS, 2 * 4 * 64 * 64, 0, False, "exact", 7, "mit", "a/b, c/d"),
        *("2025-05-06T07:08:09Z", "2026-03-01T12:00:05Z", canonical_json(make_config())),
    )


def test_saving_again_changes_nothing_but_the_time(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    records = [make_record(), make_record("acme/other", config=make_config(vocab_size=200))]
    store.save(records)
    tables = ("model", "config", "config_body", "analysis", "analysis_body", "part", "revision", "sync_error")
    before = {table: ask(engine, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
    assert store.save(records) == SaveCounts(unchanged=2)
    assert {table: ask(engine, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables} == before
    clock.pass_days(1)
    store.save(records)
    assert {row[0] for row in ask(engine, "SELECT synced_at FROM models")} == {"2026-03-02T12:00:05Z"}
    assert {row[0] for row in ask(engine, "SELECT seen_at FROM revisions")} == {"2026-03-01T12:00:05Z"}


def test_the_same_config_and_the_same_numbers_are_stored_once(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record("a/one"), make_record("a/two"), make_record("a/three", config=make_config(bos_token_id=1))])
    assert (count(engine, "config"), count(engine, "config_body"), count(engine, "analysis")) == (2, 2, 1)


def test_a_new_config_is_a_change_and_both_revisions_are_kept(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record()])
    later = make_record(config=make_config(num_hidden_layers=3), sha="b" * 40)
    assert store.save([later]) == SaveCounts(changed=1)
    shas = dict(ask(engine, "SELECT sha, config_sha256 FROM revisions"))
    assert shas == {"a" * 40: config_sha256(make_config()), "b" * 40: config_sha256(make_config(num_hidden_layers=3))}
    assert ask(engine, "SELECT sha, layers FROM models") == [("b" * 40, 3)]


def test_known_shas_are_those_whose_whole_config_is_stored(store: DatabaseStore) -> None:
    store.save([
        make_record("a/hub"), make_record("a/cache", source="cache", sha="c" * 40),
        make_record("a/snapshot", source="snapshot"), make_record("a/folder", source="folder", sha=None),
        make_problem("gated", "a/gated"),
    ])  # fmt: skip
    names = ["a/hub", "A/Cache", "a/snapshot", "a/folder", "a/gated", "a/unknown"]
    assert store.known_shas(names) == {"a/hub": "a" * 40, "A/Cache": "c" * 40}
    assert store.known_sha("a/hub") == "a" * 40
    assert store.known_sha("a/unknown") is None


def test_an_unchanged_record_brings_new_facts_only(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record()])
    again = make_record(config=None, unchanged=True, facts=HubFacts(downloads=99, reported_params=1))
    assert store.save([again]) == SaveCounts(unchanged=1)
    found = ask(engine, "SELECT downloads, sha, params_total, params_check FROM models")
    assert found == [(99, "a" * 40, LLAMA_PARAMS, "mismatch")]


@pytest.mark.parametrize("kind", ["gated", "failed", "no_config", "malformed"])
def test_a_problem_keeps_the_earlier_config(store: DatabaseStore, engine: Engine, kind: Any) -> None:
    store.save([make_record()])
    assert store.save([make_problem(kind)]) == SaveCounts(problems=1)
    assert ask(engine, "SELECT params_total, downloads, sha FROM models") == [(LLAMA_PARAMS, 10, "a" * 40)]
    assert ask(engine, "SELECT repo_id, kind, message FROM sync_errors") == [("acme/tiny", kind, "it cannot be read")]
    assert ask(engine, "SELECT problem_kind FROM model") == [(kind,)]


def test_the_same_problem_again_only_moves_its_time(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    store.save([make_problem("gated")])
    clock.pass_days(2)
    store.save([make_problem("gated")])
    assert ask(engine, "SELECT kind, seen_at FROM sync_errors") == [("gated", "2026-03-03T12:00:05Z")]
    assert ask(engine, "SELECT first_seen FROM sync_error") == [("2026-03-01T12:00:05Z",)]


def test_a_gated_model_is_listed_without_numbers_and_a_missing_one_is_not(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_problem("gated", "a/gated"), make_problem("missing", "a/missing"), make_problem("failed", "a/f")])
    assert ask(engine, "SELECT repo_id, method, params_total, params_check FROM models") == [
        ("a/gated", None, None, "unchecked")
    ]
    assert count(engine, "sync_errors") == 3


def test_a_config_that_comes_after_a_problem_clears_it(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_problem("gated")])
    assert store.save([make_record()]) == SaveCounts(changed=1)
    assert ask(engine, "SELECT problem_kind, problem_message, sha FROM model") == [(None, None, "a" * 40)]


def test_a_model_that_is_gone_is_kept_and_dated_and_may_return(
    store: DatabaseStore, engine: Engine, clock: Clock
) -> None:
    store.save([make_record()])
    clock.pass_days(1)
    store.save([make_problem("gone")])
    clock.pass_days(1)
    store.save([make_problem("gone")])
    assert ask(engine, "SELECT gone_at, synced_at FROM model") == [("2026-03-02T12:00:05Z", "2026-03-01T12:00:05Z")]
    store.save([make_record()])
    assert ask(engine, "SELECT gone_at FROM model") == [(None,)]


def test_mark_gone_dates_what_was_not_gone_yet(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    store.save([make_record("a/one"), make_record("a/two")])
    assert store.mark_gone(["A/ONE", "a/unknown"]) == 1
    clock.pass_days(1)
    assert store.mark_gone(["a/one"]) == 0
    assert ask(engine, "SELECT repo_id, gone_at FROM model ORDER BY 1") == [
        ("a/one", "2026-03-01T12:00:05Z"),
        ("a/two", None),
    ]


@pytest.mark.parametrize("source", ["snapshot", "folder", "cache"])
def test_nothing_replaces_what_the_hub_brought(store: DatabaseStore, engine: Engine, source: Any) -> None:
    store.save([make_record()])
    other = make_record(source=source, sha=None, config=make_config(num_hidden_layers=9), facts=HubFacts(downloads=1))
    assert store.save([other]) == SaveCounts(unchanged=1)
    found = ask(engine, "SELECT m.layers, m.downloads, t.source FROM models m JOIN model t ON t.repo_id = m.repo_id")
    assert found == [(2, 10, "hub")]


def test_the_hub_replaces_what_the_snapshot_said(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(source="snapshot", config=make_config(num_hidden_layers=9), facts=HubFacts(likes=5))])
    assert store.save([make_record()]) == SaveCounts(changed=1)
    assert ask(engine, "SELECT layers, likes FROM models") == [(2, 1)]


def test_the_snapshot_gives_the_config_that_the_hub_refuses(store: DatabaseStore, engine: Engine) -> None:
    gated = replace(make_problem("gated"), facts=HubFacts(downloads=500, gated="manual"))
    store.save([gated])
    assert store.save([make_record(source="snapshot", facts=HubFacts(downloads=1))]) == SaveCounts(changed=1)
    assert ask(engine, "SELECT params_total, downloads, gated FROM models") == [(LLAMA_PARAMS, 500, "manual")]
    assert ask(engine, "SELECT source, config_source FROM model") == [("hub", "snapshot")]
    assert store.known_sha("acme/tiny") is None


def test_a_commit_that_only_the_cache_has_is_kept_as_a_revision(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record()])
    store.save([make_record(source="cache", sha="c" * 40, config=make_config(num_hidden_layers=9))])
    assert {row[0] for row in ask(engine, "SELECT sha FROM revisions")} == {"a" * 40, "c" * 40}


def test_a_cached_commit_that_the_hub_confirms_becomes_the_hubs(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(source="cache")])
    store.save([make_record(config=None, unchanged=True)])
    assert ask(engine, "SELECT source, config_source FROM model") == [("hub", "hub")]


def test_a_rename_moves_the_row_and_its_revisions(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record("old/name")])
    moved = make_record("new/Name", renamed_from="old/name", sha="b" * 40)
    assert store.save([moved]) == SaveCounts(unchanged=1)
    assert ask(engine, "SELECT repo_id, author, name FROM models") == [("new/Name", "new", "Name")]
    assert {row[0] for row in ask(engine, "SELECT sha FROM revisions")} == {"a" * 40, "b" * 40}


def test_a_rename_is_known_by_the_hubs_own_id(store: DatabaseStore, engine: Engine) -> None:
    facts = HubFacts(hub_id="0123", downloads=3)
    store.save([make_record("old/name", facts=facts)])
    store.save([make_record("new/name", facts=facts)])
    assert ask(engine, "SELECT repo_id FROM models") == [("new/name",)]


def test_a_rename_onto_a_row_that_is_there_joins_both(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record("old/name"), make_record("new/name", source="snapshot", sha=None)])
    store.save([make_record("old/name", sha="b" * 40)])
    store.save([make_record("new/name", renamed_from="old/name", sha="b" * 40)])
    assert ask(engine, "SELECT repo_id FROM models") == [("new/name",)]
    seen = ask(engine, "SELECT repo_id, sha FROM revisions ORDER BY sha NULLS FIRST")
    assert seen == [("new/name", None), ("new/name", "a" * 40), ("new/name", "b" * 40)]


def test_a_change_of_case_is_no_other_model(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record("acme/Tiny")])
    store.save([make_record("Acme/tiny")])
    assert ask(engine, "SELECT repo_id FROM models") == [("Acme/tiny",)]


def test_a_batch_may_name_a_model_twice(store: DatabaseStore, engine: Engine) -> None:
    later = make_record(sha="b" * 40, config=make_config(num_hidden_layers=5))
    assert store.save([make_record(), make_record("a/b"), later]) == SaveCounts(new=2, changed=1)
    assert ask(engine, "SELECT layers FROM models WHERE repo_id = 'acme/tiny'") == [(5,)]


def test_a_batch_is_saved_whole_or_not_at_all(
    store: DatabaseStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("zoo.db.saving.Batch._write_errors", fail)
    with pytest.raises(RuntimeError, match="power"):
        store.save([make_record()])
    assert (count(engine, "model"), count(engine, "config"), count(engine, "revision")) == (0, 0, 0)


def test_hostile_text_is_stored_as_text(store: DatabaseStore, engine: Engine) -> None:
    evil = "x\x00'; DROP TABLE model; --\ud800"
    config = make_config(**{evil: evil, "model_type": evil * 300, 'quote"d': {"a.b": 1.5}})
    record = make_record(config=config, facts=HubFacts(license=evil, tags=(evil,), reported_params=1 << 70))
    assert store.save([record, make_problem("malformed", "a/b", evil * 500)]) == SaveCounts(new=1, problems=1)
    clean = "x\ufffd'; DROP TABLE model; --\ufffd"
    assert ask(engine, "SELECT license, reported_params, method FROM models WHERE repo_id = 'acme/tiny'") == [
        (clean, None, "unsupported")
    ]
    assert (clean,) in ask(engine, "SELECT value FROM config_values")


def test_numbers_that_fit_no_column_give_a_reason_and_no_number(store: DatabaseStore, engine: Engine) -> None:
    store.save([make_record(config=make_config(hidden_size=10**12, intermediate_size=10**25))])
    method, total = ask(engine, "SELECT method, params_total FROM models")[0]
    assert (method, total) == ("unsupported", None)
    assert ask(engine, "SELECT reason FROM analysis")[0][0]


def test_nothing_to_save_is_fine(store: DatabaseStore) -> None:
    assert store.save([]) == SaveCounts()


def test_waves_hold_a_thousand_and_no_name_twice() -> None:
    records = [make_record(f"a/{n}") for n in range(1500)] + [make_record("A/1499"), make_record("a/x")]
    assert [len(wave) for wave in split_waves(records)] == [1000, 500, 2]


SOURCES = st.sampled_from(["hub", "cache", "folder", "snapshot"])
RECORDS = st.builds(
    lambda source, layers, downloads, sha: make_record(
        source=source,
        config=make_config(num_hidden_layers=layers) if layers else None,
        facts=HubFacts(downloads=downloads),
        sha=sha,
    ),
    SOURCES,
    st.integers(0, 3),
    st.none() | st.integers(0, 5),
    st.sampled_from([None, "a" * 40, "b" * 40]),
)


def merge_all(records: Sequence[ModelRecord]) -> Any:
    row = None
    for record in records:
        layers = record.config["num_hidden_layers"] if record.config else None
        row = merge_record(row, record, layers, "2026-03-01T12:00:05Z").row
    return row


@given(st.lists(RECORDS, min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_merging_a_record_twice_is_merging_it_once(records: list[ModelRecord]) -> None:
    assert merge_all([*records, records[-1]]) == merge_all(records)


@given(st.lists(RECORDS, max_size=4), st.lists(RECORDS.filter(lambda r: r.source != "hub"), max_size=4))
def test_what_the_hub_said_last_stands(before: list[ModelRecord], after: list[ModelRecord]) -> None:
    said = make_record(config=make_config(num_hidden_layers=4))
    assert merge_all([*before, said, *after]) == merge_all([*before, said])
