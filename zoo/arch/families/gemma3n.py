"""Gemma 3n, the language model: a table for each layer, four residual streams, upper layers without keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import SPANS
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.gemma import SANDWICH_NORMS
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, group_layers, layer_types
from zoo.arch.norms import rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row, State


def every_fifth_full(c: Config) -> Sequence[str]:
    """Four layers with a window to one with full attention."""
    return ["sliding_attention" if (layer + 1) % 5 else "full_attention" for layer in range(c.layers)]


KINDS = layer_types(every_fifth_full)


def kept_layers(c: Config) -> int:
    """How many layers, from the first on, have keys and values; the last ``num_kv_shared_layers`` read theirs."""
    return int(c.layers - c.whole("num_kv_shared_layers")) if c.layers > c.whole("num_kv_shared_layers") else 0


def refuse_orphans(c: Config) -> str | None:
    """A layer that shares must find one of its kind below that keeps keys and values."""
    kinds = KINDS(c)
    orphans = set(kinds) - set(kinds[: kept_layers(c)])
    return f"no layer keeps keys and values for those with {min(orphans)}" if orphans else None


def sharing_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention of which the upper layers have queries only, and keep nothing."""
    bias, kept = c.flag("attention_bias"), kept_layers(c)
    width, kv_width = c.heads * c.head_dim, c.kv_heads * c.head_dim
    own = p._replace(layers=range(kept))
    yield from p.linear("q_proj", c.hidden, width, "attention", bias)
    yield from p.linear("o_proj", width, c.hidden, "attention", bias)
    yield from rms("q_norm", "head_dim")(c, p)
    if kept:
        yield from own.linear("k_proj", c.hidden, kv_width, "attention", bias)
        yield from own.linear("v_proj", c.hidden, kv_width, "attention", bias)
        yield from rms("k_norm", "head_dim")(c, own)
    for word, layers in group_layers(KINDS(c), p.layers).items():
        kind = SPANS.get(word)
        if kind is None:
            raise UnsupportedError(f"{c.model_type}: layers of kind {word!r:.40} are not known")
        window, flops = (None if kind == "full" else c.window), 4 * width
        span = State(kind, window=window, flops_per_pos=flops, decode_flops_per_pos=flops)
        for stored, some in ((2 * kv_width, [i for i in layers if i < kept]), (0, [i for i in layers if i >= kept])):
            if some:
                vectors = 2 * c.kv_heads if stored else 0
                yield span._replace(per_token=stored, materialized=stored, vectors=vectors, layers=some, stack=p.stack)


def read_widths(c: Config) -> Sequence[int]:
    """``intermediate_size``: one width, or a list of one for each layer."""
    widths = c["intermediate_size"]
    if not isinstance(widths, list | tuple):
        widths = [widths] * c.layers
    if len(widths) != c.layers:
        raise UnsupportedError(f"{c.model_type}: intermediate_size names {len(widths)} of {c.layers} layers")
    return [check_whole(width, f"{c.model_type}: {c.path}intermediate_size", 1) for width in widths]


def mlp_by_width(c: Config, p: Place) -> Iterable[Row]:
    """A gated MLP, as wide in each layer as the config says."""
    groups: dict[int, list[int]] = {}
    for layer, width in enumerate(read_widths(c)):
        groups.setdefault(width, []).append(layer)
    for width, layers in groups.items():
        place = p._replace(layers=layers)
        yield from place.linear("gate_proj", c.hidden, width, "mlp")
        yield from place.linear("up_proj", c.hidden, width, "mlp")
        yield from place.linear("down_proj", width, c.hidden, "mlp")


def widest(c: Config) -> int:
    """The width of the widest MLP, for the facts of the model."""
    return max(read_widths(c), default=0)


def alternating_updates(c: Config, p: Place) -> Iterable[Row]:
    """AltUp (arXiv:2301.13310): predicts and corrects ``altup_num_inputs`` residual streams.

    The router runs twice, for the prediction and for the correction, and the prediction mixes all streams with all.
    """
    streams = c.whole("altup_num_inputs", least=1)
    below = p.at("altup")
    yield below.tensor("correct_output_scale", (c.hidden,), "other", "vector")
    yield from below.linear("correction_coefs", streams, streams, "other")
    yield from below.linear("prediction_coefs", streams, streams**2, "other")
    yield from below.linear("modality_router", c.hidden, streams, "other")
    yield from rms("router_norm")(c, below)
    yield p.state("full", flops_per_token=2 * c.hidden * streams + 2 * c.hidden * streams**2)


def low_rank_residual(c: Config, p: Place) -> Iterable[Row]:
    """LAuReL (arXiv:2411.07501): a residual of low rank beside attention."""
    rank, below = c.whole("laurel_rank", least=1), p.at("laurel")
    yield from below.linear("linear_left", c.hidden, rank, "other")
    yield from below.linear("linear_right", rank, c.hidden, "other")
    yield from rms("post_laurel_norm")(c, below)


def per_layer_input(c: Config, p: Place) -> Iterable[Row]:
    """What the layer does with its own input for the token."""
    yield from p.linear("per_layer_input_gate", c.hidden, c.per_layer, "other")
    yield from p.linear("per_layer_projection", c.per_layer, c.hidden, "other")
    yield from rms("post_per_layer_input_norm")(c, p)


def per_layer_tables(c: Config, p: Place) -> Iterable[Row]:
    """An input of its own for each layer: from a second table, and from the embedding."""
    width = c.layers * c.per_layer
    yield p.table("embed_tokens_per_layer", c.whole("vocab_size_per_layer_input", least=1), width)
    yield from p.linear("per_layer_model_projection", c.hidden, width, "other")
    yield from rms("per_layer_projection_norm", "per_layer")(c, p)


def stream_projections(c: Config, p: Place) -> Iterable[Row]:
    """From the embedding to the further streams, and from all streams back to one."""
    streams = c.whole("altup_num_inputs", least=1)
    for name in ("altup_projections", "altup_unembed_projections"):
        if streams > 1:
            yield from (
                row._replace(copies=streams - 1) for row in p.linear(f"{name}.{{}}", c.hidden, c.hidden, "other")
            )


register(
    decoder(
        "gemma3n_text",
        "Gemma3n",
        "Gemma",
        at("self_attn", sharing_attention),
        at("mlp", mlp_by_width),
        *SANDWICH_NORMS,
        alternating_updates,
        low_rank_residual,
        per_layer_input,
        before=(per_layer_tables, stream_projections),
        heads={"Gemma3nTextModel": Head(), "Gemma3nForCausalLM": Head("model.", (LmHead(),))},
        dims={
            "per_layer": "hidden_size_per_layer_input",
            "ffn": widest,
            "activation": lambda c: c.get("hidden_activation"),
        },
        supported=refuse_orphans,
        about="Much of it is a table of which a token reads a row for each layer; upper layers read lower ones' cache.",
    )
)
