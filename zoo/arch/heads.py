"""Embeddings, heads, and the decoder that most families share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.config import Config, Dim
from zoo.arch.layers import At, Flag, Stack, is_on
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head
from zoo.arch.rows import Block, Place, Row


@dataclass(frozen=True)
class Embedding:
    """A lookup table [rows, width] by the names of two dimensions."""

    name: str = "embed_tokens"
    rows: str = "vocab"
    width: str = "hidden"
    part: str = "embedding"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield p.table(self.name, c.dim(self.rows), c.dim(self.width), self.part)


@dataclass(frozen=True)
class LmHead:
    """The output projection [vocab, hidden]; tied, it is the input embedding again and stores nothing."""

    name: str = "lm_head"
    bias: Flag = False
    tied: str = "tied"
    inner: Callable[[Config], Config] | None = None  #: the section whose sizes it has
    tie_of: Callable[[Config], bool] | None = None  #: who decides the tie, where it is not the config itself
    width: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        sizes = self.inner(c) if self.inner else c
        tied = self.tie_of(c) if self.tie_of else c.dim(self.tied)
        shape = (sizes.vocab, sizes.dim(self.width))
        yield p.tensor(f"{self.name}.weight", shape, "head", tied_to=p.embedding if tied else None)
        if is_on(sizes, self.bias):
            yield p.tensor(f"{self.name}.bias", shape[:1], "head", "vector")


@dataclass(frozen=True)
class LabelHead:
    """A classifier [outputs, hidden]: ``outputs`` is the number of labels, or 2 for question answering."""

    name: str = "score"
    bias: Flag = False
    outputs: int | None = None
    inner: Callable[[Config], Config] | None = None
    width: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        sizes = self.inner(c) if self.inner else c
        outputs = c.labels if self.outputs is None else self.outputs
        yield from p.linear(self.name, sizes.dim(self.width), outputs, "head", is_on(sizes, self.bias))


def causal_heads(
    prefix: str,
    base: str = "model.",
    *,
    lm: Block = LmHead(),
    sequence: Block | None = LabelHead("score"),
    tokens: Block | None = LabelHead("score", bias=True),
    questions: str | None = None,
) -> dict[str, Head]:
    """The classes of a decoder: ``{prefix}Model``, ``…ForCausalLM``, and its classifiers where they exist.

    ``questions`` is where the base model stands in ``…ForQuestionAnswering`` ("transformer." in most), None for none.
    """
    heads = {f"{prefix}Model": Head(), f"{prefix}ForCausalLM": Head(base, (lm,))}
    if sequence:
        heads[f"{prefix}ForSequenceClassification"] = Head(base, (sequence,))
    if tokens:
        heads[f"{prefix}ForTokenClassification"] = Head(base, (tokens,))
    if questions is not None:
        span = LabelHead("qa_outputs", bias=True, outputs=2)
        heads[f"{prefix}ForQuestionAnswering"] = Head(questions, (span,))
    return heads


def decoder(
    model_type: str,
    prefix: str,
    family: str,
    *layer: Block,
    embed: Block = Embedding(),
    before: tuple[Block, ...] = (),
    final: Block | None = rms("norm"),  # noqa: B008
    layers: str = "layers",
    heads: Mapping[str, Head] | None = None,
    dims: Mapping[str, Dim] | None = None,
    supported: Callable[[Config], str | None] | None = None,
    **about: str,
) -> Architecture:
    """A decoder-only model: an embedding, a stack of equal layers, a final norm, and the usual classes.

    ``layer`` are the blocks of one layer, in the order in which the class declares them.
    """
    blocks = (embed, *before, Stack(layers, layer), *((final,) if final else ()))
    classes = heads if heads is not None else causal_heads(prefix)
    natural = next((name for name in classes if name.endswith(("ForCausalLM", "LMHeadModel"))), next(iter(classes)))
    fields: dict[str, str] = {"embedding": f"{embed.name}.weight"} if isinstance(embed, Embedding) else {}
    fields |= about
    body = At("", blocks)
    return Architecture(model_type, family, body, classes, natural, dims or {}, supported=supported, **fields)  # type: ignore[arg-type] # the rest are str fields
