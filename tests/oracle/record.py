"""Record what transformers says of every architecture into ``tests/data/oracle.jsonl.gz``.

``python -m tests.oracle record [TYPE … | --missing]``, where the ``oracle`` extra is installed. The recording is what
the tests hold the ledger against on every machine; ``make oracle`` does the same live, with fresh variations.
"""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

from tests.oracle.build import describe
from tests.oracle.check import built_by_transformers
from tests.oracle.vary import load_required, vary

TARGET = Path(__file__).parents[1] / "data" / "oracle.jsonl.gz"
VARIATIONS = 8


def configs_for(model_type: str, heads: list[str]) -> list[dict[str, Any]]:
    """The default, the default under every head, and random variations that go through the heads."""
    base = {"model_type": model_type, **load_required().get(model_type, {})}
    configs: list[dict[str, Any]] = [base]
    configs += [{**base, "architectures": [head]} for head in heads]
    configs += [vary(model_type, 1000 + seed) for seed in range(VARIATIONS)]
    return configs


def record_type(model_type: str, heads: list[str]) -> list[str]:
    """One line for each config of the type that transformers builds."""
    lines = []
    for config in configs_for(model_type, heads):
        try:
            said = describe(config)
        except Exception as error:
            print(f"{model_type}: refused by transformers: {str(error).splitlines()[0]:.100}")
            continue
        lines.append(json.dumps({"config": config, "said": said}, separators=(",", ":"), sort_keys=True))
    print(f"{model_type}: {len(lines)}", flush=True)
    return lines


def read_recorded() -> dict[str, list[str]]:
    """The lines recorded so far, by model type."""
    recorded: dict[str, list[str]] = {}
    if TARGET.exists():
        for line in gzip.decompress(TARGET.read_bytes()).decode().splitlines()[1:]:
            recorded.setdefault(json.loads(line)["config"]["model_type"], []).append(line)
    return recorded


def main(*arguments: str) -> int:
    """Record all types anew, or those named; ``--missing`` those that are not recorded or have a new class."""
    import transformers

    warnings.simplefilter("ignore")
    known, recorded = built_by_transformers(), read_recorded()
    if arguments == ("--missing",):
        chosen = [name for name, a in known.items() if not set(a.heads) <= list_classes(recorded.get(name, []))]
    else:
        chosen = list(arguments) or list(known)
    recorded = {name: lines for name, lines in recorded.items() if name in known}
    for model_type in sorted(chosen):
        recorded[model_type] = record_type(model_type, list(known[model_type].heads))
    lines = [json.dumps({"transformers": transformers.__version__})]
    lines += [line for name in sorted(recorded) for line in recorded[name]]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    print(f"{TARGET.name}: {len(recorded)} types, {len(lines) - 1} models, {TARGET.stat().st_size:,} bytes")
    return 0


def list_classes(lines: list[str]) -> set[str]:
    return {json.loads(line)["said"]["class"] for line in lines}
