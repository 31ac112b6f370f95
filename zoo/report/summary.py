"""The answer first: a few sentences, each written from the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from zoo.report.blocks import Sentence
from zoo.report.format import (
    cut_middle,
    format_binary_bytes,
    format_context,
    format_count,
    format_decimal_bytes,
    format_factor,
    format_real,
    format_share,
    format_short,
    join_words,
)
from zoo.report.models import ReportModel

#: The device that the report measures against, in bytes: 80 GB as vendors count them.
DEVICE_BYTES = 80 * 10**9
DEVICE_NAME = "80 GB"
#: Two models are near twins when at most this many of their facts differ.
MOST_DIFFERENCES = 4
#: Among more models than this, no pair is looked for: some are always alike.
MOST_PAIRED = 60
#: Names in a sentence before the rest are counted.
MOST_NAMES = 4

_TWIN_FACTS = (
    ("layers", "shape.layers"),
    ("hidden size", "shape.hidden_size"),
    ("FFN size", "shape.intermediate_size"),
    ("heads", "attention.heads"),
    ("KV heads", "attention.kv_heads"),
    ("head dim", "attention.head_dim"),
    ("vocabulary", "shape.vocab_size"),
    ("context", "shape.max_context"),
    ("window", "attention.window"),
    ("experts", "experts.routed"),
    ("experts per token", "experts.per_token"),
    ("RoPE θ", "shape.rope_theta"),
    ("activation", "shape.activation"),
    ("norm", "shape.norm"),
    ("attention", "attention.kind"),
    ("tied embeddings", "params.tied"),
    ("biases", "params.biases"),
)


def write_summary(models: Sequence[ReportModel], context: int, base: ReportModel | None = None) -> tuple[Sentence, ...]:
    """The five sentences on models with numbers (fewer where there is nothing to say); with none, one that says so."""
    known = [m for m in models if m.reason is None]
    if not known:
        return (Sentence("Numbers", "None of these models can be counted; the reasons stand below."),)
    sentences = [tell_size(known), tell_cache(known, context), tell_sparsity(known), tell_fit(known, context)]
    last = tell_base(known, base, context) if base is not None else tell_twins(known)
    last = last or (tell_families(known) if len(known) > MOST_PAIRED else tell_context(known))
    return tuple(s for s in [*sentences, last] if s is not None)


def tell_families(models: Sequence[ReportModel]) -> Sentence:
    """Of very many models: which families most of them are of."""
    counts = Counter(str(m.get("family") or "other") for m in models)
    largest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_NAMES]
    told = join_words([f"{name} ({count:,})" for name, count in largest])
    return Sentence("Families", f"{len(counts)} families; most models are of {told}.")


def tell_context(models: Sequence[ReportModel]) -> Sentence | None:
    """The longest context that is declared, and what the cache takes there."""
    declared = [m for m in models if m.max_context]
    if not declared:
        return None
    longest = max(declared, key=lambda m: (m.max_context or 0, m.repo_id))
    size = longest.get(f"kv_cache.bytes_at.{longest.max_context}")
    text = f"{longest.label} declares {format_count(longest.max_context)} tokens"
    text += ", the longest context" if len(declared) > 1 else ""
    text += f"; a sequence of that length keeps {format_decimal_bytes(size)}." if size else "."
    return Sentence("Context", text)


def tell_base(models: Sequence[ReportModel], base: ReportModel, context: int) -> Sentence | None:
    """Against the base: who gets by with less cache, and who holds more parameters."""
    others = [m for m in models if m is not base]
    cache = f"kv_cache.bytes_at.{context}"
    own = base.get(cache)
    sized = [m for m in others if m.get(cache)]
    if not own or not sized:
        return None
    best = min(sized, key=lambda m: (m.get(cache), m.repo_id))
    less = sum(m.get(cache) < own for m in sized)
    text = f"{less} of {len(sized)} keep less at {format_context(context)} tokens than {base.label} does"
    if less:
        text += f"; {best.label} keeps least, {format_share(best.get(cache), own)} of it"
    larger = sum(m.get("params.total") > base.get("params.total") for m in others)
    return Sentence("Against the base", f"{text}. {larger} of {len(others)} have more parameters.")


def name_models(models: Sequence[ReportModel]) -> str:
    """Names as in a sentence; beyond a few, the rest are counted."""
    labels = [m.label for m in models]
    if len(labels) > MOST_NAMES + 1:
        return f"{', '.join(labels[:MOST_NAMES])} and {len(labels) - MOST_NAMES} more"
    return join_words(labels)


def tell_size(models: Sequence[ReportModel]) -> Sentence:
    small, large = models[0], models[-1]
    a, b = small.get("params.total"), large.get("params.total")
    if len(models) == 1:
        text = f"{small.label} has {format_count(a)} parameters ({format_short(a)})."
    elif a == b:
        text = f"All have {format_count(a)} parameters."
    else:
        text = f"From {small.label} with {format_short(a)} parameters to {large.label} with {format_short(b)}"
        text += f", {format_factor(b, a)} as many." if a else "."
    return Sentence("Size", text)


def tell_cache(models: Sequence[ReportModel], context: int) -> Sentence | None:
    """Who needs the least cache for each token, and by what factor; caches that do not grow are named apart."""
    sized = [m for m in models if m.get("kv_cache.bytes_per_token") is not None]
    flat = [m for m in sized if m.get("kv_cache.bytes_per_token") == 0]
    growing = sorted(
        (m for m in sized if m.get("kv_cache.bytes_per_token")), key=lambda m: m.get("kv_cache.bytes_per_token")
    )
    parts = []
    if growing:
        parts.append(_tell_growth(growing, context))
    if flat:
        parts.append(f"{name_models(flat)} {_verb(flat, 'keeps', 'keep')} no cache that grows with the context.")
    return Sentence("Cache", " ".join(parts)) if parts else None


def _tell_growth(growing: Sequence[ReportModel], context: int) -> str:
    sizes = [m.get("kv_cache.bytes_per_token") for m in growing]
    best = [m for m, size in zip(growing, sizes, strict=True) if size == sizes[0]]
    rest = growing[len(best) :]
    said = f"{format_count(sizes[0])} bytes ({format_binary_bytes(sizes[0])}) of KV cache per token"
    if len(growing) == 1:
        at = growing[0].get(f"kv_cache.bytes_at.{context}")
        return f"{growing[0].label} keeps {said}, {format_decimal_bytes(at)} at {format_context(context)} tokens."
    if not rest:
        return f"{'Both need' if len(best) == 2 else 'All need'} the same cache: {said}."
    text = f"{name_models(best)} {_verb(best, 'needs', 'need')} the least, {said}"
    text += f"; {rest[0].label} needs {format_factor(sizes[len(best)], sizes[0])} as much"
    most = [m for m, size in zip(growing, sizes, strict=True) if size == sizes[-1]]
    if sizes[-1] != sizes[len(best)]:
        text += f", {name_models(most)} the most, {format_factor(sizes[-1], sizes[0])} as much"
    return text + "."


def tell_sparsity(models: Sequence[ReportModel]) -> Sentence:
    sparse = [m for m in models if m.is_sparse]
    dense = len(models) - len(sparse)
    if not sparse:
        return Sentence("Dense or sparse", "All are dense: every token passes through every parameter.")
    told = [
        f"{m.label} with {format_short(m.get('params.active'))} of {format_short(m.get('params.total'))} active "
        f"({format_share(m.get('params.active'), m.get('params.total'))})"
        for m in sparse[:MOST_NAMES]
    ]
    if len(sparse) > MOST_NAMES:
        told.append(f"{len(sparse) - MOST_NAMES} more")
    ending = {0: "; none is dense", 1: "; the other one is dense"}.get(dense, f"; the other {dense} are dense")
    return Sentence("Dense or sparse", f"Sparse: {join_words(told)}{ending}.")


def count_need(model: ReportModel, context: int) -> int | None:
    """Bytes of weights as stored, and of the cache and state of one sequence; None where either is not known."""
    weights, cache = model.get("weights.bytes"), model.get(f"kv_cache.bytes_at.{context}")
    return None if weights is None or cache is None else weights + cache


def tell_fit(models: Sequence[ReportModel], context: int) -> Sentence | None:
    """What fits on one device, weights as stored and one sequence of ``context`` tokens."""
    needs = [(m, need) for m in models if (need := count_need(m, context)) is not None]
    if not needs:
        return None
    fits = [m for m, need in needs if need <= DEVICE_BYTES]
    over = sorted(((need, m) for m, need in needs if need > DEVICE_BYTES), key=lambda pair: pair[0])
    where = f"one {DEVICE_NAME} device (80 × 10⁹ bytes)"
    what = f"weights as stored and one sequence of {format_count(context)} tokens"
    if not over:
        text = f"{_all_fit(fits)} on {where} with {what}."
    elif not fits:
        text = f"None fits on {where} with {what}; {over[0][1].label} comes nearest with {_need(over[0][0])}."
    else:
        text = f"On {where}, with {what}, {name_models(fits)} {_verb(fits, 'fits', 'fit')}"
        told = [f"{m.label} ({_need(need)})" for need, m in over[:MOST_NAMES]]
        told += [f"{len(over) - MOST_NAMES} more"] if len(over) > MOST_NAMES else []
        text += f"; {join_words(told)} {_verb(over, 'does', 'do')} not."
    return Sentence("Fit", text)


def _all_fit(fits: Sequence[ReportModel]) -> str:
    return {1: f"{fits[0].label} fits", 2: "Both fit"}.get(len(fits), "All fit")


def tell_twins(models: Sequence[ReportModel]) -> Sentence | None:
    """The pair that is most alike, and all that differs between them; None where no pair is near."""
    if len(models) > MOST_PAIRED:
        return None
    pairs = [(list_differences(a, b), a, b) for a, b in combinations(models, 2) if a.facts["family"] is not None]
    near = [pair for pair in pairs if len(pair[0]) <= MOST_DIFFERENCES and pair[1].layers]
    if not near:
        return None
    differences, a, b = min(near, key=lambda pair: (len(pair[0]), pair[1].repo_id, pair[2].repo_id))
    if not differences:
        return Sentence("Near twins", f"{a.label} and {b.label} have the same architecture and the same sizes.")
    told = join_words([f"{name} ({_value(x)} and {_value(y)})" for name, x, y in differences])
    return Sentence("Near twins", f"{a.label} and {b.label} differ only in {told}.")


def list_differences(a: ReportModel, b: ReportModel) -> list[tuple[str, Any, Any]]:
    """The facts of shape, attention and experts in which two models differ, with both values."""
    both = [("head", _name_head(a), _name_head(b))]
    both += [(name, a.get(path), b.get(path)) for name, path in _TWIN_FACTS]
    found = [(name, x, y) for name, x, y in both if x != y]
    if not found and a.get("fingerprint") != b.get("fingerprint"):
        return [("parameters", a.get("params.total"), b.get("params.total"))]
    return found


def _name_head(model: ReportModel) -> str | None:
    """What the class is for, without the name of the model: ``ForCausalLM``; none for a bare model."""
    _, found, task = str(model.get("architecture")).partition("For")
    return found + task or None


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return format_real(value)
    return "none" if value is None else cut_middle(str(value), 40)


def _need(need: int) -> str:
    return f"{format_decimal_bytes(need)}, {format_binary_bytes(need)}"


def _verb(things: Sequence[object], one: str, many: str) -> str:
    return one if len(things) == 1 else many
