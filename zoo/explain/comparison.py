"""Models side by side: one row for each fact, with the best value of a row and whether the models differ in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from zoo.explain.sheet import DASH, PART_LABELS, Document, text_of

#: Which end of a row is the better one, where that is beyond dispute.
Better = Literal["low", "high"] | None

_BYTE_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes"))
_COUNT_UNITS = ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"), (1, ""))


class Subject(NamedTuple):
    """One column: a name, its analysis, and what the Hub says of it (empty for a file)."""

    name: str
    document: Document
    hub: Mapping[str, Any] = {}  # never changed


class Fact(NamedTuple):
    """One row to be: where the value is in the analysis, and how it is shown."""

    label: str
    path: str
    kind: Literal["number", "text", "bytes", "flops", "tokens", "share", "yes"] = "number"
    better: Better = None


@dataclass(frozen=True, slots=True)
class Row:
    """A fact of all models. ``values`` are raw, ``texts`` as shown; ``best`` are the columns with the best value."""

    path: str
    label: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]
    best: frozenset[int] = frozenset()

    @property
    def differs(self) -> bool:
        return len({repr(value) for value in self.values}) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything to show of several models, by section."""

    names: tuple[str, ...]
    sections: Mapping[str, Sequence[Row]] = field(default_factory=dict)


SECTIONS: Mapping[str, tuple[Fact, ...]] = {
    "Model": (
        Fact("Family", "family", "text"),
        Fact("Model type", "model_type", "text"),
        Fact("License", "hub.license", "text"),
        Fact("Downloads in 30 days", "hub.downloads"),
        Fact("Check against reported", "hub.params_check", "text"),
        Fact("No numbers because", "reason", "text"),
    ),
    "Shape": (
        Fact("Layers", "shape.layers"),
        Fact("Hidden size", "shape.hidden_size"),
        Fact("FFN size", "shape.intermediate_size"),
        Fact("Vocabulary (tokens)", "shape.vocab_size"),
        Fact("Context (tokens)", "shape.max_context", "number", "high"),
        Fact("Activation", "shape.activation", "text"),
        Fact("Norm", "shape.norm", "text"),
        Fact("Position", "shape.position", "text"),
        Fact("RoPE θ", "shape.rope_theta"),
    ),
    "Attention": (
        Fact("Kind", "attention.kind", "text"),
        Fact("Query heads", "attention.heads"),
        Fact("KV heads", "attention.kv_heads"),
        Fact("Head dim", "attention.head_dim"),
        Fact("Value head dim", "attention.v_head_dim"),
        Fact("Queries per KV head", "attention.queries_per_kv"),
        Fact("Window (tokens)", "attention.window"),
        Fact("Layers with full attention", "attention.layers.full"),
        Fact("Layers with a window", "attention.layers.sliding"),
        Fact("Layers with chunks", "attention.layers.chunked"),
        Fact("Recurrent layers", "recurrent"),
    ),
    "Experts": (
        Fact("Experts, routed", "experts.routed"),
        Fact("Experts, per token", "experts.per_token"),
        Fact("Experts, shared", "experts.shared"),
        Fact("Layers with experts", "experts.layers"),
    ),
    "Parameters": (
        Fact("Total", "params.total"),
        Fact("Active per token", "params.active"),
        Fact("Active, non-embedding", "params.active_non_embedding"),
        Fact("Non-embedding", "params.non_embedding"),
        Fact("Biases", "params.biases"),
        Fact("Head tied to embedding", "params.tied", "yes"),
    ),
    "Parameters by part (% of total)": tuple(
        Fact(label, f"params.by_part.{part}", "share") for part, label in PART_LABELS.items()
    ),
    "Memory of the weights": (
        Fact("Stored as", "weights.dtype", "text"),
        Fact("Quantization", "weights.quantization", "text"),
        Fact("As stored", "weights.bytes", "bytes", "low"),
        Fact("In bfloat16", "weights.bytes_at.bfloat16", "bytes", "low"),
        Fact("In int4, without scales", "weights.bytes_at.int4", "bytes", "low"),
    ),
    "KV cache and state, one sequence": (
        Fact("Cache dtype", "kv_cache.dtype", "text"),
        Fact("Per token", "kv_cache.bytes_per_token", "bytes", "low"),
        Fact("Per token, windows full", "kv_cache.bytes_per_token_long", "bytes", "low"),
        Fact("Constant state", "kv_cache.state_bytes", "bytes", "low"),
        Fact("At 8,192 tokens", "kv_cache.bytes_at.8192", "bytes", "low"),
        Fact("At 32,768 tokens", "kv_cache.bytes_at.32768", "bytes", "low"),
        Fact("At 131,072 tokens", "kv_cache.bytes_at.131072", "bytes", "low"),
    ),
    "Compute (multiply-add = 2)": (
        Fact("Per token", "flops.forward_per_token", "flops", "low"),
        Fact("Prefill of 8,192 tokens", "flops.prefill_at.8192", "flops", "low"),
        Fact("Decode at 8,192 tokens", "flops.decode_at.8192", "flops", "low"),
    ),
    "Scaling": (Fact("Optimal tokens, 20 a parameter", "scaling.optimal_tokens", "tokens"),),
}
#: What the fallback shows of each model on a line of its own.
BRIEF = (
    "params.total", "params.active", "weights.bytes", "kv_cache.bytes_per_token", "shape.layers", "shape.hidden_size",
    "attention.kv_heads", "shape.max_context",
)  # fmt: skip
#: Rows that say nothing when no model has any.
_OPTIONAL_ZERO = (
    "experts.", "params.biases", "params.by_part.", "attention.layers.", "recurrent", "kv_cache.state_bytes",
)  # fmt: skip


def compare_models(subjects: Sequence[Subject]) -> Comparison:
    """All rows that say something of at least one of ``subjects``."""
    sections: dict[str, list[Row]] = {}
    for title, facts in SECTIONS.items():
        rows = [build_row(fact, subjects) for fact in facts if is_worth_showing(fact, subjects)]
        if rows:
            sections[title] = rows
    return Comparison(tuple(subject.name for subject in subjects), sections)


def read_fact(subject: Subject, path: str) -> Any:
    """The value at ``path`` of the analysis (``hub.…``: of what the Hub says); None where there is none."""
    if path == "recurrent":
        layers = subject.document["attention"]["layers"] or {}
        return sum(layers.get(kind, 0) for kind in ("linear", "ssm", "conv")) if layers else None
    value: Any = {**subject.document, "hub": subject.hub}
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def is_worth_showing(fact: Fact, subjects: Sequence[Subject]) -> bool:
    values = [read_fact(subject, fact.path) for subject in subjects]
    if fact.path == "attention.v_head_dim":
        return any(value != read_fact(s, "attention.head_dim") for value, s in zip(values, subjects, strict=True))
    if fact.path == "kv_cache.bytes_per_token_long":
        return any(value != read_fact(s, "kv_cache.bytes_per_token") for value, s in zip(values, subjects, strict=True))
    if fact.path.startswith(_OPTIONAL_ZERO):
        return any(values)
    return any(value is not None for value in values)


def build_row(fact: Fact, subjects: Sequence[Subject]) -> Row:
    """The row of one fact, its unit in the label."""
    values = tuple(read_fact(subject, fact.path) for subject in subjects)
    if fact.kind == "share":
        values = tuple(
            None if value is None else value / read_fact(subject, "params.total")
            for value, subject in zip(values, subjects, strict=True)
        )
    unit, write = choose_writer(fact.kind, values)
    texts = tuple(DASH if value is None else write(value) for value in values)
    return Row(fact.path, f"{fact.label}{unit}", values, texts, find_best(values, fact.better))


def choose_writer(kind: str, values: Sequence[Any]) -> tuple[str, Callable[[Any], str]]:
    """The unit that fits all of ``values`` (for the label), and how one is written in it."""
    if kind in ("bytes", "flops", "tokens"):
        least = min((value for value in values if value), default=1)
        steps = _BYTE_UNITS if kind == "bytes" else _COUNT_UNITS
        step, unit = next((step, unit) for step, unit in steps if least >= step or step == 1)
        if kind == "flops":
            unit += "FLOPs"
        elif kind == "tokens":
            unit = f"{unit.replace('G', 'B')} tokens".strip()
        return f" ({unit})", lambda value: write_scaled(value, step)
    if kind == "share":
        return "", lambda value: f"{value:.1%}"
    if kind == "yes":
        return "", lambda value: "yes" if value else "no"
    if kind == "text":
        return "", text_of
    return "", lambda value: f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def write_scaled(value: int, step: int) -> str:
    """``value`` in units of ``step``: whole where it is, else with three digits or more."""
    if value % step == 0:
        return f"{value // step:,}"
    scaled = value / step
    return f"{scaled:,.2f}" if scaled < 100 else f"{scaled:,.1f}"


def find_best(values: Sequence[Any], better: Better) -> frozenset[int]:
    """The columns with the best value; none where all are equal or there is nothing to choose from."""
    known = [value for value in values if value is not None]
    if better is None or len(set(known)) < 2:
        return frozenset()
    best = min(known) if better == "low" else max(known)
    return frozenset(place for place, value in enumerate(values) if value == best)


def write_comparison(comparison: Comparison) -> dict[str, Any]:
    """The JSON of ``zoo compare``."""
    return {
        "models": list(comparison.names),
        "sections": {
            title: [
                {
                    "label": row.label,
                    "values": list(row.values),
                    "texts": list(row.texts),
                    "best": [comparison.names[place] for place in sorted(row.best)],
                    "differs": row.differs,
                }
                for row in rows
            ]
            for title, rows in comparison.sections.items()
        },
    }


def write_markdown(comparison: Comparison) -> str:
    """The comparison as one Markdown table; the best value of a row is bold."""
    from zoo.explain.write import escape_markdown

    lines = [f"| | {' | '.join(map(escape_markdown, comparison.names))} |"]
    lines.append(f"| --- | {' | '.join('---:' for _ in comparison.names)} |")
    for title, rows in comparison.sections.items():
        lines.append(f"| **{escape_markdown(title)}** | {' | '.join('' for _ in comparison.names)} |")
        for row in rows:
            cells = [escape_markdown(text) for text in row.texts]
            marked = [f"**{cell}**" if place in row.best else cell for place, cell in enumerate(cells)]
            lines.append(f"| {escape_markdown(row.label)} | {' | '.join(marked)} |")
    return "\n".join(lines) + "\n"
