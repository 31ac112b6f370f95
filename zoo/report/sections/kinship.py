"""Who is related to whom: lineage in words, and the config keys in which relatives differ."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.explain.differences import KeyChange, compare_keys
from zoo.explain.lineage import Lineage, describe_lineage
from zoo.explain.words import describe_changes
from zoo.report.blocks import Block, Blocks, Heading, Item, Items, Prose
from zoo.report.format import cut_middle
from zoo.report.models import ReportModel
from zoo.report.scope import Scope
from zoo.report.summary import list_differences
from zoo.report.tables import SIDE_BY_SIDE, Head, Line, Table, head_model, text_cell

#: Keys of one pair that are shown; the rest are counted.
MOST_KEYS = 30
MOST_VALUE = 60
MOST_WORDS = 8
MOST_LINEAGE = 600
#: Keys that say who wrote a config, and nothing of the model.
IDLE_KEYS = frozenset({"transformers_version", "_name_or_path", "auto_map"})


def find_relative(model: ReportModel, models: Sequence[ReportModel]) -> ReportModel | None:
    """The model that differs from ``model`` in the fewest facts: its own family first, of equals the older."""
    others = [m for m in models if m is not model and m.ledger is not None]
    return min(others, key=lambda m: rank_relative(model, m), default=None)


def rank_relative(model: ReportModel, other: ReportModel) -> tuple[object, ...]:
    alien = (model.get("model_type") != other.get("model_type")) + (model.get("family") != other.get("family"))
    created = str(other.row.get("created_at") or "9999")
    return alien, len(list_differences(model, other)), created, other.repo_id


def pair_models(scope: Scope) -> list[tuple[ReportModel, ReportModel]]:
    """Each model and what it is compared to: the base where there is one, else its nearest relative here."""
    known = scope.known
    if scope.base is not None:
        return [(m, scope.base) for m in known if m is not scope.base]
    pairs: list[tuple[ReportModel, ReportModel]] = []
    for model in known:
        other = find_relative(model, known)
        if other is not None and (other, model) not in pairs:
            pairs.append((model, other))
    return pairs


def build_lineage(scope: Scope) -> Blocks:
    """In words, what each model does otherwise than its nearest relative."""
    known = [m for m in scope.known if m.ledger is not None]
    if not known:
        return ()
    blocks: list[Block] = [
        Prose(
            "Which well-known design each model is nearest to, and what it adds to it, leaves out or does otherwise: "
            "read from what its ledger is made of."
        ),
        tabulate_lineage(known),
    ]
    items = [
        Item(f"{model.label}, beside {other.label}", say_changes(model, other)) for model, other in pair_models(scope)
    ]
    if items:
        what = "the base" if scope.base else "its nearest relative in this report"
        blocks += [Heading("kin", f"Beside {what}"), Items("", tuple(items))]
    return tuple(blocks)


def tabulate_lineage(models: Sequence[ReportModel]) -> Table:
    """Each model as a landmark with changes: "Llama decoder + QK-norm"."""
    lines = []
    for model in models:
        lineage = find_lineage(model)
        source = lineage.landmark.source if lineage and lineage.landmark else None
        text = lineage.text if lineage else None
        lines.append(Line(head_model(model), (text_cell(text, most=MOST_LINEAGE), text_cell(source))))
    columns = (Head("Made like"), Head("That design is of"))
    return Table("lineage-table", "The nearest well-known design", "Model", columns, tuple(lines))


def find_lineage(model: ReportModel) -> Lineage | None:
    return describe_lineage(model.ledger) if model.ledger is not None else None


def say_changes(model: ReportModel, other: ReportModel) -> str:
    """The changes from ``other`` to ``model``, as one sentence."""
    if other.analysis is None or model.analysis is None:
        raise ValueError("models are told apart by their ledgers")
    said = [cut_middle(words, 200) for words in describe_changes(other.analysis, model.analysis)]
    if not said:
        return "the same in everything that zoo counts."
    more = f"; and {len(said) - MOST_WORDS} more" if len(said) > MOST_WORDS else ""
    return "; ".join(said[:MOST_WORDS]) + more + "."


def build_differences(scope: Scope) -> Blocks:
    """The keys that differ: of a few models in one table, of more for each pair of relatives."""
    known = scope.known
    if len(known) < 2:
        return ()
    blocks: list[Block] = []
    if len(known) <= SIDE_BY_SIDE:
        table = tabulate_keys(known)
        if table is None:
            return (Prose("The configs have the same keys and values."),)
        return (Prose("Every config key in which these models differ; – is a key that is not there."), table)
    what = "the base" if scope.base else "the nearest relative in this report"
    blocks.append(Prose(f"For each model, the config keys that zoo counts from and in which it differs from {what}."))
    blocks += [table for pair in pair_models(scope) if (table := tabulate_pair(*pair))]
    return tuple(blocks) if len(blocks) > 1 else ()


def tabulate_keys(models: Sequence[ReportModel]) -> Table | None:
    """Config keys as rows, models as columns; those in which not all agree."""
    first = models[0].source.config
    changed: dict[str, list[str]] = {}
    for index, model in enumerate(models[1:], 1):
        for change in compare_keys(first, model.source.config):
            if change.path.partition(".")[0] not in IDLE_KEYS:
                one, two = change.texts
                changed.setdefault(change.path, [one] * len(models))[index] = two
    if not changed:
        return None
    paths = sorted(changed)
    lines = [
        Line(Head(cut_middle(path, MOST_VALUE)), tuple(text_cell(cut_middle(v, MOST_VALUE)) for v in changed[path]))
        for path in paths[: 2 * MOST_KEYS]
    ]
    caption = "Config keys that differ" + say_more(len(paths) - 2 * MOST_KEYS)
    columns = tuple(head_model(model) for model in models)
    return Table("config-keys", caption, "Key", columns, tuple(lines), by_model=False)


def tabulate_pair(model: ReportModel, other: ReportModel) -> Table | None:
    """The keys that both are counted from and in which they differ."""
    changes = [c for c in compare_keys(other.source.config, model.source.config) if is_counted(c)]
    if not changes:
        return None
    lines = []
    for change in changes[:MOST_KEYS]:
        one, two = change.texts
        cells = tuple(text_cell(cut_middle(value, MOST_VALUE)) for value in (two, one))
        lines.append(Line(Head(cut_middle(change.path, MOST_VALUE)), cells))
    caption = f"{model.label} beside {other.label}" + say_more(len(changes) - MOST_KEYS)
    columns = (head_model(model), head_model(other))
    return Table(f"keys-{model.index}", caption, "Key", columns, tuple(lines), by_model=False)


def is_counted(change: KeyChange) -> bool:
    """Whether zoo reads the key for a number."""
    return change.use not in (None, "nothing") and change.path.partition(".")[0] not in IDLE_KEYS


def say_more(count: int) -> str:
    return f" ({count} more are not shown)" if count > 0 else ""
