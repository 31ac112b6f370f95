"""Which models fit on a device: the figures of ``zoo fit --reverse``, over a whole database.

Most models are decided by what the database holds already: the stored size, and the cache as a line that bends where
windows are full. Only where that does not settle it, the ledger is built from the config and the model is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from zoo.devices import Device
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis, analyze
from zoo.metrics.dtypes import BITS, name_dtype
from zoo.metrics.fit import Fit, fit_device
from zoo.metrics.memory import Plan, choose_cache_dtype, make_plan
from zoo.metrics.split import Split
from zoo.metrics.weights import FORMATS, GGUF

#: Formats that are tried for a model whose stored 16 or 32 bits do not fit, widest first.
NARROWER = ("fp8-blocks", "awq-int4")
#: Bits that a format takes for each weight at the least; of others nothing is known but that they have some.
_LEAST_BITS = {"fp8-blocks": 8, "int8-channels": 8, "awq-int4": 4, "gptq-int4": 4, "bnb-nf4": 4, "nvfp4-blocks": 4}
_FEWEST_BITS = 2
_WIDE = ("float32", "bfloat16", "float16", "float64")
#: Contexts whose cache the database holds, by column.
_KNOWN = {8192: "kv_bytes_at_8k", 32768: "kv_bytes_at_32k", 131072: "kv_bytes_at_128k"}
SORTS = ("params", "active", "downloads", "context", "needed")


class Wish(NamedTuple):
    """What is to fit where."""

    device: Device
    split: Split
    context: int
    batch: int
    weights_dtype: str | None = None
    kv_dtype: str | None = None
    stretched: bool = False  #: a context beyond what a model declares is no reason to leave it out

    @property
    def plain(self) -> bool:
        """Whether the figures of the database are for it: one device, the model's own types."""
        return self.split == Split() and self.kv_dtype is None


@dataclass(frozen=True, slots=True)
class Found:
    """A model that fits. ``fit`` is filled in for those that are shown."""

    repo_id: str
    params_total: int
    params_active: int | None
    max_context: int | None
    downloads: int | None
    quantization: str  #: what the weights are in
    as_stored: bool
    needed_bytes: int
    twins: tuple[str, ...]
    fit: Fit | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it; the figures of ``fit`` beside the others."""
        own = {key: value for key, value in asdict(self).items() if key != "fit"}
        return {**own, **(self.fit.as_dict() if self.fit else {})}


@dataclass(slots=True)
class Search:
    """What became of the models that were looked at."""

    found: list[Found] = field(default_factory=list)
    looked_at: int = 0
    no_numbers: int = 0
    shorter: int = 0
    larger: int = 0


Row = Mapping[str, Any]
#: The config of a model, by its repo id.
ReadConfig = Callable[[str], Mapping[str, Any]]


def check_wish(wish: Wish) -> None:
    """Raises UsageError where a format is none that there is: asked of every model, it would fit none."""
    name = (wish.weights_dtype or "").strip().lower()
    if name and name not in FORMATS and name_dtype(name) is None:
        raise UsageError(f"unknown data type {wish.weights_dtype!r:.40}: use one of {', '.join((*BITS, *FORMATS))}")
    choose_cache_dtype(wish.kv_dtype, "bfloat16")


def find_fitting(rows: Iterable[Row], wish: Wish, read_config: ReadConfig) -> Search:
    """Which of ``rows`` (of the view ``models``) fit; one for each architecture and quantisation, see :func:`merge`."""
    search = Search()
    for row, twins in rows_with_twins(rows):
        search.looked_at += 1 + len(twins)
        if row["params_total"] is None or row["method"] not in ("ledger", "estimate"):
            search.no_numbers += 1 + len(twins)
        elif not wish.stretched and row["max_context"] is not None and row["max_context"] < wish.context:
            search.shorter += 1 + len(twins)
        elif (settled := settle(row, wish, read_config)) is None:
            search.larger += 1 + len(twins)
        else:
            name, stored, needed = settled
            search.found.append(
                Found(
                    row["repo_id"],
                    row["params_total"],
                    row["params_active"],
                    row["max_context"],
                    row["downloads"],
                    name,
                    stored,
                    needed,
                    twins,
                )
            )
    return search


def rows_with_twins(rows: Iterable[Row]) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Models of one fingerprint, dtype and quantisation as one: the most downloaded, with the names of the others."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        alike = (row["fingerprint"], row["dtype"], row["quantization"], row["weights_bytes"], row["max_context"])
        groups.setdefault(alike if row["fingerprint"] else (row["repo_id"],), []).append(row)
    for group in groups.values():
        first, *rest = sorted(group, key=rank_row)
        yield first, tuple(row["repo_id"] for row in rest)


def rank_row(row: Row) -> tuple[Any, ...]:
    """Sorts the most downloaded first, then originals, then shorter names."""
    return (-(row["downloads"] or 0), row["base_model"] is not None, len(row["repo_id"]), row["repo_id"])


def settle(row: Row, wish: Wish, read_config: ReadConfig) -> tuple[str, bool, int] | None:
    """What the weights must be in, whether they are stored so, and bytes on a device; None where nothing fits."""
    budget, whole = wish.device.usable_bytes, wish.device.usable_bytes * wish.split.devices
    own, size = row["quantization"] or row["dtype"], row["weights_bytes"]
    held = hold_at(row, wish.context)
    narrower = NARROWER if not row["quantization"] and row["dtype"] in _WIDE else ()
    if wish.weights_dtype is not None:
        names: Sequence[str | None] = [wish.weights_dtype]
    elif size is not None and wish.plain and held is not None:
        if size + wish.batch * held <= budget:
            return str(own), True, size + wish.batch * held
        names = narrower
    else:
        names = (None, *narrower) if size is not None else narrower
    names = [name for name in names if count_least(name, size, row["params_total"]) <= whole]
    if not names:
        return None
    analysis = analyze(read_config(row["repo_id"]))
    for name in names:
        plan = plan_model(analysis, wish, name)
        if plan and (needed := plan.need(wish.context, wish.batch)) <= budget:
            return plan.weights_dtype, name is None, needed
    return None


def count_least(name: str | None, stored: int | None, params: int) -> int:
    """Bytes below which the weights are not in the format ``name``: so what is far too large need not be planned."""
    if name is None:
        return stored or 0
    word = name.strip().lower()
    bits = BITS.get(name_dtype(word) or "", GGUF.get(word, _LEAST_BITS.get(word, _FEWEST_BITS)))
    return int(params * bits // 8)


def plan_model(analysis: Analysis, wish: Wish, weights_dtype: str | None) -> Plan | None:
    """The plan of a model; None where its weights or its cache cannot be so, or its layers not be split so."""
    try:
        return make_plan(analysis, wish.split, weights_dtype=weights_dtype, kv_dtype=wish.kv_dtype)
    except UsageError:
        return None


def hold_at(row: Row, tokens: int) -> int | None:
    """Bytes of one sequence of ``tokens``, from the columns of the view; None where they do not settle it.

    Between two windows only the ledger knows; before the first and after the last the cache is a line.
    """
    if tokens in _KNOWN:
        return _as_int(row[_KNOWN[tokens]])
    rate, long, windows = row["kv_bytes_per_token"], row["kv_bytes_per_token_long"], row["kv_window_bytes"]
    longest = row["kv_bytes_at_128k"]
    if None in (rate, long, windows, longest):
        return None
    constant = longest - long * 131072 - windows  # holds where every window is full at 131,072 tokens
    if constant < 0:
        return None
    for known, column in _KNOWN.items():
        at = row[column]
        if tokens >= known and at == constant + long * known + windows:
            return int(constant + long * tokens + windows)
        if tokens <= known and at == constant + rate * known:
            return int(constant + rate * tokens)
    return None


def sort_found(found: Iterable[Found], by: str) -> list[Found]:
    """The largest first (for ``needed`` and names the smallest).

    Raises UsageError for another key than :data:`SORTS`.
    """
    keys: Mapping[str, Callable[[Found], float]] = {
        "params": lambda one: -one.params_total,
        "active": lambda one: -(one.params_active or 0),
        "downloads": lambda one: -(one.downloads or 0),
        "context": lambda one: -(one.max_context or float("inf")),
        "needed": lambda one: one.needed_bytes,
    }
    if by not in keys:
        raise UsageError(f"{by!r:.40} is nothing to sort by: use one of {', '.join(SORTS)}")
    return sorted(found, key=lambda one: (keys[by](one), -one.params_total, one.repo_id))


def fill_found(one: Found, wish: Wish, read_config: ReadConfig) -> Found:
    """``one`` with all figures of its fit."""
    plan = plan_model(analyze(read_config(one.repo_id)), wish, None if one.as_stored else one.quantization)
    if plan is None:
        return one
    return replace(one, fit=fit_device(plan, wish.device, wish.context, wish.batch))


def _as_int(value: Any) -> int | None:
    return None if value is None else int(value)
