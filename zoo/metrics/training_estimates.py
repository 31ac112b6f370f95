"""How wrong the rule of thumb for parameters is, over many models: errors, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from zoo.metrics.scaling import estimate_parameters

#: Errors up to which an estimate is counted as near, as shares of the exact count.
NEAR = (0.05, 0.1, 0.25)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The rule beside the exact count; errors are shares of it, negative where the rule finds too few."""

    repo_id: str
    exact_params: int
    estimated_params: int
    error: float
    estimated_params_own_vocab: int
    error_own_vocab: float


def compare_row(row: Mapping[str, Any]) -> Estimate | None:
    """The comparison for one row of the view ``models``; None where the rule lacks a size, or there is no count."""
    sizes = (row["layers"], row["hidden_size"], row["vocab_size"], row["params_total"])
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    layers, width, vocab, exact = sizes
    usual, own = estimate_parameters(layers, width), estimate_parameters(layers, width, vocab)
    return Estimate(row["repo_id"], exact, usual, usual / exact - 1, own, own / exact - 1)


def compare_rows(rows: Iterable[Mapping[str, Any]]) -> list[Estimate]:
    """:func:`compare_row` for all that have it, the most wrong (with their own vocabulary) first."""
    found = [one for row in rows if (one := compare_row(row))]
    return sorted(found, key=lambda one: (-abs(one.error_own_vocab), one.repo_id))


def summarize_estimates(estimates: list[Estimate]) -> dict[str, Any]:
    """How many models, the median error, and what share is near; with the usual and with the own vocabulary."""
    summary: dict[str, Any] = {"models": len(estimates)}
    for key in ("error", "error_own_vocab"):
        errors = sorted(abs(getattr(one, key)) for one in estimates)
        summary[key] = {
            "median": median(errors) if errors else None,
            "largest": errors[-1] if errors else None,
            "within": {f"{near:g}": sum(error <= near for error in errors) for near in NEAR},
            "too_few": sum(getattr(one, key) < 0 for one in estimates),
        }
    return summary


def list_json(estimates: Iterable[Estimate]) -> list[dict[str, Any]]:
    return [asdict(one) for one in estimates]
