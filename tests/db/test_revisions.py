"""Which config ``MODEL@REVISION`` means."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.db.conftest import Clock
from tests.records import make_config, make_problem, make_record
from zoo.config_text import config_sha256
from zoo.db.revisions import find_revision, list_revisions
from zoo.db.store import DatabaseStore
from zoo.errors import NoMatch, UsageError


def make(layers: int, sha: str | None, **changes: Any) -> Any:
    return make_record("a/b", config=make_config(num_hidden_layers=layers), sha=sha, **changes)


@pytest.fixture
def dated(store: DatabaseStore, engine: Engine, clock: Clock) -> Engine:
    """Three configs on 1, 3 and 5 March, the last of them that of the first again, under a commit of its own."""
    for layers, sha in ((2, "a" * 40), (3, "b0" * 20), (2, "c" * 40)):
        store.save([make(layers, sha)])
        clock.pass_days(2)
    return engine


def find(engine: Engine, revision: str, clock: Clock | None = None) -> tuple[str | None, int]:
    row, config = find_revision(engine, "A/B", revision, clock=clock or Clock())
    assert row.repo_id == "a/b"
    return row.sha, config["num_hidden_layers"]


def test_all_that_was_seen_is_listed_in_order(dated: Engine) -> None:
    with dated.connect() as connection:
        rows = list_revisions(connection, "A/b")
    assert [(row.sha, row.seen_at[:10], row.is_current) for row in rows] == [
        ("a" * 40, "2026-03-01", False),
        ("b0" * 20, "2026-03-03", False),
        ("c" * 40, "2026-03-05", True),
    ]


@pytest.mark.parametrize(
    ("revision", "found"),
    [
        ("aaaa", ("a" * 40, 2)),
        ("B0B0b", ("b0" * 20, 3)),
        ("current", ("c" * 40, 2)),
        ("previous", ("b0" * 20, 3)),
        ("2026-03-01", ("a" * 40, 2)),
        ("2026-03-02", ("a" * 40, 2)),
        ("2026-03-03", ("b0" * 20, 3)),
        ("2026-03-03T12:00", ("a" * 40, 2)),
        ("2026-03-05", ("c" * 40, 2)),
        ("yesterday", ("c" * 40, 2)),
        ("3d", ("b0" * 20, 3)),
    ],
)
def test_a_revision_is_found_by_its_commit_or_its_time(
    dated: Engine, clock: Clock, revision: str, found: tuple[str, int]
) -> None:
    assert find(dated, revision, clock) == found


@pytest.mark.parametrize("revision", ["cccd", "2026-02-28"])
def test_what_was_not_seen_is_no_match_that_names_what_was(dated: Engine, revision: str) -> None:
    with pytest.raises(NoMatch, match=r"no revision matches .*Did you mean aaaaaaaaaaaa, b0b0b0b0b0b0, cccccccccccc"):
        find(dated, revision)


def test_what_can_be_no_revision_is_said_to_be_none(dated: Engine) -> None:
    with pytest.raises(UsageError, match="'main' is no revision: name a commit by its first four"):
        find(dated, "main")


def test_too_little_of_a_commit_is_refused(store: DatabaseStore, engine: Engine) -> None:
    store.save([make(2, "abcd0" * 8), make(3, "abcd1" * 8)])
    with pytest.raises(UsageError, match="@abcd may be abcd0abcd0ab or abcd1abcd1ab"):
        find(engine, "abcd")
    assert find(engine, "abcd1") == ("abcd1" * 8, 3)


def test_a_source_without_commits_is_asked_by_time_hash_or_order(
    store: DatabaseStore, engine: Engine, clock: Clock
) -> None:
    for layers in (2, 3):
        store.save([make(layers, None, source="folder")])
        clock.pass_days(1)
    assert find(engine, "previous") == (None, 2)
    assert find(engine, "2026-03-01") == (None, 2)
    assert find(engine, config_sha256(make_config(num_hidden_layers=3))[:8]) == (None, 3)


def test_there_is_no_previous_one_where_nothing_changed(store: DatabaseStore, engine: Engine) -> None:
    store.save([make(2, "a" * 40)])
    store.save([make(2, "b" * 40)])
    with pytest.raises(NoMatch):
        find(engine, "previous")
    assert find(engine, "current") == ("b" * 40, 2)


def test_before_its_first_config_a_model_had_none(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    store.save([make_problem("gated", "a/b")])
    clock.pass_days(1)
    store.save([make(2, "a" * 40)])
    with pytest.raises(NoMatch):
        find(engine, "2026-03-01")
    assert find(engine, "2026-03-02") == ("a" * 40, 2)


def test_a_commit_that_comes_back_is_current_again(store: DatabaseStore, engine: Engine, clock: Clock) -> None:
    for layers, sha in ((2, "a" * 40), (3, "b" * 40), (2, "a" * 40)):
        store.save([make(layers, sha)])
        clock.pass_days(1)
    assert find(engine, "current") == ("a" * 40, 2)
    assert find(engine, "2026-03-02") == ("b" * 40, 3)
    assert find(engine, "2026-03-03") == ("a" * 40, 2)
    assert find(engine, "previous") == ("b" * 40, 3)
