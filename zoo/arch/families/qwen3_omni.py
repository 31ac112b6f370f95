"""Qwen3-Omni's thinker: Qwen3-VL-MoE with ears, without the parts that speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_positive
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.qwen3_vl import VISION_ATTENTION, VISION_DIMS, count_deepstack, embed_patches, merged_width
from zoo.arch.families.qwen_moe import EXPERTS, mlp_kinds
from zoo.arch.families.vision import PROJECTIONS, Projector, Tower
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, Stack, at, by_kind, stack
from zoo.arch.mlp import GatedMlp, Mlp, Moe
from zoo.arch.norms import QK_NORM, Norm, layer_norm, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


@dataclass(frozen=True)
class PatchMerger:
    """Neighbouring patches become one position of the text: a norm, before or ``after`` they are joined, two layers."""

    after: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        merged = merged_width(c)
        yield from Norm("ln_q", (lambda c: merged) if self.after else "hidden", True)(c, p)
        yield from p.linear("mlp.0", merged, merged, "projector", True)
        yield from p.linear("mlp.2", merged, c.whole("out_hidden_size", least=1), "projector", True)


TOWER = Tower(
    "visual",
    (
        embed_patches,
        Embedding("pos_embed", "positions", part="position"),
        stack(
            "blocks",
            layer_norm("norm1"),
            layer_norm("norm2"),
            at("attn", VISION_ATTENTION),
            at("mlp", Mlp(("linear_fc1", "linear_fc2"))),
        ),
        at("merger", Projector((PatchMerger(),))),
        Projector((Stack("merger_list", (PatchMerger(after=True),), "deepstack"),)),
    ),
    dims=VISION_DIMS | {"deepstack": count_deepstack},
)
TEXT_DIMS: dict[str, Dim] = EXPERTS | {"window": lambda c: None}
TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at("self_attn", Attention(bias="attention_bias", extra=QK_NORM)),
            at("mlp", by_kind(mlp_kinds, dense=GatedMlp(), sparse=Moe())),
            *PRE_NORMS,
        ),
        rms("norm"),
    ),
)
AUDIO_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "hidden": read_positive("d_model"),
    "heads": read_positive("encoder_attention_heads"),
    "layers": "encoder_layers",
    "ffn": "encoder_ffn_dim",
}
LAYERS = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
    layer_norm("self_attn_layer_norm"),
    Mlp(),
    layer_norm("final_layer_norm"),
)


def halve(bins: int) -> int:
    """What a convolution of stride 2 leaves of ``bins`` rows."""
    return (bins + 1) // 2


def hear(c: Config, p: Place) -> Iterable[Row]:
    """Three convolutions over the spectrum, each of stride 2, layers, and two matrices into the width of the text."""
    audio = c.section("audio_config", AUDIO_DIMS)
    below = p.at("audio_tower")._replace(part="audio", stack="audio")
    channels, output = audio.whole("downsample_hidden_size", least=1), audio.whole("output_dim", least=1)
    for name, inputs in (("conv2d1", 1), ("conv2d2", channels), ("conv2d3", channels)):
        yield below.tensor(f"{name}.weight", (channels, inputs, 3, 3), "audio")
        yield below.tensor(f"{name}.bias", (channels,), "audio", "vector")
    rows = halve(halve(halve(audio.whole("num_mel_bins", least=1))))
    yield from below.linear("conv_out", channels * rows, audio.hidden, "audio")
    yield from LAYERS(audio, below)
    yield from layer_norm("ln_post")(audio, below)
    yield from below.linear("proj1", audio.hidden, audio.hidden, "audio", True)
    yield from below.linear("proj2", audio.hidden, output, "audio", True)


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


register(
    seeing(
        *("qwen3_omni_moe_thinker", "Qwen", "Qwen3OmniMoeThinker", hear, TOWER, at("language_model", speak)),
        text=read_text,
        example="Qwen/Qwen3-Omni-30B-A3B-Instruct",
        about="Qwen3-VL-MoE with an encoder for sound beside the tower: what Qwen3-Omni thinks with.",
    ),
)
