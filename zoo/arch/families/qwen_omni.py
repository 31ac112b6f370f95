"""Qwen2.5-Omni's thinker: Qwen2.5-VL with ears, without the parts that speak."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_head_dim, read_positive
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.qwen import QWEN_DIMS, QWEN_KINDS
from zoo.arch.families.qwen_vl import VISION_DIMS, PatchMerger, embed_patches
from zoo.arch.families.vision import PROJECTIONS, Projector, Tower
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at("self_attn", Attention(bias=True, o_bias=False, kinds=QWEN_KINDS)),
            at("mlp", GatedMlp()),
            *PRE_NORMS,
        ),
        rms("norm"),
    ),
)
SEEING = Attention(("q", "k", "v", "proj"), bias=True, cached=False, causal=False)
TOWER = Tower(
    "visual",
    (
        embed_patches,
        stack("blocks", rms("norm1"), rms("norm2"), at("attn", SEEING), at("mlp", GatedMlp(bias=True))),
        at("merger", Projector((PatchMerger(rms("ln_q")),))),
    ),
    dims=VISION_DIMS | {"text_hidden": "out_hidden_size"},
)
AUDIO_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "hidden": read_positive("d_model"),
    "heads": read_positive("encoder_attention_heads"),
    "layers": "encoder_layers",
    "ffn": "encoder_ffn_dim",
}
#: Whisper's attention: keys have no bias.
HEARING = Attention(PROJECTIONS, bias=True, k_bias=False, cached=False, causal=False)
LAYERS = stack(
    "layers",
    at("self_attn", HEARING),
    layer_norm("self_attn_layer_norm"),
    Mlp(),
    layer_norm("final_layer_norm"),
)


def read_text(c: Config) -> Config:
    return c.section("text_config", {**QWEN_DIMS, "head_dim": read_head_dim})


def hear(c: Config, p: Place) -> Iterable[Row]:
    """Whisper's encoder: two convolutions over the spectrum, layers, and a matrix into the width of the text."""
    audio = c.section("audio_config", AUDIO_DIMS)
    below = p.at("audio_tower")._replace(part="audio", stack="audio")
    output = audio.whole("output_dim", least=1)
    for name, channels in (("conv1", audio.whole("num_mel_bins", least=1)), ("conv2", audio.hidden)):
        yield below.tensor(f"{name}.weight", (audio.hidden, channels, 3), "audio")
        yield below.tensor(f"{name}.bias", (audio.hidden,), "audio", "vector")
    yield below.table("audio_bos_eos_token", 2, output, "audio")
    yield from LAYERS(audio, below)
    yield from layer_norm("ln_post")(audio, below)
    yield from below.linear("proj", audio.hidden, output, "audio", True)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


register(
    seeing(
        *("qwen2_5_omni_thinker", "Qwen", "Qwen2_5OmniThinker", hear, TOWER, at("language_model", speak)),
        text=read_text,
        example="Qwen/Qwen2.5-Omni-7B",
        about="Qwen2.5-VL with Whisper's encoder beside the tower: what Qwen2.5-Omni thinks with.",
    ),
)
