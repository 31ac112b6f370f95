"""Does a model fit on a device: the figures of ``zoo fit``, for one device and for the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

from zoo.devices import Device
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.memory import Plan, make_plan
from zoo.metrics.roofline import bound_decode, bound_prefill, find_peak
from zoo.metrics.split import Split, read_heads

#: Formats of the weights that are tried beside what the checkpoint is stored in, widest first.
TRIED_FORMATS = (
    "bfloat16",
    "int8-channels",
    "fp8-blocks",
    "gguf-q8_0",
    "gguf-q4_k_m",
    "nvfp4-blocks",
    "bnb-nf4",
    "awq-int4",
)
#: Machines that are joined in pipeline stages before a device is given up.
MOST_NODES = 8


@dataclass(frozen=True, slots=True)
class Fit:
    """How ``batch`` sequences of ``context`` tokens do on ``gpus`` devices; bytes are those of the fullest device.

    ``longest_context_tokens`` is what memory allows, which may be more than the model was made for; None where it has
    no end. The figures with ``reserved`` are what an engine sets aside in blocks for the same sequences, None where
    that is not worked out; the others are the steady state. The speeds are bounds, but
    ``decode_tokens_per_second_even_experts``, an expectation. ``steady`` and ``reserved`` are memory against context:
    intercept, slopes, and the steps of blocks.
    """

    device: str
    gpus: int
    tensor_parallel: int
    pipeline_parallel: int
    expert_parallel: int
    context_tokens: int
    batch: int
    weights_dtype: str
    kv_dtype: str
    memory_bytes: int
    usable_bytes: int
    overhead_bytes: int
    weights_bytes: int
    cache_bytes: int
    state_bytes: int
    reserved_bytes: int | None
    needed_bytes: int
    needed_reserved_bytes: int | None
    free_bytes: int
    fits: bool
    fits_reserved: bool | None
    longest_context_tokens: int | None
    longest_context_reserved_tokens: int | None
    most_sequences: int | None
    most_sequences_reserved: int | None
    decode_tokens_per_second_at_most: float | None
    decode_tokens_per_second_each_at_most: float | None
    decode_tokens_per_second_even_experts: float | None
    decode_limit: str | None
    prefill_seconds_at_least: float | None
    computed_in: str | None
    steady: Mapping[str, Any] = field(default_factory=dict)
    reserved: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)


def fit_device(plan: Plan, device: Device, context: int, batch: int) -> Fit:
    """The figures of ``plan`` on devices like ``device``."""
    stage, own = plan.find_fullest(context, batch), plan.count_own(batch)
    held, needed, budget, split = stage.hold(context), plan.need(context, batch), device.usable_bytes, plan.split
    laid_out = plan.laid_out
    needed_reserved = plan.need(context, batch, reserved=True) if laid_out else None
    decode, peak = bound_decode(plan, device, context, batch), find_peak(plan, device)
    return Fit(
        device=device.name,
        gpus=split.devices,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        expert_parallel=split.expert,
        context_tokens=context,
        batch=batch,
        weights_dtype=plan.weights_dtype,
        kv_dtype=plan.kv_dtype,
        memory_bytes=device.memory_bytes,
        usable_bytes=budget,
        overhead_bytes=device.overhead_bytes,
        weights_bytes=stage.weights,
        cache_bytes=own * held.cache,
        state_bytes=own * held.state,
        reserved_bytes=own * stage.reserve(context).total if laid_out else None,
        needed_bytes=needed,
        needed_reserved_bytes=needed_reserved,
        free_bytes=budget - needed,
        fits=needed <= budget,
        fits_reserved=None if needed_reserved is None else needed_reserved <= budget,
        longest_context_tokens=plan.find_longest(budget, batch),
        longest_context_reserved_tokens=plan.find_longest(budget, batch, reserved=True) if laid_out else None,
        most_sequences=plan.find_most(budget, context),
        most_sequences_reserved=plan.find_most(budget, context, reserved=True) if laid_out else None,
        decode_tokens_per_second_at_most=decode.together if decode else None,
        decode_tokens_per_second_each_at_most=decode.each if decode else None,
        decode_tokens_per_second_even_experts=decode.spread if decode else None,
        decode_limit=decode.limit if decode else None,
        prefill_seconds_at_least=bound_prefill(plan, device, context),
        computed_in=peak[0] if peak else None,
        steady=describe_steady(plan, context, batch),
        reserved=describe_reserved(plan, context, batch) if laid_out else {},
    )


def describe_steady(plan: Plan, context: int, batch: int) -> dict[str, Any]:
    """Memory against context of the steady state: a line, bent where windows are full."""
    line = plan.draw_line(context, batch)
    return {
        "intercept_bytes": line.intercept,
        "slope_bytes_per_token": float(line.slope),
        "slope_long_bytes_per_token": float(line.slope_long),
        "window_bytes": line.window,
        "windows_full_at_tokens": line.full_from or None,
    }


def describe_reserved(plan: Plan, context: int, batch: int) -> dict[str, Any]:
    """Memory against context as an engine reserves it: steps of blocks. Windows and states reserve at once."""
    stage, own = plan.find_fullest(context, batch), plan.count_own(batch)
    growing = [group for group in stage.groups if group.kind != "state" and group.window is None]
    once = [group for group in stage.groups if group.kind == "state" or group.window is not None]
    steps = sorted({group.block for group in growing})
    return {
        "intercept_bytes": stage.weights + own * ceil(sum(group.reserve(context) for group in once) + stage.cross),
        "slope_bytes_per_token": float(own * sum(group.page * group.layers / group.block for group in growing)),
        "block_tokens": steps[0] if steps else None,
        "step_bytes": ceil(own * sum(group.page * group.layers for group in growing)),
        "state_page_bytes": max((ceil(group.page) for group in once if group.kind == "state"), default=None),
        "layers_reserved": sum(group.layers for group in stage.groups),
    }


def fit_devices(plan: Plan, devices: Iterable[Device], context: int, batch: int) -> list[Fit]:
    """:func:`fit_device` for each of ``devices``, the smallest first."""
    return [fit_device(plan, device, context, batch) for device in sorted(devices, key=lambda d: d.usable_bytes)]


def try_formats(
    analysis: Analysis, device: Device, context: int, batch: int, split: Split, kv_dtype: str | None
) -> list[Fit]:
    """The same model with its weights in other formats: as stored first, where that is known, then the widest.

    What a format does to the quality of the model is not in any of these figures.
    """
    packing = analysis.packing
    stored = packing is not None and packing.bytes is not None
    plain = packing.dtype if packing and packing.quantization is None else None
    names: list[str | None] = [None] if stored else []
    names += [name for name in TRIED_FORMATS if name != plain]
    fits: list[Fit] = []
    for name in names:
        try:
            plan = make_plan(analysis, split, weights_dtype=name, kv_dtype=kv_dtype)
        except UsageError:
            continue  # a format that cannot hold this model is none to choose from
        fits.append(fit_device(plan, device, context, batch))
    return fits[:1] + sorted(fits[1:], key=lambda fit: -fit.weights_bytes) if stored else fits


class Planner:
    """Plans of one model for many splits, each made once."""

    def __init__(self, analysis: Analysis, weights_dtype: str | None = None, kv_dtype: str | None = None) -> None:
        self.analysis, self.weights_dtype, self.kv_dtype = analysis, weights_dtype, kv_dtype
        self._plans: dict[Split, Plan] = {}

    def plan(self, split: Split) -> Plan:
        """The plan for ``split``. Raises UsageError as :func:`make_plan`."""
        if split not in self._plans:
            self._plans[split] = make_plan(
                self.analysis, split, weights_dtype=self.weights_dtype, kv_dtype=self.kv_dtype
            )
        return self._plans[split]

    def find_least(self, device: Device, context: int, batch: int) -> Fit | None:
        """The figures on the fewest devices like ``device`` that hold the sequences; None where too few ever do."""
        for split in self.list_splits(device):
            plan = self.plan(split)
            if plan.need(context, batch) <= device.usable_bytes:
                return fit_device(plan, device, context, batch)
        return None

    def list_splits(self, device: Device) -> Iterator[Split]:
        """Splits that people use, the smallest first: tensors within a machine, stages across machines.

        Degrees that attention heads do not divide by are left out, for engines refuse them.
        """
        heads = read_heads(self.plan(Split()).ledger)
        degrees = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= device.node and heads.divide_by(n)]
        for degree in degrees:
            yield Split(degree)
        if device.node == 1:
            return
        layers = self.analysis.shape.get("layers") or 1
        widest = degrees[-1]
        for nodes in range(2, min(MOST_NODES, layers) + 1):
            yield Split(widest, nodes)


def choose_devices(
    planner: Planner, devices: Iterable[Device], context: int, batch: int, prices: Mapping[str, float]
) -> list[Fit]:
    """Of each device as few as hold the sequences, the cheapest first.

    With ``prices`` (of any unit, by device) by what they cost together, and only devices that have one. Without, by
    their number, then their memory together, then its bandwidth: a stated proxy, for prices change.
    """
    chosen = [device for device in devices if not prices or device.name in prices]
    found = [(fit, device) for device in chosen if (fit := planner.find_least(device, context, batch))]
    if prices:
        found.sort(key=lambda pair: (pair[0].gpus * prices[pair[1].name], pair[0].gpus))
    else:
        found.sort(key=lambda pair: (pair[0].gpus, pair[0].gpus * pair[1].memory_bytes, -pair[1].bandwidth))
    return [fit for fit, _ in found]


def choose_context(analysis: Analysis, asked: int | None, *, stretched: bool = False) -> int:
    """The context that was asked for, else 8,192 tokens or the most that the model declares.

    Raises:
        UsageError: more than it declares, unless it is ``stretched``.
    """
    most = analysis.shape.get("max_context")
    if asked is None:
        return min(8192, most) if most else 8192
    if most and asked > most and not stretched:
        raise UsageError(f"the model was made for {most:,} tokens; {asked:,} are more (--stretched allows them)")
    return asked
