"""From a config to its ledger: pick the architecture and the head, and collect the rows."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.names import OTHER_NAMES, find_counterpart, find_named, find_owners
from zoo.arch.per_layer import KEY
from zoo.arch.registry import Architecture, load_architectures
from zoo.arch.rows import Place, State, Tensor


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that is stored and everything that is remembered, for one config."""

    architecture: Architecture
    class_name: str
    config: Config  #: the whole config
    text: Config  #: the section that describes the language model (the whole config where there are no sections)
    tensors: tuple[Tensor, ...]
    states: tuple[State, ...]
    sizes: tuple[int, ...] = field(init=False)  #: ``elements`` of each of ``tensors``, which every sum begins with

    def __post_init__(self) -> None:
        sizes = [prod(t.shape) * t.copies * (1 if t.layers is None else len(t.layers)) for t in self.tensors]
        object.__setattr__(self, "sizes", tuple(sizes))

    @property
    def text_architecture(self) -> Architecture:
        """What the main stack is declared as: that of the text's own type, where the text is a section."""
        return load_architectures().get(self.text.model_type, self.architecture)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The tensors that count as parameters, tied ones included."""
        return tuple(tensor for tensor in self.tensors if tensor.role == "param")


def build_ledger(config: Mapping[str, Any]) -> Ledger:
    """The ledger of ``config``; raises UnsupportedError with the reason when it cannot be exact."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise UnsupportedError("the config names no model_type")
    architecture = find_named(config, model_type)
    model_type = architecture.model_type
    c = Config(config, model_type, architecture.dims)
    if architecture.supported and (reason := architecture.supported(c)):
        raise UnsupportedError(f"{model_type}: {reason}")
    name = choose_class(config, architecture)
    head = architecture.heads[name]
    base = Place(prefix=head.base, embedding=head.base + (head.embedding or architecture.embedding))
    rows = [*(head.body or architecture.body)(c, base)]
    for block in head.blocks:
        rows += block(c, Place(embedding=base.embedding))
    if (key := find_refused(config, c.read)) is not None:
        raise UnsupportedError(f"{model_type}: {key} changes single layers, which is not followed")
    tensors = tuple([row for row in rows if type(row) is Tensor])
    states = tuple([row for row in rows if type(row) is State])
    text = architecture.text(c) if architecture.text else c
    return Ledger(architecture, name, c, text, tensors, states)


#: What most values are, and no section; asked first because it is quick.
_SCALARS = frozenset((str, int, float, bool, list, type(None)))


def find_refused(config: Mapping[str, Any], read: Collection[str]) -> str | None:
    """The path of a ``per_layer_config`` that gives single layers sizes of their own and that no block has read."""
    sections = [("", config)]
    while sections:
        path, section = sections.pop()
        if section.get(KEY) and path + KEY not in read:
            return path + KEY
        sections += [
            (f"{path}{key}.", value)
            for key, value in section.items()
            if type(value) not in _SCALARS and isinstance(value, Mapping) and key != "quantization_config"
        ]
    return None


def choose_class(config: Mapping[str, Any], architecture: Architecture) -> str:
    """The class that the weights are for: the one named, else the natural one of the type."""
    named = config.get("architectures")
    if named is None or named == []:
        return architecture.natural
    first = named[0] if isinstance(named, list) else named
    if not isinstance(first, str):
        raise UnsupportedError(f"{architecture.model_type}: architectures[0] is {first!r:.60}, not a name")
    if first in architecture.heads:
        return first
    return OTHER_NAMES.get(architecture.model_type, {}).get(first) or find_twin(config, architecture, first)


def find_twin(config: Mapping[str, Any], architecture: Architecture, class_name: str) -> str:
    """The class of this type that has the same tensors as ``class_name``, of another type, has with this config.

    Raises UnsupportedError when no type has the class, or lays this config out otherwise.
    """
    model_type, owners = architecture.model_type, find_owners(class_name)
    for owner in owners:
        name = find_counterpart(class_name, owner, architecture)
        if name is None:
            continue
        with suppress(UnsupportedError):
            theirs = build_ledger({**config, "model_type": owner.model_type, "architectures": [class_name]})
            if theirs.tensors == build_ledger({**config, "architectures": [name]}).tensors:
                return name
    if owners:
        of = owners[0].model_type
        raise UnsupportedError(f"{model_type}: class {class_name!r:.80} is one of {of}, other than those of this type")
    raise UnsupportedError(f"{model_type}: class {class_name!r:.80} is not known")


_LAYERS = State._fields.index("layers")


def spell_layers(layers: Sequence[int] | None) -> object:
    """The same for the same layers, as a range or as a list."""
    if not layers:
        return layers
    return (layers[0], layers[-1]) if layers[-1] - layers[0] == len(layers) - 1 else (*layers,)


def fingerprint_ledger(ledger: Ledger) -> str:
    """Hash of all that shapes the ledger: two configs with the same rows share it."""
    # Many rows share their layers.
    lists = {id(row.layers): row.layers for row in ledger.tensors} | {
        id(row.layers): row.layers for row in ledger.states
    }
    spelled = {key: spell_layers(layers) for key, layers in lists.items()}
    rows: list[object] = [ledger.architecture.model_type, ledger.class_name]
    rows += [
        (name, shape, part, op, spelled[id(layers)], copies, used, of, tied_to, role, stack)
        for name, shape, part, op, layers, copies, used, of, tied_to, role, stack in ledger.tensors
    ]
    rows += [(*state[:_LAYERS], spelled[id(state.layers)], *state[_LAYERS + 1 :]) for state in ledger.states]
    # Version 2 writes equal values as equal bytes, whichever objects hold them.
    return hashlib.blake2b(marshal.dumps(rows, 2), digest_size=12).hexdigest()
