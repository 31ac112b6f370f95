"""Chameleon: Llama's layers over words and the codes of images alike, with a norm for each head of queries and keys."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole, split_heads
from zoo.arch.families.image_codes import CODEC_DIMS, encode, pixel_attention, quantize, read_channels
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.vision import Vision
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def attends(c: Config) -> list[bool]:
    """Levels whose resolution is listed attend, unless ``attn_type`` is another than "vanilla"."""
    levels, listed = len(read_channels(c)), c["attn_resolutions"]
    if listed is None or not attends_plainly(c):
        return [False] * levels
    what = f"{c.model_type}: {c.path}attn_resolutions"
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{what} is not a list of resolutions")
    chosen, resolution = {check_whole(one, what) for one in listed}, c.whole("resolution", least=1)
    return [resolution // 2**level in chosen for level in range(levels)]


def attends_plainly(c: Config) -> bool:
    """Any other word than "vanilla" leaves attention out, in the middle as well."""
    if not isinstance(word := c["attn_type"], str):
        raise UnsupportedError(f"{c.model_type}: {c.path}attn_type is {word!r:.40}, not a word")
    return word == "vanilla"


def look(c: Config, p: Place) -> Iterable[Row]:
    return encode(c, p, attends(c), pixel_attention if attends_plainly(c) else None)


HEAD_NORMS = (
    layer_norm("q_norm", lambda c: (c.heads, c.head_dim)),
    layer_norm("k_norm", lambda c: (c.kv_heads, c.head_dim)),
)

register(
    Architecture(
        "chameleon_vqgan",
        "Chameleon",
        Vision((at("encoder", look), quantize)),
        heads={"ChameleonVQVAE": Head()},
        natural="ChameleonVQVAE",
        dims=CODEC_DIMS,
        norm="groupnorm",
        position="none",
        about="The encoder of Chameleon: convolutions that make 1,024 codes of an image.",
    ),
    Architecture(
        "chameleon",
        "Chameleon",
        At(
            "",
            (
                Embedding(),
                stack(
                    "layers",
                    at("self_attn", Attention(bias="attention_bias", extra=HEAD_NORMS)),
                    at("mlp", GatedMlp(bias="mlp_bias")),
                    *PRE_NORMS,
                ),
                rms("norm"),
                vision_section("vq_config", "vqmodel"),
            ),
        ),
        heads={"ChameleonModel": Head(), "ChameleonForConditionalGeneration": Head("model.", (LmHead(),))},
        natural="ChameleonForConditionalGeneration",
        dims={"head_dim": split_heads},
        example="facebook/chameleon-7b",
        about="Words and codes of images are tokens of one vocabulary; each head norms its queries and keys by itself.",
    ),
)
