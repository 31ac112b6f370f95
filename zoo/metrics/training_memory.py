"""Memory of training all parameters: weights, gradients, the optimizer's states, and how ZeRO deals them out.

Bytes for each parameter, by recipe; Adam in mixed precision takes 2 + 2 + 12 (ZeRO, arXiv:1910.02054, section 3.1).
Over several devices ZeRO splits the states (stage 1), the gradients too (stage 2) and the weights too (stage 3).

**Activations** depend on kernels, on what is computed again and on how attention is done, so no total is given. What
is given is a bound from below: with every layer computed again, one 16-bit hidden state is kept for each layer and
token (2 s b h a layer: arXiv:2205.05198, section 5), and the logits exist once, in 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.metrics.analysis import Analysis

#: Values that share a scale in the 8-bit optimizers of bitsandbytes (arXiv:2110.02861, section 2), each of 4 bytes.
_BLOCK = 2048
#: Data types whose weights are trained with a copy in 32 bits.
_STAGES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Bytes for each parameter; ``states`` includes the 32-bit copy of the weights where there is one.

    ``factored`` counts, from the shapes, states that are not one for each parameter.
    """

    name: str
    weights: int
    gradients: int
    states: Fraction
    meaning: str
    factored: Callable[[Ledger], int] | None = None


def count_factors(ledger: Ledger) -> int:
    """Elements of Adafactor's second moments: a row and a column for each matrix, one for each element of a vector.

    Of a tensor of more than two dimensions the last two are factored (arXiv:1804.04235, section 3).
    """
    return sum(count_factor(row) for row in ledger.parameters if not row.tied_to)


def count_factor(row: Tensor) -> int:
    if len(row.shape) < 2:
        return prod(row.shape) * row.repeats
    *outer, rows, columns = row.shape
    return prod(outer) * (rows + columns) * row.repeats


RECIPES = (
    Recipe("adamw-fp32", 4, 4, Fraction(8), "all in 32 bits: weights, gradients, two moments"),
    Recipe("adamw-mixed", 2, 2, Fraction(12), "16-bit weights and gradients; a 32-bit copy and two 32-bit moments"),
    Recipe("adamw-mixed-fp32-gradients", 2, 4, Fraction(12), "the same with gradients summed in 32 bits"),
    Recipe("adamw-bf16", 2, 2, Fraction(4), "all in bfloat16, without a 32-bit copy"),
    Recipe(
        "adamw-8bit",
        2,
        2,
        Fraction(4 + 2) + Fraction(2 * 4, _BLOCK),
        "mixed precision with moments in 8 bits, a scale for each 2,048",
    ),
    Recipe("sgd-momentum", 2, 2, Fraction(8), "mixed precision with one 32-bit momentum"),
    Recipe(
        "adafactor",
        2,
        2,
        Fraction(4),
        "mixed precision; second moments factored into rows and columns, no first",
        count_factors,
    ),
)


def describe_memory(params: int, ledger: Ledger | None, devices: int) -> list[dict[str, Any]]:
    """Bytes of each recipe for ``params`` parameters, on one device, and on each of ``devices`` by ZeRO stage.

    Recipes that need the shapes are left out where there is no ``ledger``.
    """
    return [
        describe_recipe(recipe, params, ledger, devices)
        for recipe in RECIPES
        if ledger is not None or recipe.factored is None
    ]


def describe_recipe(recipe: Recipe, params: int, ledger: Ledger | None, devices: int) -> dict[str, Any]:
    states = recipe.states * params
    if recipe.factored is not None and ledger is not None:
        states += 4 * recipe.factored(ledger)
    weights, gradients = recipe.weights * params, recipe.gradients * params
    total = ceil(weights + gradients + states)
    return {
        "recipe": recipe.name,
        "meaning": recipe.meaning,
        "weights_bytes": weights,
        "gradients_bytes": gradients,
        "states_bytes": ceil(states),
        "total_bytes": total,
        "bytes_per_param": total / params if params else None,
        "zero_bytes_on_each": {
            str(stage): ceil(deal_out(stage, devices, weights, gradients, states)) for stage in _STAGES
        },
    }


def deal_out(stage: int, devices: int, weights: int, gradients: int, states: Fraction) -> Fraction:
    """Bytes on each of ``devices`` with ZeRO ``stage``."""
    return (
        Fraction(weights, devices if stage >= 3 else 1)
        + Fraction(gradients, devices if stage >= 2 else 1)
        + states / devices
    )


def bound_activations(analysis: Analysis, sequence: int, batch: int) -> dict[str, Any] | None:
    """The least that activations of ``batch`` sequences take when every layer is computed again; None without sizes."""
    layers, hidden = analysis.shape.get("layers"), analysis.shape.get("hidden_size")
    vocab = analysis.shape.get("vocab_size")
    if not layers or not hidden:
        return None
    tokens = sequence * batch
    return {
        "sequence_tokens": sequence,
        "batch": batch,
        "hidden_states_bytes": 2 * tokens * hidden * layers,
        "logits_bytes": 4 * tokens * vocab if vocab else None,
        "at_least_bytes": 2 * tokens * hidden * layers + (4 * tokens * vocab if vocab else 0),
    }
