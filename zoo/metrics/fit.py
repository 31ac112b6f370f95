"""Does a model fit on a device: the figures of ``zoo fit``, for one device and for the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from zoo.devices import Device
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.memory import Plan, make_plan
from zoo.metrics.roofline import bound_decode, bound_prefill

#: Data types that are tried for the weights, widest first, beside what the checkpoint is stored in.
TRIED_DTYPES = ("bfloat16", "float8", "int4")


@dataclass(frozen=True, slots=True)
class Fit:
    """How ``batch`` sequences of ``context`` tokens do on ``gpus`` devices; bytes are those of one device.

    ``longest_context_tokens`` is what memory allows, which may be more than the model was made for; None where it has
    no end. ``reserved_bytes`` is what an engine sets aside in blocks for the same sequences. The speeds are bounds.
    """

    device: str
    gpus: int
    context_tokens: int
    batch: int
    weights_dtype: str
    kv_dtype: str
    memory_bytes: int
    usable_bytes: int
    weights_bytes: int
    cache_bytes: int
    state_bytes: int
    reserved_bytes: int
    needed_bytes: int
    free_bytes: int
    fits: bool
    longest_context_tokens: int | None
    most_sequences: int | None
    decode_tokens_per_second_at_most: float | None
    prefill_seconds_at_least: float | None

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)


def fit_device(plan: Plan, device: Device, context: int, batch: int) -> Fit:
    """The figures of ``plan`` on devices like ``device``."""
    held = plan.hold_sequence(context)
    needed = plan.need(context, batch)
    budget = device.usable_bytes
    return Fit(
        device=device.name,
        gpus=plan.gpus,
        context_tokens=context,
        batch=batch,
        weights_dtype=plan.weights_dtype,
        kv_dtype=plan.kv_dtype,
        memory_bytes=device.memory_bytes,
        usable_bytes=budget,
        weights_bytes=plan.weights,
        cache_bytes=batch * held.cache,
        state_bytes=batch * held.state,
        reserved_bytes=batch * plan.reserve_sequence(context).total,
        needed_bytes=needed,
        free_bytes=budget - needed,
        fits=needed <= budget,
        longest_context_tokens=plan.find_longest(budget, batch),
        most_sequences=plan.find_most(budget, context),
        decode_tokens_per_second_at_most=bound_decode(plan, device, context, batch),
        prefill_seconds_at_least=bound_prefill(plan, device, context),
    )


def fit_devices(plan: Plan, devices: Iterable[Device], context: int, batch: int) -> list[Fit]:
    """:func:`fit_device` for each of ``devices``, the smallest first."""
    return [fit_device(plan, device, context, batch) for device in sorted(devices, key=lambda d: d.usable_bytes)]


def try_dtypes(
    analysis: Analysis, device: Device, context: int, batch: int, *, gpus: int, kv_dtype: str | None
) -> list[Fit]:
    """The same model with its weights in other data types: as stored first, where that is known.

    Sizes of :data:`TRIED_DTYPES` are those of every parameter in that type; a real quantisation leaves some wider and
    adds scales.
    """
    stored = analysis.packing.bytes if analysis.packing else None
    names: list[str | None] = [None] if stored is not None else []
    plain = analysis.packing.dtype if analysis.packing and analysis.packing.quantization is None else None
    names += [dtype for dtype in TRIED_DTYPES if dtype != plain]
    plans = [make_plan(analysis, gpus=gpus, weights_dtype=name, kv_dtype=kv_dtype) for name in names]
    return [fit_device(plan, device, context, batch) for plan in plans]


def choose_context(analysis: Analysis, asked: int | None) -> int:
    """The context that was asked for, else 8,192 tokens or the most that the model was made for.

    Raises:
        UsageError: more than the model was made for.
    """
    most = analysis.shape.get("max_context")
    if asked is None:
        return min(8192, most) if most else 8192
    if most and asked > most:
        raise UsageError(f"the model was made for {most:,} tokens; {asked:,} are more")
    return asked
