"""OLMo Hybrid: OLMo 2's attention in one layer of four, a gated delta rule in the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, divide
from zoo.arch.families.olmo import POST_NORMS, WIDE_QK_NORM
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the state and token: decay, read by the key, write, read by the query.
STEPS = 4


def unless_null(key: str, rule: Callable[[Config], int]) -> Dim:
    return lambda c: rule(c) if c[key] is None else c.whole(key, least=1)


def every_fourth_full(c: Config) -> Sequence[str]:
    """Full attention in each fourth layer, at least in the last."""
    kinds = ["linear_attention" if layer % 4 != 3 else "full_attention" for layer in range(c.layers)]
    return kinds if "full_attention" in kinds else [*kinds[:-1], "full_attention"]


def gated_delta(c: Config, p: Place) -> Iterable[Row]:
    """Gated DeltaNet (arXiv:2412.06464, section 3) with every projection apart.

    State per sequence: value heads x value width x key width, and the last kernel - 1 inputs of the convolution.
    """
    heads, key, value = c.value_heads, c.key_heads * c.key_width, c.value_heads * c.value_width
    kernel = c.whole("linear_conv_kernel_dim", least=1)
    for name, outputs in (("q", key), ("k", key), ("v", value), ("a", heads), ("b", heads), ("g", value)):
        yield from p.linear(f"{name}_proj", c.hidden, outputs, "recurrent")
    yield from p.linear("o_proj", value, c.hidden, "recurrent")
    yield from depthwise_conv(p, "conv1d", 2 * key + value, kernel, False)
    for name in ("A_log", "dt_bias"):
        yield p.tensor(name, (heads,), "recurrent", "vector")
    yield from rms("o_norm", "value_width")(c, p)
    state = value * c.key_width
    yield p.state("linear", fixed=state, flops_per_token=2 * STEPS * state)
    yield p.state("conv", fixed=(2 * key + value) * (kernel - 1))


register(
    decoder(
        "olmo_hybrid",
        "OlmoHybrid",
        "OLMo",
        by_kind(
            named_kinds(every_fourth_full),
            full_attention=(
                at("self_attn", Attention(bias="attention_bias", extra=WIDE_QK_NORM)),
                *POST_NORMS,
            ),
            linear_attention=(
                rms("input_layernorm"),
                at("linear_attn", gated_delta),
                rms("post_attention_layernorm"),
            ),
        ),
        at("mlp", GatedMlp()),
        heads=causal_heads("OlmoHybrid", sequence=None, tokens=None),
        dims={
            "key_heads": unless_null("linear_num_key_heads", lambda c: c.heads),
            "value_heads": unless_null("linear_num_value_heads", lambda c: c.heads),
            "key_width": unless_null(
                "linear_key_head_dim", lambda c: divide(c, 3 * c.hidden, 4 * c.key_heads, "linear_num_key_heads")
            ),
            "value_width": unless_null("linear_value_head_dim", lambda c: 2 * c.key_width),
        },
        example="allenai/Olmo-Hybrid-7B",
        about="Three layers of gated delta rule, normed before, to one of OLMo 2's attention, normed after.",
    ),
)
