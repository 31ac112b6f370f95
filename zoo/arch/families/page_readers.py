"""Readers of rendered pages: Pix2Struct and Kosmos-2.5, whose towers know the row and the column of each patch."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_positive
from zoo.arch.families.kosmos import TEXT_DIMS as KOSMOS_DIMS
from zoo.arch.families.llava import refuse_flat
from zoo.arch.families.t5 import RelativePositions
from zoo.arch.families.vision import PROJECTIONS, Projector, Tower
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

NAMES = ("query", "key", "value", "output")
GATED = GatedMlp(("wi_0", "wi_1", "wo"))


def embed_cells(c: Config, p: Place) -> Iterable[Row]:
    """Patches come as vectors; each has a learned vector for its row and one for its column."""
    below = p.at("embeddings")
    yield from below.linear("patch_projection", c.whole("patch_embed_hidden_size", least=1), c.hidden, "vision", True)
    yield below.table("row_embedder", c.cells, c.hidden, "vision")
    yield below.table("column_embedder", c.cells, c.hidden, "vision")


PAGE_TOWER = (
    embed_cells,
    at(
        "encoder",
        stack(
            "layer",
            at("attention", Attention(NAMES, cached=False, causal=False)),
            at("mlp", GATED),
            rms("pre_mlp_layer_norm"),
            rms("pre_attention_layer_norm"),
        ),
    ),
    rms("layernorm"),
)
PIX_TOWER_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: c.whole("d_kv", least=1),
    "ffn": "d_ff",
    "cells": read_positive("seq_len"),
}
KOSMOS_TOWER_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: c.whole("head_dim", least=1),
    "cells": read_positive("max_num_patches"),
}

PIX_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": read_positive("num_heads"),
    "layers": "num_layers",
    "ffn": "d_ff",
    "context": lambda c: None,
}
PIX_TEXT = At(
    "decoder",
    (
        Embedding(),
        stack(
            "layer",
            at("self_attention", at("attention", Attention(NAMES, extra=(RelativePositions(),))), rms("layer_norm")),
            at("encoder_decoder_attention", at("attention", CrossAttention(NAMES)), rms("layer_norm")),
            at("mlp", at("DenseReluDense", GATED), rms("layer_norm")),
        ),
        rms("final_layer_norm"),
    ),
)


def read_pix_text(c: Config) -> Config:
    return c.section("text_config", PIX_DIMS)


def write_page(c: Config, p: Place) -> Iterable[Row]:
    """The text decoder and its head, tied where the whole says so, whatever its section says."""
    text = read_pix_text(c)
    yield from PIX_TEXT(text, p)
    below = p.at("decoder")
    yield from LmHead(tie_of=lambda _: bool(c.tied))(text, below._replace(embedding=f"{below.prefix}{p.embedding}"))


def refuse_odd_heads(c: Config) -> str | None:
    """Its projections are square, so that heads of ``d_kv`` must fill the width."""
    text = read_pix_text(c)
    heads, width = text.heads, text.whole("d_kv")
    if heads * width != text.hidden:
        return f"text_config has {heads} heads of d_kv {width}, which are not its hidden_size {text.hidden}"
    return refuse_flat(c)


#: Kosmos-2's decoder without the norm inside attention; text and image are told apart by a learned vector.
KOSMOS_TEXT = At(
    "",
    (
        Embedding(),
        Embedding("segment_emb", "segments"),
        stack(
            "layers",
            at("self_attn", Attention(PROJECTIONS, bias=True)),
            layer_norm("self_attn_layer_norm"),
            at("ffn", Mlp(), layer_norm("ffn_layernorm", "ffn")),
            layer_norm("final_layer_norm"),
        ),
        layer_norm("layer_norm"),
    ),
)


def read_kosmos_text(c: Config) -> Config:
    return c.section("text_config", {**KOSMOS_DIMS, "segments": lambda _: 2})


def is_tied(c: Config) -> bool:
    """Tied where the text says so, whatever the whole says."""
    return bool(read_kosmos_text(c).tied)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return KOSMOS_TEXT(read_kosmos_text(c), p)


def query_page(c: Config, p: Place) -> Iterable[Row]:
    """Learned queries attend to the patches, in the width of the text."""
    text, vision = read_kosmos_text(c).hidden, c.section("vision_config", KOSMOS_TOWER_DIMS).hidden
    yield p.tensor("latent_query", (c.whole("latent_query_num", least=1), text), "projector", "lookup")
    yield from p.linear("dense", vision, text, "projector", True)
    for name in PROJECTIONS:
        yield from p.linear(f"x_attn.{name}", text, text, "projector", True)


register(
    Architecture(
        "pix2struct",
        "Pix2Struct",
        At("", (Tower("encoder", PAGE_TOWER, PIX_TOWER_DIMS), write_page)),
        heads={"Pix2StructForConditionalGeneration": Head()},
        natural="Pix2StructForConditionalGeneration",
        text=read_pix_text,
        position="relative",
        embedding="embed_tokens.weight",
        supported=refuse_odd_heads,
        example="google/pix2struct-base",
        about="T5's decoder writes what a tower sees of a page, cut to patches in the page's own shape.",
    ),
    Architecture(
        "kosmos-2.5",
        "Kosmos",
        At(
            "",
            (
                at("text_model.model", speak),
                Tower("vision_model", PAGE_TOWER, KOSMOS_TOWER_DIMS),
                at("image_to_text_projection", Projector((query_page,))),
            ),
        ),
        heads={
            "Kosmos2_5Model": Head(),
            "Kosmos2_5ForConditionalGeneration": Head(
                "",
                (LmHead("text_model.lm_head", inner=read_kosmos_text, tie_of=is_tied),),
            ),
        },
        natural="Kosmos2_5ForConditionalGeneration",
        text=read_kosmos_text,
        norm="layernorm",
        position="sinusoidal",
        embedding="text_model.model.embed_tokens.weight",
        supported=refuse_flat,
        example="microsoft/kosmos-2.5",
        about="Kosmos-2's decoder behind Pix2Struct's tower and 2,048 learned queries, to transcribe pages.",
    ),
)
