"""The differences of two models in words: one short sentence for each feature, with what it costs or saves.

Everything is read from the two analyses and their ledgers; a sentence is written only when the feature differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.explain.sheet import ATTENTION_LABELS, PART_LABELS, Document, text_of
from zoo.explain.standing import is_amount
from zoo.metrics.analysis import Analysis
from zoo.metrics.dtypes import BITS
from zoo.metrics.facts import read_dim
from zoo.units import format_bytes, format_context, format_count

#: Features that are told with their numbers, by the describers below.
_COUNTED = frozenset(("heads", "experts", "activation", "tie", "inputs"))
_TIMES = {0.5: "halves", 2.0: "doubles", 0.25: "quarters", 4.0: "quadruples"}
#: Which tensors a feature adds.
_COSTS: Mapping[str, Callable[[Tensor], bool]] = {
    "attention_bias": lambda t: t.part == "attention" and t.is_bias,
    "mlp_bias": lambda t: t.part in ("mlp", "experts", "shared_experts") and t.is_bias,
}
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
    said = [*describe_architecture(one, two)]
    told = frozenset(("mixers", "pattern", "recurrence")) if any(describe_windows(one, two)) else frozenset()
    said += describe_features(a.ledger, b.ledger, _COUNTED | told)
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


def describe_features(a: Ledger, b: Ledger, told: Collection[str] = _COUNTED) -> Iterator[str]:
    """Features of the design but those that are ``told`` elsewhere, with the parameters that biases cost."""
    from zoo.explain.features import compare_designs, extract_features

    for change in compare_designs(extract_features(a), extract_features(b)):
        if change.feature.key not in told:
            yield change.words + say_cost(change.feature.key, a, b)
    yield from describe_towers(a, b)
    yield from describe_widths(a, b)
    yield from describe_latents(a, b)
    yield from describe_stretch(a, b)


def say_cost(key: str, a: Ledger, b: Ledger) -> str:
    """The parameters of biases that come or go; empty for other features."""
    matches = _COSTS.get(key)
    if matches is None:
        return ""
    sizes = [sum(t.stored for t in ledger.parameters if matches(t)) for ledger in (a, b)]
    return "" if sizes[0] and sizes[1] else f": {signed(sizes[1] - sizes[0])} parameters"


def describe_towers(a: Ledger, b: Ledger) -> Iterator[str]:
    """Towers that come, go or change, each with its parameters."""
    for part, noun in (("vision", "vision tower"), ("audio", "audio tower")):
        one, two = (sum(t.stored for t in ledger.parameters if t.part == part) for ledger in (a, b))
        if one == two:
            continue
        if not one or not two:
            yield f"{'adds' if two else 'drops'} the {noun}: {signed(two - one)} parameters"
        else:
            yield f"{noun} {format_count(one)} → {format_count(two)} parameters"


def describe_widths(a: Ledger, b: Ledger) -> Iterator[str]:
    """The width of an expert, where both have some."""
    if all(any(t.part == "experts" for t in ledger.parameters) for ledger in (a, b)):
        one, two = (read_dim(ledger.text, "expert_ffn") for ledger in (a, b))
        if one != two and one and two:
            yield f"width of an expert {one:,} → {two:,}"


def describe_latents(a: Ledger, b: Ledger) -> Iterator[str]:
    """Ranks of latent attention, where both have it."""
    one, two = ([s for s in ledger.states if s.latent] for ledger in (a, b))
    if not (one and two):
        return
    for key, noun in (("kv_lora_rank", "key-value latent"), ("q_lora_rank", "query latent")):
        ranks = [ledger.text.get(key) for ledger in (a, b)]
        if ranks[0] != ranks[1]:
            yield f"{noun} {' → '.join('none' if rank is None else f'{rank:,}' for rank in ranks)}"


def describe_stretch(a: Ledger, b: Ledger) -> Iterator[str]:
    """How rotary positions are stretched beyond the length of pre-training."""
    one, two = name_stretch(a), name_stretch(b)
    if one != two:
        yield f"stretching of rotary positions: {one} → {two}"


def name_stretch(ledger: Ledger) -> str:
    """The recipe and its factor; "none" where frequencies are as they are."""
    from zoo.explain.body import peek

    for key in ("rope_scaling", "rope_parameters"):
        said = peek(ledger.text, key)
        if isinstance(said, Mapping):
            said = said.get("full_attention", said)
        if isinstance(said, Mapping):
            recipe, factor = said.get("rope_type", said.get("type")), said.get("factor")
            if isinstance(recipe, str) and recipe not in ("default", "mrope"):
                times = f" × {factor:g}" if is_amount("factor", factor) else ""
                return f"{text_of(recipe)[:30]}{times}"
    return "none"


def describe_attention(a: Document, b: Document) -> Iterator[str]:
    """Kinds of attention and KV heads, with what a token costs in the cache."""
    one, two = a["attention"], b["attention"]
    cost = say_cache(a, b)
    latent = any(each["kv_lora_rank"] for each in (one, two))  # whose heads have no keys and values of their own
    other_heads = one["kv_heads"] and two["kv_heads"] and one["kv_heads"] != two["kv_heads"] and not latent
    if one["kind"] != two["kind"]:
        names = " → ".join(ATTENTION_LABELS.get(kind, kind) for kind in (one["kind"], two["kind"]))
        yield f"attention: {names}" + ("" if other_heads or not cost else f": {cost}")
    elif cost and not other_heads:
        yield cost
    if other_heads:
        heads = f"{one['kv_heads']} → {two['kv_heads']}"
        yield f"{say_times(one['kv_heads'], two['kv_heads'])} KV heads ({heads})" + (f": {cost}" if cost else "")
    if one["heads"] != two["heads"] and one["heads"] and two["heads"]:
        yield f"query heads {one['heads']} → {two['heads']}"
    if one["head_dim"] != two["head_dim"] and one["head_dim"] and two["head_dim"]:
        yield f"head width {one['head_dim']} → {two['head_dim']}"
    state = [each["kv_cache"]["state_bytes"] for each in (a, b)]
    if state[0] != state[1] and None not in state:
        yield f"constant state of a sequence {format_bytes(state[0])} → {format_bytes(state[1])}"


def say_cache(a: Document, b: Document) -> str:
    """The change of the cache per token, in elements where their sizes differ; empty where there is none."""
    one, two = a["kv_cache"], b["kv_cache"]
    if one["elements_per_token"] == two["elements_per_token"]:
        return ""
    if one["dtype"] is None or two["dtype"] is None or BITS[one["dtype"]] != BITS[two["dtype"]]:
        return f"cache per token {one['elements_per_token']:,} → {two['elements_per_token']:,} elements"
    said = f"cache per token {format_bytes(one['bytes_per_token'])} → {format_bytes(two['bytes_per_token'])}"
    later = [each["bytes_per_token_long"] for each in (one, two)]
    if any(each["bytes_per_token_long"] != each["bytes_per_token"] for each in (one, two)):
        said += f" ({format_bytes(later[0])} → {format_bytes(later[1])} once windows are full)"
    return said


def describe_windows(a: Document, b: Document) -> Iterator[str]:
    """Windows and the kinds of layers."""
    one, two = a["attention"], b["attention"]
    if one["window"] != two["window"]:
        if not one["window"]:
            yield f"adds a window of {two['window']:,} tokens"
        elif not two["window"]:
            yield f"drops the window of {one['window']:,} tokens"
        else:
            yield f"window {one['window']:,} → {two['window']:,} tokens"
    kinds = [", ".join(f"{n} {kind}" for kind, n in each["layers"].items() if n) for each in (one, two)]
    mixed = any(sum(1 for n in each["layers"].values() if n) > 1 for each in (one, two))
    if kinds[0] != kinds[1] and mixed:
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
    """Depth, widths and activation."""
    one, two = a["shape"], b["shape"]
    for key, label in (("layers", "layers"), ("hidden_size", "hidden size"), ("intermediate_size", "FFN size")):
        if one[key] != two[key] and one[key] and two[key]:
            yield f"{label} {one[key]:,} → {two[key]:,}"
    if one["activation"] != two["activation"]:
        yield f"activation: {text_of(one['activation'])} → {text_of(two['activation'])}"


def describe_vocabulary(a: Document, b: Document) -> Iterator[str]:
    """Rows of the embedding table and the head, and what they cost; ties of the head.

    Where the width changes too, the rows are counted as wide as in the first; what is left is the width's.
    """
    one, two = a["shape"]["vocab_size"], b["shape"]["vocab_size"]
    if one and two and one != two:
        wide, wider = (size_row(each) for each in (a, b))
        change = round((two - one) * wide)
        same = a["shape"]["hidden_size"] == b["shape"]["hidden_size"]
        where = "embedding and head" if a["params"]["head"] else "embedding"
        note = "" if same else ", as wide as before"
        if wide and wider:
            yield f"vocabulary {one:,} → {two:,}: {signed(change)} parameters in {where}{note}"
        else:
            yield f"vocabulary {one:,} → {two:,}"
    if a["params"]["tied"] != b["params"]["tied"] and a["params"]["head"] != b["params"]["head"]:
        tied = b["params"]["tied"]
        cost = signed(b["params"]["head"] - a["params"]["head"])
        said = "ties the head to the embedding" if tied else "unties the head from the embedding"
        yield f"{said}: {cost} parameters"


def size_row(document: Document) -> float:
    """Parameters of embedding and head for each token of the vocabulary."""
    params, vocab = document["params"], document["shape"]["vocab_size"]
    return float((params["embedding"] + params["head"]) / vocab)


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
    """Data types and quantisation of the stored weights, with their bytes where these alone make the difference."""
    one, two = a["weights"], b["weights"]
    same = a["params"]["total"] == b["params"]["total"] and one["bytes"] != two["bytes"]
    sizes = f": {format_bytes(one['bytes'])} → {format_bytes(two['bytes'])}" if same else ""
    if one["quantization"] != two["quantization"]:
        yield f"quantization: {one['quantization'] or 'none'} → {two['quantization'] or 'none'}{sizes}"
        sizes = ""
    if one["dtype"] != two["dtype"]:
        yield f"weights in {text_of(one['dtype'])} → {text_of(two['dtype'])}{sizes}"


def describe_aside(a: Document, b: Document) -> Iterator[str]:
    """Next-token-prediction layers, which stand beside the model."""
    one, two = a["params"]["mtp"], b["params"]["mtp"]
    if one != two:
        noun = "next-token-prediction (MTP) layers beside the model"
        if one and two:
            yield f"{noun} {format_count(one)} → {format_count(two)}"
        else:
            yield f"{'adds' if two else 'drops'} {noun}: {signed(two - one)}"


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
    share = f", {two['total'] / one['total'] - 1:+.1%}".replace("-", "−") if one["total"] else ""
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
    describe_aside,
    describe_total,
)
