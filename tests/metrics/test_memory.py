"""What it takes to serve a model: facts of published runs, and laws that hold for every model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT2, GPT_OSS_120B, LLAMA_8B, MIXTRAL, quantized
from zoo.devices import GIB, Device, find_device
from zoo.errors import UsageError
from zoo.metrics.analysis import analyze
from zoo.metrics.fit import choose_context, fit_device, fit_devices, try_dtypes
from zoo.metrics.memory import Plan, describe_split, make_plan
from zoo.metrics.roofline import bound_decode, bound_prefill, find_peak

T5: dict[str, Any] = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "dtype": "float32"}
BERT: dict[str, Any] = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "dtype": "float32"}
MODELS = (LLAMA_8B, GPT_OSS_120B, DEEPSEEK_V3, MIXTRAL, GPT2, T5)


def plan(config: dict[str, Any], **options: Any) -> Plan:
    return make_plan(analyze(config), **options)


def test_gpt_oss_as_vllm_logged_it() -> None:
    # A vLLM run of gpt-oss-120b (hf-mem issue 60): 5.38 GiB of bf16 cache hold 78,384 tokens, 73,728 bytes a token:
    # 36 layers x 2 x 8 x 64 x 2, windowed layers counted like the full ones.
    oss = plan(GPT_OSS_120B)
    size = 78_384 * 73_728
    assert f"{size / GIB:.2f}" == "5.38"
    assert oss.count_full_rate(size) == 78_384
    # In the steady state half of the layers stop at 128 tokens, so that one sequence takes half of that.
    held = oss.hold_sequence(78_384)
    assert held.cache == 78_384 * 36_864 + 128 * 36_864


def test_llama_8b_on_a_4090() -> None:
    fit = fit_device(plan(LLAMA_8B), find_device("RTX 4090"), 32768, 1)
    assert (fit.weights_bytes, fit.cache_bytes, fit.state_bytes) == (16_060_522_496, 4_294_967_296, 0)
    assert fit.needed_bytes == 20_355_489_792
    assert fit.fits
    assert fit.longest_context_tokens == (int(24 * GIB * 0.9) - 16_060_522_496) // 131_072
    assert fit.most_sequences == 1
    assert not fit_device(plan(LLAMA_8B), find_device("T4"), 8192, 1).fits


def test_a_cache_in_fp8_is_half_of_one_in_bf16() -> None:
    assert 2 * plan(LLAMA_8B, kv_dtype="fp8").hold_sequence(5000).cache == plan(LLAMA_8B).hold_sequence(5000).cache


def test_an_engine_reserves_whole_blocks() -> None:
    llama = plan(LLAMA_8B)
    assert llama.reserve_sequence(8193).cache == 8208 * 131_072
    oss = plan(GPT_OSS_120B)
    # Full layers: 32,768 tokens; windowed ones: 128 - 1 + 2,048 in flight, in blocks of 16, and one more.
    assert oss.reserve_sequence(32_768).cache == 36_864 * (32_768 + 137 * 16)


def test_two_devices_split_matrices_and_repeat_vectors() -> None:
    halves = plan(LLAMA_8B, gpus=2)
    vectors = 65 * 4096
    assert halves.weights == (8_030_261_248 - vectors) // 2 * 2 + 2 * vectors
    assert halves.weights_all == 2 * halves.weights
    assert halves.hold_sequence(1000).cache == 1000 * 65_536


def test_fewer_kv_heads_than_devices_are_repeated() -> None:
    wide = plan(LLAMA_8B, gpus=16)
    assert wide.hold_sequence(1000).cache == 1000 * 131_072 // 8
    assert describe_split(wide)[-1] == "8 KV heads for 16 devices: each device keeps one, copies of the same"
    assert any("do not divide by 3" in note for note in describe_split(plan(LLAMA_8B, gpus=3)))


def test_a_latent_cache_is_whole_on_each_device() -> None:
    eight = plan(DEEPSEEK_V3, gpus=8)
    assert eight.hold_sequence(1000).cache == 1000 * 70_272
    assert "the latent cache is whole on each device" in describe_split(eight)


def test_quantised_weights_count_as_stored_unless_a_type_is_named() -> None:
    assert plan(GPT_OSS_120B).weights == 65_248_815_744
    assert plan(GPT_OSS_120B).weights_dtype == "mxfp4"
    assert plan(GPT_OSS_120B, weights_dtype="bf16").weights == 2 * 116_829_156_672


def test_the_source_of_an_encoder_decoder_counts_as_long_as_its_target() -> None:
    each = plan(T5).hold_sequence(100).cache
    assert each == 100 * 2 * 6 * 2 * 8 * 64 * 4  # T5-small: self and cross, 6 layers, keys and values, float32


def test_a_model_without_a_cache_has_no_longest_context() -> None:
    bert = plan(BERT)
    assert bert.find_longest(10**12, 1) is None
    assert bert.find_most(10**12, 512) is None
    assert bert.count_full_rate(10**9) is None
    assert bound_decode(bert, find_device("H200"), 512, 1) is None


@pytest.mark.parametrize(
    ("config", "options", "reason"),
    [
        ({"model_type": "nobody-knows"}, {}, "sizes of this model are not known"),
        (LLAMA_8B, {"gpus": 0}, "at least one device"),
        (LLAMA_8B, {"weights_dtype": "q17"}, "unknown data type"),
        (quantized(LLAMA_8B, quant_method="hqq"), {}, "name one with --weights-dtype"),
        (LLAMA_8B | {"dtype": "strange"}, {}, "name one with --weights-dtype"),
        (LLAMA_8B | {"dtype": "strange"}, {"weights_dtype": "int4"}, "name one with --kv-dtype"),
    ],
)
def test_what_cannot_be_sized_is_refused(config: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        plan(config, **options)


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


def test_other_weights_are_tried_beside_those_stored() -> None:
    device = find_device("H200")
    tried = try_dtypes(analyze(GPT_OSS_120B), device, 8192, 1, gpus=1, kv_dtype=None)
    assert [fit.weights_dtype for fit in tried] == ["mxfp4", "bfloat16", "float8", "int4"]
    tried = try_dtypes(analyze(LLAMA_8B), device, 8192, 1, gpus=1, kv_dtype=None)
    assert [fit.weights_dtype for fit in tried] == ["bfloat16", "float8", "int4"]
    unknown = quantized(LLAMA_8B, quant_method="hqq")
    tried = try_dtypes(analyze(unknown), device, 8192, 1, gpus=1, kv_dtype=None)
    assert [fit.weights_dtype for fit in tried] == ["bfloat16", "float8", "int4"]


def test_decoding_is_bound_by_reading_the_active_weights_and_the_cache() -> None:
    device = find_device("RTX 4090")
    read = 2 * 7_504_924_672 + 8192 * 131_072
    assert bound_decode(plan(LLAMA_8B), device, 8192, 1) == pytest.approx(1.008e12 / read)


def test_prefill_is_bound_by_the_peak_of_a_type_as_wide_as_the_weights() -> None:
    device = find_device("RTX 4090")
    flops = analyze(LLAMA_8B).flops
    assert flops is not None
    assert bound_prefill(plan(LLAMA_8B), device, 8192) == pytest.approx(flops.prefill_at["8192"] / 165.2e12)
    assert find_peak(plan(LLAMA_8B, weights_dtype="int4"), device) == 1321.2e12
    assert bound_prefill(plan(LLAMA_8B), find_device("M4 Max"), 8192) is None


def test_many_sequences_are_bound_by_compute() -> None:
    slow = Device("slow", "none", GIB, 1e15, {"bfloat16": 1e9}, 0.9, "a test")
    flops = analyze(LLAMA_8B).flops
    assert flops is not None
    assert bound_decode(plan(LLAMA_8B), slow, 8192, 4) == pytest.approx(1e9 / (flops.decode_at["8192"] or 0))


models = st.sampled_from(MODELS)
tokens = st.integers(1, 1 << 20)


@given(config=models, length=tokens, more=st.integers(0, 10**6), batch=st.integers(1, 64))
def test_more_tokens_and_more_sequences_never_need_less(
    config: dict[str, Any], length: int, more: int, batch: int
) -> None:
    some = plan(config)
    assert some.need(length, batch) <= some.need(length + more, batch) <= some.need(length + more, batch + 1)
    assert some.reserve_sequence(length).cache <= some.reserve_sequence(length + more).cache
    assert some.hold_sequence(length).total <= some.reserve_sequence(length).total


@given(config=models, length=tokens)
def test_more_bits_are_never_smaller(config: dict[str, Any], length: int) -> None:
    sizes = [plan(config, weights_dtype=d, kv_dtype=d).need(length, 1) for d in ("int4", "fp8", "bf16", "fp32")]
    assert sizes == sorted(sizes)


@given(config=models, budget=st.integers(0, 10**12), batch=st.integers(1, 16))
def test_the_longest_context_fits_and_one_token_more_does_not(config: dict[str, Any], budget: int, batch: int) -> None:
    some = plan(config)
    longest = some.find_longest(budget, batch)
    assert longest is not None
    if longest:
        assert some.need(longest, batch) <= budget
    assert some.need(longest + 1, batch) > budget


@given(config=models, budget=st.integers(0, 10**12), length=tokens)
def test_the_most_sequences_fit_and_one_more_does_not(config: dict[str, Any], budget: int, length: int) -> None:
    some = plan(config)
    most = some.find_most(budget, length)
    assert most is not None
    if most:
        assert some.need(length, most) <= budget
    assert some.need(length, most + 1) > budget


@given(config=models, gpus=st.integers(1, 64), length=tokens)
def test_a_split_never_holds_less_than_its_share_nor_more_than_the_whole(
    config: dict[str, Any], gpus: int, length: int
) -> None:
    whole, part = plan(config), plan(config, gpus=gpus)
    assert whole.weights <= part.weights * gpus
    assert part.weights <= whole.weights
    assert part.hold_sequence(length).total <= whole.hold_sequence(length).total
    assert whole.hold_sequence(length).total <= gpus * part.hold_sequence(length).total


def test_a_cache_whose_windows_are_all_full_has_no_end() -> None:
    mistral = LLAMA_8B | {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 4096}
    some = plan(mistral)
    assert some.find_longest(17 * 10**9, 1) is None
    assert some.find_longest(some.weights + 4095 * 131_072, 1) == 4095


WHISPER_TINY: dict[str, Any] = {
    "model_type": "whisper",
    "architectures": ["WhisperForConditionalGeneration"],
    "d_model": 384,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "decoder_ffn_dim": 1536,
    "vocab_size": 51865,
    "max_source_positions": 1500,
    "dtype": "float16",
}
MAMBA_130M: dict[str, Any] = {
    "model_type": "mamba",
    "architectures": ["MambaForCausalLM"],
    "hidden_size": 768,
    "num_hidden_layers": 24,
    "state_size": 16,
    "conv_kernel": 4,
    "expand": 2,
    "vocab_size": 50280,
    "dtype": "bfloat16",
}


def test_a_source_of_fixed_length_is_state_in_the_type_of_the_cache() -> None:
    whisper = plan(WHISPER_TINY, kv_dtype="fp8", gpus=2)
    held = whisper.hold_sequence(10)
    assert held.state == 4 * 2 * 384 * 1500 // 2
    assert held.cache == 10 * 4 * 2 * 384 // 2


def test_a_state_space_model_keeps_the_same_however_long() -> None:
    mamba = plan(MAMBA_130M)
    # Mamba-1: d_inner x (k - 1) of convolution and d_inner x d_state of state, d_inner = 1,536.
    assert mamba.hold_sequence(1).total == mamba.hold_sequence(10**6).total == 24 * 1536 * (3 + 16) * 2
    assert mamba.find_longest(10**12, 1) is None
    assert plan(MAMBA_130M, gpus=2).hold_sequence(1).total == 24 * 1536 * (3 + 16)


def test_a_vision_tower_keeps_nothing() -> None:
    text = analyze(GEMMA3).ledger
    assert text is not None
    assert any(state.stack == "vision" for state in text.states)
    assert plan(GEMMA3).hold_sequence(1).cache == 34 * 2 * 4 * 256 * 2


GEMMA3: dict[str, Any] = {
    "model_type": "gemma3",
    "architectures": ["Gemma3ForConditionalGeneration"],
    "dtype": "bfloat16",
    "text_config": {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "sliding_window": 1024,
    },
    "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152, "num_hidden_layers": 27},
}
