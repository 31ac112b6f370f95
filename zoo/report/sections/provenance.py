"""Where the numbers are from, whether they agree with the Hub, how they are counted, and what the words mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zoo.metrics.glossary import METRICS, Metric
from zoo.report import facts
from zoo.report.blocks import Block, Blocks, Heading, Item, Items, Prose, Terms
from zoo.report.format import cut_middle, format_count, join_words
from zoo.report.models import ReportModel
from zoo.report.scope import Scope
from zoo.report.sections.answer import cut_list
from zoo.report.tables import MOST_TEXT, Head, Line, Table, head_source, tabulate, text_cell

#: Of the models that share a fingerprint, so many are named.
MOST_TWINS = 12

CHECKED = (
    "The Hub counts the elements of the stored weights. “exact”: the same as derived; “explained”: every difference is "
    "named; “mismatch”: one is not; “unchecked”: nothing is reported."
)
METHOD = (
    Item("Method “ledger”", "exact, tensor by tensor. “estimate”: a stated approximation. “unsupported”: no number, "
         "and the reason."),
    Item("Parameters", "tied tensors once; next-token-prediction (MTP) layers and stored buffers apart, not in the "
         "total."),
    Item("Active parameters", "the chosen experts, shared experts and everything else, the embedding table included."),
    Item("Weights and biases", "what is multiplied and what is added; together they are the total."),
    Item("KV cache", "one sequence, at the model’s own data type: elements times bytes. Latent attention (MLA) counts "
         "the compressed latent that serving engines keep; “written out” is the decompressed form."),
    Item("At T tokens", "every layer keeps T tokens, a windowed one at most its window; constant state is added."),
    Item("FLOPs", "2 for each active weight that is multiplied; lookups and additions are free. Attention adds the "
         "positions each query sees."),
    Item("Scaling", "L(N, D) = E + A/N^α + B/D^β with the constants of Hoffmann et al. 2022 (arXiv:2203.15556), "
         "D = 20 N."),
    Item("Units", "kB, MB, GB = 10³, 10⁶, 10⁹ bytes; KiB, MiB, GiB = 2¹⁰, 2²⁰, 2³⁰ bytes; 32k tokens = 32,768."),
)  # fmt: skip


def build_provenance(scope: Scope) -> Blocks:
    """Config, commit and check of each model; of many, how many there are of each, and those that stand out."""
    blocks = [*(summarize_sources(scope) if scope.is_ranked else list_sources(scope))]
    twins = [Item(m.label, list_twins(m)) for m in scope.models if m.source.twin_ids]
    if twins:
        blocks += [
            Heading("twins", "Same architecture, same sizes"),
            Prose(
                "These have the same tensors and the same cache, element for element; bytes differ where one is stored "
                "in another data type or quantised."
            ),
            Items("", cut_list(twins) if scope.is_ranked else tuple(twins)),
        ]
    warnings = [Item(m.label, warning) for m in scope.models for warning in list_warnings(m)]
    if warnings:
        shown = cut_list(warnings) if scope.is_ranked else tuple(warnings)
        blocks += [Heading("warnings", "Warnings"), Items("", shown)]
    else:
        blocks.append(Prose("There are no warnings.", note=True))
    return tuple(blocks)


def list_sources(scope: Scope) -> list[Block]:
    return [
        Prose("Each figure is derived from the config of one commit; here is which, from where and when."),
        tabulate("sources", "Where the configs are from", facts.PROVENANCE, scope.models, head_source),
        Prose(CHECKED),
        *scope.lay_out("checks", "Derived against reported", facts.CHECKS, scope.models),
        *scope.lay_out("hub", "What the Hub says", facts.HUB, scope.models),
    ]


def summarize_sources(scope: Scope) -> list[Block]:
    """How many models there are of each source and each check; mismatches by name."""
    checks = Counter(str(m.source.reported.get("check") or "unchecked") for m in scope.models)
    sources = Counter(str(m.source.config_source or m.source.source) for m in scope.models)
    told = join_words([f"{count:,} from {cut_middle(name, 40)}" for name, count in sources.most_common(6)])
    lines = tuple(
        Line(Head(cut_middle(name, 40)), (text_cell(format_count(count)),)) for name, count in checks.most_common(6)
    )
    blocks: list[Block] = [
        Prose(f"Each figure is derived from the config of one commit: {told}. {CHECKED}"),
        Table("check-counts", "Derived against reported", "Check", (Head("Models"),), lines, by_model=False),
    ]
    odd = [m for m in scope.models if m.source.reported.get("check") == "mismatch"]
    if odd:
        items = [Item(m.label, cut_middle(str(m.source.reported.get("explanation") or "?"), MOST_TEXT)) for m in odd]
        blocks.append(Items("Mismatches", cut_list(items), callout=True))
    return blocks


def list_warnings(model: ReportModel) -> tuple[str, ...]:
    """What the analysis warns of, and what stands in the way of a newer config."""
    found = list(model.facts["warnings"])
    if model.source.problem and model.reason is None:
        found.append(f"a newer config could not be read: {model.source.problem[1]}")
    if model.source.gone_at:
        found.append(f"no longer on the Hub since {model.source.gone_at[:10]}")
    return tuple(cut_middle(warning, MOST_TEXT) for warning in found)


def list_twins(model: ReportModel) -> str:
    """The models of the same fingerprint that were matched and are not shown by themselves."""
    ids = [cut_middle(repo_id, MOST_TEXT) for repo_id in model.source.twin_ids]
    return ", ".join(ids[:MOST_TWINS]) + (f" and {len(ids) - MOST_TWINS:,} more" if len(ids) > MOST_TWINS else "")


def build_method(scope: Scope) -> Blocks:  # every section is built from the scope
    return (
        Prose(
            "zoo reads config.json and writes a ledger: every tensor that the transformers class of that model has, "
            "with its name and shape, and every state that inference keeps. Every figure here is a sum over that "
            "ledger; no weights are loaded, and no code of a model is run."
        ),
        Terms(METHOD),
    )


def build_glossary(scope: Scope) -> Blocks:  # the same
    columns = (Head("Unit"), Head("Meaning"), Head("From"))
    lines = tuple(
        Line(Head(m.label), (text_cell(m.unit), text_cell(m.meaning.replace("`", "")), text_cell(name_origin(m))))
        for m in list_glossary()
    )
    return (Table("glossary-table", "What each figure is, and who says it", "Term", columns, lines, by_model=False),)


def name_origin(metric: Metric) -> str:
    return {"derived": "derived", "config": "config", "hub": "Hub", "zoo": "zoo"}[metric.origin]


def list_glossary() -> Sequence[Metric]:
    """The rows of the glossary that a report shows."""
    groups = (facts.KEY_PARAMETERS, facts.PARAMETERS, facts.ATTENTION, facts.CACHE, facts.EXPERTS, facts.WEIGHTS,
              facts.SCALING, facts.PROVENANCE, facts.CHECKS, facts.compute_facts(1))  # fmt: skip
    keys = {fact.key for group in groups for fact in group if fact.key}
    return tuple(metric for metric in METRICS if metric.key in keys)
