"""LayoutLMv3: an encoder over words, where they stand on a page, and patches of its image."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.bert import BERT_DIMS, PROJECTIONS
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

#: From so many labels on, tokens are classified by two layers.
MANY_LABELS = 10


def boxes(c: Config, p: Place) -> Iterable[Row]:
    """Where the box of a word begins and ends, and how large it is: six vectors side by side from four tables."""
    rows = c.whole("max_2d_position_embeddings", least=1)
    sizes = {"x": "coordinate_size", "y": "coordinate_size", "h": "shape_size", "w": "shape_size"}
    for name, key in sizes.items():
        yield p.table(f"{name}_position_embeddings", rows, c.whole(key, least=1), "position")


def see(c: Config, p: Place) -> Iterable[Row]:
    """Patches of the page, with learned positions of their own."""
    place, size, image = p._replace(stack="vision"), c.whole("patch_size", least=1), c.whole("input_size", least=1)
    yield place.tensor("cls_token", (1, 1, c.hidden), "vision", "vector")
    yield place.tensor("pos_embed", (1, (image // size) ** 2 + 1, c.hidden), "vision", "lookup")
    channels = c.whole("num_channels", least=1)
    yield place.tensor("patch_embed.proj.weight", (c.hidden, channels, size, size), "vision")
    yield place.tensor("patch_embed.proj.bias", (c.hidden,), "vision", "vector")
    for name in ("LayerNorm", "norm"):
        yield from layer_norm(name)(c, p)


def distances(c: Config, p: Place) -> Iterable[Row]:
    """A number for each head and bucket of distances, in the text and on the page."""
    if c.flag("has_relative_attention_bias"):
        yield p.tensor("rel_pos_bias.weight", (c.heads, c.whole("rel_pos_bins", least=1)), "position", "lookup")
    if c.flag("has_spatial_attention_bias"):
        shape = (c.heads, c.whole("rel_2d_pos_bins", least=1))
        for side in ("x", "y"):
            yield p.tensor(f"rel_pos_{side}_bias.weight", shape, "position", "lookup")


def classify(name: str) -> At:
    """A square layer and one to the labels."""
    return at(name, Dense(), LabelHead("out_proj", bias=True))


class Dense:
    """The square layer of a classifier."""

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        return p.linear("dense", c.hidden, c.hidden, "head", True)


def classify_tokens(c: Config, p: Place) -> Iterable[Row]:
    """One layer for few labels, two for many."""
    head = LabelHead("classifier", bias=True) if c.labels < MANY_LABELS else classify("classifier")
    return head(c, p)


def refuse_sizes(c: Config) -> str | None:
    """Sizes that are no single number, which the class takes for its patches but not for their positions."""
    for key in ("input_size", "patch_size"):
        if isinstance(c[key], list | tuple):
            return f"{key} is a list"
    return None


LAYER = (
    at("attention", Attention(PROJECTIONS, bias=True, cached=False, causal=False), layer_norm("output.LayerNorm")),
    Mlp(("intermediate.dense", "output.dense")),
    layer_norm("output.LayerNorm"),
)
WORDS = at(
    "embeddings",
    Embedding("word_embeddings"),
    Embedding("token_type_embeddings", "token_types"),
    layer_norm("LayerNorm"),
    Embedding("position_embeddings", "positions", part="position"),
    boxes,
)
BASE = "layoutlmv3."
ENCODER = at("encoder", stack("layer", *LAYER), distances)

register(
    Architecture(
        "layoutlmv3",
        "LayoutLM",
        At(
            "", (when("text_embed", WORDS), when("visual_embed", see), at("encoder", stack("layer", *LAYER), distances))
        ),
        heads={
            "LayoutLMv3Model": Head(),
            "LayoutLMv3ForTokenClassification": Head(BASE, (classify_tokens,)),
            "LayoutLMv3ForQuestionAnswering": Head(BASE, (classify("qa_outputs"),)),
            "LayoutLMv3ForSequenceClassification": Head(BASE, (classify("classifier"),)),
        },
        natural="LayoutLMv3Model",
        dims=BERT_DIMS,
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        supported=refuse_sizes,
        example="microsoft/layoutlmv3-base",
        about="Words with the boxes they stand in, and patches of the page, in one encoder that counts distances.",
    )
)
