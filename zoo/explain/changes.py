"""What became of models, in words: one short sentence for each thing that changed, as ``zoo changes`` says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.units import format_context, format_count

if TYPE_CHECKING:
    from zoo.db.history import EventRow
    from zoo.metrics.analysis import Analysis

Configs = Mapping[str, Mapping[str, Any]]
#: Keys of a config that are named where nothing else has changed.
_KEYS = 5
#: Facts of the Hub, as they are called in sentences.
_FACTS = {"license": "license", "base_model": "base model", "pipeline_tag": "task", "reported_params": "stored weights"}
_SWITCHES = {
    "private": ("made private", "made public"),
    "disabled": ("disabled by the Hub", "no longer disabled by the Hub"),
}
_PROBLEMS = {
    "gated": "its config may only be read by those who were granted access",
    "private": "its config may not be read",
    "disabled": "its config may not be read",
    "no_config": "it has no config.json",
    "malformed": "its config.json cannot be used",
    "too_large": "its config.json is too large",
}


def say_event(event: EventRow, configs: Configs) -> list[str]:
    """``event`` in words; ``configs`` by their hashes, as far as they are at hand."""
    before, after = event.before, event.after
    if event.kind == "new":
        return [say_new(event, configs.get(after or ""))]
    if event.kind in ("config", "commit"):
        if before == after:
            return ["another commit, with the same config"]
        return say_config(configs.get(before or ""), configs.get(after or ""))
    if event.kind == "problem":
        # Kinds are those of zoo.sources.record; one that this zoo does not know is named as it is.
        return [_PROBLEMS.get(after, after) if after else "what stood in the way of its config is gone"]
    if event.kind in ("renamed", "gone", "returned", "gated", *_SWITCHES):
        return [say_state(event)]
    name = _FACTS.get(event.kind, event.kind)
    values = (format_fact(event.kind, value) for value in (before, after))
    return [f"{name}: {' → '.join(values)}"]


def say_new(event: EventRow, config: Mapping[str, Any] | None) -> str:
    """A model that was seen for the first time, with the ``config`` that it had then, else with what it has now."""
    if config is not None:
        return f"new: {describe_config(config)}"
    facts = [event.family or "", f"{format_count(event.params)} parameters" if event.params is not None else ""]
    said = ", ".join(fact for fact in facts if fact)
    return f"new: {said}" if said else "new"


def describe_config(config: Mapping[str, Any]) -> str:
    """A model in a few words."""
    analysis = analyze_stored(config)
    document = analysis.as_dict()
    context = document["shape"]["max_context"]
    facts = [
        document["family"] or document["model_type"] or "no model_type",
        f"{format_count(analysis.params.total)} parameters" if analysis.params else f"{analysis.method}",
        f"context {format_context(context)}" if context else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def say_state(event: EventRow) -> str:
    """A model that moved, went, came back, or was shut or opened."""
    if event.kind == "renamed":
        return f"renamed: {event.before} → {event.after}"
    if event.kind == "gone":
        return "gone from the Hub; what was known of it is kept"
    if event.kind == "returned":
        return "on the Hub again"
    if event.kind == "gated":
        return f"gated ({event.after})" if event.after else "no longer gated"
    on, off = _SWITCHES[event.kind]
    return on if event.after else off


def say_config(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """What another config changes: in the model, else which of its keys; None for one that is not at hand."""
    from zoo.explain.differences import compare_pair

    if after is None:
        return ["its config is no longer known"]
    if before is None:
        return [f"its config can be read: {describe_config(after)}"]
    was, now = analyze_stored(before), analyze_stored(after)
    difference = compare_pair(was, now, before, after, ("", ""))
    if difference.words and (was.ledger is not None or now.ledger is not None):
        return difference.words
    keys = [f"{change.path}: {' → '.join(change.texts)}" for change in difference.keys]
    if len(keys) > _KEYS:
        keys[_KEYS:] = [f"{len(keys) - _KEYS} more keys"]
    return keys


def analyze_stored(config: Mapping[str, Any]) -> Analysis:
    """The analysis of ``config``; where the analyzer itself fails, it says so: one odd config stops no list."""
    from zoo.metrics.analysis import analyze, describe_unsupported

    try:
        return analyze(config)
    except Exception as error:
        return describe_unsupported(config, None, f"the analyzer failed: {type(error).__name__}")


def format_fact(kind: str, value: str | None) -> str:
    """A fact of the Hub as it stands in a sentence."""
    if value is None:
        return "not said"
    return f"{int(value):,} elements" if kind == "reported_params" else value
