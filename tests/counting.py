"""``docs/counting.md``: three well-known models counted step by step, as ``zoo explain --md`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.arch.remote_models import GROK_1
from zoo.arch import build_ledger
from zoo.explain.arithmetic import count_by_steps
from zoo.explain.layers import describe_model
from zoo.explain.lineage import describe_lineage
from zoo.explain.write import write_sums_markdown
from zoo.metrics.analysis import analyze
from zoo.metrics.reconcile import check
from zoo.sources.snapshot import read_snapshot

INTRODUCTION = """# Counting parameters

A model is a list of named tensors, and its parameters are the numbers in them: **weights**, which multiply what comes
in, and **biases**, which are added to it. How many there are follows from the shapes alone, and the shapes follow from
`config.json`. Nothing else enters: not how long the context is, not how many tokens go through at once, not the data
type.

In a dense model every token passes through all of them. In a **mixture of experts** each layer has many feed-forward
blocks, and a router sends each token through a few: the **total** must be stored, the **active** part is computed with.

Below are three models, counted by `zoo explain MODEL --md`, which does the same for any other. What it says:

- each group of tensors as a product of the model's sizes, in letters and in numbers, with the sum so far;
- what the total is made of, weights against biases, total against active;
- the check against the number of stored elements that the Hub reports, where it reports one.

"""


class Example(NamedTuple):
    """A model, and what is worth seeing in it."""

    repo_id: str
    note: str


EXAMPLES = (
    Example(
        "huggyllama/llama-7b",
        "LLaMA-7B, the plainest of the three. Attention and feed-forward weights alone are 6,476,005,376: the figure "
        "that one finds where embeddings, head and norms are left aside.",
    ),
    Example(
        "deepseek-ai/DeepSeek-V3",
        "671 billion parameters, of which a token passes through 37.6 billion. Attention goes through low-rank "
        "latents; the first three layers are dense. The Hub reports more elements than there are parameters, and "
        "every difference has a name.",
    ),
    Example(
        "hpcai-tech/grok-1",
        "Grok-1, published as 314 billion: its matrices without the embedding table are 314.9 billion. A token passes "
        "through 2 of 8 experts in every layer.",
    ),
)


def write_counting(mark: str) -> str:
    """The page, after ``mark``."""
    known = {record.repo_id: record for record in read_snapshot()}
    lines = [mark, INTRODUCTION]
    for example in EXAMPLES:
        record = known.get(example.repo_id)
        config = record.config if record and record.config else GROK_1
        total = record.facts.reported_params if record and record.facts else None
        lines += [f"## {example.repo_id}", "", example.note, "", *count_example(example.repo_id, config, total), ""]
    return "\n".join(lines)


def count_example(repo_id: str, config: Mapping[str, Any], total: int | None) -> list[str]:
    """The count of one model, its headings one level lower."""
    ledger = build_ledger(config)
    result, explanation = check(analyze(config).as_dict(), total, {})
    reported = {"reported": {"total": total}, "check": {"result": result, "explanation": explanation}}
    sums = count_by_steps(ledger, repo_id)
    told = [f"{describe_lineage(ledger).text}: {describe_model(ledger)}.", ""]
    return [*told, *(line.replace("### ", "#### ") for line in write_sums_markdown(sums, reported))]
