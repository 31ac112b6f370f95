"""Phi-4-multimodal: Phi-3's layers, that see through SigLIP's tower and hear through a conformer."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import Config, Dim, read_head_dim
from zoo.arch.families.audio import Heard
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.speech_parts import convolve
from zoo.arch.families.vision import ENCODER, VISION_DIMS, Patches, Positions, Projector, Tower, pool_by_attention
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, layer_types, stack
from zoo.arch.mlp import FusedGatedMlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

AUDIO_DIMS: dict[str, Dim] = {
    "layers": "num_blocks",
    "kv_heads": lambda c: c.heads,
    "head_dim": read_head_dim,
    "vocab": lambda c: 0,
    "context": lambda c: None,
}
SIGLIP = (
    at("embeddings", Patches("patch_embedding", bias=True), Positions()),
    ENCODER,
    layer_norm("post_layernorm"),
    pool_by_attention,
)


def halvings(c: Config) -> int:
    """How often frames are halved: ``time_reduction`` is 2 to that power, or the next power below it."""
    return int(c.whole("time_reduction", least=2)).bit_length() - 1


def subsample(c: Config, p: Place) -> Iterable[Row]:
    """Convolutions that halve frames and mel bins: a full one, then pairs by channel and by position."""
    channels, bins = c.whole("nemo_conv_channels", least=1), c.whole("input_size", least=1)
    yield from convolve(p, "conv.0", (channels, 1, 3, 3), "audio")
    for step in range(halvings(c) - 1):
        yield from convolve(p, f"conv.{3 * step + 2}", (channels, 1, 3, 3), "audio")
        yield from convolve(p, f"conv.{3 * step + 3}", (channels, channels, 1, 1), "audio")
    for _ in range(halvings(c)):
        bins = (bins - 1) // 2 + 1
    yield from p.linear("out", channels * bins, c.hidden, "audio", True)


def normalise_input(c: Config, p: Place) -> Iterable[Row]:
    """Mean and spread of each mel bin: stored, no parameters."""
    for name in ("global_mean", "global_invstd"):
        yield p.tensor(name, (c.whole("input_size"),), "audio", "vector", role="buffer")


def weigh_distances(c: Config, p: Place) -> Iterable[Row]:
    """A number for each head and distance, shared by all layers."""
    distances = c.whole("bias_max_distance", least=1) * (1 if c.flag("bias_symmetric") else 2)
    yield p.table("relative_attention_bias_layer.bias_values", distances, c.heads, "audio")


def convolve_frames(c: Config, p: Place) -> Iterable[Row]:
    """A gate, a convolution by channel and one by position, and one more matrix."""
    outer, inner = c.whole("ext_pw_out_channel", least=1), c.hidden * c.whole("depthwise_multiplier", least=1)
    yield from layer_norm("layer_norm")(c, p)
    yield from convolve(p, "glu.ext_pw_conv_1d", (2 * outer, c.hidden, 1), "audio")
    yield p.tensor("glu.b1", (1, outer, 1), "audio", "vector")
    yield p.tensor("glu.b2", (1, outer, 1), "audio", "vector")
    separable, kernel = p.at("dw_sep_conv_1d"), c.whole("kernel_size", least=1)
    yield from convolve(separable, "dw_conv", (inner, 1, kernel), "audio", op="conv")
    yield from convolve(separable, "pw_conv", (c.whole("depthwise_separable_out_channel", least=1), inner, 1), "audio")
    yield from convolve(p, "ext_pw_conv_1d", (outer, c.hidden, 1), "audio")


FEED_FORWARD = (layer_norm("layer_norm"), FusedGatedMlp(bias=True))
CONFORMER = Heard(
    (
        at("encoder_embedding", normalise_input),
        at("embed", subsample),
        weigh_distances,
        stack(
            "encoders",
            at("feed_forward_in", *FEED_FORWARD),
            at("self_attn", Attention(bias=True, cached=False, causal=False)),
            at("conv", convolve_frames),
            at("feed_forward_out", *FEED_FORWARD),
            layer_norm("layer_norm_att"),
            layer_norm("layer_norm"),
        ),
    )
)


def hear(c: Config, p: Place) -> Iterable[Row]:
    yield from CONFORMER(c.section("audio_config", AUDIO_DIMS), p.at("encoder"))


def project_sound(c: Config, p: Place) -> Iterable[Row]:
    """Two matrices for speech alone, and two for speech beside an image."""
    audio = c.section("audio_config", AUDIO_DIMS)
    frames = audio.hidden * audio.whole("downsample_rate", least=1)
    for name in ("speech", "vision_speech"):
        yield from p.linear(f"up_proj_for_{name}", frames, c.hidden, "projector", True)
        yield from p.linear(f"down_proj_for_{name}", c.hidden, c.hidden, "projector", True)


def project_image(c: Config, p: Place) -> Iterable[Row]:
    """Two matrices, and learned vectors that stand between views and at the ends of rows."""
    width = c.section("vision_config", VISION_DIMS).hidden
    yield p.tensor("global_img_feature_extensor", (1, 1, width), "projector", "vector")
    yield p.tensor("sub_img_feature_extensor", (1, 1, 1, width), "projector", "vector")
    yield from p.linear("img_projection_up", width, c.hidden, "projector", True)
    yield from p.linear("img_projection_down", c.hidden, c.hidden, "projector", True)


register(
    decoder(
        "phi4_multimodal",
        "Phi4Multimodal",
        "Phi",
        at("self_attn", FusedAttention(kinds=layer_types(window_everywhere))),
        at("mlp", FusedGatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        final=at(
            "",
            rms("norm"),
            at("embed_tokens_extend.image_embed", Tower("img_processor", SIGLIP, VISION_DIMS)),
            at("embed_tokens_extend.image_embed", Projector((project_image,))),
            at("embed_tokens_extend.audio_embed", hear, Heard((project_sound,), "projector")),
        ),
        heads={"Phi4MultimodalModel": Head(), "Phi4MultimodalForCausalLM": Head("model.", (LmHead(),))},
        example="microsoft/Phi-4-multimodal-instruct",
        about="Phi-4-mini behind SigLIP's tower and a conformer; the adapters of its files are not counted.",
    ),
)
