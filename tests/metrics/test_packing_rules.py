"""Lists of module names as configs have them: names, prefixes, globs, regular expressions, and hostile ones."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.metrics.packing_rules import NotWorkedOutError, build_rules, read_rules

Q_PROJ = "model.layers.7.self_attn.q_proj"


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (Q_PROJ, Q_PROJ),
        (f"{Q_PROJ}.weight", Q_PROJ),
        ("model.layers.7", Q_PROJ),
        ("self_attn", Q_PROJ),
        ("self_attn.q_proj", Q_PROJ),
        ("gate", "model.layers.3.mlp.shared_expert_gate"),
        ("visual", "model.visual.blocks.0.attn.qkv"),
        ("model.layers.*.self_attn", Q_PROJ),
        ("model.layers.7*", Q_PROJ),
        ("*q_proj", Q_PROJ),
        ("*.self_attn.*", Q_PROJ),
        ("re:.*self_attn.*", Q_PROJ),
        (r"re:.*\.self_attn\.(q|k|v)_proj$", Q_PROJ),
        (r"re:^model\.layers\.\d+\.self_attn", Q_PROJ),
        (r"re:model\.layers\.[0-9]+\..+proj", Q_PROJ),
        (r"re:.*layers\.[5-8]\.", Q_PROJ),
        (r"model\.layers\.\d+\.self_attn", Q_PROJ),
        ("model.language_model.layers.7.self_attn", "language_model.model.layers.7.self_attn.q_proj"),
        ("model.layers.7.self_attn", "model.language_model.layers.7.self_attn.q_proj"),
        ("re:vision_tower.*", "model.vision_tower.layers.0.fc1"),
        ("language_model.lm_head", "lm_head"),
    ],
)
def test_a_rule_that_matches(rule: str, name: str) -> None:
    assert build_rules([rule], loose=True).match(name)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("model.layers.1", "model.layers.11.self_attn.q_proj"),
        ("mlp.gate", "model.layers.1.mlp.gate_proj"),
        (r"re:.*mlp\.(gate|up)_proj.*", "model.layers.1.mlp.experts.0.gate_proj"),
        (r"re:.*q_proj$", "model.layers.1.q_proj.inner"),
        ("model.layers.1.*", "model.layers.11.mlp"),
        ("", Q_PROJ),
    ],
)
def test_a_rule_that_does_not_match(rule: str, name: str) -> None:
    assert not build_rules([rule], loose=True).match(name)


def test_a_strict_list_means_each_module_alone() -> None:
    rules = build_rules(["lm_head", "model.layers.0.mlp"], loose=False)
    assert rules.match("lm_head")
    assert not rules.match("model.layers.0.mlp.up_proj")


LAYERS = range(120)


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("lm_head", [0]),
        ("re:.*mlp.*", [0]),
        (r"re:.*layers\.\d+\.mlp$", [0]),
        ("model.layers.*.mlp", [0]),
        ("model.layers.7.mlp", [0, 7]),
        ("model.layers.77*", [0, 77]),
        ("7.mlp", [0, *(n for n in LAYERS if "7" in str(n))]),
        (r"re:.*layers\.(110|111)\.mlp", [0, 110, 111]),
        (r"re:.*layers\.\d\.mlp", list(LAYERS)),
        (r"re:.*layers\..\.mlp", list(LAYERS)),
        ("re:layers.[0-2].mlp", list(LAYERS)),
        ("model.layers.1?.mlp", list(LAYERS)),
    ],
)
def test_layers_that_no_rule_can_tell_apart_are_asked_once(rule: str, asked: list[int]) -> None:
    groups = list(build_rules([rule], loose=True).numbers.layers.split(LAYERS))
    assert sorted(layer for layer, _ in groups) == asked
    assert sum(times for _, times in groups) == len(LAYERS)


_COMPONENT = st.sampled_from(
    [
        "model",
        "layers",
        "mlp",
        "experts",
        "7",
        "17",
        "1",
        "70",
        "7*",
        "m*",
        "*",
        ".*",
        r"\d+",
        r"\d",
        ".",
        "(1|17)",
        "re:",
        "up",
    ]
)
EXPERTS = range(72)


@settings(max_examples=1000)
@given(st.lists(st.lists(_COMPONENT, min_size=1, max_size=5).map(lambda c: "".join(c) if "re:" in c else ".".join(c))))
def test_asking_the_layers_once_says_what_asking_each_would(rules: list[str]) -> None:
    try:
        read = build_rules(rules, loose=True)
    except NotWorkedOutError:
        return
    once = sum(times for layer, times in read.numbers.layers.split(LAYERS) if read.match(f"model.layers.{layer}.mlp"))
    assert once == sum(read.match(f"model.layers.{layer}.mlp") for layer in LAYERS)


@settings(max_examples=400)
@given(st.lists(st.lists(_COMPONENT, min_size=1, max_size=8).map(lambda c: "".join(c) if "re:" in c else ".".join(c))))
def test_asking_the_experts_once_says_what_asking_each_would(rules: list[str]) -> None:
    try:
        read = build_rules(rules, loose=True)
    except NotWorkedOutError:
        return
    experts = list(read.numbers.experts.split(EXPERTS))
    layers = list(read.numbers.layers.split((1, 7, 8, 17)))
    name = "model.layers.{}.mlp.experts.{}.up".format
    once = sum(m * n for layer, m in layers for expert, n in experts if read.match(name(layer, expert)))
    assert once == sum(read.match(name(layer, expert)) for layer in (1, 7, 8, 17) for expert in EXPERTS)


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("model.layers.7.mlp", [0]),
        ("model.layers.7.mlp.experts.7.up_proj", [0, 7]),
        ("7.up_proj", [0, *(n for n in EXPERTS if "7" in str(n))]),
        ("model.layers.*.mlp.experts.*.w1", [0]),
        ("model.layers.3.mlp.experts.55*", [0, 55]),
        (r"re:.*layers\.\d\.mlp", [0]),
        (r"re:.*layers\.[0-9]\.mlp\.experts\.12\.", [0, 12]),
        (r"re:.*experts\.[0-3]\.", list(EXPERTS)),
    ],
)
def test_experts_that_no_rule_can_tell_apart_are_asked_once(rule: str, asked: list[int]) -> None:
    groups = list(build_rules([rule], loose=True).numbers.experts.split(EXPERTS))
    assert sorted(expert for expert, _ in groups) == asked
    assert sum(times for _, times in groups) == len(EXPERTS)


@pytest.mark.parametrize("rule", ["re:vision.tower", "re:.*self_attn", r"re:.*\.mlp\.up_proj.*", "re:.*mlp.up"])
def test_a_dot_in_a_pattern_is_any_character_and_an_escaped_one_is_a_dot(rule: str) -> None:
    names = ("vision_tower.fc1", "model.self_attn.q", "model.mlp.up_proj", "model.mlp_up_proj", "model.mlpxup")
    plain = re.compile(rule.removeprefix("re:"))
    read = build_rules([rule], loose=True)
    assert [read.match(name) for name in names] == [plain.match(name) is not None for name in names]


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(.*a|b)", "a{3}", "(?!x).*", r"(\w)\1", "x" * 401, "(a)(b)(c)(d)(e)", "a++", "[a", "a**"],
)
def test_a_pattern_that_could_run_away_is_refused(pattern: str) -> None:
    with pytest.raises(NotWorkedOutError, match="not a simple one"):
        build_rules([f"re:{pattern}"], loose=True)


def test_a_glob_of_many_stars_is_refused() -> None:
    with pytest.raises(NotWorkedOutError):
        build_rules(["a*b*c*d*e*f*g*h"], loose=True)


def test_the_worst_pattern_that_is_taken_is_quick() -> None:
    rules = build_rules(["re:" + ".*a" * 100 + "$", "re:" + ".+" * 4 + "x"], loose=True)
    started = time.perf_counter()
    assert not rules.match("a" * 5000 + "b")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("rules", ["lm_head", 3, {"lm_head": 1}, [1], ["x"] * 100_001])
def test_what_is_no_list_of_names_is_refused(rules: object) -> None:
    with pytest.raises(NotWorkedOutError, match="list of modules"):
        read_rules(rules)


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(NotWorkedOutError, match="2000 patterns"):
        read_rules([f"re:.*{n}x" for n in range(2001)])


def test_none_is_an_empty_list() -> None:
    assert not read_rules(None).match("lm_head")


def test_layers_and_experts_of_which_the_same_is_said_are_asked_once() -> None:
    listed = [f"model.layers.{n}.mlp.experts.{e}.up_proj" for n in range(3, 60) for e in range(64)]
    numbers = build_rules([*listed, "model.layers.60.self_attn*", "model.layers.61.self_attn*"], loose=True).numbers
    assert list(numbers.layers.split(range(62))) == [(0, 3), (3, 57), (60, 2)]
    assert list(numbers.experts.split(EXPERTS)) == [(0, 64), (64, 8)]


def test_what_two_lists_say_stays_apart() -> None:
    first, second = (build_rules([f"model.layers.{n}.mlp"], loose=True).numbers for n in (1, 2))
    assert list((first | second).layers.split(range(4))) == [(0, 2), (1, 1), (2, 1)]


def test_no_layers_are_no_questions() -> None:
    assert list(build_rules([], loose=True).numbers.layers.split(())) == []


@pytest.mark.parametrize("count", [2, 60])
def test_many_rules_mean_what_few_of_them_would(count: int) -> None:
    rules = build_rules([f"{n}.mlp.up" for n in range(count)], loose=True)
    names = (
        "model.layers.1.mlp.up",
        "model.layers.91.mlp.up",
        "model.layers.1.mlp.up.inner",
        "model.layers.1.mlp.upper",
    )
    assert [rules.match(name) for name in names] == [True, True, True, False]
