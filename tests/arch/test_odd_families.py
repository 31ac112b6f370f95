"""Types that attend, pool or predict in a way of their own: what they cost, what they keep, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError
from zoo.metrics.sums import sum_cache, sum_flops, sum_params

Config = dict[str, Any]

BERT: Config = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 96}
BERT |= {"vocab_size": 100, "max_position_embeddings": 130}
NYSTROM: Config = {"model_type": "nystromformer", **BERT, "segment_means_seq_len": 64, "conv_kernel_size": 5}
YOSO: Config = {"model_type": "yoso", **BERT, "conv_window": 5}
MRA: Config = {"model_type": "mra", **BERT, "max_position_embeddings": 128}

FUNNEL: Config = {"model_type": "funnel", "d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 48, "vocab_size": 100}
FUNNEL |= {"block_sizes": [2, 1, 3]}
BOTH: Config = {"pool_q_only": False, "attention_type": "factorized", "block_repeats": [2, 1, 2]}

PERCEIVER: Config = {"model_type": "perceiver", "d_latents": 32, "d_model": 24, "num_latents": 8, "vocab_size": 97}
PERCEIVER |= {"num_self_attends_per_block": 3, "num_self_attention_heads": 2, "num_cross_attention_heads": 4}
PERCEIVER |= {"max_position_embeddings": 64}
LABELS = {"architectures": ["PerceiverForSequenceClassification"]}

SEES: Config = {"model_type": "perceiver", "num_latents": 512, "d_latents": 1024, "num_blocks": 8, "image_size": 224}
SEES |= {"num_self_attends_per_block": 6, "num_cross_attention_heads": 1, "num_labels": 1000}
FLOWS: Config = {"model_type": "perceiver", "num_latents": 2048, "d_latents": 512, "num_self_attends_per_block": 24}
FLOWS |= {"num_self_attention_heads": 16, "num_cross_attention_heads": 1}
REBUILDS: Config = {"model_type": "perceiver", "num_latents": 784, "d_latents": 512, "num_self_attends_per_block": 8}
REBUILDS |= {"num_cross_attention_heads": 1, "num_labels": 700}

REFORMER: Config = {"model_type": "reformer", "hidden_size": 32, "num_attention_heads": 2, "attention_head_size": 12}
REFORMER |= {"feed_forward_size": 48, "vocab_size": 100, "axial_pos_shape": [16, 16], "axial_pos_embds_dim": [16, 16]}
REFORMER |= {"local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8, "max_position_embeddings": 256}
LOCAL, HASHED = {"attn_layers": ["local", "local"]}, {"attn_layers": ["lsh", "lsh"]}
BESIDE = {"local_num_chunks_after": 1, "lsh_num_chunks_after": 1}
DECODER = {"is_decoder": True, "architectures": ["ReformerModelWithLMHead"]}

PROPHET: Config = {"model_type": "prophetnet", "hidden_size": 32, "num_buckets": 8, "vocab_size": 64}
PROPHET |= {"num_encoder_attention_heads": 4, "num_decoder_attention_heads": 2, "max_position_embeddings": 64}
PROPHET |= {"num_encoder_layers": 3, "num_decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 40}

#: A config, a number of tokens, and the FLOPs that torch's counter saw in one pass of the model over them.
COUNTED: tuple[tuple[Config, int, int], ...] = (
    ({"model_type": "ibert", **BERT}, 64, 15_499_264),
    (NYSTROM | {"num_landmarks": 8}, 64, 13_680_640),
    (NYSTROM | {"num_landmarks": 32}, 64, 36_462_592),
    (NYSTROM | {"num_landmarks": 64}, 64, 15_622_144),
    (YOSO, 64, 15_622_144),
    (FUNNEL, 128, 34_000_896),
    (FUNNEL | {"pool_q_only": False}, 128, 31_903_744),
    (FUNNEL | {"attention_type": "factorized"}, 128, 42_192_896),
    (FUNNEL | {"block_repeats": [1, 2, 3]}, 128, 41_373_696),
    (FUNNEL | {"architectures": ["FunnelBaseModel"]}, 128, 20_041_728),
    (FUNNEL | {"d_head": 12}, 128, 26_737_664),
    (FUNNEL | BOTH, 128, 59_408_384),
    (PERCEIVER, 64, 2_309_120),
    (PERCEIVER | {"qk_channels": 16, "v_channels": 32}, 64, 2_253_824),
    (PERCEIVER | {"num_blocks": 3}, 64, 2_948_096),
    (PERCEIVER | {"cross_attention_shape_for_attention": "q"}, 64, 2_382_848),
    (PERCEIVER | LABELS, 64, 615_552),
    (REFORMER | LOCAL, 128, 5_177_344),
    (REFORMER | HASHED | {"num_buckets": 8}, 128, 4_833_280),
    (REFORMER | HASHED | {"num_buckets": [4, 8], "num_hashes": 3}, 128, 5_791_744),
    (REFORMER | {"attn_layers": ["local", "lsh"], "num_buckets": 8} | BESIDE, 128, 5_201_920),
    (REFORMER | HASHED | {"num_buckets": 8} | DECODER, 128, 4_833_280),
)


def prefill(config: Config, tokens: int) -> int:
    return sum_flops(build_ledger(config), [tokens]).prefill_at[str(tokens)]


@pytest.mark.parametrize(("config", "tokens", "counted"), COUNTED)
def test_a_pass_costs_what_torch_counted(config: Config, tokens: int, counted: int) -> None:
    assert prefill(config, tokens) == counted


@pytest.mark.parametrize("config", [FUNNEL, PERCEIVER, PROPHET])
def test_weights_that_are_passed_more_or_less_often_are_stored_once_and_all_active(config: Config) -> None:
    ledger = build_ledger(config)
    params = sum_params(ledger)
    assert params.active == params.total
    again = [t for t in ledger.tensors if t.tied_to == t.name]
    assert again
    assert {t.name for t in again} <= {t.name for t in ledger.tensors if not t.tied_to}


def test_the_fourier_transform_multiplies_no_weights_and_grows_with_the_text_alone() -> None:
    config = {"model_type": "fnet", **BERT}
    assert build_ledger(config).states == ()
    assert prefill(config, 192) - prefill(config, 128) == prefill(config, 128) - prefill(config, 64)


def test_landmarks_cost_the_same_for_each_token() -> None:
    assert {state.kind for state in build_ledger(NYSTROM | {"num_landmarks": 8}).states} == {"linear"}
    assert {state.kind for state in build_ledger(NYSTROM | {"num_landmarks": 64}).states} == {"full"}


def test_a_token_sees_as_many_blocks_as_the_longest_text_has_at_most() -> None:
    windows = [{s.window for s in build_ledger(MRA | {"block_per_row": n}).states} for n in (0, 1, 2, 9)]
    assert windows == [{None}, {32, None}, {64, None}, {128, None}]


def test_means_cost_half_where_values_are_left_out() -> None:
    wide = MRA | {"hidden_size": 1024}
    coarse = [build_ledger(wide | {"approx_mode": mode}).states[1].flops_per_pos for mode in ("full", "sparse")]
    assert coarse == [4, 2]


def test_drawn_hashes_cost_the_same_for_each_token_and_more_by_random_vectors() -> None:
    drawn = YOSO | {"use_expectation": False, "num_hash": 8, "hash_code_len": 4}
    fast, slow = (prefill(drawn | {"use_fast_hash": fast}, 64) for fast in (True, False))
    assert slow - fast == 64 * 3 * 4 * 64 * 8 * 4
    assert prefill(drawn, 128) == 2 * prefill(drawn, 64)


@pytest.mark.parametrize("streams", [1, 2, 3])
def test_every_stream_of_prophetnet_costs_as_much_as_the_text(streams: int) -> None:
    one, more = (sum_flops(build_ledger(PROPHET | {"ngram": n}), [24]) for n in (1, 1 + streams))
    per_layer = 6 * 32**2 + 32 * 8 * 2 + 2 * 32 * 40
    attention = 4 * 32 * (24 + 24 + 1)
    assert more.prefill_at == one.prefill_at
    assert more.decode_at["24"] is not None
    assert one.decode_at["24"] is not None
    extra = more.decode_at["24"] - one.decode_at["24"]
    assert extra == streams * (2 * (2 * per_layer + 32 * 64) + 2 * attention)


def test_prophetnet_keeps_keys_and_values_of_the_text_alone() -> None:
    cache = sum_cache(build_ledger(PROPHET | {"ngram": 3}), "float16", None, [200])
    assert (cache.elements_per_token, cache.cross_elements_per_source_token) == (2 * 2 * 32, 2 * 2 * 32)


def test_a_reformer_that_decodes_keeps_inputs_and_hashes() -> None:
    config = REFORMER | {"attn_layers": ["local", "lsh"], "num_buckets": 8, "num_hashes": 3} | DECODER
    cache = sum_cache(build_ledger(config), "float16", None, [64])
    assert cache.elements_per_token == 2 * 32 + 2 * 3
    assert cache.bytes_at == {"64": 64 * (2 * 2 * 32 + 8 * 2 * 3)}


def test_buckets_that_are_not_known_yet_are_twice_as_many_as_chunks() -> None:
    for tokens, buckets in ((32, 8), (64, 16)):
        assert prefill(REFORMER | HASHED, tokens) == prefill(REFORMER | HASHED | {"num_buckets": buckets}, tokens)


@pytest.mark.parametrize(
    ("config", "total"),
    [
        ({"model_type": "perceiver", "qk_channels": 256, "v_channels": 1280}, 201_108_230),
        ({"model_type": "fnet"}, 83_485_184),
        ({"model_type": "prophetnet"}, 391_321_600),
    ],
)
def test_known_totals_are_met(config: Config, total: int) -> None:
    assert sum_params(build_ledger(config)).total == total


@pytest.mark.parametrize(
    ("config", "task", "total"),
    [
        (SEES, "ImageClassificationLearned", 62_255_848),
        (SEES, "ImageClassificationFourier", 48_440_627),
        (SEES, "ImageClassificationConvProcessing", 48_646_522),
        (FLOWS, "OpticalFlow", 41_057_134),
        (REBUILDS, "MultimodalAutoencoding", 19_858_855),
    ],
)
def test_a_perceiver_that_sees_costs_a_text_nothing(config: Config, task: str, total: int) -> None:
    ledger = build_ledger(config | {"architectures": [f"PerceiverFor{task}"]})
    assert sum_params(ledger).total == total
    assert sum_flops(ledger, [64]).prefill_at == {"64": 0}
    assert {tensor.stack for tensor in ledger.tensors} == {"vision"}


def test_a_reformer_without_axes_has_one_table_of_positions() -> None:
    tables = [t.shape for t in build_ledger(REFORMER | {"axial_pos_embds": False}).tensors if t.part == "position"]
    assert tables == [(256, 32)]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "fnet", "use_tpu_fourier_optimizations": True}, "stores matrices on some machines only"),
        (NYSTROM | {"inv_coeff_init_option": True}, "inv_coeff_init_option"),
        (MRA | {"approx_mode": "half"}, "approx_mode 'half' is not known"),
        (FUNNEL | {"block_sizes": []}, "block_sizes is not a list of sizes"),
        (FUNNEL | {"block_sizes": [1] * 21}, "block_sizes or block_repeats are out of range"),
        (FUNNEL | {"block_repeats": [1]}, "block_repeats has 1 blocks, block_sizes 3"),
        (FUNNEL | {"attention_type": "other"}, "attention_type 'other' is not known"),
        (FUNNEL | {"num_decoder_layers": 10_001}, "num_decoder_layers 10001 is out of range"),
        (FUNNEL | {"quantization_config": {"quant_method": "gptq"}}, "quantization_config is not followed"),
        (PERCEIVER | {"cross_attention_shape_for_attention": "v"}, "'v' is not known"),
        (PERCEIVER | {"num_cross_attention_heads": 5}, "num_cross_attention_heads 5 does not divide d_latents"),
        (PERCEIVER | {"num_self_attention_heads": 5}, "do not divide into 5 num_self_attention_heads"),
        (PERCEIVER | {"qk_channels": 18}, "attention of 18 and 18 channels in 4 heads"),
        (REFORMER | {"attn_layers": ["local", "global"]}, "layers of kind 'global' are not known"),
        (REFORMER | {"attn_layers": ["local", "lsh"], "num_hidden_layers": 3}, "names 2 layers where the model has 3"),
        (REFORMER | {"axial_pos_embds_dim": [16, 8]}, "axial_pos_embds_dim"),
        (REFORMER | {"axial_pos_shape": 64}, "axial_pos_shape is not a list of sizes"),
        (REFORMER | {"is_decoder": True}, "is_decoder is True, which the class refuses"),
        (REFORMER | BESIDE | DECODER, "num_chunks_after in a decoder"),
        (PROPHET | {"num_encoder_attention_heads": 5}, "num_encoder_attention_heads 5 does not divide hidden_size"),
        ({"model_type": "ultravbert", "text_config": {"model_type": "modernbert"}}, "'modernbert' is not followed"),
    ],
)
def test_what_is_not_followed_is_refused_by_name(config: Config, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
