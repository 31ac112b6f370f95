"""How many bytes the weights take as stored: the declared dtype, or what a quantisation method packs them into.

Logical parameter counts never change: what is packed, and the scales beside it, is counted here and nowhere else.
Fused tensors of experts stand for one matrix per expert (gate and up apart), as checkpoints hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.metrics.dtypes import count_bytes
from zoo.metrics.packing_layouts import STORED_AS, STORED_BITS, Layout
from zoo.metrics.packing_linears import Reader
from zoo.metrics.packing_methods import find_quantization, find_usual_dtype, name_method, read_scheme
from zoo.metrics.packing_rules import NotWorkedOutError
from zoo.metrics.packing_schemes import TOWER_PARTS, Linear, Scheme
from zoo.metrics.sums import Params

#: Numbers of layers or experts, each with how many it stands for; None where there is no number.
Shares = tuple[tuple[int | None, int], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Stored size of the weights. ``bytes`` is None where the method's layout is not known; ``warnings`` says so.

    ``stored_elements`` are the elements of the parameters as a safetensors header lists them, by its data types: packed
    words are one element, scales are counted. ``scale_elements`` are those of them that are no weights (scales, zero
    points, indices), ``scalar_elements`` those that are tensors of no dimension; ``mtp_`` the same for the
    next-token-prediction layers, which ``bytes`` leaves out. ``packed_matrices`` counts what is packed, and
    ``unbiased_outputs`` the outputs of packed matrices without a bias.
    """

    dtype: str | None
    bytes: int | None
    quantization: str | None = None
    warnings: tuple[str, ...] = ()
    stored_elements: Mapping[str, int] = field(default_factory=dict)
    scale_elements: int = 0
    mtp_stored_elements: Mapping[str, int] = field(default_factory=dict)
    mtp_scale_elements: int = 0
    scalar_elements: int = 0
    mtp_scalar_elements: int = 0
    packed_matrices: int = 0
    unbiased_outputs: int = 0


def pack_weights(config: Mapping[str, Any], ledger: Ledger, params: Params, dtype: str | None) -> Packing:
    """The stored size of all parameters of ``ledger``."""
    found = find_quantization(config)
    if found is None:
        stored = STORED_AS.get(dtype or "")
        if dtype is None or stored is None:
            return Packing(dtype, None if dtype is None else count_bytes(params.total, dtype))
        extra = {stored: params.mtp} if params.mtp else {}
        return Packing(dtype, count_bytes(params.total, dtype), None, (), {stored: params.total}, 0, extra, 0)
    quantization, text_only = found
    method = name_method(quantization)
    warnings: tuple[str, ...] = ()
    try:
        dtype, stored, unsure = choose_dtype(config, ledger, dtype)
        scheme = read_scheme(quantization, config, stored)
        main, beside = (
            pack_tensors([t for t in ledger.tensors if t.role == role], scheme, ledger, stored, text_only)
            for role in ("param", "mtp")
        )
        if (missed := scheme.find_missed()) is not None:
            raise NotWorkedOutError(f"it names {missed!r:.80}, which is no linear layer of the model")
    except NotWorkedOutError as error:
        return Packing(dtype, None, method, (f"the bytes of quantisation {method!r:.40} are not worked out: {error}",))
    if unsure:
        warnings = (f"the bytes of quantisation {scheme.name!r:.40} are not worked out: {unsure}",)
    return Packing(
        dtype,
        None if unsure else main.bytes,
        scheme.name,
        warnings,
        stored_elements=main.elements,
        scale_elements=main.scales,
        mtp_stored_elements=beside.elements,
        mtp_scale_elements=beside.scales,
        scalar_elements=main.scalars,
        mtp_scalar_elements=beside.scalars,
        packed_matrices=main.matrices,
        unbiased_outputs=main.unbiased,
    )


def choose_dtype(config: Mapping[str, Any], ledger: Ledger, dtype: str | None) -> tuple[str | None, str, str]:
    """The dtype of what is not packed: as declared, else the one that the method's kernels take.

    Beside it the name that safetensors has for it ("unknown" where it is open), and then why it is open.
    """
    sections = (config, ledger.text.raw)
    if not any(isinstance(one.get(key), str) for one in sections for key in ("dtype", "torch_dtype")):
        usual = find_usual_dtype(config)
        if usual is None:
            return dtype, "unknown", "the config declares no dtype for what is not packed"
        dtype = usual
    if dtype not in ("float32", "bfloat16", "float16"):
        return dtype, "unknown", f"what is not packed cannot be {dtype or 'of an unknown dtype'}"
    return dtype, STORED_AS[dtype], ""


@dataclass(slots=True)
class Sum:
    """Running sum over tensors: elements by safetensors type, and what :class:`Packing` says of them besides."""

    elements: dict[str, int] = field(default_factory=dict)
    scales: int = 0
    scalars: int = 0
    matrices: int = 0
    unbiased: int = 0

    def add(self, dtype: str, elements: int) -> None:
        self.elements[dtype] = self.elements.get(dtype, 0) + elements

    @property
    def bytes(self) -> int:
        return sum(count * STORED_BITS[dtype] // 8 for dtype, count in self.elements.items())


def pack_tensors(tensors: Iterable[Tensor], scheme: Scheme, ledger: Ledger, stored: str, text_only: bool) -> Sum:
    """All of ``tensors`` as ``scheme`` stores them, the rest as ``stored``."""
    total = Sum()
    read = Reader(ledger, scheme.tables)
    biases = {tensor.name for tensor in ledger.tensors if tensor.name.endswith(".bias")}
    asked: dict[int, Shares] = {id(None): ((None, 1),)}  # rows of a group share their list
    numbers = scheme.numbers
    rest = 0
    for tensor in tensors:
        # One look tells most that are no matrices, norms above all.
        plain = len(tensor.shape) < 2 or (text_only and tensor.part in TOWER_PARTS)
        linears = () if plain or tensor.tied_to else read.split_linears(tensor)
        if not linears:
            rest += tensor.stored
            continue
        groups = asked.get(id(tensor.layers))
        if groups is None:
            groups = asked[id(tensor.layers)] = tuple(numbers.layers.split(tensor.layers or ()))
        for linear, copies, experts in linears:
            biased = f"{linear.name}.bias" in biases
            alike = tuple(numbers.experts.split(range(experts))) if experts else ((None, 1),)
            for layer, layers in groups:
                for expert, times in alike:
                    placed = place_linear(linear, layer, expert, biased)
                    add_linear(total, scheme.choose(placed), placed, copies * layers * times, stored)
    if rest:
        total.add(stored, rest)
    return total


def add_linear(total: Sum, layout: Layout | None, linear: Linear, copies: int, stored: str) -> None:
    if layout is None:
        total.add(stored, linear.outputs * linear.inputs * copies)
        return
    for dtype, elements, packed, scalar in layout(linear.outputs, linear.inputs):
        total.add(dtype, elements * copies)
        total.scales += 0 if packed else elements * copies
        total.scalars += elements * copies if scalar else 0
    total.matrices += copies
    total.unbiased += 0 if linear.biased else linear.outputs * copies


def place_linear(linear: Linear, layer: int | None, expert: int | None, biased: bool) -> Linear:
    """The linear layer of one numbered layer, and one numbered expert; its names say which."""
    name, part, outputs, inputs, in_layers, extra, _, also = linear
    for number in (layer, expert):
        if number is not None:
            name, also = name.replace("{}", str(number), 1), also and also.replace("{}", str(number), 1)
    return Linear(name, part, outputs, inputs, in_layers, extra, biased, also)
