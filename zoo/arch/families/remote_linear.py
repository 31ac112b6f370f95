"""Gated linear attention, DeltaNet, RetNet and their plain transformer, by the flash-linear-attention library."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, read_positive, split_heads
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads, refuse_unproven
from zoo.arch.heads import Embedding, decoder
from zoo.arch.layers import at
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import UPDATES, depthwise_conv
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: fla/layers/gla.py: gate_low_rank_dim=16, for which configs have no key.
GATE_RANK = 16
#: Multiply-adds per element of the state and token: read by the key, write, read by the query.
DELTA_STEPS = 3
#: fla/models/retnet/configuration_retnet.py: hidden_ratio=2; in all others it is 4.
RATIOS = {"retnet": 2}


def expand(key: str) -> Dim:
    """The width of all keys, or of all values: the hidden size times ``key``, shared out among the heads."""

    def read(c: Config) -> int:
        factor = c[key]
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= 64:
            raise UnsupportedError(f"{c.model_type}: {key} is {factor!r:.40}, not a factor above 0")
        width = int(c.hidden * factor)
        if width % c.heads:
            raise UnsupportedError(f"{c.model_type}: {key} gives {width}, not a multiple of {c.heads} heads")
        return width

    return read


def read_ffn(c: Config) -> int:
    """``intermediate_size``; null is two thirds of hidden size x ``hidden_ratio``, up to a multiple of 256."""
    explicit = c.maybe("intermediate_size", least=1)
    if explicit is not None:
        return explicit
    ratio = c.get("hidden_ratio", RATIOS.get(c.model_type, 4))
    width = int(c.hidden * check_whole(4 if ratio is None else ratio, f"{c.model_type}: hidden_ratio", 1) * 2 / 3)
    return 256 * ((width + 255) // 256)


def read_vocab(c: Config) -> int:
    """``vocab_size``; all config classes of the library declare 32,000."""
    return c.whole("vocab_size", least=1) if "vocab_size" in c else 32000


def gated_linear_attention(c: Config, p: Place) -> Iterable[Row]:
    """GLA (arXiv:2312.06635, section 4): a state that forgets by key channel, with a gate of low rank.

    State per sequence: heads x key width x value width.
    """
    key, value, heads = c.key_width, c.value_width, c.heads
    yield from p.linear("q_proj", c.hidden, key, "recurrent")
    yield from p.linear("k_proj", c.hidden, key, "recurrent")
    yield from p.linear("v_proj", c.hidden, value, "recurrent")
    yield from p.linear("g_proj", c.hidden, value, "recurrent")
    yield from p.linear("gk_proj.0", c.hidden, GATE_RANK, "recurrent")
    yield from p.linear("gk_proj.1", GATE_RANK, key, "recurrent", True)
    yield from p.linear("o_proj", value, c.hidden, "recurrent")
    yield from p.vector("g_norm_swish_gate", value // heads, "norm")
    state = key * value // heads
    yield p.state("linear", fixed=state, flops_per_token=2 * UPDATES * state, dtype="float32")


def delta_net(c: Config, p: Place) -> Iterable[Row]:
    """DeltaNet (arXiv:2406.06484, section 2): a state that is corrected by what it predicts, and never decays.

    State per sequence: heads x key width x value width, and the last kernel - 1 inputs of three convolutions.
    """
    key, value, heads, kernel = c.key_width, c.value_width, c.heads, c.whole("conv_size", least=1)
    for name, width in (("q", key), ("k", key), ("v", value)):
        yield from p.linear(f"{name}_proj", c.hidden, width, "recurrent")
        yield from depthwise_conv(p, f"{name}_conv1d", width, kernel, False)
    yield from p.linear("b_proj", c.hidden, heads, "recurrent")
    yield from p.vector("o_norm", value // heads, "norm")
    yield from p.linear("o_proj", value, c.hidden, "recurrent")
    state = key * value // heads
    yield p.state("conv", fixed=(2 * key + value) * (kernel - 1))
    yield p.state("linear", fixed=state, flops_per_token=2 * DELTA_STEPS * state, dtype="float32")


LINEAR: dict[str, Dim] = {
    "heads": read_positive("num_heads"),
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: c.key_width // c.heads,
    "v_head_dim": lambda c: c.value_width // c.heads,
    "key_width": expand("expand_k"),
    "value_width": expand("expand_v"),
    "ffn": read_ffn,
    "vocab": read_vocab,
}


def retention(c: Config, p: Place) -> Iterable[Row]:
    """RetNet (arXiv:2307.08621, section 2.1): a state that decays by a constant for each head, and an output gate.

    State per sequence: heads x key width x value width.
    """
    key, value, heads = c.key_width, c.value_width, c.heads
    for name, width in (("q_proj", key), ("k_proj", key), ("v_proj", value), ("g_proj", value)):
        yield from p.linear(name, c.hidden, width, "recurrent")
    yield from p.linear("o_proj", value, c.hidden, "recurrent")
    yield from p.vector("g_norm_swish_gate", value // heads, "norm")
    state = key * value // heads
    yield p.state("linear", fixed=state, flops_per_token=2 * UPDATES * state, dtype="float32")


def span_of(c: Config) -> list[str]:
    return ["full_attention" if c.window is None else "sliding_attention"] * c.layers


def read_kv_heads(c: Config) -> int:
    return c.maybe("num_kv_heads", least=1) or int(c.heads)


register(
    decoder(
        "gla",
        "GLA",
        "GLA",
        rms("attn_norm"),
        at("attn", gated_linear_attention),
        rms("mlp_norm"),
        at("mlp", GatedMlp()),
        embed=Embedding("embeddings"),
        heads=lm_heads("GLAForCausalLM", base="model.", model="GLAModel", lm=LM_HEAD),
        dims=LINEAR,
        position="none",
        # Older files lack these keys, from before the library had the switches; its defaults are these.
        supported=refuse_unproven(
            {"use_output_gate": True, "use_gk": True, "fuse_norm": True, "elementwise_affine": True},
            ("use_short_conv", "attn", "num_kv_heads", "use_gv"),
        ),
        example="fla-hub/gla-1.3B-100B",
        about="No cache that grows: each head keeps one matrix, and forgets by a gate for each key channel.",
        verified="Total of gla-1.3B-100B: 1,365,514,240; every matrix is in the library's listing of the same sizes.",
    ),
    decoder(
        "delta_net",
        "DeltaNet",
        "DeltaNet",
        rms("attn_norm"),
        at("attn", delta_net),
        rms("mlp_norm"),
        at("mlp", GatedMlp()),
        embed=Embedding("embeddings"),
        heads=lm_heads("DeltaNetForCausalLM", base="model.", model="DeltaNetModel", lm=LM_HEAD),
        dims=LINEAR,
        position="none",
        supported=refuse_unproven(
            {"use_beta": True, "use_output_norm": True, "use_short_conv": True},
            ("use_gate", "attn", "norm_first", "conv_bias"),
        ),
        example="fla-hub/delta_net-1.3B-100B",
        about="No cache that grows: each head keeps one matrix, and writes what it did not predict.",
        verified="Total of delta_net-1.3B-100B: 1,365,677,056.",
    ),
    decoder(
        "retnet",
        "RetNet",
        "RetNet",
        rms("attn_norm"),
        at("attn", retention),
        rms("mlp_norm"),
        at("mlp", GatedMlp()),
        embed=Embedding("embeddings"),
        heads=lm_heads("RetNetForCausalLM", base="model.", model="RetNetModel", lm=LM_HEAD),
        dims=LINEAR,
        supported=refuse_unproven(
            {"use_output_gate": True, "fuse_norm": True, "elementwise_affine": True},
            ("use_short_conv", "attn", "num_kv_heads", "attnres_block_size"),
        ),
        example="fla-hub/retnet-1.3B-100B",
        about="No cache that grows: each head keeps one matrix, which decays by a constant of its own.",
        verified="Hub total of retnet-1.3B-100B: 1,351,727,104.",
    ),
    decoder(
        "transformer",
        "Transformer",
        "Llama",
        rms("attn_norm"),
        at("attn", Attention(kinds=span_of)),
        rms("mlp_norm"),
        at("mlp", GatedMlp()),
        embed=Embedding("embeddings"),
        heads=lm_heads("TransformerForCausalLM", base="model.", model="TransformerModel", lm=LM_HEAD),
        dims={
            "heads": read_positive("num_heads"),
            "kv_heads": read_kv_heads,
            "head_dim": split_heads,
            "ffn": read_ffn,
            "vocab": read_vocab,
            "window": lambda c: c.maybe("window_size", least=1),
        },
        supported=refuse_unproven(
            {"attention_bias": False, "qkv_bias": False, "elementwise_affine": True},
            ("qk_norm", "attnres_block_size"),
        ),
        example="fla-hub/transformer-1.3B-100B",
        about="Llama's layers under the library's names, to compare the others with.",
        verified="Hub total of transformer-1.3B-100B: 1,364,297,728.",
    ),
)
