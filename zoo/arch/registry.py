"""All architectures by ``model_type``. A family file declares its own; two for one type are an error at import."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.rows import Block


@dataclass(frozen=True)
class Head:
    """A class that wraps the base model: where the base stands in it, and what it adds.

    ``body`` stands in for the architecture's own where the class has only a part of it (an encoder alone, the text of
    a model with a tower); ``embedding`` is the name of the input embedding there, where it is another.
    """

    base: str = ""
    blocks: tuple[Block, ...] = ()
    body: Block | None = None
    embedding: str | None = None


@dataclass(frozen=True)
class Architecture:
    """What a ``model_type`` is made of.

    ``body`` is the base model (``LlamaModel``), with names as that class has them; ``heads`` are the classes that can
    be named in ``architectures``. ``natural`` is the class taken when none is named.
    """

    model_type: str
    family: str
    body: Block
    heads: Mapping[str, Head]
    natural: str
    dims: Mapping[str, Dim] = field(default_factory=dict)
    norm: str = "rmsnorm"
    position: str = "rope"
    text: Callable[[Config], Config] | None = None  #: the section that shape and attention facts are read from
    embedding: str = "embed_tokens.weight"  #: name of the input embedding below the base, for tied heads
    example: str = ""  #: a model on the Hub of this type
    about: str = ""  #: one sentence: what is particular about it
    verified: str = ""  #: one sentence: what a type that transformers does not have was checked against
    supported: Callable[[Config], str | None] | None = None  #: a reason why this config cannot be counted, or None


_ARCHITECTURES: dict[str, Architecture] = {}


def register(*architectures: Architecture) -> None:
    """Declare architectures; raises ValueError for a type that is declared already."""
    for architecture in architectures:
        if architecture.model_type in _ARCHITECTURES:
            raise ValueError(f"{architecture.model_type} is declared twice")
        _ARCHITECTURES[architecture.model_type] = architecture


@cache
def load_architectures() -> Mapping[str, Architecture]:
    """Every architecture, by model type, after importing every family file."""
    from zoo.arch import families

    for module in pkgutil.iter_modules(families.__path__):
        import_module(f"{families.__name__}.{module.name}")
    return _ARCHITECTURES


def find_architecture(model_type: str) -> Architecture:
    """The architecture of ``model_type``; raises UnsupportedError naming the type when there is none."""
    try:
        return load_architectures()[model_type]
    except KeyError:
        raise UnsupportedError(f"model_type {model_type!r:.80} is not known") from None
