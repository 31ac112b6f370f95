"""Where the facts of a model are from, and what the Hub reports of its weights against what zoo derives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from zoo.explain.sheet import DASH, Document, Section, count, drop_empty, number, text_of

#: What the Hub says of a repository, by column of the view ``models``.
HUB_FACTS = ("author", "license", "gated", "downloads", "likes", "base_model", "pipeline_tag", "library")
SOURCES = {
    "hub": "the Hub",
    "cache": "the local Hugging Face cache",
    "folder": "files on this machine",
    "snapshot": "the snapshot bundled with zoo",
}
VERDICTS = {
    "exact": "exact: derived and reported agree",
    "explained": "explained: every difference is named",
    "mismatch": "mismatch",
    "unchecked": "unchecked",
}


class Seen(Protocol):
    """What this module needs of a model of the database."""

    @property
    def row(self) -> Mapping[str, Any]: ...
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


def describe_reported(document: Document, seen: Seen | None) -> dict[str, Any]:
    """The objects ``reported``, ``check``, ``provenance`` and ``hub`` beside an analysis; null where nothing is known.

    ``difference`` is reported minus derived parameters.
    """
    if seen is None:
        reported: dict[str, Any] = {"total": None, "by_dtype": {}}
        why = "read from a file: the Hub was not asked"
        return {"reported": reported, "check": name_check("unchecked", None, why), "provenance": None, "hub": None}
    total, derived = seen.reported["total"], document["params"]["total"]
    difference = total - derived if total is not None and derived is not None else None
    return {
        "reported": {"total": total, "by_dtype": dict(seen.reported["by_dtype"])},
        "check": name_check(seen.reported["check"], difference, seen.reported["explanation"]),
        "provenance": {
            "source": seen.source,
            "config_source": seen.config_source,
            "origin": seen.origin,
            "commit": seen.row["sha"],
            "last_modified": seen.row["last_modified"],
            "synced_at": seen.row["synced_at"],
            "problem": seen.problem[1] if seen.problem else None,
        },
        "hub": {key: seen.row[key] for key in HUB_FACTS},
    }


def name_check(result: str, difference: int | None, explanation: str | None) -> dict[str, Any]:
    return {"result": result, "difference": difference, "explanation": explanation}


def build_sections(reported: Mapping[str, Any]) -> list[Section]:
    """The same as sections of a sheet."""
    sections = [Section("Derived against reported", describe_check(reported))]
    if provenance := reported["provenance"]:
        sections.append(Section("Provenance", describe_provenance(provenance)))
        sections.append(Section("On the Hub", describe_hub(reported["hub"])))
    return sections


def describe_check(reported: Mapping[str, Any]) -> list[tuple[str, ...]]:
    check, stored = reported["check"], reported["reported"]
    by_dtype = ", ".join(f"{text_of(dtype)} {number(held)}" for dtype, held in stored["by_dtype"].items())
    difference = check["difference"]
    rows = [
        ("Check", VERDICTS.get(check["result"], text_of(check["result"]))),
        ("Reported, stored elements", count(stored["total"])),
        ("By dtype", by_dtype),
        ("Reported − derived", f"{difference:+,}" if difference else ""),
        ("Explanation", text_of(check["explanation"])),
    ]
    return drop_empty(rows)


def describe_provenance(provenance: Mapping[str, Any]) -> list[tuple[str, ...]]:
    config_source = provenance["config_source"]
    rows = [
        ("Facts from", name_source(provenance["source"])),
        ("Config from", name_source(config_source) if config_source != provenance["source"] else ""),
        ("Origin", text_of(provenance["origin"])),
        ("Commit", text_of(provenance["commit"])),
        ("Last modified", text_of(provenance["last_modified"])),
        ("Synced", text_of(provenance["synced_at"])),
        ("Problem", text_of(provenance["problem"])),
    ]
    return drop_empty(rows)


def name_source(source: str | None) -> str:
    return DASH if source is None else SOURCES.get(source, text_of(source))


def describe_hub(hub: Mapping[str, Any]) -> list[tuple[str, ...]]:
    labels = {"pipeline_tag": "Task", "base_model": "Base model"}
    rows = [
        (labels.get(key, key.capitalize()), number(value) if isinstance(value, int) else text_of(value))
        for key, value in hub.items()
    ]
    return drop_empty([row for row in rows if row[0] != "Author"])
