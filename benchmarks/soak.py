"""``make soak``: thousands of models under faults of all kinds, the sync killed again and again; nothing may be lost.

A Hub on loopback breaks a share of its answers. ``zoo sync --all`` runs as a process of its own and is killed with
SIGKILL at random moments, until it is let run to its end and asked for what failed. What the database holds then has
to be, row by row, what one calm run brings; no config may have been fetched again that had been committed.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hub_server import HubServer
from tests.hub_wire import Fault
from zoo.db.check import check_database

#: Kinds of faults and how often each occurs among them.
FAULTS: tuple[tuple[str, Any, int], ...] = (
    ("reset", None, 4),
    ("truncate", None, 3),
    ("short", None, 2),
    ("long", None, 2),
    ("html", None, 2),
    ("status", 500, 2),
    ("status", 502, 1),
    ("status", 503, 2),
    ("status", 504, 1),
)
ROUNDS = 40  #: runs after the kills until everything has to be there
ROWS = """
    SELECT m.repo_id, m.hub_id, m.sha, c.sha256, m.config_source, m.gated, m.private, m.disabled, m.downloads, m.likes,
           m.tags, m.reported_params, m.created_at, m.gone_at IS NULL, m.problem_kind, m.problem_message
    FROM model m LEFT JOIN config c ON c.id = m.config_id ORDER BY m.repo_id
"""
REVISIONS = """
    SELECT m.repo_id, r.sha, c.sha256, r.source FROM revision r JOIN model m ON m.id = r.model_id
    JOIN config c ON c.id = r.config_id ORDER BY 1, 2, 3
"""
PROBLEMS = "SELECT repo_id, kind, message FROM sync_error WHERE kind <> 'failed' ORDER BY 1, 2, 3"


@dataclass
class Outcome:
    """What a soak came to. The three lists have to be empty."""

    models: int
    kills: int = 0
    runs: int = 0
    requests: int = 0
    broken: int = 0
    seconds: float = 0.0
    fetched_twice: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    faults_of_checks: list[str] = field(default_factory=list)  #: what ``zoo db check`` found after a kill


def fill_hub(hub: HubServer, models: int) -> None:
    """Models of every kind: good configs (many shared), odd ones, gated, disabled, without a config, not usable."""
    for number in range(models):
        created = f"2024-01-{number % 28 + 1:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
        facts = {"createdAt": created, "downloads": number, "tags": ["license:mit"], "likes": number % 7}
        name = f"org{number % 97}/model-{number:06}"
        config: Any = {"model_type": "llama", "hidden_size": 64 * (number % 50 + 1), "pad": "x" * (number % 900)}
        if number % 20 == 1:
            hub.add(name, files={"q4.gguf": b"x"}, **facts)
        elif number % 50 == 2:
            hub.add(name, config, gated="auto", **facts)
        elif number % 100 == 3:
            hub.add(name, config, disabled=True, **facts)
        elif number % 100 == 4:
            hub.add(name, [b"[1, 2]", b"{", b'{"a": ' + b"9" * 5000 + b"}"][number % 3], **facts)
        elif number % 100 == 5:
            hub.add(name, b'{"model_type": "x", "limit": [0.0, Infinity], "pad": "\\ud800"}', **facts)
        else:
            hub.add(name, config, **facts)


def make_chaos(hub: HubServer, rate: float, seed: int, outcome: Outcome) -> None:
    """Let ``rate`` of all answers of ``hub`` go wrong."""
    dice = random.Random(seed)
    kinds = [(kind, value) for kind, value, weight in FAULTS for _ in range(weight)]

    def throw(path: str) -> Fault | None:
        if dice.random() >= rate:
            return None
        kind, value = dice.choice(kinds)
        outcome.broken += 1
        return Fault(re.compile(""), kind, 1, value)

    hub.chaos = throw


def start_sync(hub: HubServer, database: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from zoo.cli import main; main()"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("HF_", "ZOO_"))}
    environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(database.parent / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    words = ("sync", "--source", "hub", "--json", "--anonymous", "--budget", "1", *words)
    return subprocess.Popen(
        [*command, "--db", str(database), *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run_sync(hub: HubServer, database: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    process = start_sync(hub, database, *words)
    out, err = process.communicate(timeout=600)
    return process.returncode, json.loads(out) if out else {}, err.decode()


def run_soak(folder: Path, models: int, kills: int, *, rate: float = 0.1, seed: int = 7) -> Outcome:
    """Soak ``models`` models with ``kills`` kills, working in ``folder``."""
    began, dice, outcome = time.monotonic(), random.Random(seed), Outcome(models)
    calm, soaked = folder / "calm.sqlite", folder / "soaked.sqlite"
    with HubServer() as hub:
        fill_hub(hub, models)
        code, _, said = run_sync(hub, calm, "--all")
        if code:
            raise AssertionError(f"the calm run ended with {code}: {said}")
        calm_seconds = time.monotonic() - began
        hub.requests.clear()
        make_chaos(hub, rate, seed, outcome)
        for _ in range(kills):
            outcome.kills += kill_one(hub, soaked, 0.5 + dice.random() * calm_seconds, outcome)
        finish(hub, soaked, outcome)
        outcome.requests = len(hub.requests)
    for what, query in (("models", ROWS), ("revisions", REVISIONS), ("problems", PROBLEMS)):
        outcome.differences += compare(what, read_rows(calm, query), read_rows(soaked, query))
    outcome.seconds = time.monotonic() - began
    return outcome


def kill_one(hub: HubServer, database: Path, seconds: float, outcome: Outcome) -> bool:
    """Start a sync and kill it after ``seconds``; True when it had not ended by itself."""
    committed, mark = find_committed(database), len(hub.requests)
    process = start_sync(hub, database, "--all")
    try:
        process.communicate(timeout=seconds)
        killed = False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed = True
    outcome.runs += 1
    note_fetched_twice(hub, mark, committed, outcome)
    if database.exists() and read_rows(database, "SELECT 1 FROM sqlite_master LIMIT 1"):
        found = check_database(str(database))
        outcome.faults_of_checks += [f"{each.check}: {each.detail}" for each in found if not each.ok]
    return killed


def finish(hub: HubServer, database: Path, outcome: Outcome) -> None:
    """Run on until a whole walk has ended well and nothing is left that failed."""
    for _ in range(ROUNDS):
        committed, mark = find_committed(database), len(hub.requests)
        code, _, _ = run_sync(hub, database, "--all")
        outcome.runs += 1
        note_fetched_twice(hub, mark, committed, outcome)
        if code == 0:
            break
    for _ in range(ROUNDS):
        if not read_rows(database, "SELECT 1 FROM model WHERE problem_kind = 'failed' LIMIT 1"):
            return
        run_sync(hub, database, "--retry-failed")
        outcome.runs += 1


def find_committed(database: Path) -> set[str]:
    if not database.exists():
        return set()
    try:
        return {row[0] for row in read_rows(database, "SELECT repo_id FROM model WHERE config_id IS NOT NULL")}
    except sqlite3.OperationalError:  # killed before the tables were there
        return set()


def note_fetched_twice(hub: HubServer, mark: int, committed: set[str], outcome: Outcome) -> None:
    for request in hub.requests[mark:]:
        found = re.search(r"(org\d+/model-\d+)/.*config\.json$", request.path)
        if found and found[1] in committed:
            outcome.fetched_twice.append(found[1])


def read_rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def compare(what: str, calm: list[tuple[Any, ...]], soaked: list[tuple[Any, ...]]) -> list[str]:
    """The first few rows that only one of the two has."""
    missing, added = set(calm) - set(soaked), set(soaked) - set(calm)
    found = [f"{what}: {len(missing)} missing, {len(added)} added"] if missing or added else []
    return found + [
        f"  {sign} {row}" for sign, rows in (("-", missing), ("+", added)) for row in sorted(rows, key=str)[:3]
    ]


def bench_soak(models: int = 10_000, kills: int = 12) -> bool:
    """Print what a soak came to; whether all was well."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_soak(Path(folder), models, kills)
    print(
        f"soak: {outcome.models:,} models, {outcome.kills} kills, {outcome.runs} runs, {outcome.requests:,} requests, "
        f"{outcome.broken:,} of them broken, {outcome.seconds:.0f} s: "
        f"{len(outcome.fetched_twice)} configs fetched twice, {len(outcome.differences)} differences to a calm run"
    )
    for line in outcome.differences + outcome.faults_of_checks:
        print(line)
    return not (outcome.fetched_twice or outcome.differences or outcome.faults_of_checks)


if __name__ == "__main__":
    sys.exit(0 if bench_soak(*(int(word) for word in sys.argv[1:])) else 1)
