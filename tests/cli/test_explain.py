"""``zoo explain``: every key, and the count step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.calling import Call, call, save, write
from tests.explain.configs import LLAMA_7B, MIXTRAL
from tests.records import LLAMA_PARAMS, make_config, make_record
from zoo.db import population
from zoo.db.population import Population

__all__ = ["call", "save", "write"]


def test_the_count_of_llama_7b_is_explained_to_the_last_parameter(call: Call, write: Any) -> None:
    lines = [" ".join(line.split()) for line in call("explain", write("c.json", LLAMA_7B)).out.splitlines()]
    for line in (
        "Attention, layers 0–31: q_proj, o_proj",
        "2·L·n_q·d·H = 2 × 32 × 32 × 128 × 4,096 = 1,073,741,824",
        "3·L·F·H = 3 × 32 × 11,008 × 4,096 = 4,328,521,728",
        "Attention and feed-forward weights 6,476,005,376",
        "All but attention and feed-forward weights 262,410,240",
        "Total 6,738,415,616",
        "float16, 2 bytes each 13,476,831,232 bytes = 13.48 GB = 12.6 GiB",
        "sum so far: 6,738,415,616",
        "num_attention_heads = 32 [memory, compute, quality; the count follows from it]",
    ):
        assert line in lines
    assert any(line.startswith("- Context length: every matrix is applied to each token alone") for line in lines)


def test_what_the_config_leaves_out_is_told_with_the_default(call: Call, write: Any) -> None:
    path = write("c.json", LLAMA_7B)
    assert "num_key_value_heads = null\n" in call("explain", path).out
    assert "| mlp\\_bias | false |" in call("explain", path, "--md").out
    assert r"\item \texttt{mlp\_bias} = \texttt{false}" in call("explain", path, "--latex").out
    defaults = call("explain", path, "--json").document["defaults"]
    assert defaults["attention_bias"] is False
    assert "hidden_size" not in defaults


def test_a_key_that_nobody_documents_is_shown_as_such(call: Call, write: Any) -> None:
    text = call("explain", write("c.json", LLAMA_7B | {"warp_factor": {"maximum": 9}})).out
    assert "Not documented" in text
    assert "warp_factor.maximum = 9  [unknown; not read by zoo]" in text


def test_experts_say_what_one_token_passes_through(call: Call, write: Any) -> None:
    text = call("explain", write("c.json", MIXTRAL)).out
    assert "a token passes through 2·L·k·F_e·H = 7,516,192,768" in text
    assert "12,879,925,248 (27.6%)" in text


def test_the_explanation_is_json_too(call: Call, save: Callable[..., None]) -> None:
    save([make_record("acme/tiny")])
    document = call("explain", "acme/tiny", "--json").document
    assert document["repo_id"] == "acme/tiny"
    assert document["check"]["result"] == "exact"
    sums = document["arithmetic"]
    assert sums["total"] == sums["steps"][-1]["running_total"] == LLAMA_PARAMS
    assert sums["attention_and_feed_forward_weights"] + sum(sums["rest"].values()) == LLAMA_PARAMS
    key = next(key for key in document["keys"] if key["key"] == "hidden_size")
    assert key["value"] == 64
    assert key["group"] == "architecture"
    assert key["read"] == "ledger"


def test_the_explanation_is_markdown_too(call: Call, write: Any) -> None:
    text = call("explain", write("c.json", LLAMA_7B | {"a|b": "*x*"}), "--md").out
    assert "| Feed\\-forward" not in text
    assert "| Attention, layers 0–31: q\\_proj, o\\_proj | 2·L·n\\_q·d·H | 2 × 32 × 32 × 128 × 4,096 |" in text
    assert '| a\\|b | "\\*x\\*" |' in text
    assert "| Total | 6,738,415,616 |" in text


def test_the_explanation_is_latex_too(call: Call, write: Any) -> None:
    text = call("explain", write("c.json", LLAMA_7B | {"a%b": "\\input{x}"}), "--latex").out
    assert r"2 \cdot L \cdot n_{q} \cdot d \cdot H &= 2 \times 32 \times 32 \times 128 \times 4{,}096" in text
    assert r"\texttt{a\%b}" in text
    assert r"\input{x}" not in text
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert text.startswith(r"\documentclass")
    assert text.endswith("\\end{document}\n")


def test_values_are_compared_with_the_family_and_the_zoo(call: Call, save: Callable[..., None], write: Any) -> None:
    deep, gpt2 = make_config(num_hidden_layers=3), {"model_type": "gpt2", "n_layer": 9, "n_embd": 8, "n_head": 2}
    save([make_record("acme/tiny"), make_record("acme/deep", config=deep), make_record("acme/gpt", config=gpt2)])
    text = " ".join(call("explain", "acme/tiny").out.split())
    family, zoo = "25th percentile of 2 models (median 2.5)", "17th percentile of 3 models (median 3)"
    assert f"family Llama: {family}; zoo: {zoo}" in text
    assert "half of those with the same; models of one fingerprint count once" in text
    key = next(key for key in call("explain", "acme/tiny", "--json").document["keys"] if key["key"] == "hidden_act")
    assert key["standing"]["zoo"] == {
        "models": 2, "same": 2, "percentile": None, "median": None, "least": None, "most": None
    }  # fmt: skip
    assert f"family Llama: {family}; zoo: {zoo}" in call("explain", "acme/tiny", "--md").out
    assert f"Among others: family Llama: {family}; zoo: {zoo}." in call("explain", "acme/tiny", "--latex").out
    new = call("explain", write("c.json", make_config(num_hidden_layers=1)), "--json").document
    layers = next(key for key in new["keys"] if key["key"] == "num_hidden_layers")["standing"]
    assert (layers["zoo"]["models"], layers["zoo"]["percentile"]) == (4, 12.5)


def test_a_file_needs_no_database(call: Call, write: Any) -> None:
    found = call("explain", write("c.json", LLAMA_7B))
    assert found.code == 0
    assert "there is no database to compare its values with" in found.err
    assert "percentile" not in found.out
    keys = call("explain", write("c.json", LLAMA_7B), "--json").document["keys"]
    assert all(key["standing"] is None for key in keys)


def test_only_so_many_are_compared_with(call: Call, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    few = Population((), whole=False)
    monkeypatch.setattr(population, "load_population", lambda engine: few)
    save([make_record("acme/tiny")])
    assert "compared with the 0 fingerprints of the most downloaded models" in call("explain", "acme/tiny").err


def test_one_layer_of_each_kind_is_drawn(call: Call, write: Any) -> None:
    path = write("c.json", LLAMA_7B)
    for form in ("", "--md"):
        text = call("explain", path, *filter(None, [form])).out
        assert "┌─ model.layers, 32 layers: 0-31" in text
        assert "│  mlp                        gate_proj F × H, up_proj F × H, down_proj H × F" in text
        assert "Llama decoder" in text
    assert "+- model.layers, 32 layers: 0-31" in call("explain", path, "--latex").out
    document = call("explain", path, "--json").document
    assert document["drawing"][0] == "model.embed_tokens         V × H"
    assert document["lineage"]["text"] == "Llama decoder"
    assert document["family"] == "Llama"
    assert document["summary"] == "Llama decoder: 32 layers of full attention and an MLP. 6.74 B parameters."
    sparse = call("explain", write("m.json", MIXTRAL)).out.splitlines()[1:3]
    assert " ".join(" ".join(sparse).split()) == (
        "Mixtral decoder: 32 layers of full attention and 8 experts of which a token takes 2. 46.7 B parameters, of "
        "which a token passes through 12.9 B."
    )


def test_a_mixture_has_a_dense_equivalent_that_is_said_to_be_no_law(call: Call, write: Any) -> None:
    path = write("c.json", MIXTRAL)
    assert call("explain", path, "--json").document["arithmetic"]["dense_equivalent"] == 24_526_077_527
    for form in ("", "--md", "--latex"):
        text = call("explain", path, *filter(None, [form])).out
        assert "24,526,077,527 (24.5 B)" in text
        assert "and no law" in text
        assert "arXiv:2408.09895" in text
    dense = call("explain", write("d.json", LLAMA_7B), "--json").document
    assert dense["arithmetic"]["dense_equivalent"] is None


@pytest.mark.parametrize("form", ["", "--md", "--latex", "--json"])
def test_hostile_text_stays_text(call: Call, write: Any, form: str) -> None:
    config = LLAMA_7B | {"x\x1b[2J": "\x1b]0;y\x07[bold]\u202e", "hidden_act": "a`b\x9b"}
    found = call("explain", write("c.json", config), *filter(None, [form]))
    assert found.code == 0
    assert not set("\x1b\x07\x9b\u202e") & set(found.out)


@pytest.mark.parametrize("form", ["", "--md", "--latex", "--json"])
def test_a_type_that_cannot_be_counted_is_explained_without_a_count(call: Call, write: Any, form: str) -> None:
    found = call("explain", write("c.json", {"model_type": "eliza", "hidden_size": 4}), *filter(None, [form]))
    assert found.code == 0
    assert "eliza' is not known" in found.out.replace("\\_", "_")
    assert "hidden" in found.out


def test_two_forms_at_once_are_wrong_use(call: Call, write: Any) -> None:
    assert call("explain", write("c.json", LLAMA_7B), "--md", "--latex").code == 2
    assert call("explain", write("c.json", LLAMA_7B), "--md", "--json").code == 2
