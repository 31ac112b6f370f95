"""What it takes to serve a model: facts of published runs, and laws that hold for every model."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import DEEPSEEK_V3, GPT2, GPT_OSS_120B, LLAMA_8B, LLAMA_70B, MIXTRAL, QWEN3_235B, quantized
from zoo.devices import GIB, find_device
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis, analyze
from zoo.metrics.fit import fit_device
from zoo.metrics.memory import Plan, describe_split, make_plan
from zoo.metrics.split import Split

T5: dict[str, Any] = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "dtype": "float32"}
BERT: dict[str, Any] = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "dtype": "float32"}
#: Qwen3.6-27B: every fourth of 64 layers attends, the others are gated delta nets.
QWEN36_27B: dict[str, Any] = {
    "model_type": "qwen3_5_text",
    "architectures": ["Qwen3_5ForCausalLM"],
    "hidden_size": 5120,
    "intermediate_size": 17408,
    "num_hidden_layers": 64,
    "num_attention_heads": 24,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 16,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 48,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
    "vocab_size": 248320,
    "max_position_embeddings": 262144,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}
MODELS = (LLAMA_8B, GPT_OSS_120B, DEEPSEEK_V3, MIXTRAL, GPT2, T5, QWEN36_27B)


@cache
def analyze_known(index: int) -> Analysis:
    return analyze(MODELS[index])


def plan(config: dict[str, Any], split: Split | int = 1, **options: Any) -> Plan:
    known = next((index for index, one in enumerate(MODELS) if one is config), None)
    return make_plan(analyze(config) if known is None else analyze_known(known), split, **options)


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


def test_qwen36_as_llama_cpp_logged_it() -> None:
    # llama.cpp on Qwen3.6-27B (lmstudio-bug-tracker issue 1862; the Q8 there is the weights, the cache is f16):
    # "size = 16384.00 MiB (262144 cells, 16 layers, 4/1 seqs)" and "size = 598.50 MiB (4 cells, 64 layers, 4 seqs)",
    # where the states of the other 48 layers are kept in f32, convolutions too.
    qwen = plan(QWEN36_27B, kv_dtype="f16")
    assert qwen.hold_sequence(262_144).cache == 16_384 << 20
    (piece,) = qwen.stages[0].pieces
    assert piece.layers == 16
    wide = plan(QWEN36_27B | {"dtype": "float32"}, kv_dtype="f16")
    assert 4 * wide.hold_sequence(1).state == 598.5 * (1 << 20)


def test_a_cache_in_q8_0_counts_its_scales() -> None:
    # Blocks of 32 values take 34 bytes (ggml-common.h).
    assert plan(QWEN36_27B, kv_dtype="q8_0").hold_sequence(262_144).cache == (16_384 << 20) * 34 // 64
    assert plan(QWEN36_27B, kv_dtype="llama.cpp:q8_0").kv_dtype == "llama.cpp:q8_0"


def test_qwen3_235b_as_sglang_logged_it_on_four_devices() -> None:
    # SGLang with --tp 4 (vllm issue 21348): "#tokens: 367404, K size: 8.23 GB, V size: 8.23 GB" on each device:
    # 94 layers, one of the four KV heads on each.
    held = plan(QWEN3_235B, 4).hold_sequence(367_404).cache
    assert f"{held / 2 / GIB:.2f}" == "8.23"


def test_deepseek_as_an_engine_loaded_it_on_eight_devices() -> None:
    # vLLM on eight Gaudi 2 (HabanaAI/vllm-fork issue 809): "Pre-loading model weights ... took 79.41 GiB of device
    # memory" for DeepSeek-R1, which has the config of V3.
    assert plan(DEEPSEEK_V3, 8).weights / GIB == pytest.approx(79.41, rel=0.002)


def test_raschka_s_gallery_of_bytes_per_token() -> None:
    rates = {"gpt2-xl": 300, "llama-3-8b": 128}
    xl = GPT2 | {"n_embd": 1600, "n_layer": 48, "n_head": 25, "dtype": "bfloat16"}
    assert plan(xl).hold_sequence(1).cache == rates["gpt2-xl"] << 10
    assert plan(LLAMA_8B).hold_sequence(1).cache == rates["llama-3-8b"] << 10
    assert f"{plan(DEEPSEEK_V3).hold_sequence(1).cache / 1024:.1f}" == "68.6"


def test_a_cache_in_fp8_is_half_of_one_in_bf16() -> None:
    assert 2 * plan(LLAMA_8B, kv_dtype="fp8").hold_sequence(5000).cache == plan(LLAMA_8B).hold_sequence(5000).cache


def test_deepseek_s_cache_in_vllm_s_own_format() -> None:
    assert plan(DEEPSEEK_V3, kv_dtype="fp8_ds_mla").hold_sequence(10).cache == 10 * 61 * 656


def test_memory_is_a_line_that_bends_where_windows_are_full() -> None:
    line = plan(GPT_OSS_120B).draw_line(1000, 2)
    assert (line.intercept, line.full_from) == (65_248_815_744, 128)
    assert (line.slope, line.slope_long) == (2 * 73_728, 2 * 36_864)
    assert line.window == 2 * 128 * 36_864
    assert plan(LLAMA_8B).draw_line(1, 1) == (16_060_522_496, 131_072, 131_072, 0, 0)


def test_two_devices_split_matrices_and_repeat_vectors() -> None:
    halves = plan(LLAMA_8B, 2)
    vectors = 65 * 4096
    assert halves.weights == (8_030_261_248 - vectors) // 2 * 2 + 2 * vectors
    assert halves.weights_all == 2 * halves.weights
    assert halves.hold_sequence(1000).cache == 1000 * 65_536


def test_fewer_kv_heads_than_devices_are_repeated() -> None:
    wide = plan(LLAMA_8B, 16)
    assert wide.hold_sequence(1000).cache == 1000 * 131_072 // 8
    assert describe_split(wide)[-1] == "8 KV heads for 16 devices: each device keeps one, copies of the same"
    assert any("(32 of queries, 8 of keys) do not divide by 3" in note for note in describe_split(plan(LLAMA_8B, 3)))
    assert describe_split(plan(LLAMA_8B)) == []


def test_kv_heads_that_are_dealt_out_unevenly_are_said() -> None:
    ten = LLAMA_8B | {"num_attention_heads": 40, "num_key_value_heads": 10, "head_dim": 128, "hidden_size": 5120}
    assert plan(ten, 8).hold_sequence(100).cache * 5 == plan(ten).hold_sequence(100).cache  # two of ten on the fullest
    assert any("(40 of queries, 10 of keys) do not divide by 8" in note for note in describe_split(plan(ten, 8)))
    assert not any("do not divide" in note for note in describe_split(plan(ten, 5)))


def test_several_caches_of_a_layer_hold_but_are_not_laid_out() -> None:
    known = analyze(LLAMA_8B)
    assert known.ledger is not None
    (state,) = known.ledger.states
    beside = state._replace(kind="sliding", window=128, per_token=64)
    several = make_plan(replace(known, ledger=replace(known.ledger, states=(state, beside))))
    assert not several.laid_out
    assert several.hold_sequence(1000).cache == 1000 * 131_072 + 128 * 32 * 64 * 2
    with pytest.raises(UsageError, match="is not worked out"):
        several.need(1000, 1, reserved=True)
    fit = fit_device(several, find_device("H200"), 1000, 1)
    assert fit.reserved_bytes is fit.fits_reserved is fit.longest_context_reserved_tokens is None
    assert fit.reserved == {}


def test_a_latent_cache_is_whole_on_each_device() -> None:
    eight = plan(DEEPSEEK_V3, 8)
    assert eight.hold_sequence(1000).cache == 1000 * 70_272
    assert "the latent cache is whole on each device" in describe_split(eight)


def test_stages_hold_whole_layers_and_the_fullest_decides() -> None:
    four = plan(LLAMA_70B, Split(1, 4))
    assert [len(stage.layers) for stage in four.stages] == [20, 20, 20, 20]
    layer = 2 * (8192 * 8192 * 2 + 2 * 8192 * 1024 + 3 * 8192 * 28672 + 2 * 8192)
    table = 2 * 128256 * 8192
    assert [stage.weights for stage in four.stages] == [
        20 * layer + table,
        20 * layer,
        20 * layer,
        20 * layer + table + 2 * 8192,
    ]
    assert four.weights == four.stages[-1].weights
    assert four.hold_sequence(1000).cache == 1000 * 20 * 4096
    assert any("layers by stage: 20, 20, 20, 20" in note for note in describe_split(four))


def test_a_tied_table_is_stored_at_both_ends_of_a_pipeline() -> None:
    tied = LLAMA_8B | {"tie_word_embeddings": True}
    table = 2 * 128256 * 4096
    assert plan(tied, Split(1, 2)).weights_all == plan(tied).weights + table


def test_experts_dealt_out_repeat_the_rest_in_groups() -> None:
    dealt = plan(DEEPSEEK_V3, Split(1, 1, 8), weights_dtype="bf16")
    params = dealt.params
    assert dealt.gpus == 8
    assert dealt.count_own(20) == 3
    assert dealt.weights == 2 * (params.total - params.by_part["experts"] * 7 // 8)
    assert dealt.find_most(dealt.weights + 5 * 70_272 * 100, 100) == 8 * 5
    assert any("repeated in 8 groups" in note for note in describe_split(dealt))


def test_experts_may_be_dealt_to_some_and_split_over_others() -> None:
    # Tensor parallel 8 with experts over 2: each device has a quarter of each of half of the experts.
    both, split = plan(MIXTRAL, Split(8, 1, 2)), plan(MIXTRAL, Split(8))
    assert both.gpus == split.gpus == 8
    assert both.weights == split.weights


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
    assert bert.find_most(1000, 512) == 0
    assert bert.count_full_rate(10**9) is None


@pytest.mark.parametrize(
    ("config", "options", "reason"),
    [
        ({"model_type": "nobody-knows"}, {}, "sizes of this model are not known"),
        (LLAMA_8B, {"split": 0}, "at least one device"),
        (LLAMA_8B, {"split": Split(1, 33)}, "32 layers cannot make 33"),
        (LLAMA_8B, {"weights_dtype": "q17"}, "unknown data type"),
        (LLAMA_8B, {"kv_dtype": "q17"}, "unknown data type"),
        (LLAMA_8B, {"kv_dtype": "fp8_ds_mla"}, "cannot be kept in vllm:fp8_ds_mla"),
        (quantized(LLAMA_8B, quant_method="hqq"), {}, "name one with --weights-dtype"),
        (LLAMA_8B | {"dtype": "strange"}, {}, "name one with --weights-dtype"),
        (LLAMA_8B | {"dtype": "strange"}, {"weights_dtype": "int4"}, "name one with --kv-dtype"),
    ],
)
def test_what_cannot_be_sized_is_refused(config: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        plan(config, **options)


models = st.sampled_from(MODELS)
tokens = st.integers(1, 1 << 20)
splits = st.builds(
    lambda tensor, pipeline, power: Split(tensor, pipeline, tensor << power if power >= 0 else 1),
    st.sampled_from([1, 2, 3, 4, 8, 16]),
    st.integers(1, 4),
    st.integers(-1, 2),
)


@given(config=models, split=splits, length=tokens, more=st.integers(0, 10**6), batch=st.integers(1, 64))
def test_more_tokens_and_more_sequences_never_need_less(
    config: dict[str, Any], split: Split, length: int, more: int, batch: int
) -> None:
    some = plan(config, split)
    for reserved in (False, True):
        needs = [some.need(t, b, reserved=reserved) for t, b in ((length, batch), (length + more, batch))]
        assert needs[0] <= needs[1] <= some.need(length + more, batch + 1, reserved=reserved)
    for stage in some.stages:
        assert stage.hold(length).total <= stage.reserve(length).total
        assert stage.reserve(length).cache <= stage.reserve(length + more).cache


@given(config=models, length=tokens)
def test_more_bits_are_never_smaller(config: dict[str, Any], length: int) -> None:
    sizes = [plan(config, weights_dtype=d, kv_dtype=d).need(length, 1) for d in ("int4", "fp8", "bf16", "fp32")]
    assert sizes == sorted(sizes)


@given(config=models, split=splits, budget=st.integers(0, 10**12), batch=st.integers(1, 16), reserved=st.booleans())
def test_the_longest_context_fits_and_one_token_more_does_not(
    config: dict[str, Any], split: Split, budget: int, batch: int, reserved: bool
) -> None:
    some = plan(config, split)
    longest = some.find_longest(budget, batch, reserved=reserved)
    assert longest is not None
    if longest:
        assert some.need(longest, batch, reserved=reserved) <= budget
    assert some.need(longest + 1, batch, reserved=reserved) > budget


@given(config=models, split=splits, budget=st.integers(0, 10**12), length=tokens, reserved=st.booleans())
def test_the_most_sequences_fit_and_one_more_does_not(
    config: dict[str, Any], split: Split, budget: int, length: int, reserved: bool
) -> None:
    some = plan(config, split)
    most = some.find_most(budget, length, reserved=reserved)
    assert most is not None
    if most:
        assert some.need(length, most, reserved=reserved) <= budget
    assert some.need(length, most + 1, reserved=reserved) > budget


@given(config=models, split=splits, length=tokens)
def test_all_devices_hold_at_least_the_whole_and_none_more_than_it(
    config: dict[str, Any], split: Split, length: int
) -> None:
    whole, part = plan(config), plan(config, split)
    assert whole.weights <= part.weights_all
    assert part.weights <= whole.weights
    held = [stage.hold(length).total for stage in part.stages]
    assert max(held) <= whole.hold_sequence(length).total
    assert whole.hold_sequence(length).total <= split.tensor * sum(held)


@given(config=models, length=tokens, batch=st.integers(1, 9))
def test_a_split_by_one_is_the_whole(config: dict[str, Any], length: int, batch: int) -> None:
    whole = plan(config)
    assert plan(config, Split(1, 1, 1)).need(length, batch) == whole.need(length, batch)
    packing = analyze(config).packing
    assert packing is not None
    assert whole.weights == whole.weights_all == packing.bytes
    line = whole.draw_line(length, batch)
    held = [Fraction(0)] + [p.per_token * p.layers * min(length, p.window or length) for p in whole.stages[0].pieces]
    assert abs(line.intercept + batch * sum(held) - whole.need(length, batch)) <= batch


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
    whisper = plan(WHISPER_TINY, 2, kv_dtype="fp8")
    held = whisper.hold_sequence(10)
    assert held.state == 4 * 2 * 384 * 1500 // 2
    assert held.cache == 10 * 4 * 2 * 384 // 2


def test_a_state_space_model_keeps_the_same_however_long() -> None:
    mamba = plan(MAMBA_130M)
    # Mamba-1: d_inner x (k - 1) of convolution and d_inner x d_state of state, d_inner = 1,536.
    assert mamba.hold_sequence(1).total == mamba.hold_sequence(10**6).total == 24 * 1536 * (3 + 16) * 2
    assert mamba.find_longest(10**12, 1) is None
    assert plan(MAMBA_130M, 2).hold_sequence(1).total == 24 * 1536 * (3 + 16)
    assert mamba.reserve_sequence(1000) == (0, 24 * 1536 * (3 + 16) * 2)


def test_a_vision_tower_keeps_nothing_and_stands_on_the_first_stage() -> None:
    text = analyze(GEMMA3).ledger
    assert text is not None
    assert any(state.stack == "vision" for state in text.states)
    assert plan(GEMMA3).hold_sequence(1).cache == 34 * 2 * 4 * 256 * 2
    first, last = plan(GEMMA3, Split(1, 2)).stages
    assert first.weights > last.weights


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
