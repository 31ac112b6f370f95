"""Record what transformers says of every architecture into ``tests/data/oracle.jsonl.gz``.

Run with ``python -m tests.oracle record`` where the ``oracle`` extra is installed. The recording is what the tests hold
the ledger against on every machine; ``make oracle`` does the same live, with fresh variations.
"""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

from tests.oracle.build import describe
from tests.oracle.vary import load_required, vary
from zoo.arch.registry import load_architectures

TARGET = Path(__file__).parents[1] / "data" / "oracle.jsonl.gz"
VARIATIONS = 8


def configs_for(model_type: str, heads: list[str]) -> list[dict[str, Any]]:
    """The default, the default under every head, and random variations that go through the heads."""
    base = {"model_type": model_type, **load_required().get(model_type, {})}
    configs: list[dict[str, Any]] = [base]
    configs += [{**base, "architectures": [head]} for head in heads]
    configs += [vary(model_type, 1000 + seed) for seed in range(VARIATIONS)]
    return configs


def main(*_: str) -> int:
    import transformers

    warnings.simplefilter("ignore")
    lines = [json.dumps({"transformers": transformers.__version__})]
    for model_type, architecture in sorted(load_architectures().items()):
        kept = 0
        for config in configs_for(model_type, list(architecture.heads)):
            try:
                said = describe(config)
            except Exception as error:
                print(f"{model_type}: refused by transformers: {str(error).splitlines()[0]:.100}")
                continue
            kept += 1
            lines.append(json.dumps({"config": config, "said": said}, separators=(",", ":"), sort_keys=True))
        print(f"{model_type}: {kept}", flush=True)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    print(f"{TARGET.name}: {len(lines) - 1} models, {TARGET.stat().st_size:,} bytes")
    return 0
