"""VibeVoice-ASR: two encoders of the waveform, one for its sound and one for its sense, before Qwen2."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError
from zoo.arch.families.audio import Heard, is_never_tied
from zoo.arch.families.llava import EMBEDDING, read_text
from zoo.arch.families.speech_parts import convolve, read_list, refuse_text, refuse_type
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, Section, at, text_section
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

TOKENIZER = "vibevoice_acoustic_tokenizer_encoder"
ENCODERS = ("acoustic", "semantic")


def convolve_and_mix(c: Config, p: Place, width: int) -> Iterable[Row]:
    """One block of ConvNeXt in one dimension: a depthwise convolution and an MLP, each behind a norm and a gain."""
    kernel, inner = c.whole("kernel_size", least=1), c.whole("ffn_expansion", least=1) * width
    for gain in ("gamma", "ffn_gamma"):
        yield p.tensor(gain, (width,), "audio", "vector")
    for norm in ("norm", "ffn_norm"):
        yield from p.vector(norm, width, "norm")
    yield from p.linear("ffn.linear1", width, inner, "audio", True)
    yield from p.linear("ffn.linear2", inner, width, "audio", True)
    yield from convolve(p, "mixer.conv", (width, 1, kernel), "audio", op="conv")


def encode_waveform(c: Config, p: Place) -> Iterable[Row]:
    """A stem, then stages each twice as wide as the one before and its ratio shorter, and a convolution at the end."""
    ratios, kernel = read_list(c, "downsampling_ratios"), c.whole("kernel_size", least=1)
    depths = read_list(c, "depths", least=0, length=len(ratios) + 1)
    width = c.whole("num_filters", least=1)
    if len(ratios) > 16 or max(depths) > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {c.path}depths and downsampling_ratios are out of range")

    def blocks(stage: Place, depth: int, width: int) -> Iterable[Row]:
        place = stage._replace(prefix=f"{stage.prefix}stage.{{}}.", layers=range(depth))
        return convolve_and_mix(c, place, width) if depth else ()

    stem = p.at("stem")
    yield from convolve(stem, "conv.conv", (width, c.whole("channels", least=1), kernel), "audio")
    yield from blocks(stem, depths[0], width)
    for number, ratio in enumerate(ratios):
        stage = p.at(f"conv_layers.{number}")
        yield from convolve(stage, "conv.conv", (2 * width, width, 2 * ratio), "audio")
        width *= 2
        yield from blocks(stage, depths[number + 1], width)
    yield from convolve(p, "head.conv", (c.hidden, width, kernel), "audio")


def project_both(c: Config, p: Place) -> Iterable[Row]:
    """Two matrices with a norm between for each encoder; what they give is added."""
    text = read_text(c).hidden
    for name in ENCODERS:
        inputs = c.section(f"{name}_tokenizer_encoder_config").hidden
        yield from p.linear(f"{name}_linear_1", inputs, text, "projector", True)
        yield from p.vector(f"{name}_norm", text, "norm")
        yield from p.linear(f"{name}_linear_2", text, text, "projector", True)


def refuse_sections(c: Config) -> str | None:
    """Encoders of another type, and texts that cannot be counted."""
    for name in ENCODERS:
        if reason := refuse_type(c, f"{name}_tokenizer_encoder_config", TOKENIZER):
            return reason
    return refuse_text(c, read_text(c), tied=False)


register(
    Architecture(
        TOKENIZER,
        "VibeVoice",
        Heard((encode_waveform,)),
        heads={"VibeVoiceAcousticTokenizerEncoderModel": Head()},
        natural="VibeVoiceAcousticTokenizerEncoderModel",
        dims={
            "layers": lambda c: sum(read_list(c, "depths", least=0)),
            "heads": lambda c: 0,
            "kv_heads": lambda c: 0,
            "head_dim": lambda c: 0,
            "ffn": lambda c: 0,
            "vocab": lambda c: 0,
            "context": lambda c: None,
            "window": lambda c: None,
        },
        position="none",
        about="Causal convolutions from a waveform to vectors, 3,200 samples to one.",
    ),
    Architecture(
        "vibevoice_asr",
        "VibeVoice",
        At(
            "",
            (
                *(
                    Section(f"{name}_tokenizer_encoder_config", f"{name}_tokenizer_encoder", "audio")
                    for name in ENCODERS
                ),
                at("multi_modal_projector", Heard((project_both,), "projector")),
                text_section(),
            ),
        ),
        heads={
            "VibeVoiceAsrModel": Head(),
            "VibeVoiceAsrForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=is_never_tied),)),
        },
        natural="VibeVoiceAsrForConditionalGeneration",
        text=read_text,
        embedding=EMBEDDING,
        supported=refuse_sections,
        example="microsoft/VibeVoice-ASR-HF",
        about="Two encoders of the waveform, one for its sound and one for its sense, before Qwen2.",
    ),
)
