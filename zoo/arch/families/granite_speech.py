"""Granite Speech: a conformer that hears in blocks, a Q-Former over windows of it, and Granite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, divide
from zoo.arch.families.audio import Heard
from zoo.arch.families.blip import Q_PROJECTIONS, QFORMER_DIMS, crossing
from zoo.arch.families.llava import EMBEDDING, read_text
from zoo.arch.families.speech_parts import batch_norm, convolve, read_list, refuse_text, refuse_type
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, Section, at, by_kind, stack, text_section, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def read_frames(c: Config, p: Place) -> Iterable[Row]:
    """Queries attend to what the encoder gives."""
    frames = c.whole("encoder_hidden_size", least=1)
    for name, inputs in zip(Q_PROJECTIONS, (c.hidden, frames, frames, c.hidden), strict=True):
        yield from p.linear(name, inputs, c.hidden, "projector", True)
    yield p.state("cross", flops_per_pos=4 * c.hidden, decode_flops_per_pos=4 * c.hidden, causal=False)


ATTENDED = layer_norm("output.LayerNorm")
Q_FORMER = Heard(
    (
        layer_norm("layernorm"),
        stack(
            "encoder.layer",
            at("attention", Attention(Q_PROJECTIONS, bias=True, cached=False, causal=False), ATTENDED),
            by_kind(crossing, own=(), both=at("crossattention", read_frames, ATTENDED)),
            when("use_qformer_text_input", Mlp(("intermediate.dense", "output.dense")), ATTENDED),
            Mlp(("intermediate_query.dense", "output_query.dense")),
            layer_norm("output_query.LayerNorm"),
        ),
    ),
    "projector",
)

ENCODER_DIMS: Mapping[str, Dim] = {
    "hidden": lambda c: c.whole("hidden_dim", least=1),
    "layers": lambda c: c.whole("num_layers"),
    "heads": lambda c: c.whole("num_heads", least=1),
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: read_width(c),
    "ffn": lambda c: c.hidden * c.whole("feedforward_mult", least=1),
    "window": lambda c: c.whole("context_size", least=1),
}


def read_width(c: Config) -> int:
    """Width of a head, where the config gives none the hidden size over the heads."""
    given = c.maybe("dim_head", least=1)
    return divide(c, c.hidden, c.heads, "num_heads") if given is None else given


def attend_in_block(c: Config, p: Place) -> Iterable[Row]:
    """Attention to the frames of one block, with a learned vector for each distance (arXiv:1803.02155)."""
    width = c.heads * c.head_dim
    yield from p.linear("to_q", c.hidden, width, "attention")
    yield from p.linear("to_kv", c.hidden, 2 * width, "attention")
    yield from p.linear("to_out", width, c.hidden, "attention", True)
    yield p.table("rel_pos_emb", 2 * c.whole("max_pos_emb", least=1) + 1, c.head_dim, "position")
    yield p.state("chunked", window=c.window, flops_per_pos=6 * width, decode_flops_per_pos=6 * width, causal=False)


def convolve_frames(c: Config, p: Place) -> Iterable[Row]:
    """A gated depthwise convolution between two matrices."""
    inner = c.hidden * c.whole("conv_expansion_factor", least=1)
    yield from convolve(p, "up_conv", (2 * inner, c.hidden, 1), "audio")
    kernel = (inner, 1, c.whole("conv_kernel_size", least=1))
    yield from convolve(p, "depth_conv.conv", kernel, "audio", bias=False, op="conv")
    yield from batch_norm(p, "batch_norm", inner)
    yield from convolve(p, "down_conv", (c.hidden, inner, 1), "audio")


def guess_letters(c: Config, p: Place) -> Iterable[Row]:
    """Halfway up, the letters heard so far, given back to the layers above."""
    letters = c.whole("output_dim", least=1)
    yield from p.linear("out", c.hidden, letters, "audio", True)
    yield from p.linear("out_mid", letters, c.hidden, "audio", True)


def take_frames(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("input_linear", c.whole("input_dim", least=1), c.hidden, "audio", True)


CONFORMER = Heard(
    (
        take_frames,
        stack(
            "layers",
            at("ff1", layer_norm("pre_norm"), Mlp(("up_proj", "down_proj"))),
            at("attn", layer_norm("pre_norm"), attend_in_block),
            at("conv", layer_norm("norm"), convolve_frames),
            at("ff2", layer_norm("pre_norm"), Mlp(("up_proj", "down_proj"))),
            layer_norm("post_norm"),
        ),
        guess_letters,
    )
)


def hear(c: Config, p: Place) -> Iterable[Row]:
    yield from CONFORMER(c.section("encoder_config", ENCODER_DIMS), p.at("encoder"))


def make_queries(c: Config, p: Place) -> Iterable[Row]:
    """As many learned queries as a window gives positions of text, and the matrix behind the Q-Former."""
    former = c.section("projector_config", QFORMER_DIMS)
    queries = divide(c, c.whole("window_size", least=1), c.whole("downsample_rate"), "downsample_rate")
    yield p.tensor("query", (1, queries, former.hidden), "projector", "lookup")
    yield from p.linear("linear", former.hidden, read_text(c).hidden, "projector", True)


def refuse_sections(c: Config) -> str | None:
    """Sections of types, or of widths, that the class does not take."""
    if reason := refuse_type(c, "projector_config", "blip_2_qformer"):
        return reason
    encoder = c.section("encoder_config", ENCODER_DIMS)
    if encoder.get("cat_hidden_layers") is not None:
        widths = len(read_list(encoder, "cat_hidden_layers", least=0)) + 1
        given = c.section("projector_config").whole("encoder_hidden_size", least=1)
        if given != widths * encoder.hidden:
            return f"projector_config.encoder_hidden_size {given} is not {widths} x {encoder.hidden}"
    return refuse_text(c, read_text(c), tied=c.tied)


def granite_speech(model_type: str, prefix: str, example: str, about: str) -> Architecture:
    former = Section("projector_config", "qformer", "projector")
    project = At("projector", (Heard((make_queries,), "projector"), former))
    return Architecture(
        model_type,
        "Granite",
        At("", (hear, project, text_section())),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("model.", (LmHead(inner=read_text),)),
        },
        natural=f"{prefix}ForConditionalGeneration",
        text=read_text,
        embedding=EMBEDDING,
        supported=refuse_sections,
        example=example,
        about=about,
    )


register(
    Architecture(
        "blip_2_qformer",
        "BLIP",
        Q_FORMER,
        heads={"Blip2QFormerModel": Head()},
        natural="Blip2QFormerModel",
        dims={**QFORMER_DIMS, "vocab": lambda c: 0, "context": lambda c: None},
        norm="layernorm",
        position="none",
        about="The Q-Former of BLIP-2: learned queries that attend to what an encoder gives.",
    ),
    granite_speech(
        "granite_speech",
        "GraniteSpeech",
        "ibm-granite/granite-speech-3.3-2b",
        "A conformer and a Q-Former over windows of it before Granite; an adapter beside it is not counted.",
    ),
    granite_speech(
        "granite_speech_plus",
        "GraniteSpeechPlus",
        "ibm-granite/granite-speech-4.1-2b-plus",
        "Granite Speech whose Q-Former sees several layers of the conformer side by side.",
    ),
)
