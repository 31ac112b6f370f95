"""The analysis of one config: everything that ``zoo analyze`` prints, from one ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import Ledger, build_ledger, fingerprint_ledger
from zoo.metrics.dtypes import name_dtype, require_dtype
from zoo.metrics.facts import attention_facts, expert_facts, shape_facts
from zoo.metrics.packing import Packing, pack_weights
from zoo.metrics.packing_methods import find_usual_dtype
from zoo.metrics.sums import Cache, Flops, Params, sum_cache, sum_flops, sum_params

#: Contexts at which cache and FLOPs are given unless others are asked for, in tokens.
CONTEXTS = (1024, 8192, 32768, 131072)
#: Version of the numbers: raised when a change makes earlier ones stale, so that databases recompute.
LEDGER_VERSION = 1
#: Sums beyond this do not fit the integers of a database, and no model comes near.
LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Analysis:
    """All facts of one config. With ``method`` "unsupported", ``reason`` says why and there is no number."""

    repo_id: str | None
    model_type: str | None
    architecture: str | None
    method: str
    reason: str | None = None
    family: str | None = None
    warnings: tuple[str, ...] = ()
    fingerprint: str | None = None
    shape: Mapping[str, Any] = field(default_factory=dict)
    attention: Mapping[str, Any] = field(default_factory=dict)
    experts: Mapping[str, Any] = field(default_factory=dict)
    params: Params | None = None
    packing: Packing | None = None
    kv_cache: Cache | None = None
    flops: Flops | None = None
    ledger: Ledger | None = None

    def as_dict(self, *, tensors: bool = False) -> dict[str, Any]:
        """The JSON of ``zoo analyze``; with ``tensors``, the ledger's rows too."""
        from zoo.metrics.document import write_document

        return write_document(self, tensors=tensors)


def analyze(
    config: Mapping[str, Any],
    *,
    repo_id: str | None = None,
    kv_dtype: str | None = None,
    contexts: Iterable[int] = (),
) -> Analysis:
    """Everything that follows from ``config`` alone; never raises for what a config holds.

    ``kv_dtype`` replaces the model's own dtype for the cache (constant states keep theirs); ``contexts`` adds lengths
    in tokens to :data:`CONTEXTS`. Raises UsageError for an unknown ``kv_dtype``.
    """
    cache_dtype = require_dtype(kv_dtype) if kv_dtype else None
    lengths = sorted({*CONTEXTS, *contexts})
    try:
        ledger = build_ledger(config)
        return _analyze_ledger(config, ledger, repo_id, cache_dtype, lengths)
    except UnsupportedError as error:
        return describe_unsupported(config, repo_id, str(error))


def describe_unsupported(config: Mapping[str, Any], repo_id: str | None, reason: str) -> Analysis:
    """An analysis with no number in it: what the config calls itself, and the reason."""
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else None
    model_type = config.get("model_type")
    return Analysis(
        repo_id=repo_id,
        model_type=model_type if isinstance(model_type, str) else None,
        architecture=first if isinstance(first, str) else None,
        method="unsupported",
        reason=reason,
    )


def _analyze_ledger(
    config: Mapping[str, Any], ledger: Ledger, repo_id: str | None, kv_dtype: str | None, contexts: Sequence[int]
) -> Analysis:
    params = sum_params(ledger)
    if params.total > LARGEST:
        raise UnsupportedError(f"{ledger.architecture.model_type}: the sizes multiply to more than any model has")
    dtype, warnings = read_dtype(config, ledger)
    packing = pack_weights(config, ledger, params, dtype)
    cache = sum_cache(ledger, kv_dtype or dtype, dtype, contexts)
    if cache.cross_elements_per_source_token:
        warnings.append("the cross-attention cache grows with the source and is not in kv_cache.bytes_at")
    warnings += list_defaults(ledger)
    return Analysis(
        repo_id=repo_id,
        model_type=ledger.architecture.model_type,
        architecture=ledger.class_name,
        method="ledger",
        family=ledger.architecture.family,
        warnings=(*warnings, *packing.warnings),
        fingerprint=fingerprint_ledger(ledger),
        shape=shape_facts(ledger),
        attention=attention_facts(ledger),
        experts=expert_facts(ledger),
        params=params,
        packing=packing,
        kv_cache=cache,
        flops=sum_flops(ledger, contexts),
        ledger=ledger,
    )


def read_dtype(config: Mapping[str, Any], ledger: Ledger) -> tuple[str | None, list[str]]:
    """The dtype that the config declares, and what there is to say of it.

    A config that declares none is float32, as PyTorch and transformers take it, unless a quantisation method computes
    in one dtype only; which of them was taken is said as a warning.
    """
    for section in (config, ledger.text.raw):
        for key in ("dtype", "torch_dtype"):
            said = section.get(key)
            if isinstance(said, str) and said != "auto":
                name = name_dtype(said)
                return name, [] if name else [f"{key} is {said!r:.40}, which is not known: no sizes in bytes"]
    usual = find_usual_dtype(config)
    if usual is not None:
        return usual, [f"the config declares no dtype: {usual}, in which the kernels of its quantisation compute"]
    return "float32", ["the config declares no dtype: float32 is assumed, the default of PyTorch"]


def list_defaults(ledger: Ledger) -> list[str]:
    """One sentence that names the sizes which the config leaves to the defaults of its type; none where it says all."""
    known = ledger.config.read
    taken = sorted(key for key, source in known.items() if source == "default" and is_size(key.rpartition(".")[2]))
    return [f"not in the config, so the default of the type is used: {', '.join(taken)}"] if taken else []


def is_size(key: str) -> bool:
    """Whether a key holds a size that parameters grow with, by its name."""
    return key.startswith(("n_", "num_", "d_")) or key.endswith(("_size", "_dim", "_rank", "_layers", "_heads"))
