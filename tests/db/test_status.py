"""``zoo db status`` and ``zoo db check``: what is there, and whether it is as it should be."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.records import make_config, make_problem, make_record
from zoo.db.check import Finding, check_database
from zoo.db.engine import make_engine
from zoo.db.session import open_engine
from zoo.db.status import read_status
from zoo.db.store import DatabaseStore
from zoo.errors import DatabaseProblem


@pytest.fixture
def filled(store: DatabaseStore, url: str) -> str:
    store.save(
        [make_record(), make_record("a/b", config=make_config(num_hidden_layers=5)), make_problem("gated", "a/c")]
    )
    return url


def run_loose(engine: Engine, sql: str) -> None:
    """Run ``sql`` where keys are not enforced, as damage would be."""
    with make_engine(engine.url, write=True, foreign_keys=False).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(sql))


def find_failed(url: str) -> list[str]:
    return [finding.check for finding in check_database(url) if not finding.ok]


def test_status_counts_what_is_there(engine: Engine, filled: str) -> None:
    status = read_status(filled)
    expected: dict[str, Any] = {
        "schema": "current", "models": 3, "configs": 2, "analyses": 2, "revisions": 2, "by_method": {"ledger": 2},
        "by_check": {"exact": 1, "mismatch": 1, "unchecked": 1}, "by_source": {"hub": 3}, "problems": {"gated": 1},
        "last_sync": "2026-03-01T12:00:05Z", "to_recompute": 0,
    }  # fmt: skip
    assert {key: status[key] for key in expected} == expected


def test_status_of_nothing_says_so(url: str) -> None:
    status = read_status(url)
    assert status["schema"] == "absent"
    assert "models" not in status


def test_status_of_an_empty_database_has_no_last_sync(engine: Engine, url: str) -> None:
    assert read_status(url)["last_sync"] is None


def test_status_does_not_upgrade(engine: Engine, filled: str) -> None:
    run_loose(engine, "UPDATE setting SET value = 'old' WHERE key = 'views'")
    assert read_status(filled)["schema"] == "older"
    assert read_status(filled)["schema"] == "older"


def test_a_whole_database_passes_every_check(engine: Engine, filled: str) -> None:
    findings = check_database(filled)
    assert [finding.check for finding in findings] == [
        *("schema", "integrity", "foreign keys", "configs", "analyses", "derived numbers", "models"),
    ]
    assert all(finding.ok for finding in findings)


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        ("UPDATE config_body SET text = '{}' WHERE config_id = 1", ["configs", "derived numbers"]),
        ("UPDATE config_body SET text = 'no json' WHERE config_id = 1", ["configs", "derived numbers"]),
        ("UPDATE config SET sha256 = 'x' WHERE id = 1", ["configs"]),
        ("DELETE FROM config_body WHERE config_id = 1", ["configs"]),
        ("UPDATE analysis SET params_total = params_total + 1 WHERE id = 1", ["analyses"]),
        ("UPDATE part SET params = params + 1 WHERE part = 'mlp'", ["analyses"]),
        ("DELETE FROM analysis_body", ["analyses", "models"]),
        ("UPDATE analysis_body SET text = '{}'", ["analyses", "models"]),
        ("DELETE FROM part WHERE part = 'norm'", ["analyses"]),
        ("UPDATE config SET analyzed_by = 'another zoo'", ["derived numbers"]),
        ("UPDATE config SET analysis_id = 3 - analysis_id", ["derived numbers", "models"]),
        ("UPDATE model SET params_check = 'exact'", ["models"]),
        ("UPDATE model SET repo_key = 'x/y' WHERE repo_id = 'a/b'", ["models"]),
        ("INSERT INTO event (id, model_id, at, kind) VALUES (1, 99, 'now', 'gone')", ["foreign keys"]),
        ("DELETE FROM model WHERE repo_id = 'a/b'", ["foreign keys"]),
        ("DELETE FROM config WHERE id = 1", ["foreign keys"]),
        ("UPDATE model SET config_id = 99 WHERE repo_id = 'a/b'", ["foreign keys", "models"]),
        ("DELETE FROM revision", ["models"]),
    ],
)
def test_damage_is_found(engine: Engine, filled: str, damage: str, failed: list[str]) -> None:
    run_loose(engine, damage)
    assert find_failed(filled) == failed


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP VIEW models", "no view models"),
        ("DROP INDEX ix_event_at", "add_index"),
        ("DROP TABLE event CASCADE", "add_table"),
        ("ALTER TABLE model ADD COLUMN stray TEXT", "remove_column"),
    ],
)
def test_a_schema_that_was_tampered_with_is_all_that_is_said(url: str, damage: str, said: str) -> None:
    engine = open_engine(url, write=True)  # one of its own: the shared one must keep its tables
    run_loose(engine, damage.removesuffix(" CASCADE") if engine.dialect.name == "sqlite" else damage)
    schema, *others = check_database(url)
    assert not schema.ok
    assert said in schema.detail
    assert [finding.check for finding in others] == ["integrity"]


def test_a_damaged_page_fails_the_integrity_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "zoo.sqlite"
    store = DatabaseStore(open_engine(str(path), write=True))
    store.save([make_record(f"a/m{number}", config=make_config(vocab_size=number + 1)) for number in range(300)])
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'config_body'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 100)
    *_, integrity = check_database(str(path))
    assert (integrity.check, integrity.ok) == ("integrity", False)
    assert "\n" not in integrity.detail


def test_the_check_says_how_far_it_is(engine: Engine, filled: str) -> None:
    seen: Counter[str] = Counter()
    check_database(filled, lambda check, rows: seen.update({check: rows}))
    assert seen == {
        "integrity": 0, "foreign keys": 0, "configs": 2, "analyses": 2, "derived numbers": 2, "models": 3,
    }  # fmt: skip


def test_many_rows_are_checked_piece_by_piece(store: DatabaseStore, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save([make_record(f"a/m{number}", config=make_config(vocab_size=number % 5 + 1)) for number in range(25)])
    monkeypatch.setattr("zoo.db.check.CHUNK", 3)
    monkeypatch.setattr("zoo.db.check.REMEMBERED", 2)
    details = {finding.check: finding.detail for finding in check_database(url)}
    assert details["models"] == "25 have their revision, key and verdict"
    assert details["analyses"] == "5 agree with their JSON"


def test_an_older_schema_is_all_that_is_said(engine: Engine, filled: str) -> None:
    run_loose(engine, "UPDATE setting SET value = 'old' WHERE key = 'views'")
    (finding,) = check_database(filled)
    assert isinstance(finding, Finding)
    assert not finding.ok
    assert "zoo db upgrade" in finding.detail


def test_there_must_be_something_to_check(url: str) -> None:
    with pytest.raises(DatabaseProblem, match="no database to check"):
        check_database(url)
