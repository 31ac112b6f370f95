"""``zoo db status`` and ``zoo db check``: what is there, and whether it is as it should be."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.records import make_config, make_problem, make_record
from zoo.db.check import Finding, check_database
from zoo.db.engine import make_engine
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
        ("UPDATE config_body SET text = '{}' WHERE config_id = 1", ["configs"]),
        ("DELETE FROM config_body WHERE config_id = 1", ["configs"]),
        ("UPDATE analysis SET params_total = params_total + 1 WHERE id = 1", ["analyses"]),
        ("UPDATE part SET params = params + 1 WHERE part = 'mlp'", ["analyses"]),
        ("DELETE FROM analysis_body", ["analyses"]),
        ("UPDATE config SET analyzed_by = 'another zoo'", ["derived numbers"]),
        ("UPDATE model SET config_id = 99 WHERE repo_id = 'a/b'", ["foreign keys", "models"]),
        ("DELETE FROM revision", ["models"]),
    ],
)
def test_damage_is_found(engine: Engine, filled: str, damage: str, failed: list[str]) -> None:
    run_loose(engine, damage)
    assert find_failed(filled) == failed


def test_an_older_schema_is_all_that_is_said(engine: Engine, filled: str) -> None:
    run_loose(engine, "UPDATE setting SET value = 'old' WHERE key = 'views'")
    (finding,) = check_database(filled)
    assert isinstance(finding, Finding)
    assert not finding.ok
    assert "zoo db upgrade" in finding.detail


def test_there_must_be_something_to_check(url: str) -> None:
    with pytest.raises(DatabaseProblem, match="no database to check"):
        check_database(url)
