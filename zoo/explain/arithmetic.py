"""The parameter count of a model, step by step: every group of tensors in letters, in numbers, and the sum so far.

Written from the ledger, so that it holds for every architecture that zoo counts; nothing here knows a model by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.explain.letters import COUNTS
from zoo.explain.symbols import Factor, Namer, join_factors, number_factor
from zoo.metrics.dtypes import count_bytes
from zoo.metrics.sums import Params, sum_params

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)")
#: Parts whose matrices are the attention and feed-forward weights, the body of the model.
CORE = ("attention", "mlp", "experts", "shared_experts", "router", "recurrent")
#: Parts of layers, which may stand in either stack.
_PLACED = frozenset((*CORE, "norm"))
#: So many tensors are named one by one.
_FEW = 4
#: In which order factors stand in a product; letters that are not here come after these.
_LAYERS = ("L", *COUNTS)
_ORDER = (*_LAYERS, "k", "E", "V", "T", "C", "n_q", "n_kv", "d", "d_v", "F", "F_e", "F_s", "F_d", "D")


@dataclass(slots=True)
class Group:
    """Tensors of one name and shape in many layers."""

    name: str
    tensor: Tensor
    layers: list[int] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)  #: the names of those that stand outside the layers

    @property
    def repeats(self) -> int:
        return len(self.layers) + len(self.outside)

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, or those of its tensors where a few stand outside the layers."""
        return tuple(self.outside) if 0 < len(self.outside) <= _FEW else (self.name,)


@dataclass(frozen=True, slots=True)
class Step:
    """Tensors that the same product counts. ``running`` is the sum up to and with this step."""

    part: str
    names: tuple[str, ...]
    layers: str | None  #: which layers, as runs; None: outside the layers
    product: Factor
    elements: int
    running: int
    active: int  #: of ``elements``, what one token passes through
    active_product: str | None  #: the product of the active ones, in letters, where it differs
    tied_to: str | None = None
    is_bias: bool = False
    place: str = ""  #: encoder, decoder or cross-attention, of a model that has these


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The whole sum. ``core + sum(rest.values()) == params.total``."""

    title: str
    legend: tuple[tuple[str, int, str], ...]
    steps: tuple[Step, ...]
    params: Params
    core: int  #: weights of attention and feed-forward: what is left without embeddings, head, norms and biases
    rest: Mapping[str, int]
    sizes: Mapping[str, int]  #: bytes of all parameters, by data type
    extras: tuple[Step, ...]  #: stored, but not counted: MTP layers, buffers
    position: str

    @property
    def total(self) -> int:
        return self.params.total


def count_by_steps(ledger: Ledger, title: str) -> Arithmetic:
    """The count of ``ledger``; raises AssertionError if the steps did not add up to the total."""
    namer = Namer(ledger)
    params = sum_params(ledger)
    steps = build_steps(namer, ledger.parameters)
    if (steps[-1].running if steps else 0) != params.total:
        raise AssertionError("the steps do not add up to the total")
    extras = build_steps(namer, [t for role in ("mtp", "buffer") for t in ledger.tensors if t.role == role])
    letters = dict.fromkeys(letter for step in (*steps, *extras) for letter in step.product.letters)
    if "E" in letters and "k" in namer.text.values:
        letters["k"] = None
    core, rest = split_core(ledger)
    return Arithmetic(
        title=title,
        legend=tuple((letter, *namer.describe(letter)) for letter in sorted(letters, key=rank_letter)),
        steps=tuple(steps),
        params=params,
        core=core,
        rest=rest,
        sizes={dtype: count_bytes(params.total, dtype) for dtype in ("float32", "float16", "int8", "int4")},
        extras=tuple(extras),
        position=ledger.architecture.position,
    )


def split_core(ledger: Ledger) -> tuple[int, dict[str, int]]:
    """Weights of attention and feed-forward, and what the others are, by part (biases of the former apart)."""
    core = 0
    rest: dict[str, int] = {}
    for tensor in ledger.parameters:
        if tensor.part in CORE and tensor.op in ("matmul", "conv") and not tensor.is_bias:
            core += tensor.stored
        else:
            name = f"{tensor.part}: biases and vectors" if tensor.part in CORE else tensor.part
            rest[name] = rest.get(name, 0) + tensor.stored
    return core, {part: size for part, size in rest.items() if size}


def group_tensors(tensors: Iterable[Tensor]) -> list[Group]:
    """Tensors of one name (every number in it taken for a layer) and shape together, in the order of the ledger."""
    groups: dict[tuple[Any, ...], Group] = {}
    for tensor in tensors:
        name = _NUMBER.sub("{}", tensor.name)
        key = (name, tensor.shape, tensor.part, tensor.tied_to, tensor.copies, tensor.used, tensor.of, tensor.role)
        group = groups.setdefault(key, Group(name, tensor))
        if tensor.layers is None:
            group.outside.append(tensor.name)
        else:
            group.layers += tensor.layers
    return list(groups.values())


def build_steps(namer: Namer, tensors: Iterable[Tensor]) -> list[Step]:
    """One step for all groups of a part that the same product counts in the same layers of the same stack."""
    merged: dict[tuple[Any, ...], list[Group]] = {}
    products: dict[tuple[Any, ...], list[Factor]] = {}
    rows = list(tensors)
    name_place = choose_places(rows)
    for group in group_tensors(rows):
        tensor = group.tensor
        factors = list_factors(namer, group)
        texts = tuple(sorted(factor.text for factor in factors))
        layers, place = tuple(sorted(group.layers)), name_place(tensor)
        key = (tensor.part, place, texts, layers, tensor.used, tensor.of, tensor.tied_to, tensor.is_bias, tensor.role)
        merged.setdefault(key, []).append(group)
        products.setdefault(key, factors)
    running = 0
    steps = []
    for key, groups in merged.items():
        step = build_step(groups, products[key], running, key[1])
        running = step.running
        steps.append(step)
    return steps


def choose_places(tensors: Iterable[Tensor]) -> Callable[[Tensor], str]:
    """Says where a tensor stands in a model of several stacks: in the encoder, the decoder, or in cross-attention.

    Keys and values of cross-attention are known by their stack; what stands beside them in a module is of it too.
    """
    rows = [t for t in tensors if t.layers is not None]
    crossing = {name_module(t) for t in rows if t.stack == "cross"}
    encoded = any(t.stack == "encoder" for t in rows)

    def name_place(tensor: Tensor) -> str:
        if tensor.layers is None or tensor.part not in _PLACED:
            return ""
        if name_module(tensor) in crossing:
            return "cross-attention"
        return ("encoder" if tensor.stack == "encoder" else "decoder") if encoded else ""

    return name_place


def name_module(tensor: Tensor) -> str:
    """The module that has the matrix: ``….encoder_attn`` of ``….encoder_attn.k_proj.weight``."""
    return tensor.name.removesuffix(".weight").removesuffix(".bias").rpartition(".")[0]


def list_factors(namer: Namer, group: Group) -> list[Factor]:
    """The factors of one group: its layers, its copies, the sides of its shape; in the usual order."""
    tensor = group.tensor
    factors = [factor for side in namer.name_sides(tensor) for factor in side]
    if tensor.copies > 1:
        factors.append(namer.name_copies(tensor))
    own = set(group.layers)
    layers = len(own)
    if layers and group.repeats % layers:  # stages of uneven depth: only their number in all is a factor
        layers = 1
    if layers > 1:
        factors.append(namer.name_count(tensor, own))
    if (places := group.repeats // max(layers, 1)) > 1:  # two norms of one name in a layer, say
        factors.append(number_factor(places))
    return sorted(factors, key=rank_factor)


def rank_factor(factor: Factor) -> tuple[int, int]:
    """Numbers and the count of layers first, widths last."""
    if not factor.letters:
        return (0 if factor.text[0].isdigit() else 2, 0)
    if len(factor.letters) > 1:
        return (1, 50)
    return (1, rank_letter(factor.letters[0])[0])


def rank_letter(letter: str) -> tuple[int, str]:
    name = letter if letter in _ORDER else letter.rpartition("_")[0] or letter
    if name == "H":
        return (90, letter)
    return (_ORDER.index(name) if name in _ORDER else 40, letter)


def build_step(groups: Sequence[Group], factors: Sequence[Factor], running: int, place: str = "") -> Step:
    """The step of ``groups``, which are alike: their number is one more factor."""
    tensor = groups[0].tensor
    alike = [number_factor(len(groups)), *factors] if len(groups) > 1 else list(factors)
    product = join_factors(alike) if alike else number_factor(1)
    stored = sum(group.repeats * group.tensor.copies * prod_of(group.tensor.shape) for group in groups)
    if product.value != stored:
        raise AssertionError(f"{groups[0].name}: {product.text} is not {stored}")
    elements = 0 if tensor.tied_to else stored
    active = elements * tensor.used // tensor.of
    return Step(
        part=tensor.part,
        names=tuple(name for group in groups for name in group.names),
        layers=name_layers(groups[0].layers),
        product=product,
        elements=elements,
        running=running + elements,
        active=active,
        active_product=write_active(alike, tensor) if active != elements else None,
        tied_to=tensor.tied_to,
        is_bias=tensor.is_bias,
        place=place,
    )


def write_active(factors: Sequence[Factor], tensor: Tensor) -> str:
    """The product with the experts of one token in place of all."""
    texts = [factor.text for factor in factors]
    if "E" in texts:
        texts[texts.index("E")] = "k"
        return "·".join(texts)
    return f"{'·'.join(texts)} × {tensor.used}/{tensor.of}"


def prod_of(shape: Iterable[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def name_layers(layers: Iterable[int]) -> str | None:
    from zoo.metrics.document import name_layers as name_runs

    return name_runs(sorted(set(layers)))
