from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.conftest import Run
from zoo.db.engine import make_engine, resolve_url


@pytest.fixture
def copy(snapshot_path: Path, tmp_path: Path) -> Path:
    """The snapshot's database, to be damaged."""
    return Path(shutil.copy(snapshot_path, tmp_path / "copy.sqlite"))


def run_sql(path: Path, sql: str) -> None:
    with make_engine(resolve_url(str(path)), write=True).begin() as connection:
        connection.execute(text(sql))


def test_db_path_prints_where_it_is(run: Run, snapshot_path: Path, tmp_path: Path) -> None:
    assert run("db", "path").out == f"{snapshot_path}\n"
    assert json.loads(run("db", "path", "--json").out) == {"path": str(snapshot_path)}
    assert run("db", "path", "--db", tmp_path / "none.sqlite").out == f"{tmp_path / 'none.sqlite'}\n"
    assert "secret" not in run("db", "path", "--db", "postgresql://me:secret@host/db").out


def test_db_status_says_what_is_there(run: Run, snapshot_size: int) -> None:
    status = json.loads(run("db", "status", "--json").out)
    assert status["models"] == snapshot_size
    assert status["schema"] == "current"
    lines = run("db", "status").out.splitlines()
    assert f"models           {snapshot_size:,}" in lines
    assert any(line.startswith("by method        ledger ") for line in lines)


def test_db_status_of_nothing_is_no_error(run: Run, tmp_path: Path) -> None:
    said = run("db", "status", "--db", tmp_path / "none.sqlite")
    assert said.code == 0
    assert "absent" in said.out


def test_db_upgrade_brings_views_and_numbers_up_to_date(run: Run, copy: Path) -> None:
    run_sql(copy, "UPDATE setting SET value = 'old' WHERE key = 'views'")
    run_sql(copy, "UPDATE config SET analyzed_by = 'old'")
    assert run("db", "check", "--db", copy).code == 1
    said = run("db", "upgrade", "--db", copy)
    assert said.code == 0
    assert "upgrading the schema" in said.err
    assert "configs again" in said.err
    assert run("db", "check", "--db", copy).code == 0


def test_db_upgrade_makes_nothing(run: Run, tmp_path: Path) -> None:
    said = run("db", "upgrade", "--db", tmp_path / "none.sqlite")
    assert said.code == 5
    assert "run zoo sync first" in said.err
    assert not (tmp_path / "none.sqlite").exists()


def test_db_check_passes_what_is_whole(run: Run) -> None:
    said = run("db", "check")
    assert said.code == 0
    assert all(line.startswith("ok ") for line in said.out.splitlines())
    assert all(finding["ok"] for finding in json.loads(run("db", "check", "--json").out))


def test_db_check_fails_what_is_not(run: Run, copy: Path) -> None:
    run_sql(copy, "UPDATE config_body SET text = '{}' WHERE config_id = 1")
    said = run("db", "check", "--db", copy)
    assert said.code == 1
    assert "FAILED  configs: 1 of" in said.out
    assert "not as it should be: configs" in said.err


def test_a_file_that_is_no_database_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("not a database, but long enough to look at" * 10)
    said = run("db", "status", "--db", tmp_path / "x.sqlite")
    assert said.code == 5
    assert "is not a database" in said.err
