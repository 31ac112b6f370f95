"""The laws that hold for every ledger, and the arithmetic of windows, chunks and encoders."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.check import build_heads
from zoo.arch.ledger import Ledger, build_ledger
from zoo.arch.registry import load_architectures
from zoo.arch.rows import State
from zoo.metrics.sums import count_pairs, count_span, elements_at, sum_cache, sum_flops, sum_params

TYPES = sorted(load_architectures())
CONTEXTS = (1, 7, 64, 200, 4096)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A llama-like config of any shape."""
    kv_heads = draw(st.integers(1, 4))
    return {
        "model_type": draw(st.sampled_from(["llama", "qwen2", "qwen3", "mixtral", "gemma2", "mistral"])),
        "hidden_size": draw(st.integers(1, 64)) * 8,
        "num_attention_heads": kv_heads * draw(st.integers(1, 4)),
        "num_key_value_heads": kv_heads,
        "head_dim": draw(st.integers(1, 32)) * 2,
        "num_hidden_layers": draw(st.integers(0, 12)),
        "intermediate_size": draw(st.integers(1, 300)),
        "vocab_size": draw(st.integers(1, 500)),
        "sliding_window": draw(st.integers(1, 300)),
        "tie_word_embeddings": draw(st.booleans()),
    }


@settings(max_examples=150, deadline=None)
@given(configs())
def test_parts_sum_to_the_total_and_weights_and_biases_too(config: dict[str, Any]) -> None:
    params = sum_params(build_ledger(config))
    assert sum(params.by_part.values()) == params.total == params.weights + params.biases
    assert sum(params.active_by_part.values()) == params.active <= params.total
    assert params.active_non_embedding <= params.active
    assert params.non_embedding + params.embedding <= params.total
    assert params.tied == config["tie_word_embeddings"]


@settings(max_examples=150, deadline=None)
@given(configs(), st.lists(st.integers(0, 10_000), min_size=2, max_size=6))
def test_the_cache_never_shrinks_and_never_grows_faster_than_its_slope(config: dict[str, Any], at: list[int]) -> None:
    contexts = sorted(at)
    cache = sum_cache(build_ledger(config), "bfloat16", "bfloat16", contexts)
    sizes = [cache.bytes_at[str(tokens)] for tokens in contexts]
    for (a, small), (b, large) in zip(
        zip(contexts, sizes, strict=True), list(zip(contexts, sizes, strict=True))[1:], strict=False
    ):
        assert small is not None
        assert large is not None
        assert small <= large <= small + (b - a) * 2 * cache.elements_per_token
    assert cache.elements_per_token_long <= cache.elements_per_token <= cache.materialized_elements_per_token


@pytest.mark.parametrize("model_type", TYPES)
def test_laws_hold_for_every_architecture(model_type: str) -> None:
    for ledger in build_heads(model_type):
        params = sum_params(ledger)
        assert sum(params.by_part.values()) == params.total == params.weights + params.biases
        assert 0 < params.active <= params.total
        assert 0 <= params.non_embedding <= params.total
        cache = sum_cache(ledger, "bfloat16", "bfloat16", CONTEXTS)
        sizes = [cache.bytes_at[str(tokens)] for tokens in CONTEXTS]
        assert sizes == sorted(sizes, key=lambda size: size or 0)
        flops = sum_flops(ledger, CONTEXTS)
        assert list(flops.prefill_at.values()) == sorted(flops.prefill_at.values())
        decoded = [value for value in flops.decode_at.values() if value is not None]
        assert decoded == sorted(decoded) or any(s.kind == "chunked" for s in ledger.states)


def spans(state: State, tokens: int) -> list[int]:
    """Positions seen by each of ``tokens`` queries, one by one: the plain meaning that the formulas must have."""
    window = state.window or tokens
    if not state.causal:
        return [min(tokens, window)] * tokens
    if state.kind == "chunked":
        return [t % window + 1 for t in range(tokens)]
    return [min(t + 1, window) for t in range(tokens)]


@given(st.sampled_from(["full", "sliding", "chunked"]), st.booleans(), st.integers(1, 60), st.integers(1, 150))
def test_pairs_are_the_sum_of_the_spans_of_every_query(kind: Any, causal: bool, window: int, tokens: int) -> None:
    state = State(kind, window=None if kind == "full" else window, causal=causal)
    seen = spans(state, tokens)
    assert count_pairs(state, tokens) == sum(seen)
    if state.causal:
        assert count_span(state, tokens) == seen[-1]


def test_a_windowed_layer_holds_its_window_and_no_more() -> None:
    layers = range(3)
    states = [State("sliding", per_token=10, window=4, layers=layers), State("full", per_token=1, layers=layers)]
    assert [elements_at(states, tokens) for tokens in (0, 3, 4, 100)] == [0, 99, 132, 420]


def test_flops_of_a_token_are_twice_the_matmul_weights() -> None:
    ledger = build_ledger({"model_type": "llama"})
    params = sum_params(ledger)
    flops = sum_flops(ledger, [1])
    assert flops.forward_per_token == 2 * (params.total - params.embedding - params.by_part["norm"])
    attention = 2 * 2 * 4096 * 32
    assert flops.decode_at["1"] == flops.prefill_at["1"] == flops.forward_per_token + attention


def test_a_tied_head_costs_flops_though_it_stores_nothing() -> None:
    tied, untied = (
        sum_flops(build_ledger({"model_type": "llama", "tie_word_embeddings": t}), [1]) for t in (True, False)
    )
    assert tied == untied


#: Decoders that read what a tower saw, and how many tokens that is: as many as of the text where it is not said.
READERS = [
    ({"model_type": "mllama"}, None),
    ({"model_type": "blip"}, 577),
    ({"model_type": "trocr"}, None),
    ({"model_type": "evolla"}, 64),
    (
        {
            "model_type": "vision-encoder-decoder",
            "encoder": {"model_type": "vit", "image_size": 32, "patch_size": 8},
            "decoder": {"model_type": "gpt2", "is_decoder": True, "add_cross_attention": True},
        },
        17,
    ),
]


def weigh(ledger: Ledger, stack: str) -> int:
    """FLOPs of one vector through all weights of ``stack`` that are multiplied, towers and projectors left out."""
    own = (t for t in ledger.parameters if t.op in ("matmul", "conv") and t.stack == stack)
    return sum(2 * t.elements for t in own if t.part not in ("vision", "audio", "projector"))


@pytest.mark.parametrize(("config", "length"), READERS, ids=lambda value: str(value)[:30])
def test_what_a_tower_saw_is_projected_once_and_read_by_every_token(config: dict[str, Any], length: int | None) -> None:
    ledger, tokens = build_ledger(config), 48
    source = tokens if length is None else length
    flops = sum_flops(ledger, [tokens])
    own = sum(s.flops_per_pos * s.repeats for s in ledger.states if s.kind == "full" and s.stack == "decoder")
    cross = sum(s.flops_per_pos * s.repeats for s in ledger.states if s.kind == "cross")
    assert own > 0
    assert cross > 0
    text, projected = weigh(ledger, "decoder"), weigh(ledger, "cross")
    assert projected > 0
    pairs = tokens * (tokens + 1) // 2
    assert flops.prefill_at["48"] == tokens * (text + source * cross) + source * projected + pairs * own
    assert flops.decode_at["48"] == text + tokens * own + source * cross
    assert flops.forward_per_token == text + projected


@pytest.mark.parametrize(("model_type", "source"), [("t5", 48), ("bart", 48), ("whisper", 1500)])
def test_an_encoder_reads_the_source_in_prefill_and_the_decoder_one_token_after(model_type: str, source: int) -> None:
    ledger = build_ledger({"model_type": model_type})
    flops = sum_flops(ledger, [48])
    heard = [s for s in ledger.states if s.stack == "encoder"]
    once = sum(s.flops_per_token * s.repeats for s in heard)
    pairs = sum(s.flops_per_pos * s.repeats for s in heard)
    read, projected = weigh(ledger, "encoder"), weigh(ledger, "cross")
    assert flops.prefill_at["48"] == source * (read + projected + once) + source**2 * pairs
    own, cross = (
        sum(s.decode_flops_per_pos * s.repeats for s in ledger.states if s.kind == kind and s.stack == "decoder")
        for kind in ("full", "cross")
    )
    assert flops.decode_at["48"] == weigh(ledger, "decoder") + 48 * own + source * cross


def test_distances_are_projected_once_however_long_the_text() -> None:
    ledger = build_ledger({"model_type": "deberta-v2", "relative_attention": True, "pos_att_type": ["c2p", "p2c"]})
    one = weigh(ledger, "once")
    assert one == 24 * 2 * 2 * 512 * 2 * 1536**2  # layers, projections, distances ahead and back
    flops = sum_flops(ledger, [1, 2])
    first, second = flops.prefill_at.values()
    attention = sum(s.flops_per_pos * s.repeats for s in ledger.states)
    assert second - first == first - one + 2 * attention


def test_global_tokens_pass_through_the_encoder_once_with_a_source() -> None:
    few, none = (
        sum_flops(build_ledger({"model_type": "pegasus_x", "num_global_tokens": count}), [4096]) for count in (33, 32)
    )
    assert few.forward_per_token == none.forward_per_token
    encoder = 16 * 2 * (4 * 1024**2 + 2 * 1024 * 4096)
    assert few.prefill_at["4096"] - none.prefill_at["4096"] == encoder + 16 * 4 * 1024 * 4096 * 2
