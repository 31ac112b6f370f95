"""Letters for sizes: which product of a model's dimensions a number in a tensor's shape is.

The ledger knows shapes as numbers. Here each number is named again, by the dimensions that the same config gives: 4,096
is ``n_q·d`` on one side of ``q_proj`` and ``H`` on the other. A name is used only when its value is that number, so a
formula can be unusual but never wrong; where none fits, the number stands for itself.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.layers import open_section
from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.explain.body import peek
from zoo.explain.letters import (
    ANY,
    AXES,
    COUNTS,
    DIMENSIONS,
    KEYS,
    LEAST,
    LIKE_A_SIZE,
    MARKS,
    NO_SIDES,
    NO_SIZE,
    PATTERNS,
    SECTION_KEYS,
    Symbol,
)
from zoo.metrics.sums import TOWER_PARTS


class Factor(NamedTuple):
    """One factor of a product, in letters, in LaTeX, in numbers, and its value."""

    text: str
    latex: str
    numbers: str
    value: int
    letters: tuple[str, ...] = ()


def number_factor(value: int) -> Factor:
    """A number that stands for itself."""
    return Factor(f"{value:,}", f"{value:,}".replace(",", "{,}"), f"{value:,}", value)


def write_letter(text: str) -> str:
    """A letter with its mark in LaTeX: ``n_kv`` is ``n_{kv}``; a longer name is upright."""
    name, _, mark = text.partition("_")
    if len(name) > 1:
        return rf"\mathrm{{{text.replace('_', chr(92) + '_')}}}"
    return f"{name}_{{{mark.replace('_', ',')}}}" if mark else name


@cache
def parse_formula(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


class Sizes:
    """The letters of one section of a config and their values. ``mark`` sets them apart from those of the text."""

    def __init__(self, c: Config, mark: str = "") -> None:
        self.mark = mark
        self.values: dict[str, int] = {}
        self.symbols: dict[str, Symbol] = {}
        for symbol in DIMENSIONS:
            self.add(symbol, read_size(c, symbol.source))
        for symbol in KEYS:
            if symbol.text not in self.values:
                self.add(symbol, next((v for key in symbol.source.split() if type(v := peek(c, key)) is int), None))
        self._add_patches(c)
        if self.values.get("d_v") == self.values.get("d"):
            self.values.pop("d_v", None)
        known = {symbol.source for symbol in DIMENSIONS} | NO_SIDES
        self.own = [name for name in c.dims if name not in known]
        for name in self.own:
            self.add(Symbol(name, name, name.replace("_", " ")), read_size(c, name))
        self.keys = self._read_keys(c)

    def _add_patches(self, c: Config) -> None:
        """How many patches an image has, where its side is known."""
        side, patch = peek(c, "image_size"), self.values.get("p")
        if "N_p" not in self.values and type(side) is int and patch:
            said = "patches of an image: (image size / patch size)², rounded down"
            self.add(Symbol("N_p", "patches", said), (side // patch) ** 2)

    def add(self, symbol: Symbol, value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            self.values[symbol.text], self.symbols[symbol.text] = value, symbol

    def _read_keys(self, c: Config) -> dict[int, str]:
        """Keys of the config by their number, where one key alone has it and no letter stands for that number."""
        keys: dict[int, list[str]] = {}
        for key, value in c.raw.items():
            if (
                type(value) is int
                and key.isidentifier()
                and value >= LEAST
                and LIKE_A_SIZE.search(key)
                and not NO_SIZE.search(key)
            ):
                keys.setdefault(value, []).append(key)
        taken = set(self.values.values())
        return {value: names[0] for value, names in keys.items() if len(names) == 1 and value not in taken}

    def evaluate(self, formula: str) -> tuple[Factor, ...] | None:
        """The factors of ``formula``, or None when a letter of it has no value here."""
        try:
            return tuple(self._factors(parse_formula(formula)))
        except KeyError:
            return None

    def _factors(self, node: ast.expr) -> Iterator[Factor]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            yield from self._factors(node.left)
            yield from self._factors(node.right)
        elif isinstance(node, ast.BinOp):
            yield self._add_up([*self._factors(node.left)], [*self._factors(node.right)])
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield number_factor(node.value)
        elif isinstance(node, ast.Name):
            yield self.letter(node.id)

    def letter(self, name: str) -> Factor:
        """The factor of one letter. Raises KeyError when it has no value here."""
        value = self.values[name]
        text = f"{name}_{self.mark}" if self.mark else name
        return Factor(text, write_letter(text), f"{value:,}", value, (text,))

    def _add_up(self, left: Sequence[Factor], right: Sequence[Factor]) -> Factor:
        one, two = (open_sum(join_factors(side)) if len(side) == 1 else join_factors(side) for side in (left, right))
        return Factor(
            f"({one.text} + {two.text})",
            f"({one.latex} + {two.latex})",
            f"({one.numbers} + {two.numbers})",
            one.value + two.value,
            one.letters + two.letters,
        )

    def find(self, size: int, formulas: Iterable[str]) -> tuple[Factor, ...] | None:
        """The first of ``formulas`` whose value is ``size``."""
        for formula in formulas:
            factors = self.evaluate(formula)
            if factors and join_factors(factors).value == size:
                return factors
        return None

    def find_any(self, size: int) -> tuple[Factor, ...] | None:
        """A dimension that the architecture names itself, or the one key of the config that has this number."""
        wide = [name for name in self.own if self.values.get(name, 0) >= LEAST]
        for times in (1, 2, 3, 4):
            found = self.find(size, wide if times == 1 else [f"{times}*{name}" for name in wide])
            if found:
                return found
        if size in self.keys:
            key = self.keys[size]
            return (Factor(key, write_letter(key), f"{size:,}", size),)
        return None


def open_sum(factor: Factor) -> Factor:
    """A sum without its parentheses, to be added to; any other factor as it is."""
    if not factor.text.startswith("("):
        return factor
    text, latex, numbers = (each[1:-1] for each in factor[:3])
    return factor._replace(text=text, latex=latex, numbers=numbers)


def join_factors(factors: Sequence[Factor]) -> Factor:
    """Their product as one factor."""
    value = 1
    for factor in factors:
        value *= factor.value
    return Factor(
        "·".join(f.text for f in factors),
        r" \cdot ".join(f.latex for f in factors),
        " × ".join(f.numbers for f in factors),
        value,
        tuple(letter for f in factors for letter in f.letters),
    )


def is_size(key: str) -> bool:
    """Whether a key holds what may be the side of a matrix, by its name."""
    return key.isidentifier() and LIKE_A_SIZE.search(key) is not None and NO_SIZE.search(key) is None


def read_size(c: Config, name: str) -> object:
    """The dimension ``name``, or None where the config has no such thing."""
    try:
        return c.dim(name)
    except (UnsupportedError, AttributeError, TypeError):
        return None


def open_sizes(c: Config, key: str, mark: str) -> Sizes:
    """The letters of the section ``key``, by its own architecture, else by the usual keys."""
    try:
        return Sizes(open_section(c, key), mark)
    except UnsupportedError:
        raw = c.raw.get(key)
        raw = raw if isinstance(raw, Mapping) else {}
        sizes = Sizes(Config(raw, "", {}), mark)
        symbols = {symbol.text: symbol for symbol in DIMENSIONS}
        for letter, keys in SECTION_KEYS.items():
            sizes.add(symbols[letter], next((raw[name] for name in keys if name in raw), None))
        values = sizes.values
        if "H" in values and "n_q" in values:
            sizes.add(symbols["d"], values["H"] // values["n_q"])
            sizes.add(symbols["n_kv"], values["n_q"])
        return sizes


def open_views(c: Config, text: Config) -> dict[str, Sizes]:
    """The letters of every section but that of the text, by the section's name without ``_config``."""
    found: dict[str, Sizes] = {}
    for key in dict.fromkeys((*c.spec.sections, *(key for key in c.raw if key.endswith("_config")))):
        path = f"{c.path}{key}."
        if text.path.startswith(path):
            if text.path != path:
                found |= open_views(c.section(key), text)
            continue
        stem = key.removesuffix("_config")
        mark = next((mark for piece, mark in MARKS.items() if piece in stem), stem[:3])
        sizes = open_sizes(c, key, mark if all(mark != view.mark for view in found.values()) else stem)
        if "H" in sizes.values:
            found[stem] = sizes
    return found


def layers_of(tensors: Iterable[Tensor]) -> frozenset[int]:
    return frozenset(layer for tensor in tensors for layer in tensor.layers or ())


class Namer:
    """Names the sides of every tensor of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        read = dict(ledger.config.read)
        self.text = Sizes(ledger.text)
        self.sections = open_views(ledger.config, ledger.text)
        ledger.config.read.clear()  # what is looked up here shapes nothing
        ledger.config.read.update(read)
        self.encoder: Collection[int] = layers_of(t for t in ledger.parameters if t.stack == "encoder")
        self.kinds = self._name_kinds(ledger)

    def _name_kinds(self, ledger: Ledger) -> list[tuple[frozenset[int], str]]:
        """The layers that a letter stands for, in the order in which they are tried."""
        own = [t for t in ledger.parameters if t.stack != "encoder" and t.part not in TOWER_PARTS]
        parts = {part: layers_of(t for t in own if t.part == part) for part in AXES}
        spans = {
            kind: frozenset(n for s in ledger.states if s.kind == kind and s.stack == "decoder" for n in s.layers or ())
            for kind in ("full", "sliding", "chunked", "cross")
        }
        kinds = {
            "L_e": parts["experts"],
            "L_d": parts["mlp"],
            "L_a": parts["attention"],
            "L_r": parts["recurrent"],
            "L_g": spans["full"],
            "L_s": spans["sliding"],
            "L_c": spans["chunked"],
            "L_x": spans["cross"],
            "L_enc": frozenset(self.encoder),
        }
        whole = frozenset(range(self.text.values.get("L", 0)))
        found = [(whole, "L")] if whole else []
        for letter, layers in kinds.items():
            if layers:
                self.text.values[letter] = len(layers)
                self.text.symbols[letter] = Symbol(letter, "", COUNTS[letter])
                found += [(layers, letter)] if letter != "L_enc" else []
        return found

    def views(self, tensor: Tensor) -> list[Sizes]:
        """Whose letters to try, in order: of the section that the tensor is named after, of its part, of the text."""
        if not self.sections:
            return [self.text]
        named = [view for stem, view in self.sections.items() if stem in tensor.name]
        marks = {"vision": "vis", "audio": "aud"}
        of_part = [view for view in self.sections.values() if view.mark == marks.get(tensor.part)]
        if tensor.part == "projector":
            return [self.text, *self.sections.values()]
        if tensor.part in marks:
            return list(dict.fromkeys((*named, *of_part))) or [self.text]
        return [*named, self.text] if tensor.part == "other" else [self.text]

    def name_sides(self, tensor: Tensor) -> list[tuple[Factor, ...]]:
        """The factors of each side of ``tensor``."""
        for view in self.views(tensor):
            if named := match_module(view, tensor):
                return named
        formulas = AXES.get(tensor.part, ANY)
        return [self._name_side(tensor, size, formulas) for size in tensor.shape]

    def _name_side(self, tensor: Tensor, size: int, formulas: Iterable[str]) -> tuple[Factor, ...]:
        if size == 1:
            return ()
        views = self.views(tensor)
        for view in views:
            if found := view.find(size, formulas):
                return found
        for view in views:
            if found := view.find_any(size):
                return found
        return (number_factor(size),)

    def name_count(self, tensor: Tensor, layers: Collection[int]) -> Factor:
        """The number of ``layers``, all that have ``tensor``, as a letter where one stands for just these."""
        view = self.views(tensor)[0]
        if view is not self.text or tensor.part in TOWER_PARTS:
            return (view.find(len(layers), ["L"]) or (number_factor(len(layers)),))[0]
        if tensor.stack == "encoder":
            return self.text.letter("L_enc") if set(layers) == set(self.encoder) else number_factor(len(layers))
        found = next((letter for kind, letter in self.kinds if kind == set(layers)), None)
        return self.text.letter(found) if found else number_factor(len(layers))

    def name_copies(self, tensor: Tensor) -> Factor:
        """The number of tensors of this name in a layer: experts that are not fused."""
        return (self.text.find(tensor.copies, ["E"]) or (number_factor(tensor.copies),))[0]

    def describe(self, letter: str) -> tuple[int, str]:
        """Value and meaning of a letter."""
        for stem, view in self.sections.items():
            name = letter.removesuffix(f"_{view.mark}")
            if name != letter and name in view.values:
                return view.values[name], f"{view.symbols[name].meaning} ({stem})"
        return self.text.values[letter], self.text.symbols[letter].meaning


def match_module(view: Sizes, tensor: Tensor) -> list[tuple[Factor, ...]] | None:
    """The sides of ``tensor`` by what its module is called, or None where that says nothing."""
    patterns = PATTERNS.get(tensor.part)
    if patterns is None:
        return None
    module = tensor.name.removesuffix(".weight").removesuffix(".bias").removesuffix("_bias").rpartition(".")[2]
    for pattern, sides in patterns:
        if pattern.match(module) and len(tensor.shape) <= len(sides):
            for order in (sides, (*sides[:-2], *sides[-1:], *sides[-2:-1])):
                found = [view.find(size, formulas) for size, formulas in zip(tensor.shape, order, strict=False)]
                if all(found):
                    return [factors for factors in found if factors]
    return None
