"""``zoo history``: what became of one model."""

from __future__ import annotations

import pytest

from tests.cli.calling import Call, call
from tests.cli.test_changes import Save, clock, commands, make, save_day, zoo
from tests.records import make_config, make_problem, make_record
from zoo.sources.record import HubFacts

__all__ = ["call", "clock", "commands", "save_day", "zoo"]


def test_a_model_is_told_from_its_first_day_on(call: Call, zoo: None) -> None:
    found = call("history", "a/First")
    assert found.code == 0
    assert found.out.splitlines() == [
        "a/First",
        "2026-03-01 12:00:05  new: Llama, 95.0 k parameters, context 8k [aaaaaaaaaaaa]",
        "2026-03-02 12:00:05  context 8k → 32k tokens (× 4) [bbbbbbbbbbbb]",
        "2026-03-03 12:00:05  renamed: a/one → a/First [bbbbbbbbbbbb]",
    ]


def test_a_model_is_found_by_the_name_that_it_had(call: Call, zoo: None) -> None:
    found = call("history", "A/one")
    assert found.out.startswith("a/First\n")
    assert "A/one is called a/First now" in found.err
    assert call("diff", "a/one@aaaa", "a/one@bbbb", "--json").document["a"] == "a/First@aaaaaaaaaaaa"


def test_a_model_that_now_has_the_old_name_of_another_is_meant_itself(call: Call, zoo: None, save_day: Save) -> None:
    save_day(make("a/one", 64))
    assert call("history", "a/one").out.splitlines()[0] == "a/one"


def test_the_json_has_events_and_revisions(call: Call, zoo: None) -> None:
    document = call("history", "first", "--json").document
    assert document["repo_id"] == "a/First"
    assert [event["kind"] for event in document["events"]] == ["new", "config", "renamed"]
    assert [(row["sha"][0], row["source"], row["current"]) for row in document["revisions"]] == [
        ("a", "hub", False),
        ("b", "hub", True),
    ]
    assert document["revisions"][1]["config_sha256"] == document["events"][1]["after"]


def test_what_is_not_there_is_no_match(call: Call, zoo: None) -> None:
    found = call("history", "a/nonesuch")
    assert found.code == 1
    assert "a/nonesuch" in found.err


def test_everything_that_can_become_of_a_model_has_its_words(call: Call, save_day: Save) -> None:
    def facts(**changes: object) -> HubFacts:
        return HubFacts(hub_id="1", **changes)  # type: ignore[arg-type]  # names and types are those of the calls below

    states = (
        facts(license="mit"),
        facts(license="apache-2.0", gated="manual", base_model=("x/y",), reported_params=1000),
        facts(license="apache-2.0", private=True, base_model=("x/y", "x/z"), reported_params=2000),
        facts(license="apache-2.0", disabled=True, base_model=("x/y", "x/z"), pipeline_tag="text-generation"),
    )
    for state in states:
        save_day(make_record("a/b", facts=state))
    for kind in ("gated", "no_config", "failed", "gone"):
        save_day(make_problem(kind, "a/b"))
    save_day(make_record("a/b", facts=HubFacts(hub_id="1"), sha="b" * 40, config=make_config(torch_dtype="float32")))
    lines = call("history", "a/b").out.splitlines()
    told = [line[21:].split(" [")[0] for line in lines[1:]]
    expected = [
        "new: Llama, 95.0 k parameters, context 512",
        "gated (manual)",
        "license: mit → apache-2.0",
        "base model: not said → x/y",
        "stored weights: not said → 1,000 elements",
        "no longer gated",
        "made private",
        "base model: x/y → x/y, x/z",
        "stored weights: 1,000 elements → 2,000 elements",
        "made public",
        "disabled by the Hub",
        "task: not said → text-generation",
        "stored weights: 2,000 elements → not said",
        "its config may only be read by those who were granted access",
        "it has no config.json",
        "gone from the Hub; what was known of it is kept",
        "on the Hub again",
        "weights in bfloat16 → float32: 186 KiB → 371 KiB",
        "no longer disabled by the Hub",
        "license: apache-2.0 → not said",
        "base model: x/y, x/z → not said",
        "task: text-generation → not said",
    ]
    assert told == expected


def test_a_problem_that_ends_and_a_config_that_comes(call: Call, save_day: Save) -> None:
    save_day(make_problem("gated", "a/b"))
    save_day(make_record("a/b"))
    told = [line[21:].split(" [")[0] for line in call("history", "a/b").out.splitlines()[1:]]
    assert told == [
        "new",
        "its config can be read: Llama, 95.0 k parameters, context 512",
        "what stood in the way of its config is gone",
    ]


def test_a_commit_that_changes_nothing_is_told_as_such(call: Call, save_day: Save) -> None:
    save_day(make("a/b", 512))
    save_day(make("a/b", 512, sha="b" * 40))
    assert "2026-03-02 12:00:05  another commit, with the same config [bbbbbbbbbbbb]" in call("history", "a/b").out
    assert call("changes", "--since", "2026-03-02", "--json").document["total"] == 0


@pytest.mark.parametrize("source", ["folder", "snapshot"])
def test_the_hubs_own_config_after_a_copy_of_it_is_no_change(call: Call, save_day: Save, source: str) -> None:
    save_day(make("a/b", 512, source=source, sha=None))
    save_day(make("a/b", 1024))
    assert call("changes", "--since", "2026-03-02", "--json").document["total"] == 0


def test_many_keys_that_change_nothing_are_counted(call: Call, save_day: Save) -> None:
    save_day(make("a/b", 512))
    more = {f"note_{number}": number for number in range(7)}
    save_day(make_record("a/b", config=make_config(**more), sha="b" * 40))
    told = [line[21:] for line in call("history", "a/b").out.splitlines()[2:]]
    assert told == ["note_0: – → 0 [bbbbbbbbbbbb]", *(f"note_{n}: – → {n}" for n in range(1, 5)), "2 more keys"]


def test_a_config_that_cannot_be_counted_is_told_by_its_keys(call: Call, save_day: Save) -> None:
    save_day(make_record("a/b", config={"model_type": "nonesuch", "x": 1}))
    save_day(make_record("a/b", config={"model_type": "nonesuch", "x": 2}, sha="b" * 40))
    lines = call("history", "a/b").out.splitlines()
    assert lines[1].endswith("  new: nonesuch, unsupported [aaaaaaaaaaaa]")
    assert lines[2].endswith("  x: 1 → 2 [bbbbbbbbbbbb]")
