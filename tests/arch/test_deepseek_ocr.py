"""DeepSeek-OCR 2 in the words of its own repository: the model that transformers has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.deepseek_ocr import LANGUAGE, OCR_2, WIDTH, seeing, speaking
from tests.arch.ledgers import cached, part
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger


def test_its_ledger_is_that_of_the_type_which_transformers_has() -> None:
    text = LANGUAGE | {"mlp_layer_types": ["dense"] + ["sparse"] * 11}
    small = {"hidden_size": 896, "num_attention_heads": 14, "num_key_value_heads": 2}
    encoder = small | {"num_hidden_layers": 24, "intermediate_size": 4864}
    other = {"model_type": "deepseek_ocr2", "text_config": text, "vision_config": {"encoder_config": encoder}}
    assert build_ledger(OCR_2).tensors == build_ledger(other).tensors
    assert cached(OCR_2) == {"full": 12 * 2 * 1280}
    assert part(OCR_2, "vision") == 453_235_840


def test_more_layers_are_more_experts() -> None:
    assert part(speaking(num_hidden_layers=13), "experts") - part(OCR_2, "experts") == 64 * 3 * 1280 * 896
    assert part(speaking(first_k_dense_replace=20), "experts") == 0


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (seeing(**{"clip-l-14-224": {}, "sam_vit_b": {}}), "the two towers of DeepSeek-OCR 2"),
        (seeing(**WIDTH | {"sam_vit_b": 3}), "the two towers of DeepSeek-OCR 2"),
        (seeing(**WIDTH | {"sam_vit_b": {"layers": 24}}), "sam_vit_b.layers is 24"),
        (OCR_2 | {"vision_config": {}}, "the two towers of DeepSeek-OCR 2"),
        (OCR_2 | {"vision_config": None}, "vision_config is missing or no object"),
        (OCR_2 | {"projector_config": {"projector_type": "mlp_gelu"}}, "projector_config is not one matrix"),
        (OCR_2 | {"architectures": ["DeepseekVLV2ForCausalLM"]}, "class 'DeepseekVLV2ForCausalLM' is not known"),
        (speaking(use_mla=True), "asks for latents"),
        (speaking(num_hidden_layers="12"), "language_config.num_hidden_layers is '12'"),
        (speaking(first_k_dense_replace=None), "language_config.first_k_dense_replace is None"),
    ],
)
def test_other_models_of_that_name_are_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
