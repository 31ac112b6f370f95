"""Jamba: Mamba layers with attention in one of eight, and experts in every other."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import rms
from zoo.arch.recurrent import Mamba, read_dt_rank
from zoo.arch.registry import register


def every_nth(c: Config, name: str, yes: str, no: str) -> Sequence[str]:
    """``yes`` in the layers of which the number leaves ``{name}_layer_offset`` by ``{name}_layer_period``."""
    period, offset = c.whole(f"{name}_layer_period", least=1), c.whole(f"{name}_layer_offset")
    if offset >= period:
        raise UnsupportedError(f"{c.model_type}: {name}_layer_offset {offset} is not below its period {period}")
    return [yes if layer % period == offset else no for layer in range(c.layers)]


def mixer_kinds(c: Config) -> Sequence[str]:
    return every_nth(c, "attn", "attention", "mamba")


def mlp_kinds(c: Config) -> Sequence[str]:
    """With a single expert, every layer has a plain MLP."""
    return every_nth(c, "expert", "sparse", "dense") if c.experts > 1 else ["dense"] * c.layers


INNER_NORMS = (rms("dt_layernorm", "ssm_rank"), rms("b_layernorm", "ssm_state"), rms("c_layernorm", "ssm_state"))

register(
    decoder(
        "jamba",
        "Jamba",
        "Jamba",
        by_kind(
            mixer_kinds,
            attention=at("self_attn", Attention()),
            mamba=at("mamba", Mamba(bias="mamba_proj_bias", conv_bias="mamba_conv_bias", extra=INNER_NORMS)),
        ),
        at("feed_forward", by_kind(mlp_kinds, dense=GatedMlp(), sparse=Moe(Router("router")))),
        rms("input_layernorm"),
        rms("pre_ff_layernorm"),
        final=rms("final_layernorm"),
        heads=causal_heads("Jamba", tokens=None),
        dims={
            "experts": "num_experts",
            "experts_per_token": "num_experts_per_tok",
            "ssm_inner": lambda c: c.whole("mamba_expand", least=1) * c.hidden,
            "ssm_state": "mamba_d_state",
            "ssm_conv": lambda c: c.whole("mamba_d_conv", least=1),
            "ssm_rank": read_dt_rank("mamba_dt_rank"),
        },
        position="none",
        example="ai21labs/AI21-Jamba-Mini-1.5",
        about="Seven Mamba layers to one of attention, which make the cache grow an eighth as fast; many experts.",
    )
)
