"""The drawing of a model: one layer of each kind, with everything in it."""

from __future__ import annotations

import pytest

from tests.oracle.check import build_heads
from zoo.arch import build_ledger
from zoo.arch.registry import load_architectures
from zoo.explain.arithmetic import group_tensors
from zoo.explain.layers import Module, Stack, describe_model, describe_state, draw_model, write_drawing

LLAMA = """\
model.embed_tokens         V × H
┌─ model.layers, 32 layers: 0-31
│  input_layernorm            H
│  self_attn                  q_proj n_q·d × H, k_proj n_kv·d × H, v_proj n_kv·d × H, o_proj H × n_q·d
│  post_attention_layernorm   H
│  mlp                        gate_proj F × H, up_proj F × H, down_proj H × F
│  keeps full: 8,192 elements a token
└─
model.norm                 H
lm_head                    V × H"""


def test_a_plain_decoder_is_drawn_in_the_order_of_its_flow() -> None:
    assert write_drawing(draw_model(build_ledger({"model_type": "llama"}))) == LLAMA


def test_layers_of_other_kinds_are_drawn_apart() -> None:
    drawn = draw_model(build_ledger({"model_type": "deepseek_v3"}))
    dense, sparse = next(item for item in drawn if isinstance(item, Stack)).kinds
    assert (dense.layers, dense.count, dense.mixers) == ("0-2", 3, ["latent attention"])
    assert (sparse.layers, sparse.count) == ("3-60", 58)
    assert dense.keeps == sparse.keeps == ["latent: 576 elements a token"]


@pytest.mark.parametrize(
    ("model_type", "words"),
    [
        ("llama", "32 layers of full attention and an MLP"),
        ("mixtral", "32 layers of full attention and 8 experts of which a token takes 2"),
        ("t5", "6 encoder layers of full attention and an MLP; 6 layers of full attention, cross attention and an MLP"),
        ("gemma4", "30 layers (25 of sliding-window attention and an MLP; 5 of full attention and an MLP)"),
        ("mamba", "32 layers of a short convolution and a state space"),
    ],
)
def test_the_layers_are_told_in_words(model_type: str, words: str) -> None:
    assert describe_model(build_ledger({"model_type": model_type})) == words


#: The Byte Latent Transformer numbers its states through all of its parts, its tensors in each part anew; the one layer
#: of an EAGLE-3 draft has no number in its names.
RENUMBERED = {"blt", "eagle3_draft"}


@pytest.mark.parametrize("model_type", sorted(load_architectures()))
def test_every_tensor_and_every_state_is_drawn(model_type: str) -> None:
    ledger = build_heads(model_type)[0]
    drawn = draw_model(ledger)
    layers = [kind for item in drawn if isinstance(item, Stack) for kind in item.kinds]
    modules = [item for item in drawn if isinstance(item, Module)] + [m for kind in layers for m in kind.modules]
    shown = sum(1 + text.count(" + bias") for module in modules for _, text in module.tensors)
    groups = group_tensors(ledger.parameters)
    assert shown >= len(groups)
    kept = {text for kind in layers for text in kind.keeps}
    assert model_type in RENUMBERED or {describe_state(s) for s in ledger.states if s.layers} - {""} <= kept
    assert max(map(len, write_drawing(drawn).splitlines())) < 300


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "vit"}, "12 vision layers of full attention"),
        ({"model_type": "deepseek_v3"}, "a shared expert"),
    ],
)
def test_what_a_layer_is_made_of_is_told(config: dict[str, str], words: str) -> None:
    said = describe_model(build_ledger(config))
    assert words in said


def test_drawings_are_as_wide_as_is_asked_for() -> None:
    ledger = build_ledger({"model_type": "deepseek_v3"})
    narrow = write_drawing(draw_model(ledger), 72).splitlines()
    assert max(map(len, narrow)) <= 72
    assert len(narrow) > len(write_drawing(draw_model(ledger)).splitlines())


def test_long_runs_of_layers_are_cut() -> None:
    kinds = ["full_attention" if layer % 2 else "sliding_attention" for layer in range(60)]
    ledger = build_ledger({"model_type": "gemma2", "num_hidden_layers": 60, "layer_types": kinds})
    heads = [line for line in write_drawing(draw_model(ledger), 80).splitlines() if line.startswith("┌─")]
    assert all(line.endswith(",…") for line in heads)
