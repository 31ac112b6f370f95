"""Sizes of single layers: ``per_layer_config``, which transformers writes of models whose layers differ.

Each entry names a layer and the keys in which it differs from the rest of the config. A class that works the
differences out itself does so only where the file has no ``per_layer_config`` at all, not where it is empty or null.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError
from zoo.arch.layers import Kinds
from zoo.arch.rows import Block, Place, Row

KEY = "per_layer_config"

#: By layer, the keys in which it differs and their values.
Overrides = Mapping[int, Mapping[str, Any]]

_ABSENT = object()


def read_overrides(c: Config, follows: Collection[str], derive: Callable[[Config], Overrides]) -> Overrides:
    """What differs in single layers: as the file says, else as the class works it out with ``derive``.

    Raises UnsupportedError when the file changes a key that is not among ``follows``, or a layer that is not there.
    """
    if KEY not in c.raw:
        return {layer: without_the_same(c, changes) for layer, changes in derive(c).items()}
    said, where = c[KEY], f"{c.model_type}: {c.path}{KEY}"
    if said is None:
        return {}
    if not isinstance(said, Mapping):
        raise UnsupportedError(f"{where} is not an object")
    found: dict[int, Mapping[str, Any]] = {}
    for word, changes in said.items():
        layer = int(word) if word.isascii() and word.isdecimal() and len(word) <= len(str(MAX_LAYERS)) else -1
        if not 0 <= layer < c.layers or layer in found:
            raise UnsupportedError(f"{where} names layer {word!r:.20}, which is none of its {c.layers}, or twice")
        if not isinstance(changes, Mapping):
            raise UnsupportedError(f"{where} of layer {layer} is not an object")
        found[layer] = without_the_same(c, changes)
        if strange := found[layer].keys() - set(follows):
            raise UnsupportedError(f"{where} changes {min(strange)!r:.40} in single layers, which is not followed")
    return found


def without_the_same(c: Config, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """``changes`` without what the whole config says anyway, and without an empty list of parts to skip."""
    same: dict[str, Any] = {"skip": []}
    return {key: value for key, value in changes.items() if value != same.get(key, c.get(key, _ABSENT))}


def size_layer(c: Config, changes: Mapping[str, Any]) -> Config:
    """The config as a layer with ``changes`` sees it."""
    inner = Config({**c.raw, **changes}, c.model_type, c.dims, parent=c.parent, path=c.path, spec=c.spec)
    inner.read = c.read
    return inner


@dataclass(frozen=True)
class PerLayer:
    """Blocks that see the sizes of their own layers; those with the same sizes are one place."""

    follows: tuple[str, ...]  #: the keys that the class reads layer by layer
    derive: Callable[[Config], Overrides]  #: what differs where the file does not say so
    blocks: tuple[Block, ...]
    alike: Kinds | None = None  #: layers of one of these kinds must not differ, or the class refuses them

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        overrides = read_overrides(c, self.follows, self.derive)
        if self.alike is not None:
            check_alike(c, overrides, self.alike)
        for inner, layers in group_sizes(c, overrides, range(c.layers) if p.layers is None else p.layers):
            for block in self.blocks:
                yield from block(inner, p._replace(layers=layers))


def group_sizes(c: Config, overrides: Overrides, layers: Iterable[int]) -> Iterator[tuple[Config, list[int]]]:
    """The layers that share their sizes, and the config as these see it."""
    groups: dict[str, list[int]] = {}
    for layer in layers:
        groups.setdefault(repr(sorted(overrides.get(layer, {}).items())), []).append(layer)
    for together in groups.values():
        yield size_layer(c, overrides.get(together[0], {})), together


def check_alike(c: Config, overrides: Overrides, kinds: Kinds) -> None:
    """Raises UnsupportedError when layers of one kind differ, where the class knows each kind by one of its layers."""
    first: dict[str, Mapping[str, Any]] = {}
    for layer, kind in enumerate(kinds(c)):
        if first.setdefault(kind, overrides.get(layer, {})) != overrides.get(layer, {}):
            raise UnsupportedError(f"{c.model_type}: {c.path}{KEY} gives layers of kind {kind!r:.40} different sizes")
