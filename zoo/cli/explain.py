"""``zoo explain``: every key of a config, and its parameter count step by step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.cli.show import Model
from zoo.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.cli.resolve import Resolved
    from zoo.explain.arithmetic import Arithmetic
    from zoo.explain.write import Explanation


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


def explain_command(
    ctx: typer.Context,
    model: Model,
    markdown: Annotated[bool, typer.Option("--md", help="Write Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Write LaTeX.")] = False,
) -> None:
    """Every key of its config: value, what it means, what it changes; and the parameter count step by step."""
    from zoo.cli.resolve import resolve_model
    from zoo.explain.write import write_latex, write_markdown

    out: Context = ctx.obj
    if markdown + latex + out.json > 1:
        raise UsageError("--md, --latex and --json are three ways to write it: choose one")
    said = build_explanation(resolve_model(ctx, model))
    if out.json:
        out.print_json(write_document(said))
    elif markdown or latex:
        sys.stdout.write(write_markdown(said) if markdown else write_latex(said))
    else:
        print_explanation(out.out, said)


def build_explanation(found: Resolved) -> Explanation:
    """Everything there is to say of one model."""
    from zoo.explain.arithmetic import count_by_steps
    from zoo.explain.keys import explain_keys
    from zoo.explain.provenance import describe_reported
    from zoo.explain.reads import find_defaults
    from zoo.explain.write import Explanation
    from zoo.metrics.analysis import analyze

    analysis = analyze(found.config, repo_id=found.repo_id)
    defaults = find_defaults(analysis.ledger) if analysis.ledger else {}
    sums = count_by_steps(analysis.ledger, found.repo_id) if analysis.ledger else None
    reported = describe_reported(analysis.as_dict(), found.row)
    return Explanation(found.repo_id, explain_keys(found.config), defaults, sums, analysis.reason, reported)


def write_document(said: Explanation) -> dict[str, object]:
    """The JSON of ``zoo explain``."""
    from zoo.explain.prose import write_arithmetic

    return {
        "repo_id": said.repo_id,
        "keys": [fact.as_dict() for fact in said.keys],
        "defaults": dict(said.defaults),
        "arithmetic": write_arithmetic(said.sums) if said.sums else None,
        "reason": said.reason,
        "reported": said.reported["reported"],
        "check": said.reported["check"],
    }


def print_explanation(console: Console, said: Explanation) -> None:
    """Keys by group, then the sum."""
    from rich.padding import Padding
    from rich.text import Text

    from zoo.explain.keys import USES
    from zoo.explain.write import group_facts, list_defaults

    console.print(Text(said.repo_id, style="bold"))
    for group, facts in group_facts(said.keys):
        console.print()
        console.print(Text(group.capitalize(), style="bold cyan"))
        for fact in facts:
            line = Text.assemble((f"{fact.path}", "bold"), " = ", fact.text)
            line.append(f"  [{fact.changes}; {USES[fact.use]}]", style="dim")
            console.print(line, soft_wrap=False)
            console.print(Padding(Text(fact.meaning), (0, 0, 0, 4)), soft_wrap=False)
    console.print()
    if said.defaults:
        console.print(Text("Left out of the config: the defaults of the type", style="bold cyan"))
        for key, text in list_defaults(said.defaults):
            console.print(Text.assemble((key, "bold"), " = ", text), soft_wrap=False)
        console.print()
    if said.sums is None:
        console.print(Text(f"No parameter count: {said.reason}"), soft_wrap=False)
        return
    print_sums(console, said.sums, said)


def print_sums(console: Console, sums: Arithmetic, said: Explanation) -> None:
    """The legend, the steps, what the total is made of, and what does not count."""
    from rich.text import Text

    from zoo.cli.tables import print_sections, print_sheet
    from zoo.explain import prose
    from zoo.explain.sheet import Section

    legend = [(letter, f"{value:,}", meaning) for letter, value, meaning in sums.legend]
    print_sheet(
        console, "The parameter count, step by step", [Section("Sizes", legend, ("symbol", "value", "meaning"))]
    )
    console.print()
    for step in sums.steps:
        console.print(Text(prose.title_step(step), style="bold"), soft_wrap=False)
        product = step.product
        single = product.numbers == f"{product.value:,}"
        counted = product.numbers if single else f"{product.numbers} = {product.value:,}"
        console.print(Text(f"    {product.text} = {counted}"), soft_wrap=False)
        if step.active_product:
            console.print(Text(f"    a token passes through {step.active_product} = {step.active:,}"), soft_wrap=False)
        console.print(Text(f"    sum so far: {step.running:,}", style="dim"), soft_wrap=False)
    sections = [
        Section("What the total is made of", prose.list_totals(sums)),
        Section("Weights and biases, total and active", prose.list_splits(sums)),
        Section("Size of the weights", prose.list_sizes(sums)),
    ]
    print_sections(console, sections)
    console.print()
    console.print(Text(prose.describe_verdict(sums, said.reported)), soft_wrap=False)
    console.print()
    console.print(Text("What does not count, and why", style="bold cyan"))
    for sentence in prose.list_not_counted(sums):
        console.print(Text(f"- {sentence}"), soft_wrap=False)
