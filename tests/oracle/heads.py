"""``python -m tests.oracle heads [TYPE…]``: the classes that ``architectures`` can name, and zoo does not declare."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from tests.oracle.build import SAME_AS


def list_mapped(model_type: str) -> set[str]:
    """Every class that an auto class of transformers has for ``model_type``, whether it can be built or not."""
    from transformers.models.auto import modeling_auto

    found: set[str] = set()
    for name, mapping in vars(modeling_auto).items():
        if name.startswith("MODEL_") and name.endswith("_MAPPING_NAMES") and (classes := mapping.get(model_type)):
            found |= {classes} if isinstance(classes, str) else set(classes)
    return found


def list_exported(model_type: str) -> set[str]:
    """Every public model class, in the modules that define those of the auto classes, whose config is of this type."""
    import transformers
    from transformers import PreTrainedModel
    from transformers.models.auto.configuration_auto import (
        CONFIG_MAPPING,
        model_type_to_module_name,
    )

    if model_type not in CONFIG_MAPPING:
        return set()
    config = CONFIG_MAPPING[model_type]
    folder = model_type_to_module_name(model_type)
    names = [getattr(transformers, name, None) for name in list_mapped(model_type)]
    modules = {one.__module__ for one in names if inspect.isclass(one)}
    modules.add(f"transformers.models.{folder}.modeling_{folder}")
    found: set[str] = set()
    for module in modules:
        try:
            loaded: Any = import_module(module)
        except ModuleNotFoundError:
            continue
        for name in loaded.__all__:
            one = getattr(loaded, name)
            if inspect.isclass(one) and issubclass(one, PreTrainedModel) and one.config_class is config:
                found.add(name)
    return found


def is_buildable(name: str, model_type: str) -> bool:
    """Whether the class ``name`` can be built from a config of ``model_type`` or from one of its sections."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    one: Any = getattr(transformers, name, None)
    if one is None or name.lower().startswith("pretrained"):
        return False
    config = CONFIG_MAPPING[model_type]
    return any(issubclass(known, one.config_class) for known in (config, *config.sub_configs.values()))


def list_missing(model_type: str, declared: Iterable[str]) -> list[str]:
    """The classes of ``model_type`` that are not ``declared``, sorted."""
    known = SAME_AS.get(model_type, model_type)
    named = list_mapped(known) | list_exported(known)
    abstract = ("PreTrainedModel", "PretrainedModel")
    return sorted(n for n in named - set(declared) if not n.endswith(abstract) and is_buildable(n, known))


def main(*types: str) -> int:
    """Print a line ``type: class class…`` for each type that misses any; 1 when one does."""
    from tests.oracle.check import built_by_transformers

    architectures = built_by_transformers()
    missing = 0
    for model_type in types or sorted(architectures):
        names = list_missing(model_type, architectures[model_type].heads)
        missing += len(names)
        if names:
            print(f"{model_type}: {' '.join(names)}", flush=True)
    print(f"{missing} classes not declared")
    return int(missing > 0)
