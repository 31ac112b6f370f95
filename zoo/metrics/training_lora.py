"""How large low-rank adapters are (LoRA, arXiv:2106.09685): r x (inputs + outputs) for each matrix that has one.

Which modules are linear layers is read from the ledger. Counts are those of peft's ``LoraConfig(r, target_modules)``
without biases and without ``modules_to_save``. Experts that transformers fuses into one tensor are no linear layers:
they are counted apart, with their routers, as peft 0.21 adapts them, each expert with a rank of its own, twice that
where gate and up are one tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.errors import UsageError

#: Every linear layer but the head, as peft has it.
ALL_LINEAR = "all-linear"
#: What the paper adapts, in the names that transformers has for queries and values.
QUERY_VALUE = ("q_proj", "v_proj")
#: Bytes of training for each adapter parameter, all in 32 bits: itself, its gradient, two moments of Adam.
TRAINED_BYTES = 16
MOST_RANK = 4096


class Adapter(NamedTuple):
    """Adapters of one rank: parameters of linear layers, and of fused experts with their routers."""

    targets: tuple[str, ...]
    rank: int
    params: int
    modules: int
    experts: int


def is_linear(row: Tensor) -> bool:
    """Whether a row is the weight of linear layers: two-dimensional, multiplied, no output layer, router or table.

    Of a head the square transformation before the output layer counts (BERT's).
    """
    if row.role != "param" or row.tied_to or row.op != "matmul" or len(row.shape) != 2:
        return False
    if row.part == "head" and row.shape[0] != row.shape[1]:
        return False
    return row.name.endswith(".weight") and row.part not in ("router", "embedding", "position")


def is_fused(row: Tensor) -> bool:
    """Whether a row is a tensor of all experts of a layer."""
    return row.role == "param" and row.op == "matmul" and row.part == "experts" and len(row.shape) == 3


def name_module(row: Tensor) -> str:
    return row.name.removesuffix(".weight")


def list_linear(ledger: Ledger) -> list[str]:
    """The last parts of the names of linear layers, in the order of the ledger: what can be targeted."""
    return list(dict.fromkeys(name_module(row).rpartition(".")[2] for row in ledger.parameters if is_linear(row)))


def count_lora(ledger: Ledger, rank: int, targets: Collection[str]) -> Adapter:
    """Adapters of ``rank`` for the linear layers that ``targets`` name: :data:`ALL_LINEAR`, or the ends of names.

    Raises:
        UsageError: a rank out of range, or a name that no linear layer has.
    """
    if not 1 <= rank <= MOST_RANK:
        raise UsageError(f"a rank of {rank} is out of range: 1 to {MOST_RANK:,}")
    names = tuple(dict.fromkeys(targets))
    rows = [row for row in ledger.parameters if is_linear(row)]
    if ALL_LINEAR in names:
        return Adapter((ALL_LINEAR,), rank, *sum_adapters(rows, rank), count_experts(ledger, rank))
    chosen = [row for row in rows if any(is_named(row, name) for name in names)]
    missing = [name for name in names if not any(is_named(row, name) for row in rows)]
    if missing or not names:
        known = ", ".join(list_linear(ledger)[:20]) or "none at all"
        raise UsageError(f"no linear layer is called {', '.join(missing) or 'nothing'!r:.80}: this model has {known}")
    return Adapter(names, rank, *sum_adapters(chosen, rank), 0)


def is_named(row: Tensor, name: str) -> bool:
    """As peft matches: the whole name of the module, or its end after a dot."""
    return f".{name_module(row)}".endswith(f".{name}")


def sum_adapters(rows: Iterable[Tensor], rank: int) -> tuple[int, int]:
    """Parameters of the adapters of ``rows``, and how many modules these are."""
    params = modules = 0
    for row in rows:
        params += rank * sum(row.shape) * row.repeats
        modules += row.repeats
    return params, modules


def count_experts(ledger: Ledger, rank: int) -> int:
    """Parameters of the adapters of fused experts and their routers; 0 where experts are linear layers, or none."""
    fused = [row for row in ledger.parameters if is_fused(row)]
    total = 0
    for row in fused:
        experts, *matrix = row.shape
        own = 2 * rank if "gate_up" in row.name else rank
        total += own * experts * sum(matrix) * row.repeats
    if fused:
        routers = [row for row in ledger.parameters if row.part == "router" and len(row.shape) == 2]
        total += sum(rank * sum(row.shape) * row.repeats for row in routers)
    return total


def describe_lora(ledger: Ledger, rank: int, targets: Sequence[str], bases: Mapping[str, int]) -> dict[str, Any]:
    """Sizes of adapters, and of training them in 32 bits over a frozen base, by what that is in (``bases`` in bytes).

    Activations are left out: they depend on the kernels and on what is computed again.
    """
    adapter = count_lora(ledger, rank, targets)
    return {
        "targets": list(adapter.targets),
        "rank": rank,
        "params": adapter.params,
        "modules": adapter.modules,
        "fused_expert_params": adapter.experts,
        "float16_bytes": 2 * adapter.params,
        "float32_bytes": 4 * adapter.params,
        "training_bytes": {name: size + TRAINED_BYTES * adapter.params for name, size in bases.items()},
    }


def list_presets(ledger: Ledger) -> list[tuple[str, ...]]:
    """Targets that are shown when none are named: queries and values where they are layers, and all."""
    known = list_linear(ledger)
    usual = [QUERY_VALUE] if all(name in known for name in QUERY_VALUE) else []
    return [*usual, (ALL_LINEAR,)] if known else []
