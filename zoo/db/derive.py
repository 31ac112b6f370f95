"""From a config to the rows that are derived from it: the analysis as columns, as parts and as JSON."""

from __future__ import annotations

import hashlib
import json
import marshal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.metrics.glossary import METRICS, Metric

#: Longest text in a derived column; PostgreSQL indexes no text of more than some 2,700 bytes.
MAX_TEXT = 500
#: Top-level keys that change nothing in an analysis, and differ between fine-tunes of one base.
IDLE_KEYS = frozenset(
    (
        *("_name_or_path", "name_or_path", "transformers_version", "transformers.js_config", "unsloth_version"),
        *("unsloth_fixed", "use_cache", "bos_token_id", "eos_token_id", "initializer_range", "attention_dropout"),
        *("hidden_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop"),
        *("output_router_logits", "router_aux_loss_coef", "task_specific_params", "gradient_checkpointing"),
    )
)
_LIMIT = 1 << 63
_CODE = ("arch", "metrics")


@dataclass(frozen=True, slots=True)
class Derived:
    """What is stored of an analysis. Equal ``digest``, equal analysis."""

    digest: str
    text: str
    columns: Mapping[str, Any]
    parts: tuple[tuple[str, int, int], ...]


class _Unstorable(Exception):
    """A number that no database column holds."""


@cache
def analysis_version() -> str:
    """Names the analyzer that is installed: zoo's version and a hash of the code and the glossary behind the numbers.

    Any change to that code makes stored numbers stale; nobody has to remember to say so.
    """
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((package / folder).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".json", ".toml"):
                digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def pack_core(config: Mapping[str, Any]) -> bytes:
    """What of ``config`` an analysis can follow from: equal bytes, equal analysis. :func:`derive_core` takes it.

    Nine of ten configs are those of fine-tunes, which differ from their base in :data:`IDLE_KEYS` alone.
    """
    core = {key: config[key] for key in sorted(config) if key not in IDLE_KEYS}
    try:
        return marshal.dumps(core, 2)  # version 2: equal values give equal bytes, whatever objects hold them
    except ValueError:  # a value of no plain type: only a caller of the library has those
        return marshal.dumps(json.loads(json.dumps(core, default=_make_plain)), 2)


def _make_plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value)


def derive_core(core: bytes) -> Derived:
    """The analysis of a config of which ``core`` is what :func:`pack_core` made."""
    return derive(marshal.loads(core))  # noqa: S302 (zoo's own bytes)


def derive_cached(config: Mapping[str, Any]) -> Derived:
    """As :func:`derive`, and at once where a config with the same core was analysed just before."""
    return _derive_cached(pack_core(config))


_derive_cached = lru_cache(maxsize=1024)(derive_core)


def derive(config: Mapping[str, Any]) -> Derived:
    """Analyse ``config``. Where the analyzer itself fails, the analysis says so: one odd config stops nothing."""
    from zoo.metrics.analysis import analyze, describe_unsupported

    try:
        analysis = analyze(config)
        params = analysis.params
        parts = [(part, size, params.active_by_part[part]) for part, size in params.by_part.items()] if params else []
        return write_rows(analysis.as_dict(), tuple(parts))
    except _Unstorable as error:
        reason = str(error)
    except ImportError:
        raise  # a broken installation is no fault of the config
    except Exception as error:
        reason = f"the analyzer failed: {type(error).__name__}"
    return write_rows(describe_unsupported(config, None, reason).as_dict(), ())


def write_rows(document: Mapping[str, Any], parts: tuple[tuple[str, int, int], ...]) -> Derived:
    """The rows of an analysis whose JSON is ``document``."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Derived(digest_analysis(text, parts), text, list_columns(document), parts)


def list_columns(document: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the table analysis for an analysis whose JSON is ``document``."""
    columns = {key: _fit_value(_walk(document, steps), metric) for key, steps, metric in _COLUMNS}
    return columns | {"reason": _cut(document.get("reason"))}


def digest_analysis(text: str, parts: Iterable[tuple[str, int, int]]) -> str:
    """sha256 of the JSON and of the parts, as what is active in each is not in the JSON."""
    return hashlib.sha256(f"{text}\n{sorted(parts)}".encode()).hexdigest()


def _walk(document: Mapping[str, Any], steps: tuple[str, ...]) -> Any:
    value: Any = document
    for step in steps:
        if not isinstance(value, dict):
            return None
        found = value.get(step)
        # A model that has parts at all has none of those that are not listed.
        value = 0 if found is None and step is steps[-1] and steps[:-1] == _BY_PART else found
    return value


def _fit_value(value: Any, metric: Metric) -> Any:
    """``value`` as the column of ``metric`` holds it."""
    if value is None:
        return None
    if metric.kind == "int" and not -_LIMIT <= value < _LIMIT:
        raise _Unstorable(f"{metric.label} ({metric.path}) does not fit 64 bits")
    if metric.kind == "float":
        return float(value)
    return _cut(value) if metric.kind == "text" else value


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value


_BY_PART = ("params", "by_part")
_COLUMNS = tuple((metric.key, tuple(metric.path.split(".")), metric) for metric in METRICS if metric.path is not None)
