"""``zoo families``: who is made alike, who differs by one feature, and the tree of designs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zoo.cli.context import Context

if TYPE_CHECKING:
    from rich.tree import Tree

    from zoo.cli.resolve import Resolved
    from zoo.db.population import Population
    from zoo.explain.families import Group, Relatives
    from zoo.explain.features import Design

#: Names of a list that are spelled out.
_SHOWN = 8
#: Fingerprints that are listed.
_FINGERPRINTS = 40
#: Fewer models than this take less than a second.
_QUICK = 1000
_HELP = "A repo id, a piece of a name, or a config file; with none, all designs of the database."
_TREE = "Each design below the older one that it is nearest to; of MODEL, what leads to it and what follows."


def register(app: typer.Typer) -> None:
    app.command("families")(families_command)


class Subject(NamedTuple):
    """A model that was asked for."""

    repo_id: str
    fingerprint: str
    design: Design


def families_command(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]…", help=_HELP)] = None,
    tree: Annotated[bool, typer.Option("--tree", help=_TREE)] = False,
) -> None:
    """Who is made alike: models that share a fingerprint, designs that differ by one feature, and a tree of designs.

    A fingerprint is every tensor with its size: models that share it differ in their weights alone. A design is how a
    model is built, read off its tensors and states: attention and KV heads, norms and where they stand, QK-norm,
    positions, the feed-forward block, experts, windows and recurrent layers, biases, ties, towers; sizes do not count.
    Older is what was on the Hub earlier, as far as the database knows.
    """
    from zoo.cli.resolve import resolve_model
    from zoo.db.population import load_population
    from zoo.explain.families import group_members, grow_tree

    out: Context = ctx.obj
    chosen = [read_subject(resolve_model(ctx, term)) for term in models or ()]
    population = load_population(out.open_engine())
    with show_progress(out, len(population.specimens)) as tick:
        groups = group_members(population.specimens, tick)
    roots = grow_tree(groups)
    out.note(describe_population(population, groups))
    if tree:
        print_trees(out, roots, {id(group) for group in groups if any(s.design == group.design for s in chosen)})
    elif chosen:
        print_relatives(out, chosen, groups)
    else:
        print_groups(out, groups)


def read_subject(found: Resolved) -> Subject:
    """The design of one model. Raises BadInput when it cannot be counted, and so has no tensors to read it from."""
    from zoo.arch.config import UnsupportedError
    from zoo.arch.ledger import build_ledger, fingerprint_ledger
    from zoo.errors import BadInput
    from zoo.explain.features import extract_features

    try:
        ledger = build_ledger(found.config)
    except UnsupportedError as error:
        raise BadInput(found.repo_id, f"its design is not known: {error}") from None
    return Subject(found.repo_id, fingerprint_ledger(ledger), extract_features(ledger))


@contextmanager
def show_progress(out: Context, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr where it takes a while and a person looks on."""
    from rich.progress import Progress

    quiet = total < _QUICK or not out.err.is_terminal
    with Progress(console=out.err, transient=True, disable=quiet) as progress:
        task = progress.add_task("reading designs", total=total)
        yield lambda: progress.advance(task)


def describe_population(population: Population, groups: Sequence[Group]) -> str:
    least = "" if population.whole else "of the most downloaded models, "
    return (
        f"{least}{population.models:,} models of {len(population.specimens):,} fingerprints"
        f" in {len(groups):,} design{'' if len(groups) == 1 else 's'}"
    )


def print_groups(out: Context, groups: Sequence[Group]) -> None:
    """Every design, the largest first, and the fingerprints that most models share."""
    from rich.padding import Padding
    from rich.text import Text

    from zoo.explain.families import write_group
    from zoo.explain.lineage import find_lineage
    from zoo.explain.sheet import text_of

    if out.json:
        out.print_json([write_group(group) for group in groups])
        return
    for group in groups:
        sizes = "1 size" if len(group.members) == 1 else f"{len(group.members):,} sizes"
        line = Text.assemble((text_of(find_lineage(group.design).text), "bold"), f" ({count_models(group)}, {sizes})")
        out.out.print(line, soft_wrap=False)
        for said in describe_group(group):
            out.out.print(Padding(Text(text_of(said)), (0, 0, 0, 4)), soft_wrap=False)
    print_shared(out, groups)


def describe_group(group: Group) -> list[str]:
    """What sets the design apart from others of its lineage, who has it, and what it was told from."""
    from zoo.explain.features import BY_KEY

    apart = [words for key in ("heads", "tie") if (words := BY_KEY[key].say(group.design[key]))]
    said = [
        "; ".join((*apart, f"types: {list_names(group.types)}")),
        f"such as {list_names((member.repo_id for member in group.members), 3)}",
    ]
    return [*said, f"from {group.parent.name}: {group.words}"] if group.parent else said


def print_shared(out: Context, groups: Sequence[Group]) -> None:
    """The fingerprints of several models, the most shared first."""
    from zoo.cli.tables import print_sections
    from zoo.explain.sheet import Section, number, text_of

    shared = sorted((m for g in groups for m in g.members if m.twin_ids), key=lambda m: (-m.count, m.repo_id))
    rows = [
        (f"{m.count:,}", number(m.params_total), text_of(m.repo_id), text_of(list_names(m.twin_ids, 4)))
        for m in shared[:_FINGERPRINTS]
    ]
    if rows:
        columns = ("models", "parameters", "most downloaded", "of the same fingerprint")
        print_sections(out.out, [Section("Models that differ in their weights alone", rows, columns)])
    if len(shared) > _FINGERPRINTS:
        out.note(f"{len(shared) - _FINGERPRINTS:,} more fingerprints are of several models: --json has them")


def print_relatives(out: Context, chosen: Sequence[Subject], groups: Sequence[Group]) -> None:
    """For each model: its lineage and features, and who is near."""
    from rich.text import Text

    from zoo.cli.tables import print_sections
    from zoo.explain.families import find_relatives, write_relatives
    from zoo.explain.features import describe_design
    from zoo.explain.lineage import find_lineage
    from zoo.explain.sheet import Section, text_of

    found = [(s, find_relatives(s.design, s.fingerprint, s.repo_id, groups)) for s in chosen]
    if out.json:
        out.print_json([write_relatives(s.repo_id, s.design, relatives) for s, relatives in found])
        return
    for subject, relatives in found:
        out.out.print(Text(text_of(f"{subject.repo_id}: {find_lineage(subject.design).text}"), style="bold"))
        features = [(label, words) for _, label, words in describe_design(subject.design)]
        print_sections(out.out, [Section("Features", features), Section("Relatives", list_relatives(relatives))])
        out.out.print()


def list_relatives(found: Relatives) -> list[tuple[str, ...]]:
    """Who is near, as rows of how and who."""
    from zoo.explain.families import UNSAID
    from zoo.explain.sheet import DASH, number, text_of

    siblings = (f"{m.repo_id} ({number(m.params_total)})" for m in found.siblings)
    rows: list[tuple[str, ...]] = [
        ("Same fingerprint: other weights", text_of(list_names(found.twins)) or DASH),
        ("Same design: other sizes (parameters)", text_of(list_names(siblings)) or DASH),
    ]
    near = found.near or ([found.nearest] if found.nearest else [])
    for group, changes in near:
        said = "; ".join(change.words for change in changes) or UNSAID
        label = "One feature apart" if found.near else "Nearest"
        rows.append((text_of(f"{label}: {said}"), text_of(list_names(m.repo_id for m in group.members))))
    return rows


def list_names(names: Iterable[str], most: int = _SHOWN) -> str:
    """Some names in full, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def print_trees(out: Context, roots: Sequence[Group], wanted: set[int]) -> None:
    """The tree below each root; with ``wanted`` (ids of groups), only what leads to them and what hangs below."""
    from zoo.explain.families import write_tree

    kept = [branch for root in roots if (branch := prune(root, wanted)) is not None] if wanted else list(roots)
    if out.json:
        out.print_json([write_tree(root) for root in kept])
        return
    for root in kept:
        if not out.out.is_terminal:
            out.out.width = 1000
        out.out.print(draw_tree(root), soft_wrap=False)


def prune(group: Group, wanted: set[int]) -> Group | None:
    """``group`` with those of its branches that hold one of ``wanted``; whole where it is one itself."""
    from dataclasses import replace

    if id(group) in wanted:
        return group
    children = [kept for child in group.children if (kept := prune(child, wanted)) is not None]
    return replace(group, children=children) if children else None


def draw_tree(group: Group, above: Tree | None = None) -> Tree:
    """The tree of ``group``, or its branch below ``above``."""
    from rich.text import Text
    from rich.tree import Tree

    from zoo.explain.sheet import text_of

    line = Text.assemble((text_of(group.name), "bold"), f" ({count_models(group)}): ", text_of(group.words))
    tree = above.add(line) if above else Tree(line)
    for child in sorted(group.children, key=lambda child: -child.models):
        draw_tree(child, tree)
    return tree


def count_models(group: Group) -> str:
    return "1 model" if group.models == 1 else f"{group.models:,} models"
