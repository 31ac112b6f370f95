"""How ``zoo scaling`` shows its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.cli.context import Context
from zoo.cli.tables import make_table
from zoo.metrics.training_estimates import Estimate, list_json, summarize_estimates
from zoo.text import clean_text
from zoo.units import format_bytes, format_count

DASH = "–"
#: Rows of estimates in a table, unless --limit says otherwise.
TABLE_ROWS = 20


def print_scaling(out: Context, document: Mapping[str, Any]) -> None:
    """The figures as tables, or as JSON."""
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
        *list_memory(document.get("training_memory")),
        *list_lora(document.get("lora")),
    ]
    for title, columns, rows in sections:
        if rows:
            if title:
                out.out.print(f"\n{title}")
            width = None if out.out.is_terminal else 80
            out.out.print(make_table(columns, rows), soft_wrap=False, width=width)
    for note in list_notes(document):
        out.note(note)


def list_notes(document: Mapping[str, Any]) -> list[str]:
    """What must be known to read the figures."""
    said = [f"{law['law']}: {law['source']}" for law in document["laws"]]
    if document["active_params"] != document["params"]:
        said.append("the laws were fitted to dense models: what they say of a mixture of experts is out of their range")
    stated = document.get("tokens_stated")
    if stated:
        seen = "" if stated["checked"] else ", not compared with it"
        used = "the tokens are those that its authors state" if document["tokens_are_stated"] else "its authors state"
        said.append(f"{used}: {count(stated['tokens'])} ({stated['source']}{seen})")
    if document.get("training_memory"):
        said.append("activations depend on kernels and on what is computed again: only a bound from below is given")
    if any(one["fused_expert_params"] for one in document.get("lora") or ()):
        said.append("fused experts are no linear layers: peft 0.21 adapts those of some types, counted apart")
    return said


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
        "Tokens against the optimal": ("overtraining_factor", times),
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


def list_memory(memory: Mapping[str, Any] | None) -> list[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    """Training memory by recipe; by ZeRO stage where there are several devices."""
    if memory is None:
        return []
    several = memory["devices"] > 1
    columns = ["", "weights", "gradients", "states", "together"]
    rows = []
    for one in memory["recipes"]:
        sizes = [one[key] for key in ("weights_bytes", "gradients_bytes", "states_bytes", "total_bytes")]
        sizes = [one["total_bytes"], *one["zero_bytes_on_each"].values()] if several else sizes
        rows.append((one["recipe"], *map(format_bytes, sizes)))
    title = "Memory of training all parameters, without activations"
    if several:
        columns = ["", "together", "ZeRO-1 on each", "ZeRO-2", "ZeRO-3"]
        title += f", over {memory['devices']:,} devices"
    bound = memory["activations"]
    if bound is None:
        return [(title, columns, rows)]
    tokens = f"{bound['batch']:,} × {bound['sequence_tokens']:,} tokens"
    least = [(f"at least, every layer computed again, {tokens}", format_bytes(bound["at_least_bytes"]))]
    return [(title, columns, rows), ("Activations", (), least)]


def list_lora(adapters: Sequence[Mapping[str, Any]] | None) -> list[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    """Sizes of adapters."""
    if not adapters:
        return []
    columns = ("targets", "parameters", "fused experts", "file, 16 bits", "over bf16", "over NF4")
    rows = [
        (
            clean_text(",".join(one["targets"])),
            f"{one['params']:,}",
            f"{one['fused_expert_params']:,}" if one["fused_expert_params"] else DASH,
            format_bytes(one["float16_bytes"]),
            *map(format_bytes, one["training_bytes"].values()),
        )
        for one in adapters
    ]
    title = f"LoRA of rank {adapters[0]['rank']:,}, and memory of training it over a frozen base, without activations"
    return [(title, columns, rows)]


def print_estimates(out: Context, estimates: list[Estimate], limit: int | None) -> None:
    """The most wrong estimates, and how wrong they all are."""
    summary = summarize_estimates(estimates)
    shown = estimates[: limit or (len(estimates) if out.json else TABLE_ROWS)]
    if out.json:
        out.print_json({"summary": summary, "models": list_json(shown)})
        return
    columns = ("model", "exact", "estimated", "error", "with V = 50,000")
    rows = [
        (
            clean_text(one.repo_id),
            count(one.exact_params),
            count(one.estimated_params_own_vocab),
            f"{one.error_own_vocab:+.1%}",
            f"{one.error:+.1%}",
        )
        for one in shown
    ]
    out.out.print("The rule of thumb 12 H² L + V H against the exact count, the most wrong first", style="bold")
    width = None if out.out.is_terminal else 100
    out.out.print(make_table(columns, rows), soft_wrap=False, width=width)
    for key, words in (("error_own_vocab", "with its own vocabulary"), ("error", "with a vocabulary of 50,000")):
        one = summary[key]
        if one["median"] is not None:
            near, few = one["within"]["0.1"], one["too_few"]
            said = f"off by {one['median']:.1%} in the median, {near:,} within 10 %, {few:,} too few"
            out.note(f"{summary['models']:,} models, {words}: {said}")


def count(value: float | None) -> str:
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
