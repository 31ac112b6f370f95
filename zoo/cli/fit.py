"""``zoo fit``: memory on a device, the longest context, the most sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from zoo.metrics.analysis import Analysis
    from zoo.metrics.fit import Fit
    from zoo.metrics.memory import Plan


def register(app: typer.Typer) -> None:
    app.command("fit")(fit_command)


def fit_command(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A repo id, a piece of a name, or the path of a config.json.")
    ],
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="DEVICE", help='A device, such as "RTX 4090"; else all are listed.')
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, max=1024, help="How many devices share the model.")] = 1,
    context: Annotated[
        str | None, typer.Option("--context", metavar="TOKENS", help="Tokens of a sequence, such as 32k; else 8k.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Sequences at once.")] = 1,
    weights_dtype: Annotated[
        str | None, typer.Option("--weights-dtype", metavar="DTYPE", help="Weights in another type; else as stored.")
    ] = None,
    kv_dtype: Annotated[
        str | None, typer.Option("--kv-dtype", metavar="DTYPE", help="Cache in another type, such as fp8.")
    ] = None,
) -> None:
    """Memory at a context and batch on a device: weights, cache and state; longest context, most sequences.

    With --gpu it ends with 1 when the model does not fit.
    """
    from zoo.cli.resolve import resolve_model
    from zoo.devices import find_device, load_devices
    from zoo.errors import BadInput
    from zoo.metrics.analysis import analyze
    from zoo.metrics.fit import choose_context, fit_device, fit_devices, try_dtypes
    from zoo.metrics.memory import make_plan
    from zoo.units import parse_context

    device = find_device(gpu) if gpu else None
    asked = parse_context(context) if context else None
    found = resolve_model(ctx, model)
    analysis = analyze(found.config, repo_id=found.repo_id)
    if analysis.ledger is None:
        raise BadInput(found.repo_id, f"its sizes are not known: {analysis.reason}")
    length = choose_context(analysis, asked)
    plan = make_plan(analysis, gpus=gpus, weights_dtype=weights_dtype, kv_dtype=kv_dtype)
    if device is None:
        print_devices(ctx.obj, analysis, plan, fit_devices(plan, load_devices(), length, batch))
        return
    fit = fit_device(plan, device, length, batch)
    others = [] if weights_dtype else try_dtypes(analysis, device, length, batch, gpus=gpus, kv_dtype=kv_dtype)
    print_fit(ctx.obj, analysis, plan, fit, others)
    if not fit.fits:
        raise typer.Exit(1)


def print_devices(out: Context, analysis: Analysis, plan: Plan, fits: list[Fit]) -> None:
    """One line for each device."""
    from zoo.cli.tables import make_table
    from zoo.units import format_bytes

    first = fits[0]
    if out.json:
        out.print_json({**head_json(analysis, plan), "devices": to_json(fits)})
        return
    print_title(out, analysis, plan, first)
    number = f"{plan.gpus} × " if plan.gpus > 1 else ""
    rows = [
        (
            f"{number}{fit.device}",
            format_bytes(fit.memory_bytes),
            "yes" if fit.fits else "no",
            describe_context(fit, analysis),
            describe_limit(fit.most_sequences),
        )
        for fit in fits
    ]
    columns = ("device", "memory", "fits", "longest context", "sequences")
    print_narrow(out, make_table(columns, rows))
    print_notes(out, analysis, plan)


def print_fit(out: Context, analysis: Analysis, plan: Plan, fit: Fit, others: list[Fit]) -> None:
    """One device in full."""
    from zoo.cli.tables import make_table
    from zoo.units import format_bytes

    if out.json:
        out.print_json({**head_json(analysis, plan), **fit.as_dict(), "by_weights_dtype": to_json(others)})
        return
    print_title(out, analysis, plan, fit)
    print_narrow(out, make_table((), describe_fit(fit, analysis)))
    if others:
        out.out.print("\nThe same with other weights")
        rows = [
            (
                other.weights_dtype,
                format_bytes(other.weights_bytes),
                "yes" if other.fits else "no",
                describe_context(other, analysis),
                describe_limit(other.most_sequences),
            )
            for other in others
        ]
        print_narrow(out, make_table(("weights", "bytes", "fits", "longest context", "sequences"), rows))
        out.note("a plain data type is every parameter in it; a real quantisation leaves some wider and adds scales")
    print_notes(out, analysis, plan)


def describe_fit(fit: Fit, analysis: Analysis) -> list[tuple[str, str]]:
    """The figures of one device as lines."""
    from zoo.units import format_bytes

    number = f"{fit.gpus} × " if fit.gpus > 1 else ""
    each = " on each" if fit.gpus > 1 else ""
    rows = [
        ("Device", f"{number}{fit.device}, {format_bytes(fit.memory_bytes)}"),
        ("Usable", f"{format_bytes(fit.usable_bytes)}{each}; the rest is for the engine and activations"),
        ("Weights", f"{format_bytes(fit.weights_bytes)}{each} ({fit.weights_dtype})"),
        ("Cache", f"{format_bytes(fit.cache_bytes)}{each} ({fit.kv_dtype}), steady state"),
        ("State", f"{format_bytes(fit.state_bytes)}{each}"),
        ("Needed", f"{format_bytes(fit.needed_bytes)}{each}"),
        ("Free" if fit.fits else "Missing", f"{format_bytes(abs(fit.free_bytes))}{each}"),
        ("Fits", "yes" if fit.fits else "no"),
        ("Reserved", f"{format_bytes(fit.reserved_bytes)}{each} for cache and state, in an engine's blocks"),
        ("Longest context", f"{describe_context(fit, analysis)} tokens"),
        ("Most sequences", f"{describe_limit(fit.most_sequences)} of {fit.context_tokens:,} tokens"),
    ]
    if fit.decode_tokens_per_second_at_most is not None:
        rows.append(("Decode", f"at most {fit.decode_tokens_per_second_at_most:,.0f} tokens/s (a bound)"))
    if fit.prefill_seconds_at_least is not None:
        rows.append(
            ("Prefill", f"at least {fit.prefill_seconds_at_least:.3g} s for {fit.context_tokens:,} tokens (a bound)")
        )
    return [row for row in rows if row[0] != "State" or fit.state_bytes]


def print_title(out: Context, analysis: Analysis, plan: Plan, fit: Fit) -> None:
    from zoo.text import clean_text

    sequences = "one sequence" if fit.batch == 1 else f"{fit.batch:,} sequences"
    out.out.print(clean_text(f"{analysis.repo_id}: {sequences} of {fit.context_tokens:,} tokens"), style="bold")
    out.out.print(f"Weights {plan.weights_dtype}, cache {plan.kv_dtype}")


def print_narrow(out: Context, table: object) -> None:
    """A table no wider than 80 columns where the output is no terminal."""
    out.out.print(table, soft_wrap=False, width=None if out.out.is_terminal else 80)


def print_notes(out: Context, analysis: Analysis, plan: Plan) -> None:
    for note in list_notes(analysis, plan):
        out.note(note)


def list_notes(analysis: Analysis, plan: Plan) -> list[str]:
    """What must be known to read the figures."""
    from zoo.metrics.memory import describe_split

    return [*describe_convention(analysis, plan), *describe_split(plan), *analysis.warnings]


def describe_convention(analysis: Analysis, plan: Plan) -> list[str]:
    """Whose rules the cache is counted by, and what the formats of engines take that store scales with the values."""
    from zoo.metrics.dtypes import BITS

    cache = analysis.kv_cache
    if cache is None or not (cache.elements_per_token or cache.state_elements):
        return []
    said = [f"cache and state are counted by {cache.convention}"]
    scaled = [f"{name} {size:,}" for name, size in cache.formats.items() if size]
    if BITS[plan.kv_dtype] <= 8 and scaled:
        said.append(f"with scales, bytes per token: {', '.join(scaled)}")
    return said


def describe_context(fit: Fit, analysis: Analysis) -> str:
    """The longest context that fits, and whether it is all that the model was made for."""
    most, longest = analysis.shape.get("max_context"), fit.longest_context_tokens
    if most and (longest is None or longest >= most):
        return f"{most:,} (all)"
    return describe_limit(longest)


def describe_limit(limit: int | None) -> str:
    return "any" if limit is None else f"{limit:,}"


def head_json(analysis: Analysis, plan: Plan) -> dict[str, object]:
    return {
        "repo_id": analysis.repo_id,
        "max_context_tokens": analysis.shape.get("max_context"),
        "notes": list_notes(analysis, plan),
    }


def to_json(fits: list[Fit]) -> list[dict[str, object]]:
    return [fit.as_dict() for fit in fits]
