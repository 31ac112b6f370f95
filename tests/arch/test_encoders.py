"""Encoders, encoder-decoders and models that hear, in less common types: totals, active parts, caches, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

NLLB_600M = {
    "model_type": "m2m_100",
    "d_model": 1024,
    "vocab_size": 256206,
    "encoder_ffn_dim": 4096,
    "decoder_ffn_dim": 4096,
}
ESM2_650M = {
    "model_type": "esm",
    "architectures": ["EsmForMaskedLM"],
    "vocab_size": 33,
    "hidden_size": 1280,
    "num_hidden_layers": 33,
    "num_attention_heads": 20,
    "intermediate_size": 5120,
    "position_embedding_type": "rotary",
}
T5GEMMA_2B = {"model_type": "t5gemma"}
PAIR: dict[str, Any] = {
    "model_type": "encoder-decoder",
    "encoder": {"model_type": "bert"},
    "decoder": {"model_type": "bert", "is_decoder": True, "add_cross_attention": True},
}

KNOWN = [
    ("nllb-200-distilled-600M", NLLB_600M, 615_073_792),
    ("megatron-bert", {"model_type": "megatron-bert", "architectures": ["MegatronBertModel"]}, 333_640_704),
    ("mobilebert", {"model_type": "mobilebert", "architectures": ["MobileBertModel"]}, 24_844_544),
    ("squeezebert", {"model_type": "squeezebert", "architectures": ["SqueezeBertModel"]}, 51_089_664),
    ("switch-base-8", {"model_type": "switch_transformers", "architectures": ["SwitchTransformersModel"]}, 317_312_256),
    ("Voxtral-Mini-3B", {"model_type": "voxtral"}, 4_273_617_920 + 131_072 * 3_072),
    ("t5gemma-2b-2b", T5GEMMA_2B, 5_596_853_760),
]


@pytest.mark.parametrize(("name", "config", "parameters"), KNOWN, ids=[row[0] for row in KNOWN])
def test_totals_are_those_of_the_class(name: str, config: dict[str, Any], parameters: int) -> None:
    assert total(config) == parameters


def test_a_text_passes_through_the_adapter_of_one_language() -> None:
    one = {"model_type": "xmod", "languages": ["en_XX"]}
    three = one | {"languages": ["en_XX", "de_DE", "fr_FR"]}
    adapter = 12 * (2 * 768 * 384 + 384 + 768)
    assert total(three) - total(one) == 2 * adapter
    assert active(three) == active(one)


def test_a_token_passes_through_one_of_switchs_experts_and_two_of_nllbs() -> None:
    switch = {"model_type": "switch_transformers"}
    assert part(switch, "experts") == 6 * 8 * 2 * 768 * 2048
    assert total(switch) - active(switch) == 6 * 7 * 2 * 768 * 2048
    nllb = {"model_type": "nllb-moe", "num_experts": 8}
    assert total(nllb) - active(nllb) == part(nllb, "experts") * 6 // 8


def test_a_pair_keeps_a_cache_in_its_decoder_and_one_of_the_source() -> None:
    width = 2 * 12 * 768
    assert cached(PAIR) == {"full": width, "cross": width}


def test_a_pair_of_different_widths_has_a_projection_between() -> None:
    wide = PAIR | {"encoder": {"model_type": "bert", "hidden_size": 1536}}
    assert part(wide, "projector") == 1536 * 768 + 768
    assert part(PAIR, "projector") == 0


def test_t5gemma2_keeps_one_attention_for_itself_and_for_the_source() -> None:
    config = {"model_type": "t5gemma2"}
    width = 2 * 4 * 256  # keys and values of a layer
    assert cached(config) == {
        "sliding": 22 * width,
        "full": 4 * width,
        "cross": 26 * width,
    }
    source = [tensor for tensor in build_ledger(config).parameters if tensor.stack == "cross"]
    assert sum(tensor.elements for tensor in source) == 26 * 2304 * width
    assert sum(tensor.stored for tensor in source) == 0


def test_a_model_that_hears_counts_its_tower_as_audio_and_caches_text_alone() -> None:
    config = {"model_type": "qwen2_audio"}
    names = {tensor.name for tensor in build_ledger(config).parameters if tensor.part == "audio"}
    assert all(name.startswith("model.audio_tower.") for name in names)
    assert cached(config) == {"full": 32 * 2 * 4096}


def test_a_partial_text_section_of_voxtral_is_filled_up_with_its_own_defaults() -> None:
    assert total({"model_type": "voxtral", "text_config": {"vocab_size": 131072}}) == total({"model_type": "voxtral"})


def test_longformer_sees_as_far_as_each_layer_says() -> None:
    config = {"model_type": "longformer", "num_hidden_layers": 3, "attention_window": [64, 128, 64]}
    states = [(state.window, list(state.layers or ())) for state in build_ledger(config).states if state.window]
    assert states == [(65, [0, 2]), (129, [1])]


def test_bigbird_attends_to_blocks_as_an_encoder_and_to_all_as_a_decoder() -> None:
    blocks = build_ledger({"model_type": "big_bird"}).states
    assert [(state.kind, state.window) for state in blocks] == [("sliding", 10 * 64)]
    assert cached({"model_type": "big_bird", "is_decoder": True}) == {"full": 2 * 12 * 768}
    assert cached({"model_type": "big_bird", "attention_type": "original_full"}) == {}


def test_esms_rotation_is_stored_and_no_parameter() -> None:
    assert buffers(ESM2_650M) == 32
    assert part(ESM2_650M, "position") == 0


def test_a_logits_bias_is_stored_and_no_parameter() -> None:
    assert buffers({"model_type": "pegasus"}) == 50_265


def test_marians_tables_may_differ() -> None:
    config = {"model_type": "marian", "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 1000}
    assert part(config, "embedding") == (58_101 + 1_000) * 1024
    assert buffers(config) == 1000


def test_deberta_takes_kinds_of_distances_in_one_string_or_in_a_list() -> None:
    base = {"model_type": "deberta", "relative_attention": True}
    both = total(base | {"pos_att_type": "c2p|p2c"})
    assert both == total(base | {"pos_att_type": ["c2p", "p2c"]})
    assert both - total(base) == 12 * (2 * 768 * 768 + 768)


REFUSED = [
    ({"model_type": "encoder-decoder", "encoder": {"model_type": "gpt2"}, "decoder": PAIR["decoder"]}, "gpt2"),
    ({**PAIR, "decoder": {"model_type": "bert"}}, "without cross-attention"),
    ({**PAIR, "tie_encoder_decoder": True}, "tie_encoder_decoder"),
    ({"model_type": "t5gemma", "is_encoder_decoder": False}, "is_encoder_decoder is false"),
    ({"model_type": "t5gemma", "architectures": ["T5GemmaEncoderModel"]}, "an encoder alone"),
    ({"model_type": "t5gemma2", "is_encoder_decoder": False}, "is_encoder_decoder is false"),
    ({"model_type": "t5gemma2", "decoder": {"hidden_size": 640}}, "different hidden sizes"),
    ({"model_type": "t5gemma2", "decoder": {"vocab_size": 640}}, "vocabularies of different sizes"),
    ({"model_type": "deberta", "hidden_size": 10}, "not a multiple of its 12 heads"),
    ({"model_type": "marian", "decoder_vocab_size": 5}, "decoder_vocab_size differs"),
    ({"model_type": "mvp", "use_prompt": True}, "use_prompt"),
    ({"model_type": "fsmt", "tie_word_embeddings": True, "src_vocab_size": 5}, "vocabularies of different sizes"),
    ({"model_type": "longt5", "encoder_attention_type": "wide"}, "encoder_attention_type 'wide'"),
    ({"model_type": "bigbird_pegasus", "attention_type": "wide"}, "attention_type 'wide'"),
    ({"model_type": "big_bird", "attention_type": "wide"}, "attention_type 'wide'"),
    ({"model_type": "big_bird", "add_cross_attention": True}, "add_cross_attention"),
    ({"model_type": "switch_transformers", "num_experts": 0}, "1 of 0 experts"),
    ({"model_type": "esm"}, "vocab_size is None"),
    ({**ESM2_650M, "position_embedding_type": "other"}, "position_embedding_type 'other'"),
    ({"model_type": "xmod", "languages": ["en XX"]}, "not the name of a language"),
    ({"model_type": "longformer", "attention_window": [2]}, "1 windows where the model has 12 layers"),
    ({"model_type": "convbert", "is_decoder": True}, "not followed"),
    ({"model_type": "convbert", "num_attention_heads": 10}, "not twice a multiple"),
    ({"model_type": "convbert", "num_groups": 5}, "num_groups 5 does not divide"),
    ({"model_type": "squeezebert", "q_groups": 5}, "q_groups 5 does not divide"),
    ({"model_type": "squeezebert", "embedding_size": 5}, "embedding_size differs"),
    ({"model_type": "mobilebert", "num_attention_heads": 5}, "not a multiple of its 5 heads"),
    ({"model_type": "mobilebert", "embedding_size": 600}, "embedding_size is greater"),
    ({"model_type": "xlm", "is_encoder": False}, "is_encoder is false"),
    ({"model_type": "flaubert", "asm": True}, "adaptive softmax"),
    ({"model_type": "tapas", "type_vocab_sizes": 5}, "type_vocab_sizes is not a list"),
    ({"model_type": "voxtral", "text_config": {"model_type": "helium", "head_dim": 5}}, "do not add up"),
    ({"model_type": "voxtral_realtime", "text_config": {"model_type": "mistral"}}, "of type 'mistral'"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[f"{row[0]['model_type']}: {row[1]}" for row in REFUSED])
def test_what_the_ledger_does_not_follow_is_refused_with_a_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)


def test_older_windows_of_ultrabert_are_those_of_its_kinds() -> None:
    base = {"model_type": "ultrabert", "num_hidden_layers": 3}
    older = build_ledger(base | {"attention_windows": [0, 64, 64]}).states
    newer = build_ledger(
        base | {"layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "sliding_window": 64}
    ).states
    assert older == newer
    assert {state.window for state in older} == {None, 129}
    with pytest.raises(UnsupportedError, match="attention_windows is not a list"):
        build_ledger(base | {"attention_windows": [0]})


def test_esmc_refuses_grouped_queries() -> None:
    with pytest.raises(UnsupportedError, match="num_key_value_heads differs"):
        build_ledger({"model_type": "esmc", "num_key_value_heads": 8})
