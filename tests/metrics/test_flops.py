"""FLOPs against what torch counted while small models ran (``python -m tests.oracle flops``).

Torch counts every product that is done, zoo those that an architecture asks for. Where the two differ, the difference
is one of ``DIFFERENCES``: with its figure the numbers are equal to the last operation. Recurrent layers are run by
products over blocks of tokens, and counted by their updates: ``SCANS`` says what each way of running them costs.
"""

from __future__ import annotations

import pytest

from tests.metrics.flops_differences import DIFFERENCES, find_differences, take_steps
from tests.metrics.flops_runs import Run, is_scan, read_runs
from tests.metrics.flops_scans import find_scan
from tests.oracle.cache import read_recorded as read_caches
from tests.oracle.flops import ENCODERS
from zoo.arch import build_ledger
from zoo.metrics.sums import count_pairs, group_weights, sum_flops

RUNS = read_runs()
#: Types whose weights are multiplied by batched products in modules that attend as well.
BATCHED_WEIGHTS = ("xlnet",)
#: Types of which nothing is recorded, and why.
NOT_RUN = {"mra": "it attends by kernels of its own, in which torch sees no products"}

#: Kinds of attention and of recurrence that zoo knows, and where each is measured.
KINDS = {
    "full": ("llama", "gpt2", "bloom", "falcon"),
    "sliding": ("mistral", "gemma2", "gpt_oss", "cohere2"),
    "chunked": ("llama4_text",),
    "full in both directions": ("bert", "modernbert", "roformer"),
    "shared keys and values": ("gemma3n_text", "gemma4_text"),
    "latent (MLA)": ("deepseek_v2", "deepseek_v3", "kimi_k2", "minicpm3", "longcat_flash", "axk1"),
    "latent with an indexer (DSA)": ("deepseek_v32", "glm_moe_dsa", "axk2"),
    "indexer over blocks of keys": ("qwen4_exp_text", "glm5_next_text"),
    "compressed entries": ("deepseek_v4",),
    "gated delta rule": ("qwen3_next", "qwen3_5_text", "olmo_hybrid"),
    "Kimi's delta rule": ("kimi_linear", "bailing_hybrid"),
    "lightning attention": ("minimax",),
    "Mamba-1": ("mamba", "falcon_mamba", "jamba", "zamba"),
    "Mamba-2": ("mamba2", "bamba", "zamba2", "nemotron_h"),
    "gated linear recurrence": ("recurrent_gemma",),
    "RWKV": ("rwkv",),
    "xLSTM": ("xlstm",),
    "short convolutions": ("lfm2", "inkling_text", "zaya", "convbert"),
    "cross-attention": ("t5", "bart", "whisper", "mllama", "trocr", "prophetnet"),
    "differential": ("diffllama",),
    "dynamic mask": ("doge",),
    "distances: a bias": ("t5", "bloom", "mpnet"),
    "distances: scored": ("xlnet", "deberta", "deberta-v2", "funnel", "inkling_text"),
    "residual streams": ("gemma3n_text", "deepseek_v4", "qwen4_exp_text", "inkling2_text"),
    "windows and global tokens": ("led", "longformer", "pegasus_x"),
    "windows and summaries": ("longt5",),
    "random blocks": ("big_bird", "bigbird_pegasus"),
    "hashes": ("reformer", "yoso"),
    "landmarks": ("nystromformer",),
    "latents": ("perceiver",),
    "Fourier transforms": ("fnet",),
    "blocks of text": ("diffusion_gemma",),
}
IDS = [f"{run.model_type}-{number}" for number, run in enumerate(RUNS)]


@pytest.mark.parametrize("run", RUNS, ids=IDS)
def test_a_model_costs_what_torch_counts_but_for_the_differences_named(run: Run) -> None:
    assert run.said == run.counted + sum(difference.figure(run) for difference in find_differences(run))


@pytest.mark.parametrize("run", [run for run in RUNS if not find_differences(run)], ids=lambda run: run.model_type)
def test_where_no_difference_is_named_attention_alone_is_equal_too(run: Run) -> None:
    mixes = any(s.flops_per_token and not is_scan(s) for s in run.states)  # products of two kinds in one module
    mixes = mixes or "talking_head" in run.config  # scores of all heads pass a linear layer
    assert mixes or run.model_type in BATCHED_WEIGHTS or run.squares == run.flops.get("attention", 0)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_difference_is_needed(name: str) -> None:
    assert all(any(r.model_type == t and DIFFERENCES[name].figure(r) for r in RUNS) for t in DIFFERENCES[name].types)


@pytest.mark.parametrize("run", [run for run in RUNS if any(map(is_scan, run.states))], ids=lambda run: run.model_type)
def test_a_recurrence_costs_what_its_way_of_running_asks_for(run: Run) -> None:
    scan = find_scan(run.model_type)
    own = sum(scan(run, state) * state.repeats for state in run.states if is_scan(state))
    assert own + (take_steps(run) if run.model_type == "zamba" else 0) == run.flops.get("recurrent", 0)


@pytest.mark.parametrize("run", RUNS, ids=IDS)
def test_prefill_is_weights_and_recurrence_and_attention_over_real_spans(run: Run) -> None:
    flops = sum_flops(run.ledger, [run.tokens])
    encoder = bool(group_weights(run.ledger)["encoder"])
    states = [s for s in run.states if s.stack == "encoder" or not encoder]
    source = next((s.window for s in run.states if s.kind == "cross" and s.window), run.tokens)
    passed = source if encoder else run.tokens
    spans = sum(s.flops_per_pos * s.repeats * count_pairs(s, passed) for s in states)
    more = sum(s.flops_per_token * s.repeats for s in states) * passed
    groups = group_weights(run.ledger)
    weights = 2 * (groups["encoder" if encoder else "main"] * passed + groups["cross"] * source + groups["once"])
    assert flops.prefill_at[str(run.tokens)] == weights + more + spans
    assert flops.forward_per_token == 2 * (groups["main"] + groups["encoder"] + groups["cross"])


def test_a_token_generated_costs_its_weights_and_what_it_attends_to() -> None:
    """Of the last token of a prefill without its source and what comes once, where attention is not run otherwise."""
    for run in RUNS:
        flops = sum_flops(run.ledger, [run.tokens - 1, run.tokens])
        one = flops.decode_at[str(run.tokens)]
        plain = {"full", "sliding", "linear", "ssm", "conv"} >= {s.kind for s in run.states}
        same = all(s.causal and s.flops_per_pos == s.decode_flops_per_pos for s in run.states)
        if one is not None and plain and same:
            last, before = flops.prefill_at.values()
            assert one == before - last


def test_every_type_that_reads_text_is_recorded_or_there_is_a_reason() -> None:
    recorded = {run.model_type for run in RUNS}
    assert set(read_caches()) <= recorded
    assert set(ENCODERS) - recorded == set(NOT_RUN)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_attention_and_recurrence_is_measured(kind: str) -> None:
    assert {run.model_type for run in RUNS} >= set(KINDS[kind])


def test_every_kind_of_state_is_measured() -> None:
    states = [s for run in RUNS for s in run.states]
    assert {s.kind for s in states} == {"full", "sliding", "chunked", "linear", "ssm", "conv", "cross"}
    assert {s.latent for s in states} == {s.causal for s in states} == {True, False}


def test_a_head_of_differential_attention_reads_two_widths_of_values() -> None:
    sizes = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "num_hidden_layers": 3}
    (plain,) = build_ledger({"model_type": "llama", **sizes}).states
    (differential,) = build_ledger({"model_type": "diffllama", **sizes}).states
    assert 2 * differential.flops_per_pos == 2 * differential.decode_flops_per_pos == 3 * plain.flops_per_pos
    assert differential._replace(flops_per_pos=0, decode_flops_per_pos=0) == plain._replace(
        flops_per_pos=0, decode_flops_per_pos=0
    )
