"""``zoo scaling``: loss, optimal tokens and compute by the Chinchilla laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from zoo.metrics.analysis import Analysis
    from zoo.metrics.scaling import ScalingLaw

DASH = "–"


def register(app: typer.Typer) -> None:
    app.command("scaling")(scaling_command)


def scaling_command(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A repo id, a piece of a name, or a config.json.")
    ] = None,
    params: Annotated[str | None, typer.Option("--params", metavar="N", help="Parameters, such as 7B.")] = None,
    tokens: Annotated[str | None, typer.Option("--tokens", metavar="D", help="Training tokens, such as 1.4T.")] = None,
    flops: Annotated[str | None, typer.Option("--flops", metavar="C", help="Compute, such as 1e21.")] = None,
    law: Annotated[
        str | None, typer.Option("--law", metavar="LAW", help="hoffmann2022 or epoch2024; else both.")
    ] = None,
    mix: Annotated[
        str | None, typer.Option("--mix", metavar="SHARES", help="Sources in percent: web=60,code=15,…")
    ] = None,
) -> None:
    """Loss, optimal tokens and compute split, for a size, a number of tokens, a budget, or a MODEL.

    Of size, tokens and FLOPs two give the third (C = 6 N D). A mixture of experts costs its active parameters.
    """
    from zoo.errors import UsageError
    from zoo.metrics.scaling import EXAMPLE_MIX, parse_mix
    from zoo.metrics.training import describe_model, describe_run, plan_run
    from zoo.units import parse_count

    if model and params:
        raise UsageError("a MODEL has its own size: leave --params away")
    shares = parse_mix(mix) if mix is not None else EXAMPLE_MIX
    laws = choose_laws(law)
    analysis = read_model(ctx, model) if model else None
    counts = analysis.params if analysis else None
    run = plan_run(
        params=counts.total if counts else parse_count(params) if params else None,
        active=counts.active if counts else None,
        tokens=parse_count(tokens) if tokens else None,
        flops=parse_count(flops) if flops else None,
    )
    document = describe_run(run, laws, shares)
    if analysis:
        document = {"repo_id": analysis.repo_id, **document, **describe_model(analysis, document["mix"]["tokens"])}
    print_scaling(ctx.obj, document)


def choose_laws(name: str | None) -> Sequence[ScalingLaw]:
    """The law of that name, or all. Raises UsageError for another name."""
    from zoo.errors import UsageError
    from zoo.metrics.scaling import LAWS

    if name is None:
        return tuple(LAWS.values())
    if name not in LAWS:
        raise UsageError(f"{name!r:.40} is no law that zoo knows: use one of {', '.join(LAWS)}")
    return (LAWS[name],)


def read_model(ctx: typer.Context, model: str) -> Analysis:
    """The analysis of ``model``. Raises BadInput when nothing is derived for it."""
    from zoo.cli.resolve import resolve_model
    from zoo.errors import BadInput
    from zoo.metrics.analysis import analyze

    found = resolve_model(ctx, model)
    analysis = analyze(found.config, repo_id=found.repo_id)
    if analysis.params is None:
        raise BadInput(found.repo_id, f"its size is not known: {analysis.reason}")
    return analysis


def print_scaling(out: Context, document: Mapping[str, Any]) -> None:
    """The figures as tables, or as JSON."""
    from zoo.cli.tables import make_table
    from zoo.text import clean_text

    if out.json:
        out.print_json(document)
        return
    if "repo_id" in document:
        out.out.print(clean_text(str(document["repo_id"])), style="bold")
    sections: list[tuple[str, Sequence[str], list[tuple[str, ...]]]] = [
        ("", (), list_run(document)),
        ("By the laws", ("", *(law["law"] for law in document["laws"])), list_laws(document["laws"])),
        (f"Tokens by source, of {count(document['mix']['tokens'])}", ("source", "share", "tokens"), list_mix(document)),
        ("The rule of thumb 12 H² L + V H against the exact count", (), list_estimate(document)),
    ]
    for title, columns, rows in sections:
        if rows:
            if title:
                out.out.print(f"\n{title}")
            width = None if out.out.is_terminal else 80
            out.out.print(make_table(columns, rows), soft_wrap=False, width=width)
    for law in document["laws"]:
        out.note(f"{law['law']}: {law['source']}")
    if document["active_params"] != document["params"]:
        out.note("the laws were fitted to dense models: what they say of a mixture of experts is out of their range")


def list_run(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What was given and what follows from it."""
    rule = document["rule"]
    active = document["active_params"] if document["active_params"] != document["params"] else None
    length = document.get("sequence_tokens")
    rows = [
        ("Parameters N", count(document["params"])),
        ("Active parameters", count(active)),
        ("Tokens D", count(document["tokens"])),
        ("Training FLOPs 6 N D", power(document["training_flops"])),
        ("Tokens per parameter", short(document["tokens_per_param"])),
        ("Against 20 per parameter", times(document["overtraining_factor"])),
        ("Optimal by the rule of 20", f"{count(rule['optimal_params'])} on {count(rule['optimal_tokens'])} tokens"),
        ("  its training FLOPs", power(rule["training_flops"])),
        ("Ledger's FLOPs, matrices", power(document.get("training_flops_matrices"))),
        (f"  with attention over {length}", power(document.get("training_flops_with_attention"))),
        ("FP32 size", gigabytes(document["float32_gb"])),
        ("FP16 size", gigabytes(document["float16_gb"])),
    ]
    return [row for row in rows if row[1] != DASH]


def list_laws(laws: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One line for each figure, one column for each law."""
    lines = {
        "Loss of the run, nats per token": ("loss_nats_per_token", loss),
        "Loss by the rule of 20": ("loss_by_rule_nats_per_token", loss),
        "Optimal parameters": ("optimal_params", count),
        "Optimal tokens": ("optimal_tokens", count),
        "Loss there": ("optimal_loss_nats_per_token", loss),
        "Best split of the FLOPs: parameters": ("split_params", count),
        "Best split of the FLOPs: tokens": ("split_tokens", count),
        "Loss of the best split": ("split_loss_nats_per_token", loss),
    }
    rows = [(label, *(show(law[key]) for law in laws)) for label, (key, show) in lines.items()]
    return [row for row in rows if row[1] != DASH]


def list_mix(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(row["source"], f"{row['share']:.1%}", count(row["tokens"])) for row in document["mix"]["by_source"]]


def list_estimate(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """How wrong the rule of thumb is for the model."""
    compared = document.get("rule_of_thumb")
    if not compared:
        return []
    return [
        ("Exact", f"{compared['exact_params']:,}"),
        ("Estimated, vocabulary 50,000", f"{compared['estimated_params']:,} ({compared['error']:+.1%})"),
        (
            "Estimated, its own vocabulary",
            f"{compared['estimated_params_own_vocab']:,} ({compared['error_own_vocab']:+.1%})",
        ),
    ]


def count(value: float | None) -> str:
    from zoo.units import format_count

    return DASH if value is None else format_count(value)


def power(value: float | None) -> str:
    return DASH if value is None else f"{value:.3e}"


def short(value: float | None) -> str:
    return DASH if value is None else f"{value:,.1f}"


def times(value: float | None) -> str:
    return DASH if value is None else f"{value:,.2f} ×"


def loss(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def gigabytes(value: float | None) -> str:
    return DASH if value is None else f"{value:,.2f} GB"
