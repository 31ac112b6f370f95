"""How a model is dealt out over devices: tensor, pipeline and expert parallelism, and what is on every device.

The rules are those of vLLM (and of SGLang where it has the same option). **Tensor** parallelism of degree t splits
matrices and vocabularies evenly over t devices, but what cannot be split is whole on each: norms, biases, routers,
learned positions, the down-projections of latent attention, an indexer. Heads are dealt out whole; with fewer KV heads
than t, each device keeps one (copies of the same). A latent cache is whole on each. **Pipeline** parallelism of degree
p deals out whole layers; the first stage has the embedding and the towers besides, the last the final norm and the
head, with a copy of the table where the two are tied. **Expert** parallelism of degree e deals out whole experts over e
devices; where e is more than t, the rest of the model is repeated in e / t groups, and each serves its share of the
sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from zoo.arch.ledger import Ledger
from zoo.arch.rows import State, Tensor
from zoo.errors import UsageError
from zoo.metrics.facts import attention_facts
from zoo.metrics.sums import TOWER_PARTS, TOWERS

#: Most devices that a plan is made for.
MOST_DEVICES = 4096
#: Pieces of names of what every device of a tensor-parallel group has whole: they make the latent or pick positions.
_WHOLE = ("q_a_proj", "kv_a_proj", ".indexer.", ".compressor.")
_KEYS_VALUES = frozenset(
    ("k_proj", "v_proj", "k", "v", "key", "value", "k_lin", "v_lin", "key_proj", "value_proj", "wk", "wv", "kv_proj")
)
_FUSED = frozenset(("qkv_proj", "c_attn", "query_key_value", "Wqkv", "wqkv", "W_pack", "qkv"))


class Split(NamedTuple):
    """Degrees of parallelism."""

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1

    @property
    def replicas(self) -> int:
        """Groups that repeat everything but the experts, each with sequences of its own."""
        return max(1, self.expert // self.tensor)

    @property
    def devices(self) -> int:
        return self.tensor * self.pipeline * self.replicas

    def __str__(self) -> str:
        kinds = (("tensor", self.tensor), ("pipeline", self.pipeline), ("expert", self.expert))
        return ", ".join(f"{name} parallel {degree}" for name, degree in kinds if degree > 1) or "one device"


def plan_split(
    gpus: int | None = None, tensor: int | None = None, pipeline: int | None = None, expert: int | None = None
) -> Split:
    """The split that the given figures mean; tensor parallelism takes what ``gpus`` leaves open.

    Raises:
        UsageError: a degree below 1, degrees that do not make ``gpus`` devices, or that do not divide each other.
    """
    given = {"--gpus": gpus, "--tensor-parallel": tensor, "--pipeline-parallel": pipeline, "--expert-parallel": expert}
    for name, degree in given.items():
        if degree is not None and not 1 <= degree <= MOST_DEVICES:
            raise UsageError(f"{name} {degree} is out of range: 1 to {MOST_DEVICES:,}")
    stages, experts = pipeline or 1, expert or 1
    if gpus and gpus % stages:
        raise UsageError(f"{gpus} devices do not divide into {stages} pipeline stages")
    if tensor is None:
        tensor = (gpus or stages) // stages if gpus else 1
    if experts % tensor and tensor % experts:
        raise UsageError(f"expert parallel {experts} and tensor parallel {tensor} do not divide each other")
    split = Split(tensor, stages, experts)
    if split.devices > MOST_DEVICES:
        raise UsageError(f"{split} is more than {MOST_DEVICES:,} devices")
    if gpus and split.devices != gpus:
        raise UsageError(f"{split} takes {split.devices} devices, not {gpus}")
    return split


def divide_layers(count: int, stages: int) -> list[range]:
    """The layers of each stage: evenly, the rest to stages from the last but one down, as vLLM does.

    Raises UsageError when there are more stages than layers.
    """
    if stages > max(count, 1):
        raise UsageError(f"{count} layers cannot make {stages} pipeline stages")
    sizes = [count // stages] * stages
    for stage in range(2, count % stages + 2):
        sizes[-stage] += 1
    starts = [sum(sizes[:stage]) for stage in range(stages)]
    return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of the text model: of queries, and of keys and values by layer (they may differ) or of all others."""

    queries: int | None
    usual: int | None
    by_layer: Mapping[int, int]

    def of(self, layers: Sequence[int] | None) -> int | None:
        """KV heads of the first of ``layers``: rows of one shape have as many."""
        return self.by_layer.get(layers[0], self.usual) if layers else self.usual

    @property
    def keys(self) -> set[int]:
        """All numbers of KV heads that there are."""
        return {*self.by_layer.values()} or ({self.usual} if self.usual else set())

    def divide_by(self, degree: int) -> bool:
        """Whether engines deal them out over ``degree`` devices: evenly, or each KV head to as many devices."""
        alone = all(count % degree == 0 or degree % count == 0 for count in self.keys)
        return alone and not (self.queries or 0) % degree

    def __str__(self) -> str:
        kept = " or ".join(map(str, sorted(self.keys)))
        return f"{self.queries} of queries, {kept} of keys" if kept else f"{self.queries}"


def read_heads(ledger: Ledger) -> Heads:
    """The heads of ``ledger``."""
    facts = attention_facts(ledger)
    found = {
        layer: state.vectors // 2
        for state in ledger.states
        if state.stack == "decoder" and state.vectors > 1 and not state.latent
        for layer in state.layers or ()
    }
    return Heads(facts["heads"], facts["kv_heads"], found)


def share_heads(heads: int, degree: int) -> Fraction:
    """Heads are dealt out whole: the share of the device that holds most."""
    return Fraction(ceil(Fraction(heads, degree)), heads)


def share_tensor(tensor: Tensor, heads: Heads, split: Split) -> Fraction:
    """The share of one tensor that the fullest device of its stage holds."""
    if tensor.part == "experts" and tensor.of > 1:
        return share_heads(tensor.of, split.expert) / max(1, split.tensor // split.expert)
    if split.tensor == 1:
        return Fraction(1)
    even = Fraction(1, split.tensor)
    if tensor.op == "vector":
        return even if tensor.part == "recurrent" else Fraction(1)
    if tensor.part in ("router", "position") or any(piece in tensor.name for piece in _WHOLE):
        return Fraction(1)
    if tensor.part == "attention" and tensor.stack not in TOWERS:
        return share_attention(tensor, heads, split.tensor)
    return even


def share_attention(tensor: Tensor, heads: Heads, degree: int) -> Fraction:
    """A projection of attention: by KV heads, by query heads, or both where they are in one matrix."""
    module = tensor.name.removesuffix(".weight").rpartition(".")[2]
    kv_heads, queries = heads.of(tensor.layers), heads.queries
    if kv_heads and module in _KEYS_VALUES:
        return share_heads(kv_heads, degree)
    if not queries:
        return Fraction(1, degree)
    if kv_heads and module in _FUSED:
        each, copied = share_heads(queries, degree), share_heads(kv_heads, degree)
        return (queries * each + 2 * kv_heads * copied) / (queries + 2 * kv_heads)
    return share_heads(queries, degree)


def share_state(state: State, heads: Heads, split: Split) -> Fraction:
    """The share of a layer's cache or state that one device holds."""
    if state.latent or state.token_bytes is not None or (state.per_token and state.vectors == 1):
        return Fraction(1)
    if state.kind in ("full", "sliding", "chunked", "cross"):
        kv_heads = state.vectors // 2 or heads.of(state.layers if state.stack == "decoder" else None)
        return share_heads(kv_heads, split.tensor) if kv_heads else Fraction(1, split.tensor)
    return Fraction(1, split.tensor)


def stage_tensors(ledger: Ledger, stages: Sequence[range]) -> list[list[Tensor]]:
    """The parameters of each stage: rows with the layers that it has, tied ones stored where their table is not."""
    if len(stages) == 1:
        return [list(ledger.parameters)]
    placed: list[list[Tensor]] = [[] for _ in stages]
    for tensor in ledger.parameters:
        if tensor.layers is None or tensor.stack not in ("decoder", "cross") or tensor.part in TOWER_PARTS:
            placed[0 if belongs_first(tensor) else -1].append(tensor)
            continue
        for stage, layers in enumerate(pick_layers(tensor.layers, stages)):
            if layers:
                placed[stage].append(tensor._replace(layers=layers))
    return [untie_tensors(rows) for rows in placed]


def stage_states(ledger: Ledger, stages: Sequence[range]) -> list[list[State]]:
    """The states of each stage, but those of towers. What stands outside the layers is on the first."""
    states = [state for state in ledger.states if state.stack not in TOWERS]
    if len(stages) == 1:
        return [states]
    placed: list[list[State]] = [[] for _ in stages]
    for state in states:
        if state.layers is None or state.stack not in ("decoder", "cross"):
            placed[0].append(state)
            continue
        for stage, layers in enumerate(pick_layers(state.layers, stages)):
            if layers:
                placed[stage].append(state._replace(layers=layers))
    return placed


def pick_layers(layers: Sequence[int], stages: Sequence[range]) -> list[tuple[int, ...]]:
    """Of ``layers`` those of each stage; what is numbered beyond the last belongs to the last."""
    picked = [tuple(layer for layer in layers if layer in stage) for stage in stages]
    picked[-1] += tuple(layer for layer in layers if layer >= stages[-1].stop)
    return picked


def belongs_first(tensor: Tensor) -> bool:
    """Whether what stands outside the layers is needed before them: tables, towers, an encoder."""
    outside = tensor.stack in TOWERS or tensor.stack == "encoder" or tensor.part in TOWER_PARTS
    return outside or tensor.part in ("embedding", "position")


def untie_tensors(rows: Sequence[Tensor]) -> list[Tensor]:
    """``rows`` with one stored copy of each table or block that they share and that stands on another stage."""
    own = [row for row in rows if not row.tied_to]
    here = {row.name for row in own} | {row.name.replace("{}", str(n), 1) for row in own for n in row.layers or ()}
    found: list[Tensor] = []
    for row in rows:
        if row.tied_to and row.tied_to not in here:
            here.add(row.tied_to)
            first, rest = (None, ()) if row.layers is None else (row.layers[:1], row.layers[1:])
            found.append(row._replace(tied_to=None, layers=first, copies=1))
            if rest:
                found.append(row._replace(layers=rest))
        else:
            found.append(row)
    return found
