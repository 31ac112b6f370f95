"""``python -m tests.oracle single [TYPE…]``: change one key of a small config at a time, and compare.

Random variations change much at once; here nothing hides behind another change. Each key that the type or one of its
sections declares is left out, nulled, flipped, made larger, made one.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from tests.oracle.build import build_model, describe_model
from tests.oracle.check import built_by_transformers, differences
from tests.oracle.vary import FIXED_FLAGS, load_required, vary
from zoo.arch.config import UnsupportedError, find_spec

#: Keys that no model file sets, or that say nothing of its size.
PASSED_OVER = FIXED_FLAGS | {"model_type", "architectures", "tie_encoder_decoder"}
ATTEMPTS = 6
#: Larger than this, a change has made a small model a big one, which takes time and shows no more.
LARGEST = 3_000_000_000


def mutate(key: str, value: Any) -> Iterator[Any]:
    """Other values in place of ``value``."""
    if value is not None:
        yield None
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, 2 * value or 2, 1)
        if key.startswith(("num_", "n_", "first_")):  # a size of 0 is a slip, a number of 0 is none
            yield 0
    elif isinstance(value, str | float):
        return
    elif isinstance(value, list) and value:
        yield value[::-1]
    elif value is None:
        yield from (2, 16, True)


def list_changes(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was changed, the config with it)."""
    spec = find_spec(config["model_type"])
    for key in dict.fromkeys((*spec.defaults, *config)):
        if key in PASSED_OVER or isinstance(spec.defaults.get(key), Mapping):
            continue
        if key in config and not isinstance(config[key], Mapping):
            yield f"without {key}", {k: v for k, v in config.items() if k != key}
        if key in spec.sections:
            continue
        for value in mutate(key, config.get(key, spec.defaults.get(key))):
            yield f"{key}={value!r:.40}", {**config, key: value}
    for key, declared in spec.sections.items():
        inner = config.get(key)
        if isinstance(inner, dict):
            section = {"model_type": declared, **inner}
            for said, changed in list_changes(section):
                yield f"{key}.{said}", {**config, key: changed}


def find_base(model_type: str) -> tuple[dict[str, Any], Any] | None:
    """The first variation that transformers builds, and the required keys beside it."""
    for seed in range(ATTEMPTS):
        config = {**load_required().get(model_type, {}), **vary(model_type, seed)}
        try:
            said = describe_model(build_model(copy.deepcopy(config)))
        except Exception as error:
            print(f"    {model_type} #{seed}: {str(error).splitlines()[0]:.100}")
            continue
        if said["params"] < LARGEST and not differences(config, said):
            return config, said
    return None


def check_change(name: str, config: dict[str, Any]) -> str:
    try:
        said = describe_model(build_model(copy.deepcopy(config)))
    except Exception:
        return "illegal"
    try:
        wrong = differences(config, said)
    except UnsupportedError:
        return "unsupported"
    if wrong:
        print(f"    {name}: {'; '.join(wrong[:2])}")
    return "WRONG" if wrong else "ok"


def main(*types: str) -> int:
    """A line for each type; 1 when a change makes zoo wrong."""
    warnings.simplefilter("ignore")
    bad = 0
    for model_type in types or sorted(built_by_transformers()):
        base = find_base(model_type)
        if base is None:
            print(f"{model_type}: no base")
            continue
        results = [check_change(f"{model_type} {said}", changed) for said, changed in list_changes(base[0])]
        counts = {word: results.count(word) for word in ("ok", "illegal", "unsupported", "WRONG")}
        bad += counts["WRONG"]
        print(f"{model_type:28} " + "  ".join(f"{word} {count}" for word, count in counts.items()), flush=True)
    print(f"{bad} wrong")
    return int(bad > 0)
