"""The differences of two models in words: one short sentence for each feature, with what it costs or saves.

Everything is read from the two analyses and their ledgers; a sentence is written only when the feature differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.explain.sheet import ATTENTION_LABELS, PART_LABELS, Document, text_of
from zoo.metrics.analysis import Analysis
from zoo.metrics.dtypes import BITS
from zoo.units import format_bytes, format_context, format_count

_QK_NORM = re.compile(r"\.(q|k|query|key)_?(layer)?norm\b")
_TIMES = {0.5: "halves", 2.0: "doubles", 0.25: "quarters", 4.0: "quadruples"}
#: A change of a part's share that is worth a sentence.
_NOTABLE = 0.005


def describe_changes(a: Analysis, b: Analysis) -> list[str]:
    """What ``b`` does differently from ``a``."""
    if a.ledger is None or b.ledger is None:
        return [
            f"{name} cannot be counted: {text_of(analysis.reason)}"
            for name, analysis in (("the first", a), ("the second", b))
            if analysis.ledger is None
        ]
    one, two = a.as_dict(), b.as_dict()
    said = [*describe_architecture(one, two), *describe_features(a.ledger, b.ledger)]
    for describe in _DESCRIBERS:
        said += describe(one, two)
    return said


def say_times(a: float, b: float) -> str:
    """Halves, doubles, or has so many times the …, for a change from ``a`` to ``b`` (neither is 0)."""
    return _TIMES.get(b / a, f"has {b / a:.3g} × the")


def signed(value: int) -> str:
    return f"{'+' if value >= 0 else '−'}{format_count(abs(value))}"


def describe_architecture(a: Document, b: Document) -> Iterator[str]:
    if a["model_type"] != b["model_type"]:
        yield f"another architecture: {text_of(a['model_type'])} → {text_of(b['model_type'])}"
    elif a["architecture"] != b["architecture"]:
        yield f"another class: {text_of(a['architecture'])} → {text_of(b['architecture'])}"


def describe_features(a: Ledger, b: Ledger) -> Iterator[str]:
    """Features that show in the names of tensors."""
    for name, test in (("QK-norm", has_qk_norm), ("biases in attention", has_attention_bias)):
        one, two = test(a), test(b)
        if one != two:
            yield f"{'adds' if two else 'drops'} {name}"
    if a.architecture.norm != b.architecture.norm:
        yield f"norm: {a.architecture.norm} → {b.architecture.norm}"


def has_qk_norm(ledger: Ledger) -> bool:
    return any(t.part == "norm" and _QK_NORM.search(t.name) for t in ledger.parameters)


def has_attention_bias(ledger: Ledger) -> bool:
    return any(t.part == "attention" and t.is_bias for t in ledger.parameters)


def describe_attention(a: Document, b: Document) -> Iterator[str]:
    """Kinds of attention and KV heads, with what a token costs in the cache."""
    one, two = a["attention"], b["attention"]
    cost = say_cache(a, b)
    other_heads = one["kv_heads"] and two["kv_heads"] and one["kv_heads"] != two["kv_heads"]
    if one["kind"] != two["kind"]:
        names = " → ".join(ATTENTION_LABELS.get(kind, kind) for kind in (one["kind"], two["kind"]))
        yield f"attention: {names}" + ("" if other_heads or not cost else f": {cost}")
    elif cost and not other_heads:
        yield cost
    if other_heads:
        heads = f"{one['kv_heads']} → {two['kv_heads']}"
        yield f"{say_times(one['kv_heads'], two['kv_heads'])} KV heads ({heads})" + (f": {cost}" if cost else "")
    if one["head_dim"] != two["head_dim"] and one["head_dim"] and two["head_dim"]:
        yield f"head width {one['head_dim']} → {two['head_dim']}"


def say_cache(a: Document, b: Document) -> str:
    """The change of the cache per token, in elements where their sizes differ; empty where there is none."""
    one, two = a["kv_cache"], b["kv_cache"]
    if one["elements_per_token"] == two["elements_per_token"]:
        return ""
    if one["dtype"] is None or two["dtype"] is None or BITS[one["dtype"]] != BITS[two["dtype"]]:
        return f"cache per token {one['elements_per_token']:,} → {two['elements_per_token']:,} elements"
    return f"cache per token {format_bytes(one['bytes_per_token'])} → {format_bytes(two['bytes_per_token'])}"


def describe_windows(a: Document, b: Document) -> Iterator[str]:
    """Windows and the kinds of layers."""
    one, two = a["attention"], b["attention"]
    if one["window"] != two["window"]:
        sizes = ("none" if w is None else f"{w:,} tokens" for w in (one["window"], two["window"]))
        yield f"attention window: {' → '.join(sizes)}"
    kinds = [", ".join(f"{n} {kind}" for kind, n in each["layers"].items() if n) for each in (one, two)]
    mixed = any(sum(1 for n in each["layers"].values() if n) > 1 for each in (one, two))
    if kinds[0] != kinds[1] and (mixed or set(one["layers"]) != set(two["layers"])):
        yield f"layers: {kinds[0]} → {kinds[1]}"


def describe_experts(a: Document, b: Document) -> Iterator[str]:
    """Experts that come, go or change."""
    one, two = a["experts"], b["experts"]
    if one == two:
        return
    if not one["routed"]:
        yield f"adds experts: {say_experts(two)}"
    elif not two["routed"]:
        yield f"drops the experts ({say_experts(one)})"
    else:
        yield f"experts: {say_experts(one)} → {say_experts(two)}"


def say_experts(experts: Mapping[str, Any]) -> str:
    shared = f" + {experts['shared']} shared" if experts["shared"] else ""
    return f"{experts['per_token']} of {experts['routed']}{shared} in {experts['layers']} layers"


def describe_shape(a: Document, b: Document) -> Iterator[str]:
    """Depth, widths, activation and position."""
    one, two = a["shape"], b["shape"]
    for key, label in (("layers", "layers"), ("hidden_size", "hidden size"), ("intermediate_size", "FFN size")):
        if one[key] != two[key] and one[key] and two[key]:
            yield f"{label} {one[key]:,} → {two[key]:,}"
    for key in ("activation", "position"):
        if one[key] != two[key]:
            yield f"{key}: {text_of(one[key])} → {text_of(two[key])}"


def describe_vocabulary(a: Document, b: Document) -> Iterator[str]:
    """Rows of the embedding table, and what they cost; ties of the head."""
    one, two = a["shape"]["vocab_size"], b["shape"]["vocab_size"]
    if one and two and one != two:
        sizes = [each["params"]["embedding"] + each["params"]["head"] for each in (a, b)]
        change = sizes[1] - sizes[0]
        yield f"vocabulary {one:,} → {two:,}: {signed(change)} parameters in embedding and head"
    if a["params"]["tied"] != b["params"]["tied"]:
        yield "ties the head to the embedding" if b["params"]["tied"] else "unties the head from the embedding"


def describe_context(a: Document, b: Document) -> Iterator[str]:
    """The declared context and the rotary base."""
    one, two = a["shape"], b["shape"]
    if one["max_context"] and two["max_context"] and one["max_context"] != two["max_context"]:
        ratio = two["max_context"] / one["max_context"]
        contexts = " → ".join(format_context(each["max_context"]) for each in (one, two))
        yield f"context {contexts} tokens (× {ratio:.3g})"
    if one["rope_theta"] and two["rope_theta"] and one["rope_theta"] != two["rope_theta"]:
        yield f"rotary base θ {one['rope_theta']:,.10g} → {two['rope_theta']:,.10g}"


def describe_storage(a: Document, b: Document) -> Iterator[str]:
    """Data types and quantisation of the stored weights."""
    one, two = a["weights"], b["weights"]
    if one["dtype"] != two["dtype"]:
        yield f"weights in {text_of(one['dtype'])} → {text_of(two['dtype'])}"
    if one["quantization"] != two["quantization"]:
        yield f"quantization: {one['quantization'] or 'none'} → {two['quantization'] or 'none'}"


def describe_total(a: Document, b: Document) -> Iterator[str]:
    """Parameters in all, and which parts make the difference."""
    one, two = a["params"], b["params"]
    if one["total"] == two["total"]:
        return
    changes = {
        part: two["by_part"].get(part, 0) - one["by_part"].get(part, 0)
        for part in dict.fromkeys((*one["by_part"], *two["by_part"]))
    }
    least = _NOTABLE * max(one["total"], two["total"])
    told = sorted((part for part in changes if abs(changes[part]) >= least), key=lambda part: -abs(changes[part]))
    parts = ", ".join(f"{lower_first(PART_LABELS[part])} {signed(changes[part])}" for part in told)
    share = f", {two['total'] / one['total'] - 1:+.1%}" if one["total"] else ""
    yield (
        f"parameters {format_count(one['total'])} → {format_count(two['total'])}"
        f" ({signed(two['total'] - one['total'])}{share})" + (f": {parts}" if parts else "")
    )
    if (one["active"], two["active"]) != (one["total"], two["total"]):
        yield f"active per token {format_count(one['active'])} → {format_count(two['active'])}"


def lower_first(label: str) -> str:
    return label[:1].lower() + label[1:]


_DESCRIBERS: tuple[Callable[[Document, Document], Iterator[str]], ...] = (
    describe_attention,
    describe_windows,
    describe_experts,
    describe_shape,
    describe_vocabulary,
    describe_context,
    describe_storage,
    describe_total,
)
