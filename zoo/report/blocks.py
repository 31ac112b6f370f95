"""What a report is made of: a section is a row of blocks, and every format writes each kind of block once.

A block is frozen and holds plain values; ``kind`` names it for templates. :class:`~zoo.report.tables.Table` and
:class:`~zoo.report.charts.Chart` are blocks too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from markupsafe import Markup

from zoo.report.tables import Head, Table

if TYPE_CHECKING:
    from zoo.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section; ``id`` is its anchor."""

    kind: ClassVar[str] = "heading"
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph; a ``note`` is set small."""

    kind: ClassVar[str] = "prose"
    text: str
    note: bool = False


class Sentence(NamedTuple):
    """``topic`` is one word for those who skim."""

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The sentences that matter."""

    kind: ClassVar[str] = "summary"
    sentences: tuple[Sentence, ...]


class Item(NamedTuple):
    """A line of a list: what it is about (may be empty), and what is said."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list; a ``callout`` stands out, for what must not be missed."""

    kind: ClassVar[str] = "items"
    title: str
    items: tuple[Item, ...]
    callout: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """Words and what they mean."""

    kind: ClassVar[str] = "terms"
    terms: tuple[Item, ...]


class Strip(NamedTuple):
    """The layers of one model: drawn, and in words."""

    head: Head
    depth: int
    svg: Markup
    words: str


class LegendEntry(NamedTuple):
    swatch: Markup
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Strips:
    """One strip a model, a cell a layer."""

    kind: ClassVar[str] = "strips"
    id: str
    caption: str
    strips: tuple[Strip, ...]
    legend: tuple[LegendEntry, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The fact sheet of one model: its name, a sentence, facts in pairs, and one layer of each kind drawn."""

    kind: ClassVar[str] = "sheet"
    id: str
    head: Head
    words: tuple[str, ...]
    facts: tuple[Item, ...]
    drawings: tuple[Chart, ...]


Block: TypeAlias = "Heading | Prose | Summary | Items | Terms | Strips | Sheet | Table | Chart"
Blocks: TypeAlias = "tuple[Block, ...]"


class Section(NamedTuple):
    """A part of the report: its anchor, its heading, and what stands in it."""

    id: str
    title: str
    blocks: Blocks

    @property
    def is_wide(self) -> bool:
        """Whether it needs pages that lie on their side."""
        return any(isinstance(block, Table) and block.wide for block in self.blocks)
