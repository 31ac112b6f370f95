"""Voxtral in real time: a causal encoder of sound and a text model whose norms know how far behind it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.audio import audio_tower, convolve_spectrogram, is_tied, listener, read_audio
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.heads import Embedding
from zoo.arch.layers import at, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Width inside the adaptive norm, fixed in the class.
ADAPTIVE_WIDTH = 32


def read_text(c: Config) -> Config:
    """The text's section, filled up with what the type declares for a missing one; its type is fixed."""
    given, filled = c.section("text_config"), c.spec.filled["text_config"]
    if given.model_type != "voxtral_realtime_text":
        raise UnsupportedError(f"{c.model_type}: a text of type {given.model_type!r:.40} is not followed")
    return Config({**filled, **given.raw}, given.model_type, parent=c, path=given.path)


def windows(c: Config) -> Sequence[str]:
    """A window in every layer, where the config gives one."""
    return ["full_attention" if c.window is None else "sliding_attention"] * c.layers


def delay_norm(c: Config, p: Place) -> Iterable[Row]:
    """Two small matrices from the delay to a gain, worked out once for a sequence and not for each token."""
    yield p.tensor("ada_rms_norm.linear1.weight", (ADAPTIVE_WIDTH, c.hidden), "norm", "lookup")
    yield p.tensor("ada_rms_norm.linear2.weight", (c.hidden, ADAPTIVE_WIDTH), "norm", "lookup")


def biased_below(c: Config, p: Place) -> Iterable[Row]:
    """SwiGLU with a bias on the way down alone."""
    yield from p.linear("gate_proj", c.hidden, c.ffn, "audio")
    yield from p.linear("up_proj", c.hidden, c.ffn, "audio")
    yield from p.linear("down_proj", c.ffn, c.hidden, "audio", True)


def stacked_frames(c: Config, p: Place) -> Iterable[Row]:
    """``downsample_factor`` frames side by side, and two matrices without biases."""
    text, frames = read_text(c).hidden, c.whole("downsample_factor", least=1)
    yield from p.linear("linear_1", read_audio(c).hidden * frames, text, "projector")
    yield from p.linear("linear_2", text, text, "projector")


TEXT = (
    Embedding(),
    stack("layers", at("self_attn", Attention(kinds=windows)), at("mlp", GatedMlp()), *PRE_NORMS, delay_norm),
    rms("norm"),
)


def write_text(c: Config, p: Place) -> Iterable[Row]:
    """Mistral's layers with a gain that depends on the delay."""
    text = read_text(c)
    for block in TEXT:
        yield from block(text, p.at("language_model"))


register(
    audio_tower(
        "voxtral_realtime_encoder",
        "VoxtralRealtimeEncoder",
        at("embedder", convolve_spectrogram),
        stack(
            "layers",
            at("self_attn", Attention(bias=True, k_bias=False, kinds=windows, cached=False)),
            rms("self_attn_layer_norm"),
            rms("final_layer_norm"),
            at("mlp", biased_below),
        ),
        rms("norm"),
        dims={"vocab": lambda c: 0, "kv_heads": lambda c: c.heads},
        position="rope",
        about="An encoder that hears only what has been said, 750 positions back.",
    ),
    listener(
        "voxtral_realtime",
        "VoxtralRealtime",
        "Mistral",
        stacked_frames,
        tie_of=is_tied,
        text=read_text,
        speaks=write_text,
        example="mistralai/Voxtral-Mini-4B-Realtime-2602",
        about="A causal encoder of sound before Mistral's layers, which write down speech while it is spoken.",
    ),
)
