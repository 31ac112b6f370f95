"""``zoo explain``: every key of a config, and its parameter count step by step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.context import Context
from zoo.cli.show import Model
from zoo.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.cli.resolve import Resolved
    from zoo.db.population import Specimen
    from zoo.explain.arithmetic import Arithmetic
    from zoo.explain.explanation import Explanation
    from zoo.explain.keys import KeyFact


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


def explain_command(
    ctx: typer.Context,
    model: Model,
    markdown: Annotated[bool, typer.Option("--md", help="Write Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Write LaTeX.")] = False,
) -> None:
    """Every key of its config, a drawing of its layers, and its parameter count step by step.

    Of each key: value, what it is, what it changes (memory, compute, quality, or nothing at inference), and how the
    value compares with those of the model's family and of all models in the database. The count is written from the
    tensors: each group in letters, in numbers, and the sum so far, down to the total and the check against the number
    that the Hub reports.
    """
    from zoo.cli.resolve import resolve_model
    from zoo.explain.explanation import build_explanation, write_document
    from zoo.explain.write import write_latex, write_markdown

    out: Context = ctx.obj
    if markdown + latex + out.json > 1:
        raise UsageError("--md, --latex and --json are three ways to write it: choose one")
    found = resolve_model(ctx, model)
    said = build_explanation(found.repo_id, found.config, found.row, load_peers(out, found))
    if out.json:
        out.print_json(write_document(said))
    elif markdown or latex:
        sys.stdout.write(write_markdown(said) if markdown else write_latex(said))
    else:
        print_explanation(out.out, said)


def load_peers(out: Context, found: Resolved) -> Sequence[Specimen]:
    """The models to compare with: those of the database; none where a file is explained and there is no database."""
    from zoo.db.engine import resolve_url
    from zoo.db.population import load_population
    from zoo.db.session import look

    if found.row is None and look(resolve_url(out.db_url)) == "absent":
        out.note("there is no database to compare its values with: zoo sync brings models")
        return ()
    population = load_population(out.open_engine())
    if not population.whole:
        out.note(f"compared with the {len(population.specimens):,} fingerprints of the most downloaded models")
    return population.specimens


def print_explanation(console: Console, said: Explanation) -> None:
    """Keys by group, then the drawing and the sum."""
    from rich.text import Text

    from zoo.explain.explanation import group_facts, list_defaults
    from zoo.explain.standing import PERCENTILES
    from zoo.text import clean_text

    console.print(Text(clean_text(said.repo_id), style="bold"))
    if said.summary:
        console.print(Text(clean_text(said.summary)), soft_wrap=False)
    for group, facts in group_facts(said.keys):
        console.print()
        console.print(Text(group.capitalize(), style="bold cyan"))
        for fact in facts:
            print_key(console, fact, said.compare_key(fact))
    console.print()
    if said.standings:
        console.print(Text(PERCENTILES, style="dim"), soft_wrap=False)
        console.print()
    if said.defaults:
        console.print(Text("Left out of the config: the defaults of the type", style="bold cyan"))
        for key, text in list_defaults(said.defaults):
            console.print(Text.assemble((clean_text(key), "bold"), " = ", text), soft_wrap=False)
        console.print()
    if said.sums is None:
        console.print(Text(clean_text(f"No parameter count: {said.reason}")), soft_wrap=False)
        return
    print_layers(console, said)
    print_sums(console, said.sums, said)


def print_key(console: Console, fact: KeyFact, among: str) -> None:
    """One key: its value, what it changes, what it is, and how it compares."""
    from rich.padding import Padding
    from rich.text import Text

    from zoo.explain.keys import USES
    from zoo.text import clean_text

    line = Text.assemble((clean_text(fact.path), "bold"), " = ", fact.text)
    line.append(f"  [{fact.changes}; {USES[fact.use]}]", style="dim")
    console.print(line, soft_wrap=False)
    console.print(Padding(Text(fact.meaning), (0, 0, 0, 4)), soft_wrap=False)
    if among:
        console.print(Padding(Text(among, style="dim"), (0, 0, 0, 4)), soft_wrap=False)


def print_layers(console: Console, said: Explanation) -> None:
    """The drawing with one layer of each kind, as wide as the terminal."""
    from rich.text import Text

    from zoo.explain.layers import WIDTH
    from zoo.text import clean_text

    console.print(Text("Its layers, one of each kind", style="bold cyan"))
    width = max(60, console.width) if console.is_terminal else WIDTH
    console.print(Text(clean_text(said.draw_layers(width))), soft_wrap=True)
    console.print()


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
    if prose.find_dense_equivalent(sums) is not None:
        console.print(Text(prose.DENSE_RULE), soft_wrap=False)
        console.print()
    console.print(Text(prose.describe_verdict(sums, said.reported)), soft_wrap=False)
    console.print()
    console.print(Text("What does not count, and why", style="bold cyan"))
    for sentence in prose.list_not_counted(sums):
        console.print(Text(f"- {sentence}"), soft_wrap=False)
