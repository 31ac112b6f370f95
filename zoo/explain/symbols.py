"""Letters for sizes: which product of a model's dimensions a number in a tensor's shape is.

The ledger knows shapes as numbers. Here each number is named again, by the dimensions that the same config gives: 4,096
is ``n_q·d`` on one side of ``q_proj`` and ``H`` on the other. A name is used only when its value is that number, so a
formula can be unusual but never wrong; where none fits, the number stands for itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.layers import open_section
from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor


class Symbol(NamedTuple):
    """A letter: where its value is (a dimension, or a key of the config) and what it means."""

    text: str
    source: str
    meaning: str


#: By dimension of the Config view.
DIMENSIONS = (
    Symbol("L", "layers", "layers"),
    Symbol("H", "hidden", "hidden size: width of the residual stream"),
    Symbol("n_q", "heads", "query heads"),
    Symbol("n_kv", "kv_heads", "key-value heads"),
    Symbol("d", "head_dim", "width of a query or key head"),
    Symbol("d_v", "v_head_dim", "width of a value head"),
    Symbol("F", "ffn", "inner width of the feed-forward block"),
    Symbol("V", "vocab", "vocabulary: rows of the embedding table"),
    Symbol("T", "context", "positions with a learned embedding"),
    Symbol("E", "experts", "routed experts in a sparse layer"),
    Symbol("k", "experts_per_token", "routed experts that a token passes through"),
    Symbol("F_e", "expert_ffn", "inner width of one routed expert"),
    Symbol("F_s", "shared_ffn", "inner width of the shared experts together"),
    Symbol("C", "labels", "classes of the classifier"),
)
#: By what the ledger has: how many layers are of a kind.
COUNTS = {
    "L_e": "layers with experts",
    "L_d": "layers with a dense feed-forward block",
    "L_a": "layers with attention",
    "L_r": "recurrent layers",
    "L_enc": "layers of the encoder",
}
#: By key of the config.
KEYS = (
    Symbol("r_q", "q_lora_rank", "rank of the query latent"),
    Symbol("r_kv", "kv_lora_rank", "rank of the key-value latent"),
    Symbol("d_nope", "qk_nope_head_dim", "width of a key head without rotary position"),
    Symbol("d_rope", "qk_rope_head_dim", "width of the rotary key that all heads share"),
    Symbol("S", "type_vocab_size", "segment types"),
    Symbol("K", "linear_conv_kernel_dim", "width of the causal convolution"),
    Symbol("n_lk", "linear_num_key_heads", "query and key heads of linear attention"),
    Symbol("n_lv", "linear_num_value_heads", "value heads of linear attention"),
    Symbol("d_lk", "linear_key_head_dim", "width of a key head of linear attention"),
    Symbol("d_lv", "linear_value_head_dim", "width of a value head of linear attention"),
    Symbol("B", "relative_attention_num_buckets", "buckets of relative distance"),
)
#: Sections whose sizes have letters of their own, by the part of their tensors: the mark behind the letter.
SECTIONS = {"vision": ("vision_config", "vis"), "audio": ("audio_config", "aud")}

_HEADS = (
    "n_q*d", "n_kv*d", "n_q*d_v", "n_kv*d_v", "(n_q+2*n_kv)*d", "2*n_q*d", "2*n_kv*d", "n_kv*(d+d_v)",
    "n_q*(d_nope+d_v)", "r_kv+d_rope", "r_q", "r_kv",
)  # fmt: skip
#: What the sides of a tensor may be, likeliest first, by part of the model.
AXES: Mapping[str, tuple[str, ...]] = {
    "embedding": ("V", "H", "S", "T"),
    "position": ("T", "T+2", "T+1", "B", "H", "n_q"),
    "attention": (*_HEADS, "H", "n_q", "n_kv", "d", "B", "3*H"),
    "mlp": ("F", "2*F", "H"),
    "experts": ("E", "F_e", "2*F_e", "H"),
    "shared_experts": ("F_s", "2*F_s", "F_e", "H"),
    "router": ("E", "H"),
    "norm": ("H", "d", "n_q*d", "n_kv*d", "d_v", "r_q", "r_kv", "n_q", "n_kv", "F", "d_lv"),
    "recurrent": (
        "H",
        "n_lk*d_lk",
        "n_lv*d_lv",
        "2*n_lk*d_lk+n_lv*d_lv",
        "2*n_lk*d_lk+2*n_lv*d_lv",
        "2*n_lv",
        "n_lv",
        "d_lv",
        "K",
    ),
    "head": ("V", "C", "H"),
}
#: The letter for the layers that have a part, where not all have it.
_COUNTED = {
    "experts": ("L_e",),
    "router": ("L_e",),
    "shared_experts": ("L_e",),
    "mlp": ("L_d",),
    "attention": ("L_a",),
    "recurrent": ("L_r",),
    "norm": ("L_a", "L_r"),
}
#: Where sections keep their sizes whose type has no architecture of its own.
_SECTION_KEYS = {
    "L": ("depth", "num_hidden_layers"),
    "H": ("embed_dim", "hidden_size"),
    "n_q": ("num_heads", "num_attention_heads"),
    "F": ("intermediate_size",),
}
_ANY = ("H", "n_q*d", "F", "3*H", "2*F", "2*H", "4*H", "T", "n_q", "d")
#: Sides by the name of the module, [outputs, inputs]; tried the other way round too.
NAMED: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (r"q(_proj|_lin)?|query|wq|to_q", (("n_q*d",), ("H", "r_q"))),
    (r"k(_proj|_lin)?|key|wk|to_k", (("n_kv*d",), ("H",))),
    (r"v(_proj|_lin)?|value|wv|to_v", (("n_kv*d_v", "n_kv*d"), ("H",))),
    (r"o(_proj)?|out_proj|out_lin|dense|c_proj|wo|to_out", (("H",), ("n_q*d_v", "n_q*d"))),
    (r"qkv(_proj)?|c_attn|query_key_value|Wqkv|in_proj", (("(n_q+2*n_kv)*d", "3*H"), ("H",))),
    (r"q_a_proj", (("r_q",), ("H",))),
    (r"q_b_proj", (("n_q*d",), ("r_q",))),
    (r"kv_a_proj_with_mqa", (("r_kv+d_rope",), ("H",))),
    (r"kv_b_proj", (("n_q*(d_nope+d_v)",), ("r_kv",))),
    (r"q_norm|q_layernorm", (("d", "n_q*d"),)),
    (r"k_norm|k_layernorm", (("d", "n_kv*d"),)),
    (r"gate_up_proj", (("E",), ("2*F_e",), ("H",))),
    (r"down_proj", (("E",), ("H",), ("F_e",))),
)
_NAMED = tuple((re.compile(f"(?:{pattern})\\Z"), sides) for pattern, sides in NAMED)
_LIKE_A_SIZE = re.compile(r"(_size|_dim|_rank|_width|_heads|_groups|_bins|_kernel|_state|_rows)$|^(num_|n_|d_)")
#: Below it, too many keys have the same number by chance.
_LEAST_KEY = 8


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
            self.add(symbol, c.get(symbol.source))
        if self.values.get("d_v") == self.values.get("d"):
            self.values.pop("d_v", None)
        known = {symbol.source for symbol in DIMENSIONS}
        self.own = [name for name in c.dims if name not in known]
        for name in self.own:
            self.add(Symbol(name, name, name.replace("_", " ")), read_size(c, name))
        self.keys = self._read_keys(c)

    def add(self, symbol: Symbol, value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            self.values[symbol.text], self.symbols[symbol.text] = value, symbol

    def _read_keys(self, c: Config) -> dict[int, str]:
        """Keys of the config by their number, where one key alone has it and no letter stands for that number."""
        keys: dict[int, list[str]] = {}
        for key, value in c.raw.items():
            if type(value) is int and value >= _LEAST_KEY and _LIKE_A_SIZE.search(key) and key.isidentifier():
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
        one, two = join_factors(left), join_factors(right)
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
        for times in (1, 2, 3, 4):
            found = self.find(size, self.own if times == 1 else [f"{times}*{name}" for name in self.own])
            if found:
                return found
        if size in self.keys:
            key = self.keys[size]
            return (Factor(key, write_letter(key), f"{size:,}", size),)
        return None


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
        raw = c.raw[key]
        sizes = Sizes(Config(raw, "", {}), mark)
        symbols = {symbol.text: symbol for symbol in DIMENSIONS}
        for letter, keys in _SECTION_KEYS.items():
            sizes.add(symbols[letter], next((raw[name] for name in keys if name in raw), None))
        values = sizes.values
        if "H" in values and "n_q" in values:
            sizes.add(symbols["d"], values["H"] // values["n_q"])
            sizes.add(symbols["n_kv"], values["n_q"])
        return sizes


def layers_of(tensors: Iterable[Tensor]) -> set[int]:
    return {layer for tensor in tensors for layer in tensor.layers or ()}


class Namer:
    """Names the sides of every tensor of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.text = Sizes(ledger.text)
        self.sections: dict[str, Sizes] = {}
        for part, (key, mark) in SECTIONS.items():
            if isinstance(ledger.config.raw.get(key), Mapping):
                self.sections[part] = open_sizes(ledger.config, key, mark)
        self._count_layers(ledger)

    def _count_layers(self, ledger: Ledger) -> None:
        """Letters for the layers with experts, those without, and those of an encoder, where they are not all."""
        parts = {part: layers_of(t for t in ledger.parameters if t.part == part) for part in AXES}
        counts = {
            "L_e": len(parts["experts"]),
            "L_d": len(parts["mlp"]) if parts["experts"] else 0,
            "L_a": len(parts["attention"]),
            "L_r": len(parts["recurrent"]),
            "L_enc": len(layers_of(t for t in ledger.parameters if t.stack == "encoder")),
        }
        for letter, count in counts.items():
            if count:
                self.text.values[letter] = count
                self.text.symbols[letter] = Symbol(letter, "", COUNTS[letter])

    def views(self, tensor: Tensor) -> list[Sizes]:
        """Whose letters to try, in order."""
        if tensor.part == "projector":
            return [self.text, *self.sections.values()]
        own = self.sections.get(tensor.part) or self.sections.get(tensor.stack)
        return [own or self.text]

    def name_sides(self, tensor: Tensor) -> list[tuple[Factor, ...]]:
        """The factors of each side of ``tensor``."""
        for view in self.views(tensor):
            if named := match_module(view, tensor):
                return named
        formulas = AXES.get(tensor.part, _ANY)
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

    def name_count(self, tensor: Tensor, layers: int) -> Factor:
        """The number of layers that have ``tensor``."""
        view = self.views(tensor)[0]
        names = [name for name in view.own if "layers" in name]
        if tensor.stack == "encoder":
            names = ["L_enc"]
        else:
            names += _COUNTED.get(tensor.part, ())
        return (view.find(layers, ["L", *names]) or (number_factor(layers),))[0]

    def name_copies(self, tensor: Tensor) -> Factor:
        """The number of tensors of this name in a layer: experts that are not fused."""
        return (self.text.find(tensor.copies, ["E"]) or (number_factor(tensor.copies),))[0]

    def describe(self, letter: str) -> tuple[int, str]:
        """Value and meaning of a letter."""
        for part, view in self.sections.items():
            name = letter.removesuffix(f"_{view.mark}")
            if name != letter and name in view.values:
                return view.values[name], f"{view.symbols[name].meaning} ({part})"
        return self.text.values[letter], self.text.symbols[letter].meaning


def match_module(view: Sizes, tensor: Tensor) -> list[tuple[Factor, ...]] | None:
    """The sides of ``tensor`` by what its module is called, or None where that says nothing."""
    if tensor.part not in ("attention", "norm", "experts", *SECTIONS):
        return None
    module = tensor.name.removesuffix(".weight").removesuffix(".bias").removesuffix("_bias").rpartition(".")[2]
    for pattern, sides in _NAMED:
        if pattern.match(module) and len(tensor.shape) <= len(sides):
            for order in (sides, (*sides[:-2], *sides[-1:], *sides[-2:-1])):
                found = [view.find(size, formulas) for size, formulas in zip(tensor.shape, order, strict=False)]
                if all(found):
                    return [factors for factors in found if factors]
    return None
