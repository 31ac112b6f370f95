"""Dense decoders: totals that were published, cache figures, and what is refused rather than guessed.

Tensor by tensor they are held against transformers in ``test_oracle``.
"""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import Ledger, build_ledger
from zoo.arch.rows import State

Config = dict[str, Any]


def sizes(hidden: int, layers: int, heads: int, kv_heads: int | None, ffn: int, **more: Any) -> Config:
    """The five numbers that shape most decoders, by their usual keys."""
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    values = (hidden, layers, heads, kv_heads, ffn)
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None} | more


LLAMA_3 = {"model_type": "llama", "vocab_size": 128256}
QWEN_25 = {"model_type": "qwen2", "vocab_size": 152064}
LLAMA_3_8B = LLAMA_3 | sizes(4096, 32, 32, 8, 14336)
FALCON_40B = {"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 8} | sizes(
    8192, 60, 128, None, 32768
)
OPT_350M = {
    "model_type": "opt",
    "hidden_size": 1024,
    "word_embed_proj_dim": 512,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "ffn_dim": 4096,
    "do_layer_norm_before": False,
}
GEMMA_3_1B = {"model_type": "gemma3_text", "vocab_size": 262144, "sliding_window": 512} | sizes(1152, 26, 4, 1, 6912)

#: Parameters of known models, and the keys of their configs that shape them; other keys are at their defaults.
PUBLISHED: dict[str, tuple[int, Config]] = {
    "Llama-2-7B": (6_738_415_616, {"model_type": "llama"}),
    "Llama-3.1-8B": (8_030_261_248, LLAMA_3_8B),
    "Llama-3.3-70B": (70_553_706_496, LLAMA_3 | sizes(8192, 80, 64, 8, 28672)),
    "Llama-3.2-1B": (1_235_814_400, LLAMA_3 | sizes(2048, 16, 32, 8, 8192, head_dim=64, tie_word_embeddings=True)),
    "Llama-3.2-3B": (3_212_749_824, LLAMA_3 | sizes(3072, 28, 24, 8, 8192, head_dim=128, tie_word_embeddings=True)),
    "TinyLlama-1.1B": (1_100_048_384, {"model_type": "llama"} | sizes(2048, 22, 32, 4, 5632)),
    "SmolLM2-135M": (
        134_515_008,
        {"model_type": "llama", "vocab_size": 49152, "tie_word_embeddings": True} | sizes(576, 30, 9, 3, 1536),
    ),
    "SmolLM3-3B": (3_075_098_624, {"model_type": "smollm3"}),
    "granite-3.3-8b": (
        8_170_864_640,
        {"model_type": "granite", "vocab_size": 49159, "tie_word_embeddings": True} | sizes(4096, 40, 32, 8, 12800),
    ),
    "Mistral-7B-v0.1": (7_241_732_096, {"model_type": "mistral"}),
    "Ministral-8B": (
        8_019_808_256,
        {"model_type": "mistral", "vocab_size": 131072, "head_dim": 128} | sizes(4096, 36, 32, 8, 12288),
    ),
    "Qwen2.5-0.5B": (
        494_032_768,
        {"model_type": "qwen2", "tie_word_embeddings": True} | sizes(896, 24, 14, 2, 4864),
    ),
    "Qwen2.5-1.5B": (
        1_543_714_304,
        {"model_type": "qwen2", "tie_word_embeddings": True} | sizes(1536, 28, 12, 2, 8960),
    ),
    "Qwen2.5-7B": (7_615_616_512, QWEN_25 | sizes(3584, 28, 28, 4, 18944)),
    "Qwen2.5-14B": (14_770_033_664, QWEN_25 | sizes(5120, 48, 40, 8, 13824)),
    "Qwen2.5-32B": (32_763_876_352, QWEN_25 | sizes(5120, 64, 40, 8, 27648)),
    "Qwen3-14B": (14_768_307_200, {"model_type": "qwen3"} | sizes(5120, 40, 40, 8, 17408)),
    "gemma-2-2b": (2_614_341_888, {"model_type": "gemma2"}),
    "gemma-2-9b": (9_241_705_984, {"model_type": "gemma2"} | sizes(3584, 42, 16, 8, 14336)),
    "gemma-2-27b": (27_227_128_320, {"model_type": "gemma2", "head_dim": 128} | sizes(4608, 46, 32, 16, 36864)),
    "gemma-3-1b": (999_885_952, GEMMA_3_1B),
    "phi-2": (2_779_683_840, {"model_type": "phi"} | sizes(2560, 32, 32, 32, 10240)),
    "Phi-3-mini-4k": (3_821_079_552, {"model_type": "phi3", "sliding_window": 2047}),
    "phi-4": (14_659_507_200, {"model_type": "phi3", "vocab_size": 100352} | sizes(5120, 40, 40, 10, 17920)),
    "gpt2": (124_439_808, {"model_type": "gpt2"}),
    "gpt2-xl": (1_557_611_200, {"model_type": "gpt2", "n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "gpt-j-6b": (6_050_882_784, {"model_type": "gptj"}),
    "gpt-neo-2.7B": (
        2_651_307_520,
        {
            "model_type": "gpt_neo",
            "hidden_size": 2560,
            "num_layers": 32,
            "num_heads": 20,
            "attention_types": [[["global", "local"], 16]],
        },
    ),
    "pythia-6.9b": (6_857_302_016, {"model_type": "gpt_neox"} | sizes(4096, 32, 32, None, 16384)),
    "starcoder": (
        15_517_456_384,
        {
            "model_type": "gpt_bigcode",
            "vocab_size": 49152,
            "n_embd": 6144,
            "n_positions": 8192,
            "n_layer": 40,
            "n_head": 48,
            "n_inner": 24576,
        },
    ),
    "opt-350m": (331_196_416, OPT_350M),
    "bloom": (176_247_271_424, {"model_type": "bloom", "hidden_size": 14336, "n_layer": 70, "n_head": 112}),
    "falcon-7b": (6_921_720_704, {"model_type": "falcon"}),
    "falcon-40b": (41_303_293_952, FALCON_40B),
    "mpt-7b": (
        6_649_286_656,
        {"model_type": "mpt", "vocab_size": 50432, "d_model": 4096, "n_layers": 32, "n_heads": 32},
    ),
    "OLMo-2-7B": (7_298_617_344, {"model_type": "olmo2", "vocab_size": 100352}),
    "Olmo-3-7B": (7_298_011_136, {"model_type": "olmo3", "vocab_size": 100278}),
    "command-r": (34_980_831_232, {"model_type": "cohere"}),
    "command-r7b": (8_028_033_024, {"model_type": "cohere2"} | sizes(4096, 32, 32, 8, 14336)),
    "GLM-4-9B": (9_400_279_040, {"model_type": "glm4"}),
    "starcoder2-15b": (
        15_957_889_024,
        {"model_type": "starcoder2", "tie_word_embeddings": False} | sizes(6144, 40, 48, 4, 24576),
    ),
    "stablelm-2-12b": (
        12_143_185_920,
        {"model_type": "stablelm", "vocab_size": 100352, "qk_layernorm": True, "use_parallel_residual": True}
        | sizes(5120, 40, 32, 8, 13824),
    ),
    "Minitron-8B": (8_271_699_968, {"model_type": "nemotron", "head_dim": 128} | sizes(4096, 32, 48, 8, 16384)),
    "EXAONE-4.0-32B": (32_003_216_384, {"model_type": "exaone4", "head_dim": 128} | sizes(5120, 64, 40, 8, 27392)),
}


def count(ledger: Ledger, part: str | None = None) -> int:
    return sum(t.stored for t in ledger.parameters if part in (None, t.part))


def cache(config: Config) -> dict[tuple[str, int | None], int]:
    """Elements a token over all layers of a kind, by kind and window."""
    found: dict[tuple[str, int | None], int] = {}
    for state in build_ledger(config).states:
        key = (state.kind, state.window)
        found[key] = found.get(key, 0) + state.per_token * state.repeats
    return found


def layers_of(config: Config, kind: str) -> list[int]:
    """The layers of a kind, in order."""
    return sorted(layer for s in build_ledger(config).states if s.kind == kind for layer in s.layers or ())


@pytest.mark.parametrize(("total", "config"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_total_is_the_published_one(total: int, config: Config) -> None:
    assert count(build_ledger(config)) == total


# What is cached per token, in elements: 2 x KV heads x head size over the layers.


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LLAMA_3_8B, {("full", None): 65_536}),
        ({"model_type": "llama"}, {("full", None): 262_144}),
        ({"model_type": "mistral"}, {("sliding", 4096): 65_536}),
        ({"model_type": "mistral", "sliding_window": None}, {("full", None): 65_536}),
        ({"model_type": "ministral3"}, {("full", None): 69_632}),
        ({"model_type": "phi3", "sliding_window": 2047}, {("sliding", 2047): 196_608}),
        ({"model_type": "starcoder2"}, {("full", None): 15_360}),
        ({"model_type": "starcoder2", "sliding_window": 4096}, {("sliding", 4096): 15_360}),
        (GEMMA_3_1B, {("sliding", 512): 22 * 512, ("full", None): 4 * 512}),
        ({"model_type": "gemma2"}, {("sliding", 4096): 13 * 2048, ("full", None): 13 * 2048}),
        ({"model_type": "gpt_neo"}, {("full", None): 12 * 4096, ("sliding", 256): 12 * 4096}),
        ({"model_type": "gpt_bigcode"}, {("full", None): 12 * 128}),
        ({"model_type": "gpt_bigcode", "multi_query": False}, {("full", None): 12 * 1536}),
        ({"model_type": "falcon"}, {("full", None): 32 * 128}),
        (FALCON_40B, {("full", None): 60 * 8 * 128}),
        (OPT_350M, {("full", None): 24 * 2048}),
        ({"model_type": "glm4"}, {("full", None): 20_480}),
    ],
    ids=lambda value: value.get("model_type", "") if isinstance(value, dict) else "",
)
def test_the_cache_holds_the_key_and_value_heads(config: Config, expected: dict[Any, int]) -> None:
    assert cache(config) == expected


def test_falcon_has_as_many_kv_heads_as_its_generation_says() -> None:
    new = {"model_type": "falcon", "new_decoder_architecture": True}
    one, all_heads = 32 * 2 * 64, 32 * 71 * 2 * 64
    assert sum(cache({"model_type": "falcon", "num_kv_heads": 8}).values()) == one
    assert sum(cache({"model_type": "falcon", "multi_query": False, "num_kv_heads": 8}).values()) == all_heads
    assert sum(cache(new).values()) == all_heads
    assert sum(cache({**new, "num_kv_heads": 8}).values()) == 8 * one


@pytest.mark.parametrize(
    ("more", "norms"),
    [
        ({}, {"input_layernorm"}),
        ({"parallel_attn": False}, {"input_layernorm", "post_attention_layernorm"}),
        ({"new_decoder_architecture": True}, {"ln_attn", "ln_mlp"}),
        ({"new_decoder_architecture": True, "num_ln_in_parallel_attn": 1}, {"input_layernorm"}),
    ],
)
def test_falcon_norms_its_layers_by_generation(more: Config, norms: set[str]) -> None:
    ledger = build_ledger({"model_type": "falcon", **more})
    assert {t.name.split(".")[3] for t in ledger.tensors if t.part == "norm" and t.layers} == norms


# Which layers slide.


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3"])
def test_qwen_slides_only_when_switched_on_and_only_the_upper_layers(model_type: str) -> None:
    config = {"model_type": model_type, "num_hidden_layers": 6, "max_window_layers": 4, "sliding_window": 1024}
    assert layers_of(config, "full") == [0, 1, 2, 3, 4, 5]
    assert layers_of({**config, "use_sliding_window": True}, "sliding") == [4, 5]
    assert layers_of({**config, "use_sliding_window": True, "max_window_layers": 28}, "sliding") == []
    assert layers_of({**config, "use_sliding_window": True, "sliding_window": None}, "sliding") == []


def test_qwen_cannot_slide_by_layer_types_with_the_window_switched_off() -> None:
    with pytest.raises(UnsupportedError, match="sliding_attention layers, but the config has no size"):
        build_ledger({"model_type": "qwen2", "num_hidden_layers": 1, "layer_types": ["sliding_attention"]})


def test_gemma_2_begins_with_a_window_and_alternates() -> None:
    assert layers_of({"model_type": "gemma2", "num_hidden_layers": 5}, "sliding") == [0, 2, 4]


def test_gemma_3_attends_fully_in_every_sixth_layer() -> None:
    assert layers_of(GEMMA_3_1B, "full") == [5, 11, 17, 23]
    assert layers_of({**GEMMA_3_1B, "sliding_window_pattern": 13}, "full") == [12, 25]
    kinds = ["full_attention"] + ["sliding_attention"] * 25
    assert layers_of({**GEMMA_3_1B, "sliding_window_pattern": 13, "layer_types": kinds}, "full") == [0]


def test_an_embedding_gemma_sees_half_its_window_to_each_side_and_caches_nothing() -> None:
    states = build_ledger({**GEMMA_3_1B, "use_bidirectional_attention": True}).states
    assert {(s.per_token, s.causal) for s in states} == {(0, False)}
    assert {s.window for s in states} == {None, 257}


@pytest.mark.parametrize(
    ("config", "full"),
    [
        ({"model_type": "olmo3"}, [3, 7]),
        ({"model_type": "cohere2"}, [3, 7]),
        ({"model_type": "cohere2", "sliding_window_pattern": 2}, [1, 3, 5, 7]),
        ({"model_type": "exaone4"}, [3, 7]),
        ({"model_type": "exaone4", "sliding_window": None}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"model_type": "smollm3"}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"model_type": "smollm3", "use_sliding_window": True, "sliding_window": 64}, [0, 1, 2, 4, 5, 6]),
        (
            {
                "model_type": "smollm3",
                "use_sliding_window": True,
                "sliding_window": 64,
                "no_rope_layers": [0, 1, 1, 1, 1, 1, 1, 0],
            },
            [1, 2, 3, 4, 5, 6],
        ),
        ({"model_type": "ministral", "layer_types": ["full_attention", "sliding_attention"] * 4}, [0, 2, 4, 6]),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_the_other_layers_slide(config: Config, full: list[int]) -> None:
    assert layers_of({**config, "num_hidden_layers": 8}, "full") == full


# Parts and their names.


def test_opt_350m_projects_its_narrow_embedding_in_and_out_and_has_no_final_norm() -> None:
    ledger = build_ledger(OPT_350M)
    shapes = {t.name: t.shape for t in ledger.parameters}
    assert shapes["model.decoder.project_in.weight"] == (1024, 512)
    assert shapes["model.decoder.project_out.weight"] == (512, 1024)
    assert shapes["model.decoder.embed_positions.weight"] == (2050, 1024)
    assert shapes["lm_head.weight"] == (50272, 512)
    assert "model.decoder.final_layer_norm.weight" not in shapes
    assert count(ledger, "other") == 2 * 1024 * 512


def test_opt_with_norms_first_ends_in_one_unless_it_was_removed() -> None:
    names = {t.name for t in build_ledger({"model_type": "opt"}).parameters}
    removed = {t.name for t in build_ledger({"model_type": "opt", "_remove_final_layer_norm": True}).parameters}
    assert names - removed == {f"model.decoder.final_layer_norm.{kind}" for kind in ("weight", "bias")}
    assert not any("project" in name for name in names)


def test_learned_positions_are_a_part_of_their_own() -> None:
    assert count(build_ledger({"model_type": "gpt2"}), "position") == 1024 * 768
    assert count(build_ledger({"model_type": "llama"}), "position") == 0


def test_a_head_with_a_bias_keeps_it_when_tied() -> None:
    ledger = build_ledger({"model_type": "gptj", "tie_word_embeddings": True})
    assert count(ledger, "head") == 50400


def test_gpt2_with_two_heads_scores_choices_from_a_summary() -> None:
    def heads(**more: Any) -> int:
        config = {"model_type": "gpt2", "architectures": ["GPT2DoubleHeadsModel"], **more}
        return count(build_ledger(config), "head")

    assert heads() == 768 + 1
    assert heads(summary_proj_to_labels=False) == 768 * 768 + 768
    assert heads(summary_use_proj=False) == 0


def test_cross_attention_is_there_when_the_decoder_stands_behind_an_encoder() -> None:
    ledger = build_ledger({"model_type": "gpt2", "add_cross_attention": True})
    cross = [s for s in ledger.states if s.kind == "cross"]
    assert cross == [
        State("cross", 1536, materialized=1536, flops_per_pos=3072, decode_flops_per_pos=3072, causal=False,
              layers=range(12)),
    ]  # fmt: skip
    assert {t.stack for t in ledger.tensors if "crossattention.c_attn" in t.name} == {"cross"}


def test_phi_norms_heads_by_their_share_of_the_hidden_size() -> None:
    ledger = build_ledger({"model_type": "phi", "qk_layernorm": True, "head_dim": 32})
    assert {t.shape for t in ledger.tensors if "q_layernorm" in t.name} == {(64,)}
    assert {t.shape for t in ledger.tensors if "q_proj.bias" in t.name} == {(32 * 32,)}


def test_stablelm_norms_each_head_with_a_weight_of_its_own() -> None:
    ledger = build_ledger({"model_type": "stablelm", "qk_layernorm": True, "num_key_value_heads": 8})
    norms = {t.name.split(".")[4]: (t.shape, t.copies) for t in ledger.tensors if ".norms." in t.name}
    assert norms == {"q_layernorm": ((80,), 32), "k_layernorm": ((80,), 8)}


def test_the_slopes_of_xielu_are_parameters_and_its_constants_are_not() -> None:
    learned = build_ledger({"model_type": "apertus"})
    plain = build_ledger({"model_type": "apertus", "hidden_act": "silu"})
    assert count(learned) - count(plain) == 2 * 32
    assert sum(t.stored for t in learned.tensors if t.role == "buffer") == 2 * 32


def test_older_names_of_the_hidden_size_are_read() -> None:
    for model_type in ("bloom", "falcon"):
        new = {"model_type": model_type, "num_attention_heads": 4, "hidden_size": 32}
        assert count(build_ledger({**new, "hidden_size": 64, "n_embed": 32})) == count(build_ledger(new))


def test_mpt_is_counted_under_the_name_that_its_own_code_gives_it() -> None:
    config = {"model_type": "mpt", "attn_config": {"alibi": True, "attn_type": "multihead_attention"}}
    named = build_ledger({**config, "architectures": ["MPTForCausalLM"]})
    assert count(named) == count(build_ledger(config))


# Refusals, each naming the key.


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "llama", "num_key_value_heads": "8"}, "num_key_value_heads is '8'"),
        ({"model_type": "llama", "mlp_bias": "yes"}, "mlp_bias"),
        ({"model_type": "qwen2", "tie_word_embeddings": "False"}, "tie_word_embeddings is 'False'"),
        ({"model_type": "mistral", "sliding_window": "None"}, "sliding_window is 'None'"),
        ({"model_type": "mistral", "layer_types": ["full_attention"]}, "layer_types names 1 layers"),
        ({"model_type": "gemma3_text", "sliding_window_pattern": None}, "sliding_window_pattern is None"),
        ({"model_type": "gemma2", "use_bidirectional_attention": "all"}, "use_bidirectional_attention is 'all'"),
        ({"model_type": "cohere2", "sliding_window_pattern": 0}, "sliding_window_pattern is 0"),
        ({"model_type": "exaone4", "sliding_window_pattern": "LLLG"}, "sliding_window_pattern is 'LLLG'"),
        ({"model_type": "smollm3", "use_sliding_window": True, "sliding_window": 8, "no_rope_layer_interval": 0},
         "no_rope_layer_interval is 0"),
        ({"model_type": "smollm3", "use_sliding_window": True, "sliding_window": 8, "no_rope_layers": [0, 1]},
         "no_rope_layers is not a list"),
        ({"model_type": "gpt2", "n_embd": 770}, "hidden size 770 is not a multiple of its 12 heads"),
        ({"model_type": "gpt2", "n_inner": "3072"}, "n_inner is '3072'"),
        ({"model_type": "gpt_neo", "attention_types": "global"}, r"attention_types is not a list of \[\[kind"),
        ({"model_type": "gpt_neo", "attention_types": [[["global"], 10**9]]}, "other layers than the 24"),
        ({"model_type": "gpt_neo", "attention_types": [[["astral"], 24]]}, "astral_attention"),
        ({"model_type": "gpt_neo", "window_size": 0}, "window_size is 0"),
        ({"model_type": "gpt_bigcode", "add_cross_attention": True}, "multi_query exclude each other"),
        ({"model_type": "opt", "word_embed_proj_dim": 0}, "word_embed_proj_dim is 0"),
        ({"model_type": "helium", "head_dim": 64}, "20 heads of 64 do not add up to hidden_size 2560"),
        ({"model_type": "mpt", "attn_config": 3}, "attn_config is not an object"),
        ({"model_type": "mpt", "attn_config": {"attn_type": "grouped_query_attention"}}, "grouped_query_attention"),
        ({"model_type": "mpt", "architectures": ["MPTForCausalLM"], "expansion_ratio": 8}, "expansion_ratio is 8"),
        ({"model_type": "mpt", "architectures": ["MPTForCausalLM"], "attn_config": {"qk_ln": True}}, "qk_ln is True"),
        ({"model_type": "RefinedWeb"}, "RefinedWeb: the config has no 'vocab_size'"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:40],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused_by_name(config: Config, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
