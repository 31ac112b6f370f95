"""``make oracle``: hold every architecture against transformers, on its defaults and on random variations.

Usage: ``python -m tests.oracle compare [TYPE …] [--variations N]``
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from tests.oracle.build import describe
from tests.oracle.check import built_by_transformers, differences
from tests.oracle.vary import load_required, vary
from zoo.arch.config import UnsupportedError


def compare(config: dict[str, Any], name: str) -> str:
    """ "ok", "illegal" (transformers refuses the config), "unsupported" or "WRONG", after saying what is wrong."""
    try:
        said = describe(config)
    except Exception as error:
        print(f"    {name}: transformers refuses: {type(error).__name__}: {str(error).splitlines()[0]:.140}")
        return "illegal"
    try:
        wrong = differences(config, said)
    except UnsupportedError as error:
        print(f"    {name}: unsupported: {error}")
        return "unsupported"
    for line in wrong[:12]:
        print(f"    {name}: {line}")
    if wrong:
        print(f"    {name}: config {config}")
    return "WRONG" if wrong else "ok"


def main(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle compare")
    parser.add_argument("types", nargs="*")
    parser.add_argument("--variations", type=int, default=10)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    known = built_by_transformers()
    types = options.types or sorted(known)
    bad = 0
    for model_type in types:
        base = {"model_type": model_type, **load_required().get(model_type, {})}
        results = [compare(base, f"{model_type} default")]
        for head in known[model_type].heads:
            results.append(compare({**base, "architectures": [head]}, f"{model_type} {head}"))
        for seed in range(options.variations):
            results.append(compare(vary(model_type, seed), f"{model_type} #{seed}"))
        counts = {word: results.count(word) for word in ("ok", "illegal", "unsupported", "WRONG")}
        bad += counts["WRONG"] + counts["unsupported"] + (counts["ok"] == 0)
        print(f"{model_type:24} " + "  ".join(f"{word} {count}" for word, count in counts.items()), flush=True)
    print(f"{len(types)} types, {bad} wrong")
    return 1 if bad else 0
