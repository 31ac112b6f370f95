"""Choosing the architecture and the class, and the laws of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.check import build_heads
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger, fingerprint_ledger
from zoo.arch.registry import Architecture, find_architecture, load_architectures, register
from zoo.arch.rows import PARTS, Place, Tensor

TINY = {"model_type": "llama", "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 32}


@pytest.mark.parametrize("config", [{}, {"model_type": None}, {"model_type": 3}, {"model_type": ""}])
def test_a_config_without_a_model_type_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="names no model_type"):
        build_ledger(config)


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="'warp_drive' is not known"):
        build_ledger({"model_type": "warp_drive"})


@pytest.mark.parametrize("named", [["LlavaLlamaForCausalLM"], "LlavaLlamaForCausalLM"])
def test_an_unknown_class_is_refused_by_name(named: Any) -> None:
    with pytest.raises(UnsupportedError, match="LlavaLlamaForCausalLM"):
        build_ledger({**TINY, "architectures": named})


def test_a_class_that_is_no_name_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"architectures\[0\]"):
        build_ledger({**TINY, "architectures": [7]})


@pytest.mark.parametrize("named", [None, []])
def test_with_no_class_named_the_natural_head_is_taken(named: Any) -> None:
    assert build_ledger({**TINY, "architectures": named}).class_name == "LlamaForCausalLM"


@pytest.mark.parametrize("section", [None, "text_config"])
def test_layers_with_sizes_of_their_own_are_refused(section: str | None) -> None:
    odd = {"per_layer_config": {"1": {"intermediate_size": 8}}}
    with pytest.raises(UnsupportedError, match="per_layer_config"):
        build_ledger(TINY | ({section: odd} if section else odd))


def test_a_tied_head_is_used_but_not_stored() -> None:
    tied = build_ledger({**TINY, "tie_word_embeddings": True})
    head = next(t for t in tied.tensors if t.name == "lm_head.weight")
    assert (head.tied_to, head.stored, head.elements) == ("model.embed_tokens.weight", 0, 32 * 16)


def test_fine_tunes_share_the_fingerprint_and_other_shapes_do_not() -> None:
    base = fingerprint_ledger(build_ledger(TINY))
    assert fingerprint_ledger(build_ledger({**TINY, "bos_token_id": 7, "rope_theta": 5e5})) == base
    assert fingerprint_ledger(build_ledger({**TINY, "vocab_size": 33})) != base
    assert fingerprint_ledger(build_ledger({**TINY, "architectures": ["LlamaModel"]})) != base


def test_a_type_cannot_be_declared_twice() -> None:
    with pytest.raises(ValueError, match="llama is declared twice"):
        register(find_architecture("llama"))


@pytest.mark.parametrize("architecture", load_architectures().values(), ids=lambda a: a.model_type)
def test_every_row_belongs_to_a_part_and_is_named_once_per_layer(architecture: Architecture) -> None:
    for ledger in build_heads(architecture.model_type):
        seen: set[tuple[str, int | None]] = set()
        for tensor in ledger.tensors:
            assert tensor.part in PARTS
            assert 0 < tensor.used <= tensor.of
            if tensor.tied_to:
                continue  # the same weights again: once for each time that a token passes through them
            for layer in (None,) if tensor.layers is None else tensor.layers:
                assert (tensor.name, layer) not in seen, tensor.name
                seen.add((tensor.name, layer))
        for state in ledger.states:
            assert min(state.per_token, state.fixed, state.flops_per_pos, state.flops_per_token) >= 0


@pytest.mark.parametrize("architecture", load_architectures().values(), ids=lambda a: a.model_type)
def test_every_architecture_says_what_it_is(architecture: Architecture) -> None:
    assert architecture.about.endswith(".")
    assert architecture.natural in architecture.heads
    assert architecture.family


def test_biases_are_known_by_their_name() -> None:
    place = Place()
    assert place.tensor("q.bias", (4,), "attention").is_bias
    assert place.tensor("experts.gate_up_proj_bias", (2, 4), "experts").is_bias
    assert not Tensor("attn.relative_attention_bias.weight", (4, 4), "position").is_bias
