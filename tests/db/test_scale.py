"""What does not grow with the number of models: work for each fine-tune, memory, statements."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from tests.records import make_config, make_record
from zoo.db import content, spelling
from zoo.db.derive import derive_core
from zoo.db.session import open_engine
from zoo.db.store import DatabaseStore
from zoo.sources.record import ModelRecord


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was analysed, in order."""
    cores: list[bytes] = []

    def derive_noted(core: bytes) -> Any:
        cores.append(core)
        return derive_core(core)

    monkeypatch.setattr(spelling, "derive_core", derive_noted)
    return cores


def make_batch(start: int, count: int) -> list[ModelRecord]:
    """Fine-tunes of three bases, each with a config of its own."""
    return [
        make_record(f"a/m{n}", config=make_config(vocab_size=100 + n % 3, _name_or_path=f"u/{n}", bos_token_id=n))
        for n in range(start, start + count)
    ]


def test_fine_tunes_are_analysed_once_however_many_there_are(
    store: DatabaseStore, engine: Engine, analysed: list[bytes]
) -> None:
    for start in (0, 200, 400):
        store.save(make_batch(start, 200))
    assert len(analysed) == 3
    with engine.connect() as connection:
        counts = connection.execute(text("SELECT COUNT(*), COUNT(DISTINCT fingerprint) FROM models")).one()
        assert tuple(counts) == (600, 3)
        assert connection.scalar(text("SELECT COUNT(*) FROM config")) == 600


def test_what_is_remembered_of_analyses_is_bounded(
    store: DatabaseStore, analysed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "REMEMBERED", 2)
    store.save(make_batch(0, 30))
    assert len(store._configs._digests) == 2
    store.save(make_batch(30, 30))
    assert 3 < len(analysed) <= 6


def test_what_was_rolled_back_is_not_remembered_as_stored(
    store: DatabaseStore, analysed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr("zoo.db.saving.Batch._write_errors", fail)
        with pytest.raises(RuntimeError, match="power"):
            store.save([make_record()])
    assert store.save([make_record()]).new == 1
    assert len(analysed) == 2


def test_statements_do_not_grow_with_the_models_of_a_batch(store: DatabaseStore, engine: Engine) -> None:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    counts = []
    for start, count in ((0, 10), (1000, 10), (2000, 900)):
        statements.clear()
        store.save(make_batch(start, count))
        counts.append(len(statements))
    assert counts[1] == counts[2] <= counts[0]


def test_memory_does_not_grow_with_the_models(tmp_path: Path) -> None:
    store = DatabaseStore(open_engine(str(tmp_path / "zoo.sqlite"), write=True))

    def save(numbers: Iterator[int]) -> int:
        tracemalloc.reset_peak()
        for number in numbers:
            store.save(make_batch(number * 300, 300))
        return tracemalloc.get_traced_memory()[1]

    store.save(make_batch(0, 300))
    tracemalloc.start()
    try:
        first = save(iter(range(1, 3)))
        later = save(iter(range(3, 12)))
    finally:
        tracemalloc.stop()
    assert later < 1.2 * first
