"""Kimi K3: Kimi delta attention with full gates, experts in a latent, residuals that attend to earlier blocks; it sees.

transformers does not have it: names and shapes are those of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.arch.attention import FusedAttention, LatentAttention
from zoo.arch.config import Config, Dim, TypeSpec, UnsupportedError, check_whole
from zoo.arch.families.deepseek import PRE_NORMS
from zoo.arch.families.kimi import DELTA_STEPS, dense_first, kimi_kinds, linear_section, read_linear
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, by_kind, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

TEXT_DIMS: Mapping[str, Dim] = {
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_token",
    "shared_experts": "num_shared_experts",
    "expert_ffn": "moe_intermediate_size",
    "head_dim": lambda c: c.whole("qk_nope_head_dim") + c.whole("qk_rope_head_dim"),
    "v_head_dim": "v_head_dim",
    "linear_heads": read_linear("linear_num_heads", "num_heads"),
    "linear_head_dim": read_linear("linear_head_dim", "head_dim"),
    "linear_kernel": read_linear("linear_conv_kernel_dim", "short_conv_kernel_size"),
}
VISION_DIMS: Mapping[str, Dim] = {
    "hidden": "vt_hidden_size",
    "layers": "vt_num_hidden_layers",
    "heads": "vt_num_attention_heads",
    "kv_heads": "vt_num_attention_heads",
    "head_dim": lambda c: split_width(c),
    "ffn": "vt_intermediate_size",
}
#: What the one checkpoint has set, by section: other values change the model in ways that nothing was checked against.
TEXT_SETTINGS: Mapping[str, object] = {
    "mla_use_output_gate": True,
    "mla_use_nope": True,
    "latent_moe_use_norm": True,
    "moe_layer_freq": 1,
    "num_nextn_predict_layers": 0,
    "tie_word_embeddings": False,
}
VISION_SETTINGS: Mapping[str, object] = {
    "attn_bias": False,
    "linear_bias": False,
    "patch_embed_proj_bias": False,
    "mlp_type": "mlp2",
    "norm_type": "rmsnorm",
    "mm_projector_type": "patchmergerv2",
    "pos_emb_type": "divided_fixed",
    "merge_type": "sd2_tpool",
}


def open_part(c: Config, key: str, dims: Mapping[str, Dim]) -> Config:
    """A section of the config, which declares no defaults."""
    raw = c.raw.get(key)
    if not isinstance(raw, Mapping):
        raise UnsupportedError(f"{c.model_type}: {key} is missing or no object")
    return Config(raw, c.model_type, dims, parent=c, path=f"{key}.", spec=TypeSpec({}, {}, {}))


def read_text(c: Config) -> Config:
    return open_part(c, "text_config", TEXT_DIMS)


def read_vision(c: Config) -> Config:
    return open_part(c, "vision_config", VISION_DIMS)


def split_width(c: Config) -> int:
    """The width of a head of the tower, whose heads together are wider than its residual stream."""
    width, heads = c.whole("qkv_hidden_size", least=1), c.whole("vt_num_attention_heads", least=1)
    if width % heads:
        raise UnsupportedError(f"{c.model_type}: {c.path}qkv_hidden_size {width} is not a multiple of {heads} heads")
    return width // heads


def refuse_unchecked(c: Config) -> str | None:
    """Settings that the one checkpoint does not have, and sizes that its stored counts do not tell apart."""
    text, vision = read_text(c), read_vision(c)
    for section, settings in ((text, TEXT_SETTINGS), (vision, VISION_SETTINGS)):
        for key, value in settings.items():
            if section[key] != value:
                return f"{section.path}{key} is {section[key]!r:.40}, which no stored total was found for"
    if c.tied:
        return "tie_word_embeddings is set, which no stored total was found for"
    if text.whole("attn_res_block_size") < 1:
        return "text_config.attn_res_block_size is 0, which no stored total was found for"
    linear = linear_section(text)
    if linear.get("use_full_rank_gate") is not True or not {"full_attn_layers", "kda_layers"} <= set(linear):
        return "text_config.linear_attn_config does not say which layers have full gates"
    heads, width = text.linear_heads, text.linear_head_dim
    if 1 << (heads - 1).bit_length() != width:
        return f"{heads} heads of {width}: the length of A_log is known for a width that is the next power of two"
    return None


def gate(c: Config, p: Place) -> Iterable[Row]:
    """What of each head's findings is passed on, element by element."""
    return p.linear("g_proj", c.hidden, c.heads * c.v_head_dim, "attention")


def delta(c: Config, p: Place) -> Iterable[Row]:
    """Kimi delta attention (arXiv:2510.26692), its output gate of full rank, its forget gate of the width of a head."""
    heads, width, kernel = c.linear_heads, c.linear_head_dim, c.linear_kernel
    inner = heads * width
    for name in ("q", "k", "v"):
        yield from p.linear(f"{name}_proj", c.hidden, inner, "recurrent")
        yield from depthwise_conv(p, f"{name}_conv1d", inner, kernel, False)
    yield from p.linear("f_a_proj", c.hidden, width, "recurrent")
    yield from p.linear("f_b_proj", width, inner, "recurrent")
    yield p.tensor("dt_bias", (inner,), "recurrent", "vector")
    yield p.tensor("A_log", (width,), "recurrent", "vector")
    yield from p.linear("b_proj", c.hidden, heads, "recurrent")
    yield from p.linear("g_proj", c.hidden, inner, "recurrent")
    yield from rms("o_norm", "linear_head_dim")(c, p)
    yield from p.linear("o_proj", inner, c.hidden, "recurrent")
    yield p.state("conv", fixed=3 * inner * (kernel - 1))
    state = heads * width * width
    yield p.state("linear", fixed=state, flops_per_token=2 * DELTA_STEPS * state, dtype="float32")


@dataclass(frozen=True)
class BlockResidual:
    """Attention over the outputs of earlier blocks of layers in place of a residual (arXiv:2603.15031): one query."""

    name: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from p.linear(f"{self.name}_res_proj", c.hidden, 1, "other")
        yield from rms(f"{self.name}_res_norm")(c, p)


def mixture(c: Config, p: Place) -> Iterable[Row]:
    """Experts that work in a latent narrower than the residual stream, and shared ones as one MLP beside it."""
    experts, used, width = c.experts, c.experts_per_token, c.expert_ffn
    if not 0 < used <= experts:
        raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
    latent = c.whole("routed_expert_hidden_size", least=1)
    yield from p.linear("gate", c.hidden, experts, "router")
    yield p.tensor("gate.e_score_correction_bias", (experts,), "router", "vector", role="buffer")
    yield from p.linear("routed_expert_down_proj", c.hidden, latent, "experts")
    for name, shape in (("w1", (width, latent)), ("w3", (width, latent)), ("w2", (latent, width))):
        yield p.tensor(f"experts.{{}}.{name}.weight", shape, "experts", copies=experts, used=used, of=experts)
    yield from rms("routed_expert_norm", size=lambda c: latent)(c, p)
    yield from p.linear("routed_expert_up_proj", latent, c.hidden, "experts")
    shared = c.shared_experts * width
    for name in ("gate_proj", "up_proj"):
        yield from p.linear(f"shared_experts.{name}", c.hidden, shared, "shared_experts")
    yield from p.linear("shared_experts.down_proj", shared, c.hidden, "shared_experts")


LAYER: tuple[Block, ...] = (
    at(
        "self_attn",
        by_kind(kimi_kinds, full_attention=LatentAttention(bias=False, extra=(gate,)), linear_attention=delta),
    ),
    by_kind(dense_first, dense=at("mlp", GatedMlp()), sparse=at("block_sparse_moe", mixture)),
    *PRE_NORMS,
    BlockResidual("self_attention"),
    BlockResidual("mlp"),
)
TOWER: tuple[Block, ...] = (
    rms("norm0"),
    rms("norm1"),
    FusedAttention(("wqkv", "wo"), cached=False, causal=False),
    at("mlp", Mlp(("fc0", "fc1"), bias=False)),
)


def speak(c: Config, p: Place) -> Iterable[Row]:
    """The text model."""
    inner = read_text(c)
    yield p.table("embed_tokens", inner.vocab, inner.hidden)
    for block in (stack("layers", *LAYER), rms("norm"), BlockResidual("output_attn")):
        yield from block(inner, p)


def see(c: Config, p: Place) -> Iterable[Row]:
    """MoonViT for images and video: heads wider than the stream, a grid of positions resampled to each image."""
    inner = read_vision(c)
    place = p._replace(part="vision", stack="vision")
    size = inner.whole("patch_size", least=1)
    grid = (inner.whole("init_pos_emb_height", least=1), inner.whole("init_pos_emb_width", least=1), inner.hidden)
    yield place.tensor("patch_embed.proj.weight", (inner.hidden, 3, size, size), "vision")
    yield place.tensor("patch_embed.pos_emb.weight", grid, "vision", "lookup")
    encoder = place.at("encoder")
    for block in (stack("blocks", *TOWER), rms("final_layernorm")):
        yield from block(inner, encoder)


def merge(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches side by side through two matrices, and a norm at the end."""
    vision, kernel = read_vision(c), read_vision(c)["merge_kernel_size"]
    if not isinstance(kernel, list | tuple) or len(kernel) != 2:
        raise UnsupportedError(f"{c.model_type}: merge_kernel_size is {kernel!r:.40}, not a height and a width")
    height, width = (check_whole(side, f"{c.model_type}: merge_kernel_size", 1) for side in kernel)
    merged, text = height * width * vision.whole("mm_hidden_size", least=1), read_text(c).hidden
    yield from p.linear("proj.0", merged, merged, "projector")
    yield from p.linear("proj.2", merged, text, "projector")
    yield from p.vector("post_norm", text, "projector")


register(
    Architecture(
        "kimi_k3",
        "Kimi",
        At("", (at("vision_tower", see), at("mm_projector", merge), at("language_model.model", speak))),
        heads={
            "KimiK3ForConditionalGeneration": Head(
                blocks=(at("language_model", LmHead(inner=read_text, tie_of=lambda c: False)),)
            )
        },
        natural="KimiK3ForConditionalGeneration",
        text=read_text,
        position="none",
        embedding="language_model.model.embed_tokens.weight",
        supported=refuse_unchecked,
        example="moonshotai/Kimi-K3",
        about="Delta attention in three layers of four, 16 of 896 experts in a latent, residuals that attend.",
        verified=(
            "Hub count of Kimi-K3 by data type: U8 (unpacked) 2,722,740,830,208, BF16 57,179,884,544, F32 11,122,432."
        ),
    )
)
