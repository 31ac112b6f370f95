"""Real configs a second, beside ``accelerate estimate-memory``, which builds each model empty and measures it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from statistics import median
from typing import Any

#: Every so many configs of the snapshot are given to the peer, which takes about a second for some.
STEP = 12

ACCELERATE = """
import json, sys, time, warnings, logging
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from accelerate import init_empty_weights
from accelerate.commands.estimate import calculate_maximum_sizes
from transformers import AutoModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

def estimate(config):
    with init_empty_weights():
        model = AutoModel.from_config(CONFIG_MAPPING[config["model_type"]].from_dict(config))
    return calculate_maximum_sizes(model)

def measure(config):
    try:
        start = time.perf_counter()
        estimate(config)
        return time.perf_counter() - start
    except Exception:
        return None

configs = json.load(sys.stdin)
for config in configs:
    measure(config)  # imports what it needs
print(json.dumps([measure(config) for config in configs]))
"""


def load_configs() -> list[dict[str, Any]]:
    """The configs of the bundled snapshot."""
    lines = files("zoo.snapshot").joinpath("models.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return [json.loads(line)["config"] for line in lines]


def count_weights(config: dict[str, Any]) -> None:
    """What the peer gives and no more: parameters, and their bytes as stored."""
    from zoo.arch import build_ledger
    from zoo.metrics.analysis import read_dtype
    from zoo.metrics.packing import pack_weights
    from zoo.metrics.sums import sum_params

    ledger = build_ledger(config)
    pack_weights(config, ledger, sum_params(ledger), read_dtype(config, ledger)[0])


def time_each(configs: list[dict[str, Any]], action: Callable[[dict[str, Any]], object]) -> list[float]:
    """Seconds of ``action`` for each config, the best of five."""
    best = [float("inf")] * len(configs)
    for _ in range(5):
        for index, config in enumerate(configs):
            start = time.perf_counter()
            action(config)
            best[index] = min(best[index], time.perf_counter() - start)
    return best


def bench_estimates() -> None:
    """One line for zoo on all of the snapshot, one beside accelerate on some of it, in the same run."""
    import zoo

    configs = load_configs()
    exact = [config for config in configs if zoo.analyze(config).method == "ledger"]
    seconds = time_each(exact, zoo.analyze)
    print(
        f"analysis: {len(exact) / sum(seconds):,.0f} configs/s on one core, each the best of five; "
        f"median {median(seconds) * 1e6:,.0f} µs, slowest {max(seconds) * 1e3:.1f} ms "
        f"({len(exact)} of {len(configs)} are exact)"
    )
    counted = sum(time_each(exact, count_weights))
    print(f"parameters and bytes alone, as the peer below: {len(exact) / counted:,.0f} configs/s on one core")
    some = [config for config in exact if "auto_map" not in config][::STEP]
    command = [sys.executable, "-c", ACCELERATE]
    done = subprocess.run(command, input=json.dumps(some), capture_output=True, text=True, check=False)
    if done.returncode:
        print("accelerate's estimate: not installed (make oracle installs it)")
        return
    theirs = json.loads(done.stdout.splitlines()[-1])
    pairs = [(ours, its) for ours, its in zip(time_each(some, zoo.analyze), theirs, strict=True) if its is not None]
    ours, its = sum(one for one, _ in pairs), sum(two for _, two in pairs)
    print(
        f"accelerate's estimate of {len(pairs)} of them: {len(pairs) / its:.1f} configs/s, zoo on the same "
        f"{len(pairs) / ours:,.0f}: {its / ours:,.0f} times"
    )
