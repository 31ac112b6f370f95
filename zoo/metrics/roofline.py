"""Bounds on speed from bandwidth and peak throughput alone: no engine is faster, every engine is slower."""

from __future__ import annotations

from zoo.devices import Device
from zoo.metrics.dtypes import BITS
from zoo.metrics.memory import Plan
from zoo.metrics.sums import sum_flops


def bound_decode(plan: Plan, device: Device, tokens: int, batch: int) -> float | None:
    """The most tokens a second that ``batch`` sequences can gain together at a context of ``tokens``.

    Each step reads the weights that a token passes through once (of the experts, those of one token: more sequences
    touch more), the cache and state of every sequence, and computes; the slower of reading and computing counts.
    None for a model that does not decode token by token.
    """
    params = plan.params
    work = sum_flops(plan.ledger, [tokens]).decode_at[str(tokens)]
    if work is None or not params.total:
        return None
    used = plan.weights * params.active_non_embedding / params.total
    reading = (used + batch * plan.hold_sequence(tokens).total) / device.bandwidth
    peak = find_peak(plan, device)
    computing = batch * work / plan.gpus / peak if peak else 0.0
    return batch / max(reading, computing)


def bound_prefill(plan: Plan, device: Device, tokens: int) -> float | None:
    """The least seconds that a prompt of ``tokens`` takes: its FLOPs at peak; None where no peak is published."""
    peak = find_peak(plan, device)
    if not peak:
        return None
    return sum_flops(plan.ledger, [tokens]).prefill_at[str(tokens)] / plan.gpus / peak


def find_peak(plan: Plan, device: Device) -> float | None:
    """The best dense throughput of the device in a type no narrower than the stored weights, in operations a second."""
    stored = 8 * plan.weights_all / plan.params.total if plan.params.total else 0
    fitting = [rate for dtype, rate in device.flops.items() if BITS[dtype] >= min(stored, 16) - 1]
    return max(fitting, default=None)
