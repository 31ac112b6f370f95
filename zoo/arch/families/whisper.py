"""Whisper: an encoder of sound and a decoder of text."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def convolve_spectrogram(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over 3 frames, the second of stride 2: from mel bins to one vector for 20 ms.

    For one vector the first convolution is done at two frames, the second once.
    """
    place = p._replace(stack="encoder")
    bins = c.whole("num_mel_bins", least=1)
    for name, inputs in (("conv1", bins), ("conv2", c.hidden)):
        yield place.tensor(f"{name}.weight", (c.hidden, inputs, 3), "audio")
        yield place.tensor(f"{name}.bias", (c.hidden,), "audio", "vector")
    yield place.state("full", flops_per_token=2 * 3 * c.hidden * (2 * bins + c.hidden), causal=False)


ENCODER = at(
    "encoder",
    convolve_spectrogram,
    Embedding("embed_positions", "sources", part="position"),  # sinusoids, but stored and counted as parameters
    stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True, k_bias=False, cached=False, causal=False)),
        layer_norm("self_attn_layer_norm"),
        Mlp(width="encoder_ffn"),
        layer_norm("final_layer_norm"),
        count="encoder_layers",
        of="encoder",
    ),
    layer_norm("layer_norm"),
)
DECODER = at(
    "decoder",
    Embedding("embed_tokens"),
    Embedding("embed_positions", "context", part="position"),
    stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True, k_bias=False)),
        layer_norm("self_attn_layer_norm"),
        at("encoder_attn", CrossAttention(PROJECTIONS, bias=True, k_bias=False, source="sources")),
        layer_norm("encoder_attn_layer_norm"),
        Mlp(),
        layer_norm("final_layer_norm"),
    ),
    layer_norm("layer_norm"),
)


def weigh_layers(c: Config, p: Place) -> Iterable[Row]:
    """The weights of a sum over all layers, where the classifier takes one."""
    if c.flag("use_weighted_layer_sum"):
        yield p.tensor("layer_weights", (c.encoder_layers + 1,), "head", "vector")


def project_sound(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("projector", c.hidden, c.classifier_width, "head", True)


register(
    Architecture(
        "whisper",
        "Whisper",
        At("", (ENCODER, DECODER)),
        heads={
            "WhisperModel": Head(),
            "WhisperForConditionalGeneration": Head("model.", (LmHead("proj_out"),)),
            "WhisperForCausalLM": Head("model.", (LmHead("proj_out"),), body=DECODER),
            "WhisperForAudioClassification": Head(
                "",
                (weigh_layers, project_sound, LabelHead("classifier", bias=True, width="classifier_width")),
                body=ENCODER,
            ),
        },
        natural="WhisperForConditionalGeneration",
        dims={
            **MULTI_HEAD,
            "heads": lambda c: c.whole("decoder_attention_heads", least=1),
            "ffn": "decoder_ffn_dim",
            "encoder_ffn": "encoder_ffn_dim",
            "layers": "decoder_layers",
            "encoder_layers": "encoder_layers",
            "sources": "max_source_positions",
            "context": "max_target_positions",
            "activation": lambda c: c.get("activation_function"),
            "classifier_width": "classifier_proj_size",
        },
        norm="layernorm",
        position="learned",
        embedding="decoder.embed_tokens.weight",
        example="openai/whisper-large-v3",
        about="30 seconds of sound are always 1,500 positions: the cache of cross-attention has a fixed size.",
    )
)
