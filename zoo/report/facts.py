"""What each section shows of a model: the facts in their order, each with a line on why it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from zoo.report.format import format_context, format_flops, format_short, format_time
from zoo.report.models import ReportModel
from zoo.report.tables import (
    MOST_EXPLANATION,
    Cell,
    Fact,
    Head,
    count_cell,
    make_fact,
    no_cell,
    read_bytes,
    read_count,
    read_exact_bytes,
    read_text,
    real_cell,
    share_cell,
    text_cell,
)

#: What the parts of a model are called, in the order of the bars.
PART_NAMES: Mapping[str, str] = {
    "embedding": "Embedding",
    "position": "Positions",
    "attention": "Attention",
    "recurrent": "Recurrent",
    "mlp": "MLP",
    "experts": "Experts",
    "shared_experts": "Shared experts",
    "router": "Router",
    "norm": "Norms",
    "head": "Head",
    "vision": "Vision",
    "audio": "Audio",
    "projector": "Projector",
    "other": "Other",
}

#: The usual data types of weights, in the order of the columns.
DTYPES = ("float32", "bfloat16", "int8", "int4")


def short_cell(value: int | None, sub: str = "") -> Cell:
    """A count to three digits."""
    return no_cell() if value is None else Cell(format_short(value), sub, str(value))


def flops_cell(value: int | None) -> Cell:
    return no_cell() if value is None else Cell(format_flops(value), sort=str(value))


def share_fact(path: str, whole: str = "params.total") -> Callable[[ReportModel], Cell]:
    """A count with its share of ``whole`` below."""

    def read(model: ReportModel) -> Cell:
        part = model.get(path)
        return no_cell() if part is None else share_cell(part, model.get(whole))

    return read


def read_column(key: str) -> Callable[[ReportModel], Cell]:
    """A column of the database as text."""
    return lambda model: text_cell(model.row.get(key))


def read_start(key: str, length: int) -> Callable[[ReportModel], Cell]:
    """The first characters of a column that is never broken over two lines: a day, a short commit."""
    return lambda model: replace(text_cell((model.row.get(key) or "")[:length]), numeric=True)


def read_time(key: str) -> Callable[[ReportModel], Cell]:
    """A column that holds a moment as ISO 8601 text: the day, the time below it."""

    def read(model: ReportModel) -> Cell:
        moment = model.row.get(key)
        if not moment:
            return no_cell()
        day, _, time = format_time(datetime.fromisoformat(moment)).partition(" ")
        return Cell(day, time, moment)

    return read


def optional(fact: Fact) -> Fact:
    """A fact that is left out where it is nothing for every model."""
    return replace(fact, optional=True)


KEY_PARAMETERS: tuple[Fact, ...] = (
    make_fact("layers", read_count("shape.layers"),
              "Depth. Every layer brings its own weights, compute and share of the KV cache."),
    make_fact("hidden_size", read_count("shape.hidden_size"),
              "Width of the vector that runs through all layers; most weights grow with its square."),
    make_fact("intermediate_size", read_count("shape.intermediate_size"),
              "Inner width of the feed-forward block, where most parameters of a dense model are."),
    make_fact("heads", read_count("attention.heads"),
              "Query heads: how many patterns of attention one layer follows at once."),
    make_fact("kv_heads", read_count("attention.kv_heads"),
              "Key and value heads. The KV cache grows with them; fewer than heads means shared keys and values."),
    make_fact("head_dim", read_count("attention.head_dim"),
              "Width of one head; with the KV heads it sets what a layer keeps for each token."),
    make_fact("vocab_size", read_count("shape.vocab_size"),
              "Tokens that the model reads and writes; embedding and head have a row for each."),
    make_fact("max_context", read_count("shape.max_context"),
              "Longest sequence declared. It bounds the cache and adds no weights (unless positions are learned)."),
    make_fact("activation", read_text("shape.activation"), "Non-linearity of the feed-forward block."),
    make_fact("norm", read_text("shape.norm"), "Keeps the size of the vectors steady between blocks."),
    Fact(Head("Position", why="How the model knows the order of the tokens."), read_text("shape.position")),
    make_fact("rope_theta", lambda m: real_cell(m.get("shape.rope_theta")),
              "Base of the rotary angles: a larger one is meant for longer contexts."),
    make_fact("tied_embeddings", lambda m: text_cell(m.get("params.tied")),
              "Whether the head shares the embedding table, which saves vocabulary × hidden size parameters."),
)  # fmt: skip

PARAMETERS: tuple[Fact, ...] = (
    make_fact("params_total", read_count("params.total")),
    make_fact("params_active", share_fact("params.active")),
    make_fact("params_active_non_embedding", read_count("params.active_non_embedding")),
    make_fact("params_non_embedding", read_count("params.non_embedding")),
    Fact(
        Head("Weights", "", "", "Parameters that are multiplied: total less biases."),
        read_count("params.weights"),
    ),
    make_fact("params_biases", share_fact("params.biases")),
    optional(
        Fact(Head("MTP", "", "", "Layers that predict further tokens; not in the total."), read_count("params.mtp"))
    ),
    optional(
        Fact(
            Head("Buffers", "elements", "", "Stored, but no parameters; not in the total."),
            read_count("params.buffers"),
        )
    ),
)

ATTENTION: tuple[Fact, ...] = (
    make_fact("attention_kind", read_text("attention.kind")),
    make_fact("heads", read_count("attention.heads")),
    make_fact("kv_heads", read_count("attention.kv_heads")),
    Fact(
        Head("Queries per KV head", "", "", "Query heads that share one key and value head."),
        read_count("attention.queries_per_kv"),
    ),
    make_fact("head_dim", read_count("attention.head_dim")),
    Fact(Head("Value head dim", "", "", "Width of one value head."), read_count("attention.v_head_dim")),
    optional(make_fact("sliding_window", read_count("attention.window"))),
)

CACHE: tuple[Fact, ...] = (
    Fact(
        Head("Cache dtype", "", "", "Data type that the cache is reckoned in: the model's own."),
        read_text("kv_cache.dtype"),
    ),
    Fact(
        Head("Elements per token", "", "", "Numbers that all layers together keep for one token."),
        read_count("kv_cache.elements_per_token"),
    ),
    make_fact("kv_bytes_per_token", read_exact_bytes("kv_cache.bytes_per_token"), unit="bytes"),
    make_fact("kv_bytes_per_token_long", read_exact_bytes("kv_cache.bytes_per_token_long"), unit="bytes"),
    optional(make_fact("kv_window_bytes", read_bytes("kv_cache.window_bytes"))),
    optional(make_fact("state_bytes", read_bytes("kv_cache.state_bytes"))),
    Fact(
        Head("Counted by", "", "", "Whose rules the sizes of the cache follow."),
        read_text("kv_cache.convention"),
    ),
    Fact(
        Head("Written out", "bytes", "", "Per token, with a compressed latent written out as keys and values."),
        read_exact_bytes("kv_cache.materialized_bytes_per_token"),
    ),
)

EXPERTS: tuple[Fact, ...] = (
    make_fact("experts", read_count("experts.routed")),
    make_fact("experts_per_token", read_count("experts.per_token")),
    make_fact("shared_experts", read_count("experts.shared")),
    Fact(Head("Sparse layers", "", "", "Layers whose feed-forward has experts."), read_count("experts.layers")),
    make_fact("params_experts", share_fact("params.by_part.experts")),
    make_fact("params_active", share_fact("params.active")),
)

WEIGHTS: tuple[Fact, ...] = (
    make_fact("dtype", read_text("weights.dtype"), label="Own dtype"),
    optional(make_fact("quantization", read_text("weights.quantization"))),
    make_fact("weights_bytes", read_bytes("weights.bytes"), label="As stored"),
    *(
        Fact(
            Head(dtype, "bytes", "", f"All parameters in {dtype}, scales not included."),
            read_bytes(f"weights.bytes_at.{dtype}"),
        )
        for dtype in DTYPES
    ),
)

SCALING: tuple[Fact, ...] = (
    make_fact("params_total", lambda m: short_cell(m.get("params.total"))),
    Fact(
        Head("Optimal tokens", "tokens", "", "20 tokens for each parameter."),
        lambda m: short_cell(m.get("scaling.optimal_tokens")),
    ),
    Fact(
        Head("Training compute", "FLOPs", "", "6 × active parameters × tokens."),
        lambda m: flops_cell(m.get("scaling.training_flops")),
    ),
    Fact(
        Head("Predicted loss", "nats/token", "", "What the fit of Hoffmann et al. gives at that point."),
        lambda m: real_cell(m.get("scaling.loss")),
    ),
)

PROVENANCE: tuple[Fact, ...] = (
    make_fact("method", read_text("method")),
    Fact(Head("Config from", title="Source of the config, and where that has it from."),
         lambda m: text_cell(m.source.config_source or m.source.source, m.source.origin or "")),
    make_fact("sha", read_start("sha", 12)),
    make_fact("synced_at", read_time("synced_at")),
)  # fmt: skip

CHECKS: tuple[Fact, ...] = (
    make_fact("params_total", read_count("params.total"), label="Derived"),
    make_fact("reported_params", lambda m: count_cell(m.source.reported.get("total")), label="Reported"),
    Fact(Head("Difference", "", "", "Reported less derived."), lambda m: read_difference(m)),
    make_fact("params_check", lambda m: text_cell(m.source.reported.get("check"))),
    Fact(Head("Explanation", "", "", "What the difference is made of."),
         lambda m: text_cell(m.source.reported.get("explanation"), most=MOST_EXPLANATION)),
)  # fmt: skip

HUB: tuple[Fact, ...] = (
    make_fact("license", read_column("license")),
    make_fact("gated", read_column("gated")),
    make_fact("pipeline_tag", read_column("pipeline_tag")),
    make_fact("base_model", read_column("base_model")),
    make_fact("downloads", lambda m: count_cell(m.row.get("downloads"))),
    make_fact("created_at", read_start("created_at", 10)),
)


def read_difference(model: ReportModel) -> Cell:
    """Elements stored according to the Hub less parameters derived."""
    derived, reported = model.get("params.total"), model.source.reported.get("total")
    if derived is None or reported is None:
        return no_cell()
    return Cell(f"{reported - derived:+,}" if reported != derived else "0", sort=str(reported - derived))


def part_facts(models: Sequence[ReportModel]) -> tuple[Fact, ...]:
    """One fact for each part that some model has: parameters, and their share below."""
    return tuple(Fact(Head(PART_NAMES[part]), share_or_none(f"params.by_part.{part}")) for part in list_parts(models))


def list_parts(models: Sequence[ReportModel]) -> tuple[str, ...]:
    """The parts that some of the models have, in the order of the bars."""
    return tuple(part for part in PART_NAMES if any(m.get(f"params.by_part.{part}") for m in models))


def share_or_none(path: str) -> Callable[[ReportModel], Cell]:
    """Like :func:`share_fact`, but a part that a model does not have is a true zero."""
    return lambda model: share_cell(model.get(path) or 0, model.get("params.total"))


def context_facts(contexts: Sequence[int]) -> tuple[Fact, ...]:
    """Cache and state of one sequence at each context."""
    return tuple(
        Fact(Head(f"at {format_context(t)}", "bytes", "", f"Cache and state of one sequence of {t:,} tokens."),
             read_bytes(f"kv_cache.bytes_at.{t}"))
        for t in contexts
    )  # fmt: skip


def compute_facts(context: int) -> tuple[Fact, ...]:
    """FLOPs of one token, of a prompt and of the next token after it."""
    at = format_context(context)
    return (
        make_fact("flops_per_token", lambda m: flops_cell(m.get("flops.forward_per_token"))),
        Fact(Head(f"Prefill of {at}", "FLOPs", "", f"Reading a prompt of {context:,} tokens, attention included."),
             lambda m: flops_cell(m.get(f"flops.prefill_at.{context}"))),
        Fact(Head(f"Decode at {at}", "FLOPs", "", f"One more token after {context:,}, attention included."),
             lambda m: flops_cell(m.get(f"flops.decode_at.{context}"))),
    )  # fmt: skip
