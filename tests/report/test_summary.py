"""The sentences at the top say what the numbers say."""

from __future__ import annotations

from dataclasses import replace

from tests.report.fakes import BERT, GPT2, LLAMA, MIXTRAL, UNKNOWN, make_models, make_row, make_rows
from zoo.report.summary import count_need, list_differences, write_summary


def tell(rows, context: int = 1 << 15) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return dict(write_summary(make_models(rows, context), context))


def test_two_models_with_one_cache() -> None:
    said = tell(make_rows(2))
    assert said["Size"] == "From Mistral-7B-v0.1 with 7.24 B parameters to Llama-3.1-8B with 8.03 B, 1.1× as many."
    assert said["Cache"] == "Both need the same cache: 131,072 bytes (128.0 KiB) of KV cache per token."
    assert said["Dense or sparse"].startswith("All are dense")
    assert said["Fit"] == (
        "Both fit on one 80 GB device (80 × 10⁹ bytes) with weights as stored and one sequence of 32,768 tokens."
    )
    assert said["Near twins"] == (
        "Mistral-7B-v0.1 and Llama-3.1-8B differ only in vocabulary (32,000 and 128,256), "
        "context (32,768 and 131,072), window (4,096 and none) and RoPE θ (10,000 and 500,000)."
    )


def test_the_smallest_cache_and_by_what_factor() -> None:
    said = tell(make_rows(5))["Cache"]
    assert said == (
        "gemma-3-1b-it needs the least, 26,624 bytes (26.00 KiB) of KV cache per token; gpt2 needs 2.8× as much, "
        "Mistral-7B-v0.1, Llama-3.1-8B and Mixtral-8x7B-v0.1 the most, 4.9× as much."
    )


def test_a_cache_that_does_not_grow_is_told_apart() -> None:
    rows = [make_row("a/llama", LLAMA), make_row("a/bert", BERT)]
    assert tell(rows)["Cache"] == (
        "llama keeps 131,072 bytes (128.0 KiB) of KV cache per token, 4.295 GB at 32k tokens. "
        "bert keeps no cache that grows with the context."
    )
    assert tell(rows[1:])["Cache"] == "bert keeps no cache that grows with the context."


def test_more_than_two_that_are_alike() -> None:
    rows = [make_row(f"a/{name}", LLAMA | {"vocab_size": size}) for name, size in (("x", 10), ("y", 20), ("z", 30))]
    assert tell(rows)["Cache"].startswith("All need the same cache")
    assert tell(rows)["Fit"].startswith("All fit")


def test_the_second_smallest_is_the_most_where_there_are_two() -> None:
    rows = [make_row("a/small", LLAMA | {"num_hidden_layers": 16}), make_row("a/large", LLAMA)]
    assert tell(rows)["Cache"].endswith("of KV cache per token; large needs 2.0× as much.")


def test_sparse_models_with_their_active_share() -> None:
    rows = [make_row("a/moe", MIXTRAL), make_row("a/llama", LLAMA)]
    said = tell(rows)["Dense or sparse"]
    assert said == "Sparse: moe with 12.9 B of 46.7 B active (27.6 %); the other one is dense."
    assert tell(rows[:1])["Dense or sparse"].endswith("(27.6 %); none is dense.")
    many = [make_row(f"a/moe-{i}", MIXTRAL | {"num_hidden_layers": i}) for i in range(2, 9)]
    assert "and 3 more; none is dense." in tell(many)["Dense or sparse"]
    assert tell([*rows, make_row("a/gpt2", GPT2)])["Dense or sparse"].endswith("; the other 2 are dense.")


def test_what_fits_one_device_and_what_does_not() -> None:
    rows = [make_row("a/moe", MIXTRAL), make_row("a/llama", LLAMA)]
    assert tell(rows)["Fit"] == (
        "On one 80 GB device (80 × 10⁹ bytes), with weights as stored and one sequence of 32,768 tokens, llama fits; "
        "moe (97.70 GB, 90.99 GiB) does not."
    )
    assert tell(rows[:1])["Fit"].startswith("None fits on one 80 GB device")
    assert tell(rows[1:])["Fit"].startswith("llama fits on")


def test_the_need_is_weights_and_cache() -> None:
    (model,) = make_models([make_row("a/llama", LLAMA)])
    assert count_need(model, 1 << 15) == 16_060_522_496 + 131072 * 32768
    assert count_need(model, 12345) is None


def test_a_model_without_sizes_in_bytes_is_not_said_to_fit() -> None:
    said = tell([make_row("a/odd", LLAMA | {"torch_dtype": "float13"})])
    assert "Fit" not in said
    assert "Cache" not in said


def test_one_model_alone() -> None:
    said = tell(make_rows(1))
    assert said["Size"] == "Llama-3.1-8B has 8,030,261,248 parameters (8.03 B)."
    assert "Near twins" not in said


def test_models_without_numbers_are_said_to_be_so() -> None:
    assert tell([make_row("a/odd", UNKNOWN)]) == {
        "Numbers": "None of these models can be counted; the reasons stand below."
    }


def test_equal_ledgers_are_twins_and_a_missing_head_is_a_difference() -> None:
    rows = [make_row("a/one", LLAMA), make_row("b/two", LLAMA)]
    assert tell(rows)["Near twins"] == "one and two have the same architecture and the same sizes."
    assert tell(rows)["Size"] == "All have 8,030,261,248 parameters."
    rows[1] = make_row("b/two", LLAMA | {"architectures": ["LlamaModel"]})
    assert "head (none and ForCausalLM)" in tell(rows)["Near twins"]


def test_what_no_listed_fact_tells_apart_differs_at_least_in_parameters() -> None:
    one, two = make_models([make_row("a/one", LLAMA), make_row("b/two", LLAMA)])
    other = replace(two, facts={**two.facts, "fingerprint": "another"})
    assert list_differences(one, other) == [("parameters", 8_030_261_248, 8_030_261_248)]


def test_flags_are_words() -> None:
    rows = [make_row("a/one", LLAMA), make_row("b/two", LLAMA | {"tie_word_embeddings": True})]
    assert "tied embeddings (yes and no)" in tell(rows)["Near twins"]


def test_many_names_are_counted() -> None:
    said = tell(make_rows(20))["Fit"]
    assert " more fit" in said


def test_the_fifth_sentence_is_of_twins_of_context_or_of_families() -> None:
    assert tell(make_rows(1))["Context"] == (
        "Llama-3.1-8B declares 131,072 tokens; a sequence of that length keeps 17.18 GB."
    )
    odd = [make_row("a/moe", MIXTRAL), make_row("a/gpt2", GPT2), make_row("a/llama", LLAMA)]
    assert tell(odd)["Context"].startswith("llama declares 131,072 tokens, the longest context; a sequence")
    assert "Context" not in tell([make_row("a/x", LLAMA | {"max_position_embeddings": 0})])
    many = [make_row(f"a/m{i}", LLAMA | {"vocab_size": 9 + i}) for i in range(61)]
    assert tell([*many, make_row("a/moe", MIXTRAL)])["Families"] == (
        "2 families; most models are of Llama (61) and Mistral (1)."
    )
