"""``zoo scaling``: loss, optimal tokens and compute by the Chinchilla laws; memory of training; sizes of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zoo.cli.context import Context
    from zoo.metrics.analysis import Analysis
    from zoo.metrics.scaling import ScalingLaw
    from zoo.metrics.training_tokens import Trained

Model = Annotated[str | None, typer.Argument(metavar="MODEL", help="A repo id, a piece of a name, or a config.json.")]
Params = Annotated[str | None, typer.Option("--params", metavar="N", help="Parameters, such as 7B.")]
Tokens = Annotated[
    str | None,
    typer.Option("--tokens", metavar="D", help="Training tokens, such as 1.4T; else what the model's authors state."),
]
Compute = Annotated[str | None, typer.Option("--flops", metavar="C", help="Compute, such as 1e21.")]
Law = Annotated[str | None, typer.Option("--law", metavar="LAW", help="hoffmann2022 or epoch2024; else both.")]
Mix = Annotated[str | None, typer.Option("--mix", metavar="SHARES", help="Sources in percent: web=60,code=15,…")]
Devices = Annotated[
    int, typer.Option("--gpus", min=1, max=1 << 16, help="Devices that ZeRO deals training memory out to.")
]
Length = Annotated[str, typer.Option("--context", metavar="TOKENS", help="Tokens of a training sequence.")]
Batch = Annotated[int, typer.Option("--batch", min=1, max=1 << 20, help="Sequences on a device at once.")]
Rank = Annotated[int, typer.Option("--lora-rank", metavar="R", help="Rank of low-rank adapters.")]
Targets = Annotated[
    str | None,
    typer.Option("--lora-targets", metavar="NAMES", help="Their modules: q_proj,v_proj or all-linear; else both."),
]
Estimates = Annotated[
    bool, typer.Option("--estimates", help="How wrong the rule of thumb for parameters is, over the database.")
]
Models = Annotated[str | None, typer.Option("--models", metavar="TERMS", help="With --estimates: only these models.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="With --estimates: rows; else 20, all in JSON.")]


def register(app: typer.Typer) -> None:
    app.command("scaling")(scaling_command)


def scaling_command(
    ctx: typer.Context,
    model: Model = None,
    params: Params = None,
    tokens: Tokens = None,
    flops: Compute = None,
    law: Law = None,
    mix: Mix = None,
    gpus: Devices = 1,
    context: Length = "4k",
    batch: Batch = 1,
    rank: Rank = 16,
    targets: Targets = None,
    estimates: Estimates = False,
    models: Models = None,
    limit: Limit = None,
) -> None:
    """Loss, optimal tokens and compute split, for a size, a number of tokens, a budget, or a MODEL.

    Of size, tokens and FLOPs two give the third (C = 6 N D). A mixture of experts costs its active parameters. Of a
    MODEL also: how far it was trained beyond the optimum, where its authors state the tokens; memory of training by
    optimizer, sizes of LoRA adapters from its real shapes, and how wrong the rule of thumb is. With --estimates: that
    rule over the whole database.
    """
    from zoo.cli.scaling_print import print_estimates, print_scaling
    from zoo.errors import UsageError
    from zoo.units import parse_context, parse_count

    if estimates:
        if model or params or tokens or flops:
            raise UsageError(
                "--estimates looks at the whole database: leave MODEL, --params, --tokens and --flops away"
            )
        print_estimates(ctx.obj, compare_all(ctx.obj, models), limit)
        return
    if models or limit:
        raise UsageError("--models and --limit go with --estimates")
    if model and params:
        raise UsageError("a MODEL has its own size: leave --params away")
    given = {name: parse_count(text) if text else None for name, text in (("tokens", tokens), ("flops", flops))}
    analysis, trained = read_model(ctx, model) if model else (None, None)
    size = parse_count(params) if params else None
    asked = describe(analysis, trained, size, given["tokens"], given["flops"], choose_laws(law), mix)
    more = describe_memory(analysis, asked["params"], gpus, parse_context(context), batch)
    print_scaling(ctx.obj, asked | more | describe_lora(analysis, rank, targets))


def describe(
    analysis: Analysis | None,
    trained: Trained | None,
    size: int | None,
    tokens: int | None,
    flops: int | None,
    laws: Sequence[ScalingLaw],
    mix: str | None,
) -> dict[str, Any]:
    """What the laws say of the run; of a model also its exact FLOPs and the rule of thumb."""
    from zoo.metrics.scaling import EXAMPLE_MIX, parse_mix
    from zoo.metrics.training import describe_model, describe_run, plan_run

    counts = analysis.params if analysis else None
    stated = trained if trained and tokens is None and flops is None else None
    run = plan_run(
        params=counts.total if counts else size,
        active=counts.active if counts else None,
        tokens=stated.tokens if stated else tokens,
        flops=flops,
    )
    document = describe_run(run, laws, parse_mix(mix) if mix is not None else EXAMPLE_MIX)
    if analysis is None:
        return document
    stated_as_json = {"tokens_stated": trained._asdict() if trained else None, "tokens_are_stated": stated is not None}
    exact = describe_model(analysis, document["mix"]["tokens"])
    return {"repo_id": analysis.repo_id, **document, **stated_as_json, **exact}


def describe_memory(
    analysis: Analysis | None, params: int | None, gpus: int, sequence: int, batch: int
) -> dict[str, Any]:
    from zoo.metrics.training import describe_training

    found = describe_training(analysis, params, devices=gpus, sequence=sequence, batch=batch)
    return {"training_memory": found}


def describe_lora(analysis: Analysis | None, rank: int, targets: str | None) -> dict[str, Any]:
    """Adapters of a model; nothing without one.

    Raises UsageError for targets without a model to have them.
    """
    from zoo.errors import UsageError
    from zoo.metrics.training import describe_adapters

    if analysis is None:
        if targets is not None:
            raise UsageError("--lora-targets are modules of a MODEL: name one")
        return {}
    names = [name.strip() for name in targets.split(",") if name.strip()] if targets is not None else None
    return {"lora": describe_adapters(analysis, rank, names)}


def choose_laws(name: str | None) -> Sequence[ScalingLaw]:
    """The law of that name, or all. Raises UsageError for another name."""
    from zoo.errors import UsageError
    from zoo.metrics.scaling import LAWS

    if name is None:
        return tuple(LAWS.values())
    if name not in LAWS:
        raise UsageError(f"{name!r:.40} is no law that zoo knows: use one of {', '.join(LAWS)}")
    return (LAWS[name],)


def read_model(ctx: typer.Context, model: str) -> tuple[Analysis, Trained | None]:
    """The analysis of ``model``, and what its authors say of its training tokens.

    Raises BadInput when nothing is derived for it.
    """
    from zoo.cli.resolve import resolve_model
    from zoo.errors import BadInput
    from zoo.metrics.analysis import analyze
    from zoo.metrics.training_tokens import find_trained

    found = resolve_model(ctx, model)
    analysis = analyze(found.config, repo_id=found.repo_id)
    if analysis.params is None:
        raise BadInput(found.repo_id, f"its size is not known: {analysis.reason}")
    return analysis, find_trained(found.repo_id, found.row.row["base_model"] if found.row else None)


def compare_all(out: Context, models: str | None) -> list[Any]:
    """The rule of thumb beside the exact count, for every model of the database that has both."""
    from zoo.db.sizes import load_sizes
    from zoo.metrics.training_estimates import compare_rows

    with out.open_engine().connect() as connection:
        return list(compare_rows(load_sizes(connection, models)))
