"""Gemma 3n and 4: totals, what a token passes through, and what their layers keep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

GEMMA_4_26B: dict[str, Any] = {
    "model_type": "gemma4",
    "text_config": {
        "attention_k_eq_v": True,
        "enable_moe_block": True,
        "global_head_dim": 512,
        "head_dim": 256,
        "hidden_size": 2816,
        "hidden_size_per_layer_input": 0,
        "intermediate_size": 2112,
        "moe_intermediate_size": 704,
        "num_attention_heads": 16,
        "num_experts": 128,
        "num_global_key_value_heads": 2,
        "num_hidden_layers": 30,
        "num_key_value_heads": 8,
        "sliding_window": 1024,
        "top_k_experts": 8,
    },
    "vision_config": {
        "head_dim": 72,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "num_key_value_heads": 16,
        "standardize": True,
    },
}
SMALL: dict[str, Any] = {
    "model_type": "gemma4_text",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "global_head_dim": 16,
    "intermediate_size": 48,
    "num_hidden_layers": 12,
    "hidden_size_per_layer_input": 0,
    "vocab_size": 64,
}


def count_cache(config: dict[str, Any], tokens: int) -> int:
    """Bytes that a sequence of ``tokens`` keeps in bfloat16."""
    return 2 * sum(
        (state.per_token * min(tokens, state.window or tokens) + state.fixed) * state.repeats
        for state in build_ledger(config).states
    )


def count_tensors(config: dict[str, Any], name: str, shape: tuple[int, ...]) -> int:
    """How many layers have a tensor of this name below their attention, in this shape."""
    wanted = (f"model.layers.{{}}.self_attn.{name}.weight", shape)
    return sum(tensor.repeats for tensor in build_ledger(config).tensors if (tensor.name, tensor.shape) == wanted)


def test_gemma_4_26b_is_25_8_billion_of_which_a_token_uses_4_4() -> None:
    assert total(GEMMA_4_26B) == 25_805_933_872
    assert active(GEMMA_4_26B) == 4_395_322_672


def test_a_scalar_of_each_layer_and_the_spread_of_images_are_stored_but_are_no_parameters() -> None:
    assert buffers(GEMMA_4_26B) == 2_334 == 30 + 2 * 1152


def test_values_that_are_keys_are_cached_beside_them() -> None:
    assert count_cache(GEMMA_4_26B, 32_768) == 880_803_840
    assert cached(GEMMA_4_26B) == {"sliding": 25 * 2 * 8 * 256, "full": 5 * 2 * 2 * 512}


def test_gemma_3n_e4b_keeps_272_mebibytes_of_32_768_tokens() -> None:
    assert count_cache({"model_type": "gemma3n"}, 32_768) == 285_212_672


def test_gemma_3n_is_its_text_a_mobilenet_and_a_conformer() -> None:
    config = {"model_type": "gemma3n"}
    assert part(config, "vision") == total({"model_type": "gemma3n_vision"}) == 294_126_912
    assert part(config, "audio") == total({"model_type": "gemma3n_audio"})
    rest = part(config, "vision") + part(config, "audio") + part(config, "projector")
    assert total(config) - rest == total({"model_type": "gemma3n_text"})


def test_full_attention_has_its_values_from_the_keys_where_they_are_equal() -> None:
    config = SMALL | {"attention_k_eq_v": True, "num_global_key_value_heads": 1}
    assert count_tensors(config, "k_proj", (16, 32)) == 12  # 2 heads of 8 in ten layers, one of 16 in two
    assert count_tensors(config, "v_proj", (16, 32)) == 10
    assert count_tensors(SMALL, "k_proj", (32, 32)) == count_tensors(SMALL, "v_proj", (32, 32)) == 2


def test_other_kv_heads_in_full_attention_need_keys_that_are_values() -> None:
    assert total(SMALL | {"num_global_key_value_heads": 1}) == total(SMALL)


def test_layers_that_share_have_no_keys_keep_nothing_and_may_be_twice_as_wide() -> None:
    config = SMALL | {"num_kv_shared_layers": 6}
    assert cached(config) == {"sliding": 5 * 2 * 2 * 8, "full": 2 * 2 * 16}
    assert part(config | {"use_double_wide_mlp": True}, "mlp") == 3 * 32 * 48 * (6 + 2 * 6)
    assert part(config, "mlp") == 3 * 32 * 48 * 12


def test_the_last_layer_of_gemma_4_attends_to_all_whatever_the_file_says() -> None:
    config = SMALL | {"num_hidden_layers": 2, "layer_types": ["sliding_attention"] * 2}
    assert cached(config) == {"sliding": 2 * 2 * 8, "full": 2 * 2 * 16}


def test_attending_both_ways_keeps_nothing_and_halves_the_window() -> None:
    config = SMALL | {"use_bidirectional_attention": "all", "sliding_window": 64}
    assert cached(config) == {}
    assert {state.window for state in build_ledger(config).states} == {33, None}
    assert cached(config | {"use_bidirectional_attention": "vision"}) == cached(SMALL)


def test_a_gemma_4_without_eyes_and_ears_is_its_text() -> None:
    text = {key: value for key, value in SMALL.items() if key != "model_type"}
    assert total({"model_type": "gemma4", "text_config": text}) == total(SMALL)
    heard = {"model_type": "gemma4", "text_config": text, "audio_config": {}}
    assert total(heard) - total(SMALL) == total({"model_type": "gemma4_audio"}) + 1536 * 32
    assert part(heard, "projector") == 1536 * 32


def test_bounds_of_clipped_layers_are_no_parameters() -> None:
    clipped = {"model_type": "gemma4_vision", "use_clipped_linears": True}
    assert total(clipped) == total({"model_type": "gemma4_vision"})
    assert buffers(clipped) == 16 * 7 * 4


def test_patches_and_frames_reach_the_unified_model_through_one_matrix_each() -> None:
    text = {key: value for key, value in SMALL.items() if key not in ("model_type", "hidden_size_per_layer_input")}
    base = {"model_type": "gemma4_unified", "text_config": text}
    assert part(base | {"audio_config": {}}, "projector") == 640 * 32
    seeing = base | {"vision_config": {"mm_embed_dim": 24, "output_proj_dims": 24, "mm_posemb_size": 10}}
    patch = 3 * 48 * 48
    assert part(seeing, "vision") == 2 * patch + patch * 24 + 24 + 4 * 24 + 10 * 2 * 24
    assert part(seeing, "projector") == 24 * 32


REFUSED: list[tuple[dict[str, Any], str]] = [
    (SMALL | {"layer_types": ["chunked_attention"] * 12}, "layers of kind 'chunked_attention' are not known"),
    (SMALL | {"num_kv_shared_layers": 7}, "no layer keeps keys and values for those with full_attention"),
    (SMALL | {"num_kv_shared_layers": 12}, "no layer keeps keys and values"),
    (SMALL | {"global_head_dim": None}, "global_head_dim is None, not a whole number"),
    ({"model_type": "gemma3n_vision", "architecture": "resnet50"}, "architecture 'resnet50' is not known"),
    ({"model_type": "gemma3n_vision", "model_args": {"in_chans": 1}}, "model_args are not followed"),
    ({"model_type": "gemma3n", "vision_config": {"architecture": "resnet50"}}, "vision_config.architecture 'resnet50'"),
    ({"model_type": "gemma3n_audio", "sscp_conv_channel_size": [8]}, "sscp_conv_channel_size is not a list of two"),
    ({"model_type": "gemma3n_audio", "sscp_conv_kernel_size": [3, 3]}, "does not hold 2 for each convolution"),
    ({"model_type": "gemma3n_audio", "sscp_conv_kernel_size": [[3, 9]] * 2, "input_feat_size": 1}, "no frequency"),
    (
        {"model_type": "gemma4_audio", "subsampling_conv_channels": [8]},
        "subsampling_conv_channels is not a list of two",
    ),
    ({"model_type": "gemma4_unified", "audio_config": {"hidden_size": 8}}, "audio_config.hidden_size stands for"),
    (
        {"model_type": "gemma4_unified", "vision_config": {"model_patch_size": 48}},
        "vision_config.model_patch_size is not followed",
    ),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
