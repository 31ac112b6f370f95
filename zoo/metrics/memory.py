"""What it takes to serve a model: weights, cache and state on one device or split over several.

Everything is a sum over the ledger. Two figures are kept apart: the **steady state**, which is what the sequences hold
(a windowed layer min(tokens, window)), and what an engine **reserves** for it in blocks (the rules of vLLM, see
:func:`Plan.reserve_sequence`).

Tensor parallelism splits every matrix and table evenly over ``gpus`` devices, but for what cannot be split: norms,
biases and other vectors, routers and the down-projections of latent attention are on each device. KV heads are dealt
out whole: with fewer of them than devices each device keeps one (copies of the same). A latent cache is whole on each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from zoo.arch.ledger import Ledger
from zoo.arch.rows import State, Tensor
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.dtypes import BITS, count_bytes, require_dtype
from zoo.metrics.facts import attention_facts
from zoo.metrics.packing import Packing
from zoo.metrics.sums import TOWERS, Params, count_token_bits

#: Tokens in one block of the cache, and tokens of a prompt that are worked on at once: vLLM's defaults.
BLOCK_TOKENS = 16
IN_FLIGHT_TOKENS = 2048
#: No context is searched beyond this many tokens.
LONGEST = 1 << 40
_LATENT_DOWN = ("q_a_proj", "kv_a_proj")
_KV = ("k_proj", "v_proj", ".k.", ".v.")


class Piece(NamedTuple):
    """What all layers of one kind keep on one device, in bytes: for each token, at most ``window`` of them."""

    per_token: Fraction
    window: int | None


class Sequence(NamedTuple):
    """Bytes on one device for one sequence: what grows with it, and what does not."""

    cache: int
    state: int

    @property
    def total(self) -> int:
        return self.cache + self.state


@dataclass(frozen=True, slots=True)
class Plan:
    """A model in given data types on ``gpus`` devices; all sizes in bytes on one device.

    ``weights_dtype`` is what the weights are said to be in: a data type, or the quantisation they are stored in.
    """

    ledger: Ledger
    params: Params
    gpus: int
    weights_dtype: str
    weights: int
    weights_all: int  #: over all devices, copies included
    kv_dtype: str
    pieces: tuple[Piece, ...]
    fixed: int

    def hold_sequence(self, tokens: int) -> Sequence:
        """The steady state of one sequence of ``tokens`` tokens."""
        grown = sum(p.per_token * (tokens if p.window is None else min(tokens, p.window)) for p in self.pieces)
        return Sequence(ceil(grown), self.fixed)

    def reserve_sequence(self, tokens: int) -> Sequence:
        """What an engine sets aside for it, in blocks of 16 tokens.

        A full layer takes ceil(tokens / 16) blocks; a windowed one ceil(min(window - 1 + 2,048, tokens) / 16) + 1,
        for 2,048 tokens of a prompt may be in flight (vLLM 0.33, ``v1/kv_cache_interface.py``).
        """
        kept = Fraction(0)
        for piece in self.pieces:
            blocks = ceil(Fraction(tokens, BLOCK_TOKENS))
            if piece.window is not None:
                held = min(piece.window - 1 + IN_FLIGHT_TOKENS, tokens)
                blocks = min(blocks, ceil(Fraction(held, BLOCK_TOKENS)) + 1)
            kept += piece.per_token * blocks * BLOCK_TOKENS
        return Sequence(ceil(kept), self.fixed)

    def need(self, tokens: int, batch: int) -> int:
        """Weights and ``batch`` sequences of ``tokens`` tokens."""
        return self.weights + batch * self.hold_sequence(tokens).total

    def find_longest(self, budget: int, batch: int) -> int | None:
        """The most tokens that each of ``batch`` sequences may have in ``budget`` bytes; 0 where not one fits.

        None where length costs nothing: the cache is constant, or stops growing once its windows are full.
        """
        if self.need(LONGEST, batch) <= budget:
            return None
        return search_most(lambda tokens: self.need(tokens, batch) <= budget, LONGEST)

    def find_most(self, budget: int, tokens: int) -> int | None:
        """How many sequences of ``tokens`` tokens fit in ``budget`` bytes; None where they take nothing."""
        each = self.hold_sequence(tokens).total
        if self.weights > budget:
            return 0
        return (budget - self.weights) // each if each else None

    def count_full_rate(self, cache_bytes: int) -> int | None:
        """Tokens in ``cache_bytes`` at the rate of the first ones, windows or not: how engine logs count them."""
        rate = sum(piece.per_token for piece in self.pieces)
        return int(cache_bytes / rate) if rate else None


def search_most(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number up to ``limit`` that ``fits``, which must be true up to some number and false beyond."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def make_plan(
    analysis: Analysis, *, gpus: int = 1, weights_dtype: str | None = None, kv_dtype: str | None = None
) -> Plan:
    """The plan for ``analysis``; the data types are the model's own unless given.

    Raises:
        UsageError: nothing is derived for the model, a data type is unknown or not known of the model, ``gpus`` < 1.
    """
    ledger, packing, params = analysis.ledger, analysis.packing, analysis.params
    if ledger is None or packing is None or params is None:
        raise UsageError(f"the sizes of this model are not known: {analysis.reason}")
    if gpus < 1:
        raise UsageError("there must be at least one device")
    name, size = count_weights(packing, params.total, weights_dtype)
    kept = require_dtype(kv_dtype) if kv_dtype else packing.dtype
    if kept is None or packing.dtype is None:
        raise UsageError("the data type of this model's cache is not known: name one with --kv-dtype")
    share = share_weights(ledger, gpus)
    pieces, fixed = collect_states(ledger, kept, packing.dtype, gpus, analysis.attention.get("kv_heads"))
    return Plan(ledger, params, gpus, name, ceil(size * share), ceil(size * share * gpus), kept, pieces, fixed)


def count_weights(packing: Packing, params: int, dtype: str | None) -> tuple[str, int]:
    """What the weights are in, and their bytes: as stored, or all ``params`` of them in ``dtype``."""
    if dtype:
        name = require_dtype(dtype)
        return name, count_bytes(params, name)
    if packing.bytes is None:
        why = f" ({packing.warnings[0]})" if packing.warnings else ""
        raise UsageError(f"the stored size of the weights is not known{why}: name one with --weights-dtype")
    return packing.quantization or str(packing.dtype), packing.bytes


def share_weights(ledger: Ledger, gpus: int) -> Fraction:
    """The share of all parameters that one of ``gpus`` devices holds."""
    if gpus == 1:
        return Fraction(1)
    kv_heads = attention_facts(ledger)["kv_heads"]
    held = total = Fraction(0)
    for tensor in ledger.parameters:
        total += tensor.stored
        held += tensor.stored * share_tensor(tensor, kv_heads, gpus)
    return held / total if total else Fraction(1)


def share_tensor(tensor: Tensor, kv_heads: int | None, gpus: int) -> Fraction:
    """The share of one tensor that a device holds."""
    if tensor.op == "vector" or tensor.part == "router" or any(name in tensor.name for name in _LATENT_DOWN):
        return Fraction(1)
    if tensor.part == "attention" and kv_heads and any(name in tensor.name for name in _KV):
        return share_heads(kv_heads, gpus)
    return Fraction(1, gpus)


def share_heads(heads: int, gpus: int) -> Fraction:
    """Heads are dealt out whole: the share of the device that holds most."""
    return Fraction(ceil(Fraction(heads, gpus)), heads)


def collect_states(
    ledger: Ledger, kv_dtype: str, state_dtype: str, gpus: int, kv_heads: int | None
) -> tuple[tuple[Piece, ...], int]:
    """What layers keep on one device: pieces that grow, and the bytes of what does not.

    The cross-attention of an encoder-decoder model is counted as if the source were as long as the target, unless its
    length is fixed. Constant states split evenly.
    """
    pieces: list[Piece] = []
    fixed = Fraction(0)
    for state in ledger.states:
        if state.stack in TOWERS:
            continue
        share = share_state(state, kv_heads, gpus)
        grows = state.kind != "cross" or not state.fixed
        if state.per_token and grows:
            bits = count_token_bits(state, kv_dtype)
            pieces.append(Piece(Fraction(bits, 8) * share, state.window))
        if state.fixed:
            dtype = kv_dtype if state.kind == "cross" else state.dtype or state_dtype
            fixed += Fraction(state.fixed * state.repeats * BITS[dtype], 8) * share
    return tuple(pieces), ceil(fixed)


def share_state(state: State, kv_heads: int | None, gpus: int) -> Fraction:
    """The share of a layer's cache or state that one device holds."""
    if state.latent:
        return Fraction(1)
    if state.kind in ("full", "sliding", "chunked", "cross") and kv_heads:
        return share_heads(kv_heads, gpus)
    return Fraction(1, gpus)


def describe_split(plan: Plan) -> list[str]:
    """What there is to say of a split over several devices."""
    facts = attention_facts(plan.ledger)
    heads, kv_heads, gpus = facts.get("heads"), facts.get("kv_heads"), plan.gpus
    said = []
    if gpus > 1:
        said.append(f"tensor parallel over {gpus}: norms, biases and routers are on each device")
        if facts.get("kind") == "mla":
            said.append("the latent cache is whole on each device")
        elif kv_heads and kv_heads < gpus:
            said.append(f"{kv_heads} KV heads for {gpus} devices: each device keeps one, copies of the same")
        if heads and heads % gpus:
            said.append(f"{heads} attention heads do not divide by {gpus}: most engines refuse that")
    return said
