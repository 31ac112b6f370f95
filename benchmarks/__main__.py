"""``make bench``: speed and memory as ratios to a named peer, measured in the same run.

Each benchmark prints one line: what was measured, zoo's figure, the peer's figure, the ratio. A peer that is not
installed is said so; nothing here passes or fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.crawling import bench_crawl, bench_walk
from benchmarks.estimating import bench_estimates, load_configs
from benchmarks.reporting import bench_report
from benchmarks.saving import MANY_TWINS, bench_saving

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}

BUILD = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from tests.oracle.build import build_model
config = json.loads(sys.argv[1])
build_model(config)
start = time.perf_counter()
for _ in range(5):
    model = build_model(config)
    total = sum(p.numel() for p in model.parameters())
print(json.dumps([total, (time.perf_counter() - start) / 5]))
"""


def time_once(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def bench_against_building() -> None:
    """One config through the ledger against building the model on the meta device, both in a warm process."""
    import zoo

    zoo.analyze(LLAMA)
    ours = median(time_once(lambda: zoo.analyze(LLAMA)) for _ in range(200))
    done = subprocess.run([sys.executable, "-c", BUILD, json.dumps(LLAMA)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"one Llama-3.1-8B: zoo {ours * 1e6:,.0f} µs; peer not installed (make oracle installs transformers)")
        return
    total, theirs = json.loads(done.stdout)
    analysis = zoo.analyze(LLAMA)
    assert analysis.params is not None
    assert analysis.params.total == total
    print(
        f"one Llama-3.1-8B: zoo {ours * 1e6:,.0f} µs, transformers on the meta device {theirs * 1e6:,.0f} µs "
        f"warm: {theirs / ours:,.0f} times"
    )


def bench_process() -> None:
    """A whole process for one config file, against Python starting."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(LLAMA))
        ours = median(
            time_once(lambda: subprocess.run([zoo_command(), "analyze", str(path), "--json"], stdout=-3, check=True))
            for _ in range(5)
        )
        bare = median(time_once(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) for _ in range(5))
    print(f"zoo analyze, whole process: {ours:.2f} s; Python alone {bare:.2f} s: {ours / bare:.1f} times")


def bench_sync_and_report() -> None:
    """The snapshot into a new database, and a report of two models, against a bare WeasyPrint page."""
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/zoo.sqlite"
        sync = [zoo_command(), "--db", db, "--quiet", "sync", "--source", "snapshot"]
        report = [zoo_command(), "--db", db, "--quiet", "report", "--models", "llama,mistral", "--out", folder]
        synced = time_once(lambda: subprocess.run(sync, stdout=-3, check=True))
        reported = time_once(lambda: subprocess.run(report, stdout=-3, check=True))
        page = "import weasyprint; weasyprint.HTML(string='<p>zoo').write_pdf()"
        bare = time_once(lambda: subprocess.run([sys.executable, "-c", page], check=True))
    models = len(load_configs())
    print(
        f"sync of the snapshot: {synced:.2f} s for {models} models, {models / synced:,.0f} models/s, process included"
    )
    print(f"report of two models, HTML and PDF: {reported:.2f} s; a bare WeasyPrint page {bare:.2f} s: "
          f"{reported / bare:.1f} times")  # fmt: skip


def zoo_command() -> str:
    return str(Path(sys.executable).with_name("zoo"))


if __name__ == "__main__":
    for bench in (
        bench_estimates,
        bench_against_building,
        bench_process,
        bench_sync_and_report,
        bench_report,
        bench_saving,
        partial(bench_saving, twins=MANY_TWINS),
        bench_crawl,
        bench_walk,
    ):
        bench()
