"""Bounds on speed from bandwidth and peak throughput alone: no engine is faster, every engine is slower.

Left out, each of which only slows: communication between devices, kernels that miss the peak, activations, sampling.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from zoo.devices import Device
from zoo.metrics.dtypes import BITS
from zoo.metrics.memory import Plan, Stage
from zoo.metrics.sums import sum_flops


class Decode(NamedTuple):
    """Tokens a second, at most: of all sequences together, of one of them, and together if tokens spread over experts.

    ``together`` holds even when all sequences choose the same experts; ``spread`` is what is left when each token
    chooses its experts evenly and independently (an expectation, no bound). ``limit`` is what binds.
    """

    together: float
    each: float
    spread: float
    limit: str


def bound_decode(plan: Plan, device: Device, tokens: int, batch: int) -> Decode | None:
    """The most tokens that ``batch`` sequences can gain at a context of ``tokens``.

    Each step reads the weights that a token passes through once, and the cache and state of every sequence, and
    computes; the slower of reading and computing counts. In a pipeline the sequences go round in as many parts as
    there are stages. None for a model that does not decode token by token.
    """
    work = sum_flops(plan.ledger, [tokens]).decode_at[str(tokens)]
    if work is None or not plan.params.total:
        return None
    parts = min(plan.split.pipeline, batch)
    own = Fraction(batch, plan.split.replicas * parts)  # sequences of one part on one device
    peak = find_peak(plan, device)
    computing = float(batch * work / parts / plan.gpus / peak[1]) if peak else 0.0
    chosen, spread = used_experts(plan, own, even=False), used_experts(plan, own, even=True)
    least = [time_reading(stage, device, tokens, own, chosen) for stage in plan.stages]
    usual = [time_reading(stage, device, tokens, own, spread) for stage in plan.stages]
    limit = "bandwidth" if not computing or max(least) >= computing else "compute"
    bound = round_trip([max(time, computing) for time in least], parts)
    even = round_trip([max(time, computing) for time in usual], parts)
    return Decode(batch / bound, 1 / bound, batch / even, limit)


def round_trip(times: list[float], parts: int) -> float:
    """Seconds until every sequence has its next token: once through all stages, or as the slowest takes its parts."""
    return max(sum(times), parts * max(times))


def time_reading(stage: Stage, device: Device, tokens: int, sequences: Fraction, experts: float) -> float:
    """Seconds to read what one step of one part reads on a device of ``stage``; ``experts`` is the share of them."""
    read = float(stage.reading.common) + float(stage.reading.experts) * experts
    return (read + float(sequences * stage.hold(tokens).total)) / device.bandwidth


def used_experts(plan: Plan, sequences: Fraction, *, even: bool) -> float:
    """Of the experts on a device, the share that a step of ``sequences`` touches: those of one token, or when even."""
    shares = {Fraction(row.used, row.of) for row in plan.ledger.parameters if row.of > 1}
    one = float(max(shares, default=Fraction(1)))
    if not even:
        return one
    tokens = float(sequences) * plan.split.replicas
    return 1.0 - float((1.0 - one) ** max(tokens, 1.0))


def bound_prefill(plan: Plan, device: Device, tokens: int) -> float | None:
    """The least seconds that a prompt of ``tokens`` takes: its FLOPs at peak over all devices, or reading the weights.

    None where no peak is published.
    """
    peak = find_peak(plan, device)
    if not peak:
        return None
    computing = sum_flops(plan.ledger, [tokens]).prefill_at[str(tokens)] / plan.gpus / peak[1]
    share = used_experts(plan, Fraction(1), even=False)
    reading = max(time_reading(stage, device, 0, Fraction(0), share) for stage in plan.stages)
    return max(computing, reading)


def find_peak(plan: Plan, device: Device) -> tuple[str, float] | None:
    """The type that matrices are multiplied in and its dense rate, operations a second: that of the format, else wider.

    Formats of weights alone (AWQ, GGUF, MXFP4) are widened to 16 bits before they are multiplied.
    """
    wanted = min(BITS[plan.format.computes], 16)
    wider = {dtype: rate for dtype, rate in device.flops.items() if BITS[dtype] >= wanted}
    same = {dtype: rate for dtype, rate in wider.items() if is_kin(dtype, plan.format.computes)}
    chosen = same or wider
    if not chosen:
        return None
    best = max(chosen, key=lambda dtype: chosen[dtype])
    return best, chosen[best]


def is_kin(dtype: str, computes: str) -> bool:
    """Whether numbers of ``computes`` go into ``dtype``: integers stay integers or widen to 16 bits."""
    whole = computes.startswith("int")
    return BITS[dtype] >= 16 or dtype.startswith("int") == whole
