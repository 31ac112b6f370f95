"""What an engine sets aside for one sequence: whole blocks, in pages of one size, for groups of layers.

The rules are those of vLLM 0.33 (``v1/kv_cache_interface.py``, ``v1/core/kv_cache_utils.py`` and the hybrid models'
page alignment). Blocks are of 16 tokens. Layers of one kind with one span simply fill blocks. Where kinds differ, all
pages take the same bytes: with constant states the block of attention grows until its page holds the largest state,
and states are padded to a page; a smaller token takes more tokens to a page. Kinds are dealt into groups of as many
layers as the smallest kind has (the largest, where that is less than half as many again), filled up with layers that
hold nothing. A sequence takes one page for each constant state; an engine that caches prefixes keeps more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

#: Tokens in one block of the cache, and tokens of a prompt that are worked on at once: vLLM's defaults.
BLOCK_TOKENS = 16
IN_FLIGHT_TOKENS = 2048
#: Kinds whose layers are no more than half as many again are one group.
_ALIKE = Fraction(3, 2)


class Piece(NamedTuple):
    """Layers of one kind that keep something for each token: bytes of one token in one layer on one device."""

    kind: str
    per_token: Fraction
    layers: int
    window: int | None

    def hold(self, tokens: int) -> Fraction:
        """Bytes of all its layers in the steady state: a window keeps no more than it spans."""
        return self.per_token * self.layers * (tokens if self.window is None else min(tokens, self.window))


class Constant(NamedTuple):
    """Layers that keep a state of fixed size: bytes of one layer on one device."""

    size: Fraction
    layers: int


class Group(NamedTuple):
    """Layers that share a block table: ``page`` bytes for ``block`` tokens in each of ``layers``, padding included."""

    kind: str
    window: int | None
    layers: int
    block: int
    page: Fraction

    def count_blocks(self, tokens: int) -> int:
        """Blocks that one sequence of ``tokens`` may need at once."""
        if self.kind == "state":
            return 1
        if self.window is None or self.kind == "cross":
            return ceil(Fraction(tokens, self.block))
        if self.kind == "chunked":
            return ceil(Fraction(min(self.window + IN_FLIGHT_TOKENS, tokens), self.block))
        return ceil(Fraction(min(self.window - 1 + IN_FLIGHT_TOKENS, tokens), self.block)) + 1

    def reserve(self, tokens: int) -> Fraction:
        return self.page * self.layers * self.count_blocks(tokens)


def lay_pages(pieces: Sequence[Piece], constants: Sequence[Constant]) -> tuple[Group, ...]:
    """The groups of one stage."""
    own = [piece for piece in pieces if piece.kind != "cross"]
    aside = [fill_blocks(piece) for piece in pieces if piece.kind == "cross"]
    spans = {(piece.kind, piece.window) for piece in own}
    if not own or (len(spans) == 1 and not constants):
        alone = [Group("state", None, constant.layers, BLOCK_TOKENS, constant.size) for constant in constants]
        return (*map(fill_blocks, own), *aside, *alone)
    widest = max(piece.per_token for piece in own)
    block = BLOCK_TOKENS
    if constants:
        block *= ceil(max(constant.size for constant in constants) / (BLOCK_TOKENS * widest))
    page = block * widest
    dealt = choose_group([*(piece.layers for piece in own), *(constant.layers for constant in constants)])
    groups = [Group(p.kind, p.window, fill_up(p.layers, dealt), find_block(p, block, page), page) for p in own]
    groups += [Group("state", None, fill_up(c.layers, dealt), block, page) for c in constants]
    return (*groups, *aside)


def fill_blocks(piece: Piece) -> Group:
    """Layers that need not agree with others."""
    return Group(piece.kind, piece.window, piece.layers, BLOCK_TOKENS, piece.per_token * BLOCK_TOKENS)


def find_block(piece: Piece, block: int, page: Fraction) -> int:
    """Tokens in a page of ``piece``: as many as fill it, else ``block`` and the page is padded."""
    tokens = page / piece.per_token
    return int(tokens) if tokens.denominator == 1 else block


def choose_group(layers: Sequence[int]) -> int:
    """How many layers a group has, of kinds with so many."""
    least, most = min(layers), max(layers)
    return most if most < _ALIKE * least else least


def fill_up(layers: int, group: int) -> int:
    """``layers`` in whole groups."""
    return ceil(Fraction(layers, group)) * group
