"""BLIP, BLIP-2 and InstructBLIP: a vision transformer, and text that attends to it, directly or through a Q-Former."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention, CrossAttention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError
from zoo.arch.families.bert import PREDICTIONS, PROJECTIONS, Dense
from zoo.arch.families.image_pairs import fix_source
from zoo.arch.families.llava import read_text, refuse_flat
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.families.vision import VISION_DIMS, Projector, Tower
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, Flag, at, by_kind, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row, State


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """Patches, a class token, and a learned position for each; always three channels."""
    patch = c.whole("patch_size", least=1)
    yield p.tensor("class_embedding", (1, 1, c.hidden), "vision", "vector")
    yield p.tensor("position_embedding", (1, c.patches + 1, c.hidden), "vision", "lookup")
    yield p.tensor("patch_embedding.weight", (c.hidden, 3, patch, patch), "vision")
    yield p.tensor("patch_embedding.bias", (c.hidden,), "vision", "vector")


def blip_tower(bias: Flag) -> Tower:
    attention = FusedAttention(("qkv", "projection"), bias=bias, o_bias=True, cached=False, causal=False)
    layer = (at("self_attn", attention), layer_norm("layer_norm1"), layer_norm("layer_norm2"), at("mlp", Mlp()))
    blocks = (
        at("embeddings", embed_patches),
        at("encoder", stack("layers", *layer)),
        layer_norm("post_layernorm"),
    )
    return Tower("vision_model", blocks, dims={**VISION_DIMS, "channels": lambda c: 3})


TEXT_DIMS: dict[str, Dim] = {**MULTI_HEAD, "positions": "max_position_embeddings"}


def attend_to_image(c: Config, p: Place) -> Iterable[Row]:
    """Keys and values are as wide as the text, and made from features as wide as the tower, as many as it has."""
    vision = c.parent.section("vision_config", VISION_DIMS) if c.parent else None
    for row in at("crossattention", CrossAttention(PROJECTIONS, bias=True), layer_norm("output.LayerNorm"))(c, p):
        if vision is None:
            yield row
        elif isinstance(row, State):
            yield fix_source(row, vision.patches + 1)
        else:
            is_source = row.stack == "cross" and len(row.shape) == 2
            yield row._replace(shape=(row.shape[0], vision.hidden)) if is_source else row


def text_stack(*, decoder: bool) -> At:
    """BERT's layers; ``is_decoder`` gives them a second attention, to the image."""
    attention = Attention(PROJECTIONS, bias=True, cached=decoder, causal=decoder)
    layer = (
        at("attention", attention, layer_norm("output.LayerNorm")),
        when("is_decoder", attend_to_image),
        Mlp(("intermediate.dense", "output.dense")),
        layer_norm("output.LayerNorm"),
    )
    embeddings = at(
        "embeddings",
        Embedding("word_embeddings"),
        Embedding("position_embeddings", "positions", part="position"),
        layer_norm("LayerNorm"),
    )
    return At("", (embeddings, stack("encoder.layer", *layer, of=None if decoder else "encoder")))


def read_blip_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def decode(c: Config, p: Place) -> Iterable[Row]:
    """The text decoder and its head, tied to its embedding unless both the whole and the text say otherwise."""
    text = read_blip_text(c)
    tied = bool(c.tied or text.tied)
    text = c.section("text_config", {**TEXT_DIMS, "tied": lambda _: tied})
    below = p.at("text_decoder")
    inner = below.at("bert")
    yield from text_stack(decoder=True)(text, inner)
    yield from PREDICTIONS(text, below._replace(embedding=f"{inner.prefix}embeddings.word_embeddings.weight"))


def encode(c: Config, p: Place) -> Iterable[Row]:
    return text_stack(decoder=False)(read_blip_text(c), p.at("text_encoder"))


def contrast(c: Config, p: Place) -> Iterable[Row]:
    """Image and text side by side in one space."""
    text, width = read_blip_text(c), c.whole("projection_dim", least=1)
    yield from text_stack(decoder=False)(text, p.at("text_model"))
    yield from Dense("pooler.dense", "other")(text, p.at("text_model"))
    vision = c.section("vision_config", VISION_DIMS).hidden
    yield from p.linear("visual_projection", vision, width, "projector")
    yield from p.linear("text_projection", text.hidden, width, "projector")
    yield p.tensor("logit_scale", (), "other", "vector")


def match(c: Config, p: Place) -> Iterable[Row]:
    """Whether an image and a text belong together."""
    text, width = read_blip_text(c), c.whole("image_text_hidden_size", least=1)
    yield from text_stack(decoder=False)(text, p.at("text_encoder"))
    vision = c.section("vision_config", VISION_DIMS).hidden
    yield from p.linear("vision_proj", vision, width, "projector", True)
    yield from p.linear("text_proj", text.hidden, width, "projector", True)
    yield from LabelHead("itm_head", bias=True, outputs=2)(text, p)


BLIP_TOWER = blip_tower(True)
QFORMER_DIMS: dict[str, Dim] = {**MULTI_HEAD, "positions": "max_position_embeddings", "window": lambda c: None}
Q_PROJECTIONS = ("attention.query", "attention.key", "attention.value", "output.dense")


def crossing(c: Config) -> Sequence[str]:
    """Each ``cross_attention_frequency``-th layer attends to the image."""
    step = c.whole("cross_attention_frequency", least=1)
    return ["own" if layer % step else "both" for layer in range(c.layers)]


def query_image(c: Config, p: Place) -> Iterable[Row]:
    """Learned queries attend to the features of the tower."""
    vision = c.parent.section("vision_config", VISION_DIMS).hidden if c.parent else c.hidden
    query, key, value, output = Q_PROJECTIONS
    yield from p.linear(query, c.hidden, c.hidden, "projector", True)
    yield from p.linear(key, vision, c.hidden, "projector", True)
    yield from p.linear(value, vision, c.hidden, "projector", True)
    yield from p.linear(output, c.hidden, c.hidden, "projector", True)
    yield from layer_norm("output.LayerNorm")(c, p)


def q_former(*, reads: Flag) -> Block:
    """The Q-Former (arXiv:2301.12597, section 3.1); with ``reads`` its layers have an MLP for text as well."""
    layer = (
        at(
            "attention",
            Attention(Q_PROJECTIONS, bias=True, cached=False, causal=False),
            layer_norm("output.LayerNorm"),
        ),
        by_kind(crossing, own=(), both=at("crossattention", query_image)),
        when(reads, Mlp(("intermediate.dense", "output.dense")), layer_norm("output.LayerNorm")),
        Mlp(("intermediate_query.dense", "output_query.dense")),
        layer_norm("output_query.LayerNorm"),
    )
    return stack("encoder.layer", *layer)


WORDS = at(
    "embeddings",
    Embedding("word_embeddings"),
    Embedding("position_embeddings", "positions", part="position"),
    layer_norm("layernorm"),
)
BLIP_2_FORMER = At("qformer", (layer_norm("layernorm"), q_former(reads="use_qformer_text_input")))
INSTRUCT_FORMER = At("qformer", (WORDS, q_former(reads=True)))


def attend_queries(former: At, c: Config, p: Place) -> Iterable[Row]:
    """The learned queries and the Q-Former."""
    inner = c.section("qformer_config", QFORMER_DIMS)
    yield p.tensor("query_tokens", (1, c.whole("num_query_tokens", least=1), inner.hidden), "projector", "lookup")
    yield from former(inner, p)


def bridge(former: At) -> Projector:
    """Queries, Q-Former, and a matrix into the width of the text."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        yield from attend_queries(former, c, p)
        hidden = c.section("qformer_config", QFORMER_DIMS).hidden
        yield from p.linear("language_projection", hidden, read_text(c).hidden, "projector", True)

    return Projector((rows,))


def speak(c: Config, p: Place) -> Iterable[Row]:
    """The text model with its own head, which it ties or not as it would by itself."""
    inner = read_text(c)
    architecture = find_supported(inner)
    if not architecture.natural.endswith(("ForCausalLM", "LMHeadModel", "T5ForConditionalGeneration")):
        raise UnsupportedError(f"{c.model_type}: text_config of type {inner.model_type!r:.40} has no known head here")
    head, below = architecture.heads[architecture.natural], p.at("language_model")
    base = below.at(head.base.removesuffix("."))._replace(
        embedding=f"{below.prefix}{head.base}{architecture.embedding}"
    )
    yield from (head.body or architecture.body)(inner, base)
    for block in head.blocks:
        yield from block(inner, below._replace(embedding=base.embedding))


def speak_bare(c: Config, p: Place) -> Iterable[Row]:
    inner = read_text(c)
    return find_supported(inner).body(inner, p.at("language_model"))


def query(c: Config, p: Place) -> Iterable[Row]:
    return attend_queries(BLIP_2_FORMER, c, p)


def word_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """What the Q-Former reads where there is no language model."""
    tables = (Embedding("word_embeddings"), Embedding("position_embeddings", "positions", part="position"))
    return At("embeddings", tables)(c.section("qformer_config", QFORMER_DIMS), p)


def project_into_one(*names: str) -> Block:
    """What stands for an image, and what stands for a text, side by side in one space."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        hidden, width = c.section("qformer_config", QFORMER_DIMS).hidden, c.whole("image_text_hidden_size", least=1)
        for name in names:
            yield from p.linear(name, hidden, width, "projector", True)

    return rows


def match_image(c: Config, p: Place) -> Iterable[Row]:
    return LabelHead("itm_head", bias=True, outputs=2)(c.section("qformer_config", QFORMER_DIMS), p)


BLIP_2_SIGHT = blip_tower("qkv_bias")
BLIP_2_QUERY = Projector((query,))
#: The classes that BLIP-2 has besides: image and text compared, with no language model.
BLIP_2_RETRIEVAL: dict[str, Head] = {
    "Blip2TextModelWithProjection": Head(
        body=At("", (BLIP_2_QUERY, word_embeddings, project_into_one("text_projection")))
    ),
    "Blip2VisionModelWithProjection": Head(
        body=At("", (BLIP_2_SIGHT, BLIP_2_QUERY, project_into_one("vision_projection")))
    ),
    "Blip2ForImageTextRetrieval": Head(
        body=At(
            "",
            (
                *(BLIP_2_SIGHT, BLIP_2_QUERY, word_embeddings),
                *(project_into_one("vision_projection", "text_projection"), match_image),
            ),
        )
    ),
}


def blip_2(
    model_type: str, prefix: str, former: At, example: str, about: str, *, bare: bool, **more: Head
) -> Architecture:
    """``bare``: whether the class without a task has the text model without its head."""
    seeing = (blip_tower("qkv_bias"), bridge(former))
    whole = At("", (*seeing, speak))
    model = Head(body=At("", (*seeing, speak_bare))) if bare else Head()
    return Architecture(
        model_type,
        "BLIP",
        whole,
        heads={f"{prefix}Model": model, f"{prefix}ForConditionalGeneration": Head(), **more},
        natural=f"{prefix}ForConditionalGeneration",
        text=read_text,
        norm="layernorm",
        supported=refuse_flat,
        example=example,
        about=about,
    )


register(
    Architecture(
        "blip",
        "BLIP",
        At("", (BLIP_TOWER, decode)),
        heads={
            "BlipForConditionalGeneration": Head(),
            "BlipForQuestionAnswering": Head(body=At("", (BLIP_TOWER, encode, decode))),
            "BlipForImageTextRetrieval": Head(body=At("", (BLIP_TOWER, match))),
            "BlipModel": Head(body=At("", (BLIP_TOWER, contrast))),
        },
        natural="BlipForConditionalGeneration",
        text=read_blip_text,
        norm="layernorm",
        position="learned",
        supported=refuse_flat,
        example="Salesforce/blip-image-captioning-large",
        about="BERT as a decoder, whose layers attend to a vision transformer.",
    ),
    blip_2(
        "blip-2",
        "Blip2",
        BLIP_2_FORMER,
        "Salesforce/blip2-opt-2.7b",
        "OPT or Flan-T5 behind a vision transformer; a Q-Former makes 32 positions of an image.",
        bare=False,
        **BLIP_2_RETRIEVAL,
    ),
    blip_2(
        "instructblip",
        "InstructBlip",
        INSTRUCT_FORMER,
        "Salesforce/instructblip-vicuna-7b",
        "BLIP-2 whose Q-Former reads the instruction too.",
        bare=True,
    ),
    blip_2(
        "instructblipvideo",
        "InstructBlipVideo",
        INSTRUCT_FORMER,
        "Salesforce/instructblip-vicuna-7b",
        "InstructBLIP for several frames.",
        bare=True,
    ),
)
