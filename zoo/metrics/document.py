"""An analysis as the JSON object that other programs rely on. The names here are a contract: add, never rename."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.arch.rows import Tensor
from zoo.metrics.dtypes import count_bytes
from zoo.metrics.extras import list_extras
from zoo.metrics.facts import LATENT_KEYS
from zoo.metrics.scaling import HOFFMANN, TOKENS_PER_PARAMETER, training_flops
from zoo.metrics.sums import Params

if TYPE_CHECKING:
    from zoo.metrics.analysis import Analysis

#: Data types for which the size of the weights is given beside the model's own.
WEIGHT_DTYPES = ("float32", "bfloat16", "int8", "int4")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)")

_SHAPE = (
    "layers",
    "hidden_size",
    "intermediate_size",
    "vocab_size",
    "max_context",
    "activation",
    "norm",
    "position",
    "rope_theta",
)
_ATTENTION = ("kind", "heads", "kv_heads", "head_dim", "v_head_dim", "queries_per_kv", "window", "layers", *LATENT_KEYS)
_EXPERTS = ("routed", "per_token", "shared", "layers")
_PARAMS = (
    "total",
    "active",
    "active_non_embedding",
    "embedding",
    "head",
    "non_embedding",
    "mtp",
    "buffers",
    "weights",
    "biases",
    "tied",
    "by_part",
)
_CACHE = (
    "dtype",
    "elements_per_token",
    "bytes_per_token",
    "bytes_per_token_long",
    "window_bytes",
    "state_bytes",
    "materialized_bytes_per_token",
    "bytes_at",
    "elements_per_token_long",
    "window_elements",
    "state_elements",
    "cross_bytes",
    "cross_bytes_per_source_token",
    "convention",
    "formats",
)
_FLOPS = ("forward_per_token", "prefill_at", "decode_at")


def write_document(analysis: Analysis, *, tensors: bool = False) -> dict[str, Any]:
    """The document of ``analysis``: every key always there, null where there is no number."""
    params, packing, cache, flops = analysis.params, analysis.packing, analysis.kv_cache, analysis.flops
    document: dict[str, Any] = {
        "repo_id": analysis.repo_id,
        "model_type": analysis.model_type,
        "architecture": analysis.architecture,
        "family": analysis.family,
        "method": analysis.method,
        "reason": analysis.reason,
        "warnings": list(analysis.warnings),
        "fingerprint": analysis.fingerprint,
        "shape": {key: analysis.shape.get(key) for key in _SHAPE},
        "attention": {key: analysis.attention.get(key) for key in _ATTENTION},
        "experts": {key: analysis.experts.get(key) for key in _EXPERTS},
        "params": {key: getattr(params, key, None) for key in _PARAMS},
        "weights": {
            "dtype": packing.dtype if packing else None,
            "bytes": packing.bytes if packing else None,
            "quantization": packing.quantization if packing else None,
            "stored_elements": dict(packing.stored_elements) if packing else None,
            "scale_elements": packing.scale_elements if packing else None,
            "mtp_stored_elements": dict(packing.mtp_stored_elements) if packing else None,
            "mtp_scale_elements": packing.mtp_scale_elements if packing else None,
            "scalar_elements": packing.scalar_elements if packing else None,
            "mtp_scalar_elements": packing.mtp_scalar_elements if packing else None,
            "packed_matrices": packing.packed_matrices if packing else None,
            "unbiased_outputs": packing.unbiased_outputs if packing else None,
            "extras": list_extras(analysis.ledger) if analysis.ledger else None,
            "bytes_at": weight_sizes(params) if params else None,
        },
        "kv_cache": {key: getattr(cache, key, None) for key in _CACHE},
        "flops": {key: getattr(flops, key, None) for key in _FLOPS},
        "scaling": scaling_facts(params) if params else {"optimal_tokens": None, "training_flops": None, "loss": None},
    }
    if tensors:
        rows = analysis.ledger.tensors if analysis.ledger else ()
        document["tensors"] = list_tensors([t for t in rows if t.role == "param"])
        document["buffers"] = list_tensors([t for t in rows if t.role == "buffer"])
        document["mtp"] = list_tensors([t for t in rows if t.role == "mtp"])
    return document


def list_tensors(tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    """One object for each name and shape: every number in a name becomes ``{}``, and what is then alike is one row.

    Elements stored: product of ``shape`` x ``stored`` x ``layers``. ``used`` is the part of them that one token passes
    through (top-k / experts for experts that are fused in one tensor); ``layers`` counts, ``layer_indices`` names them.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for tensor in tensors:
        name = _NUMBER.sub("{}", tensor.name)
        key = (name, tensor.shape, tensor.part, tensor.tied_to)
        used = tensor.used / tensor.of * tensor.copies
        row = rows.get(key)
        if row is None:
            rows[key] = {
                "name": name,
                "shape": list(tensor.shape),
                "part": tensor.part,
                "stored": 0 if tensor.tied_to else tensor.copies,
                "used": int(used) if used == int(used) else used,
                "tied_to": tensor.tied_to,
                "layers": 1 if tensor.layers is None else len(tensor.layers),
                "layer_indices": name_layers(tensor.layers),
            }
        else:
            row["layers"] += 1 if tensor.layers is None else len(tensor.layers)
            row["layer_indices"] = ",".join(filter(None, (row["layer_indices"], name_layers(tensor.layers)))) or None
    return list(rows.values())


def name_layers(layers: Sequence[int] | None) -> str | None:
    """Layer numbers as runs: "0-2,5"."""
    if not layers:
        return None
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def weight_sizes(params: Params) -> dict[str, int]:
    """Bytes of all parameters in each of the usual data types."""
    return {dtype: count_bytes(params.total, dtype) for dtype in WEIGHT_DTYPES}


def scaling_facts(params: Params) -> dict[str, float | int]:
    """Compute-optimal training by the rule of 20 tokens a parameter: tokens, 6 x active x tokens FLOPs, loss."""
    tokens = TOKENS_PER_PARAMETER * params.total
    if not tokens:
        return {"optimal_tokens": 0, "training_flops": 0, "loss": float(0)}
    return {
        "optimal_tokens": tokens,
        "training_flops": int(training_flops(params.active, tokens)),
        "loss": round(HOFFMANN.loss(params.total, tokens), 4),
    }
