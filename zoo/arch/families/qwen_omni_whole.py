"""Qwen2.5-Omni as a whole: the thinker, the talker that turns its states into codes, and the codes' way to sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, read_head_dim
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.qwen3_omni_whole import snake, think
from zoo.arch.families.qwen_omni import read_text
from zoo.arch.layers import at, open_section, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

TALKING = (
    stack("layers", at("self_attn", Attention(bias=True, o_bias=False)), at("mlp", GatedMlp()), *PRE_NORMS),
    rms("norm"),
)
TALKER_DIMS: dict[str, Dim] = {"window": lambda c: None, "head_dim": read_head_dim}
DIT_DIMS: dict[str, Dim] = {**MULTI_HEAD, "head_dim": lambda c: c.whole("head_dim", least=1)}
#: Width of the sinusoid that a step of the diffusion is told by; the class has no key for it.
STEP_WIDTH = 256


def list_sizes(c: Config, key: str, length: int | None = None) -> Sequence[int]:
    """A list of sizes, of ``length`` where given."""
    values = c[key]
    if not isinstance(values, list) or len(values) > MAX_LAYERS or length not in (None, len(values)):
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is not a list of{f' {length}' if length else ''} sizes")
    return [check_whole(value, f"{c.model_type}: {c.path}{key}", 1) for value in values]


def talk(c: Config, p: Place) -> Iterable[Row]:
    """The talker: Qwen2's layers over codes, which are embedded as wide as the thinker's tokens."""
    talker = c.section("talker_config", TALKER_DIMS)
    below = p.at("talker")._replace(part="audio", stack="audio")
    embedded = talker.whole("embedding_size", least=1)
    yield from below.linear("thinker_to_talker_proj", embedded, talker.hidden, "audio", True)
    place = below.at("model")
    yield place.table("embed_tokens", talker.vocab, embedded, "audio")
    for block in TALKING:
        yield from block(talker, place)
    yield from below.linear("codec_head", talker.hidden, talker.vocab, "audio")


def convolve(p: Place, name: str, inputs: int, outputs: int, kernel: int, bias: bool = True) -> Iterable[Row]:
    yield p.tensor(f"{name}.weight", (outputs, inputs, kernel), "audio")
    if bias:
        yield p.tensor(f"{name}.bias", (outputs,), "audio", "vector")


def know_speaker(c: Config, p: Place) -> Iterable[Row]:
    """ECAPA-TDNN (arXiv:2005.07143): one vector for the voice of a spectrum."""
    channels = list_sizes(c, "enc_channels")
    kernels = list_sizes(c, "enc_kernel_sizes", len(channels))
    list_sizes(c, "enc_dilations", len(channels))
    if not channels:
        raise UnsupportedError(f"{c.model_type}: {c.path}enc_channels is empty")
    scale, squeezed = c.whole("enc_res2net_scale", least=1), c.whole("enc_se_channels", least=1)
    yield from convolve(p, "blocks.0.conv", c.whole("mel_dim", least=1), channels[0], kernels[0])
    for number, (inputs, outputs) in enumerate(pairwise(channels[:-1]), 1):
        below = p.at(f"blocks.{number}")
        yield from convolve(below, "tdnn1.conv", inputs, outputs, 1)
        inner = below.at("res2net_block.blocks.{}")._replace(layers=range(scale - 1))
        if inner.layers:
            yield from convolve(inner, "conv", outputs // scale, outputs // scale, kernels[number])
        yield from convolve(below, "tdnn2.conv", outputs, outputs, 1)
        yield from convolve(below, "se_block.conv1", outputs, squeezed, 1)
        yield from convolve(below, "se_block.conv2", squeezed, outputs, 1)
    last, attention = channels[-1], c.whole("enc_attention_channels", least=1)
    yield from convolve(p, "mfa.conv", last, last, kernels[-1])
    yield from convolve(p, "asp.tdnn.conv", 3 * last, attention, 1)
    yield from convolve(p, "asp.conv", attention, last, 1)
    yield from convolve(p, "fc", 2 * last, c.whole("enc_dim", least=1), 1)


def dit_layer(c: Config, p: Place) -> Iterable[Row]:
    """One layer of the diffusion transformer (arXiv:2212.09748): norms without weights, shifted and scaled by step."""
    yield from p.linear("attn_norm.linear", c.hidden, 6 * c.hidden, "audio", True)
    names = ("to_q", "to_k", "to_v", "to_out.0")
    yield from Attention(names, bias=True, cached=False, causal=False)(c, p.at("attn"))
    inner = c.hidden * c.whole("ff_mult", least=1)
    yield from p.linear("ff.ff.0", c.hidden, inner, "audio", True)
    yield from p.linear("ff.ff.3", inner, c.hidden, "audio", True)


LAYERS = stack("transformer_blocks", dit_layer)


def draw_spectrum(c: Config, p: Place) -> Iterable[Row]:
    """The diffusion transformer: codes and a voice to a mel spectrum."""
    mel, width = c.whole("mel_dim", least=1), c.whole("emb_dim", least=1)
    yield from p.linear("time_embed.time_mlp.0", STEP_WIDTH, c.hidden, "audio", True)
    yield from p.linear("time_embed.time_mlp.2", c.hidden, c.hidden, "audio", True)
    yield p.table("text_embed.codec_embed", c.whole("num_embeds", least=1) + 1, width, "audio")
    inputs = mel + c.whole("enc_dim", least=1) + c.whole("enc_emb_dim", least=1) + width
    yield from p.linear("input_embed.proj", inputs, c.hidden, "audio", True)
    yield from know_speaker(c, p.at("input_embed.spk_encoder"))
    yield from LAYERS(c, p)
    yield from p.linear("norm_out.linear", c.hidden, 2 * c.hidden, "audio", True)
    yield from p.linear("proj_out", c.hidden, mel, "audio", True)


def list_dilations(c: Config) -> Sequence[object]:
    """``resblock_dilation_sizes``: three for each block; more are not looked at."""
    dilations = c["resblock_dilation_sizes"]
    if not isinstance(dilations, list) or not all(isinstance(one, list) and len(one) >= 3 for one in dilations):
        raise UnsupportedError(f"{c.model_type}: {c.path}resblock_dilation_sizes is not a list of three for each block")
    return dilations


def make_wave(c: Config, p: Place) -> Iterable[Row]:
    """BigVGAN (arXiv:2206.04658): each rate widens time and halves the channels, with blocks of each kernel after."""
    rates, kernels = list_sizes(c, "upsample_rates"), list_sizes(c, "upsample_kernel_sizes")
    width, blocks = c.whole("upsample_initial_channel", least=1), list_sizes(c, "resblock_kernel_sizes")
    blocks = blocks[: len(list_dilations(c))]
    if width >> len(rates) == 0 or len(kernels) < len(rates):
        raise UnsupportedError(f"{c.model_type}: {c.path}upsample_rates do not fit the other sizes")
    yield from convolve(p, "conv_pre", c.whole("mel_dim", least=1), width, 7)
    for number, kernel in enumerate(kernels[: len(rates)]):
        half = width // 2
        yield p.tensor(f"ups.{number}.0.weight", (width, half, kernel), "audio")
        yield p.tensor(f"ups.{number}.0.bias", (half,), "audio", "vector")
        for index, size in enumerate(blocks, number * len(blocks)):
            block = p.at(f"resblocks.{index}")
            three, six = block._replace(layers=range(3)), block._replace(layers=range(6))
            for name in ("convs1.{}", "convs2.{}"):
                yield from convolve(three, name, half, half, size)
            yield from snake(six, "activations.{}.act", half)
        width = half
    yield from snake(p, "activation_post.act", width)
    yield from convolve(p, "conv_post", width, 1, 7, False)


def voice(c: Config, p: Place) -> Iterable[Row]:
    """Codes to a spectrum, and the spectrum to sound."""
    section = c.section("token2wav_config")
    below = p.at("token2wav")._replace(part="audio", stack="audio")
    yield from draw_spectrum(section.section("dit_config", DIT_DIMS), below.at("code2wav_dit_model"))
    yield from make_wave(section.section("bigvgan_config"), below.at("code2wav_bigvgan_model"))


def build_whole(c: Config, p: Place) -> Iterable[Row]:
    """The thinker; with ``enable_audio_output`` also what speaks."""
    yield from think(c, p, "Qwen2_5OmniThinkerForConditionalGeneration")
    if c.flag("enable_audio_output"):
        yield from talk(c, p)
        yield from voice(c, p)


register(
    Architecture(
        "qwen2_5_omni",
        "Qwen",
        build_whole,
        heads={"Qwen2_5OmniForConditionalGeneration": Head()},
        natural="Qwen2_5OmniForConditionalGeneration",
        text=lambda c: read_text(open_section(c, "thinker_config")),
        example="Qwen/Qwen2.5-Omni-7B",
        about="A thinker that hears and sees, a talker that makes codes, and diffusion that makes sound of these.",
    ),
)
