"""dots 3 Note: its text model with a tower that has ever more experts towards its end, and an encoder of sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, split_heads
from zoo.arch.families.gemma4_towers import Audio
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Patches, Projector
from zoo.arch.layers import Section, at, by_kind, open_section, stack, text_section, vision_section
from zoo.arch.mlp import FusedGatedMlp, GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.per_layer import Overrides, PerLayer
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

#: Experts of each layer where a file does not say: none in 25, then four more in each.
PYRAMID = [-1] * 25 + [*range(4, 65, 4), 64]
#: Keys of Whisper's config, in files of the model's own code, and which they stand for.
WHISPER = {
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
    "intermediate_size": "encoder_ffn_dim",
    "feature_size": "num_mel_bins",
    "max_position_embeddings": "max_source_positions",
}


def either(older: str, key: str) -> Callable[[Config], int]:
    """The value of the key's older name where the file has it."""
    return lambda c: c.whole(older if older in c.raw else key, least=1)


def read_pyramid(c: Config) -> Sequence[int] | None:
    """Experts of each layer, -1 for none; None where ``mlp_layer_types`` speaks alone."""
    said = c.get("pyramid_num_routed")
    if said is None:
        return PYRAMID if c["mlp_layer_types"] is None else None
    if not isinstance(said, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in said):
        raise UnsupportedError(f"{c.model_type}: {c.path}pyramid_num_routed is not a list of numbers")
    return said


def mlp_kinds(c: Config) -> Sequence[str]:
    pyramid = read_pyramid(c)
    kinds = c.words("mlp_layer_types") if pyramid is None else ["sparse" if n > 0 else "dense" for n in pyramid]
    if len(kinds) < c.layers:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_layer_types names {len(kinds)} of {c.layers} layers")
    return ["sparse" if kind == "sparse" else "dense" for kind in kinds[: c.layers]]


def read_top(c: Config) -> int:
    said = c.maybe("num_experts_per_tok")
    return check_whole(c.get("capacity_factor", 2), f"{c.model_type}: capacity_factor") if said is None else said


def count_experts(c: Config) -> Overrides:
    """As many experts as the pyramid says, of which a token passes through no more than there are."""
    pyramid = read_pyramid(c) or []
    if any(count > 0 for count in pyramid[c.layers :]):
        raise UnsupportedError(f"{c.model_type}: {c.path}pyramid_num_routed names more than {c.layers} layers")
    sizes = {layer: count for layer, count in enumerate(pyramid) if count > 0}
    return {
        layer: {"num_local_experts": count, "num_experts_per_tok": min(read_top(c), count)}
        for layer, count in sizes.items()
    }


def correct_scores(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("e_score_correction_bias", (c.experts,), "router", "vector", role="buffer")


def merge_patches(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches side by side through two matrices, the second into the width of the text."""
    inner = c.hidden * c.whole("adapter_merge_size", least=1) ** 2
    yield from layer_norm("ln_q")(c, p)
    yield from p.linear("mlp.0", inner, inner, "projector", True)
    yield from p.linear("mlp.2", inner, c.whole("adapter_out_dim", least=1), "projector", True)


def read_bias(c: Config) -> bool:
    return c.flag("use_bias" if "use_bias" in c.raw else "attention_bias")


def refuse_tower(c: Config) -> str | None:
    """What the class refuses."""
    merge = c.whole("adapter_merge_size"), c.whole("spatial_merge_size")
    if c.whole("adapter_in_dim") != c.hidden:
        return f"adapter_in_dim is {c.whole('adapter_in_dim')}, not the hidden size {c.hidden}"
    if merge[0] != merge[1]:
        return f"adapter_merge_size is {merge[0]}, but spatial_merge_size {merge[1]}"
    return "mlp_bias is set, but experts have none" if c.flag("mlp_bias") and "sparse" in mlp_kinds(c) else None


def read_whisper(key: str) -> Callable[[Config], Any]:
    """``key``, or what ``whisper_config`` calls by another name."""

    def read(c: Config) -> int:
        section = c.get("whisper_config") or {}
        if not isinstance(section, Mapping):
            raise UnsupportedError(f"{c.model_type}: {c.path}whisper_config is not an object")
        older = WHISPER[key]
        what = f"{c.model_type}: {c.path}whisper_config.{older}"
        return check_whole(section[older], what, 1) if older in section else c.whole(key, least=1)

    return read


def shorten(c: Config, p: Place) -> Iterable[Row]:
    """Three convolutions that each halve the spectrogram both ways, and a matrix."""
    width = c.whole("downsample_hidden_size", least=1)
    for layer, inputs in enumerate((1, width, width)):
        yield p.tensor(f"convs.{layer}.weight", (width, inputs, 3, 3), "audio")
        yield p.tensor(f"convs.{layer}.bias", (width,), "audio", "vector")
    yield from p.linear("conv_out", width * -(-c.bands // 8), c.hidden, "audio")


def read_output(c: Config) -> int:
    for older in ("whisper_adapter_out_dim", "adapter_output_size"):
        if older in c.raw:
            return c.whole(older, least=1)
    return c.whole("adapter_out_dim", least=1)


def adapt(c: Config, p: Place) -> Iterable[Row]:
    """A norm and two matrices into the width of the text."""
    output, below = read_output(c), p.at("adapter")._replace(part="projector")
    yield from layer_norm("norm")(c, below)
    yield from below.linear("fc1", c.hidden, output, "projector", True)
    yield from below.linear("fc2", output, output, "projector", True)


def refuse_ears(c: Config) -> str | None:
    """What the class refuses."""
    inputs = either("whisper_adapter_in_dim", "adapter_input_size")(c)
    return f"adapter_input_size is {inputs}, not the hidden size {c.hidden}" if inputs != c.hidden else None


def refuse_other_width(c: Config) -> str | None:
    """Image and sound must come as wide as the text is; without its section, the text's keys stand at the top."""
    text, seen = read_flat_text(c).hidden, open_section(c, "vision_config").whole("adapter_out_dim")
    heard = read_output(open_section(c, "audio_config"))
    if seen != text or heard != text:
        return f"image and sound come {seen} and {heard} wide, not {text} as the text"
    return None


def read_flat_text(c: Config) -> Config:
    return open_section(c, "text_config", flat=True)


SEEING = FusedAttention(("qkv", "proj"), bias=read_bias, cached=False, causal=False, extra=QK_NORM)
HEARING = Attention(bias="attention_bias", k_bias=False, cached=False, causal=False)
TOWER_DIMS: dict[str, Dim] = {
    "hidden": either("embed_dim", "hidden_size"),
    "heads": either("num_heads", "num_attention_heads"),
    "context": lambda c: None,
    "patches": lambda c: None,
    "experts": "num_local_experts",
    "experts_per_token": read_top,
    "expert_ffn": "moe_intermediate_size",
}
AUDIO_DIMS: dict[str, Dim] = {
    "hidden": read_whisper("hidden_size"),
    "heads": read_whisper("num_attention_heads"),
    "kv_heads": lambda c: c.heads,
    "head_dim": split_heads,
    "layers": read_whisper("num_hidden_layers"),
    "ffn": read_whisper("intermediate_size"),
    "bands": read_whisper("feature_size"),
    "context": read_whisper("max_position_embeddings"),
    "vocab": lambda c: 0,
}
FOLLOWED = ("num_local_experts", "num_experts_per_tok", "moe_intermediate_size", "intermediate_size")
MIXTURE = Moe(Router(), shared=(correct_scores,))

register(
    tower(
        *("dots3_note_vision_encoder", "dots"),
        at("patch_embed", Patches("proj", bias=True), rms("norm")),
        stack(
            "blocks",
            rms("norm1"),
            at("attn", SEEING),
            rms("norm2"),
            at(
                "mlp",
                PerLayer(
                    FOLLOWED, count_experts, (by_kind(mlp_kinds, dense=GatedMlp(bias="mlp_bias"), sparse=MIXTURE),)
                ),
            ),
        ),
        at("merger", Projector((merge_patches,))),
        rms("norm"),
        name="Dots3NoteVisionModel",
        dims=TOWER_DIMS,
        norm="rmsnorm",
        position="rope",
        supported=refuse_tower,
        about="The tower of dots 3 Note: from layer 25 on a mixture, with four more experts in each layer.",
    ),
    Architecture(
        "dots3_note_audio_encoder",
        "dots",
        Audio(
            (
                at("conv_stem", shorten),
                stack(
                    "layers",
                    at("self_attn", HEARING),
                    rms("input_layernorm"),
                    at("mlp", FusedGatedMlp(bias=True)),
                    rms("post_attention_layernorm"),
                ),
                rms("layer_norm"),
                adapt,
            )
        ),
        heads={"Dots3NoteAudioModel": Head()},
        natural="Dots3NoteAudioModel",
        dims=AUDIO_DIMS,
        supported=refuse_ears,
        about="The ears of dots 3 Note: convolutions, then gated layers that see all of the sound.",
    ),
    seeing(
        *("dots3_note", "dots", "Dots3Note", text_section(flat=True), vision_section()),
        Section("audio_config", "audio_tower", "audio"),
        text=read_flat_text,
        supported=refuse_other_width,
        example="dots-studio/dots3-note-prev",
        about="Windows in three layers of four, an indexer in the fourth, a tower of experts, and ears.",
    ),
)
