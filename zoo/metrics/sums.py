"""Sums over a ledger: parameters, cache, FLOPs. There is no second formula: all that zoo says comes from here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.ledger import Ledger
from zoo.arch.rows import PARTS, State, Tensor
from zoo.metrics.cache_formats import RULES, list_formats
from zoo.metrics.dtypes import BITS, count_bytes

#: Stacks that a text token does not pass through: they see images and sound.
TOWERS = frozenset(("vision", "audio"))
#: Parts that belong to the towers, wherever they stand.
TOWER_PARTS = frozenset(("vision", "audio", "projector"))
#: What multiplies; the rest is looked up or added.
MULTIPLIED = frozenset(("matmul", "conv"))
_NO_PARTS = dict.fromkeys(PARTS, 0)


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
    stored, active = dict(_NO_PARTS), dict(_NO_PARTS)
    biases = mtp = buffers = untied_head = 0
    tied = False
    vocab = ledger.text.get("vocab_size")
    for tensor, elements in zip(ledger.tensors, ledger.sizes, strict=True):
        name, shape, part, _, _, _, used, of, tied_to, role, _ = tensor
        size = 0 if tied_to else elements
        if role != "param":
            mtp, buffers = mtp + size * (role == "mtp"), buffers + size * (role == "buffer")
            continue
        stored[part] += size
        active[part] += size if used == of else size * used // of
        if "bias" in name and tensor.is_bias:
            biases += size
        if part == "head":
            tied = tied or tied_to is not None
            untied_head += size if shape[:1] == (vocab,) else 0
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


def sum_spans(sizes: Iterable[tuple[int, int | None]]) -> tuple[int, int, int]:
    """Of pairs of a size per token and a window: the sum, that without windows, and that of full windows."""
    each = long = full = 0
    for size, window in sizes:
        each += size
        if window is None:
            long += size
        else:
            full += size * window
    return each, long, full


def sum_cache(ledger: Ledger, dtype: str | None, state_dtype: str | None, contexts: Iterable[int]) -> Cache:
    """The cache of one sequence at ``dtype``; constant states at ``state_dtype`` unless they have their own."""
    own, cross = [], []
    for s in ledger.states:
        if s.kind == "cross":
            cross.append(s)
        elif s.stack not in TOWERS:
            own.append(s)
    cross_fixed = sum([s.fixed * s.repeats for s in cross])
    cross_growth = sum([s.per_token * s.repeats for s in cross if not s.fixed])
    each, long, full = sum_spans([(s.per_token * s.repeats, s.window) for s in own])
    written = sum([s.materialized * s.repeats for s in own])
    state = sum_state_bytes(own, state_dtype)
    sized = dtype is not None
    bits = [] if dtype is None else [(count_token_bits(s, dtype), s.window) for s in own if s.per_token]
    bits_each, bits_long, bits_full = sum_spans(bits)
    constant = count_bytes(cross_fixed, dtype) if dtype else None
    at: dict[str, int | None] = dict.fromkeys(map(str, contexts))
    if dtype is not None and state is not None and constant is not None:
        windowed = [(size, window) for size, window in bits if window is not None]
        for tokens in at:
            count = int(tokens)
            held = bits_long * count + sum([size * min(count, window) for size, window in windowed])
            at[tokens] = (held + 7) // 8 + state + constant
    return Cache(
        dtype=dtype,
        elements_per_token=each,
        elements_per_token_long=long,
        window_elements=full,
        state_elements=sum([s.fixed * s.repeats for s in own]),
        materialized_elements_per_token=written,
        cross_elements=cross_fixed,
        cross_elements_per_source_token=cross_growth,
        bytes_per_token=(bits_each + 7) // 8 if sized else None,
        bytes_per_token_long=(bits_long + 7) // 8 if sized else None,
        window_bytes=(bits_full + 7) // 8 if sized else None,
        state_bytes=state,
        materialized_bytes_per_token=count_bytes(written, dtype) if dtype else None,
        cross_bytes=constant,
        cross_bytes_per_source_token=count_bytes(cross_growth, dtype) if dtype else None,
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

    ``forward_per_token``: every matmul weight that one text token passes through, once (with an encoder, one token of
    the source and one of the target). ``prefill_at[T]`` adds the attention of T tokens over their real spans, and once
    what comes once with a text (a pooler, projections of distances); ``decode_at[T]`` that of the T-th token alone.

    What cross-attention reads, the source, has T tokens too, unless its length is fixed by the config (an image of the
    size that its encoder takes, Whisper's frames): its keys and values are projected once, in prefill. With an encoder
    for text or sound, prefill encodes the source (from the convolutions that hear it on) and projects, and decode is
    one token of the target. Where a tower looks, its own cost is not in the count, as nowhere: prefill projects the
    keys and values of what it saw, and is otherwise T tokens of text, each of which attends to all of the source.
    """

    forward_per_token: int
    prefill_at: dict[str, int]
    decode_at: dict[str, int | None]


def count_pairs(state: State, tokens: int) -> int:
    """Query-key pairs of ``tokens`` queries: causal, windowed or chunked, or all with all (of an encoder, a source)."""
    span = state.window
    if not state.causal:
        return tokens * (tokens if span is None else span if state.kind == "cross" else min(tokens, span))
    if span is None or tokens <= span:
        return tokens * (tokens + 1) // 2
    if state.kind == "chunked":
        chunks, rest = divmod(tokens, span)
        return chunks * (span * (span + 1) // 2) + rest * (rest + 1) // 2
    return span * (span + 1) // 2 + (tokens - span) * span


def count_span(state: State, tokens: int) -> int:
    """Positions that the last of ``tokens`` tokens attends to; of a source whose length is fixed, all."""
    span = state.window
    if span is None or (tokens <= span and state.kind != "cross"):
        return tokens
    return (tokens - 1) % span + 1 if state.kind == "chunked" else span


def matmul_elements(tensors: Iterable[Tensor]) -> int:
    """Weights that one token multiplies with: tied ones too, of the experts only those chosen."""
    return sum(t.elements * t.used // t.of for t in tensors if t.op in MULTIPLIED)


def is_pooler(tensor: Tensor) -> bool:
    """Whether it sees one token of a sequence only: the first, which stands for all of them."""
    return "pooler" in tensor.name.split(".")


def group_weights(ledger: Ledger) -> dict[str, int]:
    """The :func:`matmul_elements` of text, by what passes: its tokens, those of its source, or what comes once."""
    groups = {"main": 0, "encoder": 0, "cross": 0, "once": 0}
    for tensor, size in zip(ledger.tensors, ledger.sizes, strict=True):
        name, _, part, op, _, _, used, of, _, role, stack = tensor
        if op not in MULTIPLIED or role != "param" or stack in TOWERS or part in TOWER_PARTS:
            continue
        group = "once" if "pooler" in name and is_pooler(tensor) else stack if stack in groups else "main"
        groups[group] += size if used == of else size * used // of
    return groups


def sum_flops(ledger: Ledger, contexts: Iterable[int]) -> Flops:
    """FLOPs of one text token and at ``contexts``."""
    main, encoder, cross, once = (2 * size for size in group_weights(ledger).values())
    states = [s for s in ledger.states if s.stack not in TOWERS]
    source = next((s.window for s in states if s.kind == "cross" and s.window), None)
    heard = [s for s in states if s.stack == "encoder"]
    reads = [s for s in states if s.stack != "encoder"]
    paid = [(s, s.flops_per_pos * s.repeats) for s in (heard if encoder else states) if s.flops_per_pos]
    decoded = [(s, s.decode_flops_per_pos * s.repeats) for s in reads if s.decode_flops_per_pos]
    recurrent = sum([s.flops_per_token * s.repeats for s in reads])
    each = encoder + sum([s.flops_per_token * s.repeats for s in heard]) if encoder else main + recurrent
    one_way = any(s.causal and s.kind != "cross" for s in states)
    prefill: dict[str, int] = {}
    decode: dict[str, int | None] = {}
    for tokens in contexts:
        length = tokens if source is None else source
        passed = length if encoder else tokens  # what goes through the weights in prefill
        attention = sum([flops * count_pairs(s, passed) for s, flops in paid])
        prefill[str(tokens)] = passed * each + length * cross + once + attention
        read = sum([flops * count_span(s, tokens) for s, flops in decoded])
        decode[str(tokens)] = main + recurrent + read if one_way else None
    return Flops(main + encoder + cross, prefill, decode)
