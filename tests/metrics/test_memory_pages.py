"""What an engine reserves: blocks, pages of one size, groups; as engines logged them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.metrics.configs import GPT_OSS_120B, LLAMA_8B
from tests.metrics.test_memory import QWEN36_27B, plan
from zoo.devices import GIB
from zoo.metrics.pages import Constant, Group, Piece, choose_group, fill_up, lay_pages
from zoo.metrics.split import Split

QWEN35_9B = QWEN36_27B | {
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "linear_num_value_heads": 32,
    "layer_types": QWEN36_27B["layer_types"][:32],
}
QWEN36_35B = QWEN36_27B | {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 40,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "linear_num_value_heads": 32,
    "layer_types": QWEN36_27B["layer_types"][:40],
}
QWEN35_08B = QWEN36_27B | {
    "hidden_size": 1024,
    "intermediate_size": 3584,
    "num_hidden_layers": 24,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "linear_num_value_heads": 16,
    "layer_types": QWEN36_27B["layer_types"][:24],
}


@pytest.mark.parametrize(
    ("config", "kv_dtype", "block", "padding"),
    [
        # "Setting attention block size to 784 tokens", "Padding mamba page size by 0.13%" (vLLM on Qwen3.6-27B)
        (QWEN36_27B, "bf16", 784, "0.13%"),
        # 528 tokens (vLLM 0.25.1 on Qwen3.5-9B); with a cache in fp8 1,056 tokens and 0.76% (vLLM 0.16.1)
        (QWEN35_9B, "bf16", 528, "0.76%"),
        (QWEN35_9B, "fp8", 1056, "0.76%"),
        # 544 tokens (LMCache's recipe for Qwen3.5-0.8B)
        (QWEN35_08B, "bf16", 544, "2.64%"),
        # 1,568 tokens with a cache in fp8 (talos-argocd-proxmox issue 1995, on the successor of the same sizes)
        (QWEN36_27B, "fp8", 1568, "0.13%"),
        # 2,096 tokens and no padding with a cache in fp8 (vLLM on Qwen3.6-35B-A3B)
        (QWEN36_35B, "fp8", 2096, "0.00%"),
    ],
)
def test_hybrid_pages_as_vllm_logged_them(config: dict[str, Any], kv_dtype: str, block: int, padding: str) -> None:
    (stage,) = plan(config, kv_dtype=kv_dtype).stages
    attention, state = stage.groups
    assert attention.block == block
    assert attention.page == state.page
    (constant,) = stage.constants
    assert f"{float(state.page / constant.size - 1):.2%}" == padding


def test_an_engine_reserves_whole_blocks() -> None:
    llama = plan(LLAMA_8B)
    assert llama.reserve_sequence(8193).cache == 8208 * 131_072
    oss = plan(GPT_OSS_120B)
    # Full layers: 32,768 tokens; windowed ones: 128 - 1 + 2,048 in flight, in blocks of 16, and one more.
    assert oss.reserve_sequence(32_768).cache == 36_864 * (32_768 + 137 * 16)


def test_a_hybrid_reserves_a_page_for_the_state_of_each_layer() -> None:
    reserved = plan(QWEN36_27B).reserve_sequence(1000)
    page = 784 * 4096
    assert reserved.state == 48 * page
    assert reserved.cache == 16 * 2 * page  # two blocks of 784 tokens


def test_a_hybrid_s_concurrency_as_vllm_logged_it() -> None:
    # vLLM 0.19 on Qwen3.5-27B, which has the sizes of 3.6 (vllm issue 40691), 32,768 tokens a request: "GPU KV cache
    # size: 290,864 tokens" is blocks of 784 tokens for one of four groups, so 1,484 to 1,487 blocks in all;
    # "Maximum concurrency ... 33.04x" is those by the 45 that a request takes: 42 of tokens, 3 of states.
    reserved = plan(QWEN36_27B).reserve_sequence(32_768).total
    blocks = reserved // (16 * 784 * 4096)
    assert blocks == 45
    assert "33.04" in {f"{count / blocks:.2f}" for count in range(290_864 // 784 * 4, 290_864 // 784 * 4 + 4)}


def test_blocks_of_llama_8b_as_vllm_logged_them() -> None:
    # vLLM on a RTX 3090 (vllm issue 10517): 3.81 GiB of cache are 1,952 blocks, 2.89 GiB are 1,478; a cache for
    # 131,072 tokens takes 16.00 GiB (tpu-inference issue 223).
    llama = plan(LLAMA_8B)
    block = llama.reserve_sequence(1).cache
    for said, blocks in (("3.81", 1952), ("2.89", 1478)):
        assert f"{blocks * block / GIB:.2f}" == said
    assert llama.reserve_sequence(131_072).cache == 16 * GIB


def test_heads_on_several_devices_shrink_pages_alike() -> None:
    (whole,), (half,) = plan(QWEN36_27B).stages, plan(QWEN36_27B, Split(2)).stages
    assert [group.block for group in half.groups] == [group.block for group in whole.groups]
    assert half.groups[0].page * 2 == whole.groups[0].page


def test_kinds_are_filled_up_to_whole_groups() -> None:
    # Gemma-3-27B: 52 sliding and 10 full layers make groups of 10: 8 layers that hold nothing are added.
    pieces = [Piece("full", Fraction(1024), 10, None), Piece("sliding", Fraction(1024), 52, 1024)]
    groups = lay_pages(pieces, [])
    assert [(group.kind, group.layers) for group in groups] == [("full", 10), ("sliding", 60)]


def test_kinds_that_are_nearly_as_many_make_one_group_each() -> None:
    # gpt-oss-20b with a draft layer: 12 sliding and 13 full layers become 13 and 13.
    assert choose_group([12, 13]) == 13
    assert choose_group([10, 15]) == 10
    assert fill_up(12, 13) == 13
    assert fill_up(52, 10) == 60


def test_smaller_tokens_take_more_of_them_to_a_page() -> None:
    pieces = [Piece("full", Fraction(2048), 5, None), Piece("sliding", Fraction(4096), 5, 512)]
    full, sliding = lay_pages(pieces, [])
    assert (full.block, sliding.block) == (32, 16)
    assert full.page == sliding.page == 16 * 4096
    odd = lay_pages([Piece("full", Fraction(3000), 5, None), Piece("sliding", Fraction(4096), 5, 512)], [])
    assert odd[0].block == 16  # padded: no whole number of its tokens fills the page


def test_layers_of_one_kind_need_not_agree() -> None:
    # An indexer's keys beside latents: both see everything, so each fills blocks of its own.
    groups = lay_pages([Piece("full", Fraction(1152), 61, None), Piece("full", Fraction(132), 61, None)], [])
    assert [group.page for group in groups] == [16 * 1152, 16 * 132]


def test_chunks_are_kept_with_what_is_in_flight() -> None:
    chunked = Group("chunked", 8192, 1, 16, Fraction(16))
    assert chunked.count_blocks(100_000) == (8192 + 2048) // 16
    assert chunked.count_blocks(100) == 7


def test_cross_attention_is_reserved_for_itself() -> None:
    pieces = [Piece("full", Fraction(8), 2, None), Piece("cross", Fraction(8), 2, None)]
    assert [group.kind for group in lay_pages(pieces, [Constant(Fraction(64), 2)])] == ["full", "state", "cross"]
