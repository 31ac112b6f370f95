"""Language models that hear: Whisper's encoder or its kin and a projector before any text model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError
from zoo.arch.families.llava import EMBEDDING
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, Section, at, open_section, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Block, Place, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def convolve_spectrogram(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over 3 frames, the second of stride 2: from mel bins to one vector for 20 ms."""
    for name, inputs in (("conv1", c.whole("num_mel_bins", least=1)), ("conv2", c.hidden)):
        yield p.tensor(f"{name}.weight", (c.hidden, inputs, 3), "audio")
        yield p.tensor(f"{name}.bias", (c.hidden,), "audio", "vector")


def convolve_image(c: Config, p: Place) -> Iterable[Row]:
    """Three convolutions of 3 x 3, each halving frames and mel bins, and what they give made one vector."""
    width, bins = c.whole("downsample_hidden_size", least=1), c.whole("num_mel_bins", least=1)
    for number, inputs in ((1, 1), (2, width), (3, width)):
        yield p.tensor(f"conv2d{number}.weight", (width, inputs, 3, 3), "audio")
        yield p.tensor(f"conv2d{number}.bias", (width,), "audio", "vector")
        bins = (bins + 1) // 2
    yield from p.linear("conv_out", width * bins, c.hidden, "audio")


def audio_layers(k_bias: bool) -> Block:
    """Whisper's layers."""
    return stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True, k_bias=k_bias, cached=False, causal=False)),
        layer_norm("self_attn_layer_norm"),
        Mlp(),
        layer_norm("final_layer_norm"),
    )


AUDIO_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "vocab": lambda c: 0,
    "ffn": "encoder_ffn_dim",
    "context": lambda c: c.maybe("max_source_positions"),
    "sources": "max_source_positions",
}


def audio_tower(
    model_type: str, class_name: str, *blocks: Block, dims: dict[str, Dim] = AUDIO_DIMS, position: str, about: str
) -> Architecture:
    """An encoder of sound, all of whose parameters are audio."""
    return Architecture(
        model_type,
        "Whisper",
        Heard(blocks),
        {class_name: Head()},
        natural=class_name,
        dims=dims,
        norm="layernorm",
        position=position,
        about=about,
    )


@dataclass(frozen=True)
class Heard:
    """Blocks that serve sound alone: none of their parameters is passed by text, none of their states is a cache."""

    blocks: tuple[Block, ...]
    part: str = "audio"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        place = p._replace(part=self.part, stack="audio")
        for block in self.blocks:
            yield from block(c, place)


WHISPER = (
    convolve_spectrogram,
    Embedding("embed_positions", "sources"),
    audio_layers(k_bias=False),
    layer_norm("layer_norm"),
)


#: Types that fill a text section up with what they declare for a missing one.
FILLED_UP = ("voxtral", "glmasr")


def read_text(c: Config) -> Config:
    """The text's section."""
    text = open_section(c, "text_config")
    if c.model_type not in FILLED_UP:
        return text
    return Config({**c.spec.filled["text_config"], **text.raw}, text.model_type, text.dims, parent=c, path=text.path)


def speak(c: Config, p: Place) -> Iterable[Row]:
    """The text model."""
    text = read_text(c)
    architecture = find_architecture(text.model_type)
    if architecture.supported and (reason := architecture.supported(text)):
        raise UnsupportedError(f"{text.model_type}: {reason}")
    yield from architecture.body(text, p.at("language_model"))


def is_tied(c: Config) -> bool:
    return bool(c.tied)


def is_never_tied(c: Config) -> bool:
    """These classes tie nothing, whatever the config says."""
    return False


def read_audio(c: Config) -> Config:
    return open_section(c, "audio_config")


def one_matrix(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("linear", read_audio(c).hidden, read_text(c).hidden, "projector", True)


def four_frames(c: Config, p: Place) -> Iterable[Row]:
    """Frames side by side, as wide as the tower's feed-forward, and two matrices without biases."""
    text = read_text(c).hidden
    yield from p.linear("linear_1", read_audio(c).ffn, text, "projector")
    yield from p.linear("linear_2", text, text, "projector")


def doubled_frames(c: Config, p: Place) -> Iterable[Row]:
    """Frames side by side, through twice the text's width."""
    text = read_text(c).hidden
    yield from p.linear("linear_1", read_audio(c).ffn, 2 * text, "projector", True)
    yield from p.linear("linear_2", 2 * text, text, "projector", True)


def two_matrices(c: Config, p: Place) -> Iterable[Row]:
    text, bias = read_text(c).hidden, c.flag("projector_bias")
    yield from p.linear("linear_1", read_audio(c).hidden, text, "projector", bias)
    yield from p.linear("linear_2", text, text, "projector", bias)


def own_widths(c: Config, p: Place) -> Iterable[Row]:
    """Within the tower's width, then to a width that the tower names."""
    audio = read_audio(c)
    yield from p.linear("linear_1", audio.hidden, audio.hidden, "projector", True)
    yield from p.linear("linear_2", audio.hidden, audio.whole("output_dim", least=1), "projector", True)


def score_tokens(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("score", read_text(c).hidden, c.labels, "head", c.flag("token_classification_bias"))


def listener(
    model_type: str,
    prefix: str,
    family: str,
    project: Block,
    *more: tuple[str, Block],
    tie_of: Callable[[Config], bool] = is_never_tied,
    text: Callable[[Config], Config] = read_text,
    speaks: Block = speak,
    example: str,
    about: str,
) -> Architecture:
    """A tower, a projector and a text model, with the head that speaks and ``more``."""
    tower = Section("audio_config", "audio_tower", "audio")
    heads = {
        f"{prefix}Model": Head(),
        f"{prefix}ForConditionalGeneration": Head("model.", (LmHead(inner=text, tie_of=tie_of),)),
    }
    return Architecture(
        model_type,
        family,
        At("", (tower, at("multi_modal_projector", Heard((project,), "projector")), speaks)),
        heads | {prefix + task: Head("model.", (block,)) for task, block in more},
        natural=f"{prefix}ForConditionalGeneration",
        text=text,
        embedding=EMBEDDING,
        example=example,
        about=about,
    )


GLM_LAYERS = stack(
    "layers",
    at(
        "self_attn",
        Attention(("q_proj", "k_proj", "v_proj", "o_proj"), bias=True, k_bias=False, cached=False, causal=False),
    ),
    at("mlp", Mlp()),
    layer_norm("input_layernorm"),
    layer_norm("post_attention_layernorm"),
)

register(
    audio_tower(
        "qwen2_audio_encoder",
        "Qwen2AudioEncoder",
        *WHISPER,
        position="learned",
        about="Whisper's encoder, two frames averaged to one.",
    ),
    audio_tower("voxtral_encoder", "VoxtralEncoder", *WHISPER, position="learned", about="Whisper's encoder."),
    audio_tower(
        "audioflamingo3_encoder",
        "AudioFlamingo3Encoder",
        *WHISPER,
        position="learned",
        about="Whisper's encoder, two frames averaged to one.",
    ),
    audio_tower(
        "glmasr_encoder",
        "GlmAsrEncoder",
        convolve_spectrogram,
        GLM_LAYERS,
        layer_norm("norm"),
        dims={"vocab": lambda c: 0},
        position="rope",
        about="Whisper's encoder with rotary positions.",
    ),
    audio_tower(
        "qwen3_asr_encoder",
        "Qwen3ASREncoder",
        audio_layers(k_bias=True),
        layer_norm("ln_post"),
        convolve_image,
        dims={**AUDIO_DIMS, "context": lambda c: c.maybe("max_position_embeddings")},
        position="sinusoidal",
        about="Whisper's layers over the spectrogram as an image, an eighth of it each way.",
    ),
    listener(
        "qwen2_audio",
        "Qwen2Audio",
        "Qwen",
        one_matrix,
        example="Qwen/Qwen2-Audio-7B-Instruct",
        about="Whisper's encoder and one matrix before Qwen2.",
    ),
    listener(
        "voxtral",
        "Voxtral",
        "Mistral",
        four_frames,
        example="mistralai/Voxtral-Mini-3B-2507",
        about="Whisper's encoder, four frames made one, before Mistral.",
    ),
    listener(
        "audioflamingo3",
        "AudioFlamingo3",
        "Audio Flamingo",
        two_matrices,
        example="nvidia/audio-flamingo-3-hf",
        about="Whisper's encoder and two matrices before Qwen2.",
    ),
    listener(
        "musicflamingo",
        "MusicFlamingo",
        "Audio Flamingo",
        two_matrices,
        example="nvidia/music-flamingo-2601-hf",
        about="Audio Flamingo 3 for music, with times rotated into what the tower hears.",
    ),
    listener(
        "glmasr",
        "GlmAsr",
        "GLM",
        doubled_frames,
        tie_of=is_tied,
        example="zai-org/GLM-ASR-Nano-2512",
        about="An encoder of sound with rotary positions, four frames made one, before Llama's layers.",
    ),
    listener(
        "qwen3_asr",
        "Qwen3ASR",
        "Qwen",
        own_widths,
        (
            "ForTokenClassification",
            score_tokens,
        ),
        tie_of=is_tied,
        example="Qwen/Qwen3-ASR-1.7B",
        about="An encoder of the spectrogram as an image before Qwen3, to write down speech.",
    ),
)
