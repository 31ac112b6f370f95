"""The models of a report: rows of the database, analysed at the contexts that the report shows.

Nothing here knows the database: a row is anything with the attributes of :class:`SourceRow`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from zoo.report.format import cut_middle

if TYPE_CHECKING:
    from zoo.arch.ledger import Ledger
    from zoo.metrics.analysis import Analysis

#: Longest label of a model in a chart or a table, in characters.
LABEL_LENGTH = 34


class SourceRow(Protocol):
    """A model as the database gives it: see :class:`zoo.db.rows.ModelRow`."""

    @property
    def repo_id(self) -> str: ...
    @property
    def row(self) -> Mapping[str, Any]: ...
    @property
    def analysis(self) -> Mapping[str, Any] | None: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def reported(self) -> Mapping[str, Any]: ...
    @property
    def source(self) -> str: ...
    @property
    def config_source(self) -> str | None: ...
    @property
    def origin(self) -> str | None: ...
    @property
    def problem(self) -> tuple[str, str] | None: ...
    @property
    def gone_at(self) -> str | None: ...
    @property
    def twin_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the main stack: what it does with earlier tokens, and whether its feed-forward has experts."""

    kind: str
    sparse: bool


@dataclass(frozen=True, slots=True)
class ReportModel:
    """One model of a report. ``facts`` is the JSON of ``zoo analyze``; ``reason`` says why there is no number.

    ``analysis`` is there where the report looks into the ledger: among many models it does not.
    """

    repo_id: str
    label: str
    source: SourceRow
    analysis: Analysis | None
    facts: Mapping[str, Any]
    layers: tuple[Layer, ...]
    reason: str | None
    index: int = 0  #: its number in the report, the smallest model first

    @property
    def author(self) -> str:
        return self.repo_id.rpartition("/")[0]

    @property
    def row(self) -> Mapping[str, Any]:
        """Its columns of the view ``models``."""
        return self.source.row

    def get(self, path: str) -> Any:
        """The value at a dotted path of ``facts``; None where there is none. Keys that are numbers are contexts."""
        value: Any = self.facts
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    @property
    def ledger(self) -> Ledger | None:
        return self.analysis.ledger if self.analysis else None

    @property
    def is_sparse(self) -> bool:
        return bool(self.get("experts.routed"))

    @property
    def max_context(self) -> int | None:
        context = self.get("shape.max_context")
        return context if isinstance(context, int) and context > 0 else None


def read_models(rows: Iterable[SourceRow], contexts: Iterable[int], *, stored: bool = False) -> tuple[ReportModel, ...]:
    """Analyse every row at ``contexts`` (tokens), smallest model first; those without numbers stand at the end.

    With ``stored``, a row whose analysis holds all of ``contexts`` is taken as it is.
    """
    found = list(rows)
    labels = label_models([row.repo_id for row in found])
    lengths = tuple(contexts)
    models = [
        take_model(row, labels[row.repo_id]) if stored and has_lengths(row, lengths)
        else read_model(row, labels[row.repo_id], lengths)
        for row in found
    ]  # fmt: skip
    models.sort(key=lambda m: (m.reason is not None, m.get("params.total") or 0, m.repo_id))
    return tuple(replace(model, index=index) for index, model in enumerate(models))


def has_lengths(row: SourceRow, contexts: Iterable[int]) -> bool:
    """Whether the analysis that the database keeps knows the cache at every one of ``contexts``."""
    facts = row.analysis
    if facts is None or facts["method"] == "unsupported":
        return facts is not None
    return all(str(tokens) in facts["kv_cache"]["bytes_at"] for tokens in contexts)


def take_model(row: SourceRow, label: str) -> ReportModel:
    """One row with the facts that the database keeps of it."""
    facts = row.analysis or {}
    reason = facts["reason"] if facts["method"] == "unsupported" else None
    return ReportModel(row.repo_id, label, row, None, facts, (), reason)


def read_model(row: SourceRow, label: str, contexts: Sequence[int]) -> ReportModel:
    """One row with its facts; the layers in order come from the ledger itself."""
    from zoo.metrics.analysis import analyze, describe_unsupported
    from zoo.metrics.facts import layer_kinds

    if row.config:
        analysis = analyze(row.config, repo_id=row.repo_id, contexts=contexts)
    else:
        analysis = describe_unsupported({}, row.repo_id, row.problem[1] if row.problem else "there is no config")
    layers: tuple[Layer, ...] = ()
    if analysis.ledger is not None:
        sparse = {i for t in analysis.ledger.parameters if t.part == "experts" for i in t.layers or ()}
        layers = tuple(Layer(kind, i in sparse) for i, kind in enumerate(layer_kinds(analysis.ledger)))
    reason = analysis.reason if analysis.method == "unsupported" else None
    return ReportModel(row.repo_id, label, row, analysis, analysis.as_dict(), layers, reason)


def label_models(repo_ids: Sequence[str]) -> dict[str, str]:
    """A short name for each id: without its author where that is unique, cut in the middle where it is long.

    Names that are alike after the cut are numbered; the full ids stand among the sources.
    """
    names = Counter(repo_id.rpartition("/")[2] for repo_id in repo_ids)
    labels = {r: r.rpartition("/")[2] if names[r.rpartition("/")[2]] == 1 else r for r in repo_ids}
    again = Counter(cut_middle(label, LABEL_LENGTH) for label in labels.values())
    seen: Counter[str] = Counter()
    for repo_id, label in labels.items():
        short = cut_middle(label, LABEL_LENGTH)
        seen[short] += 1
        number = f" #{seen[short]}"
        labels[repo_id] = short if again[short] == 1 else cut_middle(label, LABEL_LENGTH - len(number)) + number
    return labels


def describe_layers(layers: Sequence[Layer]) -> str:
    """The order of the layers in words: ``5 sliding, 1 full, repeated; experts in 24``."""
    runs: list[tuple[str, int]] = []
    for layer in layers:
        if runs and runs[-1][0] == layer.kind:
            runs[-1] = (layer.kind, runs[-1][1] + 1)
        else:
            runs.append((layer.kind, 1))
    kinds = Counter(layer.kind for layer in layers)
    if len(runs) <= 4:
        order = ", then ".join(f"{count} {kind}" for kind, count in runs)
    elif period := find_period(runs):
        # The first run may begin in the middle: the second round has the whole pattern.
        order = ", ".join(f"{count} {kind}" for kind, count in runs[period : 2 * period]) + ", repeated"
    else:
        order = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) + ", mixed"
    sparse = sum(layer.sparse for layer in layers)
    return f"{order}; experts in {'all' if sparse == len(layers) else sparse}" if sparse else order


def find_period(runs: Sequence[tuple[str, int]]) -> int | None:
    """Length of the shortest pattern of runs that repeats (the first and the last run may be cut off), or None."""
    for period in range(2, len(runs) // 2 + 1):
        pairs = [(runs[i], runs[i + period]) for i in range(len(runs) - period)]
        same_kinds = all(a[0] == b[0] for a, b in pairs)
        whole = all(a == b for a, b in pairs[1:-1])
        first_fits = pairs[0][0][1] <= pairs[0][1][1]
        last_fits = len(pairs) == 1 or pairs[-1][1][1] <= pairs[-1][0][1]
        if same_kinds and whole and first_fits and last_fits:
            return period
    return None
