"""Janus: any text model that reads images through a vision transformer, and draws them code by code."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.image_codes import (
    CODEC_DIMS,
    attend_last,
    convolve,
    encode,
    group_norm,
    middle,
    pixel_attention,
    quantize,
    read_blocks,
    read_channels,
    repeat,
    residuals,
)
from zoo.arch.families.llava import TEXT
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Patches, Positions, Projector, Vision
from zoo.arch.layers import at, open_section, stack, vision_section, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

MAX_DEPTH = 1000


def widen(c: Config) -> int:
    """``mlp_ratio`` times the width, rounded down."""
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1 << 16:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a number above 0")
    return int(c.hidden * ratio)


LAYER = (
    layer_norm("layer_norm1"),
    at(
        "self_attn",
        Attention(
            ("q_proj", "k_proj", "v_proj", "projection_layer"),
            bias="attention_bias",
            o_bias=True,
            cached=False,
            causal=False,
            extra=(when("use_qk_norm", layer_norm("q_norm"), layer_norm("k_norm")),),
        ),
    ),
    layer_norm("layer_norm2"),
    at("mlp", Mlp()),
)


def ascend(c: Config, p: Place) -> Iterable[Row]:
    """The decoder: the levels from the lowest resolution up, numbered in that order, each with a block more."""
    channels, blocks, attends = read_channels(c), read_blocks(c) + 1, attend_last(c)
    inputs = channels[-1]
    yield from convolve(p, "conv_in", c.whole("latent_channels", least=1), inputs, 3, 3)
    yield from middle(c, p.at("mid"), pixel_attention)
    for number, level in enumerate(reversed(range(len(channels)))):
        place, outputs = p.at(f"up.{number}"), channels[level]
        yield from residuals(place, inputs, outputs, blocks)
        if attends[level]:
            yield from pixel_attention(c, repeat(place, "attn", range(blocks)), outputs)
        if level:
            yield from convolve(place, "upsample.conv", outputs, outputs, 3, 3)
        inputs = outputs
    yield from group_norm(p, "norm_out", inputs)
    yield from convolve(p, "conv_out", inputs, c.whole("out_channels", least=1), 3, 3)


def look(c: Config, p: Place) -> Iterable[Row]:
    return encode(c, p, attend_last(c))


def align(c: Config, p: Place, inputs: int, depth: str) -> Iterable[Row]:
    """A matrix into ``projection_dim``, and as many more of that width as ``depth`` says, less one."""
    width, count = c.whole("projection_dim", least=1), c.whole(depth)
    if count > MAX_DEPTH:
        raise UnsupportedError(f"{c.model_type}: {c.path}{depth} is {count}, out of range")
    yield from p.linear("fc1", inputs, width, "projector", True)
    if count > 1:
        more = p._replace(layers=range(count - 1))
        yield from more.linear("hidden_layers.{}", width, width, "projector", True)


def align_seen(c: Config, p: Place) -> Iterable[Row]:
    seen = open_section(c, "vision_config")
    return align(seen, p, seen.hidden, "depth")


def embed_codes(c: Config, p: Place) -> Iterable[Row]:
    """What has been drawn so far: an embedding of its codes, and matrices into the width of the text."""
    codes = open_section(c, "vq_config")
    width = codes.whole("embed_dim", least=1)
    yield p.table("generation_embeddings", codes.whole("num_embeddings", least=1), width, "projector")
    yield from align(codes, p.at("generation_aligner"), width, "num_hidden_layers")


def choose_code(c: Config, p: Place) -> Iterable[Row]:
    """The head that chooses the next code of an image."""
    codes, below = open_section(c, "vq_config"), p.at("generation_head")
    width = codes.whole("projection_dim", least=1)
    yield from below.linear("proj_out", codes.whole("image_token_embed_dim", least=1), width, "projector", True)
    yield from below.linear("vision_head", width, codes.whole("num_embeddings", least=1), "projector", True)


register(
    tower(
        "janus_vision_model",
        "Janus",
        at("embeddings", Patches("patch_embedding", bias=True), Positions()),
        at("encoder", stack("layers", *LAYER)),
        layer_norm("post_layernorm"),
        name="JanusVisionModel",
        dims={"ffn": widen},
        about="The tower that Janus sees with: SigLIP's, with an MLP of any ratio.",
    ),
    Architecture(
        "janus_vqgan",
        "Janus",
        Vision((at("encoder", look), quantize, at("decoder", ascend))),
        heads={"JanusVQVAE": Head()},
        natural="JanusVQVAE",
        dims=CODEC_DIMS,
        norm="groupnorm",
        position="none",
        about="The codec that Janus draws with: convolutions from an image to 576 codes, and back.",
    ),
    seeing(
        *("janus", "Janus", "Janus", vision_section(name="vision_model")),
        at("aligner", Projector((align_seen,))),
        vision_section("vq_config", "vqmodel"),
        Projector((embed_codes, choose_code)),
        TEXT,
        example="deepseek-community/Janus-Pro-1B",
        about="Sees through SigLIP and draws by codes of an image, which have an embedding and a head of their own.",
    ),
)
