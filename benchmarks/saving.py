"""Saving new models from a local source: ``zoo sync`` beside ``sqlite3.executemany`` of the very rows that it wrote.

``python -m benchmarks.saving [MODELS] [MODELS FOR EACH ARCHITECTURE]``. The source is a ``.jsonl`` of configs, made up
from those of the bundled snapshot. The mix: of every ten models one is a base whose architecture nobody else has, the
other nine are fine-tunes of it: five with a ``_name_or_path`` of their own, four with the very config of the base. So
one model in ten has to be analysed, and six configs of ten have to be stored.

zoo reads, checks, hashes and analyses; the peer only writes rows that are finished, into the same tables with the same
indexes, in transactions as large. Memory is that of both processes of zoo together, at their most.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from zoo.sync import BATCH

MODELS = 100_000
#: Models that share an architecture: ten is hard, a hundred nearer to the Hub, where most models are fine-tunes.
TWINS = 10
MANY_TWINS = 100
TABLES = ("analysis", "analysis_body", "part", "config", "config_body", "model", "revision")


class Saved(NamedTuple):
    """``seconds`` without those that any command of zoo takes to start; ``memory`` in bytes."""

    seconds: float
    memory: int


def make_lines(count: int, twins: int = TWINS) -> Iterator[str]:
    """``count`` models, each base before its fine-tunes: configs of the snapshot, each with a vocabulary of its own."""
    lines = files("zoo.snapshot").joinpath("models.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    bases = [json.loads(line)["config"] for line in lines]
    for number in range(count):
        base, twin = divmod(number, twins)
        config = {**bases[base % len(bases)], "vocab_size": 30_000 + base}
        if twin % 2:
            config["_name_or_path"] = f"user-{number % 5000}/checkpoint-{number}"
        yield json.dumps({"repo_id": f"user-{number % 5000}/model-{number}-finetune", "config": config}) + "\n"


def sync_file(source: Path, database: Path) -> Saved:
    """Run ``zoo sync`` of ``source`` into ``database``, which is new."""
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "--db", str(database), "--quiet"]
    began = time.perf_counter()
    subprocess.run([*command, "db", "status"], stdout=subprocess.DEVNULL, check=True)
    start = time.perf_counter()
    with subprocess.Popen([*command, "sync", "--source", str(source)], stdout=subprocess.DEVNULL) as process:
        memory = 0
        while process.poll() is None:
            memory = max(memory, measure_memory(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"zoo sync ended with {process.returncode}")
    return Saved(time.perf_counter() - start - (start - began), memory)


def measure_memory(pid: int) -> int:
    """Resident memory of the process ``pid`` and its children, in bytes; where /proc does not tell, 0."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in (parent, int(folder.name)):
                total += int((folder / "statm").read_text().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):  # it has ended
            continue
    return total


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


def count_rows(database: Path, table: str) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def bench_saving(count: int = MODELS, twins: int = TWINS) -> None:
    """New models a second into SQLite, reading and analysis included, and memory, against bare executemany."""
    with tempfile.TemporaryDirectory() as folder:
        source, database = Path(folder) / "models.jsonl", Path(folder) / "zoo.sqlite"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(make_lines(count, twins))
        ours = sync_file(source, database)
        analyses = count_rows(database, "analysis")
        assert count_rows(database, "model") == count
        theirs = copy_rows(database, Path(folder) / "copy.sqlite")
    print(
        f"saving {count:,} new models, 1 in {twins} of an architecture of its own ({analyses:,} analyses): "
        f"zoo sync {count / ours.seconds:,.0f} models/s, sqlite3.executemany of the same rows, finished, "
        f"{count / theirs:,.0f} models/s: {ours.seconds / theirs:.1f} times; {ours.memory / 2**20:,.0f} MiB at most "
        f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
    )


if __name__ == "__main__":
    bench_saving(*map(int, sys.argv[1:3]))
