"""What there is to say of a parameter count, in sentences and short rows; the same for terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from zoo.explain.arithmetic import Arithmetic, Step
from zoo.explain.sheet import PART_LABELS, text_of
from zoo.units import format_bytes, format_count

Rows = list[tuple[str, ...]]
#: What the dense equivalent is worth, and who says so.
DENSE_RULE = (
    "Dense equivalent: a rule of thumb for how large a dense model of like quality would be, and no law. The geometric "
    "mean of total and active parameters is what people use, and trace to Wu and Tang 2024 (arXiv:2408.09895); what "
    "experts are worth in fact depends on how sparse they are and on the training budget (Abnar et al. 2025, "
    "arXiv:2501.12370)."
)


#: Runs of layers that are spelled out.
_RUNS = 4


def label_part(part: str) -> str:
    """A part, or "attention: biases and vectors", as people call it."""
    name, colon, rest = part.partition(":")
    return PART_LABELS.get(name, name) + colon + rest


def name_step(step: Step) -> str:
    """The tensors of ``step`` by their short names: "q_proj, o_proj"."""
    return ", ".join(dict.fromkeys(shorten_name(name) for name in step.names))


def shorten_name(name: str) -> str:
    """``q_proj`` from ``model.layers.{}.self_attn.q_proj.weight``; a bias keeps the word, a number what is numbered."""
    words = name.removesuffix(".weight").split(".")
    keep = 1
    while keep < len(words) and (words[-keep] in ("bias", "{}", "weight") or words[-keep].isdigit()):
        keep += 1
    return text_of(".".join(words[-keep:]))


def title_step(step: Step) -> str:
    """Part, place, layers and tensors of ``step`` in one line."""
    where = f", {name_layers(step.layers)}" if step.layers else ""
    tied = f" (tied to {text_of(step.tied_to)}: stored there, so it adds nothing)" if step.tied_to else ""
    return f"{name_place(step)}{where}: {name_step(step)}{tied}"


def name_place(step: Step) -> str:
    """The part, and in a model of several stacks where it stands: "Attention, encoder", "Cross-attention"."""
    part = PART_LABELS.get(step.part, step.part)
    if step.place == "cross-attention" and step.part == "attention":
        return "Cross-attention"
    return f"{part}, {step.place}" if step.place else part


def name_layers(layers: str) -> str:
    """ "layers 0–31"; of many runs, how many layers and the first of them: "24 layers (0, 2, 4, 6, …)"."""
    runs = layers.split(",")
    if layers.isdigit():
        return f"layer {layers}"
    if len(runs) <= _RUNS:
        return f"layers {', '.join(runs).replace('-', '–')}"
    ends = [[int(end) for end in run.split("-")] for run in runs]
    count = sum(end[-1] - end[0] + 1 for end in ends)
    return f"{count:,} layers ({', '.join(runs[:_RUNS]).replace('-', '–')}, …)"


def list_totals(sums: Arithmetic) -> Rows:
    """What the total is made of: the weights of attention and feed-forward, and all the rest by name."""
    rest = sum(sums.rest.values())
    rows: Rows = [("Attention and feed-forward weights", f"{sums.core:,}")]
    rows += [(label_part(part), f"{size:,}") for part, size in sums.rest.items()]
    if len(sums.rest) > 1:
        rows.append(("All but attention and feed-forward weights", f"{rest:,}"))
    return [*rows, ("Total", f"{sums.total:,}")]


def list_splits(sums: Arithmetic) -> Rows:
    """Weights against biases, total against active."""
    params = sums.params
    rows: Rows = [
        ("Weights (they multiply)", f"{params.weights:,}"),
        ("Biases (they are added)", f"{params.biases:,}"),
        ("Active per token", f"{params.active:,}" + describe_active(sums)),
        ("Active without input embedding", f"{params.active_non_embedding:,}"),
    ]
    dense = find_dense_equivalent(sums)
    return (
        rows
        if dense is None
        else [*rows, ("Dense equivalent, √(total × active)", f"{dense:,} ({format_count(dense)})")]
    )


def find_dense_equivalent(sums: Arithmetic) -> int | None:
    """The geometric mean of total and active parameters, as :data:`DENSE_RULE` has it; None where all are active."""
    params = sums.params
    return None if params.active == params.total else isqrt(params.total * params.active)


def describe_active(sums: Arithmetic) -> str:
    """Why fewer are active than there are; empty where all are."""
    if sums.params.active == sums.total:
        return ": all of them"
    return f" ({sums.params.active / sums.total:.1%}): of the routed experts, a token passes through k of E"


def list_sizes(sums: Arithmetic) -> Rows:
    """Bytes of all parameters by data type, in GB (10^9) and GiB (2^30)."""
    width = {"float32": 4, "float16": 2, "int8": 1, "int4": 0.5}
    return [
        (
            f"{dtype}, {width[dtype]:g} byte{'' if width[dtype] == 1 else 's'} each",
            f"{size:,} bytes = {size / 1e9:,.2f} GB = {format_bytes(size)}",
        )
        for dtype, size in sums.sizes.items()
    ]


def list_not_counted(sums: Arithmetic) -> list[str]:
    """What takes no parameters, or is left out, and why."""
    positions = sum(step.elements for step in sums.steps if step.part == "position")
    if positions and sums.position == "relative":
        context = (
            f"Context length: distances between tokens fall into a fixed number of buckets ({positions:,} parameters "
            "in all), and every matrix is applied to each token alone, whatever their number."
        )
    elif positions:
        context = (
            f"Context length: counts only through the learned positions ({positions:,} parameters); "
            "every other matrix is applied to each token alone, whatever their number."
        )
    else:
        context = (
            "Context length: every matrix is applied to each token alone, so its size does not depend on how many "
            "there are; positions are worked out, not stored. A longer context costs KV cache and compute instead."
        )
    said = [
        context,
        "Activations, attention scores and the KV cache: they are computed for the tokens at hand and thrown away "
        "after; they take memory while running, but are not learned and not stored.",
        "Batch size, precision and optimizer state: they change bytes and time, not the number of parameters.",
    ]
    if any(step.tied_to for step in sums.steps):
        said.append("The tied tensors: one matrix with two uses, counted once.")
    if sums.params.mtp:
        said.append(
            f"Next-token-prediction (MTP) layers, {sums.params.mtp:,}: stored beside the model, not part of it."
        )
    if sums.params.buffers:
        said.append(f"Buffers, {sums.params.buffers:,}: stored numbers that are not trained by gradient.")
    return said


def describe_verdict(sums: Arithmetic, reported: Mapping[str, Any]) -> str:
    """The total against the one that the Hub reports."""
    check, total = reported["check"], reported["reported"]["total"]
    if total is None:
        why = check["explanation"] or "the Hub reports no total"
        return f"Check: {sums.total:,} parameters derived; {text_of(why)}."
    if total == sums.total:
        return f"Check: the Hub reports {total:,} stored elements: exactly the derived total."
    why = f": {text_of(check['explanation'])}" if check["explanation"] else ""
    return (
        f"Check: the Hub reports {total:,} stored elements, {total - sums.total:+,} against the derived total "
        f"({text_of(check['result'])}{why})."
    )


def write_arithmetic(sums: Arithmetic) -> dict[str, Any]:
    """The whole count as a JSON object."""
    return {
        "legend": [{"symbol": letter, "value": value, "meaning": said} for letter, value, said in sums.legend],
        "steps": [write_step(step) for step in sums.steps],
        "not_in_total": [write_step(step) for step in sums.extras],
        "attention_and_feed_forward_weights": sums.core,
        "rest": dict(sums.rest),
        "total": sums.total,
        "weights": sums.params.weights,
        "biases": sums.params.biases,
        "active": sums.params.active,
        "dense_equivalent": find_dense_equivalent(sums),
        "bytes_at": dict(sums.sizes),
        "not_counted": list_not_counted(sums),
    }


def write_step(step: Step) -> dict[str, Any]:
    return {
        "part": step.part,
        "place": step.place or None,
        "tensors": list(step.names),
        "layers": step.layers,
        "symbols": step.product.text,
        "numbers": step.product.numbers,
        "elements": step.elements,
        "running_total": step.running,
        "active": step.active,
        "active_symbols": step.active_product,
        "tied_to": step.tied_to,
    }
