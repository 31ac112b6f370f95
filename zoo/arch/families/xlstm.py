"""xLSTM: matrix memories in place of attention."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.heads import Embedding, LmHead, decoder
from zoo.arch.layers import at
from zoo.arch.norms import layer_norm
from zoo.arch.recurrent import read_state_dtype
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the matrix memory and token: decay, write, read.
STEPS = 3


def read_factor(c: Config, key: str) -> float:
    value = c[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is {value!r:.40}, not a factor")
    return float(value)


def read_width(key: str) -> Dim:
    """The hidden size times a factor, rounded down."""
    return lambda c: int(c.hidden * read_factor(c, key))


def read_ffn(c: Config) -> int:
    """The hidden size times ``ffn_proj_factor``, rounded up to a multiple."""
    step = c.whole("ffn_round_up_to_multiple_of", least=1)
    return int((c.hidden * read_factor(c, "ffn_proj_factor") + step - 1) // step * step)


def read_either(key: str, other: str) -> Dim:
    """``key``, or ``other`` where it is null."""

    def read(c: Config) -> int:
        value = c[key]
        return c.whole(other, least=1) if value is None else check_whole(value, f"{c.model_type}: {key}", 1)

    return read


def matrix_memory(c: Config, p: Place) -> Iterable[Row]:
    """The mLSTM (arXiv:2405.04517, section 2.3).

    State per sequence, for each head: a matrix of key width x value width, a vector of key width, and one number.
    """
    heads, key, value = c.heads, c.key_width, c.value_width
    if key % heads or value % heads:
        raise UnsupportedError(f"{c.model_type}: widths {key} and {value} are no multiples of {heads} heads")
    bias, fused = c.flag("use_bias"), is_fused(c)
    apart = (("q", key), ("k", key), ("v", value), ("ogate_preact", value))
    for name, outputs in (("qkv_opreact", 2 * key + 2 * value),) if fused else apart:
        yield from p.linear(name, c.hidden, outputs, "recurrent", bias)
    gates = (("ifgate_preact", 2 * heads),) if fused else (("igate_preact", heads), ("fgate_preact", heads))
    for name, outputs in gates:
        yield from p.linear(name, c.hidden, outputs, "recurrent", True)
    yield from layer_norm("multihead_norm", "value_width", bias)(c, p)
    yield from p.linear("out_proj", value, c.hidden, "recurrent", bias)
    matrix = key * value // heads
    kept_as = read_state_dtype(c, "inference_state_dtype")
    yield p.state("linear", fixed=matrix + key + heads, flops_per_token=2 * STEPS * matrix, dtype=kept_as)


def is_fused(c: Config) -> bool:
    mode = c["weight_mode"]
    if mode not in ("single", "fused"):
        raise UnsupportedError(f"{c.model_type}: weight_mode {mode!r:.40} is not known")
    return bool(mode == "fused")


def gated_mlp(c: Config, p: Place) -> Iterable[Row]:
    bias = c.flag("use_bias")
    apart = (("proj_up_gate", c.ffn), ("proj_up", c.ffn))
    for name, outputs in (("proj_up_gate_z", 2 * c.ffn),) if is_fused(c) else apart:
        yield from p.linear(name, c.hidden, outputs, "mlp", bias)
    yield from p.linear("proj_down", c.ffn, c.hidden, "mlp", bias)


def refuse_other_embedding(c: Config) -> str | None:
    width = c.maybe("embedding_dim")
    return None if width in (None, c.hidden) else f"embedding_dim {width} differs from hidden_size {c.hidden}"


register(
    decoder(
        "xlstm",
        "xLSTM",
        "xLSTM",
        layer_norm("norm_mlstm", "hidden", "use_bias"),
        at("mlstm_layer", matrix_memory),
        layer_norm("norm_ffn", "hidden", "use_bias"),
        at("ffn", gated_mlp),
        embed=Embedding("embeddings"),
        final=layer_norm("out_norm", bias=False),
        layers="blocks",
        heads={
            "xLSTMModel": Head(),
            "xLSTMForCausalLM": Head("backbone.", (LmHead(tie_of=lambda c: False),)),
        },
        dims={
            "layers": read_either("num_blocks", "num_hidden_layers"),
            "heads": lambda c: c.whole("num_heads", least=1),
            "kv_heads": lambda c: c.heads,
            "key_width": read_width("qk_dim_factor"),
            "value_width": read_width("v_dim_factor"),
            "ffn": read_ffn,
            "context": lambda c: None,
        },
        position="none",
        supported=refuse_other_embedding,
        example="NX-AI/xLSTM-7b",
        about="No attention and no cache that grows: each head keeps a matrix that tokens write to and read from.",
    ),
)
