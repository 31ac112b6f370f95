"""The matrices that a checkpoint holds for the tensors of a ledger, as methods of quantisation see them."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.metrics.packing_names import FUSED, find_renames, rename_module
from zoo.metrics.packing_schemes import Linear

#: Classes whose linear layers keep their weights as [inputs, outputs].
_TRANSPOSED_TYPES = ("gpt2", "openai-gpt", "imagegpt", "decision_transformer")
#: A linear layer, how many of it each layer of the model has, and how many of those are experts told by a number in its
#: name (0: none; they are not among the copies).
Matrix = tuple[Linear, int, int]


class Reader:
    """Reads the tensors of one ledger; with ``tables``, lookup tables and routers as well."""

    def __init__(self, ledger: Ledger, tables: bool) -> None:
        self.tables = tables
        self.hidden = ledger.text.dim("hidden")
        self.transposed = ledger.architecture.model_type in _TRANSPOSED_TYPES
        self.renames = find_renames(ledger)
        self.fused = ledger.architecture.model_type in FUSED

    def split_linears(self, tensor: Tensor) -> Sequence[Matrix]:
        """The matrices that a checkpoint holds for ``tensor`` in one layer.

        Empty for what is no linear layer: vectors, convolutions, lookup tables, bare parameters.
        """
        if tensor.part == "experts" and len(tensor.shape) == 3 and tensor.op == "matmul":
            return self._split_experts(tensor)
        if len(tensor.shape) == 2 and tensor.name.endswith(".weight"):
            return self._split_matrix(tensor, tensor.name.removesuffix(".weight"))
        return ()

    def _split_matrix(self, tensor: Tensor, module: str) -> Sequence[Matrix]:
        wanted = ("matmul", "lookup") if self.tables else ("matmul",)
        if tensor.op not in wanted or (tensor.part == "router" and not self.tables):
            return ()
        turned = self.transposed and tensor.part != "head" and tensor.op == "matmul"
        outputs, inputs = reversed(tensor.shape) if turned else tensor.shape
        path, _, name = module.rpartition(".")
        if self.fused and name == "gate_up_proj":
            halves = ("gate_proj", "up_proj")
            return [(self._name(tensor, f"{path}.{half}", outputs // 2, inputs), tensor.copies, 0) for half in halves]
        if tensor.part == "experts" and module.count("{}") > (tensor.layers is not None):
            return [(self._name(tensor, module, outputs, inputs), 1, tensor.copies)]
        return [(self._name(tensor, module, outputs, inputs), tensor.copies, 0)]

    def _split_experts(self, tensor: Tensor) -> Sequence[Matrix]:
        """Fused experts [E, 2 x width, hidden] or [E, hidden, width], either way round, as E separate matrices."""
        experts, *matrix = tensor.shape
        path, _, name = tensor.name.rpartition(".")
        up = "gate_up" in name
        outputs, inputs = matrix
        if (inputs if up else outputs) != self.hidden:
            outputs, inputs = inputs, outputs
        if not up:
            return [(self._name(tensor, f"{path}.{{}}.{name}", outputs, inputs), tensor.copies, experts)]
        halves = [f"{path}.{{}}.{half}" for half in ("gate_proj", "up_proj")]
        return [(self._name(tensor, half, outputs // 2, inputs), tensor.copies, experts) for half in halves]

    def _name(self, tensor: Tensor, module: str, outputs: int, inputs: int) -> Linear:
        also = rename_module(module, self.renames) if self.renames else ""
        return Linear(
            module, tensor.part, outputs, inputs, tensor.layers is not None, tensor.role == "mtp", False, also
        )
