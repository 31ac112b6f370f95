"""How ``zoo fit`` shows its figures: one device in full, or a line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zoo.cli.context import Context
from zoo.cli.tables import make_table, print_table
from zoo.text import clean_text
from zoo.units import format_bytes

if TYPE_CHECKING:
    from zoo.devices import Device
    from zoo.metrics.analysis import Analysis
    from zoo.metrics.fit import Fit
    from zoo.metrics.memory import Plan


def print_devices(
    out: Context, analysis: Analysis, plan: Plan, fits: Sequence[Fit], prices: Mapping[str, float], *, left_out: int
) -> None:
    """One line for each device."""
    if out.json:
        out.print_json({**head_json(analysis, plan), "prices": dict(prices) or None, "devices": to_json(fits)})
        return
    if fits:
        print_title(out, analysis, fits[0])
        prized = ("price",) if prices else ()
        columns = ("devices", "memory", "fits", "longest context", "sequences", "tokens/s ≤", *prized)
        print_narrow(out, columns, [list_device(fit, analysis, prices) for fit in fits])
    out.note(
        "ordered by price"
        if prices
        else "ordered by the number of devices, then by their memory: prices change (--price)"
    )
    if left_out > 0:
        out.note(f"{left_out} of the devices do not hold it, however many machines are joined")
    print_notes(out, analysis, plan)


def list_device(fit: Fit, analysis: Analysis, prices: Mapping[str, float]) -> tuple[str, ...]:
    """One device as cells."""
    price = (f"{prices[fit.device] * fit.gpus:,.2f}",) if prices else ()
    speed = fit.decode_tokens_per_second_at_most
    return (
        name_devices(fit),
        format_bytes(fit.memory_bytes),
        "yes" if fit.fits else "no",
        describe_context(fit.longest_context_tokens, analysis, fit.context_tokens),
        describe_limit(fit.most_sequences),
        "–" if speed is None or not fit.fits else f"{speed:,.0f}",
        *price,
    )


def print_fit(out: Context, analysis: Analysis, plan: Plan, fit: Fit, others: Sequence[Fit], device: Device) -> None:
    """One device in full."""
    from zoo.devices import describe_source

    if out.json:
        head = {**head_json(analysis, plan), "device_source": describe_source(device)}
        out.print_json({**head, **fit.as_dict(), "stages": list_stages(plan, fit), "by_weights_dtype": to_json(others)})
        return
    print_title(out, analysis, fit)
    print_narrow(out, (), describe_fit(fit, analysis))
    if others:
        out.out.print("\nThe same with other weights")
        columns = ("weights", "bytes", "fits", "longest context", "sequences", "tokens/s ≤")
        print_narrow(out, columns, [(other.weights_dtype, *list_other(other, analysis)) for other in others])
        out.note("a plain data type is every parameter in it; a format leaves some wide and adds scales; gguf is sized")
        out.note("by the bits a weight of Llama-3.1-8B; what a format does to quality is in no figure")
    out.note(describe_source(device))
    print_notes(out, analysis, plan)


def list_other(fit: Fit, analysis: Analysis) -> tuple[str, ...]:
    """Another format of the weights as cells."""
    _, _, *rest = list_device(fit, analysis, {})
    return (format_bytes(fit.weights_bytes), *rest)


def describe_fit(fit: Fit, analysis: Analysis) -> list[tuple[str, str]]:
    """The figures of one device as lines."""
    each = " on each" if fit.gpus > 1 else ""
    verdict = "yes" if fit.fits else "no"
    if fit.fits and fit.needed_reserved_bytes is not None and not fit.fits_reserved:
        short = fit.needed_reserved_bytes - fit.usable_bytes
        verdict += f", but not as an engine reserves it: {format_bytes(short)} missing"
    rows = [
        ("Device", f"{name_devices(fit)}, {format_bytes(fit.memory_bytes)}{each}"),
        ("Overhead", f"{format_bytes(fit.overhead_bytes)}{each} for the engine and activations (--overhead)"),
        ("Weights", f"{format_bytes(fit.weights_bytes)}{each} ({fit.weights_dtype})"),
        ("Cache", f"{format_bytes(fit.cache_bytes)}{each} ({fit.kv_dtype}), steady state"),
        ("State", f"{format_bytes(fit.state_bytes)}{each}"),
        ("Needed", f"{format_bytes(fit.needed_bytes)}{each} of {format_bytes(fit.usable_bytes)}"),
        ("Free" if fit.fits else "Missing", f"{format_bytes(abs(fit.free_bytes))}{each}"),
        ("Fits", verdict),
        ("Reserved", f"{format_bytes(fit.reserved_bytes)}{each} for cache and state{describe_blocks(fit.reserved)}"),
        ("Memory", describe_line(fit.steady)),
        ("Longest context", f"{describe_context(fit.longest_context_tokens, analysis, fit.context_tokens)} tokens"),
        ("  reserved", f"{describe_context(fit.longest_context_reserved_tokens, analysis, fit.context_tokens)} tokens"),
        ("Most sequences", f"{describe_limit(fit.most_sequences)} of {fit.context_tokens:,} tokens"),
        ("  reserved", f"{describe_limit(fit.most_sequences_reserved)} of {fit.context_tokens:,} tokens"),
        *describe_speed(fit),
    ]
    left_out = {"State"} if not fit.state_bytes else set()
    if fit.reserved_bytes is None:
        left_out |= {"Reserved", "  reserved"}
    return [row for row in rows if row[0] not in left_out]


def describe_speed(fit: Fit) -> list[tuple[str, str]]:
    """Bounds on decoding and prefill."""
    rows = []
    if fit.decode_tokens_per_second_at_most is not None:
        each = f", {fit.decode_tokens_per_second_each_at_most:,.0f} each" if fit.batch > 1 else ""
        said = f"at most {fit.decode_tokens_per_second_at_most:,.0f} tokens/s{each} (a bound by {fit.decode_limit})"
        rows.append(("Decode", said))
        even = fit.decode_tokens_per_second_even_experts
        if even is not None and even < 0.995 * fit.decode_tokens_per_second_at_most:
            rows.append(("", f"{even:,.0f} tokens/s if tokens spread evenly over the experts"))
    if fit.prefill_seconds_at_least is not None:
        said = f"at least {fit.prefill_seconds_at_least:.3g} s for {fit.context_tokens:,} tokens"
        rows.append(("Prefill", f"{said} (a bound, computed in {fit.computed_in})"))
    return rows


def describe_blocks(reserved: Mapping[str, Any]) -> str:
    return f", in blocks of {reserved['block_tokens']:,} tokens" if reserved.get("block_tokens") else ""


def describe_line(steady: Mapping[str, Any]) -> str:
    """Intercept and slope in words."""
    said = f"{format_bytes(steady['intercept_bytes'])} + {format_rate(steady['slope_bytes_per_token'])} a token"
    full = steady["windows_full_at_tokens"]
    if full:
        said += f" to {full:,} tokens, then {format_rate(steady['slope_long_bytes_per_token'])}"
    return said


def format_rate(size: float) -> str:
    return format_bytes(round(size))


def name_devices(fit: Fit) -> str:
    number = f"{fit.gpus} × " if fit.gpus > 1 else ""
    stages = f" (in {fit.pipeline_parallel} stages)" if fit.pipeline_parallel > 1 else ""
    return f"{number}{fit.device}{stages}"


def print_title(out: Context, analysis: Analysis, fit: Fit) -> None:
    sequences = "one sequence" if fit.batch == 1 else f"{fit.batch:,} sequences"
    out.out.print(clean_text(f"{analysis.repo_id}: {sequences} of {fit.context_tokens:,} tokens"), style="bold")
    out.out.print(f"Weights {fit.weights_dtype}, cache {fit.kv_dtype}")


def print_catalogue(out: Context) -> None:
    """All devices: what is known of them, and how well."""
    from zoo.devices import GIB, describe_source, load_devices

    devices = load_devices()
    if out.json:
        out.print_json([{**asdict(device), "checked": dict(device.checked or {})} for device in devices])
        return
    columns = ("device", "memory", "GB/s", "TFLOP/s by data type", "checked")
    rows = [
        (
            device.name,
            f"{device.memory_bytes / GIB:g} GiB",
            f"{device.bandwidth / 1e9:,.0f}",
            ", ".join(f"{dtype} {rate / 1e12:,.0f}" for dtype, rate in device.flops.items()) or "–",
            ", ".join(f"{what}: {by}" for what, by in (device.checked or {}).items()) or "–",
        )
        for device in devices
    ]
    print_table(out.out, columns, rows)
    for device in devices:
        out.note(describe_source(device))


def print_narrow(out: Context, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table no wider than 80 columns where the output is no terminal."""
    width = None if out.out.is_terminal else 80
    out.out.print(make_table(columns, rows), soft_wrap=False, width=width)


def print_notes(out: Context, analysis: Analysis, plan: Plan) -> None:
    for note in list_notes(analysis, plan):
        out.note(note)


def list_notes(analysis: Analysis, plan: Plan) -> list[str]:
    """What must be known to read the figures."""
    from zoo.metrics.memory import describe_split

    own = (
        []
        if plan.laid_out
        else ["what engines reserve is not given: how they lay out several caches of a layer varies"]
    )
    exact = [] if plan.format.exact else [f"{plan.format.name} is sized by an average rate, not matrix by matrix"]
    mtp = plan.params.mtp
    extra = [f"next-token-prediction layers ({mtp:,} parameters) are not loaded"] if mtp else []
    return [*describe_convention(analysis, plan), *describe_split(plan), *own, *exact, *extra, *analysis.warnings]


def describe_convention(analysis: Analysis, plan: Plan) -> list[str]:
    """Whose rules the cache is counted by, and what the formats of engines take that store scales with the values."""
    from zoo.metrics.dtypes import BITS

    cache = analysis.kv_cache
    if cache is None or not (cache.elements_per_token or cache.state_elements):
        return []
    said = [f"cache and state are counted by {cache.convention}"]
    scaled = [f"{name} {size:,}" for name, size in cache.formats.items() if size]
    if BITS.get(plan.kv_dtype, 16) <= 8 and scaled:
        said.append(f"with scales, bytes per token: {', '.join(scaled)}")
    return said


def describe_context(longest: int | None, analysis: Analysis, asked: int = 0) -> str:
    """The longest context that fits, and whether it is all that the model declares; beyond that where it was asked."""
    most = analysis.shape.get("max_context")
    if most and asked <= most and (longest is None or longest >= most):
        return f"{most:,} (all)"
    return describe_limit(longest)


def describe_limit(limit: int | None) -> str:
    return "any" if limit is None else f"{limit:,}"


def list_stages(plan: Plan, fit: Fit) -> list[dict[str, object]]:
    """What a device of each pipeline stage holds."""
    own = plan.count_own(fit.batch)
    return [
        {
            "first_layer": stage.layers.start,
            "layers": len(stage.layers),
            "weights_bytes": stage.weights,
            "cache_bytes": own * stage.hold(fit.context_tokens).cache,
            "state_bytes": own * stage.fixed,
            "reserved_bytes": own * stage.reserve(fit.context_tokens).total if plan.laid_out else None,
        }
        for stage in plan.stages
    ]


def head_json(analysis: Analysis, plan: Plan) -> dict[str, object]:
    return {
        "repo_id": analysis.repo_id,
        "max_context_tokens": analysis.shape.get("max_context"),
        "notes": list_notes(analysis, plan),
    }


def to_json(fits: Sequence[Fit]) -> list[dict[str, object]]:
    return [fit.as_dict() for fit in fits]
