"""MOSS-Transcribe-Diarize: Whisper's encoder, four frames at a time, before a small Qwen3."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config
from zoo.arch.families.gemma4_towers import Audio, read_text, whole_model
from zoo.arch.families.whisper import PROJECTIONS
from zoo.arch.heads import Embedding
from zoo.arch.layers import Section, at, stack, text_section
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def convolve_spectrogram(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over 3 frames, the second of stride 2: from mel bins to one vector for 20 ms."""
    for name, inputs in (("conv1", c.whole("num_mel_bins", least=1)), ("conv2", c.hidden)):
        yield p.tensor(f"{name}.weight", (c.hidden, inputs, 3), "audio")
        yield p.tensor(f"{name}.bias", (c.hidden,), "audio", "vector")


def project_frames(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring frames side by side, two matrices and a norm."""
    place, width = p.at("multi_modal_projector")._replace(part="projector", stack="audio"), read_text(c).hidden
    joined = c.section("audio_config").hidden * c.whole("audio_merge_size", least=1)
    yield from place.linear("linear_1", joined, width, "projector", c.flag("projector_bias"))
    yield from place.linear("linear_2", width, width, "projector", c.flag("projector_bias"))
    yield from place.vector("norm", width, "norm", True)


LAYER = (
    at("self_attn", Attention(PROJECTIONS, bias=True, k_bias=False, cached=False, causal=False)),
    layer_norm("self_attn_layer_norm"),
    Mlp(),
    layer_norm("final_layer_norm"),
)

register(
    Architecture(
        "moss_transcribe_diarize_audio",
        "MOSS",
        Audio(
            (
                convolve_spectrogram,
                Embedding("embed_positions", "context", part="position"),
                stack("layers", *LAYER),
                layer_norm("layer_norm"),
            )
        ),
        heads={"MossTranscribeDiarizeAudioModel": Head()},
        natural="MossTranscribeDiarizeAudioModel",
        dims={**MULTI_HEAD, "vocab": lambda c: 0, "context": "max_source_positions"},
        norm="layernorm",
        position="learned",
        about="The encoder of Whisper, with its sinusoids stored.",
    ),
    whole_model(
        "moss_transcribe_diarize",
        "MossTranscribeDiarize",
        Section("audio_config", "audio_tower", "audio"),
        text_section(),
        project_frames,
        family="MOSS",
        example="hf-audio/MOSS-Transcribe-Diarize-HF",
        about="Whisper's encoder, four frames at a time, before a small Qwen3.",
    ),
)
