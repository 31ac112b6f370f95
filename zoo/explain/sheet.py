"""The fact sheet of one model: labels and formatted values in sections, from the JSON of its analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from zoo.text import clean_text
from zoo.units import format_bytes, format_count

Document = Mapping[str, Any]
DASH = "–"

#: What to call the parts of ``params.by_part``.
PART_LABELS = {
    "embedding": "Embedding",
    "position": "Learned positions",
    "attention": "Attention",
    "mlp": "Feed-forward (MLP)",
    "experts": "Routed experts",
    "shared_experts": "Shared experts",
    "router": "Router",
    "recurrent": "Recurrent",
    "norm": "Norms",
    "head": "Head",
    "vision": "Vision",
    "audio": "Audio",
    "projector": "Projector",
    "other": "Other",
}
ATTENTION_LABELS = {
    "mha": "multi-head (MHA)",
    "gqa": "grouped-query (GQA)",
    "mqa": "multi-query (MQA)",
    "mla": "multi-head latent (MLA)",
    "linear": "linear attention",
    "ssm": "state space, no attention",
    "hybrid": "hybrid of attention and recurrent layers",
    "none": "none",
}


class Section(NamedTuple):
    """Rows of label and text; ``columns`` are headings where rows have more than the two."""

    title: str
    rows: Sequence[tuple[str, ...]]
    columns: Sequence[str] = ()


def build_sheet(document: Document) -> list[Section]:
    """All sections of ``document``; only who it is and why there is no number, where there is none."""
    sections = [Section("Model", name_model(document))]
    if document["params"]["total"] is not None:
        sections += [
            Section("Shape", drop_empty(describe_shape(document))),
            Section("Parameters", drop_empty(describe_params(document))),
            Section("Parameters by part", list_parts(document), ("part", "parameters", "share")),
            Section("Attention and cache, one sequence", drop_empty(describe_cache(document))),
            Section("Weights", describe_weights(document)),
            Section("FLOPs (multiply-add = 2)", describe_flops(document)),
            Section("Scaling (Chinchilla)", describe_scaling(document)),
        ]
    if document["warnings"]:
        sections.append(Section("Warnings", [("", str(warning)) for warning in document["warnings"]]))
    return sections


def drop_empty(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """``rows`` but for those that have nothing to say."""
    return [row for row in rows if row[1] not in (DASH, "")]


def name_model(document: Document) -> list[tuple[str, ...]]:
    """What it is, and how its numbers were obtained."""
    exactness = {"ledger": " (exact)", "estimate": " (approximate)"}.get(document["method"], "")
    rows: list[tuple[str, ...]] = [
        ("Class", text_of(document["architecture"])),
        ("Model type", text_of(document["model_type"])),
        ("Family", text_of(document["family"])),
        ("Method", text_of(document["method"]) + exactness),
        ("Reason", text_of(document["reason"])),
        ("Fingerprint", text_of(document["fingerprint"])),
    ]
    return drop_empty(rows)


def describe_shape(document: Document) -> list[tuple[str, ...]]:
    """Sizes, and the experts where there are any."""
    shape, experts = document["shape"], document["experts"]
    context = shape["max_context"]
    rows: list[tuple[str, ...]] = [
        ("Layers", number(shape["layers"])),
        ("Hidden size", number(shape["hidden_size"])),
        ("FFN size", number(shape["intermediate_size"])),
        ("Vocabulary", number(shape["vocab_size"], "tokens")),
        ("Context", number(context, "tokens")),
        ("Activation", text_of(shape["activation"])),
        ("Norm", text_of(shape["norm"])),
        ("Position", text_of(shape["position"])),
        ("RoPE θ", text_of(shape["rope_theta"], ",.10g")),
    ]
    if experts["routed"]:
        shared = f" + {experts['shared']} shared" if experts["shared"] else ""
        chosen = f"{experts['per_token']} of {experts['routed']} routed{shared}, in {experts['layers']} layers"
        rows.append(("Experts per token", chosen))
    return rows


def describe_params(document: Document) -> list[tuple[str, ...]]:
    """Total against active, embeddings, weights against biases, what is not counted."""
    params = document["params"]
    total = params["total"]
    active = params["active"]
    share = f", {active / total:.1%} of all" if total and active != total else ""
    return [
        ("Total", count(total)),
        ("Active per token", count(active) + share),
        ("Active, non-embedding", count(params["active_non_embedding"])),
        ("Non-embedding", count(params["non_embedding"])),
        ("Head", "tied to the embedding" if params["tied"] else ""),
        ("Weights / biases", f"{params['weights']:,} / {params['biases']:,}"),
        ("Not counted: MTP layers", count(params["mtp"]) if params["mtp"] else ""),
        ("Not counted: buffers", number(params["buffers"]) if params["buffers"] else ""),
    ]


def list_parts(document: Document) -> list[tuple[str, ...]]:
    """Parameters of each part, with its share of the total."""
    params = document["params"]
    total = params["total"] or 1
    return [
        (PART_LABELS.get(part, part), f"{size:,}", f"{size / total:.2%}") for part, size in params["by_part"].items()
    ]


def describe_cache(document: Document) -> list[tuple[str, ...]]:
    """Heads, layer kinds, and what a sequence keeps."""
    attention, cache = document["attention"], document["kv_cache"]
    dtype = cache["dtype"] or "unknown dtype"
    grows_less = cache["bytes_per_token_long"] != cache["bytes_per_token"]
    latent = cache["materialized_bytes_per_token"] != cache["bytes_per_token"]
    rows: list[tuple[str, ...]] = [
        ("Attention", ATTENTION_LABELS.get(attention["kind"], text_of(attention["kind"]))),
        ("Heads", describe_heads(attention)),
        ("Layers by kind", ", ".join(f"{n} {kind}" for kind, n in attention["layers"].items() if n)),
        ("Window", number(attention["window"], "tokens")),
        (f"Per token ({dtype})", size(cache["bytes_per_token"])),
        ("Elements per token", number(cache["elements_per_token"])),
        ("Per token, windows full", size(cache["bytes_per_token_long"]) if grows_less else ""),
        ("Windows hold at most", size(cache["window_bytes"]) if cache["window_bytes"] else ""),
        ("Per token, decompressed", size(cache["materialized_bytes_per_token"]) if latent else ""),
        ("Constant state", size(cache["state_bytes"]) if cache["state_bytes"] else ""),
        ("Cross-attention cache", size(cache["cross_bytes"]) if cache["cross_bytes"] else ""),
    ]
    rows += [(f"At {int(tokens):,} tokens", size(held)) for tokens, held in cache["bytes_at"].items()]
    formats = cache.get("formats") or {}
    scaled = ", ".join(f"{name} {held:,}" for name, held in formats.items() if held)
    rows += [("Bytes, with scales", scaled), ("Counted by", cache.get("convention") or "")]
    return rows


def describe_heads(attention: Mapping[str, Any]) -> str:
    """Heads and their widths in a phrase; empty without attention."""
    if attention["heads"] is None:
        return ""
    width = f"{attention['head_dim']}"
    if attention["v_head_dim"] != attention["head_dim"]:
        width += f" (values {attention['v_head_dim']})"
    return f"{attention['heads']} query, {attention['kv_heads']} key-value, width {width}"


def describe_weights(document: Document) -> list[tuple[str, ...]]:
    """Bytes as stored and in the usual types."""
    weights = document["weights"]
    stored = size(weights["bytes"])
    method = f", quantised: {weights['quantization']}" if weights["quantization"] else ""
    rows: list[tuple[str, ...]] = [(f"As stored ({weights['dtype'] or 'unknown dtype'}{method})", stored)]
    rows += [(f"In {dtype}", size(held)) for dtype, held in weights["bytes_at"].items()]
    return rows


def describe_flops(document: Document) -> list[tuple[str, ...]]:
    """A token's forward pass, and prefill and decode at each length."""
    flops = document["flops"]
    rows: list[tuple[str, ...]] = [("Forward, per token", count(flops["forward_per_token"]))]
    for tokens, work in flops["prefill_at"].items():
        step = flops["decode_at"][tokens]
        after = "" if step is None else f"; the next token {format_count(step)}"
        rows.append((f"Prefill of {int(tokens):,}", f"{format_count(work)}{after}"))
    return rows


def describe_scaling(document: Document) -> list[tuple[str, ...]]:
    """20 tokens a parameter, and what follows from it."""
    scaling = document["scaling"]
    return [
        ("Optimal tokens (20 a parameter)", count(scaling["optimal_tokens"])),
        ("Training FLOPs (6 × active × tokens)", f"{scaling['training_flops']:.3g}".replace("e+", "e")),
        ("Loss predicted there", f"{scaling['loss']:.4f} nats a token"),
    ]


def number(value: int | None, unit: str = "") -> str:
    """All digits, with separators; a dash for None."""
    return DASH if value is None else f"{value:,} {unit}".rstrip()


def count(value: int | None) -> str:
    """All digits and, from ten thousand on, in short: "8,030,261,248 (8.03 B)"."""
    return f"{number(value)} ({format_count(value)})" if value is not None and value >= 10_000 else number(value)


def size(value: int | None) -> str:
    """Bytes with all digits and in binary units."""
    if value is None:
        return "unknown"
    return f"{value:,} bytes ({format_bytes(value)})" if value >= 1024 else f"{value:,} bytes"


def text_of(value: Any, spec: str = "") -> str:
    """``value`` as one line of safe text; a dash for None."""
    if value is None or (isinstance(value, float) and spec):
        return DASH if value is None else format(value, ",.10g")
    return clean_text(str(value)).replace("\n", " ").replace("\t", " ")
