"""Attention blocks: what they store, and what they remember per token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.layers import Flag, Kinds, group_layers, is_on
from zoo.arch.norms import Norm
from zoo.arch.rows import Block, Kind, Place, Row, State

#: Names of layer kinds as configs spell them, and what they mean for the cache.
SPANS: dict[str, Kind] = {
    "full_attention": "full",
    "attention": "full",
    "global_attention": "full",
    "sliding_attention": "sliding",
    "local_attention": "sliding",
    "chunked_attention": "chunked",
}


@dataclass(frozen=True)
class Attention:
    """Multi-head, grouped-query or multi-query attention: q, k, v and output projections.

    ``kinds`` gives the span of each layer in the words of ``layer_types``; None is full attention everywhere.
    ``cached`` is false in encoders, which see the whole input at once. ``extra`` are blocks inside, such as QK norms.
    Cache per token: KV heads x (key width + value width).
    """

    names: tuple[str, str, str, str] = ("q_proj", "k_proj", "v_proj", "o_proj")
    bias: Flag = False  #: of q, k and v
    k_bias: Flag | None = None  #: of k, where it differs from q and v
    o_bias: Flag | None = None  #: of the output projection, where it differs from q, k and v
    kinds: Kinds | None = None
    window: str = "window"  #: the dimension that holds the window of sliding (or the chunk of chunked) layers
    cached: bool = True
    causal: bool = True
    extra: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        q, k, v, o = self.names
        bias = is_on(c, self.bias)
        q_width, k_width, v_width = c.heads * c.head_dim, c.kv_heads * c.head_dim, c.kv_heads * c.v_head_dim
        k_bias = bias if self.k_bias is None else is_on(c, self.k_bias)
        o_bias = bias if self.o_bias is None else is_on(c, self.o_bias)
        rows: list[Row] = [
            *p.linear(q, c.hidden, q_width, "attention", bias),
            *p.linear(k, c.hidden, k_width, "attention", k_bias),
            *p.linear(v, c.hidden, v_width, "attention", bias),
            *p.linear(o, c.heads * c.v_head_dim, c.hidden, "attention", o_bias),
        ]
        for block in self.extra:
            rows += block(c, p)
        rows += states_of(c, p, self.kinds, self.window, cached=self.cached, causal=self.causal)
        return rows


@dataclass(frozen=True)
class FusedAttention:
    """The same attention with q, k and v in one matrix [q + k + v, hidden]."""

    names: tuple[str, str] = ("qkv_proj", "o_proj")
    bias: Flag = False
    o_bias: Flag | None = None
    conv1d: bool = False  #: weights stored [inputs, outputs], as GPT-2's Conv1D
    kinds: Kinds | None = None
    window: str = "window"
    cached: bool = True
    causal: bool = True
    extra: tuple[Block, ...] = ()

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        bias = is_on(c, self.bias)
        o_bias = bias if self.o_bias is None else is_on(c, self.o_bias)
        width = c.heads * c.head_dim + c.kv_heads * (c.head_dim + c.v_head_dim)
        linear = conv1d if self.conv1d else Place.linear
        yield from linear(p, self.names[0], c.hidden, width, "attention", bias)
        yield from linear(p, self.names[1], c.heads * c.v_head_dim, c.hidden, "attention", o_bias)
        for block in self.extra:
            yield from block(c, p)
        yield from states_of(c, p, self.kinds, self.window, cached=self.cached, causal=self.causal)


def conv1d(p: Place, name: str, inputs: int, outputs: int, part: str, bias: bool = False) -> Iterable[Row]:
    """A dense layer with its weight stored [inputs, outputs], as transformers' Conv1D."""
    yield p.tensor(f"{name}.weight", (inputs, outputs), part)
    if bias:
        yield p.tensor(f"{name}.bias", (outputs,), part, "vector")


def states_of(
    c: Config, p: Place, kinds: Kinds | None, window: str = "window", *, cached: bool = True, causal: bool = True
) -> Iterable[State]:
    """The cache of the layers here: KV heads x (key width + value width) elements a token, windowed where they are.

    A query pays 2 x heads x (key width + value width) FLOPs for each position it attends to: Q K^T and A V.
    """
    per_token = c.kv_heads * (c.head_dim + c.v_head_dim) if cached else 0
    flops = 2 * c.heads * (c.head_dim + c.v_head_dim)
    groups = {"full_attention": None} if kinds is None else group_layers(kinds(c), p.layers)
    for word, layers in groups.items():
        kind = SPANS.get(word)
        if kind is None:
            raise UnsupportedError(f"{c.model_type}: layers of kind {word!r:.40} are not known")
        span = c.dim(window) if kind != "full" else None
        if kind != "full" and span is None:
            raise UnsupportedError(f"{c.model_type}: {word} layers, but the config has no size for their {window}")
        yield p.state(
            kind,
            layers,
            per_token=per_token,
            materialized=per_token,
            window=span,
            flops_per_pos=flops,
            decode_flops_per_pos=flops,
            causal=causal,
            vectors=2 * c.kv_heads if cached else 0,
        )


@dataclass(frozen=True)
class CrossAttention:
    """Attention of a decoder to an encoder's output; its keys and values are kept once per sequence.

    ``source`` is the dimension that fixes the length of the source (Whisper's 1,500 frames); without one the cache
    grows with the source, given as ``per_token`` elements for each token of it.
    """

    names: tuple[str, str, str, str] = ("q_proj", "k_proj", "v_proj", "o_proj")
    bias: Flag = False
    k_bias: Flag | None = None
    source: str | None = None

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        q, k, v, o = self.names
        bias = is_on(c, self.bias)
        k_bias = bias if self.k_bias is None else is_on(c, self.k_bias)
        yield from p.linear(q, c.hidden, c.heads * c.head_dim, "attention", bias)
        source = p._replace(stack="cross")  # keys and values are computed from the source's tokens, once
        yield from source.linear(k, c.hidden, c.kv_heads * c.head_dim, "attention", k_bias)
        yield from source.linear(v, c.hidden, c.kv_heads * c.v_head_dim, "attention", bias)
        yield from p.linear(o, c.heads * c.v_head_dim, c.hidden, "attention", bias)
        per_token = c.kv_heads * (c.head_dim + c.v_head_dim)
        flops = 2 * c.heads * (c.head_dim + c.v_head_dim)
        fixed = per_token * c.dim(self.source) if self.source else 0
        yield p.state(
            "cross",
            per_token=per_token,
            materialized=per_token,
            fixed=fixed,
            window=c.dim(self.source) if self.source else None,
            flops_per_pos=flops,
            decode_flops_per_pos=flops,
            causal=False,
        )


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1).

    Keys and values of all heads come from one latent of ``kv_lora_rank`` and one rotary key of ``qk_rope_head_dim``,
    and these two are all that serving engines cache: their sum per layer and token. Materialised, it is
    heads x (qk_nope + qk_rope + v) elements. ``q_lora_rank`` null means one full query projection.

    Prefill attends with the materialised heads; decode with the up-projections absorbed into query and output, at
    2 x heads x (2 kv_lora_rank + qk_rope) FLOPs a position.
    """

    bias: Flag = "attention_bias"
    extra: tuple[Block, ...] = ()
    value: str | None = None  #: the dimension that is the width of a value, where it is not the key v_head_dim

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        bias = is_on(c, self.bias)
        rank, rope = c.whole("kv_lora_rank", least=1), c.whole("qk_rope_head_dim")
        nope = c.whole("qk_nope_head_dim")
        v_dim = c.dim(self.value) if self.value else c.whole("v_head_dim", least=1)
        q_rank = c.maybe("q_lora_rank")
        q_width = c.heads * (nope + rope)
        if q_rank is None:
            yield from p.linear("q_proj", c.hidden, q_width, "attention")
        else:
            yield from p.linear("q_a_proj", c.hidden, q_rank, "attention", bias)
            yield from Norm("q_a_layernorm", size=lambda c: q_rank)(c, p)
            yield from p.linear("q_b_proj", q_rank, q_width, "attention")
        yield from p.linear("kv_a_proj_with_mqa", c.hidden, rank + rope, "attention", bias)
        yield from Norm("kv_a_layernorm", size=lambda c: rank)(c, p)
        yield from p.linear("kv_b_proj", rank, c.heads * (nope + v_dim), "attention")
        yield from p.linear("o_proj", c.heads * v_dim, c.hidden, "attention", bias)
        for block in self.extra:
            yield from block(c, p)
        yield p.state(
            "full",
            per_token=rank + rope,
            materialized=c.heads * (nope + rope + v_dim),
            flops_per_pos=2 * c.heads * (nope + rope + v_dim),
            decode_flops_per_pos=2 * c.heads * (2 * rank + rope),
            latent=True,
            vectors=1,
            rotary=rope,
        )
