"""The models that others are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.records import make_config, make_record
from zoo.db.population import load_population
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.record import HubFacts


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Three models of one fingerprint, one of another, one without numbers, one that is gone."""
    engine = open_engine(str(tmp_path / "zoo.sqlite"), write=True)
    wide = make_config(num_hidden_layers=3)
    records = [
        make_record("acme/most", facts=HubFacts(downloads=30)),
        make_record("acme/least", facts=HubFacts(downloads=10)),
        make_record("acme/more", facts=HubFacts(downloads=20)),
        make_record("acme/deep", config=wide, facts=HubFacts(downloads=5)),
        make_record("acme/odd", config={"model_type": "eliza"}, facts=HubFacts(downloads=99)),
        make_record("acme/gone", config=make_config(num_hidden_layers=5), facts=HubFacts(downloads=99)),
    ]
    DatabaseStore(engine).save(records)
    with engine.begin() as connection:
        connection.execute(text("UPDATE model SET gone_at = '2025-01-01' WHERE name = 'gone'"))
    return engine


def test_one_model_stands_for_each_fingerprint(engine: Engine) -> None:
    population = load_population(engine)
    assert [(s.repo_id, s.twin_ids, s.count) for s in population.specimens] == [
        ("acme/most", ["acme/more", "acme/least"], 3),
        ("acme/deep", [], 1),
    ]
    assert (population.models, population.whole) == (4, True)
    deep = population.specimens[1]
    assert deep.config["num_hidden_layers"] == 3
    assert deep.model_type == "llama"
    assert deep.params_total


@pytest.mark.parametrize(("models", "specimens", "found"), [(2, 10, 2), (10, 1, 3)])
def test_a_limit_is_told(engine: Engine, models: int, specimens: int, found: int) -> None:
    population = load_population(engine, most_models=models, most_specimens=specimens)
    assert not population.whole
    assert population.models == found
    assert [s.repo_id for s in population.specimens] == ["acme/most"]
