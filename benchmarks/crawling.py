"""A crawl of a Hub on loopback beside the usual ways to fetch configs, and the memory of a walk over very many models.

The Hub is a process of its own that adds 50 ms to every answer. All ways fetch from it in the same run, each in a
process of its own; zoo's time is that of the whole command, start of Python and writing of the database included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.hub_server import HubServer

LATENCY = 0.05
JOBS = 32
MODELS = 3000

DOWNLOAD = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from huggingface_hub import hf_hub_download
threads, models, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
names = [f"org{number % 97}/model-{number:06}" for number in range(models)]
start = time.perf_counter()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(lambda name: hf_hub_download(name, "config.json", cache_dir=folder), names))
print(time.perf_counter() - start)
"""

#: What the system counts for a process may include the one that started it, so Linux is asked for the memory itself.
WALK = """
import resource, sys
from pathlib import Path
from zoo.cli import main
try:
    main()
finally:
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(int(line.split()[1]) / 1e3 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(peak, file=sys.stderr)
"""


def serve(models: int) -> None:
    """Be the Hub until the standard input ends, then say how many requests came."""
    with HubServer() as hub:
        hub.latency = LATENCY
        for number in range(models):
            config = {"model_type": "llama", "hidden_size": 64 * (number % 50 + 1), "pad": "x" * (number % 900)}
            hub.add(f"org{number % 97}/model-{number:06}", config, createdAt=f"2024-01-{number % 28 + 1:02}T00:00:00Z")
        print(hub.url, flush=True)
        for line in sys.stdin:  # each line asks for the count so far
            print(len(hub.requests), line.strip(), flush=True)


@contextmanager
def start_server(*words: str) -> Iterator[tuple[str, IO[str], IO[str]]]:
    """A server as a process of its own: its address, where it reads and what it prints."""
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), server.stdin, server.stdout
        finally:
            server.stdin.close()


def make_environment(url: str, folder: str) -> dict[str, str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("HF_", "ZOO_"))}
    own = {"HF_ENDPOINT": url, "HF_HOME": f"{folder}/hf", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    return clean | own | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def time_downloads(url: str, folder: str, threads: int, models: int) -> float:
    """Seconds a model of ``hf_hub_download`` in ``threads`` threads, start of Python left out."""
    command = [sys.executable, "-c", DOWNLOAD, str(threads), str(models), f"{folder}/cache{threads}"]
    done = subprocess.run(command, env=make_environment(url, folder), capture_output=True, text=True, check=True)
    return float(done.stdout) / models


def time_sync(url: str, folder: str) -> float:
    """Seconds of ``zoo sync --all``, the whole process."""
    zoo = str(Path(sys.executable).with_name("zoo"))
    command = [zoo, "--db", f"{folder}/zoo.sqlite", "sync", "--all", "--source", "hub", "--budget", "1"]
    start = time.perf_counter()
    subprocess.run(command, env=make_environment(url, folder), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def bench_crawl(models: int = MODELS) -> None:
    """zoo beside a loop of hf_hub_download and 16 threads of it; the same again with nothing changed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server("benchmarks.crawling", str(models)) as (url, ask, answers),
    ):

        def count() -> int:
            ask.write("?\n")
            ask.flush()
            return int(answers.readline().split()[0])

        loop = time_downloads(url, folder, 1, 60)
        threads = time_downloads(url, folder, 16, 480)
        before = count()
        seconds = time_sync(url, folder)
        between = count()
        again = time_sync(url, folder)
        made, made_again = between - before, count() - between
    floor = made / JOBS * LATENCY
    own = seconds / models
    print(
        f"crawl at {LATENCY * 1000:.0f} ms: zoo {seconds:.1f} s for {models:,} models in {made:,} requests, "
        f"{seconds / floor:.1f} times the floor of {floor:.1f} s; hf_hub_download in a loop {1000 * loop:.0f} ms a "
        f"model: {loop / own:.0f} times; in 16 threads {1000 * threads:.1f} ms: {threads / own:.1f} times"
    )
    print(f"the same again, nothing changed: {again:.1f} s, {made_again:,} requests")


def measure_walk(models: int, folder: str) -> tuple[float, float]:
    """Seconds of a walk over ``models`` listed models into a new database, and the most memory in MB."""
    zoo = [sys.executable, "-c", WALK]
    with start_server("benchmarks.listing", str(models)) as (url, _, _):
        command = [*zoo, "--db", f"{folder}/{models}.sqlite", "--json", "sync", "--all", "--source", "hub"]
        start = time.perf_counter()
        environment = make_environment(url, folder)
        done = subprocess.run([*command, "--anonymous"], env=environment, capture_output=True, text=True, check=True)
        return time.perf_counter() - start, float(done.stderr.split()[-1])


def bench_walk(models: int = 150_000) -> None:
    """The memory of a walk does not grow with the number of models."""
    with tempfile.TemporaryDirectory() as folder:
        _, small = measure_walk(models // 5, folder)
        seconds, large = measure_walk(models, folder)
    print(
        f"walk over {models:,} listed models: {models / seconds:,.0f} models/s, {large:.0f} MB at most; "
        f"over {models // 5:,}: {small:.0f} MB"
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]))
