"""Granite 4: Mamba-2 in most layers, attention in a few, and in some sizes a mixture of experts."""

from __future__ import annotations

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.mixtures import GRANITE, PRE_NORMS
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, every, named_kinds, when
from zoo.arch.mlp import FusedGatedMlp, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.recurrent import Mamba2
from zoo.arch.registry import register


def read_inner(c: Config) -> int:
    return int(c.whole("mamba_expand", least=1) * c.hidden)


def read_head_width(c: Config) -> int:
    """``mamba_d_head``; "auto" shares the inner width out among the heads."""
    value = c["mamba_d_head"]
    return int(c.ssm_inner // c.ssm_heads) if value == "auto" else c.whole("mamba_d_head", least=1)


def refuse_uneven_heads(c: Config) -> str | None:
    heads, width, inner = c.ssm_heads, c.ssm_head_dim, c.ssm_inner
    return None if heads * width == inner else f"{heads} Mamba heads of {width} do not add up to {inner}"


SHARED = FusedGatedMlp(("input_linear", "output_linear"), width="shared_ffn", part="shared_experts")

register(
    decoder(
        "granitemoehybrid",
        "GraniteMoeHybrid",
        "Granite",
        by_kind(
            named_kinds(every("linear_attention")),
            full_attention=at("self_attn", Attention(bias="attention_bias")),
            linear_attention=at(
                "mamba",
                Mamba2(bias="mamba_proj_bias", conv_bias="mamba_conv_bias", norm=rms("norm", "ssm_inner")),
            ),
        ),
        when(lambda c: c.experts > 0, at("block_sparse_moe", Moe(Router("router")))),
        at("shared_mlp", SHARED),
        *PRE_NORMS,
        heads=causal_heads("GraniteMoeHybrid", sequence=None, tokens=None),
        dims=GRANITE
        | {
            "ssm_inner": read_inner,
            "ssm_heads": lambda c: c.whole("mamba_n_heads", least=1),
            "ssm_head_dim": read_head_width,
            "ssm_groups": lambda c: c.whole("mamba_n_groups", least=1),
            "ssm_state": "mamba_d_state",
            "ssm_conv": lambda c: c.whole("mamba_d_conv", least=1),
        },
        supported=refuse_uneven_heads,
        example="ibm-granite/granite-4.0-h-tiny",
        about="Nine Mamba-2 layers to one of attention; the shared MLP serves every token, with or without experts.",
    ),
)
