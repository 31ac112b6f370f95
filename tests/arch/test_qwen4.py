"""Qwen4-Exp: picked tokens, four residual streams, and tables as large as primes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError
from zoo.arch.families.qwen4 import is_prime, list_primes

INDEXER = {
    "indexer_n_heads": 16,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 256,
    "indexer_budget": 2048,
    "indexer_compress_ratio": 4,
}
TEXT: dict[str, Any] = {"model_type": "qwen4_exp_text"} | INDEXER
SMALL = TEXT | {"hidden_size": 32, "num_hidden_layers": 4, "num_experts": 4, "num_experts_per_tok": 1, "vocab_size": 64}
TABLES = {"ple_layer_ids": [2], "ngram_vocab_size_base": 90, "heads_per_ngram": 2, "ngram_size": 3}


def test_qwen4_exp_without_tables_is_67_9_billion() -> None:
    assert total(TEXT) == 67_410_763_392
    assert total({"model_type": "qwen4_exp", "text_config": INDEXER}) == 67_864_414_064


def test_a_layer_with_attention_keeps_keys_values_and_the_key_of_its_indexer() -> None:
    assert cached(TEXT) == {"full": 10 * (2 * 2 * 256 + 256)}


def test_a_query_attends_to_its_budget_and_an_unfinished_block() -> None:
    windows = {state.window for state in build_ledger(TEXT).states if state.kind == "full"}
    assert windows == {None, 2048 + 3}


def test_ten_of_512_experts_are_used() -> None:
    assert total(TEXT) - active(TEXT) == part(TEXT, "experts") * 502 // 512


def test_full_attention_is_another_word_for_indexed() -> None:
    kinds = ["linear_attention", "full_attention", "indexed_attention", "linear_attention"]
    assert cached(SMALL | {"layer_types": kinds}) == {"full": 2 * (2 * 2 * 256 + 256)}


def test_tables_of_ngrams_are_as_large_as_the_next_primes_and_padded_together() -> None:
    rows = -(-(97 + 101 + 103 + 107) // 128) * 128
    assert part(SMALL | TABLES, "embedding") - part(SMALL, "embedding") == rows * (32 // 4)
    assert buffers(SMALL | TABLES) == 3 + 4 + 4
    kept = [state.fixed for state in build_ledger(SMALL | TABLES).states if state.layers == [1]]
    assert kept == [4 * 32 * 3 * 3]


def test_a_second_table_takes_the_primes_after_the_first() -> None:
    both = SMALL | TABLES | {"ple_layer_ids": [3, 2, 2], "make_ngram_vocab_size_divisible_by": 1}
    sizes = [t.shape[0] for t in build_ledger(both).tensors if t.name.endswith("ngram_embedding.weight")]
    assert sizes == [97 + 101 + 103 + 107, 109 + 113 + 127 + 131]


@given(st.integers(min_value=0, max_value=20_000))
def test_a_prime_has_no_divisor(number: int) -> None:
    assert is_prime(number) == (number > 1 and all(number % d for d in range(2, int(number**0.5) + 1)))


def test_strong_pseudoprimes_are_no_primes() -> None:
    assert not any(is_prime(number) for number in (2047, 1_373_653, 25_326_001, 3_215_031_751))
    assert list_primes(20_000_000, 2) == (20_000_003, 20_000_023)


def test_the_whole_is_its_text_and_a_tower() -> None:
    whole = {"model_type": "qwen4_exp", "text_config": {k: v for k, v in SMALL.items() if k != "model_type"}}
    assert total(whole) == total(SMALL) + total({"model_type": "qwen4_exp_vision"})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "qwen4_exp_text"}, "indexer_kv_heads is None, not 1"),
    (SMALL | {"layer_types": ["sliding_attention"] * 4}, "layers of kind 'sliding_attention' are not known"),
    (SMALL | {"ple_layer_ids": 2}, "ple_layer_ids is not a list of layers"),
    (SMALL | {"ple_layer_ids": [5]}, "ple_layer_ids names layer 5 of 4"),
    (SMALL | TABLES | {"heads_per_ngram": 5}, "ple_embed_dim 32 is not a multiple of the 10 n-gram heads"),
    (SMALL | TABLES | {"heads_per_ngram": 4096, "ple_embed_dim": 8192}, "8192 n-gram heads are out of range"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
