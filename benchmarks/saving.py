"""Saving new models: zoo, with the analysis of their configs, beside ``sqlite3.executemany`` of the rows it wrote.

``python -m benchmarks.saving [MODELS]``. One architecture for every twenty models; of the fine-tunes of each, half have
the config of their base and half one of their own that differs in ``_name_or_path``, as it is on the Hub.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.sources.record import HubFacts, ModelRecord

MODELS = 100_000
#: Models that share an architecture.
TWINS = 20
#: Models in one transaction.
BATCH = 5_000
TABLES = ("analysis", "analysis_body", "part", "config", "config_body", "model", "revision")
_SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_records(count: int) -> Iterator[ModelRecord]:
    """``count`` models, one after the other: the configs of the bundled snapshot, each with a vocabulary of its own."""
    lines = files("zoo.snapshot").joinpath("models.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    bases = [json.loads(line)["config"] for line in lines]
    for number in range(count):
        base = number // TWINS
        config = {**bases[base % len(bases)], "vocab_size": 30_000 + base}
        if number % 2:
            config["_name_or_path"] = f"user-{number}/model-{number}"
        yield ModelRecord(
            f"user-{number % 5000}/model-{number}-finetune",
            "hub",
            config=config,
            sha=f"{number * 7_919:040x}",
            facts=make_facts(number),
            origin="the Hub",
        )


def make_facts(number: int) -> HubFacts:
    """What the Hub says of a fine-tune."""
    base = f"base-{number // TWINS}/model"
    tags = ("transformers", "safetensors", "text-generation", "en", "license:apache-2.0", f"base_model:{base}")
    return HubFacts(
        hub_id=f"{number * 104_729:024x}",
        downloads=number % 1000,
        likes=number % 17,
        license="apache-2.0",
        tags=tags,
        base_model=(base,),
        pipeline_tag="text-generation",
        library="transformers",
        created_at=_SEEN,
        last_modified=_SEEN,
    )


def save_all(path: Path, count: int) -> float:
    """Seconds that saving takes; making the records is not counted."""
    from zoo.db.session import open_engine
    from zoo.db.store import DatabaseStore

    store = DatabaseStore(open_engine(str(path), write=True))
    records, seconds = make_records(count), 0.0
    while batch := list(islice(records, BATCH)):
        start = time.perf_counter()
        store.save(batch)
        seconds += time.perf_counter() - start
    store.close()
    return seconds


def copy_rows(source: Path, target: Path) -> float:
    """Seconds that ``executemany`` takes for the rows of ``source``, in as many transactions, with the same indexes."""
    there, copy = sqlite3.connect(source), sqlite3.connect(target, isolation_level=None)
    schema = "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
        copy.execute(f"PRAGMA {pragma}")
    for (sql,) in there.execute(schema):
        copy.execute(sql)
    rows = {table: there.execute(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}
    sizes = {table: there.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES}
    batches, seconds = -(-sizes["model"] // BATCH), 0.0
    for _ in range(batches):
        parts = {table: rows[table].fetchmany(-(-sizes[table] // batches)) for table in TABLES}
        seconds += write_parts(copy, parts)
    return seconds


def write_parts(copy: sqlite3.Connection, parts: Mapping[str, Sequence[Any]]) -> float:
    start = time.perf_counter()
    copy.execute("BEGIN IMMEDIATE")
    for table, rows in parts.items():
        if rows:
            copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    copy.execute("COMMIT")
    return time.perf_counter() - start


def bench_saving(count: int = MODELS) -> None:
    """New models a second into SQLite, analysis included, and the memory that it takes, against bare executemany."""
    with tempfile.TemporaryDirectory() as folder:
        ours = save_all(Path(folder) / "zoo.sqlite", count)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        theirs = copy_rows(Path(folder) / "zoo.sqlite", Path(folder) / "copy.sqlite")
    print(
        f"saving {count:,} new models, {count // TWINS:,} architectures: zoo {count / ours:,.0f} models/s, "
        f"sqlite3.executemany of the same rows, finished, {count / theirs:,.0f} models/s: {ours / theirs:.1f} times; "
        f"{memory:,.0f} MiB at most"
    )


if __name__ == "__main__":
    bench_saving(*map(int, sys.argv[1:2]))
