"""DiffusionGemma: the same layers as encoder of the prompt and as decoder of blocks."""

from __future__ import annotations

from typing import Any

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger

EXPERTS = {"num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 1024}
MODEL: dict[str, Any] = {"model_type": "diffusion_gemma", "text_config": EXPERTS}
TEXT: dict[str, Any] = {"model_type": "diffusion_gemma_text"} | EXPERTS
CONDITIONING = 2304 + 3 * 2304 * 9216
SENSES = 768 * 2304


def test_encoder_and_decoder_are_stored_once() -> None:
    assert total(MODEL) == 4_919_525_616
    assert total(MODEL) == total(TEXT) + total({"model_type": "gemma4_vision"}) + SENSES + CONDITIONING


def test_only_the_scalars_of_layers_are_there_twice() -> None:
    assert buffers(MODEL) == 60
    assert buffers(TEXT) == 30


def test_untied_the_text_is_there_twice_and_the_head_besides() -> None:
    assert total(MODEL | {"tie_word_embeddings": False}) - total(MODEL) == total(TEXT) + 262_144 * 2304


def test_biases_are_never_shared() -> None:
    biased = MODEL | {"text_config": EXPERTS | {"attention_bias": True}}
    alone = total(TEXT | {"attention_bias": True}) - total(TEXT)
    assert total(biased) - total(MODEL) == 2 * alone


def test_two_of_eight_experts_are_used() -> None:
    assert total(MODEL) - active(MODEL) == part(MODEL, "experts") * 6 // 8


def test_what_the_encoder_keeps_is_counted_once() -> None:
    assert cached(MODEL) == cached(TEXT) == {"sliding": 25 * 2 * 4 * 256, "full": 5 * 2 * 4 * 512}


def test_the_decoder_sees_the_block_both_ways_and_the_encoder_the_prompt_one_way() -> None:
    causal = {state.stack: state.causal for state in build_ledger(MODEL).states}
    assert causal == {"encoder": True, "vision": False, "decoder": False}


def test_other_kv_heads_in_full_attention_need_no_switch() -> None:
    few = cached(TEXT | {"num_global_key_value_heads": 1})
    assert few == {"sliding": 25 * 2 * 4 * 256, "full": 5 * 2 * 512}
