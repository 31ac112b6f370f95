"""Qwen3-Omni as a whole: the thinker, the talker that turns its states into codes, and the codec's decoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, TypeSpec, UnsupportedError, check_whole
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.families.qwen3_omni import read_text
from zoo.arch.families.qwen_moe import EXPERTS, SHARED, shared_gate
from zoo.arch.layers import At, at, open_section, stack
from zoo.arch.mlp import GatedMlp, Moe
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

WINDOWLESS: dict[str, Dim] = {"window": lambda c: None}
#: The two configs that transformers gives no model type: what their classes declare.
TALKER = TypeSpec(
    {"thinker_hidden_size": 2048, "tie_word_embeddings": False, "text_config": None, "code_predictor_config": None},
    {},
    {"text_config": "qwen3_omni_moe_talker_text", "code_predictor_config": "qwen3_omni_moe_talker_code_predictor"},
    ("text_config", "code_predictor_config"),
)
CODE2WAV = TypeSpec(
    {
        "codebook_size": 2048,
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "attention_bias": False,
        "intermediate_size": 3072,
        "num_hidden_layers": 8,
        "num_quantizers": 16,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
        "decoder_dim": 1536,
    },
    {},
    {},
)
TALKING = (
    stack(
        "layers",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM)),
        at("mlp", Moe(shared=(SHARED, shared_gate))),
        *PRE_NORMS,
    ),
    rms("norm"),
)
PREDICTING = (
    stack(
        "layers",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM)),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
    ),
    rms("norm"),
)


def scale_residuals(c: Config, p: Place) -> Iterable[Row]:
    for name in ("self_attn_layer_scale", "mlp_layer_scale"):
        yield p.tensor(f"{name}.scale", (c.hidden,), "audio", "vector")


DECODING = At(
    "pre_transformer",
    (
        stack(
            "layers",
            at("self_attn", Attention(bias="attention_bias")),
            at("mlp", GatedMlp()),
            *PRE_NORMS,
            scale_residuals,
        ),
        rms("norm"),
    ),
)


def open_untyped(c: Config, key: str, spec: TypeSpec, dims: dict[str, Dim]) -> Config:
    """The section ``key``, whose class has no model type; a missing one is all defaults."""
    value = c[key]
    if value is not None and not isinstance(value, dict):
        raise UnsupportedError(f"{c.model_type}: {key} is not an object")
    return Config(value or {}, c.model_type, dims, parent=c, path=f"{c.path}{key}.", spec=spec)


def count_rates(c: Config, key: str) -> Sequence[int]:
    """A list of factors by which time is widened."""
    rates = c[key]
    if not isinstance(rates, list) or len(rates) > 16:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is not a list of factors")
    return [check_whole(rate, f"{c.model_type}: {c.path}{key}", 1) for rate in rates]


def think(c: Config, p: Place, name: str) -> Iterable[Row]:
    """The thinker with its head, as the class ``name`` has it."""
    inner = open_section(c, "thinker_config")
    architecture, below = find_supported(inner), p.at("thinker")
    head = architecture.heads[name]
    place = below.at(head.base.removesuffix("."))._replace(
        embedding=f"{below.prefix}{head.base}{architecture.embedding}"
    )
    yield from architecture.body(inner, place)
    for block in head.blocks:
        yield from block(inner, below._replace(embedding=place.embedding))


def project(c: Config, p: Place, name: str, thinker: int) -> Iterable[Row]:
    """Two matrices from the thinker's width to the talker's."""
    yield from p.linear(f"{name}.linear_fc1", thinker, c.whole("intermediate_size", least=1), "audio", True)
    yield from p.linear(f"{name}.linear_fc2", c.whole("intermediate_size", least=1), c.hidden, "audio", True)


def predict_codes(c: Config, p: Place) -> Iterable[Row]:
    """The small decoder of a frame's further codes: a table and a head for each."""
    inner = c.section("code_predictor_config", WINDOWLESS)
    books = p._replace(layers=range(check_whole(inner["num_code_groups"], "num_code_groups", 1) - 1))
    place = p.at("model")
    for block in PREDICTING:
        yield from block(inner, place)
    if books.layers:
        yield books.tensor("model.codec_embedding.{}.weight", (inner.vocab, inner.hidden), "audio", "lookup")
        yield books.tensor("lm_head.{}.weight", (inner.vocab, inner.hidden), "audio")


def talk(c: Config, p: Place) -> Iterable[Row]:
    """The talker: a mixture of experts over the codec's first codes, and the decoder of the others."""
    talker = open_untyped(c, "talker_config", TALKER, {})
    text = talker.section("text_config", EXPERTS | WINDOWLESS | {"shared_ffn": "shared_expert_intermediate_size"})
    below = p.at("talker")._replace(part="audio", stack="audio")
    place = below.at("model")
    for block in TALKING:
        yield from block(text, place)
    yield place.table("codec_embedding", text.vocab, text.hidden, "audio")
    thinker = talker.whole("thinker_hidden_size", least=1)
    for name in ("text_projection", "hidden_projection"):
        yield from project(text, below, name, thinker)
    tied = f"{place.prefix}codec_embedding.weight" if talker.tied else None
    yield below.tensor("codec_head.weight", (text.vocab, text.hidden), "audio", tied_to=tied)
    yield from predict_codes(talker, below.at("code_predictor"))


def convolve(p: Place, name: str, outputs: int, inputs: int, kernel: int, *, turned: bool = False) -> Iterable[Row]:
    """A convolution with a bias; ``turned`` is one that widens time, its weight the other way round."""
    shape = (inputs, outputs, kernel) if turned else (outputs, inputs, kernel)
    yield p.tensor(f"{name}.conv.weight", shape, "audio")
    yield p.tensor(f"{name}.conv.bias", (outputs,), "audio", "vector")


def snake(p: Place, name: str, width: int) -> Iterable[Row]:
    """An activation with two weights for each channel (arXiv:2006.08195)."""
    for weight in ("alpha", "beta"):
        yield p.tensor(f"{name}.{weight}", (width,), "audio", "vector")


def widen_time(c: Config, p: Place) -> Iterable[Row]:
    """For each ratio a convolution that widens time, and a ConvNeXt block."""
    width = c.hidden
    for number, factor in enumerate(count_rates(c, "upsampling_ratios")):
        below = p.at(f"upsample.{number}")
        yield from convolve(below, "0", width, width, factor, turned=True)
        yield below.tensor("1.dwconv.conv.weight", (width, 1, 7), "audio", "conv")
        yield below.tensor("1.dwconv.conv.bias", (width,), "audio", "vector")
        yield from below.vector("1.norm", width, "audio", True)
        yield from below.linear("1.pwconv1", width, 4 * width, "audio", True)
        yield from below.linear("1.pwconv2", 4 * width, width, "audio", True)
        yield below.tensor("1.gamma", (width,), "audio", "vector")


def make_wave(c: Config, p: Place) -> Iterable[Row]:
    """Each rate widens time and halves the channels, until one is left: the wave."""
    rates, width, below = count_rates(c, "upsample_rates"), c.whole("decoder_dim", least=1), p.at("decoder")
    if width >> len(rates) == 0:
        raise UnsupportedError(f"{c.model_type}: {c.path}decoder_dim {width} cannot be halved {len(rates)} times")
    yield from convolve(below, "0", width, c.hidden, 7)
    for number, rate in enumerate(rates, 1):
        block, half = below.at(f"{number}.block"), width // 2
        yield from snake(block, "0", width)
        yield from convolve(block, "1", half, width, 2 * rate, turned=True)
        for unit in ("2", "3", "4"):  # dilated by 1, 3 and 9
            yield from snake(block, f"{unit}.act1", half)
            yield from convolve(block, f"{unit}.conv1", half, half, 7)
            yield from snake(block, f"{unit}.act2", half)
            yield from convolve(block, f"{unit}.conv2", half, half, 1)
        width = half
    yield from snake(below, str(len(rates) + 1), width)
    yield from convolve(below, str(len(rates) + 2), 1, width, 7)


def voice(c: Config, p: Place) -> Iterable[Row]:
    """Codes to sound: a table, layers with windows, and convolutions."""
    codec = open_untyped(c, "code2wav_config", CODE2WAV, WINDOWLESS)
    below = p.at("code2wav")._replace(part="audio", stack="audio")
    yield from DECODING(codec, below)
    rows = codec.whole("codebook_size", least=1) * codec.whole("num_quantizers", least=1)
    yield below.table("code_embedding", rows, codec.hidden, "audio")
    yield from widen_time(codec, below)
    yield from make_wave(codec, below)


def build_whole(c: Config, p: Place) -> Iterable[Row]:
    """The thinker; with ``enable_audio_output`` also what speaks."""
    yield from think(c, p, "Qwen3OmniMoeThinkerForConditionalGeneration")
    if c.flag("enable_audio_output"):
        yield from talk(c, p)
        yield from voice(c, p)


register(
    Architecture(
        "qwen3_omni_moe",
        "Qwen",
        build_whole,
        heads={"Qwen3OmniMoeForConditionalGeneration": Head()},
        natural="Qwen3OmniMoeForConditionalGeneration",
        text=lambda c: read_text(open_section(c, "thinker_config")),
        example="Qwen/Qwen3-Omni-30B-A3B-Instruct",
        about="A thinker that hears and sees, a talker that makes codes of what it thinks, and a decoder of these.",
    ),
)
