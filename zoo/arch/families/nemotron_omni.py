"""Nemotron 3 Nano Omni: RADIO for images and video, where wanted Parakeet for sound, and Nemotron-H."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.audio import Heard, is_never_tied
from zoo.arch.families.llava import read_text
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.families.speech_parts import batch_norm, convolve, read_list, refuse_type
from zoo.arch.families.vision import Vision
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, Section, at, stack, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row


def read_fraction(c: Config, key: str) -> float:
    """A number above zero within reason; raises UnsupportedError for anything else."""
    value = c[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not 1e-6 < value < 1e6:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is {value!r:.40}, not a number in range")
    return float(value)


def read_ffn(c: Config) -> int:
    """Width of the MLP; gated, two thirds of it in steps of 8."""
    width = int(c.hidden * read_fraction(c, "mlp_ratio"))
    return (int(width * 2 / 3) + 7) // 8 * 8 if c.flag("use_swiglu_ffn") else width


def count_positions(c: Config) -> int:
    """Patches of the largest square image."""
    return divide(c, c.whole("max_img_size"), c.whole("patch_size"), "patch_size") ** 2


RADIO_DIMS: Mapping[str, Dim] = {
    "kv_heads": lambda c: c.heads,
    "ffn": read_ffn,
    "vocab": lambda c: 0,
    "context": count_positions,
    "window": lambda c: None,
}


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    """Patches of images, where wanted those of several frames together, and positions of the largest image."""
    patch = c.whole("num_channels", least=1) * c.whole("patch_size", least=1) ** 2
    yield from p.linear("patch_projection", patch, c.hidden, "vision")
    if (frames := c.maybe("video_temporal_patch_size", least=2)) is not None:
        yield from p.linear("video_patch_projection", frames * patch, c.hidden, "vision")
    yield p.tensor("position_embedding", (1, count_positions(c), c.hidden), "vision", "lookup")
    tokens = c.whole("num_cls_tokens") + c.whole("num_registers")
    yield p.tensor("cls_register_token", (tokens, c.hidden), "vision", "lookup")


def scale_channels(name: str) -> Block:
    def rows(c: Config, p: Place) -> Iterable[Row]:
        yield p.tensor(f"{name}.lambda1", (c.hidden,), "vision", "vector")

    return rows


def choose_summary(c: Config, p: Place) -> Iterable[Row]:
    """Which of the class tokens sum an image up: stored, no parameters."""
    chosen = 2 if c["summary_idxs"] is None else len(read_list(c, "summary_idxs", least=-c.whole("num_cls_tokens")))
    yield p.tensor("summary_idxs", (chosen,), "vision", "lookup", role="buffer")


def normalize_colours(c: Config, p: Place) -> Iterable[Row]:
    """Mean and spread of each channel: stored, no parameters."""
    for name in ("norm_mean", "norm_std"):
        if not isinstance(value := c[name], list | tuple):
            raise UnsupportedError(f"{c.model_type}: {c.path}{name} is not a list")
        yield p.tensor(f"input_conditioner.{name}", (len(value), 1, 1), "vision", "vector", role="buffer")


RADIO = Vision(
    (
        at("embeddings", embed_patches),
        stack(
            "encoder.layer",
            layer_norm("norm1"),
            at("attention", Attention(bias="qkv_bias", o_bias=True, cached=False, causal=False)),
            scale_channels("layer_scale1"),
            layer_norm("norm2"),
            at("mlp", when("use_swiglu_ffn", GatedMlp(bias=True), otherwise=(Mlp(),))),
            scale_channels("layer_scale2"),
        ),
        choose_summary,
    )
)

PARAKEET_DIMS: Mapping[str, Dim] = {
    "kv_heads": lambda c: c.maybe("num_key_value_heads", least=1) or c.heads,
    "vocab": lambda c: 0,
    "window": lambda c: None,
}


def shorten_spectrogram(c: Config, p: Place) -> Iterable[Row]:
    """Convolutions that halve frames and mel bins, all but the first depthwise, and one matrix."""
    width, kernel = c.whole("subsampling_conv_channels", least=1), c.whole("subsampling_conv_kernel_size", least=1)
    halvings = c.whole("subsampling_factor", least=1).bit_length() - 1
    yield from convolve(p, "layers.0", (width, 1, kernel, kernel), "audio")
    for number in range(2, 3 * halvings - 1, 3):  # a non-linearity stands between, and counts as a layer
        yield from convolve(p, f"layers.{number}", (width, 1, kernel, kernel), "audio", op="conv")
        yield from convolve(p, f"layers.{number + 1}", (width, width, 1, 1), "audio")
    bins = c.whole("num_mel_bins", least=1) // c.whole("subsampling_conv_stride", least=1) ** halvings
    yield from p.linear("linear", width * bins, c.hidden, "audio", True)


def attend_relatively(c: Config, p: Place) -> Iterable[Row]:
    """Attention to all frames, with a matrix for the distances (arXiv:1901.02860, section 3.3)."""
    width, kv_width, bias = c.heads * c.head_dim, c.kv_heads * c.head_dim, c.flag("attention_bias")
    yield from p.linear("q_proj", c.hidden, width, "attention", bias)
    yield from p.linear("k_proj", c.hidden, kv_width, "attention", bias)
    yield from p.linear("v_proj", c.hidden, kv_width, "attention", bias)
    yield from p.linear("o_proj", width, c.hidden, "attention", bias)
    yield from p.linear("relative_k_proj", c.hidden, width, "attention")
    for name in ("bias_u", "bias_v"):
        yield p.tensor(name, (c.heads, c.head_dim), "attention", "vector")
    yield p.state("full", flops_per_pos=6 * width, decode_flops_per_pos=6 * width, causal=False)


def convolve_frames(c: Config, p: Place) -> Iterable[Row]:
    """A gated depthwise convolution between two matrices."""
    width, bias = c.hidden, c.flag("convolution_bias")
    yield from convolve(p, "pointwise_conv1", (2 * width, width, 1), "audio", bias=bias)
    kernel = (width, 1, c.whole("conv_kernel_size", least=1))
    yield from convolve(p, "depthwise_conv", kernel, "audio", bias=bias, op="conv")
    yield from batch_norm(p, "norm", width)
    yield from convolve(p, "pointwise_conv2", (width, width, 1), "audio", bias=bias)


FEED_FORWARD = Mlp(("linear1", "linear2"), bias="attention_bias")
PARAKEET = Heard(
    (
        at("subsampling", shorten_spectrogram),
        stack(
            "layers",
            at("feed_forward1", FEED_FORWARD),
            at("self_attn", attend_relatively),
            at("conv", convolve_frames),
            at("feed_forward2", FEED_FORWARD),
            *(layer_norm(f"norm_{name}") for name in ("feed_forward1", "self_att", "conv", "feed_forward2", "out")),
        ),
    )
)

#: Names that older files have; where both are, the newer goes first unless it is what the class declares.
OLDER = {"llm_config": "text_config", "sound_config": "audio_config", "vit_hidden_size": "vision_hidden_size"}


def read_whole(c: Config) -> Config:
    """The config by its newer names, the section for sound as the class fills it up."""
    raw = dict(c.raw)
    for older, newer in OLDER.items():
        if c.get(older) is not None and c.get(newer) == c.spec.defaults[newer]:
            raw[newer] = raw[older]
    if isinstance(sound := raw.get("audio_config"), Mapping):
        raw["audio_config"] = {**c.spec.filled["audio_config"], **sound}
        if sound.get("model_type") == "parakeet":  # what released files call it, and no type of its own
            del raw["audio_config"]["model_type"]
    whole = Config(raw, c.model_type, c.dims, parent=c.parent, path=c.path, spec=c.spec)
    whole.read = c.read
    return whole


def read_omni_text(c: Config) -> Config:
    return read_text(read_whole(c))


def renewed(block: Block) -> Block:
    """A block that sees the config by its newer names."""
    return lambda c, p: block(read_whole(c), p)


def project(p: Place, inputs: int, inner: int, outputs: int, bias: bool = False) -> Iterable[Row]:
    """A norm and two matrices with a squared ReLU between."""
    yield from p.vector("layer_norm", inputs, "norm")
    yield from p.linear("linear_1", inputs, inner, "projector", bias)
    yield from p.linear("linear_2", inner, outputs, "projector", bias)


def see(c: Config, p: Place) -> Iterable[Row]:
    """The tower, a norm of what it gives where the text guesses ahead, and neighbouring patches made one."""
    yield from RADIO(c.section("vision_config", RADIO_DIMS), p.at("vision_model"))
    text, width = read_text(c), c.whole("vision_hidden_size", least=1)
    place = p._replace(part="projector", stack="vision")
    if text.whole("num_nextn_predict_layers"):
        yield from place.vector("vision_final_layernorm", width, "norm", True)
    merged = width * int(1 / read_fraction(c, "downsample_ratio")) ** 2
    check_whole(merged, f"{c.model_type}: the width of merged patches by downsample_ratio", 1)
    inner = c.whole("projector_hidden_size", least=1)
    yield from project(place.at("multi_modal_projector"), merged, inner, text.hidden)


def hear(c: Config, p: Place) -> Iterable[Row]:
    """Parakeet and a projector of its own, where the config has a section for it."""
    if c["audio_config"] is None:
        return
    sound = c.section("audio_config", PARAKEET_DIMS)
    yield from Section("audio_config", "audio_tower", "audio")(c, p)
    place = p.at("embed_audio")._replace(part="projector", stack="audio")
    inner, bias = sound.whole("projection_hidden_size", least=1), sound.flag("projection_bias")
    yield from project(place, sound.hidden, inner, read_text(c).hidden, bias)


def speak(c: Config, p: Place) -> Iterable[Row]:
    """Nemotron-H with its head, which is never tied."""
    text, below = read_text(c), p.at("language_model")
    yield from find_supported(text).body(text, below.at("model"))
    yield from LmHead(tie_of=is_never_tied)(text, below)


def refuse_sections(c: Config) -> str | None:
    """Sections of other types, and a tower that packs other numbers of frames than the whole."""
    whole = read_whole(c)
    for key, expected in (
        ("text_config", "nemotron_h"),
        ("vision_config", "radio"),
        ("audio_config", "parakeet_encoder"),
    ):
        if reason := refuse_type(whole, key, expected):
            return reason
    frames = check_whole(whole["video_temporal_patch_size"], f"{c.model_type}: video_temporal_patch_size", 2)
    if whole.section("vision_config")["video_temporal_patch_size"] != frames:
        return f"vision_config.video_temporal_patch_size is not {frames}, as the whole says"
    return None


register(
    Architecture(
        "radio",
        "RADIO",
        At("", (Vision((normalize_colours,)), RADIO)),
        heads={"RadioModel": Head()},
        natural="RadioModel",
        dims=RADIO_DIMS,
        norm="layernorm",
        position="learned",
        example="nvidia/C-RADIOv4-H",
        about="A vision transformer distilled from several, with positions cropped out of those of the largest image.",
    ),
    Architecture(
        "parakeet_encoder",
        "Parakeet",
        PARAKEET,
        heads={"ParakeetEncoder": Head()},
        natural="ParakeetEncoder",
        dims=PARAKEET_DIMS,
        norm="layernorm",
        position="relative",
        about="A conformer over an eighth of the frames (arXiv:2305.05084).",
    ),
    Architecture(
        "nemotron_h_omni",
        "Nemotron",
        At("", (renewed(speak), renewed(see), renewed(hear))),
        heads={"NemotronH_Omni_Reasoning_V3": Head()},
        natural="NemotronH_Omni_Reasoning_V3",
        text=read_omni_text,
        embedding="language_model.model.embeddings.weight",
        position="none",
        supported=refuse_sections,
        example="nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-BF16",
        about="RADIO for images and video, where wanted Parakeet for sound, before Nemotron-H.",
    ),
)
