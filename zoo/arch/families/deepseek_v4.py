"""DeepSeek-V4: one shared key and value per token, kept for a window, and for what lies before it compressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError, check_whole
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import ByKind, at, by_kind
from zoo.arch.mlp import Experts, GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, State, Tensor

SPARSE, HEAVY, SLIDING = "compressed_sparse_attention", "heavily_compressed_attention", "sliding_attention"
#: Tokens to one compressed entry, where the config does not say otherwise.
RATES = {SPARSE: 4, HEAVY: 128}
#: The older spelling of the kinds, by their rates.
KINDS = {0: SLIDING, 4: SPARSE, 128: HEAVY}


def read_rate(c: Config, kind: str) -> int:
    """How many tokens one compressed entry of ``kind`` stands for."""
    older = c.maybe({SPARSE: "compress_rate_csa", HEAVY: "compress_rate_hca"}[kind], least=1)
    rates = RATES if c["compress_rates"] is None else c["compress_rates"]
    if not isinstance(rates, Mapping):
        raise UnsupportedError(f"{c.model_type}: compress_rates is not an object")
    value = rates.get(kind) if older is None else older
    return check_whole(value, f"{c.model_type}: compress_rates.{kind}", 1)


def attention_kinds(c: Config) -> Sequence[str]:
    """``layer_types``, else the older list of rates (which may go on past the last layer), else two and two in turn."""
    if c["layer_types"] is not None:
        return c.words("layer_types", c.layers)
    rates = c.get("compress_ratios")
    if rates is None:
        return [SPARSE if layer > 2 and layer % 2 else HEAVY for layer in range(c.layers)]
    if not isinstance(rates, list) or len(rates) < c.layers or any(rate not in (0, 4, 128) for rate in rates):
        raise UnsupportedError(f"{c.model_type}: compress_ratios is not a list of 0, 4 or 128 for each layer")
    return [KINDS[rate] for rate in rates[: c.layers]]


def router_kinds(c: Config) -> Sequence[str]:
    """In the first layers a table says which experts a token of the vocabulary goes to; then the router learns it."""
    if c["mlp_layer_types"] is not None:
        return c.words("mlp_layer_types", c.layers)
    hashed = min(check_whole(c.get("num_hash_layers", 3), f"{c.model_type}: num_hash_layers"), c.layers)
    return ["hash_moe"] * hashed + ["moe"] * (c.layers - hashed)


def share(c: Config, width: int, rate: int) -> int:
    """Elements a token of entries of ``width``, of which there is one for ``rate`` tokens."""
    if width % rate:
        raise UnsupportedError(f"{c.model_type}: entries of {width} for {rate} tokens are no whole elements a token")
    return width // rate


def low_rank_attention(c: Config, p: Place) -> Iterable[Row]:
    """Queries and output by low rank, the output in groups; key and value are one vector for all heads, with sinks."""
    width, rank = c.heads * c.head_dim, c.whole("q_lora_rank", least=1)
    groups, group_rank = c.whole("o_groups", least=1), c.whole("o_lora_rank", least=1)
    if width % groups:
        raise UnsupportedError(f"{c.model_type}: {c.heads} heads of {c.head_dim} do not fall into {groups} groups")
    yield from p.linear("q_a_proj", c.hidden, rank, "attention")
    yield from rms("q_a_norm", lambda c: rank)(c, p)
    yield from p.linear("q_b_proj", rank, width, "attention")
    yield from p.linear("kv_proj", c.hidden, c.head_dim, "attention")
    yield from rms("kv_norm", "head_dim")(c, p)
    yield from p.linear("o_a_proj", width // groups, groups * group_rank, "attention")
    yield from p.linear("o_b_proj", groups * group_rank, c.hidden, "attention")
    yield p.tensor("sinks", (c.heads,), "attention", "vector")


def raw_window(c: Config, p: Place) -> Iterable[Row]:
    """The latest entries as they are, in every layer. A query pays for keys and for values: 4 x heads x head_dim."""
    flops = 4 * c.heads * c.head_dim
    yield p.state(
        "sliding",
        per_token=c.head_dim,
        materialized=c.head_dim,
        window=c.window,
        flops_per_pos=flops,
        decode_flops_per_pos=flops,
    )


def compressor(c: Config, p: Place, width: int, rate: int, series: int) -> Iterable[Row]:
    """What makes one entry of ``rate`` tokens: gated means of ``series`` projections."""
    yield from p.linear("kv_proj", c.hidden, series * width, "attention")
    yield from p.linear("gate_proj", c.hidden, series * width, "attention")
    yield p.tensor("position_bias", (rate, series * width), "attention", "vector")
    yield from rms("kv_norm", lambda c: width)(c, p)


def pending(p: Place, width: int, rate: int, series: int) -> Row:
    """Projections and gates of the tokens that do not yet make up an entry: at most ``rate`` - 1 of them.

    With two series, those of the last entry are kept as well, half of their width.
    """
    kept = 2 * width * rate if series > 1 else 0
    size = 2 * series * width
    return p.state("sliding", per_token=size, materialized=size, window=rate - 1, fixed=kept)


def heavy_pending(c: Config, p: Place) -> Iterable[Row]:
    yield pending(p, c.head_dim, read_rate(c, HEAVY), 1)


def sparse_pending(c: Config, p: Place) -> Iterable[Row]:
    for width in (c.head_dim, c.whole("index_head_dim")):
        yield pending(p, width, read_rate(c, SPARSE), 2)


def heavy_compressor(c: Config, p: Place) -> Iterable[Row]:
    """One entry for 128 tokens; every query sees all of them."""
    rate, width = read_rate(c, HEAVY), c.head_dim
    yield from compressor(c, p, width, rate, 1)
    flops, entries = share(c, 4 * c.heads * width, rate), share(c, width, rate)
    yield p.state("full", per_token=entries, materialized=entries, flops_per_pos=flops, decode_flops_per_pos=flops)


def sparse_compressor(c: Config, p: Place) -> Iterable[Row]:
    """One entry for 4 tokens; an indexer with smaller entries of its own picks ``index_topk`` for a query."""
    rate, width = read_rate(c, SPARSE), c.head_dim
    heads, small = c.whole("index_n_heads", least=1), c.whole("index_head_dim", least=1)
    yield from compressor(c, p, width, rate, 2)
    indexer = p.at("indexer")
    yield from compressor(c, indexer, small, rate, 2)
    yield from indexer.linear("q_b_proj", c.whole("q_lora_rank"), heads * small, "attention")
    yield from indexer.linear("scorer.weights_proj", c.hidden, heads, "attention")
    scan = share(c, 2 * heads * small, rate)
    entries = share(c, width, rate) + share(c, small, rate)
    yield p.state("full", per_token=entries, materialized=entries, flops_per_pos=scan, decode_flops_per_pos=scan)
    picked = share(c, 4 * c.heads * width, rate)
    seen = rate * c.whole("index_topk", least=1)
    yield p.state("full", window=seen, flops_per_pos=picked, decode_flops_per_pos=picked)


def router(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("gate", c.hidden, c.experts, "router")


def learned_choice(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("gate.e_score_correction_bias", (c.experts,), "router", "vector", role="buffer")


def hashed_choice(c: Config, p: Place) -> Iterable[Row]:
    """The experts of each token of the vocabulary, as numbers."""
    yield p.tensor("gate.tid2eid", (c.vocab, c.experts_per_token), "router", "lookup", role="buffer")


def hyper_connection(c: Config, p: Place) -> Iterable[Row]:
    """Weights that mix ``hc_mult`` residual streams before and after a block (arXiv:2409.19606).

    After it, each token multiplies its streams with a square matrix of its own.
    """
    streams = c.whole("hc_mult", least=1)
    mixes = (2 + streams) * streams
    yield p.tensor("fn", (mixes, streams * c.hidden), "other")
    yield p.tensor("base", (mixes,), "other", "vector")
    yield p.tensor("scale", (3,), "other", "vector")
    # Of all layers together, as it is no attention of any.
    yield State("full", flops_per_token=2 * streams**2 * c.hidden * len(p.layers or ()), stack=p.stack)


def hyper_head(c: Config, p: Place) -> Iterable[Row]:
    """From all streams to one, after the last layer."""
    streams = c.whole("hc_mult", least=1)
    yield p.tensor("hc_fn", (streams, streams * c.hidden), "other")
    yield p.tensor("hc_base", (streams,), "other", "vector")
    yield p.tensor("hc_scale", (1,), "other", "vector")


def final(c: Config, p: Place) -> Iterable[Row]:
    yield from rms("norm")(c, p)
    yield from hyper_head(c, p.at("hc_head"))
    yield from predict_further(c)


def predict_further(c: Config) -> Iterable[Row]:
    """What predicts further tokens, as the released weights store it beside the model (``mtp.0.…``).

    Each is a layer with a window and learned routing, behind one projection of each input, with a norm and a mean of
    the streams of its own; it shares the embedding and the output head.
    """
    count = c.maybe("num_nextn_predict_layers") or 0
    if count > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: num_nextn_predict_layers is {count}, out of range")
    if count == 0:
        return
    place = Place("mtp.{}.", range(count), role="mtp")
    mixture = at("mlp", router, learned_choice, Experts(), SHARED)
    norms = tuple(rms(name) for name in ("input_layernorm", "post_attention_layernorm", "enorm", "hnorm", "norm"))
    streams = (at("attn_hc", hyper_connection), at("ffn_hc", hyper_connection), at("hc_head", hyper_head))
    blocks: tuple[Block, ...] = (at("self_attn", low_rank_attention), mixture, *norms, *streams)
    for block in blocks:
        yield from (row._replace(role="mtp") for row in block(c, place) if isinstance(row, Tensor))
    for name in ("e_proj", "h_proj"):
        yield from place.linear(name, c.hidden, c.hidden, "other")


def refuse_other_counts(c: Config) -> str | None:
    """The class has one key and value head and one shared expert, whatever the config says."""
    if c.maybe("num_key_value_heads") != 1:
        return f"num_key_value_heads is {c['num_key_value_heads']}, but the class has 1"
    shared = c.maybe("n_shared_experts")
    return None if shared == 1 else f"n_shared_experts is {shared}, but the class has 1"


COMPRESSORS = at(
    "compressor",
    ByKind(attention_kinds, {SLIDING: (), SPARSE: (sparse_compressor,), HEAVY: (heavy_compressor,)}),
)
PENDING = ByKind(attention_kinds, {SLIDING: (), SPARSE: (sparse_pending,), HEAVY: (heavy_pending,)})
SHARED = at("shared_experts", GatedMlp(bias="mlp_bias", part="shared_experts"))

register(
    decoder(
        "deepseek_v4",
        "DeepseekV4",
        "DeepSeek",
        at("self_attn", low_rank_attention, COMPRESSORS, raw_window, PENDING),
        at("mlp", router, by_kind(router_kinds, moe=learned_choice, hash_moe=hashed_choice), Experts(), SHARED),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        at("attn_hc", hyper_connection),
        at("ffn_hc", hyper_connection),
        final=final,
        heads=causal_heads("DeepseekV4", sequence=None, tokens=None),
        dims={
            "ffn": "moe_intermediate_size",
            "experts": "n_routed_experts",
            "experts_per_token": "num_experts_per_tok",
            "shared_experts": "n_shared_experts",
            "window": lambda c: c.whole("sliding_window", least=1),
        },
        supported=refuse_other_counts,
        example="deepseek-ai/DeepSeek-V4-Flash",
        about="Raw keys for 128 tokens, and for all before them one entry for every 4 or every 128 tokens.",
    ),
)
