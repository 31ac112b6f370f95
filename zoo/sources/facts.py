"""What the Hub says of a repository, read from one item of its listing; odd values are not said, never a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from zoo.sources.record import HubFacts

#: The fields asked of the Hub: exactly what is read here.
EXPAND = (
    "sha",
    "siblings",
    "downloads",
    "likes",
    "gated",
    "private",
    "disabled",
    "tags",
    "pipeline_tag",
    "library_name",
    "createdAt",
    "lastModified",
    "safetensors",
)

#: First file found says what kind of repository has no root config.json; ``*`` is any name with that ending.
_KINDS = (
    ("model_index.json", "a diffusers pipeline (model_index.json)"),
    ("adapter_config.json", "an adapter (adapter_config.json)"),
    ("modules.json", "sentence-transformers modules (modules.json)"),
    ("params.json", "Mistral's own format (params.json)"),
    ("*.gguf", "GGUF files"),
    ("*.nemo", "a NeMo checkpoint"),
    ("*.onnx", "ONNX files"),
    ("*.mlmodel", "Core ML files"),
    ("*.tflite", "TensorFlow Lite files"),
)


def read_facts(item: Mapping[str, Any]) -> HubFacts:
    """The facts of ``item``, by the Hub's own names (``createdAt``, ``library_name``) or by those of :class:`HubFacts`.

    A value of another type than it should have is left out: "not said".
    """
    card = _as_mapping(item.get("cardData"))
    tags = _as_texts(item.get("tags"))
    total, by_dtype = _read_safetensors(item)
    return HubFacts(
        hub_id=_as_text(_first(item, "_id", "hub_id")),
        downloads=_as_count(item.get("downloads")),
        likes=_as_count(item.get("likes")),
        license=_read_license(item, tags, card),
        gated=_read_gated(item.get("gated")),
        private=_as_bool(item.get("private")),
        disabled=_as_bool(item.get("disabled")),
        tags=tags,
        base_model=_read_base_models(item, tags, card),
        pipeline_tag=_as_text(item.get("pipeline_tag")),
        library=_as_text(_first(item, "library_name", "library")),
        created_at=parse_time(_first(item, "createdAt", "created_at")),
        last_modified=parse_time(_first(item, "lastModified", "last_modified")),
        reported_params=total,
        reported_by_dtype=by_dtype,
    )


def list_files(item: Mapping[str, Any]) -> frozenset[str] | None:
    """Names of all files of the repository; None when the item does not say, or not of all of them."""
    siblings = item.get("siblings")
    if not isinstance(siblings, list):
        return None
    names: list[Any] = [sibling.get("rfilename") if isinstance(sibling, dict) else None for sibling in siblings]
    return frozenset(names) if all(isinstance(name, str) for name in names) else None


def describe_configless(files: frozenset[str]) -> str:
    """One sentence: why there is no ``config.json`` at the root of a repository that holds ``files``."""
    for pattern, kind in _KINDS:
        ending = pattern.removeprefix("*")
        if pattern in files or (ending != pattern and any(name.endswith(ending) for name in files)):
            return f"no config.json at its root: it holds {kind}"
    return "no config.json at its root" + ("" if files - {".gitattributes", "README.md"} else ": it holds no files")


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time (or a date, taken as midnight) in UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def is_iso_date(value: object) -> bool:
    """Whether ``value`` is a day as ``YYYY-MM-DD``."""
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _first(item: Mapping[str, Any], *names: str) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _read_safetensors(item: Mapping[str, Any]) -> tuple[int | None, dict[str, int]]:
    stored = _as_mapping(item.get("safetensors"))
    counts = _as_mapping(_first(item, "reported_by_dtype") or stored.get("parameters"))
    named = ((_as_text(name), _as_count(value)) for name, value in counts.items())
    by_dtype = {name: count for name, count in named if name is not None and count is not None}
    return _as_count(_first(item, "reported_params") or stored.get("total")), by_dtype


def _read_license(item: Mapping[str, Any], tags: Sequence[str], card: Mapping[str, Any]) -> str | None:
    tagged = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)
    written = _first(item, "license") or card.get("license")
    return _as_text(written[0] if isinstance(written, list) and written else written) or tagged


def _read_base_models(item: Mapping[str, Any], tags: Sequence[str], card: Mapping[str, Any]) -> tuple[str, ...]:
    written = _first(item, "base_model") or card.get("base_model")
    if isinstance(written, str):
        return _as_texts([written])
    # "base_model:a/b" names the base, "base_model:finetune:a/b" the relation to it as well.
    tagged = [tag.rpartition(":")[2] for tag in tags if tag.startswith("base_model:")]
    return tuple(dict.fromkeys(_as_texts(written) or _as_texts(tagged)))


def _read_gated(value: object) -> str | None:
    return value if isinstance(value, str) and value in {"auto", "manual"} else None


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _as_text(value: object) -> str | None:
    """Text that every database can store, or None."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def _as_texts(value: object) -> tuple[str, ...]:
    found = (_as_text(one) for one in value) if isinstance(value, list | tuple) else ()
    return tuple(text for text in found if text)


def _as_count(value: object) -> int | None:
    """A whole number that fits a 64-bit column; True and 3.5 are none."""
    return value if type(value) is int and 0 <= value < 2**63 else None


def _as_bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
