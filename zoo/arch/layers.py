"""How blocks are put together: below a name, in every layer, in some layers, in a section of the config."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError
from zoo.arch.registry import find_architecture
from zoo.arch.rows import Block, Place, Row

#: From the config to one word for each layer: which kind it is.
Kinds = Callable[[Config], Sequence[str]]
#: A switch: on, off, the key of a boolean in the config, or worked out from it.
Flag = bool | str | Callable[[Config], bool]


def is_on(c: Config, flag: Flag) -> bool:
    """The state of ``flag`` for this config."""
    if flag is True or flag is False:
        return flag
    return c.flag(flag) if isinstance(flag, str) else bool(flag(c))


@dataclass(frozen=True)
class At:
    """Blocks below a name: ``At("self_attn", Attention())`` gives ``self_attn.q_proj.weight``."""

    name: str
    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        below = p.at(self.name)
        rows: list[Row] = []
        for block in self.blocks:
            rows += block(c, below)
        return rows  # a list: at this depth, passing rows on one by one would cost more than making them


def at(name: str, *blocks: Block) -> At:
    return At(name, blocks)


@dataclass(frozen=True)
class Stack:
    """The same layer many times: ``layers.{}.…`` for each of ``count`` layers."""

    name: str
    blocks: tuple[Block, ...]
    count: str = "layers"  #: the dimension that says how many
    stack: str | None = None

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        count = c.dim(self.count)
        if count > MAX_LAYERS:
            raise UnsupportedError(f"{c.model_type}: {count} layers are out of range")
        rows: list[Row] = []
        if count == 0:
            return rows
        stack = self.stack or p.stack
        place = Place(f"{p.prefix}{self.name}.{{}}.", range(count), p.part, stack, p.role, p.embedding)
        for block in self.blocks:
            rows += block(c, place)
        return rows


def stack(name: str, *blocks: Block, count: str = "layers", of: str | None = None) -> Stack:
    return Stack(name, blocks, count, of)


@dataclass(frozen=True)
class ByKind:
    """Different blocks in different layers; a kind with no entry is an error, one with an empty tuple has none."""

    kinds: Kinds
    choices: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        rows: list[Row] = []
        for kind, layers in group_layers(self.kinds(c), p.layers).items():
            blocks = self.choices.get(kind)
            if blocks is None:
                raise UnsupportedError(f"{c.model_type}: layers of kind {kind!r:.40} are not known")
            there = p.within(layers)
            for block in blocks:
                rows += block(c, there)
        return rows


def by_kind(kinds: Kinds, **choices: Block | tuple[Block, ...]) -> ByKind:
    return ByKind(kinds, {kind: b if isinstance(b, tuple) else (b,) for kind, b in choices.items()})


@dataclass(frozen=True)
class When:
    """Blocks that are there only when a flag is on."""

    flag: Flag
    blocks: tuple[Block, ...]
    otherwise: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        rows: list[Row] = []
        for block in self.blocks if is_on(c, self.flag) else self.otherwise:
            rows += block(c, p)
        return rows


def when(flag: Flag, *blocks: Block, otherwise: tuple[Block, ...] = ()) -> When:
    return When(flag, blocks, otherwise)


@dataclass(frozen=True)
class Section:
    """The whole architecture of a nested config, in its place: ``text_config``, ``vision_config``.

    With ``part``, all of it counts as that part; a section that is not the text's keeps no cache (its states are
    dropped) unless it is the text.
    """

    key: str
    name: str
    part: str | None = None
    flat: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        inner = open_section(c, self.key, flat=self.flat)
        place = p.at(self.name)
        if self.part:
            place = place.of_tower(self.part, self.part)
        architecture = find_architecture(inner.model_type)
        if architecture.supported and (reason := architecture.supported(inner)):
            raise UnsupportedError(f"{inner.model_type}: {reason}")
        return architecture.body(inner, place)


def text_section(key: str = "text_config", name: str = "language_model", *, flat: bool = False) -> Section:
    return Section(key, name, None, flat)


def vision_section(key: str = "vision_config", name: str = "vision_tower") -> Section:
    return Section(key, name, "vision")


def open_section(c: Config, key: str, *, flat: bool = False) -> Config:
    """The nested config ``key``, read the way the architecture of its type reads it."""
    inner = c.section(key, flat=flat)
    inner.dims = find_architecture(inner.model_type).dims
    return inner


@dataclass(frozen=True)
class Resized:
    """Blocks that see other sizes than the rest of the model: more KV heads in sliding layers, a wider input."""

    dims: Mapping[str, Dim]
    blocks: tuple[Block, ...]

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        inner = Config(c.raw, c.model_type, {**c.dims, **self.dims}, parent=c.parent, path=c.path, spec=c.spec)
        inner.read = c.read
        for block in self.blocks:
            yield from block(inner, p)


def resized(dims: Mapping[str, Dim], *blocks: Block) -> Resized:
    return Resized(dims, blocks)


def group_layers(kinds: Sequence[str], layers: Sequence[int] | None) -> dict[str, list[int]]:
    """The layers of each kind, in order; ``layers`` limits them to those that the block stands in."""
    groups: dict[str, list[int]] = {}
    for layer in range(len(kinds)) if layers is None else layers:
        groups.setdefault(kinds[layer], []).append(layer)
    return groups


def every(kind: str) -> Kinds:
    """All layers are of this kind."""
    return lambda c: [kind] * c.layers


def layer_types(otherwise: Kinds) -> Kinds:
    """What ``layer_types`` says, else what ``otherwise`` works out from older keys."""

    def read(c: Config) -> Sequence[str]:
        return otherwise(c) if c.get("layer_types") is None else c.words("layer_types", c.layers)

    return read


#: Older words for kinds of layers, which transformers takes for the newer.
OLDER_KINDS = {
    "mamba": "linear_attention",
    "attention": "full_attention",
    "deepseek_sparse_attention": "indexed_attention",
    "qwen_sparse_attention": "indexed_attention",
}


def named_kinds(otherwise: Kinds, key: str = "layer_types") -> Kinds:
    """What the list ``key`` says, older words replaced by the newer, else what ``otherwise`` works out."""

    def read(c: Config) -> Sequence[str]:
        if c.get(key) is None:
            return otherwise(c)
        return [OLDER_KINDS.get(word, word) for word in c.words(key, c.layers)]

    return read
