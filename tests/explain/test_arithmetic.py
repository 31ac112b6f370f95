"""The count step by step: formulas in letters that have the value of the tensors, for every architecture."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.configs import DEEPSEEK_V3, GPT2, LLAMA_7B, LLAMA_8B, MIXTRAL
from tests.oracle.check import build_heads
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.ledger import Ledger, build_ledger
from zoo.arch.registry import load_architectures
from zoo.explain import arithmetic
from zoo.explain.arithmetic import Arithmetic, count_by_steps
from zoo.explain.prose import (
    describe_verdict,
    list_not_counted,
    list_splits,
    list_totals,
    name_layers,
    shorten_name,
    title_step,
    write_arithmetic,
)
from zoo.explain.symbols import number_factor, open_sizes, write_letter
from zoo.sources.snapshot import read_snapshot


def count(config: dict[str, Any]) -> Arithmetic:
    return count_by_steps(build_ledger(config), "x")


def formulas(sums: Arithmetic) -> list[tuple[str, str, int]]:
    return [(title_step(step), step.product.text, step.elements) for step in sums.steps]


def test_llama_7b_is_seven_products() -> None:
    sums = count(LLAMA_7B)
    assert formulas(sums) == [
        ("Embedding: embed_tokens", "V·H", 131_072_000),
        ("Attention, layers 0–31: q_proj, o_proj", "2·L·n_q·d·H", 1_073_741_824),
        ("Attention, layers 0–31: k_proj, v_proj", "2·L·n_kv·d·H", 1_073_741_824),
        ("Feed-forward (MLP), layers 0–31: gate_proj, up_proj, down_proj", "3·L·F·H", 4_328_521_728),
        ("Norms, layers 0–31: input_layernorm, post_attention_layernorm", "2·L·H", 262_144),
        ("Norms: norm", "H", 4096),
        ("Head: lm_head", "V·H", 131_072_000),
    ]
    assert sums.total == sums.steps[-1].running == 6_738_415_616
    assert sums.core == 6_476_005_376
    assert sums.rest == {"embedding": 131_072_000, "norm": 266_240, "head": 131_072_000}
    assert sums.sizes["float32"] == 4 * sums.total
    assert sums.sizes["float16"] == 2 * sums.total
    assert sums.legend[0] == ("L", 32, "layers")


def test_llama_3_shares_its_keys_and_values() -> None:
    sums = count(LLAMA_8B)
    assert sums.total == 8_030_261_248
    assert sums.steps[2].product.numbers == "2 × 32 × 8 × 128 × 4,096"


def test_experts_are_stored_whole_and_used_in_part() -> None:
    sums = count(MIXTRAL)
    experts = [step for step in sums.steps if step.part == "experts"]
    assert [step.product.text for step in experts] == ["2·L·E·F_e·H", "L·E·F_e·H"]
    assert [step.active_product for step in experts] == ["2·L·k·F_e·H", "L·k·F_e·H"]
    assert all(step.active * 4 == step.elements for step in experts)
    assert sum(step.active for step in sums.steps) == sums.params.active == 12_879_925_248
    assert ("k", 2, "routed experts that a token passes through") in sums.legend


def test_deepseek_v3_has_latents_dense_layers_and_extras() -> None:
    sums = count(DEEPSEEK_V3)
    products = {step.product.text for step in sums.steps}
    assert sums.total == 671_026_404_352
    assert {
        "L·r_q·H",
        "L·n_q·d·r_q",
        "L·(r_kv + d_rope)·H",
        "L·n_q·r_kv·(d_nope + d_v)",
        "L·n_q·d_v·H",
        "3·L_d·F·H",
        "L_e·E·H",
        "2·L_e·E·F_e·H",
        "3·L_e·F_s·H",
    } <= products
    assert sum(step.elements for step in sums.extras) == sums.params.mtp + sums.params.buffers
    said = list_not_counted(sums)
    assert any("MTP" in sentence for sentence in said)
    assert any("Buffers" in sentence for sentence in said)


def test_gpt2_has_positions_biases_and_a_tied_head() -> None:
    sums = count(GPT2)
    assert sums.total == 124_439_808
    found = {text: elements for _, text, elements in formulas(sums)}
    assert found["T·H"] == 1024 * 768
    assert found["L·d·(n_q + 2·n_kv)·H"] == 12 * 768 * 2304
    head = sums.steps[-1]
    assert (head.part, head.elements, head.tied_to) == ("head", 0, "transformer.wte.weight")
    assert "adds nothing" in title_step(head)
    assert sums.rest["attention: biases and vectors"] == 12 * (2304 + 768)
    said = list_not_counted(sums)
    assert said[0].startswith("Context length: counts only through the learned positions (786,432 parameters)")
    assert any("tied" in sentence for sentence in said)
    assert ("Biases (they are added)", f"{sums.params.biases:,}") in list_splits(sums)


def test_relative_distances_are_no_context_length() -> None:
    said = list_not_counted(count({"model_type": "t5"}))[0]
    assert "buckets (512 parameters" in said


def check_steps(ledger: Ledger) -> None:
    """The laws of every count, whatever the architecture."""
    sums = count_by_steps(ledger, "x")
    assert sum(step.elements for step in sums.steps) == sums.total
    assert sum(step.active for step in sums.steps) == sums.params.active
    assert sums.core + sum(sums.rest.values()) == sums.total
    values: dict[str, list[int]] = {letter: [value] for letter, value, _ in sums.legend}
    assert len(values) == len(sums.legend)
    for step in (*sums.steps, *sums.extras):
        assert step.product.value in read_product(step.product.text, find_numbers(ledger.config.raw) | values)
        assert step.tied_to or step.product.value == step.elements
    assert write_arithmetic(sums)["total"] == sums.total
    assert list_totals(sums)[-1] == ("Total", f"{sums.total:,}")


def read_product(text: str, values: dict[str, list[int]]) -> list[int]:
    """The value of a formula by its text alone; several where a key of the config has another in another section."""
    formula = text.replace(",", "").replace("·", "*")
    names = sorted(set(re.findall(r"[A-Za-z]\w*", formula)))
    choices = product(*(values[name] for name in names))
    found = [dict(zip(names, chosen, strict=True)) for chosen in choices]
    return [eval(formula, {"__builtins__": {}}, each) for each in found]


def find_numbers(config: Any) -> dict[str, list[int]]:
    """Every whole number in a config by its key, sections included."""
    found: dict[str, list[int]] = {}
    for key, value in config.items():
        for name, numbers in (find_numbers(value) if isinstance(value, dict) else {key: [value]}).items():
            found.setdefault(name, []).extend(number for number in numbers if type(number) is int)
    return found


SNAPSHOT = [record for record in read_snapshot() if record.config]


def test_the_steps_of_every_bundled_model_add_up_to_its_total() -> None:
    counted = set()
    for record in SNAPSHOT:
        assert record.config is not None
        try:
            ledger = build_ledger(record.config)
        except UnsupportedError:
            continue
        check_steps(ledger)
        counted.add(ledger.architecture.model_type)
    assert len(counted) >= 40


@pytest.mark.parametrize("model_type", sorted(load_architectures()))
def test_the_formulas_of_every_architecture_have_the_value_of_its_tensors(model_type: str) -> None:
    check_steps(build_heads(model_type)[0])


VARIED = ("llama", "qwen3", "gemma2", "mixtral", "gpt2", "bert", "t5", "whisper", "mamba", "mamba2", "opt", "olmo2")


@settings(max_examples=60, deadline=None)
@given(
    model_type=st.sampled_from(VARIED),
    hidden=st.integers(1, 40),
    heads=st.integers(1, 8),
    layers=st.integers(1, 9),
    vocab=st.integers(1, 2000),
    ffn=st.integers(1, 500),
)
def test_formulas_have_the_value_of_the_tensors_whatever_the_sizes(
    model_type: str, hidden: int, heads: int, layers: int, vocab: int, ffn: int
) -> None:
    width = hidden * heads
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "vocab_size": vocab}
    sizes |= {"intermediate_size": ffn, "num_key_value_heads": heads, "head_dim": hidden, "d_model": width, "d_ff": ffn}
    sizes |= {"n_embd": width, "n_head": heads, "n_layer": layers, "n_inner": ffn, "num_layers": layers}
    with suppress(UnsupportedError):
        check_steps(build_ledger({"model_type": model_type} | sizes))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"model_type": "whisper"},
            {
                "Audio: conv1": "3·n_mel·H",
                "Attention, encoder, layers 0–3: q_proj, out_proj": "2·L_enc·n_q·d·H",
                "Attention, decoder, layers 0–3: k_proj, v_proj": "2·L·n_kv·d·H",
                "Cross-attention, layers 0–3: k_proj, v_proj": "2·L·n_kv·d·H",
                "Feed-forward (MLP), decoder, layers 0–3: fc1, fc2": "2·L·F·H",
            },
        ),
        (
            {"model_type": "t5", "num_layers": 2, "num_decoder_layers": 3},
            {
                "Attention, encoder, layers 0–1: q, o": "2·L_enc·n_q·d·H",
                "Norms, decoder, layers 0–2: layer_norm": "3·L·H",
                "Learned positions, layer 0: relative_attention_bias": "2·n_q·B",
            },
        ),
        (
            {"model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"]},
            {
                "Recurrent, layers 0–63: in_proj": "L·(2·D + 2·G·N + n_h)·H",
                "Recurrent, layers 0–63: conv1d": "L·K·(D + 2·G·N)",
                "Recurrent, layers 0–63: A_log, D": "2·L·n_h",
            },
        ),
        (
            {"model_type": "mamba"},
            {"Recurrent, layers 0–31: x_proj": "L·D·(R + 2·N)", "Recurrent, layers 0–31: A_log": "L·D·N"},
        ),
        (
            {"model_type": "qwen2_5_vl", "vision_config": {"depth": 2}},
            {
                "Vision: proj": "c_in_vis·t_p_vis·p_vis·p_vis·H_vis",
                "Vision, layers 0–1: qkv.bias": "L_vis·d_vis·(n_q_vis + 2·n_kv_vis)",
                "Projector: mlp.0.bias": "m_vis·m_vis·H_vis",
            },
        ),
        ({"model_type": "llava"}, {"Projector: linear_1": "H·H_vis"}),
        ({"model_type": "deepseek_v32"}, {"Attention, layers 0–60: wq_b": "L·d_i·n_i·r_q"}),
        (
            {"model_type": "gemma2", "num_hidden_layers": 12},
            {"Attention, layers 0–11: q_proj, o_proj": "2·L·n_q·d·H"},
        ),
        (
            {"model_type": "vision-encoder-decoder"},
            {"Vision, layers 0–11: q_proj, o_proj": "2·L_ec·n_q_ec·d_ec·H_ec"},
        ),
    ],
)
def test_formulas_are_in_the_letters_of_their_kind_of_model(config: dict[str, Any], said: dict[str, str]) -> None:
    found = {title: text for title, text, _ in formulas(count(config))}
    assert {title: found.get(title) for title in said} == said


def test_most_formulas_of_well_known_models_have_no_bare_sizes() -> None:
    bare = whole = 0
    for record in SNAPSHOT:
        assert record.config is not None
        with suppress(UnsupportedError):
            for step in count_by_steps(build_ledger(record.config), "x").steps:
                numbers = [
                    int(number) for number in re.findall(r"(?<!\w)\d+(?!\w)", step.product.text.replace(",", ""))
                ]
                bare += any(number > 8 for number in numbers)
                whole += 1
    assert bare < whole / 25


def test_letters_have_meanings_and_stand_for_layers_that_have_just_that() -> None:
    sums = count({"model_type": "jamba"})
    legend = {letter: said for letter, _, said in sums.legend}
    assert legend["D"] == "inner width of a state-space layer"
    assert legend["L_r"] == "recurrent layers"
    seeing = {letter: said for letter, _, said in count({"model_type": "llava"}).legend}
    assert seeing["H_vis"] == "hidden size: width of the residual stream (vision)"
    assert seeing["N_p_vis"] == "patches of an image (vision)"
    odd = {"model_type": "eliza", "hidden_size": 96, "depth": 2, "num_heads": 4, "image_size": 30, "patch_size": 7}
    sizes = open_sizes(Config({"vision_config": odd}, "llava"), "vision_config", "vis")
    assert (sizes.values["H"], sizes.values["d"], sizes.values["N_p"]) == (96, 24, 16)
    assert sizes.symbols["N_p"].meaning == "patches of an image: (image size / patch size)², rounded down"


def test_naming_leaves_no_trace_in_the_config() -> None:
    ledger = build_ledger({"model_type": "llava"})
    before = dict(ledger.config.read)
    count_by_steps(ledger, "x")
    assert ledger.config.read == before


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("0-31", "layers 0–31"),
        ("7", "layer 7"),
        ("0-2,5", "layers 0–2, 5"),
        ("0,2,4-6,8,10", "7 layers (0, 2, 4–6, 8, …)"),
    ],
)
def test_layers_are_told_shortly(layers: str, said: str) -> None:
    assert name_layers(layers) == said


def test_steps_that_do_not_add_up_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "build_steps", lambda *_: [])
    with pytest.raises(AssertionError, match="do not add up"):
        count(LLAMA_7B)


def test_a_product_that_is_not_its_tensors_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "list_factors", lambda *_: [number_factor(3)])
    with pytest.raises(AssertionError, match=r"embed_tokens\.weight: 3 is not 131072000"):
        count(LLAMA_7B)


@pytest.mark.parametrize(
    ("letter", "latex"),
    [("H", "H"), ("n_kv", "n_{kv}"), ("n_q_v", "n_{q,v}"), ("state_size", r"\mathrm{state\_size}")],
)
def test_letters_are_written_for_latex(letter: str, latex: str) -> None:
    assert write_letter(letter) == latex


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("model.layers.{}.self_attn.q_proj.weight", "q_proj"),
        ("model.layers.{}.self_attn.q_proj.bias", "q_proj.bias"),
        ("model.layers.{}.mlp.experts.gate_up_proj", "gate_up_proj"),
        ("a.norms.{}.weight", "norms.{}"),
        ("visual.merger.mlp.0.bias", "mlp.0.bias"),
        ("{}", "{}"),
    ],
)
def test_tensors_have_short_names(name: str, short: str) -> None:
    assert shorten_name(name) == short


@pytest.mark.parametrize(
    ("total", "result", "explanation", "said"),
    [
        (None, "unchecked", None, "6,738,415,616 parameters derived; the Hub reports no total."),
        (6_738_415_616, "exact", None, "exactly the derived total."),
        (6_738_417_664, "explained", "rotary buffers", "+2,048 against the derived total (explained: rotary buffers)."),
        (6_738_415_615, "mismatch", None, "-1 against the derived total (mismatch)."),
    ],
)
def test_the_total_is_held_against_the_reported_one(
    total: int | None, result: str, explanation: str | None, said: str
) -> None:
    reported = {"reported": {"total": total}, "check": {"result": result, "explanation": explanation}}
    assert describe_verdict(count(LLAMA_7B), reported).endswith(said)
