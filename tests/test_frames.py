"""The database as data frames: types that tell nothing from zero, and the same terms as the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import zoo
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.errors import DatabaseProblem, NoMatch, UsageError
from zoo.metrics.glossary import METRICS
from zoo.sources.snapshot import read_snapshot

NAMES = ("meta-llama/Llama-3.1-8B", "mistralai/Mistral-7B-v0.1", "mistralai/Mixtral-8x7B-v0.1")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("db") / "zoo.sqlite")
    engine = open_engine(path, write=True)
    DatabaseStore(engine).save([record for record in read_snapshot() if record.repo_id in NAMES])
    engine.dispose()
    return path


def test_load_gives_every_column_of_the_view_in_its_type(db: str) -> None:
    frame = zoo.load(NAMES, db=db)
    assert list(frame.index) == list(NAMES)
    assert list(frame.columns) == [m.key for m in METRICS if m.key != "repo_id"]
    assert frame["params_total"].tolist() == [8030261248, 7241732096, 46702792704]
    assert str(frame["params_total"].dtype) == "Int64"
    assert frame.loc[NAMES[0], "sliding_window"] is pd.NA
    assert str(frame["synced_at"].dtype).startswith("datetime64")


def test_load_takes_one_term_and_knows_what_is_not_there(db: str) -> None:
    assert list(zoo.load("mixtral", db=db).index) == [NAMES[2]]
    assert len(zoo.load(db=db)) == 3
    with pytest.raises(NoMatch, match="mixtrall"):
        zoo.load("mixtrall", db=db)


def test_query_answers_a_select_and_nothing_else(db: str) -> None:
    frame = zoo.query("select repo_id, kv_bytes_per_token, 1 as one from models order by 2 limit 1", db=db)
    assert frame["kv_bytes_per_token"].tolist() == [131072]
    assert str(frame["kv_bytes_per_token"].dtype) == "Int64"
    with pytest.raises(UsageError):
        zoo.query("delete from model", db=db)


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseProblem, match="zoo sync"):
        zoo.load(db=str(tmp_path / "none.sqlite"))
