"""Derived against reported, on totals that the Hub reports for real models."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.configs import (
    BERT_BASE,
    DEEPSEEK_V3,
    FLAN_T5_BASE,
    GPT2,
    GPT_OSS_20B,
    GPT_OSS_120B,
    LLAMA_2_7B,
    LLAMA_8B,
    MOONLIGHT,
    QWEN3_235B,
    ROBERTA_BASE,
    T5_BASE,
    quantized,
)
from zoo.metrics.analysis import analyze
from zoo.metrics.reconcile import check

PYTHIA = {
    "model_type": "gpt_neox",
    "architectures": ["GPTNeoXForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 16384,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "rotary_pct": 0.25,
    "vocab_size": 50432,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "dtype": "float16",
}
FALCON_180B = {
    "model_type": "falcon",
    "architectures": ["FalconForCausalLM"],
    "hidden_size": 14848,
    "num_hidden_layers": 80,
    "num_attention_heads": 232,
    "num_kv_heads": 8,
    "new_decoder_architecture": True,
    "multi_query": True,
    "parallel_attn": True,
    "bias": False,
    "alibi": False,
    "vocab_size": 65024,
    "dtype": "bfloat16",
}


FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head", "mlp.gate"]}
NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4"}
QWEN_NVFP4 = quantized(QWEN3_235B, **NVFP4, exclude_modules=["model.layers.*.mlp.gate", "lm_head"])
NOT_DOWN = ["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj"]
DEEPSEEK_NVFP4 = quantized(
    DEEPSEEK_V3,
    **NVFP4,
    exclude_modules=["lm_head", "model.layers.61*", *(f"model.layers.*.self_attn.{name}" for name in NOT_DOWN)],
)
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
GPT_NEO = {
    "model_type": "gpt_neo",
    "architectures": ["GPTNeoForCausalLM"],
    "hidden_size": 768,
    "num_layers": 12,
    "num_heads": 12,
    "attention_types": [[["global", "local"], 6]],
    "vocab_size": 50257,
    "max_position_embeddings": 2048,
    "dtype": "float32",
}
QWEN3_EMBEDDING_8B = {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151665,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}


def run(config: dict[str, Any], total: int | None, **by_dtype: int) -> tuple[str, str | None]:
    return check(analyze(config).as_dict(), total, by_dtype)


def test_the_same_number_is_exact() -> None:
    assert run(LLAMA_8B, 8_030_261_248) == ("exact", None)


def test_a_missing_total_is_the_sum_of_the_types() -> None:
    assert run(LLAMA_8B, None, BF16=8_030_261_248)[0] == "exact"


# Totals from the Hub's safetensors metadata of meta-llama/Llama-2-7b-hf, openai-community/gpt2, EleutherAI/pythia-6.9b,
# tiiuae/falcon-180B, deepseek-ai/DeepSeek-R1 and -V3 (older count), openai/gpt-oss-120b and -20b (older counts),
# FacebookAI/roberta-base, google-bert/bert-base-uncased, google-t5/t5-base, google/flan-t5-base,
# EleutherAI/gpt-neo-125m, moonshotai/Moonlight-16B-A3B-Instruct, Qwen/Qwen3-Embedding-8B, Qwen/Qwen3-235B-A22B-FP8,
# nvidia/Qwen3-235B-A22B-NVFP4, nvidia/DeepSeek-V3.1-NVFP4, TheBloke/Llama-2-7B-GPTQ.
@pytest.mark.parametrize(
    ("config", "total", "said"),
    [
        (LLAMA_2_7B, 6_738_417_664, ["inv_freq) in every layer: +2,048"]),
        (GPT2, 137_022_720, ["causal masks in every layer: +12,582,912"]),
        (PYTHIA, 6_991_520_256, ["causal masks in every layer: +134,217,728", "inv_freq) in every layer: +512"]),
        (FALCON_180B, 179_522_565_120, ["lm_head.weight, tied to", "+965,476,352"]),
        (DEEPSEEK_V3, 684_489_845_504, ["(MTP) layers: +11,610,068,224", "buffers", "+14,848", "output head"]),
        (DEEPSEEK_V3, 684_531_386_000, ["scales", "+40,838,232", "(MTP) layers with their scales: +11,610,770,488"]),
        (GPT_OSS_120B, 120_412_337_472, ["scales and other numbers beside the mxfp4 weights: +3,583,180,800"]),
        (ROBERTA_BASE, 124_697_947, ["position ids", "+514"]),
        (BERT_BASE, 110_106_428, ["the pooler: +590,592", "the next-sentence head: +1,538"]),
        (T5_BASE, 222_903_936, ["a relative position table in the first cross-attention: +384"]),
        (FLAN_T5_BASE, 247_577_856, ["tied to shared.weight", "+24,674,304"]),
        (GPT_NEO, 150_364_416, ["causal masks in every second layer: +25,165,824"]),
        (MOONLIGHT, 15_960_111_936, ["+1,664", "of hidden size / heads in every layer: +1,728"]),
        (QWEN3_EMBEDDING_8B, 7_567_295_488, ["the output head, which is not stored: −621,219,840"]),
        (quantized(QWEN3_235B, **FP8), 235_107_904_512, ["scales", "+14,269,952"]),
        (QWEN_NVFP4, 132_806_618_624, ["no dimension: +14,612,430,848", "packed into words: −116,899,446,784"]),
        (DEEPSEEK_NVFP4, 393_632_819_968, ["−332,408,029,184", "(MTP) layers", "output head"]),
        (
            quantized(LLAMA_2_7B, **GPTQ),
            6_739_777_536,
            ["biases of zeros, which AutoGPTQ adds to packed matrices: +1,359,872", "inv_freq) in every layer: +2,048"],
        ),
        (GPT_OSS_20B, 21_511_953_984, ["scales and other numbers beside the mxfp4 weights: +597,196,800"]),
    ],
)
def test_every_difference_is_named(config: dict[str, Any], total: int, said: list[str]) -> None:
    word, why = run(config, total)
    assert word == "explained"
    assert why is not None
    for piece in said:
        assert piece in why


def test_logical_counts_of_packed_weights_are_exact() -> None:
    assert run(GPT_OSS_120B, 116_829_156_672) == ("exact", None)
    nf4 = quantized(LLAMA_8B, quant_method="bitsandbytes", load_in_4bit=True)
    assert run(nf4, None, BF16=1_050_939_392, U8=6_979_321_856) == ("exact", None)


def test_words_as_they_are_stored_are_explained() -> None:
    gptq = quantized(LLAMA_8B, quant_method="gptq", bits=4, group_size=128)
    packing = analyze(gptq).packing
    assert packing is not None
    word, why = run(gptq, sum(packing.stored_elements.values()))
    assert word == "explained"
    assert why is not None
    assert "gptq-int4 weights packed into words: −6,106,906,624" in why


def test_packed_words_without_their_scales_are_explained() -> None:
    # As the Hub counts nvidia/MiniMax-M2.5-NVFP4.
    words = analyze(QWEN_NVFP4).packing
    assert words is not None
    total = sum(words.stored_elements.values()) - words.scale_elements
    assert run(QWEN_NVFP4, total)[1] == "nvfp4 weights packed into words: −116,899,446,784"


def test_quant_states_of_bitsandbytes_are_told_from_anything_else() -> None:
    # unsloth/llama-3-8b-Instruct-bnb-4bit: the Hub once took every byte for two weights.
    nf4 = quantized(
        LLAMA_8B,
        quant_method="bitsandbytes",
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
    )
    word, why = run(nf4, 8_248_929_382)
    assert word == "explained"
    assert why is not None
    assert "the text of 224 quant states, counted twice: +77,414" in why
    assert run(nf4, 8_248_929_383)[0] == "mismatch"
    assert run(nf4, 8_258_929_382)[0] == "mismatch"
    plain = quantized(LLAMA_8B | {"dtype": "float32"}, quant_method="bitsandbytes", load_in_4bit=True)
    assert run(plain, 8_030_261_248 + 109_055_488 + 2 * 224 * 170)[0] == "explained"


def test_a_difference_that_nothing_accounts_for_is_a_mismatch() -> None:
    word, why = run(LLAMA_8B, 8_030_294_016)
    assert (word, why) == ("mismatch", "32,768 more stored (8,030,294,016) than derived (8,030,261,248)")
    assert run(LLAMA_8B, 8_030_261_247)[1] == "1 fewer stored (8,030,261,247) than derived (8,030,261,248)"


def test_without_a_total_or_a_derivation_nothing_is_checked() -> None:
    assert run(LLAMA_8B, None) == ("unchecked", "no count of stored weights is reported")
    assert run({"model_type": "nobody-knows"}, 5) == ("unchecked", "nothing is derived for this model")


@given(st.integers(-10_000, 10_000))
def test_only_the_exact_sum_explains(off: int) -> None:
    # Around a total that is explained, no other number is (2,048 are the rotary frequencies).
    expected = {0: "exact", 2048: "explained"}
    assert run(LLAMA_2_7B, 6_738_415_616 + off)[0] == expected.get(off, "mismatch")
