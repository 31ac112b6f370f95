"""FLOPs against what torch counted while small models ran (``python -m tests.oracle flops --write``).

Torch counts every product that is done: eager attention multiplies all queries with all keys, a causal convolution
runs on over its padding, Llama 4 passes every token through all experts. Beyond that the numbers are equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.arch import build_ledger
from zoo.arch.ledger import Ledger
from zoo.metrics.sums import count_pairs, matmul_elements, sum_flops

RECORDED = Path(__file__).parents[1] / "data" / "flops.json"
RUNS: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
#: Types whose classes do products that others do not, or do them twice: each has a test of its own.
APART = ("diffllama", "gemma3n_text", "xlnet")
POOLED = [run for run in RUNS if run["config"].get("architectures") == ["BertModel"]]
PLAIN = [run for run in RUNS if run["config"]["model_type"] not in APART and run not in POOLED]
by_name = pytest.mark.parametrize("run", PLAIN, ids=[run["config"]["model_type"] for run in PLAIN])


def find_run(model_type: str) -> dict[str, Any]:
    return next(run for run in RUNS if run["config"]["model_type"] == model_type)


def sum_convolutions(ledger: Ledger) -> int:
    """FLOPs of one token in the causal convolutions of recurrent layers."""
    return 2 * matmul_elements(t for t in ledger.parameters if t.op == "conv")


def find_kernel(ledger: Ledger) -> int:
    """The width of those convolutions; they see it less one of padding before the first token, and after the last."""
    return next((t.shape[-1] for t in ledger.parameters if t.op == "conv"), 1)


@by_name
def test_linear_layers_cost_what_torch_counts(run: dict[str, Any]) -> None:
    ledger, said, tokens = build_ledger(run["config"]), run["flops"], run["tokens"]
    experts = next((t for t in ledger.parameters if t.of > 1), None)
    chosen = said.get("experts", 0) * experts.used // experts.of if experts else 0
    linear = (sum_flops(ledger, ()).forward_per_token - sum_convolutions(ledger)) * tokens
    assert linear == said["linear"] + chosen


@by_name
def test_attention_costs_what_torch_counts_when_every_query_meets_every_key(run: dict[str, Any]) -> None:
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    squared = sum(s.flops_per_pos * s.repeats * tokens**2 for s in ledger.states)
    assert squared == run["flops"].get("attention", 0)


@by_name
def test_prefill_is_linear_layers_and_recurrence_and_attention_over_real_spans(run: dict[str, Any]) -> None:
    ledger, said, tokens = build_ledger(run["config"]), run["flops"], run["tokens"]
    flops = sum_flops(ledger, [tokens])
    encoder = any(s.stack == "encoder" for s in ledger.states)
    states = [s for s in ledger.states if s.stack == "encoder" or not encoder]
    spans = sum(s.flops_per_pos * s.repeats * count_pairs(s, tokens) for s in states)
    assert spans <= said.get("attention", 0)
    if not encoder:
        recurrent = sum(s.flops_per_token * s.repeats for s in states)
        assert flops.prefill_at[str(tokens)] == (flops.forward_per_token + recurrent) * tokens + spans
    else:  # what is not prefill is the decoder, which torch ran over as many tokens
        decoded = flops.decode_at[str(tokens)]
        assert decoded is not None
        reads = sum(s.decode_flops_per_pos * s.repeats for s in ledger.states if s.stack != "encoder") * tokens
        heard = said.get("conv", 0)  # Whisper's two convolutions
        assert flops.prefill_at[str(tokens)] + (decoded - reads) * tokens == said["linear"] + heard + spans


@by_name
def test_causal_convolutions_cost_what_torch_counts_without_their_padding(run: dict[str, Any]) -> None:
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    if run["config"]["model_type"] != "whisper":  # its convolutions belong to the sound, not to a text token
        measured = run["flops"].get("conv", 0)
        assert sum_convolutions(ledger) * (tokens + find_kernel(ledger) - 1) == measured


def test_the_products_of_a_selective_scan_are_a_third_of_its_updates() -> None:
    """Torch sees only the read-out as a product; decay and input are two multiply-adds more for each element."""
    run = find_run("mamba")
    updates = sum(s.flops_per_token * s.repeats for s in build_ledger(run["config"]).states)
    assert updates * run["tokens"] == 3 * run["flops"]["recurrent"]


def test_a_head_of_differential_attention_reads_two_widths_of_values() -> None:
    sizes = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "num_hidden_layers": 3}
    (plain,) = build_ledger({"model_type": "llama", **sizes}).states
    (differential,) = build_ledger({"model_type": "diffllama", **sizes}).states
    assert 2 * differential.flops_per_pos == 2 * differential.decode_flops_per_pos == 3 * plain.flops_per_pos
    assert differential._replace(flops_per_pos=0, decode_flops_per_pos=0) == plain._replace(
        flops_per_pos=0, decode_flops_per_pos=0
    )


def test_differential_attention_is_scored_once() -> None:
    """Two softmaxes over one set of scores: the class works the same scores out for each half of the values."""
    run = find_run("diffllama")
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    said = sum(s.flops_per_pos * s.repeats for s in ledger.states) * tokens**2
    assert 4 * said == 3 * run["flops"]["attention"]
    assert sum_flops(ledger, ()).forward_per_token * tokens == run["flops"]["linear"]


def test_alternating_updates_cost_what_torch_counts() -> None:
    run = find_run("gemma3n_text")
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    attention = sum(s.flops_per_pos * s.repeats for s in ledger.states) * tokens**2
    updates = sum(s.flops_per_token * s.repeats for s in ledger.states)
    forward = (sum_flops(ledger, ()).forward_per_token + updates) * tokens
    assert forward + attention == sum(run["flops"].values())


def test_relative_attention_costs_what_torch_counts_but_for_distances_ahead() -> None:
    """XLNet scores distances to both sides, and projects them; a query needs half of them."""
    run = find_run("xlnet")
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    assert ledger.config["attn_type"] == "bi"
    attention = sum(s.flops_per_pos * s.repeats for s in ledger.states) * tokens**2
    distances = sum(2 * t.elements for t in ledger.parameters if t.name.endswith(".r")) * tokens
    said = sum_flops(ledger, ()).forward_per_token * tokens + attention
    assert said + distances + attention // 3 == sum(run["flops"].values())


def test_a_pooler_sees_one_token() -> None:
    (run,) = POOLED
    ledger, tokens = build_ledger(run["config"]), run["tokens"]
    assert sum_flops(ledger, [tokens]).prefill_at[str(tokens)] == sum(run["flops"].values())
    assert sum_flops(ledger, ()).forward_per_token * tokens + 2 * 32 * 32 == run["flops"]["linear"]


def test_every_kind_of_attention_is_measured() -> None:
    states = [s for run in RUNS for s in build_ledger(run["config"]).states]
    assert {s.kind for s in states} == {"full", "sliding", "chunked", "linear", "ssm", "conv", "cross"}
    assert {s.latent for s in states} == {s.causal for s in states} == {True, False}
