"""Muse Spark: Muse Glimmer's parts with experts in a narrower space, and ears of convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError, check_whole
from zoo.arch.families.gemma4_towers import Audio
from zoo.arch.families.llava import TEXT, VISION, read_text, refuse_flat
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.muse import ATTENTION, SEEING, adapt, count_cells, embed_patches
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Projector
from zoo.arch.heads import decoder
from zoo.arch.layers import Section, at, by_kind, every, named_kinds, open_section, resized, stack
from zoo.arch.mlp import Experts, GatedMlp, Mlp, Router
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

ROUTER = Router(correction="e_score_correction_bias")
NARROW_EXPERTS = resized({"hidden": lambda c: c.whole("moe_hidden_size", least=1)}, Experts())


def narrow_mixture(c: Config, p: Place) -> Iterable[Row]:
    """Experts in a space of ``moe_hidden_size``: every token passes through the matrices into it and out of it."""
    width = c.whole("moe_hidden_size", least=1)
    yield from ROUTER(c, p)
    yield from p.linear("pre_expert_proj", c.hidden, width, "experts")
    yield from p.vector("pre_expert_norm", width, "norm")
    yield from NARROW_EXPERTS(c, p)
    yield from p.vector("experts.post_expert_norm", width, "norm")
    yield from p.linear("post_expert_proj", width, c.hidden, "experts")


def gate_residual(name: str) -> Block:
    """How much of each element comes from the residual, and how much from the block."""
    return lambda c, p: (p.tensor(f"{name}.gate", (c.hidden,), "other", "vector"),)


def refuse_odd_heads(c: Config) -> str | None:
    return f"hidden_size {c.hidden} is not a multiple of {c.heads} heads" if c.hidden % c.heads else None


def list_sizes(c: Config, key: str) -> Sequence[int]:
    """One number for each stage."""
    sizes = c[key]
    if not isinstance(sizes, list | tuple) or len(sizes) != c.layers:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} does not hold a number for each of {c.layers} layers")
    return [check_whole(size, f"{c.model_type}: {c.path}{key}", 1) for size in sizes]


def widen(c: Config, width: int) -> int:
    """``width`` times ``mlp_ratio``, rounded down."""
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(width * ratio)


def listen(c: Config, p: Place) -> Iterable[Row]:
    """Stages that each make one of some neighbours in time, then convolve each channel and pass an MLP."""
    widths, patches, depths = (list_sizes(c, key) for key in ("hidden_sizes", "patch_sizes", "depths"))
    kernel = c.whole("conv_kernel_size", least=1)
    for stage, (width, patch, depth) in enumerate(zip(widths, patches, depths, strict=True)):
        if depth > MAX_LAYERS:
            raise UnsupportedError(f"{c.model_type}: {c.path}depths holds {depth}, out of range")
        below = p.at(f"layers.{stage}")
        inputs = patch * (widths[stage - 1] if stage else 1)
        yield from below.linear("patch_embedder.proj", inputs, width, "audio", True)
        yield from below.vector("patch_embedder.norm", width, "norm")
        block = below._replace(prefix=f"{below.prefix}conv_blocks.{{}}.", layers=range(depth))
        yield block.tensor("conv.weight", (width, 1, kernel), "audio", "conv")
        yield block.tensor("conv.bias", (width,), "audio", "vector")
        yield from block.vector("norm", width, "norm")
        yield from block.linear("mlp.fc1", width, widen(c, width), "audio", True)
        yield from block.linear("mlp.fc2", widen(c, width), width, "audio", True)
    output = c.whole("out_hidden_size", least=1)
    yield from p.vector("norm", widths[-1], "norm")
    yield from p.linear("proj", widths[-1], output, "audio", True)
    yield from p.vector("post_proj_norm", output, "norm")


def refuse_other_width(c: Config) -> str | None:
    """What the ears hear stands among the tokens as it is."""
    heard = open_section(c, "audio_config").whole("out_hidden_size")
    if heard != read_text(c).hidden:
        return f"audio_config.out_hidden_size is {heard}, not the text's {read_text(c).hidden}"
    return refuse_flat(c)


register(
    decoder(
        *("muse_spark_text", "MuseSpark", "Muse"),
        at("self_attn", ATTENTION),
        at("mlp", by_kind(named_kinds(every("sparse"), "mlp_layer_types"), dense=GatedMlp(), sparse=narrow_mixture)),
        rms("input_layernorm"),
        rms("pre_feedforward_layernorm"),
        rms("post_feedforward_layernorm"),
        gate_residual("post_attention_residual_gate"),
        gate_residual("post_feedforward_residual_gate"),
        heads={"MuseSparkTextModel": Head()},
        dims={
            "experts": "num_local_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
        },
        supported=refuse_odd_heads,
        about="The language model inside Muse Spark: gated residuals, and experts in half the width of the rest.",
    ),
    tower(
        *("muse_spark_vision", "Muse", embed_patches),
        layer_norm("ln_pre"),
        stack("layers", layer_norm("norm1"), layer_norm("norm2"), at("attn", SEEING), at("mlp", Mlp())),
        layer_norm("ln_post"),
        name="MuseSparkVisionModel",
        dims={"context": count_cells, "patches": count_cells},
        about="The tower of Muse Spark: Muse Glimmer's.",
    ),
    Architecture(
        "muse_spark_audio",
        "Muse",
        Audio((listen,)),
        heads={"MuseSparkAudioModel": Head()},
        natural="MuseSparkAudioModel",
        dims={
            "hidden": lambda c: c.whole("out_hidden_size", least=1),
            "vocab": lambda c: 0,
            "context": lambda c: None,
        },
        position="none",
        about="The ears of Muse Spark: convolutions over the waveform in four stages.",
    ),
    seeing(
        *("muse_spark", "Muse", "MuseSpark", VISION, TEXT, Projector((adapt,))),
        Section("audio_config", "audio_tower", "audio"),
        tie=lambda c: False,
        supported=refuse_other_width,
        example="meta-models/Muse-Spark-Open-816B-A42B",
        about="8 of 256 experts in half the width, gated residuals; images and sound among the tokens.",
    ),
)
