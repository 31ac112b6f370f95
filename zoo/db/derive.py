"""From a config to the rows that are derived from it: the analysis as columns, as parts and as JSON."""

from __future__ import annotations

import hashlib
import json
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
_INT64 = range(-(1 << 63), 1 << 63)
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


def derive_cached(config: Mapping[str, Any]) -> Derived:
    """As :func:`derive`, and at once where a config that differs only in :data:`IDLE_KEYS` was analysed just before.

    Most configs are those of fine-tunes, which differ in nothing else.
    """
    return _derive_text(json.dumps({key: config[key] for key in config if key not in IDLE_KEYS}, sort_keys=True))


@lru_cache(maxsize=4096)
def _derive_text(text: str) -> Derived:
    return derive(json.loads(text))


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
    columns = {metric.key: read_metric(document, metric) for metric in METRICS if metric.path is not None}
    return columns | {"reason": _cut(document.get("reason"))}


def digest_analysis(text: str, parts: Iterable[tuple[str, int, int]]) -> str:
    """sha256 of the JSON and of the parts, as what is active in each is not in the JSON."""
    return hashlib.sha256(f"{text}\n{sorted(parts)}".encode()).hexdigest()


def read_metric(document: Mapping[str, Any], metric: Metric) -> Any:
    """The value of ``metric`` in the JSON of an analysis, as its column holds it."""
    value: Any = document
    for step in (metric.path or "").split("."):
        # A model that has parts at all has none of those that are not listed.
        missing = 0 if value is not None and value is document.get("params", {}).get("by_part") else None
        value = value.get(step, missing) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if metric.kind == "int" and value not in _INT64:
        raise _Unstorable(f"{metric.label} ({metric.path}) does not fit 64 bits")
    if metric.kind == "float":
        return float(value)
    return _cut(value) if metric.kind == "text" else value


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value
