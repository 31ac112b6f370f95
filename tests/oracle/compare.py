"""``make oracle``: hold every architecture against transformers: defaults, every class, and random variations.

Each is compared twice: as the config is given, and as transformers itself writes it beside the weights of the model.

Usage: ``python -m tests.oracle compare [TYPE …] [--variations N]``
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import Any

from tests.oracle.asked import ARGUED, list_asked
from tests.oracle.build import build_model, describe_model, save_config
from tests.oracle.check import built_by_transformers, differences
from tests.oracle.vary import load_required, vary
from zoo.arch.config import UnsupportedError

WORDS = ("ok", "illegal", "unsupported", "WRONG")


def compare(config: dict[str, Any], name: str) -> str:
    """ "ok", "illegal" (transformers refuses the config), "unsupported" or "WRONG", after saying what is wrong."""
    try:
        model = build_model(config)
        said = describe_model(model)
    except Exception as error:
        print(f"    {name}: transformers refuses: {type(error).__name__}: {str(error).splitlines()[0]:.140}")
        return "illegal"
    word = hold(config, said, name)
    saved = save_config(model)
    if saved.get("model_type") != config["model_type"]:  # a class of one section writes that section alone
        return word
    return max(word, hold_saved(saved, said, f"{name}, saved"), key=WORDS.index)


def hold_saved(saved: dict[str, Any], said: dict[str, Any], name: str) -> str:
    """As :func:`hold`. Where a null was dropped on the way, the file says another model: then that is what counts."""
    try:
        same = not differences(saved, said)
    except UnsupportedError:
        same = True
    return hold(saved, said if same else describe_model(build_model(saved)), name)


def hold(config: dict[str, Any], said: dict[str, Any], name: str) -> str:
    """ "ok", "unsupported" or "WRONG"."""
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


def compare_type(model_type: str, heads: Sequence[str], variations: int) -> list[str]:
    """The words for the plain default, the default that can run, each class, and the variations."""
    base = {"model_type": model_type, **load_required().get(model_type, {})}
    results = [compare(base, f"{model_type} default")]
    results += [compare({**base, "architectures": [head]}, f"{model_type} {head}") for head in heads]
    results += [compare(vary(model_type, seed), f"{model_type} #{seed}") for seed in range(variations)]
    return results


def main(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle compare")
    parser.add_argument("types", nargs="*")
    parser.add_argument("--variations", type=int, default=10)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    known, asked = built_by_transformers(), list_asked()
    right, bad = [], 0
    for model_type in options.types or sorted({*known, *asked}):
        if model_type not in known:
            print(f"{model_type:28} not declared", flush=True)
            bad += 1
            continue
        results = compare_type(model_type, list(known[model_type].heads), options.variations)
        counts = {word: results.count(word) for word in WORDS}
        bare = {"model_type": model_type, "architectures": [known[model_type].natural]}
        plain = "ok" if model_type in ARGUED else compare(bare, f"{model_type} plain default")
        # A default that transformers itself cannot build says nothing; what it needs is in REQUIRED.
        missed = plain not in ("ok", "illegal") and model_type in asked
        wrong = counts["WRONG"] + counts["unsupported"] + (counts["ok"] == 0) + missed
        bad += wrong > 0
        right += [] if wrong else [model_type]
        print(f"{model_type:28} " + "  ".join(f"{word} {count}" for word, count in counts.items()), flush=True)
    print_summary(options.types, right, bad, asked)
    return 1 if bad else 0


def print_summary(chosen: Sequence[str], right: Sequence[str], bad: int, asked: Sequence[str]) -> None:
    """How many types are right, how many of those asked for, and what is argued."""
    wanted = [name for name in asked if not chosen or name in chosen]
    argued = [name for name in wanted if name in ARGUED]
    print(f"\n{len(right)} types right, {bad} not")
    print(f"{sum(name in right for name in wanted)} of {len(wanted)} asked for; of these {len(argued)} argued")
    for name in argued:
        print(f"  {name}: {ARGUED[name]}")
