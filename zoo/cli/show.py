"""``zoo show``: all facts of one model."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.analyze import Contexts, KvDtype, Ledger, read_options
from zoo.cli.context import Context

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A repo id, a piece of a name, or the path of a config.json.")
]


def register(app: typer.Typer) -> None:
    app.command("show")(show_command)


def show_command(
    ctx: typer.Context, model: Model, kv_dtype: KvDtype = None, context: Contexts = "", ledger: Ledger = False
) -> None:
    """One model: key parameters, parameters by part, cache, memory, FLOPs, scaling, and where each is from."""
    from zoo.cli.inputs import Item, analyze_item
    from zoo.cli.resolve import resolve_model
    from zoo.cli.tables import print_ledger, print_sheet
    from zoo.explain.provenance import build_sections, describe_reported
    from zoo.explain.sheet import build_sheet

    options = read_options(kv_dtype, context, ledger)
    found = resolve_model(ctx, model)
    problem = found.row.problem[1] if found.row and found.row.problem else None
    analysis = analyze_item(Item(model, found.repo_id, found.config or None, problem), options)
    document = analysis.as_dict(tensors=ledger)
    reported = describe_reported(document, found.row)
    out: Context = ctx.obj
    if out.json:
        out.print_json({**document, **reported})
        return
    print_sheet(out.out, found.repo_id, [*build_sheet(document), *build_sections(reported)])
    if ledger and analysis.ledger:
        out.out.print()
        print_ledger(out.out, analysis.ledger.parameters)
