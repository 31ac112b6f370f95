"""The first Idefics: Llama with gated layers between its own that attend to images (Flamingo, arXiv:2204.14198)."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, MULTI_HEAD, Config, UnsupportedError
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.vision import CLIP_VISION, VISION_DIMS, Projector, Tower
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

INITIALIZERS = ("zeros", "ones", "normal", "gaussian", "random")


def read_tower(c: Config) -> Config:
    return c.section("vision_config", VISION_DIMS)


def more_words(c: Config, p: Place) -> Iterable[Row]:
    """Words that were added later stand in a table of their own."""
    if extra := c.whole("additional_vocab_size"):
        yield p.table("embed_tokens.additional_embedding", extra, c.hidden)


def more_logits(c: Config, p: Place) -> Iterable[Row]:
    """And have a head of their own."""
    if extra := c.whole("additional_vocab_size"):
        table = p.embedding.removesuffix("weight") + "additional_embedding.weight"
        yield p.tensor("lm_head.additional_fc.weight", (extra, c.hidden), "head", tied_to=table if c.tied else None)


def attend_to_image(c: Config, p: Place) -> Iterable[Row]:
    """Keys and values are as wide as the text, and made from features as wide as the tower."""
    seen, width = read_tower(c).hidden, c.heads * c.head_dim
    yield from p.linear("q_proj", c.hidden, width, "attention")
    source = p._replace(stack="cross")
    yield from source.linear("k_proj", seen, width, "attention")
    yield from source.linear("v_proj", seen, width, "attention")
    yield from p.linear("o_proj", width, c.hidden, "attention")
    kept, flops = 2 * width, 4 * width
    yield p.state(
        "cross", per_token=kept, materialized=kept, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False
    )


def gates(c: Config, p: Place) -> Iterable[Row]:
    """How much of the image is let in, by attention and by MLP: one number, or one for each feature."""
    if c["alpha_initializer"] not in INITIALIZERS:
        raise UnsupportedError(f"{c.model_type}: alpha_initializer {c['alpha_initializer']!r:.40} is not known")
    shapes = {"float": (1,), "vector": (1, 1, c.hidden)}
    kind = c["alpha_type"]
    if not isinstance(kind, str) or kind not in shapes:
        raise UnsupportedError(f"{c.model_type}: alpha_type {kind!r:.40} is not known")
    yield p.tensor("alpha_cross_attn", shapes[kind], "attention", "vector")
    yield p.tensor("alpha_dense", shapes[kind], "mlp", "vector")


QK_NORMS = when("qk_layer_norms", rms("q_layer_norm", "head_dim"), rms("k_layer_norm", "head_dim"))
TEXT = (
    stack("layers", at("self_attn", Attention()), at("mlp", GatedMlp()), *PRE_NORMS),
    stack(
        "gated_cross_attn_layers",
        gates,
        at("cross_attn", attend_to_image, QK_NORMS),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        count="cross_layers",
    ),
    rms("norm"),
)


def resample(c: Config, p: Place) -> Iterable[Row]:
    """A perceiver: learned latents attend to the patches and stand for the image."""
    inner, width = c.section("perceiver_config"), read_tower(c).hidden
    head, depth = inner.whole("resampler_head_dim", least=1), inner.whole("resampler_depth")
    if not 0 < depth <= MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: perceiver_config.resampler_depth is {depth}, out of range")
    inside = inner.whole("resampler_n_heads", least=1) * head
    below = p.at("perceiver_resampler")
    latents = (inner.whole("resampler_n_latents", least=1), width)
    yield below.tensor("latents", latents, "projector", "lookup")
    layer = below.at("blocks.{}")._replace(layers=range(depth))
    attention, mlp = layer.at("0"), layer.at("1")
    for name in ("context_layer_norm", "latents_layer_norm"):
        yield from attention.vector(name, width, "projector", True)
    if inner.flag("qk_layer_norms_perceiver"):
        for name in ("q_layer_norm", "k_layer_norm"):
            yield from attention.vector(name, head, "projector", True)
    for name in ("q_proj", "k_proj", "v_proj"):
        yield from attention.linear(name, width, inside, "projector")
    yield from attention.linear("output_proj", inside, width, "projector")
    yield from mlp.vector("ln", width, "projector", True)
    yield from mlp.linear("fc", width, 4 * width, "projector")
    yield from mlp.linear("c_proj", 4 * width, width, "projector")
    yield from below.vector("layer_norm", width, "projector", True)


def count_crossing(c: Config) -> int:
    """A layer that attends to images before each ``cross_layer_interval`` of the text's own."""
    return int(c.layers) // c.whole("cross_layer_interval", least=1)


register(
    Architecture(
        "idefics",
        "Idefics",
        At(
            "",
            (
                Embedding(),
                more_words,
                Tower("vision_model", CLIP_VISION.blocks, VISION_DIMS),
                when("use_resampler", Projector((resample,))),
                *TEXT,
            ),
        ),
        heads={"IdeficsModel": Head(), "IdeficsForVisionText2Text": Head("model.", (LmHead(), more_logits))},
        natural="IdeficsForVisionText2Text",
        dims={**MULTI_HEAD, "cross_layers": count_crossing},
        example="HuggingFaceM4/idefics-9b",
        about="Llama, with gated layers between its own that attend to images, as Flamingo has them.",
    )
)
