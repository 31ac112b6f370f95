"""LFM2, the dense models: short convolutions in most layers, attention in the others."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.arch.config import MAX_DIMENSION, Config, UnsupportedError
from zoo.arch.families.lfm import GATED, LFM2_ATTENTION, is_tied, short_conv
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register


def attention_where_listed(c: Config) -> Sequence[str]:
    """Attention in the layers of ``full_attn_idxs``, in all where there is no list; convolutions in the others."""
    listed = c["full_attn_idxs"]
    if listed is None:
        return ["full_attention"] * c.layers
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{c.model_type}: full_attn_idxs is not a list of layers")
    return ["full_attention" if layer in listed else "conv" for layer in range(c.layers)]


def adjust_width(c: Config) -> int:
    """Two thirds of the width given, times ``block_ffn_dim_multiplier``, rounded up to ``block_multiple_of``."""
    width = c.whole("block_ff_dim" if "block_ff_dim" in c else "intermediate_size", least=1)
    if not c.flag("block_auto_adjust_ff_dim"):
        return width
    width, factor = int(2 * width / 3), c["block_ffn_dim_multiplier"]
    if factor is None:
        return width
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= MAX_DIMENSION:
        raise UnsupportedError(f"{c.model_type}: block_ffn_dim_multiplier is {factor!r:.40}, not a number above 0")
    multiple = c.whole("block_multiple_of", least=1)
    return -(-int(factor * width) // multiple) * multiple


register(
    decoder(
        "lfm2",
        "Lfm2",
        "LFM",
        by_kind(
            named_kinds(attention_where_listed),
            full_attention=at("self_attn", LFM2_ATTENTION),
            conv=at("conv", short_conv),
        ),
        at("feed_forward", GatedMlp(GATED)),
        rms("operator_norm"),
        rms("ffn_norm"),
        final=rms("embedding_norm"),
        heads=causal_heads("Lfm2", sequence=None, tokens=None),
        dims={"ffn": adjust_width, "tied": is_tied},
        example="LiquidAI/LFM2-1.2B",
        about="Convolutions over three tokens in most layers and attention in a few: a small cache.",
    )
)
