"""The two kinds of row in a ledger: a tensor that is stored, and a state that inference keeps.

Everything zoo says of a model (parameters, active parameters, bytes, cache, FLOPs) is a sum over such rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from zoo.arch.config import Config

#: What a tensor belongs to. Closed: these are the keys of ``params.by_part``.
PARTS = (
    "embedding",
    "position",
    "attention",
    "mlp",
    "experts",
    "shared_experts",
    "router",
    "recurrent",
    "norm",
    "head",
    "vision",
    "audio",
    "projector",
    "other",
)

#: matmul: each weight is one multiply-add per token. conv: the same, by a causal depthwise convolution.
#: lookup: a row is picked, nothing is multiplied. vector: norms, biases, gains: no matmul FLOPs.
Op = Literal["matmul", "conv", "lookup", "vector"]

#: param: counted. buffer: stored, but no parameter (router correction bias). mtp: next-token-prediction extras.
Role = Literal["param", "buffer", "mtp"]

#: What a layer does with earlier tokens; the keys of ``attention.layers`` and "cross".
Kind = Literal["full", "sliding", "chunked", "linear", "ssm", "conv", "cross"]


class Tensor(NamedTuple):
    """One weight, named and shaped as the transformers class has it; ``{}`` in ``name`` stands for the layer."""

    name: str
    shape: tuple[int, ...]
    part: str
    op: Op = "matmul"
    layers: Sequence[int] | None = None  #: the layers that have it; None: it stands outside the layers
    copies: int = 1  #: tensors of this name and shape in each layer (experts that are not fused)
    used: int = 1  #: of ``of`` equal slices, how many one token passes through (top-k of the experts)
    of: int = 1
    tied_to: str | None = None  #: shares the memory of that tensor: used, but not stored
    role: Role = "param"
    stack: str = "decoder"  #: which stack reads it: "decoder" (also the only stack), "encoder"

    @property
    def repeats(self) -> int:
        """How many tensors this row stands for."""
        return self.copies * (1 if self.layers is None else len(self.layers))

    @property
    def elements(self) -> int:
        """Elements over all layers and copies, whether stored here or shared."""
        return prod(self.shape) * self.copies * (1 if self.layers is None else len(self.layers))

    @property
    def stored(self) -> int:
        """Elements that exist because of this row: none when tied."""
        return 0 if self.tied_to else self.elements

    @property
    def active(self) -> int:
        """Stored elements that one token passes through."""
        return self.stored * self.used // self.of

    @property
    def is_bias(self) -> bool:
        """Whether it is added rather than multiplied, by the name the class gives it."""
        if "bias" not in self.name:
            return False
        last = self.name.rpartition(".")[2]
        return last.endswith("_bias") or last.startswith("bias")


class State(NamedTuple):
    """What one layer remembers of earlier tokens, in elements, and what reading it costs, in FLOPs.

    ``per_token`` elements are kept for each token (at most ``window`` of them where a window is set), ``fixed`` once
    per sequence. ``materialized`` is ``per_token`` with a compressed latent written out as keys and values.
    A query attends to n positions for ``n * flops_per_pos`` FLOPs in prefill, ``n * decode_flops_per_pos`` in decode;
    ``flops_per_token`` is paid per token whatever the length (recurrent updates).
    """

    kind: Kind
    per_token: int = 0
    fixed: int = 0
    window: int | None = None
    materialized: int = 0
    flops_per_pos: int = 0
    decode_flops_per_pos: int = 0
    flops_per_token: int = 0
    latent: bool = False  #: a compressed latent stands in for keys and values (MLA)
    causal: bool = True
    dtype: str | None = None  #: where the constant state has a dtype of its own ("float32")
    token_bytes: int | None = None  #: where engines keep ``per_token`` in a format of their own: bytes, scales included
    layers: Sequence[int] | None = None
    stack: str = "decoder"
    vectors: int = 0  #: keys and values in ``per_token``, each with its own scale in some formats; 0: not said
    rotary: int = 0  #: elements of a latent's ``per_token`` that are its rotary key

    @property
    def repeats(self) -> int:
        return 1 if self.layers is None else len(self.layers)


Row = Tensor | State
#: A block: called with the config and its place, it yields the rows that stand there.
Block = Callable[["Config", "Place"], Iterable[Row]]


class Place(NamedTuple):
    """Where a block stands: the prefix of its names, the layers that have it, the stack they belong to.

    ``part`` overrides the part of every tensor below (all of a vision tower is "vision").
    """

    prefix: str = ""
    layers: Sequence[int] | None = None
    part: str | None = None
    stack: str = "decoder"
    role: Role = "param"
    embedding: str = ""  #: full name of the input embedding's weight, for heads that are tied to it

    def at(self, name: str) -> Place:
        """The place ``name`` below this one."""
        if not name:
            return self
        return Place(f"{self.prefix}{name}.", self.layers, self.part, self.stack, self.role, self.embedding)

    def within(self, layers: Sequence[int]) -> Place:
        """The same place in some of the layers."""
        return Place(self.prefix, layers, self.part, self.stack, self.role, self.embedding)

    def of_tower(self, part: str, stack: str) -> Place:
        """The same place in a tower: all below counts as ``part``, and runs in ``stack``."""
        return Place(self.prefix, self.layers, part, stack, self.role, self.embedding)

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        part: str,
        op: Op = "matmul",
        *,
        copies: int = 1,
        used: int = 1,
        of: int = 1,
        tied_to: str | None = None,
        role: Role | None = None,
    ) -> Tensor:
        """One tensor below this place, named in full."""
        fields = (
            self.prefix + name,
            shape,
            self.part or part,
            op,
            self.layers,
            copies,
            used,
            of,
            tied_to,
            role or self.role,
            self.stack,
        )
        return tuple.__new__(Tensor, fields)  # what Tensor(*fields) does, at half the cost

    def linear(self, name: str, inputs: int, outputs: int, part: str, bias: bool = False) -> tuple[Tensor, ...]:
        """A dense layer: weight [outputs, inputs] and, with ``bias``, bias [outputs]."""
        weight = self.tensor(f"{name}.weight", (outputs, inputs), part)
        return (weight, self.tensor(f"{name}.bias", (outputs,), part, "vector")) if bias else (weight,)

    def vector(self, name: str, size: int, part: str, bias: bool = False) -> tuple[Tensor, ...]:
        """An element-wise weight [size], with ``bias`` a bias beside it: norms and gains."""
        weight = self.tensor(f"{name}.weight", (size,), part, "vector")
        return (weight, self.tensor(f"{name}.bias", (size,), part, "vector")) if bias else (weight,)

    def table(self, name: str, rows: int, width: int, part: str = "embedding") -> Tensor:
        """A lookup table [rows, width]."""
        return self.tensor(f"{name}.weight", (rows, width), part, "lookup")

    def state(self, kind: Kind, layers: Sequence[int] | None = None, **fields: Any) -> State:
        """A state of the layers here, or of those of them in ``layers``."""
        return State(kind, layers=self.layers if layers is None else layers, stack=self.stack, **fields)
