"""Emu3: Llama's layers over words and the codes of images and video alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import log2

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole, divide
from zoo.arch.families.image_codes import (
    CODEC_DIMS,
    Named,
    batch_norm,
    convolve,
    descend,
    group_norm,
    read_blocks,
    read_channels,
    repeat,
    residual,
    residuals,
)
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava import read_text, refuse_flat
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import PROJECTIONS, Vision
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, text_section, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def is_set(key: str) -> Callable[[Config], bool]:
    """A switch that is off in the class, though it declares no default for it."""
    return lambda c: c.get(key) is not None and c.flag(key)


def attend(c: Config, p: Place, channels: int) -> Iterable[Row]:
    """Attention among all pixels, as wide as ``hidden_size`` whatever the channels are."""
    width = c.whole("hidden_size", least=1)
    if width % c.whole("num_attention_heads", least=1):
        raise UnsupportedError(f"{c.model_type}: {c.path}hidden_size is not a multiple of num_attention_heads")
    for name in PROJECTIONS:
        yield from p.linear(name, width, width, "vision", True)
    yield p.state("full", flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def spatial_norm(width: int, p: Place, name: str, channels: int) -> Iterable[Row]:
    """Group norm whose gain and bias are made from the codes, which are ``width`` wide."""
    below = p.at(name)
    yield from group_norm(below, "norm_layer", channels)
    yield from convolve(below, "conv_y", width, channels, 1, 1)
    yield from convolve(below, "conv_b", width, channels, 1, 1)


def read_attending(c: Config) -> list[bool]:
    """``attn_resolutions`` lists levels, by number, not resolutions."""
    what, listed = f"{c.model_type}: {c.path}attn_resolutions", c["attn_resolutions"]
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{what} is not a list of levels")
    chosen = {check_whole(level, what) for level in listed}
    return [level in chosen for level in range(len(read_channels(c)))]


def attend_normed(c: Config, p: Place, channels: int, norm: Named = group_norm) -> Iterable[Row]:
    """Attention at a level, and beside it the list of the norms before it."""
    yield from attend(c, p, channels)
    number = p.prefix.removesuffix("attn.{}.")
    yield from norm(p._replace(prefix=f"{number}attn_norms."), "{}", channels)


def middle(c: Config, p: Place, norm: Named) -> Iterable[Row]:
    """Two residual blocks at the lowest resolution, attention and its norm between them."""
    width = read_channels(c)[-1]
    yield from residual(p.at("block_1"), width, width, norm)
    yield from attend(c, p.at("attn_1"), width)
    yield from norm(p, "attn_norm", width)
    yield from residual(p.at("block_2"), width, width, norm)


def count_halvings(c: Config) -> int:
    """Frames are halved until ``temporal_downsample_factor`` of them are one."""
    return int(log2(c.whole("temporal_downsample_factor", least=1)))


def mix_frames(c: Config, p: Place, width: int, kernel: Sequence[int]) -> Iterable[Row]:
    """Convolutions over time as well: one for each halving of the frames, and residual blocks with batch norm."""
    if halvings := count_halvings(c):
        yield from convolve(repeat(p, "time_conv", range(halvings)), "conv.conv", width, width, *kernel)
    below = repeat(p, "time_res_stack", range(read_blocks(c)))
    for number in (1, 2):
        yield from batch_norm(below, f"norm{number}", width)
        yield from convolve(below, f"conv{number}.conv", width, width, 3, 3, 3)


def encode(c: Config, p: Place) -> Iterable[Row]:
    latent, widest = c.whole("latent_channels", least=1), read_channels(c)[-1]
    outputs = 2 * latent if c.flag("double_latent") else latent
    yield from convolve(p, "conv_in", c.whole("in_channels", least=1), c.whole("base_channels"), 3, 3)
    yield from descend(c, p.at("down_block"), read_attending(c), attend_normed)
    yield from middle(c, p.at("middle_block"), group_norm)
    yield from group_norm(p, "norm_out", widest)
    yield from convolve(p, "conv_out", widest, outputs, 3, 3)
    yield from mix_frames(c, p, outputs, (4, 3, 3))


def decode(c: Config, p: Place) -> Iterable[Row]:
    """The levels from the lowest resolution up, each with a block more, normed by what the codes say."""
    latent, channels, blocks = c.whole("latent_channels", least=1), read_channels(c), read_blocks(c) + 1
    norm, attends, inputs = partial(spatial_norm, c.whole("embed_dim", least=1)), read_attending(c), channels[-1]
    yield from mix_frames(c, p, latent, (3, 3, 3))
    yield from convolve(p, "conv_in", latent, inputs, 3, 3)
    yield from middle(c, p.at("middle_block"), norm)
    for level in reversed(range(len(channels))):
        place, outputs = p.at(f"up_block.up.{level}"), channels[level]
        yield from residuals(place, inputs, outputs, blocks, norm)
        if attends[level]:
            yield from attend_normed(c, repeat(place, "attn", range(blocks)), outputs, norm)
        if level:
            yield from convolve(place, "upsample.conv", outputs, outputs, 3, 3)
        inputs = outputs
    yield from norm(p, "norm_out", inputs)
    yield from convolve(p, "conv_out", inputs, c.whole("out_channels", least=1), 3, 3)


def quantize(c: Config, p: Place) -> Iterable[Row]:
    """The codebook, and convolutions over three frames into its width and back."""
    width, latent = c.whole("embed_dim", least=1), c.whole("latent_channels", least=1)
    yield p.table("quantize.embedding", c.whole("codebook_size", least=1), width, "vision")
    yield from convolve(p, "quant_conv.conv", latent, width, 3, 1, 1)
    yield from convolve(p, "post_quant_conv.conv", width, latent, 3, 1, 1)


def is_text_tied(c: Config) -> bool:
    return bool(read_text(c).tied)


TEXT = text_section(name="text_model")
ALONE = text_section(name="")

register(
    decoder(
        "emu3_text_model",
        "Emu3",
        "Emu3",
        at("self_attn", Attention(bias=is_set("attention_bias"))),
        at("mlp", GatedMlp(bias=is_set("mlp_bias"))),
        *PRE_NORMS,
        heads={"Emu3TextModel": Head(), "Emu3ForCausalLM": Head("model.", (LmHead(),))},
        about="The language model of Emu3: Llama's layers.",
    ),
    Architecture(
        "emu3_vqgan",
        "Emu3",
        Vision((at("encoder", encode), at("decoder", decode), quantize)),
        heads={"Emu3VQVAE": Head()},
        natural="Emu3VQVAE",
        dims={
            **CODEC_DIMS,
            "hidden": lambda c: c.whole("hidden_size", least=1),
            "heads": lambda c: c.whole("num_attention_heads", least=1),
            "kv_heads": lambda c: c.heads,
            "head_dim": lambda c: divide(c, c.hidden, c.heads, "num_attention_heads"),
        },
        norm="groupnorm",
        position="none",
        about="The codec of Emu3: convolutions over pixels and frames, from images and video to codes and back.",
    ),
    seeing(
        *("emu3", "Emu3", "Emu3", TEXT, vision_section("vq_config", "vqmodel")),
        heads={
            "Emu3TextModel": Head(body=ALONE, embedding="embed_tokens.weight"),
            "Emu3ForCausalLM": Head(
                "model.", (LmHead(inner=read_text, tie_of=is_text_tied),), body=ALONE, embedding="embed_tokens.weight"
            ),
        },
        embedding="text_model.embed_tokens.weight",
        supported=refuse_flat,
        example="BAAI/Emu3-Chat-hf",
        about="Reads and draws images and video as codes among the words, one token after another.",
    ),
)
