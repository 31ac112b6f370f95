"""Less common decoders: published totals, what their caches and states hold, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import build_ledger
from zoo.arch.rows import State, Tensor

Config = dict[str, Any]

KIMI_K2: Config = {
    "model_type": "kimi_k2",
    "architectures": ["DeepseekV3ForCausalLM"],
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "first_k_dense_replace": 1,
    "n_routed_experts": 384,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "vocab_size": 163840,
}
MIMO: Config = {"model_type": "mimo_v2_flash"}
#: Rates of 4 and 128, as the list in the published files says them; it goes on past the last layer.
V4_FLASH: Config = {"model_type": "deepseek_v4", "compress_ratios": [0, 0, *[4, 128] * 20, 4, 0]}
GLM_FLASH: Config = {"model_type": "glm4_moe_lite"}
ERNIE_21B: Config = {"model_type": "ernie4_5_moe"}
FULL = [4, 8, 12, 16, 20, 24, 27]
KIMI_LINEAR: Config = {
    "model_type": "kimi_linear",
    "linear_attn_config": {"full_attn_layers": FULL, "kda_layers": [i for i in range(1, 28) if i not in FULL]},
}
GRANITE_TINY: Config = {
    "model_type": "granitemoehybrid",
    "hidden_size": 1536,
    "num_hidden_layers": 40,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "intermediate_size": 512,
    "shared_intermediate_size": 1024,
    "num_local_experts": 64,
    "num_experts_per_tok": 6,
    "mamba_n_heads": 48,
    "mamba_d_state": 128,
    "mamba_d_head": 64,
    "vocab_size": 100352,
    "tie_word_embeddings": True,
    "layer_types": ["attention" if layer in (5, 15, 25, 35) else "mamba" for layer in range(40)],
}

#: Parameters as published with the stored weights; keys that are not here are at their defaults.
PUBLISHED: dict[str, tuple[int, Config]] = {
    "Kimi-K2": (1_026_408_209_408, KIMI_K2),
    "MiMo-V2-Flash": (308_778_768_832, MIMO),
    "DeepSeek-V4-Flash": (284_332_230_231, V4_FLASH),
    "GLM-4.7-Flash": (29_943_390_976, GLM_FLASH),
    "Kimi-Linear-48B-A3B": (49_122_675_072, KIMI_LINEAR),
    "ERNIE-4.5-0.3B": (360_748_032, {"model_type": "ernie4_5"}),
    "ERNIE-4.5-21B-A3B": (21_825_437_888, ERNIE_21B),
    "granite-4.0-h-tiny": (6_939_037_248, GRANITE_TINY),
    "Youtu-LLM-2B": (1_961_560_064, {"model_type": "youtu"}),
    "MiniCPM3-4B": (4_073_875_968, {"model_type": "minicpm3"}),
    "internlm3-8b": (8_804_241_408, {"model_type": "internlm3"}),
    "recurrentgemma-2b": (
        2_682_862_080,
        {"model_type": "recurrent_gemma", "num_key_value_heads": 1, "intermediate_size": 15360},
    ),
    "xglm-564M": (564_463_616, {"model_type": "xglm"}),
    "openai-gpt": (116_534_784, {"model_type": "openai-gpt"}),
    "rwkv-4-169m": (
        169_342_464,
        {"model_type": "rwkv", "hidden_size": 768, "num_hidden_layers": 12},
    ),
    "LongCat-Flash, with what the class allocates to zero experts": (741_053_585_408, {"model_type": "longcat_flash"}),
}


def params(config: Config) -> list[Tensor]:
    return list(build_ledger(config).parameters)


def states_of_layer(config: Config, layer: int) -> list[State]:
    return [state for state in build_ledger(config).states if layer in (state.layers or ())]


def growth(config: Config) -> int:
    """Elements a token, over all layers, once every window is full."""
    return sum(s.per_token * s.repeats for s in build_ledger(config).states if s.window is None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_are_those_published(name: str) -> None:
    total, config = PUBLISHED[name]
    assert sum(tensor.stored for tensor in params(config)) == total


def test_kimi_k2_declares_no_defaults() -> None:
    config = {key: value for key, value in KIMI_K2.items() if key != "vocab_size"}
    with pytest.raises(UnsupportedError, match="vocab_size"):
        build_ledger(config)


def test_kimi_k2_passes_through_32_billion_parameters() -> None:
    assert sum(tensor.active for tensor in params(KIMI_K2)) == 32_861_477_888


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (ERNIE_21B, 123_217_920),
        (GLM_FLASH, 643_706_176),
    ],
)
def test_layers_that_predict_further_tokens_are_counted_apart(config: Config, size: int) -> None:
    with_mtp = build_ledger(config | {"num_nextn_predict_layers": 1})
    assert sum(t.stored for t in with_mtp.tensors if t.role == "mtp") == size
    assert with_mtp.parameters == build_ledger(config).parameters


def test_mimo_keeps_twice_the_heads_in_its_windows() -> None:
    (full,), (sliding,) = states_of_layer(MIMO, 0), states_of_layer(MIMO, 1)
    assert (full.kind, full.per_token) == ("full", 4 * (192 + 128))
    assert (sliding.kind, sliding.per_token) == ("sliding", 8 * (192 + 128))


def test_mimo_refuses_a_file_that_the_class_would_read_otherwise() -> None:
    with pytest.raises(UnsupportedError, match="swa_num_key_value_heads"):
        build_ledger(MIMO | {"swa_num_key_value_heads": 4})


def test_the_older_window_of_mimo_leaves_the_token_itself_out() -> None:
    assert {s.window for s in build_ledger(MIMO | {"sliding_window_size": 128}).states} == {None, 129}


def test_deepseek_v4_keeps_one_entry_for_4_or_for_128_tokens() -> None:
    states = {layer: states_of_layer(V4_FLASH, layer) for layer in (0, 2, 3)}
    kept = {layer: [s.per_token for s in own if s.window is None and s.per_token] for layer, own in states.items()}
    assert kept == {0: [], 2: [512 // 4 + 128 // 4], 3: [512 // 128]}
    assert growth(V4_FLASH) == 21 * 160 + 20 * 4


def test_deepseek_v4_keeps_what_does_not_make_an_entry_yet() -> None:
    waiting = [(s.per_token, s.window, s.fixed) for s in states_of_layer(V4_FLASH, 2) if s.kind == "sliding"]
    assert waiting == [(512, 128, 0), (2 * 2 * 512, 3, 2 * 4 * 512), (2 * 2 * 128, 3, 2 * 4 * 128)]


def test_deepseek_v4_refuses_entries_of_no_whole_elements() -> None:
    with pytest.raises(UnsupportedError, match="no whole elements"):
        build_ledger(V4_FLASH | {"head_dim": 192})


def test_longcat_keeps_two_latents_a_layer() -> None:
    assert growth({"model_type": "longcat_flash"}) == 28 * 2 * (512 + 64)


def test_longcat_passes_only_real_experts() -> None:
    tensors = [t for t in params({"model_type": "longcat_flash"}) if t.part == "experts"]
    assert sum(t.active for t in tensors) == 28 * 12 * 3 * 6144 * 2048


def test_kimi_linear_keeps_states_in_float32_beside_its_latents() -> None:
    config = {"model_type": "kimi_linear"}
    conv, delta = states_of_layer(config, 0)
    assert (conv.fixed, delta.fixed, delta.dtype) == (3 * 32 * 128 * 3, 32 * 128 * 128, "float32")
    assert growth(config) == 6 * 576


def test_kimi_linear_takes_the_layers_that_its_section_lists() -> None:
    section = {"full_attn_layers": [2], "kda_layers": [1, 3], "num_heads": 4, "head_dim": 16}
    config = {"model_type": "kimi_linear", "num_hidden_layers": 3, "linear_attn_config": section}
    kinds = [states_of_layer(config, layer)[-1].kind for layer in range(3)]
    assert kinds == ["linear", "full", "linear"]


@pytest.mark.parametrize(
    "section",
    [
        [],
        {"full_attn_layers": [1], "kda_layers": [2]},
        {"full_attn_layers": [4], "kda_layers": [1, 2]},
        {"full_attn_layers": 3, "kda_layers": [1, 2]},
        {"use_full_rank_gate": True},
    ],
)
def test_kimi_linear_refuses_a_section_that_it_cannot_follow(section: Any) -> None:
    with pytest.raises(UnsupportedError, match="linear_attn_config"):
        build_ledger({"model_type": "kimi_linear", "num_hidden_layers": 3, "linear_attn_config": section})


def test_zamba_stores_a_shared_block_once_and_a_cache_for_each_use() -> None:
    config = {"model_type": "zamba"}
    shared = [t for t in params(config) if t.name.endswith("shared_transf.self_attn.q_proj.weight")]
    assert [(t.repeats, t.tied_to is None) for t in shared] == [(1, True), (12, False)]
    assert growth(config) == 13 * 2 * 16 * 464


def test_zamba_stores_the_block_in_every_layer_when_nothing_is_tied() -> None:
    tensors = params({"model_type": "zamba", "tie_word_embeddings": False})
    assert not any(t.tied_to for t in tensors)


def test_zamba2_has_an_adapter_for_each_use_of_a_block() -> None:
    config = {"model_type": "zamba2", "num_mem_blocks": 2}
    first = [t for t in params(config) if "gate_up_proj_adapter" in t.name and t.shape == (128, 2560)]
    assert sorted(t.repeats for t in first) == [4, 5]


def test_hrm_keeps_a_cache_for_every_passage() -> None:
    config = {"model_type": "hrm_text"}
    assert growth(config) == 16 * 2 * (2 * 3 + 2) * 12 * 128
    saved = config | {"num_layers_per_stack": 16, "num_hidden_layers": 128}
    assert build_ledger(saved).tensors == build_ledger(config).tensors


def test_recurrent_gemma_keeps_no_cache_that_grows() -> None:
    config = {"model_type": "recurrent_gemma", "num_key_value_heads": 1}
    assert growth(config) == 0
    assert [(s.kind, s.fixed) for s in states_of_layer(config, 0)] == [("conv", 2560 * 3), ("linear", 2560)]
    assert [(s.kind, s.per_token, s.window) for s in states_of_layer(config, 2)] == [("sliding", 512, 2048)]


def test_rwkv_keeps_five_vectors_a_layer() -> None:
    states = states_of_layer({"model_type": "rwkv"}, 0)
    assert sum(s.fixed for s in states) == 5 * 4096
    assert [s.fixed for s in states if s.dtype == "float32"] == [3 * 4096]


def test_dots3_keeps_wider_latents_in_its_windows_and_an_index_elsewhere() -> None:
    config = {"model_type": "dots3_note_text"}
    kept = {layer: sum(s.per_token for s in states_of_layer(config, layer)) for layer in (0, 2)}
    assert kept == {0: 512 + 64 + 128, 2: 1024 + 64}
    assert [(s.kind, s.window) for s in states_of_layer(config, 2)] == [("sliding", 512)]
    plain = states_of_layer(config | {"use_dsa": False}, 0)
    assert [(s.kind, s.per_token) for s in plain] == [("full", 576)]


def test_inkling2_asks_earlier_layers_from_the_second_on() -> None:
    queries = [t for t in params({"model_type": "inkling2_text"}) if t.name.endswith("attention_input.query")]
    assert sorted((t.shape, t.repeats) for t in queries) == [((3, 4608), 8), ((4608,), 39)]


@pytest.mark.parametrize(("memory", "kept"), [(512, ("sliding", 512)), (0, ("full", None)), (None, ("full", None))])
def test_xlnet_remembers_inputs_instead_of_keys_and_values(memory: int | None, kept: tuple[str, int | None]) -> None:
    (state,) = states_of_layer({"model_type": "xlnet", "mem_len": memory}, 0)
    assert (state.kind, state.window) == kept
    assert state.per_token == 1024


def test_xlnet_may_have_no_projection_of_its_summary() -> None:
    config = {"model_type": "xlnet", "architectures": ["XLNetForMultipleChoice"], "summary_use_proj": False}
    assert not any("summary" in t.name for t in params(config))


def test_minimax_refuses_the_keys_of_its_own_code() -> None:
    with pytest.raises(UnsupportedError, match="attn_type_list"):
        build_ledger({"model_type": "minimax", "attn_type_list": [0, 1] * 16})


def test_an_indexer_keeps_one_key_where_it_picks_and_none_where_it_is_shared() -> None:
    config = {"model_type": "hy_v4", "num_hidden_layers": 3}
    kept = [sum(s.per_token for s in states_of_layer(config, layer)) for layer in range(3)]
    assert kept == [576 + 128, 576 + 128, 576]
    assert [s.window for s in states_of_layer(config, 2)] == [None, 2048]


def test_laguna_gives_each_layer_its_own_heads() -> None:
    config = {"model_type": "laguna", "num_hidden_layers": 3, "num_attention_heads_per_layer": [48, 72, 48]}
    gates = [(t.shape, list(t.layers or ())) for t in params(config) if t.name.endswith("g_proj.weight")]
    assert gates == [((48, 2048), [0, 2]), ((72, 2048), [1])]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "internlm3", "qkv_bias": True}, "qkv_bias differs"),
        ({"model_type": "iquestcoder", "clip_qkv": 8.0}, "clip_qkv"),
        ({"model_type": "diffllama", "num_key_value_heads": 1}, "split in two"),
        ({"model_type": "hunyuan_v1_moe", "head_dim": 128, "moe_topk": [1, 2]}, "differs between layers"),
        ({"model_type": "hunyuan_v1_moe", "head_dim": 128, "num_shared_expert": [2]}, "num_shared_expert"),
        ({"model_type": "exaone_moe", "sliding_window": None}, "layer_types must say"),
        ({"model_type": "flint", "mlp_only_layers": 3}, "mlp_only_layers"),
        ({"model_type": "cohere2_moe", "first_k_dense_replace": 99}, "first_k_dense_replace"),
        ({"model_type": "doge", "is_moe": True, "num_experts_per_tok": 20000}, "out of range"),
        ({"model_type": "jetmoe", "num_experts_per_tok": 9}, "out of range"),
        ({"model_type": "longcat_flash", "q_lora_rank": None}, "q_lora_rank"),
        ({"model_type": "longcat_flash", "qk_head_dim": 7}, "qk_head_dim"),
        ({"model_type": "longcat_flash", "num_hidden_layers": 28}, "num_hidden_layers"),
        ({"model_type": "longcat_flash", "moe_topk": 0}, "out of range"),
        ({"model_type": "longcat_flash", "num_layers": 10**6}, "out of range"),
        ({"model_type": "deepseek_v4", "num_key_value_heads": 8}, "num_key_value_heads"),
        ({"model_type": "deepseek_v4", "n_shared_experts": 2}, "n_shared_experts"),
        ({"model_type": "deepseek_v4", "compress_ratios": [4]}, "compress_ratios"),
        ({"model_type": "deepseek_v4", "compress_rates": 4}, "compress_rates"),
        ({"model_type": "deepseek_v4", "o_groups": 7}, "groups"),
        ({"model_type": "granitemoehybrid", "mamba_d_head": 63}, "do not add up"),
        ({"model_type": "zamba", "num_hidden_layers": 2}, "layers_block_type"),
        ({"model_type": "zamba", "n_mamba_heads": 3}, "do not divide"),
        ({"model_type": "zamba2", "num_hidden_layers": 7}, "layers_block_type"),
        ({"model_type": "zamba2", "mamba_headdim": 3}, "do not add up"),
        ({"model_type": "zamba2", "use_shared_attention_adapter": True, "attention_head_dim": 3}, "adapters"),
        ({"model_type": "recurrent_gemma", "block_types": []}, "block_types"),
        ({"model_type": "recurrent_gemma", "lru_width": 7}, "lru_width"),
        ({"model_type": "bailing_hybrid", "q_lora_rank": 512}, "q_lora_rank"),
        ({"model_type": "axk1", "q_lora_rank": None}, "q_lora_rank"),
        ({"model_type": "hrm_text", "H_cycles": 10**6}, "out of range"),
        ({"model_type": "hrm_text", "num_layers_per_stack": 10**6}, "out of range"),
        ({"model_type": "laguna", "num_attention_heads_per_layer": [48]}, "num_attention_heads_per_layer"),
        ({"model_type": "xlstm", "num_heads": 7}, "multiples"),
        ({"model_type": "xlstm", "qk_dim_factor": "half"}, "factor"),
        ({"model_type": "xlstm", "weight_mode": "loose"}, "weight_mode"),
        ({"model_type": "xlstm", "embedding_dim": 5}, "embedding_dim"),
        ({"model_type": "zaya", "num_key_value_heads": 1, "head_dim": 7}, "halved"),
        ({"model_type": "dots3_note_text", "per_layer_config": {"0": {"v_head_dim": 8}}}, "per_layer_config"),
        ({"model_type": "dots3_note_text", "swa_q_lora_rank": None}, "q_lora_rank"),
        ({"model_type": "dots3_note_text", "moe_layer_freq": [1]}, "moe_layer_freq"),
        ({"model_type": "moshi", "ffn_dim": 5}, "odd"),
        ({"model_type": "inkling_text", "local_layer_ids": 3}, "local_layer_ids"),
        ({"model_type": "lfm2_moe"}, "layer_types"),
        ({"model_type": "moshi", "tie_word_embeddings": True}, "tied"),
        ({"model_type": "minimax_m3_vl_text", "sparse_attention_config": []}, "sparse_attention_config"),
        ({"model_type": "minimax_m3_vl_text", "moe_layer_freq": [1]}, "moe_layer_freq"),
        ({"model_type": "bert-generation", "add_cross_attention": True}, "is_decoder"),
    ],
)
def test_a_config_that_would_be_counted_wrong_is_refused(config: Config, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        build_ledger(config)
