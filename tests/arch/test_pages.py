"""Mistral 4, the readers of pages and formulas, Granite 4 Vision, Phi-4-multimodal and Pi0."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

Raw = dict[str, Any]
LARGE: Raw = {"model_type": "mistral_large4_text", "num_hidden_layers": 4}
SPARSE: Raw = {"mlp_layer_types": ["dense", "sparse"], "num_hidden_layers": 2, "num_experts_per_tok": 6}
OCR: Raw = {"model_type": "deepseek_ocr2", "text_config": SPARSE}
UNLIMITED: Raw = {"model_type": "unlimited_ocr"}
GRANITE: Raw = {"model_type": "granite4_vision", "downsample_rate": "4/8", "deepstack_layer_map": [[0, 0], [9, 3]]}
PHI: Raw = {"model_type": "phi4_multimodal"}
FORMULA: Raw = {"model_type": "pp_formulanet"}


def test_mistral_large_4_is_a_trillion_of_which_52_billion_are_active() -> None:
    large: Raw = {"model_type": "mistral_large4"}
    assert total(large) == 1_051_822_421_504
    assert round(active({"model_type": "mistral_large4_text"}) / 1e9) == 52
    assert buffers(large) == 32


def test_a_layer_without_positions_keeps_no_rotary_key() -> None:
    index = 4 * 128
    assert cached(LARGE) == {"full": 3 * (512 + 64) + 512 + index}
    assert cached(LARGE | {"no_rope_layers": [0, 0, 0, 0, 1]}) == {"full": 4 * 512 + index}
    assert cached(LARGE | {"no_rope_layer_interval": 1}) == {"full": 4 * 512 + index}


def test_a_layer_that_reads_another_latent_keeps_its_index_alone() -> None:
    shared = LARGE | {"kv_source_layers": [0, 0, 0, 3], "indexer_types": ["full", "shared", "full", "full"]}
    assert cached(shared) == {"full": (512 + 64) + 512 + 3 * 128}
    per_layer = 6144 * (512 + 64) + 512
    assert total(LARGE) - total(LARGE | {"kv_source_layers": [0, 0, 0, 3]}) == 2 * per_layer


def test_the_experts_of_mistral_large_4_are_counted_by_the_name_that_wins() -> None:
    names = ("n_routed_experts", "num_experts", "num_local_experts")
    fewer = [total(LARGE | {name: 8}) for name in names]
    assert len(set(fewer)) == 1
    assert total(LARGE | {"num_experts": 8, "n_routed_experts": 16}) == fewer[0]


def test_unlimited_ocr_is_3_billion_and_keeps_all_of_its_prompt() -> None:
    assert total(UNLIMITED) == 3_335_504_128
    assert cached(UNLIMITED) == {"full": 12 * 2 * 1280}


def test_the_text_of_unlimited_ocr_may_stand_in_an_older_section() -> None:
    text: Raw = {"num_hidden_layers": 3, "first_k_dense_replace": 2, "model_type": "deepseek_v2"}
    newer = UNLIMITED | {"text_config": text | {"sliding_window": 64}}
    older = UNLIMITED | {"language_config": text, "sliding_window": 64, "hidden_size": 1280}
    assert total(older) == total(newer) < total(UNLIMITED)


def test_deepseek_ocr_2_projects_its_second_encoder() -> None:
    narrow: Raw = {"encoder_config": {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": None}}
    assert part(OCR | {"vision_config": narrow}, "projector") == 64 * 4096 + 4096 + 4096
    wider = OCR | {"vision_config": {"sam_config": {"downsample_channels": [512, 1024]}}}
    assert total(wider) - total(OCR) == 128 * 512 * 9


def test_granite_4_vision_has_a_former_for_each_depth_and_corner() -> None:
    one = (part(GRANITE, "projector") - 4096) // 6
    assert part(GRANITE, "projector") == 6 * one + 4096
    assert part(GRANITE | {"deepstack_layer_map": []}, "projector") == 4 * one + 4096
    assert part(GRANITE | {"downsample_rate": "2/8"}, "projector") == 6 * (one - 12 * 768) + 4096


def test_phi_4_multimodal_hears_and_sees_without_keeping_more() -> None:
    assert (part(PHI, "audio"), part(PHI, "vision")) == (441_254_144, 428_565_440)
    assert cached(PHI) == {"full": 32 * 2 * 8 * 96}
    assert buffers(PHI) == 2 * 80
    fewer_halvings = PHI | {"audio_config": {"time_reduction": 4}}
    assert part(PHI, "audio") - part(fewer_halvings, "audio") == 1024 * (9 + 1 + 1024 + 1) - 10 * 1024 * 1024


def test_pi0_keeps_what_its_prompt_left_and_nothing_of_its_movements() -> None:
    assert cached({"model_type": "pi0"}) == {"full": 18 * 2 * 256}
    wider = {"model_type": "pi0", "max_action_dim": 33}
    assert total(wider) - total({"model_type": "pi0"}) == 2 * 1024 + 1


def test_a_formula_is_kept_as_64_positions() -> None:
    states = [state for state in build_ledger(FORMULA).states if state.kind == "cross"]
    assert [(state.window, state.fixed) for state in states] == [(64, 64 * 2 * 512)]
    assert part(FORMULA | {"tie_word_embeddings": True}, "head") == 50_000 * 512


REFUSED: list[tuple[Raw, str]] = [
    (LARGE | {"no_rope_layers": [1, 0]}, "no_rope_layers names 2 of 4 layers"),
    (LARGE | {"no_rope_layers": 4}, "no_rope_layers is not a list of numbers"),
    (LARGE | {"kv_source_layers": [0, 0, 1, 3]}, "kv_source_layers does not send each layer"),
    (LARGE | {"rope_parameters": {"partial_rotary_factor": 0.5}}, "rope_parameters.partial_rotary_factor is 0.5"),
    (LARGE | {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
    (LARGE | {"index_topk_pattern": 4}, "index_topk_pattern is 4"),
    (LARGE | {"layer_types": ["full_attention"] * 4}, "layers of kind 'full_attention' are not known"),
    ({"model_type": "deepseek_ocr2"}, "mlp_layer_types is not a list of names"),
    (OCR | {"vision_config": {"sam_config": {"downsample_channels": [1]}}}, "is not a list of two numbers"),
    (OCR | {"text_config": SPARSE | {"use_mla": True}}, "use_mla is set"),
    (UNLIMITED | {"language_config": 3}, "language_config is not an object"),
    (UNLIMITED | {"sliding_window": None}, "sliding_window is null"),
    (UNLIMITED | {"hidden_size": 64}, "hidden_size is at the top"),
    (GRANITE | {"downsample_rate": None}, "downsample_rate is None"),
    (GRANITE | {"downsample_rate": "1/0"}, "downsample_rate is '1/0'"),
    (GRANITE | {"deepstack_layer_map": None}, "deepstack_layer_map is not a list of layers"),
    (GRANITE | {"deepstack_layer_map": [3]}, "deepstack_layer_map is not a list of pairs"),
    (GRANITE | {"text_config": {"model_type": "granitemoehybrid"}}, "text_config of type 'granitemoehybrid'"),
    (GRANITE | {"qformer_config": {"model_type": "bert"}}, "qformer_config of type 'bert'"),
    ({"model_type": "pi0", "dit_config": {"hidden_size": 63}}, "dit_config.hidden_size 63 is odd"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_counted_is_refused_with_the_reason(config: Raw, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
