"""Bounds on speed: what is read, what is computed, in how many parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT_OSS_120B, LLAMA_8B, MIXTRAL
from tests.metrics.test_memory import BERT, GEMMA3, QWEN36_27B, T5, plan
from zoo.devices import GIB, Device, find_device
from zoo.metrics.analysis import analyze
from zoo.metrics.roofline import Decode, bound_decode, bound_prefill, find_peak
from zoo.metrics.split import Split

SLOW = Device("slow", "none", GIB, 1e15, {"bfloat16": 1e9}, 0.9, "a test")


def decode(
    config: dict[str, Any], device: str, tokens: int, batch: int, split: Split | int = 1, **options: Any
) -> Decode:
    found = bound_decode(plan(config, split, **options), find_device(device), tokens, batch)
    assert found is not None
    return found


def test_decoding_is_bound_by_reading_the_active_weights_and_the_cache() -> None:
    read = 2 * 7_504_924_672 + 8192 * 131_072
    found = decode(LLAMA_8B, "RTX 4090", 8192, 1)
    assert found.together == pytest.approx(1.008e12 / read)
    assert found.together == pytest.approx(found.each) == pytest.approx(found.spread)
    assert found.limit == "bandwidth"


def test_a_tied_table_is_read_as_the_head() -> None:
    tied = LLAMA_8B | {"tie_word_embeddings": True}
    assert decode(tied, "RTX 4090", 1, 1).together == pytest.approx(decode(LLAMA_8B, "RTX 4090", 1, 1).together)


def test_of_the_experts_those_of_one_token_are_read_in_their_own_bits() -> None:
    # gpt-oss-120b: 4 of 128 experts in MXFP4 (and biases in 16 bits), all else but the table in 16 bits.
    oss = plan(GPT_OSS_120B)
    packed = oss.stages[0].reading
    experts = 36 * 128 * (3 * 2880 * 2880 * 17 // 32 + 2 * 3 * 2880)
    assert packed.experts == experts
    active = oss.params.active_non_embedding - oss.params.active_by_part["experts"]
    assert packed.common == 2 * active
    step = 2 * active + experts * 4 / 128 + oss.hold_sequence(1024).total
    assert decode(GPT_OSS_120B, "H200", 1024, 1).together == pytest.approx(4.8e12 / step)


def test_many_sequences_touch_many_experts() -> None:
    found = decode(DEEPSEEK_V3, "H200", 4096, 64, 8)
    assert found.spread < found.together
    assert found.each == pytest.approx(found.together / 64)
    reading = plan(DEEPSEEK_V3, 8).stages[0].reading
    held = 64 * plan(DEEPSEEK_V3, 8).hold_sequence(4096).total
    share = 1 - (1 - 8 / 256) ** 64
    step = float(reading.common) + float(reading.experts) * share + held
    assert found.spread == pytest.approx(64 * 4.8e12 / step)


def test_many_sequences_are_bound_by_compute() -> None:
    flops = analyze(LLAMA_8B).flops
    assert flops is not None
    found = bound_decode(plan(LLAMA_8B), SLOW, 8192, 4)
    assert found is not None
    assert found.together == pytest.approx(1e9 / (flops.decode_at["8192"] or 0))
    assert found.limit == "compute"


def test_a_pipeline_is_no_faster_for_one_sequence_and_faster_for_many() -> None:
    one, four = decode(LLAMA_8B, "H200", 1024, 1), decode(LLAMA_8B, "H200", 1024, 1, Split(1, 4))
    assert four.together == pytest.approx(one.together)
    one, four = decode(LLAMA_8B, "H200", 1024, 64), decode(LLAMA_8B, "H200", 1024, 64, Split(1, 4))
    assert one.together < four.together <= 4 * one.together


def test_groups_share_the_sequences_out() -> None:
    found = decode(DEEPSEEK_V3, "H200", 1024, 8, Split(1, 1, 8))
    one = plan(DEEPSEEK_V3, Split(1, 1, 8)).stages[0]
    step = float(one.reading.common) + float(one.reading.experts) * 8 / 256 + one.hold(1024).total
    assert found.together == pytest.approx(8 * 4.8e12 / step)


def test_prefill_is_bound_by_the_peak_of_the_type_that_is_computed_in() -> None:
    device = find_device("RTX 4090")
    flops = analyze(LLAMA_8B).flops
    assert flops is not None
    assert bound_prefill(plan(LLAMA_8B), device, 8192) == pytest.approx(flops.prefill_at["8192"] / 165.2e12)
    assert bound_prefill(plan(LLAMA_8B, 2), device, 8192) == pytest.approx(flops.prefill_at["8192"] / 165.2e12 / 2)
    assert bound_prefill(plan(LLAMA_8B), find_device("M4 Max"), 8192) is None


def test_a_short_prompt_reads_the_weights_all_the_same() -> None:
    assert bound_prefill(plan(LLAMA_8B), find_device("RTX 4090"), 1) == pytest.approx(2 * 7_504_924_672 / 1.008e12)


@pytest.mark.parametrize(
    ("weights", "device", "expected"),
    [
        (None, "RTX 4090", ("bfloat16", 165.2e12)),
        ("fp8", "RTX 4090", ("float8", 330.3e12)),
        ("fp8", "A100 80GB", ("bfloat16", 312e12)),  # no FP8 there: widened
        ("int8-channels", "A100 80GB", ("int8", 624e12)),
        ("int8-channels", "RTX 4090", ("int8", 660.6e12)),
        ("awq-int4", "RTX 4090", ("bfloat16", 165.2e12)),  # weights alone: widened before they are multiplied
        ("gguf-q4_k_m", "RTX 4090", ("bfloat16", 165.2e12)),
        ("nvfp4-blocks", "B200", ("float4", 9e15)),
        ("nvfp4-blocks", "H200", ("float8", 1978.9e12)),
        ("fp32", "H200", ("bfloat16", 989.4e12)),
        ("bf16", "T4", ("float16", 65e12)),
        ("bf16", "M4 Max", None),
    ],
)
def test_matrices_are_multiplied_in_the_type_of_the_format_or_a_wider_one(
    weights: str | None, device: str, expected: tuple[str, float] | None
) -> None:
    assert find_peak(plan(LLAMA_8B, weights_dtype=weights), find_device(device)) == expected


def test_what_does_not_decode_token_by_token_has_no_bound() -> None:
    assert bound_decode(plan(BERT), find_device("H200"), 512, 1) is None


def test_encoders_and_towers_are_not_read_to_decode() -> None:
    t5 = plan(T5)
    decoder = [row for row in t5.ledger.parameters if row.stack == "decoder" and row.op != "lookup"]
    assert t5.stages[0].reading.common == 4 * sum(row.elements for row in decoder)
    gemma = plan(GEMMA3)
    towers = sum(size for part, size in gemma.params.by_part.items() if part in ("vision", "projector"))
    assert gemma.stages[0].reading.common == 2 * (gemma.params.total - towers)


@given(
    config=st.sampled_from([LLAMA_8B, GPT_OSS_120B, DEEPSEEK_V3, MIXTRAL, QWEN36_27B]),
    tokens=st.integers(1, 100_000),
    batch=st.integers(1, 256),
    split=st.sampled_from([Split(), Split(2), Split(8), Split(1, 2), Split(4, 2), Split(1, 1, 4)]),
)
def test_longer_contexts_are_never_faster_and_more_sequences_never_slower_together(
    config: dict[str, Any], tokens: int, batch: int, split: Split
) -> None:
    device, some = find_device("H200"), plan(config, split)
    here, longer = bound_decode(some, device, tokens, batch), bound_decode(some, device, 2 * tokens, batch)
    more = bound_decode(some, device, tokens, 2 * batch)
    assert here
    assert longer
    assert more
    assert longer.together <= here.together * (1 + 1e-9)
    assert here.together <= more.together * (1 + 1e-9)
    assert here.spread <= here.together * (1 + 1e-9)
    assert (bound_prefill(some, device, tokens) or 0) <= (bound_prefill(some, device, 2 * tokens) or 0)
