"""``zoo fit``: memory on a device, the longest context, the most sequences; and what of the zoo fits on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from zoo.devices import Device
    from zoo.metrics.analysis import Analysis
    from zoo.metrics.split import Split

Model = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="A repo id, a piece of a name, or the path of a config.json."),
]
Gpu = Annotated[
    str | None,
    typer.Option("--gpu", metavar="DEVICE", help='A device, such as "RTX 4090"; else as few of each as hold it.'),
]
Gpus = Annotated[
    int | None, typer.Option("--gpus", metavar="N", help="How many devices share the model; tensors are split.")
]
Tensor = Annotated[
    int | None, typer.Option("--tensor-parallel", "--tp", metavar="N", help="Devices that tensors are split over.")
]
Pipeline = Annotated[
    int | None, typer.Option("--pipeline-parallel", "--pp", metavar="N", help="Stages that layers are dealt out to.")
]
Expert = Annotated[
    int | None, typer.Option("--expert-parallel", "--ep", metavar="N", help="Devices that experts are dealt out to.")
]
Length = Annotated[
    str | None, typer.Option("--context", metavar="TOKENS", help="Tokens of a sequence, such as 32k; else 8k.")
]
Batch = Annotated[int, typer.Option("--batch", "--sequences", min=1, max=1 << 20, help="Sequences at once.")]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights-dtype",
        "--weights",
        metavar="FORMAT",
        help="Weights in a data type (bf16, int4) or a format (fp8-blocks, int8-channels, awq-int4, gptq-int4, "
        "bnb-nf4, nvfp4-blocks, gguf-q8_0, gguf-q4_k_m, …); else as stored.",
    ),
]
Kept = Annotated[
    str | None,
    typer.Option(
        "--kv-dtype", metavar="FORMAT", help="Cache in a data type (fp8) or an engine's format (q8_0, fp8_ds_mla)."
    ),
]
Overhead = Annotated[
    str | None,
    typer.Option("--overhead", metavar="SIZE", help="Memory left to the engine: 10%, or 2GiB; else as the device has."),
]
Price = Annotated[
    str | None,
    typer.Option("--price", metavar="PRICES", help='Prices to choose devices by: "H100 SXM=2.5,L40S=0.8".'),
]
Reverse = Annotated[bool, typer.Option("--reverse", help="List which models of the database fit on --gpu.")]
Models = Annotated[str | None, typer.Option("--models", metavar="TERMS", help="With --reverse: only these models.")]
Sort = Annotated[
    str, typer.Option("--sort", metavar="KEY", help="With --reverse: params, active, downloads, context or needed.")
]
Stretched = Annotated[
    bool, typer.Option("--stretched", help="Allow a context beyond what the model declares, as YaRN stretches it.")
]
Catalogue = Annotated[bool, typer.Option("--devices", help="List the devices that zoo knows, and where from.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Rows at most; else 50 in a table, all in JSON.")]


class Asked(NamedTuple):
    """A model, and how it is to be served; what is None was not said."""

    analysis: Analysis
    split: Split | None
    length: int | None
    stretched: bool
    batch: int
    weights_dtype: str | None
    kv_dtype: str | None


def register(app: typer.Typer) -> None:
    app.command("fit")(fit_command)


def fit_command(
    ctx: typer.Context,
    model: Model = None,
    gpu: Gpu = None,
    gpus: Gpus = None,
    tensor: Tensor = None,
    pipeline: Pipeline = None,
    expert: Expert = None,
    context: Length = None,
    stretched: Stretched = False,
    batch: Batch = 1,
    weights_dtype: Weights = None,
    kv_dtype: Kept = None,
    overhead: Overhead = None,
    price: Price = None,
    reverse: Reverse = False,
    models: Models = None,
    sort: Sort = "params",
    limit: Limit = None,
    devices: Catalogue = False,
) -> None:
    """Memory at a context and batch on a device: weights, cache and state; longest context, most sequences.

    Without --gpu: how few of each device hold the model, by number, then memory, or by --price. With --gpu it ends with
    1 when the model does not fit. Tensors are split over --gpus unless stages or experts are dealt out too; what is
    whole on each device is counted. Speeds are bounds. --reverse lists which models of the database fit on --gpu.
    """
    from zoo.cli.fit_print import print_catalogue
    from zoo.cli.fit_reverse import list_fitting
    from zoo.devices import find_device, leave_overhead, read_prices
    from zoo.metrics.reverse import Wish
    from zoo.metrics.split import plan_split
    from zoo.units import parse_context

    if devices:
        print_catalogue(ctx.obj)
        return
    check_options(model, gpu, price, reverse, models or (None if sort == "params" else sort))
    device = leave_overhead(find_device(gpu), overhead) if gpu else None
    length, split = parse_context(context) if context else None, plan_split(gpus, tensor, pipeline, expert)
    if model is None and device is not None:
        wish = Wish(device, split, length or 8192, batch, weights_dtype, kv_dtype, stretched)
        list_fitting(ctx.obj, wish, models, sort, limit)
        return
    fixed = split if any((gpus, tensor, pipeline, expert)) else None
    asked = Asked(read_model(ctx, str(model)), fixed, length, stretched, batch, weights_dtype, kv_dtype)
    if device is not None:
        fit_one(ctx.obj, asked, device)
    else:
        fit_all(ctx.obj, asked, overhead, read_prices(price), limit)


def check_options(model: str | None, gpu: str | None, price: str | None, reverse: bool, of_reverse: str | None) -> None:
    """Raises UsageError for options that would be left unheard."""
    from zoo.errors import UsageError

    if reverse and (gpu is None or model):
        raise UsageError("--reverse lists the models that fit on one device: name it with --gpu, and no MODEL")
    if not reverse and model is None:
        raise UsageError('name a MODEL, or list what fits with --reverse --gpu "RTX 4090"')
    if not reverse and of_reverse:
        raise UsageError("--models and --sort go with --reverse")
    if gpu and price:
        raise UsageError("--price chooses among devices: leave --gpu away")


def read_model(ctx: typer.Context, model: str) -> Analysis:
    """The analysis of ``model``. Raises BadInput when nothing is derived for it."""
    from zoo.cli.resolve import resolve_model
    from zoo.errors import BadInput
    from zoo.metrics.analysis import analyze

    found = resolve_model(ctx, model)
    analysis = analyze(found.config, repo_id=found.repo_id)
    if analysis.ledger is None:
        raise BadInput(found.repo_id, f"its sizes are not known: {analysis.reason}")
    return analysis


def fit_one(out: Context, asked: Asked, device: Device) -> None:
    """One device in full; ends with 1 when the model does not fit."""
    from zoo.cli.fit_print import print_fit
    from zoo.metrics.fit import choose_context, fit_device, try_formats
    from zoo.metrics.memory import make_plan
    from zoo.metrics.split import Split

    context, split = choose_context(asked.analysis, asked.length, stretched=asked.stretched), asked.split or Split()
    plan = make_plan(asked.analysis, split, weights_dtype=asked.weights_dtype, kv_dtype=asked.kv_dtype)
    fit = fit_device(plan, device, context, asked.batch)
    others = (
        [] if asked.weights_dtype else try_formats(asked.analysis, device, context, asked.batch, split, asked.kv_dtype)
    )
    print_fit(out, asked.analysis, plan, fit, others, device)
    if not fit.fits:
        raise typer.Exit(1)


def fit_all(out: Context, asked: Asked, overhead: str | None, prices: Mapping[str, float], limit: int | None) -> None:
    """Every device: as few of each as hold the model, or all in the split that was asked for."""
    from zoo.cli.fit_print import print_devices
    from zoo.devices import leave_overhead, load_devices
    from zoo.metrics.fit import Planner, choose_context, choose_devices, fit_devices
    from zoo.metrics.split import Split

    context, batch = choose_context(asked.analysis, asked.length, stretched=asked.stretched), asked.batch
    devices = [leave_overhead(one, overhead) for one in load_devices() if not prices or one.name in prices]
    planner = Planner(asked.analysis, asked.weights_dtype, asked.kv_dtype)
    plan = planner.plan(asked.split or Split())
    if asked.split is None:
        fits = choose_devices(planner, devices, context, batch, prices)
    else:
        fits = fit_devices(plan, devices, context, batch)
    print_devices(out, asked.analysis, plan, fits[:limit], prices, left_out=len(devices) - len(fits))
    if not fits:
        raise typer.Exit(1)
