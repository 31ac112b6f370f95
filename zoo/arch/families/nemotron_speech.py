"""Nemotron 3.5 Transcribe: what is said and who says it, heard side by side, before Nemotron-H."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.config import Config, Dim, TypeSpec, UnsupportedError, divide
from zoo.arch.families.audio import Heard, is_never_tied
from zoo.arch.families.llava import EMBEDDING, read_text
from zoo.arch.families.speech_parts import convolve, refuse_text, refuse_type
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, Section, at, open_section, stack, text_section
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

#: What the head that tells speakers apart declares; its class has no model type to be found by.
SPEAKER_HEAD = TypeSpec(
    {"hidden_size": 192, "num_speakers": 8, "audio_hidden_size": 512, "subsampling_factor": 8}, {}, {}
)
AUDIO_DIMS: Mapping[str, Dim] = {
    "head_dim": lambda c: read_width(c),
    "vocab": lambda c: 0,
    "window": lambda c: None,
}


def read_width(c: Config) -> int:
    """Width of a head: the hidden size over the heads, which the class requires to come out even."""
    if c.hidden % c.heads:
        raise UnsupportedError(f"{c.model_type}: hidden size {c.hidden} is not a multiple of its {c.heads} heads")
    given = c.maybe("head_dim", least=1)
    return divide(c, c.hidden, c.heads, "num_attention_heads") if given is None else given


@dataclass(frozen=True)
class Hearing:
    """Attention to all frames; only the output has a bias, and the values are as many as the queries."""

    extra: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        width = c.heads * c.head_dim
        yield from p.linear("q_proj", c.hidden, width, "attention")
        yield from p.linear("k_proj", c.hidden, c.kv_heads * c.head_dim, "attention")
        yield from p.linear("v_proj", c.hidden, width, "attention")
        yield from p.linear("o_proj", width, c.hidden, "attention", True)
        for block in self.extra:
            yield from block(c, p)
        yield p.state("full", flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def encoder(first: Block, *extra: Block) -> Heard:
    """``first``, layers between two norms, and ``extra`` within the attention."""
    layer = (at("self_attn", Hearing(extra)), layer_norm("layer_norm1"), at("mlp", Mlp()), layer_norm("layer_norm2"))
    return Heard((first, layer_norm("input_layer_norm"), stack("layers", *layer), layer_norm("layer_norm")))


def stack_frames(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring frames of the spectrogram side by side, through one matrix."""
    inputs = c.whole("subsampling_factor", least=1) * c.whole("num_mel_bins", least=1)
    yield from p.linear("embedder.projection", inputs, c.hidden, "audio")


def spread_frames(c: Config, p: Place) -> Iterable[Row]:
    """Several frames of each, by a transposed convolution."""
    yield from convolve(p, "upsampler", (c.hidden, c.hidden, c.whole("upsampling_factor", least=1)), "audio")


QK_LAYER_NORM = (layer_norm("q_norm", "head_dim"), layer_norm("k_norm", "head_dim"))


def read_speaker_head(c: Config) -> Config:
    """The section ``head_config`` of a diarization model."""
    value = c.get("head_config")
    if value is not None and not isinstance(value, Mapping):
        raise UnsupportedError(f"{c.model_type}: {c.path}head_config is not an object")
    return Config(value or {}, c.model_type, parent=c, path=f"{c.path}head_config.", spec=SPEAKER_HEAD)


def part_speakers(c: Config, p: Place) -> Iterable[Row]:
    """From a frame of the encoder to several of the spectrogram's, by a convolution over 3."""
    head = read_speaker_head(c)
    yield from p.linear("proj", head.whole("audio_hidden_size", least=1), head.hidden, "audio", True)
    frames = head.hidden * head.whole("subsampling_factor", least=1)
    yield from convolve(p, "upsampler.conv", (frames, head.hidden, 3), "audio")


def name_speakers(c: Config, p: Place) -> Iterable[Row]:
    """Whether each speaker is heard in a frame, and a vector that stands for silence."""
    head = read_speaker_head(c)
    yield from p.linear("classifier.dense", head.hidden, head.hidden, "audio", True)
    yield from p.linear("classifier.out_proj", head.hidden, head.whole("num_speakers", least=1), "audio", True)
    yield p.tensor("silence_embeds", (open_section(c, "audio_config").hidden,), "audio", "vector")


def refuse_mismatch(c: Config) -> str | None:
    """A head made for another encoder."""
    head, audio = read_speaker_head(c), open_section(c, "audio_config")
    for key, other in (("audio_hidden_size", "hidden_size"), ("subsampling_factor", "subsampling_factor")):
        if head.whole(key) != audio.whole(other):
            return f"{c.path}head_config.{key} is {head[key]}, audio_config.{other} is {audio[other]}"
    return None


DIARIZATION = At("", (Section("audio_config", "audio_tower", "audio"), Heard((part_speakers,))))
NAMING = Heard((name_speakers,))


def read_audio(c: Config) -> Config:
    return open_section(c, "audio_config")


def read_speech(c: Config) -> Config:
    return open_section(c, "asr_config")


def hear_both(c: Config, p: Place) -> Iterable[Row]:
    """The two encoders, and the norms of what they give before it is added."""
    place = p._replace(part="audio", stack="audio")
    yield from Section("asr_config", "asr_encoder", "audio")(c, place)
    voices, below = open_section(c, "diarization_config"), place.at("diarization_model")
    if reason := refuse_mismatch(voices):
        raise UnsupportedError(f"{voices.model_type}: {reason}")
    yield from DIARIZATION(voices, below.at("model"))
    yield from NAMING(voices, below)
    yield from place.vector("asr_norm", read_speech(c).hidden, "norm", True)
    yield from place.vector("speaker_norm", read_speaker_head(voices).whole("num_speakers", least=1), "norm", True)


def project_speech(c: Config, p: Place) -> Iterable[Row]:
    width = read_speech(read_audio(c)).hidden
    yield from p.linear("multi_modal_projector", width, read_text(c).hidden, "projector", True)


def time_words(c: Config, p: Place) -> Iterable[Row]:
    """Pieces of words for each frame."""
    timing = open_section(c, "word_timestamp_config")
    pieces = timing.whole("vocab_size", least=1)
    yield from convolve(p, "word_timestamp_head", (pieces, timing.hidden, 1), "audio")


def refuse_voices(c: Config) -> str | None:
    return refuse_type(c, "diarization_config", "nemotron3_diarization")


def refuse_untied_text(c: Config) -> str | None:
    return refuse_text(c, read_text(c), tied=False)


def ear(model_type: str, class_name: str, body: Block, about: str) -> Architecture:
    return Architecture(
        model_type,
        "Nemotron",
        body,
        heads={class_name: Head()},
        natural=class_name,
        dims=AUDIO_DIMS,
        norm="layernorm",
        about=about,
    )


register(
    ear(
        "nemotron3_diarization_audio",
        "Nemotron3DiarizationAudioModel",
        encoder(stack_frames),
        "An encoder of the spectrogram, eight frames at a time.",
    ),
    ear(
        "nemotron3_5_transcribe_asr_audio",
        "Nemotron3_5TranscribeAsrAudioModel",
        encoder(stack_frames, *QK_LAYER_NORM),
        "An encoder of the spectrogram with normalised queries and keys, eight frames at a time.",
    ),
    ear(
        "nemotron3_5_transcribe_word_timestamp",
        "Nemotron3_5TranscribeWordTimestampModel",
        encoder(spread_frames, *QK_LAYER_NORM),
        "Two layers that find when each word was said.",
    ),
    Architecture(
        "nemotron3_diarization",
        "Nemotron",
        DIARIZATION,
        heads={
            "Nemotron3DiarizationModel": Head(),
            "Nemotron3DiarizationForAudioFrameClassification": Head("model.", (NAMING,)),
        },
        natural="Nemotron3DiarizationModel",
        text=read_audio,
        norm="layernorm",
        supported=refuse_mismatch,
        example="nvidia/Nemotron-3-Diarization",
        about="Says which of eight speakers is heard when, in the order in which they came.",
    ),
    Architecture(
        "nemotron3_5_transcribe_audio",
        "Nemotron",
        hear_both,
        heads={"Nemotron3_5TranscribeAudioModel": Head()},
        natural="Nemotron3_5TranscribeAudioModel",
        text=read_speech,
        norm="layernorm",
        supported=refuse_voices,
        about="An encoder of speech and one that tells speakers apart, side by side.",
    ),
    Architecture(
        "nemo_speechlm",
        "Nemotron",
        At(
            "",
            (
                Section("audio_config", "audio_tower", "audio"),
                text_section(),
                Heard((project_speech,), "projector"),
                Section("word_timestamp_config", "word_timestamp_encoder", "audio"),
            ),
        ),
        heads={
            "Nemotron3_5TranscribeModel": Head(),
            "Nemotron3_5TranscribeForConditionalGeneration": Head(
                "model.", (LmHead(inner=read_text, tie_of=is_never_tied), Heard((time_words,)))
            ),
        },
        natural="Nemotron3_5TranscribeForConditionalGeneration",
        text=read_text,
        embedding=EMBEDDING,
        position="none",
        supported=refuse_untied_text,
        example="nvidia/NVIDIA-Nemotron-3.5-Transcribe-30B-A4B",
        about="What is said and who says it, heard side by side, before Nemotron-H.",
    ),
)
