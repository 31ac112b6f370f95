"""Derived against reported: does what the Hub counts in the stored weights follow from the config?

The Hub counts elements of safetensors headers. Over time, and by method, it has done so in different ways for quantised
weights (``packages/hub/src/lib/parse-safetensors-metadata.ts`` of huggingface.js): as they are stored or unpacked, with
the scales or without. All are tried. A difference is explained only when named things add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

#: How many named differences may come together in one explanation.
MAX_REASONS = 5


class Reading(NamedTuple):
    """One way of counting: the parameters, what makes them differ from the derived total, and the MTP layers."""

    total: int
    reasons: tuple[tuple[str, int], ...]
    mtp: int


def check(
    analysis: Mapping[str, Any], reported_total: int | None, reported_by_dtype: Mapping[str, int]
) -> tuple[str, str | None]:
    """The word and the explanation for one model.

    ``analysis`` is the JSON of ``zoo analyze``; ``reported_total`` the Hub's ``safetensors.total``, in elements;
    ``reported_by_dtype`` the same by data type, whose sum stands in where the total is missing.

    ``exact``: the same number. ``explained``: the explanation names every difference, with its elements, and they add
    up. ``mismatch``: it says by how much. ``unchecked``: it says why.
    """
    if reported_total is None:
        reported_total = sum(reported_by_dtype.values()) or None
    if reported_total is None:
        return "unchecked", "no count of stored weights is reported"
    params = analysis.get("params") or {}
    derived = params.get("total")
    if analysis.get("method") != "ledger" or derived is None:
        return "unchecked", "nothing is derived for this model"
    if reported_total == derived:
        return "exact", None
    reasons = explain_difference(analysis, reported_total) or explain_quant_states(analysis, reported_total)
    if reasons is None:
        apart = reported_total - derived
        return "mismatch", (
            f"{abs(apart):,} {'more' if apart > 0 else 'fewer'} stored ({reported_total:,}) than derived ({derived:,})"
        )
    return "explained", "; ".join(f"{name}: {'+' if size > 0 else '−'}{abs(size):,}" for name, size in reasons)


def explain_difference(analysis: Mapping[str, Any], reported: int) -> list[tuple[str, int]] | None:
    """The fewest named differences that add up to ``reported`` exactly, or None."""
    readings = list(list_readings(analysis))
    for count in range(MAX_REASONS + 1):
        for reading in readings:
            named = list_named(analysis, reading)
            rest = reported - reading.total
            for chosen in combinations(named, count):
                if sum(size for _, size in chosen) == rest:
                    return [*reading.reasons, *chosen]
    return None


def list_readings(analysis: Mapping[str, Any]) -> Iterator[Reading]:
    """The ways in which the Hub may have counted the parameters themselves."""
    params, weights = analysis["params"], analysis.get("weights") or {}
    total, mtp = params["total"], params.get("mtp") or 0
    yield Reading(total, (), mtp)
    scales, mtp_scales = weights.get("scale_elements") or 0, weights.get("mtp_scale_elements") or 0
    if not scales:
        return
    method = weights.get("quantization")
    beside = f"scales and other numbers beside the {method} weights"
    yield Reading(total + scales, ((beside, scales),), mtp + mtp_scales)
    stored, mtp_stored = (sum((weights.get(f"{role}stored_elements") or {}).values()) for role in ("", "mtp_"))
    packed = (f"{method} weights packed into words", stored - scales - total)
    if packed[1]:
        yield Reading(stored, ((beside, scales), packed), mtp_stored)
        yield Reading(stored - scales, (packed,), mtp_stored - mtp_scales)
    scalars, mtp_scalars = weights.get("scalar_elements") or 0, weights.get("mtp_scalar_elements") or 0
    if scalars:
        named = (f"{beside}, without those of no dimension", scales - scalars)
        reasons = (named, packed) if packed[1] else (named,)
        yield Reading(stored - scalars, tuple(r for r in reasons if r[1]), mtp_stored - mtp_scalars)


def list_named(analysis: Mapping[str, Any], reading: Reading) -> list[tuple[str, int]]:
    """What may be stored besides the parameters, and what may not be stored of them."""
    params, weights = analysis["params"], analysis.get("weights") or {}
    beside = " with their scales" if reading.reasons else ""
    zeros = weights.get("unbiased_outputs") if str(weights.get("quantization")).startswith("gptq") else 0
    named = [
        (f"next-token-prediction (MTP) layers{beside}", reading.mtp),
        ("buffers, such as router correction biases", params.get("buffers") or 0),
        ("biases of zeros, which AutoGPTQ adds to packed matrices", zeros or 0),
        ("the output head, which is not stored", -(params.get("head") or 0)),
        *(weights.get("extras") or {}).items(),
    ]
    return [(name, size) for name, size in named if size]


def explain_quant_states(analysis: Mapping[str, Any], reported: int) -> list[tuple[str, int]] | None:
    """bitsandbytes of 4 bits as the Hub once counted it: every element of U8 as two weights.

    That counts the scales twice, and twice the text of each matrix' ``quant_state``, whose length depends on the digits
    of a number in it: what is left must be even and be that of 100 to 250 characters for each matrix.
    """
    weights, total = analysis.get("weights") or {}, analysis["params"]["total"]
    if not str(weights.get("quantization")).startswith(("bitsandbytes-nf4", "bitsandbytes-fp4")):
        return None
    stored, matrices = weights.get("stored_elements") or {}, weights.get("packed_matrices") or 0
    scales = weights["scale_elements"]
    doubled = scales - stored.get("F32", 0) if weights.get("dtype") != "float32" else 0
    rest = reported - total - scales - doubled
    if rest % 2 or not 100 * matrices <= rest // 2 <= 250 * matrices:
        return None
    method = weights["quantization"]
    named = [
        (f"scales and other numbers beside the {method} weights", scales),
        ("scales of one byte, counted twice", doubled),
        (f"the text of {matrices} quant states, counted twice", rest),
    ]
    return [(name, size) for name, size in named if size]
