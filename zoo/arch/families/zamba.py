"""Zamba: Mamba in every layer, and before some of them a transformer block that they all share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import states_of
from zoo.arch.config import Config, Dim, UnsupportedError, divide
from zoo.arch.heads import LabelHead, causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import FusedGatedMlp, GatedMlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import UPDATES, Mamba2, depthwise_conv, read_dt_rank
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor


def read_unless_said(key: str, rule: Callable[[Config], int]) -> Dim:
    """The key where the file has it, as saved ones do; else worked out."""
    return lambda c: rule(c) if not c.maybe(key) else c.whole(key)


def zamba_kinds(c: Config) -> Sequence[str]:
    """Two layers, a hybrid one, then a hybrid one in each ``attn_layer_period``, counted from there."""
    period, offset = c.whole("attn_layer_period", least=1), c.whole("attn_layer_offset")
    if c.layers < 3:
        raise UnsupportedError(f"{c.model_type}: {c.layers} layers without layers_block_type are not known")
    rest = ["hybrid" if layer % period == offset else "linear_attention" for layer in range(c.layers - 3)]
    return ["linear_attention", "linear_attention", "hybrid", *rest]


def zamba2_kinds(c: Config) -> Sequence[str]:
    """The 54 layers of the 2.7B model, which a file that does not say otherwise means."""
    gaps = (6, *(5,) * 6, 4, 3)
    kinds = [kind for gap in gaps for kind in (*("linear_attention",) * gap, "hybrid")] + ["linear_attention"] * 2
    if c.layers != len(kinds):
        raise UnsupportedError(f"{c.model_type}: {c.layers} layers without layers_block_type are not known")
    return kinds


def wide_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention over the hidden state beside the embedding: its input is twice as wide as its output."""
    for name, heads in (("q_proj", c.heads), ("k_proj", c.kv_heads), ("v_proj", c.kv_heads)):
        yield from p.linear(name, c.wide, heads * c.head_dim, "attention")
    yield from p.linear("o_proj", c.heads * c.head_dim, c.hidden, "attention")
    yield from states_of(c, p, None)


@dataclass(frozen=True)
class Shared:
    """Blocks stored ``count`` times, which the layers here take in turn: the first bring them, the others share.

    Every layer keeps its own cache. ``own`` are blocks that each layer has to itself, stored with the shared ones.
    The class shares only where the embeddings are tied too; without, every layer stores all of it.
    """

    name: str
    blocks: tuple[Block, ...]
    count: Callable[[Config], int]
    own: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        layers, count = list(p.layers or ()), self.count(c)
        for first, owner in enumerate(layers[:count] if c.tied else layers):
            place = p.at(self.name)._replace(layers=[owner])
            group = layers[first % count :: count]
            for block in self.blocks:
                yield from block(c, place)
                if c.tied and len(group) > 1:
                    yield from (borrow(row, owner) for row in block(c, place._replace(layers=group[1:])))
            for block in self.own:
                for row in block(c, place):
                    yield (
                        row._replace(copies=len(group), of=1 if c.tied else len(group))
                        if isinstance(row, Tensor)
                        else row
                    )


def borrow(row: Row, owner: int) -> Row:
    """The same row where it is stored with layer ``owner``; what is remembered is each layer's own."""
    return row._replace(tied_to=row.name.replace("{}", str(owner))) if isinstance(row, Tensor) else row


def adapter(name: str, inputs: str, outputs: Callable[[Config], int]) -> Block:
    """A low-rank correction of a shared matrix, one for each layer that shares it."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        rank = c.whole("adapter_rank", least=1)
        part = "mlp" if name.startswith("feed_forward") else "attention"
        yield from p.linear(f"{name}_adapter_list.{{}}.0", c.dim(inputs), rank, part)
        yield from p.linear(f"{name}_adapter_list.{{}}.1", rank, outputs(c), part)

    return rows


def attention_adapters(c: Config, p: Place) -> Iterable[Row]:
    if c.flag("use_shared_attention_adapter"):
        for letter in "qkv":
            yield from adapter(f"self_attn.linear_{letter}", "wide", lambda c: c.wide)(c, p)


def zamba_mixer(c: Config, p: Place) -> Iterable[Row]:
    """Mamba-1 with its step and state projections apart for each of ``n_mamba_heads``.

    State per sequence: inner x state, and the last kernel - 1 inputs of the convolution.
    """
    inner, state, kernel, rank, heads = c.ssm_inner, c.ssm_state, c.ssm_conv, c.ssm_rank, c.ssm_heads
    width, bias = inner // heads, c.flag("mamba_proj_bias")
    yield p.tensor("x_proj_weight", (heads, rank + 2 * state, width), "recurrent")
    yield p.tensor("dt_proj_weight", (heads, width, rank), "recurrent")
    yield p.tensor("dt_proj_bias", (heads, width), "recurrent", "vector")
    yield p.tensor("A_log", (heads, width, state), "recurrent", "vector")
    yield p.tensor("D", (heads, width), "recurrent", "vector")
    yield from depthwise_conv(p, "conv1d", inner, kernel, c.flag("mamba_conv_bias"))
    yield from p.linear("in_proj", c.hidden, 2 * inner, "recurrent", bias)
    yield from p.linear("out_proj", inner, c.hidden, "recurrent", bias)
    yield p.state("conv", fixed=inner * (kernel - 1))
    yield p.state("ssm", fixed=inner * state, flops_per_token=2 * UPDATES * inner * state)


def project_back(c: Config, p: Place) -> Iterable[Row]:
    """From the shared block into the layer's own input."""
    return p.linear("linear", c.hidden, c.hidden, "other")


def refuse_uneven_heads(c: Config) -> str | None:
    heads, inner = c.ssm_heads, c.ssm_inner
    return f"{heads} Mamba heads do not divide the inner width {inner}" if inner % heads else None


def refuse_two_lists(c: Config) -> str | None:
    """The class finds the hybrid layers in layers_block_type, whatever layer_types says besides."""
    said = c.raw.get("layer_types")
    if said is not None and said != c.raw.get("layers_block_type"):
        return "layer_types is there, but not layers_block_type"
    return refuse_other_width(c)


def refuse_other_width(c: Config) -> str | None:
    if c.ssm_heads * c.ssm_head_dim != c.ssm_inner:
        return f"{c.ssm_heads} Mamba heads of {c.ssm_head_dim} do not add up to {c.ssm_inner}"
    if c.flag("use_shared_attention_adapter") and c.heads * c.head_dim != c.wide:
        return f"{c.heads} heads of {c.head_dim} do not take adapters of {c.wide}"
    return None


MIXER_NORM = rms("input_layernorm")
NORMS = (rms("input_layernorm", "wide"), rms("pre_ff_layernorm"))
ZAMBA: dict[str, Dim] = {
    "ssm_inner": lambda c: c.whole("mamba_expand", least=1) * c.hidden,
    "ssm_heads": lambda c: c.whole("n_mamba_heads", least=1),
    "ssm_state": "mamba_d_state",
    "ssm_conv": lambda c: c.whole("mamba_d_conv", least=1),
    "wide": read_unless_said("attention_hidden_size", lambda c: 2 * c.hidden),
    "head_dim": read_unless_said("attention_head_dim", lambda c: divide(c, 2 * c.hidden, c.heads, "heads")),
}
MAMBA_2 = at("mamba", Mamba2(bias="add_bias_linear", norm=rms("norm", "ssm_inner")))
ZAMBA_BLOCK = (at("self_attn", wide_attention), at("feed_forward", GatedMlp()), *NORMS)
ZAMBA2_BLOCK = (at("self_attn", wide_attention), at("feed_forward", FusedGatedMlp(bias="add_bias_linear")), *NORMS)
ZAMBA2_OWN = (attention_adapters, adapter("feed_forward.gate_up_proj", "hidden", lambda c: 2 * c.ffn))

register(
    decoder(
        "zamba",
        "Zamba",
        "Zamba",
        by_kind(
            named_kinds(zamba_kinds, "layers_block_type"),
            linear_attention=(at("mamba", zamba_mixer), MIXER_NORM),
            hybrid=(
                Shared("shared_transf", ZAMBA_BLOCK, lambda c: 1),
                project_back,
                at("mamba_decoder", at("mamba", zamba_mixer), MIXER_NORM),
            ),
        ),
        final=rms("final_layernorm"),
        heads=causal_heads("Zamba", sequence=LabelHead("score"), tokens=None),
        dims={**ZAMBA, "ssm_rank": read_dt_rank("mamba_dt_rank")},
        position="none",
        supported=refuse_uneven_heads,
        example="Zyphra/Zamba-7B-v1",
        about="One transformer block, stored once, stands before every sixth of 76 Mamba layers, a cache for each.",
    ),
    decoder(
        "zamba2",
        "Zamba2",
        "Zamba",
        by_kind(
            named_kinds(zamba2_kinds, "layers_block_type"),
            linear_attention=(MAMBA_2, MIXER_NORM),
            hybrid=(
                Shared("shared_transformer", ZAMBA2_BLOCK, lambda c: c.whole("num_mem_blocks", least=1), ZAMBA2_OWN),
                project_back,
                at("mamba_decoder", MAMBA_2, MIXER_NORM),
            ),
        ),
        final=rms("final_layernorm"),
        heads=causal_heads("Zamba2", sequence=LabelHead("score"), tokens=None),
        dims={
            **ZAMBA,
            "ssm_groups": lambda c: c.whole("mamba_ngroups", least=1),
            "ssm_head_dim": read_unless_said("mamba_headdim", lambda c: c.ssm_inner // c.ssm_heads),
            "ffn": lambda c: c.maybe("intermediate_size") or 4 * c.hidden,
        },
        supported=refuse_two_lists,
        example="Zyphra/Zamba2-2.7B",
        about="Mamba-2 layers, and shared blocks taken in turn, each use of which has low-rank corrections of its own.",
    ),
)
