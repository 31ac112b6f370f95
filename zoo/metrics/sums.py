"""Sums over a ledger: parameters, cache, FLOPs. There is no second formula: all that zoo says comes from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from zoo.arch.ledger import Ledger
from zoo.arch.rows import PARTS, State, Tensor
from zoo.metrics.cache_formats import RULES, list_formats
from zoo.metrics.dtypes import BITS, count_bytes

#: Stacks that a text token does not pass through: they see images and sound.
TOWERS = ("vision", "audio")
#: Parts that belong to the towers, wherever they stand.
TOWER_PARTS = ("vision", "audio", "projector")
WINDOWED = ("sliding", "chunked")


@dataclass(frozen=True, slots=True)
class Params:
    """Parameter counts. ``weights + biases == total``; ``by_part`` sums to ``total``."""

    total: int
    active: int
    active_non_embedding: int
    embedding: int
    head: int
    non_embedding: int
    mtp: int
    buffers: int
    weights: int
    biases: int
    tied: bool
    by_part: dict[str, int]
    active_by_part: dict[str, int]


def sum_params(ledger: Ledger) -> Params:
    """All parameter counts of ``ledger``, in one pass."""
    stored = dict.fromkeys(PARTS, 0)
    active = dict.fromkeys(PARTS, 0)
    biases = mtp = buffers = untied_head = 0
    tied = False
    vocab = ledger.text.get("vocab_size")
    for tensor in ledger.tensors:
        part, size = tensor.part, tensor.stored
        if tensor.role != "param":
            mtp, buffers = mtp + size * (tensor.role == "mtp"), buffers + size * (tensor.role == "buffer")
            continue
        stored[part] += size
        active[part] += size if tensor.used == tensor.of else size * tensor.used // tensor.of
        if tensor.is_bias:
            biases += size
        if part == "head":
            tied = tied or tensor.tied_to is not None
            untied_head += size if tensor.shape[:1] == (vocab,) else 0
    total, used = sum(stored.values()), sum(active.values())
    lookups = stored["embedding"] + stored["position"]
    return Params(
        total=total,
        active=used,
        active_non_embedding=used - active["embedding"] - active["position"],
        embedding=stored["embedding"],
        head=stored["head"],
        non_embedding=total - lookups - untied_head,
        mtp=mtp,
        buffers=buffers,
        weights=total - biases,
        biases=biases,
        tied=tied,
        by_part={part: size for part, size in stored.items() if size},
        active_by_part={part: active[part] for part, size in stored.items() if size},
    )


@dataclass(frozen=True, slots=True)
class Cache:
    """What one sequence keeps. Elements first; bytes at ``dtype`` (states that have a dtype of their own keep it).

    At T tokens: sum over layers of min(T, window) x elements, plus the constant state. Encoder-decoder models add
    ``cross_bytes_per_source_token`` for each token of the source, or ``cross_bytes`` where its length is fixed.
    """

    dtype: str | None
    elements_per_token: int
    elements_per_token_long: int
    window_elements: int
    state_elements: int
    materialized_elements_per_token: int
    cross_elements: int
    cross_elements_per_source_token: int
    bytes_per_token: int | None
    bytes_per_token_long: int | None
    window_bytes: int | None
    state_bytes: int | None
    materialized_bytes_per_token: int | None
    cross_bytes: int | None
    cross_bytes_per_source_token: int | None
    bytes_at: dict[str, int | None]
    convention: str  #: whose rules the numbers follow
    formats: dict[str, int | None]  #: bytes per token in the quantised formats of engines, scales included


def elements_at(states: Iterable[State], tokens: int) -> int:
    """Elements of the attention cache at ``tokens``: windowed layers hold at most their window."""
    return sum(s.per_token * s.repeats * count_held(s, tokens) for s in states if s.kind != "cross")


def count_held(state: State, tokens: int) -> int:
    """Of ``tokens`` tokens, how many the state holds."""
    return tokens if state.window is None else min(tokens, state.window)


def count_token_bits(state: State, dtype: str) -> int:
    """Bits that one token takes in all layers of ``state``: in ``dtype``, or in the format that engines keep it in."""
    one = state.per_token * BITS[dtype] if state.token_bytes is None else 8 * state.token_bytes
    return one * state.repeats


def sum_cache(ledger: Ledger, dtype: str | None, state_dtype: str | None, contexts: Iterable[int]) -> Cache:
    """The cache of one sequence at ``dtype``; constant states at ``state_dtype`` unless they have their own."""
    own = [s for s in ledger.states if s.kind != "cross" and s.stack not in TOWERS]
    cross = [s for s in ledger.states if s.kind == "cross"]
    written = sum(s.materialized * s.repeats for s in own)
    cross_fixed = sum(s.fixed * s.repeats for s in cross)
    cross_growth = sum(s.per_token * s.repeats for s in cross if not s.fixed)

    def weigh(times: Callable[[State], int]) -> int | None:
        if dtype is None:
            return None
        return (sum(count_token_bits(s, dtype) * times(s) for s in own) + 7) // 8

    def size(elements: int) -> int | None:
        return None if dtype is None else count_bytes(elements, dtype)

    state = sum_state_bytes(own, state_dtype)
    constant = size(cross_fixed)
    at: dict[str, int | None] = {}
    for tokens in contexts:
        terms = (weigh(partial(count_held, tokens=tokens)), state, constant)
        at[str(tokens)] = None if None in terms else sum(term for term in terms if term)
    return Cache(
        dtype=dtype,
        elements_per_token=sum(s.per_token * s.repeats for s in own),
        elements_per_token_long=sum(s.per_token * s.repeats for s in own if s.window is None),
        window_elements=sum(s.per_token * s.repeats * s.window for s in own if s.window is not None),
        state_elements=sum(s.fixed * s.repeats for s in own),
        materialized_elements_per_token=written,
        cross_elements=cross_fixed,
        cross_elements_per_source_token=cross_growth,
        bytes_per_token=weigh(lambda s: 1),
        bytes_per_token_long=weigh(lambda s: s.window is None),
        window_bytes=weigh(lambda s: s.window or 0),
        state_bytes=state,
        materialized_bytes_per_token=size(written),
        cross_bytes=constant,
        cross_bytes_per_source_token=size(cross_growth),
        bytes_at=at,
        convention=RULES,
        formats=list_formats(own),
    )


def sum_state_bytes(states: Iterable[State], dtype: str | None) -> int | None:
    """Bytes of the constant state; None when a state has no dtype of its own and none is known."""
    total = 0
    for state in states:
        if state.fixed:
            kept_as = state.dtype or dtype
            if kept_as is None:
                return None
            total += count_bytes(state.fixed * state.repeats, kept_as)
    return total


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating point operations, a multiply-add as 2.

    ``forward_per_token``: every matmul weight that one text token passes through, once. ``prefill_at[T]`` adds the
    attention of T tokens over their real spans, and a pooler once; ``decode_at[T]`` that of the T-th token alone. With
    an encoder, prefill encodes T source tokens (or the fixed source, from the convolutions that hear it on) and
    projects the cross keys and values; decode is one target token.
    """

    forward_per_token: int
    prefill_at: dict[str, int]
    decode_at: dict[str, int | None]


def count_pairs(state: State, tokens: int) -> int:
    """Query-key pairs of ``tokens`` queries: causal, windowed or chunked, or all with all in an encoder."""
    if not state.causal:
        return tokens * count_held(state, tokens)
    span = state.window
    if span is None or tokens <= span:
        return tokens * (tokens + 1) // 2
    if state.kind == "chunked":
        chunks, rest = divmod(tokens, span)
        return chunks * (span * (span + 1) // 2) + rest * (rest + 1) // 2
    return span * (span + 1) // 2 + (tokens - span) * span


def count_span(state: State, tokens: int) -> int:
    """Positions that the last of ``tokens`` tokens attends to."""
    if state.window is None or tokens <= state.window:
        return tokens
    return (tokens - 1) % state.window + 1 if state.kind == "chunked" else state.window


def matmul_elements(tensors: Iterable[Tensor]) -> int:
    """Weights that one token multiplies with: tied ones too, of the experts only those chosen."""
    return sum(t.elements * t.used // t.of for t in tensors if t.op in ("matmul", "conv"))


def is_pooler(tensor: Tensor) -> bool:
    """Whether it sees one token of a sequence only: the first, which stands for all of them."""
    return "pooler" in tensor.name.split(".")


def sum_flops(ledger: Ledger, contexts: Iterable[int]) -> Flops:
    """FLOPs of one text token and at ``contexts``."""
    text = [t for t in ledger.parameters if t.stack not in TOWERS and t.part not in TOWER_PARTS]
    once = 2 * matmul_elements(t for t in text if is_pooler(t))
    text = [t for t in text if not is_pooler(t)]
    by_stack = {name: 2 * matmul_elements([t for t in text if t.stack == name]) for name in ("encoder", "cross")}
    main = 2 * matmul_elements([t for t in text if t.stack not in by_stack])
    states = [s for s in ledger.states if s.stack not in TOWERS]
    recurrent = sum(s.flops_per_token * s.repeats for s in states if s.stack != "encoder")
    has_encoder = by_stack["encoder"] > 0
    one_way = any(s.causal and s.kind != "cross" for s in states)
    prefill: dict[str, int] = {}
    decode: dict[str, int | None] = {}
    for tokens in contexts:
        if has_encoder:
            length = next((s.window for s in states if s.kind == "cross" and s.window), tokens)
            seen = [s for s in states if s.stack == "encoder"]
            heard = sum(s.flops_per_token * s.repeats for s in seen)
            work = length * (by_stack["encoder"] + by_stack["cross"] + heard)
            prefill[str(tokens)] = work + sum(s.flops_per_pos * s.repeats * count_pairs(s, length) for s in seen)
        else:
            work = tokens * (main + by_stack["cross"] + recurrent) + once
            prefill[str(tokens)] = work + sum(s.flops_per_pos * s.repeats * count_pairs(s, tokens) for s in states)
        reads = [s for s in states if s.stack != "encoder"]
        read = sum(
            s.decode_flops_per_pos * s.repeats * (s.window if s.kind == "cross" and s.window else count_span(s, tokens))
            for s in reads
        )
        decode[str(tokens)] = main + recurrent + read if one_way else None
    return Flops(main + sum(by_stack.values()), prefill, decode)
