"""Llama 4: experts, attention in chunks, and a vision tower of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.vision import VISION_DIMS, Projector, Tower, class_token
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import At, at, by_kind, layer_types, open_section, stack, text_section
from zoo.arch.mlp import Experts, GatedMlp, Mlp, Moe, Router
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def chunk_with_rope(c: Config) -> Sequence[str]:
    """Layers with rotary positions attend within chunks, those without to everything: each fourth unless listed."""
    rope = c["no_rope_layers"]  # 1 where a layer HAS rotary positions, whatever the name says
    if not rope:
        every = c.whole("no_rope_layer_interval", least=1)
        rope = [int((layer + 1) % every != 0) for layer in range(c.layers)]
    if not isinstance(rope, list | tuple) or len(rope) < c.layers:
        raise UnsupportedError(f"{c.model_type}: {c.path}no_rope_layers does not name each of {c.layers} layers")
    return ["chunked_attention" if has_rope else "full_attention" for has_rope in rope[: c.layers]]


def mlp_kinds(c: Config) -> Sequence[str]:
    """Experts in the layers that ``moe_layers`` lists, else in every ``interleave_moe_layer_step``-th."""
    sparse = c["moe_layers"]
    if sparse is None:
        step = c.whole("interleave_moe_layer_step", least=1)
        sparse = range(step - 1, c.layers, step)
    elif not isinstance(sparse, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}moe_layers is not a list of layers")
    listed = {check_whole(layer, f"{c.model_type}: {c.path}moe_layers") for layer in sparse}
    return ["sparse" if layer in listed else "dense" for layer in range(c.layers)]


SHARED = at("shared_expert", GatedMlp(part="shared_experts"))
LM_HEAD = LmHead()

LLAMA4_TEXT = decoder(
    "llama4_text",
    "Llama4",
    "Llama",
    at("self_attn", Attention(bias="attention_bias", kinds=layer_types(chunk_with_rope))),
    at(
        "feed_forward",
        by_kind(
            mlp_kinds,
            dense=GatedMlp(width="dense_ffn"),
            sparse=Moe(Router("router"), Experts(transposed=True), shared=(SHARED,)),
        ),
    ),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
    heads={"Llama4TextModel": Head(), "Llama4ForCausalLM": Head("model.", (LM_HEAD,))},
    dims={
        "window": lambda c: c.maybe("attention_chunk_size") or None,
        "dense_ffn": "intermediate_size_mlp",
        "experts": "num_local_experts",
        "experts_per_token": "num_experts_per_tok",
        "shared_experts": lambda c: 1,
    },
    about="The language model inside Llama 4: one routed and one shared expert, attention in chunks of 8,192.",
)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """Patches as vectors through one matrix, a class token, and a position for each."""
    pixels = c.channels * c.whole("patch_size", least=1) ** 2
    yield from p.linear("patch_embedding.linear", pixels, c.hidden, "vision")
    yield from class_token(c, p)
    yield p.tensor("positional_embedding_vlm", (c.patches + 1, c.hidden), "vision", "lookup")


def shuffle_pixels(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches side by side, through two matrices."""
    output = c.whole("projector_output_dim")
    yield from p.linear("vision_adapter.mlp.fc1", c.ffn, c.whole("projector_input_dim"), "vision")
    yield from p.linear("vision_adapter.mlp.fc2", output, output, "vision")


TOWER = Tower(
    "vision_model",
    (
        embed_patches,
        layer_norm("layernorm_pre"),
        layer_norm("layernorm_post"),
        stack(
            "model.layers",
            at("self_attn", Attention(bias=True, cached=False, causal=False)),
            at("mlp", Mlp()),
            layer_norm("input_layernorm"),
            layer_norm("post_attention_layernorm"),
        ),
        shuffle_pixels,
    ),
    dims=VISION_DIMS,
)


def read_text(c: Config) -> Config:
    return open_section(c, "text_config")


def is_tied(c: Config) -> bool:
    """The text says it, not the whole."""
    return bool(read_text(c).tied)


#: The text by itself, as the classes of the text alone have it.
TEXT = text_section(name="")
EMBEDDING = "embed_tokens.weight"


def project(c: Config, p: Place) -> Iterable[Row]:
    vision = c.section("vision_config", VISION_DIMS)
    yield from p.linear("linear_1", vision.whole("vision_output_dim"), read_text(c).hidden, "projector")


register(
    LLAMA4_TEXT,
    Architecture(
        "llama4",
        "Llama",
        At(
            "",
            (TOWER, at("multi_modal_projector", Projector((project,))), text_section(name="language_model.model")),
        ),
        heads={
            "Llama4ForConditionalGeneration": Head(
                "", (LmHead("language_model.lm_head", inner=read_text, tie_of=is_tied),)
            ),
            "Llama4TextModel": Head(body=TEXT),
            "Llama4VisionModel": Head(body=replace(TOWER, name="")),
            "Llama4ForCausalLM": Head("model.", (LmHead(inner=read_text, tie_of=is_tied),), TEXT, EMBEDDING),
        },
        natural="Llama4ForConditionalGeneration",
        text=read_text,
        embedding="language_model.model.embed_tokens.weight",
        example="meta-llama/Llama-4-Scout-17B-16E-Instruct",
        about="One of many large experts and a shared one; three layers of four attend within chunks of 8,192 tokens.",
    ),
)
