"""MiniMax-Text-01: linear attention with a decay by head, and full attention in some layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.mistral import window_everywhere
from zoo.arch.families.mixtral import EXPERTS
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import Moe
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the state and token: decay, write, read.
STEPS = 3


def alternate(c: Config) -> Sequence[str]:
    """Full attention in every other layer, from layer 0 on."""
    return ["linear_attention" if layer % 2 else "full_attention" for layer in range(c.layers)]


def lightning_attention(c: Config, p: Place) -> Iterable[Row]:
    """Linear attention in blocks (arXiv:2501.08313, section 2.2).

    State per sequence: heads x head_dim x head_dim. The decays are stored, though they follow from the sizes.
    """
    heads, width = c.heads, c.heads * c.head_dim
    block = c.whole("block_size", least=1)
    yield from rms("norm", lambda c: width)(c, p)
    yield from p.linear("qkv_proj", c.hidden, 3 * width, "attention")
    yield from p.linear("out_proj", width, c.hidden, "attention")
    yield from p.linear("output_gate", c.hidden, width, "attention")
    for name, shape in (
        ("slope_rate", (heads, 1, 1)),
        ("query_decay", (heads, block, 1)),
        ("key_decay", (heads, block, 1)),
        ("diagonal_decay", (1, heads, block, block)),
    ):
        yield p.tensor(name, shape, "attention", "vector", role="buffer")
    state = heads * c.head_dim * c.head_dim
    yield p.state("linear", fixed=state, flops_per_token=2 * STEPS * state)


def refuse_other_code(c: Config) -> str | None:
    """Files of the model's own code list the kinds of the layers by another key, which the class does not read."""
    found = "attn_type_list" in c.raw and c.get("layer_types") is None
    return "attn_type_list says what the layers are, but layer_types is missing" if found else None


register(
    decoder(
        "minimax",
        "MiniMax",
        "MiniMax",
        at(
            "self_attn",
            by_kind(
                named_kinds(alternate),
                full_attention=Attention(kinds=window_everywhere),
                linear_attention=lightning_attention,
            ),
        ),
        at("mlp", Moe()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        heads=causal_heads("MiniMax", questions="model."),
        dims=EXPERTS,
        supported=refuse_other_code,
        example="MiniMaxAI/MiniMax-Text-01-hf",
        about="Seven layers of linear attention to one of full, so that the cache grows an eighth as fast.",
    ),
)
