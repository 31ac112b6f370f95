"""Write ``zoo/arch/defaults.json``: what each config class of transformers declares, as data.

Run with ``python -m tests.oracle defaults`` where transformers is installed. Nothing of a default is evaluated: a class
that derives a value from another (``num_key_value_heads`` null means one per head) shows null here, and the
architecture says what null means.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "zoo" / "arch" / "defaults.json"

#: Keys that never shape a tensor or a state: left out to keep the file small.
HOUSEKEEPING = (
    "_token_id",
    "_token_ids",
    "_token_index",
    "dropout",
    "dropout_prob",
    "dropout_rate",
    "layerdrop",
    "_pdrop",
    "initializer_range",
    "initializer_factor",
    "init_std",
    "use_cache",
    "_loss_coef",
    "_loss_weight",
    "_coefficient",
    "suppress_tokens",
    "mask_time_prob",
)


def main() -> None:
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

    shared = {field.name: field.default for field in dataclasses.fields(transformers.PreTrainedConfig)}
    types = {name: describe_class(CONFIG_MAPPING[name], shared) for name in sorted(CONFIG_MAPPING_NAMES)}
    lines = ",\n".join(
        f"{json.dumps(k)}:{json.dumps(v, sort_keys=True, separators=(',', ':'))}" for k, v in types.items()
    )
    TARGET.write_text(f'{{"transformers":"{transformers.__version__}","types":{{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{TARGET.name}: {len(types)} types")


def describe_class(cls: Any, shared: dict[str, Any]) -> dict[str, Any]:
    """Defaults, other names and section types that ``cls`` declares.

    ``fixed`` are sections of one type whatever the file says, ``filled`` what a missing section holds.
    """
    from transformers import PreTrainedConfig

    entry: dict[str, Any] = {"defaults": {}}
    for field in dataclasses.fields(cls):
        value = field.default
        if value is dataclasses.MISSING:
            if field.default_factory is dataclasses.MISSING:
                continue
            value = field.default_factory()
        if field.name in shared and shared[field.name] == value:
            continue
        if not field.name.endswith(HOUSEKEEPING) and is_plain(value):
            entry["defaults"][field.name] = value
    theta = getattr(cls, "default_theta", None)
    if theta is not None and is_plain(theta):
        entry["defaults"]["default_theta"] = theta
    if cls.attribute_map:
        entry["aliases"] = dict(cls.attribute_map)
    if sections := find_sections(cls):
        entry["sections"] = sections
    specs = getattr(cls, "sub_configs_defaults", None) or {}
    if fixed := sorted(key for key, spec in specs.items() if issubclass(spec.config_class, PreTrainedConfig)):
        entry["fixed"] = fixed
    filled = {key: spec.init_kwargs for key, spec in specs.items() if spec.init_kwargs and is_plain(spec.init_kwargs)}
    if filled:
        entry["filled"] = filled
    return entry


def find_sections(cls: Any) -> dict[str, str]:
    """The model type of each nested config, as the class fills it in when the file does not say."""
    found = {}
    for key, kind in (getattr(cls, "sub_configs", None) or {}).items():
        spec = (getattr(cls, "sub_configs_defaults", None) or {}).get(key)
        name = getattr(spec, "model_type", None) or getattr(kind, "model_type", None)
        if isinstance(name, str) and name:
            found[key] = name
    return found


def is_plain(value: Any) -> bool:
    """Whether JSON can hold the value as it is."""
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and abs(value) < 1e300)
