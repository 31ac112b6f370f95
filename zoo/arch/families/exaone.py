"""EXAONE 4 and Apertus: Llama's projections with the norms elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, layer_types
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def windows_by_pattern(c: Config) -> Sequence[str]:
    """Full attention in each ``sliding_window_pattern``-th layer; in all of them where there is no window."""
    if c.window is None:
        return ["full_attention"] * c.layers
    pattern = c.whole("sliding_window_pattern", least=1)
    return ["sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in range(c.layers)]


def xielu(c: Config, p: Place) -> Iterable[Row]:
    """xIELU (arXiv:2411.13010): two learned slopes a layer, and two constants that are stored beside them."""
    if c["hidden_act"] == "xielu":
        yield p.tensor("alpha_p", (1,), "mlp", "vector")
        yield p.tensor("alpha_n", (1,), "mlp", "vector")
        yield p.tensor("beta", (), "mlp", "vector", role="buffer")
        yield p.tensor("eps", (), "mlp", "vector", role="buffer")


register(
    decoder(
        "exaone4",
        "Exaone4",
        "EXAONE",
        at("self_attn", Attention(kinds=layer_types(windows_by_pattern), extra=QK_NORM)),
        at("mlp", GatedMlp()),
        rms("post_attention_layernorm"),
        rms("post_feedforward_layernorm"),
        heads=causal_heads("Exaone4", questions="transformer."),
        example="LGAI-EXAONE/EXAONE-4.0-32B",
        about="Norms after the blocks and on each head's queries and keys; three layers with a window to one without.",
    ),
    decoder(
        "apertus",
        "Apertus",
        "Apertus",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM)),
        at("mlp", Mlp(("up_proj", "down_proj"), bias=False), at("act_fn", xielu)),
        rms("attention_layernorm"),
        rms("feedforward_layernorm"),
        heads=causal_heads("Apertus", sequence=None),
        example="swiss-ai/Apertus-8B-2509",
        about="A plain MLP whose activation xIELU has two learned slopes, and norms on each head's queries and keys.",
    ),
)
