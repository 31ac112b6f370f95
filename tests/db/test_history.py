"""What changed, as both databases tell it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, text

from tests.db.conftest import Clock
from tests.records import make_config, make_record
from zoo.db.history import Choice, find_renamed, list_changes, load_events
from zoo.db.store import DatabaseStore
from zoo.sources.record import HubFacts

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def fill(store: DatabaseStore, clock: Clock) -> None:
    facts = HubFacts(hub_id="1")
    store.save([make_record("a/one", facts=facts), make_record("b/two")])
    clock.pass_days(1)
    store.save([make_record("a/new", facts=facts, config=make_config(num_hidden_layers=3), sha="b" * 40)])


def test_changes_are_counted_and_listed_for_whom_one_asks(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    fill(store, clock)
    with engine.connect() as connection:
        found = list_changes(connection, Choice(SINCE), 10)
        assert (found.counts, found.total) == ({"config": 1, "new": 2, "renamed": 1}, 4)
        assert [row.kind for row in found.rows] == ["config", "renamed", "new", "new"]
        chosen = list_changes(connection, Choice(SINCE, repo_ids={"a/new", "x/y"}), 10)
        assert chosen.counts == {"config": 1, "new": 1, "renamed": 1}
        assert list_changes(connection, Choice(SINCE, author="B"), 10).counts == {"new": 1}
        assert list_changes(connection, Choice(SINCE, repo_ids=()), 10).total == 0
        assert len(list_changes(connection, Choice(SINCE), 1).rows) == 1
        early = list_changes(connection, Choice(SINCE, datetime(2026, 3, 2, tzinfo=UTC)), 10)
        assert early.counts == {"new": 2}


def test_a_new_model_is_told_with_the_numbers_that_it_had_then(
    store: DatabaseStore, engine: Engine, clock: Clock
) -> None:
    fill(store, clock)
    with engine.connect() as connection:
        new, renamed, config = load_events(connection, "A/NEW")
        two = load_events(connection, "b/two")[0]
    assert new.params == two.params
    assert (renamed.before, renamed.after, config.sha) == ("a/one", "a/new", "b" * 40)


def test_a_renamed_model_is_found_by_its_old_name_only_while_nobody_else_has_it(
    store: DatabaseStore, engine: Engine, clock: Clock
) -> None:
    fill(store, clock)
    with engine.connect() as connection:
        assert find_renamed(connection, "A/One") == "a/new"
        assert find_renamed(connection, "b/two") is None
    store.save([make_record("a/one")])
    with engine.connect() as connection:
        assert find_renamed(connection, "a/one") is None


def test_events_stay_with_the_row_that_took_over(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    store.save([make_record("old/name"), make_record("new/name", source="snapshot", sha=None)])
    store.save([make_record("old/name", sha="b" * 40, config=make_config(num_hidden_layers=3))])
    store.save([make_record("new/name", renamed_from="old/name", sha="b" * 40)])
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT repo_id, kind, before FROM events ORDER BY kind")).all()
    assert [tuple(row) for row in rows if row.kind == "renamed"] == [("new/name", "renamed", "old/name")]
    assert {row.repo_id for row in rows} == {"new/name"}
    assert "config" in {row.kind for row in rows}
