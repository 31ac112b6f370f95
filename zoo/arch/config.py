"""The Config view: how an architecture reads a ``config.json``.

A key is looked up as written, then under the other name that its class knows it by, then among the defaults that the
class of this ``model_type`` declares (``defaults.json``, written from transformers). A key that is nowhere raises: no
number is ever guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

#: No dimension of a real model comes near; beyond it, sums would leave 64 bits.
MAX_DIMENSION = 1 << 34
MAX_LAYERS = 10_000


class UnsupportedError(ValueError):
    """This config cannot be counted; ``str(error)`` is the reason, naming the key or type that stopped it."""


class MissingKeyError(UnsupportedError):
    """``key`` is neither in the config nor among the defaults of ``model_type``."""

    def __init__(self, model_type: str, key: str) -> None:
        self.model_type, self.key = model_type, key
        super().__init__(f"{model_type}: the config has no {key!r} and the type declares no default for it")


class TypeSpec(NamedTuple):
    """What a ``model_type`` declares: defaults, other names of keys, and the types of its sections."""

    defaults: Mapping[str, Any]
    aliases: Mapping[str, tuple[str, ...]]  #: all names of a key that has several; the last is declared, and gives way
    sections: Mapping[str, str]
    fixed: Sequence[str] = ()  #: sections that are of the declared type whatever the file says
    filled: Mapping[str, Mapping[str, Any]] = {}  # never written to: what a missing section holds


@cache
def load_specs() -> Mapping[str, Mapping[str, Any]]:
    """``defaults.json`` as it is: by model type."""
    text = files("zoo.arch").joinpath("defaults.json").read_text(encoding="utf-8")
    types: Mapping[str, Mapping[str, Any]] = json.loads(text)["types"]
    return types


@cache
def find_spec(model_type: str) -> TypeSpec:
    """The declarations for ``model_type``; empty for a type that transformers does not have."""
    entry = load_specs().get(model_type, {})
    others: dict[str, list[str]] = {}
    for alias, own in entry.get("aliases", {}).items():
        both = alias in entry.get("defaults", {}) and own in entry.get("defaults", {})
        if not both:  # declared as well, the other name is set before its own and never seen
            others.setdefault(own, []).append(alias)
    # What the class declares is set first, under whichever name; any other name that a file has overwrites it.
    declared = entry.get("defaults", {})
    groups = [tuple(sorted((*aliases, own), key=declared.__contains__)) for own, aliases in others.items()]
    names = {name: group for group in groups for name in group}
    sections = (entry.get("sections", {}), entry.get("fixed", ()), entry.get("filled", {}))
    return TypeSpec(entry.get("defaults", {}), names, *sections)


_ABSENT = object()

#: A dimension: the key that holds it, or how to work it out.
Dim = str | Callable[["Config"], Any]


class Config:
    """A read-only view of one section of a config, which remembers the keys that were read.

    ``c["key"]`` is the value (None where the config or the default says null), ``c.hidden`` and the like are the
    dimensions that blocks use, by the names in :data:`DIMS` or those the architecture gives.
    """

    def __init__(
        self,
        raw: Mapping[str, Any],
        model_type: str,
        dims: Mapping[str, Dim] | None = None,
        *,
        parent: Config | None = None,
        path: str = "",
        spec: TypeSpec | None = None,
    ) -> None:
        self.raw = raw
        self.model_type = model_type
        self.spec = spec or find_spec(model_type)
        self.dims: Mapping[str, Dim] = dims or {}
        self.parent = parent
        self.path = path
        #: the path of each key that was looked up, and where its value is from; shared with the sections
        self.read: dict[str, str] = parent.read if parent else {}

    def _find(self, key: str) -> Any:
        names = self.spec.aliases.get(key)
        if names is not None:
            return self._find_named(key, names)
        value = self.raw.get(key, _ABSENT)
        if value is not _ABSENT:
            self.read[self.path + key] = "config"
            return value
        value = self.spec.defaults.get(key, _ABSENT)
        if value is not _ABSENT:
            self.read[self.path + key] = "unset" if value is None else "default"
        return value

    def _find_named(self, key: str, names: tuple[str, ...]) -> Any:
        """As :meth:`_find`, for a key that has several names."""
        for name in names:
            value = self.raw.get(name, _ABSENT)
            if value is not _ABSENT:
                self.read[self.path + name] = "config"
                if len(names) > 2:
                    self._refuse_other(name, value, names)
                return value
        for name in names:
            value = self.spec.defaults.get(name, _ABSENT)
            if value is not _ABSENT:
                self.read[self.path + key] = "unset" if value is None else "default"
                return value
        return _ABSENT

    def _refuse_other(self, name: str, value: Any, names: tuple[str, ...]) -> None:
        """Of two names that the class does not declare the last in the file wins, and a stored config has no order."""
        for other in names:
            if (
                self.raw.get(other, value) != value
                and name not in self.spec.defaults
                and other not in self.spec.defaults
            ):
                raise UnsupportedError(f"{self.model_type}: {self.path}{name} and {other} are one key, and differ")

    def __getitem__(self, key: str) -> Any:
        value = self._find(key)
        if value is _ABSENT:
            raise MissingKeyError(self.model_type, f"{self.path}{key}")
        return value

    def __contains__(self, key: str) -> bool:
        """Whether the config itself says ``key``, under any of its names."""
        return any(name in self.raw for name in self.spec.aliases.get(key) or (key,))

    def get(self, key: str, absent: Any = None) -> Any:
        """The value, or ``absent`` for a key that the class treats as absent when it is not there."""
        value = self._find(key)
        return absent if value is _ABSENT else value

    def whole(self, key: str, *, least: int = 0) -> int:
        """The value as an integer of at least ``least``; raises UnsupportedError when it is not one."""
        value = self._find(key)
        if type(value) is int and least <= value <= MAX_DIMENSION:  # no words for what needs none
            return value
        return check_whole(self[key], f"{self.model_type}: {self.path}{key}", least)

    def maybe(self, key: str, *, least: int = 0) -> int | None:
        """Like :meth:`whole`, but None where the config or its default is null or absent."""
        value = self.get(key)
        if value is None or (type(value) is int and least <= value <= MAX_DIMENSION):
            return value
        return check_whole(value, f"{self.model_type}: {self.path}{key}", least)

    def flag(self, key: str) -> bool:
        """The value as a boolean (null is false, as the classes take it)."""
        value = self[key]
        if value is True or value is False:
            return value
        if value is None or value in (0, 1):
            return bool(value)
        raise UnsupportedError(f"{self.model_type}: {self.path}{key} is {value!r:.60}, not true or false")

    def words(self, key: str, length: int | None = None) -> Sequence[str]:
        """The value as a list of strings, of ``length`` where given."""
        value = self[key]
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
            raise UnsupportedError(f"{self.model_type}: {self.path}{key} is not a list of names")
        if length is not None and len(value) != length:
            raise UnsupportedError(
                f"{self.model_type}: {self.path}{key} names {len(value)} layers where the model has {length}"
            )
        return value

    def section(self, key: str, dims: Mapping[str, Dim] | None = None, *, flat: bool = False) -> Config:
        """The nested config ``key`` as a view of its own type.

        Its type is what it says, else what this type declares for it. With ``flat``, a missing section is read from
        this one: files written before the section existed keep its keys at the top.
        """
        value = self.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise UnsupportedError(f"{self.model_type}: {self.path}{key} is not an object")
        missing = self.raw if flat else self.spec.filled.get(key, {})
        raw: Mapping[str, Any] = missing if value is None else value
        declared = self.spec.sections.get(key)
        said = None if value is None or key in self.spec.fixed else raw.get("model_type")
        model_type = said if isinstance(said, str) and said else declared
        if model_type is None:
            raise MissingKeyError(self.model_type, f"{self.path}{key}.model_type")
        return Config(raw, model_type, dims, parent=self, path=f"{self.path}{key}.")

    def dim(self, name: str) -> Any:
        """A dimension by its short name, worked out once."""
        return getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is not there yet: a dimension, once worked out, is a plain attribute.
        rule = (self.dims.get(name) or DIMS.get(name)) if name[:1] != "_" else None
        if rule is None:
            raise AttributeError(f"{self.model_type} has no dimension {name!r}")
        value = self.whole(rule) if isinstance(rule, str) else rule(self)
        self.__dict__[name] = value
        return value


def check_whole(value: Any, what: str, least: int = 0) -> int:
    """``value`` if it is an integer in the range of a dimension; else UnsupportedError that says what it is."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnsupportedError(f"{what} is {value!r:.60}, not a whole number")
    if not least <= value <= MAX_DIMENSION:
        raise UnsupportedError(f"{what} is {value!s:.30}, out of range")
    return value


def divide(c: Config, whole: int, by: int, what: str) -> int:
    """``whole // by``; raises UnsupportedError, naming ``what``, when ``by`` is 0."""
    if by == 0:
        raise UnsupportedError(f"{c.model_type}: {what} is 0")
    return whole // by


def read_layers(c: Config) -> int:
    layers = c.whole("num_hidden_layers")
    if layers > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {c.path}num_hidden_layers is {layers}, out of range")
    return layers


def read_kv_heads(c: Config) -> int:
    """``num_key_value_heads``; null means one for each query head."""
    if c["num_key_value_heads"] is None:
        return int(c.heads)
    return c.whole("num_key_value_heads", least=1)


def read_head_dim(c: Config) -> int:
    """``head_dim`` when the config has one, else hidden size / heads."""
    explicit = c.maybe("head_dim")
    return explicit if explicit else divide(c, c.hidden, c.heads, "num_attention_heads")


def split_heads(c: Config) -> int:
    """Hidden size / heads, for classes that know no ``head_dim`` key; they refuse heads that do not divide it."""
    if c.hidden % c.heads:
        raise UnsupportedError(f"{c.model_type}: hidden size {c.hidden} is not a multiple of its {c.heads} heads")
    return int(c.hidden // c.heads)


def read_positive(key: str) -> Callable[[Config], int]:
    return lambda c: c.whole(key, least=1)


#: Keys that name the non-linearity; descriptive only, nothing is counted from it.
ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function", "activation", "dense_act_fn")

#: The dimensions that blocks ask for, and where they are unless an architecture says otherwise.
DIMS: Mapping[str, Dim] = {
    "hidden": read_positive("hidden_size"),
    "layers": read_layers,
    "heads": read_positive("num_attention_heads"),
    "kv_heads": read_kv_heads,
    "head_dim": read_head_dim,
    "v_head_dim": lambda c: c.head_dim,
    "ffn": "intermediate_size",
    "vocab": read_positive("vocab_size"),
    "context": lambda c: c.maybe("max_position_embeddings"),
    "window": lambda c: c.maybe("sliding_window") or None,
    "activation": lambda c: next((word for key in ACTIVATIONS if isinstance(word := c.get(key), str)), None),
    "tied": lambda c: c.get("tie_word_embeddings") is not None and c.flag("tie_word_embeddings"),
    "labels": lambda c: read_labels(c),
    "experts": lambda c: 0,
    "experts_per_token": lambda c: 0,
    "shared_experts": lambda c: 0,
    "expert_ffn": lambda c: c.ffn,
}


#: What differs from DIMS in classes with one key and value per head and no key for either.
MULTI_HEAD: Mapping[str, Dim] = {"kv_heads": lambda c: c.heads, "head_dim": split_heads}


def read_labels(c: Config) -> int:
    """Outputs of a classifier: ``num_labels`` where the file has it, else the length of ``id2label``, else 2."""
    labels, names = c.raw.get("num_labels"), c.raw.get("id2label")
    if labels is not None:
        return check_whole(labels, f"{c.model_type}: num_labels", 1)
    return len(names) if isinstance(names, Mapping) else 2
