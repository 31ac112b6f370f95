"""What training takes: the figures of ``zoo scaling``, from a size, a number of tokens, a budget or a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.scaling import (
    TOKENS_PER_PARAMETER,
    ScalingLaw,
    estimate_parameters,
    split_by_rule,
    split_tokens,
    training_flops,
)
from zoo.metrics.sums import sum_flops
from zoo.metrics.training_lora import describe_lora, list_presets
from zoo.metrics.training_memory import bound_activations, describe_memory
from zoo.metrics.weights import choose_weights

#: Length of a training sequence for which the ledger's FLOPs are given, in tokens (or the model's context if shorter).
SEQUENCE_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Run:
    """A training run: ``params`` for the loss, ``active`` of them for the FLOPs, ``tokens``; None what is not known."""

    params: float | None = None
    active: float | None = None
    tokens: float | None = None
    flops: float | None = None


def plan_run(*, params: float | None, active: float | None, tokens: float | None, flops: float | None) -> Run:
    """The run that the given figures fix; of size, tokens and budget the third follows from two (C = 6 N D).

    Raises:
        UsageError: nothing is given, or all three are.
    """
    used = active or params
    if used and tokens and flops:
        raise UsageError("of size, tokens and FLOPs two give the third: leave one away")
    if used and flops:
        return Run(params, used, flops / 6 / used, flops)
    if tokens and flops:
        size = flops / 6 / tokens
        return Run(size, size, tokens, flops)
    if not (used or tokens or flops):
        raise UsageError("name a MODEL, or give --params, --tokens or --flops")
    return Run(params, used, tokens, training_flops(used, tokens) if used and tokens else flops)


def describe_run(run: Run, laws: Sequence[ScalingLaw], mix: Mapping[str, float]) -> dict[str, Any]:
    """All figures of ``run`` as JSON has them, null where they do not follow from what is given."""
    size, tokens = run.params, run.tokens
    rule_params, rule_tokens = apply_rule(run)
    meant = tokens if tokens is not None else rule_tokens
    return {
        "params": whole(size),
        "active_params": whole(run.active),
        "tokens": whole(tokens),
        "training_flops": run.flops,
        "tokens_per_param": tokens / size if size and tokens else None,
        "overtraining_factor": tokens / (TOKENS_PER_PARAMETER * size) if size and tokens else None,
        "float32_gb": 4 * size / 1e9 if size else None,
        "float16_gb": 2 * size / 1e9 if size else None,
        "rule": {
            "tokens_per_param": TOKENS_PER_PARAMETER,
            "optimal_params": whole(rule_params),
            "optimal_tokens": whole(rule_tokens),
            "training_flops": training_flops(run.active or rule_params, rule_tokens),
        },
        "laws": [describe_law(law, run, rule_params, rule_tokens) for law in laws],
        "mix": {
            "tokens": whole(meant),
            "by_source": [
                {"source": source, "share": mix[source] / sum(mix.values()), "tokens": count}
                for source, count in split_tokens(meant, mix).items()
            ],
        },
    }


def apply_rule(run: Run) -> tuple[float, float]:
    """Parameters and tokens of the compute-optimal run by the rule of 20: for the size, else the tokens, else FLOPs."""
    if run.params is not None:
        return run.params, TOKENS_PER_PARAMETER * run.params
    if run.tokens is not None:
        return run.tokens / TOKENS_PER_PARAMETER, run.tokens
    return split_by_rule(run.flops or 0)


def describe_law(law: ScalingLaw, run: Run, rule_params: float, rule_tokens: float) -> dict[str, Any]:
    """What ``law`` says: the loss of the run and of the rule's optimum, its own optimum, its split of the compute."""
    if run.params is not None:
        params, tokens = run.params, law.optimal_tokens(run.params)
    elif run.tokens is not None:
        params, tokens = law.optimal_params(run.tokens), run.tokens
    else:
        params, tokens = law.split_compute(run.flops or 0)
    split = law.split_compute(run.flops) if run.flops and run.params is not None else None
    return {
        "law": law.name,
        "source": law.source,
        "loss_nats_per_token": law.loss(run.params, run.tokens) if run.params and run.tokens else None,
        "loss_by_rule_nats_per_token": law.loss(rule_params, rule_tokens),
        "optimal_params": whole(params),
        "optimal_tokens": whole(tokens),
        "overtraining_factor": run.tokens / tokens if run.params is not None and run.tokens else None,
        "optimal_loss_nats_per_token": law.loss(params, tokens),
        "split_params": whole(split[0]) if split else None,
        "split_tokens": whole(split[1]) if split else None,
        "split_loss_nats_per_token": law.loss(*split) if split else None,
    }


def describe_model(analysis: Analysis, tokens: float) -> dict[str, Any]:
    """What the ledger adds: training FLOPs counted exactly, and how far the rule of thumb is from the exact count.

    Exact FLOPs are three times the forward pass (the backward pass costs two): the matrices alone, and with attention
    in sequences of :data:`SEQUENCE_TOKENS`.
    """
    params, flops, ledger = analysis.params, analysis.flops, analysis.ledger
    if params is None or flops is None or ledger is None:
        raise UsageError(f"the sizes of this model are not known: {analysis.reason}")
    length = min(SEQUENCE_TOKENS, analysis.shape.get("max_context") or SEQUENCE_TOKENS)
    forward = sum_flops(ledger, [length]).prefill_at[str(length)]
    return {
        "training_flops_matrices": 3 * flops.forward_per_token * tokens,
        "training_flops_with_attention": 3 * forward * tokens / length,
        "sequence_tokens": length,
        "rule_of_thumb": compare_estimate(analysis),
    }


def describe_training(
    analysis: Analysis | None, params: float | None, *, devices: int, sequence: int, batch: int
) -> dict[str, Any] | None:
    """Memory of training all parameters, on one device and dealt out over ``devices``; None where no size is known."""
    if not params:
        return None
    return {
        "devices": devices,
        "recipes": describe_memory(round(params), analysis.ledger if analysis else None, devices),
        "activations": bound_activations(analysis, sequence, batch) if analysis else None,
    }


def describe_adapters(analysis: Analysis, rank: int, targets: Sequence[str] | None) -> list[dict[str, Any]]:
    """Sizes of low-rank adapters for ``targets``, or for the usual ones; over a base in 16 bits and in NF4.

    Raises:
        UsageError: a rank out of range, or a target that the model has not; nothing is derived for it.
    """
    ledger, params = analysis.ledger, analysis.params
    if ledger is None or params is None:
        raise UsageError(f"the sizes of this model are not known: {analysis.reason}")
    nf4 = choose_weights(analysis, "bnb-nf4")
    bases = {"bfloat16": 2 * params.total, nf4.name: sum(nf4.size(row) for row in ledger.parameters)}
    chosen = [tuple(targets)] if targets is not None else list_presets(ledger)
    return [describe_lora(ledger, rank, names, bases) for names in chosen]


def compare_estimate(analysis: Analysis) -> dict[str, Any] | None:
    """The rule of thumb beside the exact count, with its usual 50,000 words and with the model's own vocabulary."""
    shape, params = analysis.shape, analysis.params
    layers, width, vocab = (shape.get(key) for key in ("layers", "hidden_size", "vocab_size"))
    if not (layers and width and vocab) or params is None:
        return None
    usual, own = estimate_parameters(layers, width), estimate_parameters(layers, width, vocab)
    return {
        "exact_params": params.total,
        "estimated_params": usual,
        "error": usual / params.total - 1,
        "estimated_params_own_vocab": own,
        "error_own_vocab": own / params.total - 1,
    }


def whole(value: float | None) -> int | None:
    """To the nearest whole number, for counts of things."""
    return None if value is None else round(value)
