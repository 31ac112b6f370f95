"""What it takes to serve a model: weights, cache and state on one device or split over several.

Everything is a sum over the ledger. Two figures are kept apart: the **steady state**, which is what the sequences hold
(a windowed layer min(tokens, window)), and what an engine **reserves** for it in blocks (:mod:`zoo.metrics.pages`).
How a model is split, and what every device has whole, is in :mod:`zoo.metrics.split`. All sizes are those of one
device; where stages of a pipeline differ, of the one that needs most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import NamedTuple

from zoo.arch.ledger import Ledger
from zoo.arch.rows import State, Tensor
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.cache_formats import FORMATS
from zoo.metrics.dtypes import BITS, name_dtype
from zoo.metrics.facts import read_dim
from zoo.metrics.pages import Constant, Group, Piece, lay_pages
from zoo.metrics.split import (
    Heads,
    Split,
    divide_layers,
    read_heads,
    share_state,
    share_tensor,
    stage_states,
    stage_tensors,
)
from zoo.metrics.sums import MULTIPLIED, TOWER_PARTS, Params
from zoo.metrics.weights import Weights, choose_weights

#: No context is searched beyond this many tokens.
LONGEST = 1 << 40


class Sequence(NamedTuple):
    """Bytes on one device for one sequence: what grows with it, and what does not."""

    cache: int
    state: int

    @property
    def total(self) -> int:
        return self.cache + self.state


class Reading(NamedTuple):
    """Bytes of weights on one device that decoding reads: of what every token passes, and of all its experts."""

    common: Fraction
    experts: Fraction


@dataclass(frozen=True)
class Stage:
    """The fullest device of one pipeline stage; ``fixed`` is constant state, and cross-attention of fixed length.

    ``mixed``: layers keep several caches of different spans each, which engines lay out in ways of their own.
    """

    layers: range
    weights: int
    pieces: tuple[Piece, ...]
    constants: tuple[Constant, ...]
    cross: Fraction
    reading: Reading
    mixed: bool = False

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Its cache as an engine lays it out."""
        return lay_pages(self.pieces, self.constants)

    @cached_property
    def fixed(self) -> int:
        """Bytes of one sequence that do not grow."""
        return ceil(self.cross + sum(constant.size * constant.layers for constant in self.constants))

    def hold(self, tokens: int) -> Sequence:
        """The steady state of one sequence."""
        return Sequence(ceil(sum(piece.hold(tokens) for piece in self.pieces)), self.fixed)

    def reserve(self, tokens: int) -> Sequence:
        """What an engine sets aside for one sequence. Raises UsageError where that is not worked out (``mixed``)."""
        if self.mixed:
            raise UsageError("how engines lay out the several caches of a layer of this model is not worked out")
        states = sum(group.reserve(tokens) for group in self.groups if group.kind == "state")
        grown = sum(group.reserve(tokens) for group in self.groups if group.kind != "state")
        return Sequence(ceil(grown), ceil(states + self.cross))


class Line(NamedTuple):
    """Memory against context as a line: bytes at no token, for each of the first ones, for each once windows are full.

    ``full_from`` is the context from which every window is full, ``window`` what the windows then hold.
    """

    intercept: int
    slope: Fraction
    slope_long: Fraction
    full_from: int
    window: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A model in given data types, split over devices.

    ``weights_dtype`` is what the weights are said to be in: a data type, or the format they are stored in.
    """

    ledger: Ledger
    params: Params
    split: Split
    format: Weights
    kv_dtype: str
    stages: tuple[Stage, ...]

    @property
    def gpus(self) -> int:
        return self.split.devices

    @property
    def weights_dtype(self) -> str:
        return self.format.name

    @property
    def weights(self) -> int:
        """Bytes of weights on the device that has most of them."""
        return max(stage.weights for stage in self.stages)

    @property
    def laid_out(self) -> bool:
        """Whether it is known what engines reserve for its cache."""
        return not any(stage.mixed for stage in self.stages)

    @property
    def weights_all(self) -> int:
        """Bytes of weights over all devices, copies included, each as full as the fullest of its stage."""
        return sum(stage.weights for stage in self.stages) * self.split.tensor * self.split.replicas

    def count_own(self, batch: int) -> int:
        """Sequences of ``batch`` that one device serves: all, but where groups share them out."""
        return ceil(Fraction(batch, self.split.replicas))

    def weigh_stage(self, stage: Stage, tokens: int, batch: int, *, reserved: bool = False) -> int:
        """Bytes on a device of ``stage``: weights, and its share of ``batch`` sequences of ``tokens`` tokens."""
        each = stage.reserve(tokens) if reserved else stage.hold(tokens)
        return stage.weights + self.count_own(batch) * each.total

    def find_fullest(self, tokens: int, batch: int) -> Stage:
        """The stage whose devices need most."""
        return max(self.stages, key=lambda stage: self.weigh_stage(stage, tokens, batch))

    def need(self, tokens: int, batch: int, *, reserved: bool = False) -> int:
        """Weights and ``batch`` sequences of ``tokens`` tokens, in the steady state or as an engine reserves them."""
        return max(self.weigh_stage(stage, tokens, batch, reserved=reserved) for stage in self.stages)

    def hold_sequence(self, tokens: int) -> Sequence:
        """The steady state of one sequence of ``tokens`` tokens, on the device that needs most."""
        return self.find_fullest(tokens, 1).hold(tokens)

    def reserve_sequence(self, tokens: int) -> Sequence:
        """What an engine sets aside for it."""
        return self.find_fullest(tokens, 1).reserve(tokens)

    def find_longest(self, budget: int, batch: int, *, reserved: bool = False) -> int | None:
        """The most tokens that each of ``batch`` sequences may have in ``budget`` bytes; 0 where not one fits.

        None where length costs nothing: the cache is constant, or stops growing once its windows are full.
        """
        if self.need(LONGEST, batch, reserved=reserved) <= budget:
            return None
        return search_most(lambda tokens: self.need(tokens, batch, reserved=reserved) <= budget, LONGEST)

    def find_most(self, budget: int, tokens: int, *, reserved: bool = False) -> int | None:
        """How many sequences of ``tokens`` tokens fit in ``budget`` bytes; None where they take nothing."""
        least: int | None = None
        for stage in self.stages:
            each = (stage.reserve(tokens) if reserved else stage.hold(tokens)).total
            if stage.weights > budget:
                return 0
            if each:
                count = (budget - stage.weights) // each
                least = count if least is None else min(least, count)
        return None if least is None else least * self.split.replicas

    def draw_line(self, tokens: int, batch: int) -> Line:
        """Intercept and slopes of the steady state of ``batch`` sequences on the device that needs most."""
        stage, own = self.find_fullest(tokens, batch), self.count_own(batch)
        grown = [(piece.per_token * piece.layers, piece.window) for piece in stage.pieces]
        spans = [(size, window) for size, window in grown if window is not None]
        return Line(
            stage.weights + own * stage.fixed,
            own * sum((size for size, _ in grown), Fraction(0)),
            own * sum((size for size, window in grown if window is None), Fraction(0)),
            max((window for _, window in spans), default=0),
            ceil(own * sum(size * window for size, window in spans)),
        )

    def count_full_rate(self, cache_bytes: int) -> int | None:
        """Tokens in ``cache_bytes`` at the rate of the first ones, windows or not: how engine logs count them."""
        rate = max(sum(piece.per_token * piece.layers for piece in stage.pieces) for stage in self.stages)
        return int(cache_bytes / rate) if rate else None


def search_most(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number up to ``limit`` that ``fits``, which must be true up to some number and false beyond."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def make_plan(
    analysis: Analysis,
    gpus: Split | int = 1,
    *,
    weights_dtype: str | None = None,
    kv_dtype: str | None = None,
) -> Plan:
    """The plan for ``analysis``; the data types are the model's own unless given. A number of devices splits tensors.

    Raises:
        UsageError: nothing is derived for the model, a data type is unknown or not known of the model, or the layers
            do not make so many stages.
    """
    ledger, packing, params = analysis.ledger, analysis.packing, analysis.params
    if ledger is None or packing is None or params is None:
        raise UsageError(f"the sizes of this model are not known: {analysis.reason}")
    split = gpus if isinstance(gpus, Split) else Split(gpus)
    if min(split) < 1:
        raise UsageError("there must be at least one device")
    weights = choose_weights(analysis, weights_dtype)
    kept = choose_cache_dtype(kv_dtype, packing.dtype)
    heads = read_heads(ledger)
    stages = divide_layers(read_dim(ledger.text, "layers") or 1, split.pipeline)
    rows, states = stage_tensors(ledger, stages), stage_states(ledger, stages)
    built = tuple(
        build_stage(layers, rows[n], states[n], heads, split, weights, kept, str(packing.dtype))
        for n, layers in enumerate(stages)
    )
    return Plan(ledger, params, split, weights, kept, built)


def choose_cache_dtype(wanted: str | None, own: str | None) -> str:
    """The data type or the engine's format of the cache; a format may be named without its engine (q8_0)."""
    if wanted:
        word = wanted.strip().lower()
        for name in FORMATS:
            if word in (name, name.partition(":")[2]):
                return name
        dtype = name_dtype(word)
        if dtype is None:
            raise UsageError(f"unknown data type {wanted!r:.40}: use one of {', '.join((*BITS, *FORMATS))}")
        return dtype
    if own is None:
        raise UsageError("the data type of this model's cache is not known: name one with --kv-dtype")
    return own


def build_stage(
    layers: range,
    rows: Iterable[Tensor],
    states: list[State],
    heads: Heads,
    split: Split,
    weights: Weights,
    kv_dtype: str,
    state_dtype: str,
) -> Stage:
    """The sums over the rows of one stage."""
    held = common = experts = Fraction(0)
    for row in rows:
        share = share_tensor(row, heads, split)
        stored = weights.size(row)
        held += stored * share
        if not is_read(row):
            continue
        passed = (weights.size(row._replace(tied_to=None)) if row.tied_to else stored) * share
        if row.of > 1:
            experts += passed
        else:
            common += passed
    pieces, constants, cross = collect_states(states, heads, split, kv_dtype, state_dtype)
    return Stage(layers, ceil(held), pieces, constants, cross, Reading(common, experts), has_several_spans(states))


def has_several_spans(states: Iterable[State]) -> bool:
    """Whether a layer keeps caches of different spans: a window beside compressed tokens, say."""
    spans: dict[int, tuple[str, int | None]] = {}
    for state in states:
        if state.per_token and state.kind != "cross":
            for layer in state.layers or ():
                if spans.setdefault(layer, (state.kind, state.window)) != (state.kind, state.window):
                    return True
    return False


def is_read(row: Tensor) -> bool:
    """Whether decoding one token of text reads it: not lookup tables, towers, encoders or what a source passed once."""
    if row.stack not in ("decoder",) or row.part in TOWER_PARTS or "pooler" in row.name:
        return False
    return row.op in MULTIPLIED or row.op == "vector"


def collect_states(
    states: Iterable[State], heads: Heads, split: Split, kv_dtype: str, state_dtype: str
) -> tuple[tuple[Piece, ...], tuple[Constant, ...], Fraction]:
    """What layers keep on one device: what grows, what does not, and cross-attention to a source of fixed length.

    The cross-attention of an encoder-decoder model is counted as if the source were as long as the target, unless its
    length is fixed.
    """
    pieces: dict[tuple[str, Fraction, int | None], int] = {}
    sizes: dict[tuple[int, ...], Fraction] = {}
    cross = Fraction(0)
    for state in states:
        share = share_state(state, heads, split)
        if state.kind == "cross" and state.fixed:
            cross += Fraction(state.fixed * state.repeats, state.per_token) * count_bytes_of(state, kv_dtype) * share
            continue
        if state.per_token:
            key = (state.kind, count_bytes_of(state, kv_dtype) * share, state.window)
            pieces[key] = pieces.get(key, 0) + state.repeats
        if state.fixed:
            layers = tuple(state.layers or (-1,))
            kept = Fraction(state.fixed * BITS[state.dtype or state_dtype], 8) * share
            sizes[layers] = sizes.get(layers, Fraction(0)) + kept
    constants: dict[Fraction, int] = {}
    for layers, size in sizes.items():
        constants[size] = constants.get(size, 0) + len(layers)
    found = tuple(Piece(kind, size, count, window) for (kind, size, window), count in pieces.items())
    return found, tuple(Constant(size, count) for size, count in constants.items()), cross


def count_bytes_of(state: State, kv_dtype: str) -> Fraction:
    """Bytes of one token in one layer of ``state``, in a data type or in an engine's format.

    Raises UsageError where the format cannot hold it.
    """
    own = state.token_bytes
    rule = FORMATS.get(kv_dtype)
    if rule is None:
        return Fraction(state.per_token * BITS[kv_dtype], 8) if own is None else Fraction(own)
    bits = rule(state) if own is None else 8 * own if kv_dtype.startswith("vllm:") else None
    if bits is None:
        raise UsageError(f"the cache of this model cannot be kept in {kv_dtype}")
    return Fraction(bits, 8)


def describe_split(plan: Plan) -> list[str]:
    """What there is to say of a split over several devices."""
    split, heads = plan.split, read_heads(plan.ledger)
    if split.devices == 1:
        return []
    said = [f"{split}: the figures are those of the device that needs most"]
    if split.tensor > 1:
        said.append("norms, routers and positions are whole on each device of a tensor-parallel group")
        said += describe_heads(plan, heads)
    if split.pipeline > 1:
        counts = [len(stage.layers) for stage in plan.stages]
        said.append(f"layers by stage: {', '.join(map(str, counts))}")
    if split.replicas > 1:
        said.append(f"all but the experts is repeated in {split.replicas} groups, which share the sequences out")
    return said


def describe_heads(plan: Plan, heads: Heads) -> list[str]:
    """What tensor parallelism does to heads and latents."""
    degree, said = plan.split.tensor, []
    kv_heads = heads.keys
    if any(state.latent for state in plan.ledger.states):
        said.append("the latent cache is whole on each device")
    elif kv_heads and min(kv_heads) < degree:
        said.append(f"{min(kv_heads)} KV heads for {degree} devices: each device keeps one, copies of the same")
    if not heads.divide_by(degree):
        said.append(f"attention heads ({heads}) do not divide by {degree}: most engines refuse that")
    return said
