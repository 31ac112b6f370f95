"""Whether a model fits: figures on one device, other formats of the weights, the fewest devices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT2, GPT_OSS_120B, LLAMA_8B, LLAMA_70B, MIXTRAL, quantized
from tests.metrics.test_memory import QWEN36_27B, T5, plan
from zoo.devices import GIB, find_device, leave_overhead, load_devices
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.fit import Planner, choose_context, choose_devices, fit_device, fit_devices, try_formats
from zoo.metrics.split import Split


def test_llama_8b_on_a_4090() -> None:
    fit = fit_device(plan(LLAMA_8B), find_device("RTX 4090"), 32768, 1)
    assert (fit.weights_bytes, fit.cache_bytes, fit.state_bytes) == (16_060_522_496, 4_294_967_296, 0)
    assert fit.needed_bytes == fit.needed_reserved_bytes == 20_355_489_792
    assert fit.fits
    assert fit.fits_reserved
    assert fit.overhead_bytes == 24 * GIB - int(24 * GIB * 0.9)
    assert fit.longest_context_tokens == (int(24 * GIB * 0.9) - 16_060_522_496) // 131_072
    assert fit.longest_context_reserved_tokens == fit.longest_context_tokens // 16 * 16
    assert fit.most_sequences == fit.most_sequences_reserved == 1
    assert not fit_device(plan(LLAMA_8B), find_device("T4"), 8192, 1).fits


def test_steady_state_and_what_is_reserved_are_told_apart() -> None:
    fit = fit_device(plan(QWEN36_27B), find_device("H200"), 1000, 2)
    page = 784 * 4096
    assert fit.steady["slope_bytes_per_token"] == 2 * 16 * 4096
    assert fit.steady["windows_full_at_tokens"] is None
    assert fit.reserved["block_tokens"] == 784
    assert fit.reserved["state_page_bytes"] == page
    assert fit.reserved["step_bytes"] == 2 * 16 * page
    assert fit.reserved["layers_reserved"] == 64
    assert fit.reserved["intercept_bytes"] == fit.weights_bytes + 2 * 48 * page
    assert fit.reserved_bytes == 2 * (48 + 2 * 16) * page
    assert fit.reserved_bytes > fit.cache_bytes + fit.state_bytes


def test_a_fit_that_only_the_steady_state_has_is_said() -> None:
    device = leave_overhead(find_device("RTX 4090"), "0%")
    fit = fit_device(plan(LLAMA_8B), device, (device.usable_bytes - 16_060_522_496) // 131_072, 1)
    assert fit.fits
    assert not fit.fits_reserved


def test_a_window_s_reservation_stands_in_the_intercept() -> None:
    fit = fit_device(plan(GPT_OSS_120B), find_device("H200"), 32768, 1)
    assert fit.reserved["intercept_bytes"] == 65_248_815_744 + 137 * 16 * 36_864
    assert fit.reserved["slope_bytes_per_token"] == 36_864
    assert fit.steady["windows_full_at_tokens"] == 128


def test_a_context_beyond_the_model_is_refused() -> None:
    analysis = analyze(LLAMA_8B)
    assert choose_context(analysis, None) == 8192
    assert choose_context(analysis, 131_072) == 131_072
    with pytest.raises(UsageError, match="made for 131,072 tokens"):
        choose_context(analysis, 131_073)
    assert choose_context(analyze(GPT2), None) == 1024
    assert choose_context(analyze(T5), None) == 8192


def test_devices_come_smallest_first() -> None:
    fits = fit_devices(plan(LLAMA_8B), [find_device("H200"), find_device("T4")], 8192, 1)
    assert [fit.device for fit in fits] == ["T4", "H200"]
    assert fits[1].as_dict()["gpus"] == 1


def formats(config: dict[str, Any]) -> list[str]:
    fits = try_formats(analyze(config), find_device("H200"), 8192, 1, Split(), None)
    sizes = [fit.weights_bytes for fit in fits[1:]]
    assert sizes == sorted(sizes, reverse=True)
    return [fit.weights_dtype for fit in fits]


def test_other_weights_are_tried_beside_those_stored_the_widest_first() -> None:
    narrow = ["gguf-q8_0", "int8-channels", "fp8-blocks", "gguf-q4_k_m", "nvfp4-blocks", "bnb-nf4", "awq-int4"]
    assert formats(GPT_OSS_120B)[:3] == ["mxfp4", "bfloat16", "gguf-q8_0"]
    assert formats(LLAMA_8B)[0] == "bfloat16"
    assert set(formats(LLAMA_8B)) == {"bfloat16", *narrow}
    unknown = quantized(LLAMA_8B, quant_method="hqq")
    tried = try_formats(analyze(unknown), find_device("H200"), 8192, 1, Split(), None)
    assert next(fit.weights_dtype for fit in tried) == "bfloat16"


@pytest.mark.parametrize(
    ("config", "device", "expected"),
    [
        (LLAMA_8B, "RTX 4090", Split(1)),
        (LLAMA_8B, "T4", Split(2)),
        (LLAMA_70B, "H100 SXM", Split(2)),
        (LLAMA_70B, "RTX 4090", Split(4, 2)),
        (DEEPSEEK_V3, "H100 SXM", Split(8, 2)),  # 8 x 80 GiB hold its FP8 weights only without an engine
        (DEEPSEEK_V3, "H200", Split(8)),
        (DEEPSEEK_V3, "GB200", Split(4)),
        (GPT2, "T4", Split(1)),
        (MIXTRAL, "M3 Ultra", Split(1)),
    ],
)
def test_the_fewest_devices_that_hold_a_model(config: dict[str, Any], device: str, expected: Split) -> None:
    fit = Planner(analyze(config)).find_least(find_device(device), 1024, 1)
    assert fit is not None
    assert (fit.tensor_parallel, fit.pipeline_parallel, fit.expert_parallel) == expected
    assert fit.fits


def test_a_model_may_be_too_large_for_any_number() -> None:
    planner = Planner(analyze(DEEPSEEK_V3))
    assert planner.find_least(find_device("M4 Max"), 1024, 1) is None
    assert planner.find_least(find_device("Arc B580"), 1024, 1) is None


def test_degrees_that_heads_do_not_divide_by_are_left_out() -> None:
    odd = LLAMA_8B | {"num_attention_heads": 12, "num_key_value_heads": 4, "head_dim": 128}
    splits = list(Planner(analyze(odd)).list_splits(find_device("H200")))
    assert [split.tensor for split in splits if split.pipeline == 1] == [1, 2, 4]
    assert splits[-1] == Split(4, 8)


def test_devices_are_chosen_by_number_then_memory_or_by_price() -> None:
    planner = Planner(analyze(LLAMA_8B))
    chosen = choose_devices(planner, load_devices(), 8192, 1, {})
    assert {one.name for one in load_devices()} - {fit.device for fit in chosen} == {"M1 16GB", "M2 24GB", "M3 24GB"}
    totals = [(fit.gpus, fit.gpus * fit.memory_bytes) for fit in chosen]
    assert totals == sorted(totals)
    prices = {"H200": 3.0, "T4": 0.2, "L4": 0.5}
    assert [fit.device for fit in choose_devices(planner, load_devices(), 8192, 1, prices)] == ["T4", "L4", "H200"]
    prices = {"H200": 3.0, "T4": 0.3, "L4": 0.5}
    assert [fit.device for fit in choose_devices(planner, load_devices(), 8192, 1, prices)] == ["L4", "T4", "H200"]


@given(context=st.integers(1, 131_072), batch=st.integers(1, 64))
def test_fewer_devices_than_the_fewest_do_not_fit(context: int, batch: int) -> None:
    planner, device = Planner(analyze(LLAMA_8B)), find_device("L4")
    fit = planner.find_least(device, context, batch)
    for split in planner.list_splits(device):
        if fit and split == (fit.tensor_parallel, fit.pipeline_parallel, fit.expert_parallel):
            break
        assert planner.plan(split).need(context, batch) > device.usable_bytes
