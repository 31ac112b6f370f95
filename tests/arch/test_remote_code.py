"""Types whose code is in their own repositories, by the totals that were published for models of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import active, buffers, cached, part, stored, total
from tests.arch.nas_layers import NEMOTRON, nas_layers
from tests.arch.remote_models import (
    BAICHUAN,
    CHATGLM,
    DEEPSEEK,
    DELTA_NET,
    FALCON,
    GLA,
    GROK_1,
    HUNYUAN,
    INTERN_VIT,
    INTERNVL,
    LING,
    MIMO,
    MINICPM,
    MINICPMV,
    MINICPMV_LLAMA,
    MINIMAX,
    PHI,
    PHI3_SMALL,
    PHI3V,
    PUBLISHED,
    RETNET,
    SIGLIP,
    STEP,
    Published,
    glm,
    internlm2,
    qwen,
    shape,
)
from zoo.arch import build_ledger
from zoo.arch.config import MissingKeyError, UnsupportedError, load_specs
from zoo.arch.registry import load_architectures

WINDOWED = [{"attention": {"n_heads_in_group": 8, "window_length": 4096}, "ffn": {"ffn_mult": 1.0}}] * 80


def fixed_state(config: dict[str, Any]) -> int:
    """Elements kept per sequence, whatever its length."""
    return sum(state.fixed * state.repeats for state in build_ledger(config).states)


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.model)
def test_a_model_counts_to_its_published_total(published: Published) -> None:
    counted = (total(published.config), buffers(published.config), stored(published.config, "mtp"))
    assert counted == (published.params, published.buffers, published.mtp)


def test_every_type_that_transformers_does_not_have_is_held_against_a_published_total() -> None:
    verified = {name for name, architecture in load_architectures().items() if architecture.verified}
    assert verified == {build_ledger(published.config).architecture.model_type for published in PUBLISHED}
    # Step 3.5 is the text of Step 3.7 there: a section, of which no class speaks.
    assert verified & load_specs().keys() == {"step3p5"}


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.model)
def test_every_class_of_a_type_is_counted(published: Published) -> None:
    heads = build_ledger(published.config).architecture.heads
    totals = {name: total(published.config | {"architectures": [name]}) for name in heads}
    assert max(totals.values()) == published.params
    assert min(totals.values()) > published.params * 0.8


def test_what_is_cached_follows_the_kind_of_heads() -> None:
    assert cached(glm(28, 65024)) == {"full": 28 * 2 * 2 * 128}
    assert cached(CHATGLM) == {"full": 28 * 2 * 4096}
    assert cached(glm(28, 65024, multi_query_attention=False)) == {"full": 28 * 2 * 4096}
    assert cached(LING) == {"full": 28 * 2 * 4 * 128}


def test_only_the_chosen_experts_are_active() -> None:
    unused = (64 - 6) * 3 * 2048 * 1408
    assert total(DEEPSEEK) - active(DEEPSEEK) == 27 * unused
    assert total(LING) - active(LING) == 28 * unused
    assert part(LING, "shared_experts") == 28 * 3 * 2048 * 2 * 1408


def test_what_sees_is_counted_apart_from_what_speaks() -> None:
    assert part(INTERNVL, "vision") == 304_012_288
    assert part(INTERNVL, "projector") == 2 * 4096 + 4096 * 2048 + 2048 + 2048 * 2048 + 2048
    assert part(INTERNVL, "head") == 92553 * 2048
    assert cached(INTERNVL) == {"full": 24 * 2 * 8 * 128}
    assert part(MINICPMV, "head") == 151666 * 3584
    assert cached(MINICPMV) == {"full": 28 * 2 * 4 * 128}


def test_patches_as_wide_as_the_text_need_no_projection_before_they_are_resampled() -> None:
    wide = MINICPMV | {"vision_config": SIGLIP | {"hidden_size": 3584}}
    assert part(MINICPMV, "projector") - part(wide, "projector") == 1152 * 3584


def test_linear_attention_keeps_a_state_that_does_not_grow() -> None:
    fixed = {model["model_type"]: fixed_state(model) for model in (GLA, DELTA_NET)}
    assert fixed == {"gla": 24 * 4 * 256 * 512, "delta_net": 24 * (16 * 128 * 128 + 3 * 2048 * 3)}
    assert cached(GLA) == cached(DELTA_NET) == {}


def test_a_layer_that_a_search_pruned_keeps_a_matrix_or_nothing() -> None:
    assert cached(NEMOTRON) == {"full": 49 * 2 * 8 * 128}
    pruned = NEMOTRON | {"block_configs": nas_layers(79, 8, 5.25) + nas_layers(1, None, 5.25)}
    linear = NEMOTRON | {"block_configs": nas_layers(79, 8, 5.25) + nas_layers(1, None, 5.25, linear=True)}
    assert total(linear) - total(pruned) == 8192 * 8192 + 8192
    assert cached(linear) == cached(pruned) == {"full": 79 * 2 * 8 * 128}


def test_a_search_may_leave_no_mlp() -> None:
    whole, bare = nas_layers(80, 8, 5.25), [dict(layer) for layer in nas_layers(80, 8, 5.25)]
    bare[0]["ffn"] = {"no_op": True}
    difference = total(NEMOTRON | {"block_configs": whole}) - total(NEMOTRON | {"block_configs": bare})
    assert difference == 3 * 8192 * 28672 + 8192


def test_sparse_layers_of_phi_3_small_keep_all_keys_and_see_a_part() -> None:
    assert cached(PHI3_SMALL) == {"full": 32 * 2 * 8 * 128}
    states = build_ledger(PHI3_SMALL).states
    assert [state.flops_per_pos for state in states] == [16384, 16384 // 8, 16384 * 7 // 8]
    assert [state.window for state in states] == [None, None, 1024]
    dense = build_ledger(PHI3_SMALL | {"dense_attention_every_n_layers": 1}).states
    assert [state.flops_per_pos for state in dense] == [16384]


def test_minimax_keeps_a_state_in_the_layers_that_its_list_marks() -> None:
    assert cached(MINIMAX) == {"full": 10 * 2 * 8 * 128}
    assert fixed_state(MINIMAX) == 70 * 64 * 128 * 128


def test_a_further_token_costs_nothing_where_no_layer_predicts_it() -> None:
    assert stored(MIMO | {"num_nextn_predict_layers": 0}, "mtp") == 0
    assert stored(STEP | {"num_nextn_predict_layers": 0, "layer_types": STEP["layer_types"][:45]}, "mtp") == 0


def test_the_first_files_of_minicpm_v_2_5_name_no_version() -> None:
    silent = {key: value for key, value in MINICPMV_LLAMA.items() if key != "version"}
    assert total(silent) == total(MINICPMV_LLAMA)


def test_a_width_that_is_given_is_taken_before_one_that_is_worked_out() -> None:
    assert total(GLA) - total(GLA | {"intermediate_size": 5000}) == 24 * 3 * 2048 * 632


def test_the_library_declares_sizes_that_its_files_may_leave_out() -> None:
    left = {key: value for key, value in GLA.items() if key not in ("vocab_size", "hidden_ratio", "intermediate_size")}
    assert total(left) == total(GLA)
    assert total({**RETNET, "hidden_ratio": None}) > total(RETNET)
    assert total({key: value for key, value in RETNET.items() if key != "hidden_ratio"}) == total(RETNET)


def test_the_library_s_transformer_slides_where_it_has_a_window() -> None:
    plain = GLA | {"model_type": "transformer", "num_heads": 32, "num_kv_heads": 8}
    assert cached(plain) == {"full": 24 * 2 * 8 * 64}
    assert cached(plain | {"window_size": 512}) == {"sliding": 24 * 2 * 8 * 64}


def test_step_slides_in_three_layers_of_four() -> None:
    assert cached(STEP) == {"full": 12 * 2 * 8 * 128, "sliding": 33 * 2 * 8 * 128}
    assert total(STEP) - active(STEP) == 42 * (288 - 8) * 3 * 4096 * 1280


def test_minicpm_is_tied_unless_its_file_says_otherwise() -> None:
    silent = {key: value for key, value in MINICPM.items() if key != "tie_word_embeddings"}
    assert total(silent) == 2_724_880_896
    assert total(MINICPM) == 2_724_880_896 + 122753 * 2304


@pytest.mark.parametrize("key", ["vocab_size", "kv_channels", "tie_word_embeddings", "intermediate_size"])
def test_a_key_that_a_qwen_file_lacks_is_missing(key: str) -> None:
    config = {name: value for name, value in PUBLISHED[0].config.items() if name != key}
    with pytest.raises(MissingKeyError, match=key):
        total(config)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (qwen(4096, 22016, 32, 32, 151936, visual={"width": 1664}), "visual is set"),
        (qwen(4096, 22016, 32, 16, 151936), "do not add up to hidden_size"),
        (shape("internlm", 4096, 11008, 32, 32, 103168, bias=True), "bias is True"),
        (MINICPM | {"num_experts": 8}, "num_experts is set"),
        (BAICHUAN | {"architectures": ["BaichuanM1ForCausalLM"]}, "class 'BaichuanM1ForCausalLM' is not known"),
        (DEEPSEEK | {"moe_layer_freq": 2}, "moe_layer_freq is 2"),
        (DEEPSEEK | {"num_experts_per_tok": 65}, "65 of 64 experts"),
        (LING | {"multi_gate": True}, "multi_gate is set"),
        (glm(28, 65024, inner_hidden_size=16384), "not clearly of ChatGLM-6B"),
        ({"model_type": "chatglm", "hidden_size": 4096, "num_layers": 28}, "not clearly of ChatGLM-6B"),
        (glm(40, 151552, vision_config={"hidden_size": 1792}), "vision_config is set"),
        (glm(28, 65024, pre_seq_len=50), "pre_seq_len is set"),
        (glm(28, 65024, tie_word_embeddings=True), "tie_word_embeddings is on"),
        (glm(28, 65024, rmsnorm=False), "rmsnorm is off"),
        (GLA | {"use_short_conv": True}, "use_short_conv is set"),
        (GLA | {"expand_k": "half"}, "expand_k is 'half'"),
        (GLA | {"expand_v": 0.0005}, "gives 1, not a multiple of 4 heads"),
        (DELTA_NET | {"use_gate": True}, "use_gate is set"),
        (DELTA_NET | {"use_short_conv": False}, "use_short_conv is False"),
        (INTERNVL | {"downsample_ratio": True}, "downsample_ratio is True"),
        (INTERNVL | {"downsample_ratio": 2}, "downsample_ratio is 2"),
        (INTERNVL | {"use_llm_lora": 16}, "use_llm_lora is set"),
        (INTERNVL | {"llm_config": {"model_type": "warp_drive"}}, "'warp_drive' is not known"),
        (INTERNVL | {"llm_config": internlm2(64, 64, 1, 8) | {"bias": True}}, "internlm2: bias is True"),
        (INTERNVL | {"vision_config": INTERN_VIT | {"norm_type": "batch"}}, "norm_type is 'batch'"),
        (MINICPMV | {"version": "2.0"}, "version '2.0' is none of 2.5, 2.6, 4 and 4.5"),
        (MINICPMV | {"drop_vision_last_layer": True}, "drop_vision_last_layer is set"),
        (MINICPMV | {"vision_config": []}, "vision_config is not an object"),
        (PHI3V | {"embd_layer": None}, "embd_layer or img_processor is not an object"),
        (PHI3V | {"embd_layer": {"projection_cls": "linear"}}, "embd_layer.projection_cls is 'linear'"),
        (PHI3V | {"img_processor": {"name": "siglip"}}, "img_processor.name is 'siglip'"),
        (HUNYUAN | {"use_cla": True}, "use_cla is set"),
        (HUNYUAN | {"num_shared_expert": [1, 2] * 16}, "num_shared_expert is"),
        (MINIMAX | {"attn_type_list": [0, 1]}, "attn_type_list is not a list of 0 or 1"),
        (MIMO | {"attention_bias": False}, "attention_bias is False"),
        (STEP | {"moe_layers_enum": "3,4"}, "may count layers that predict further"),
        (STEP | {"use_qk_norm": False}, "use_qk_norm is False"),
        (STEP | {"moe_top_k": 289}, "289 of 288 experts"),
        (FALCON | {"multi_query": False}, "multi_query is off"),
        (FALCON | {"parallel_attn": False}, "parallel_attn is False"),
        (PHI | {"n_head_kv": 8}, "n_head_kv is set"),
        (PHI | {"n_head": 0}, "n_head is 0"),
        (FALCON | {"n_head": 0}, "n_head is 0"),
        (STEP | {"num_hidden_layers": 0}, "may count layers that predict further"),
        (PHI3_SMALL | {"ff_dim_multiplier": 4}, "ff_dim_multiplier is set"),
        (NEMOTRON | {"block_configs": None}, "block_configs is not a list of 80 layers"),
        (NEMOTRON | {"block_configs": [{}] * 80}, "does not say what the attention of layer 0 is"),
        (NEMOTRON | {"block_configs": nas_layers(80, 7, 1.0)}, "64 heads do not fall into groups of 7"),
        (NEMOTRON | {"block_configs": nas_layers(80, 8, 0.0)}, "ffn_mult is 0.0, not a factor above 0"),
        (NEMOTRON | {"block_configs": WINDOWED}, "sets 'window_length' in layer 0"),
    ],
)
def test_what_no_total_vouches_for_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        total(config)


def test_the_files_of_grok_1_are_its_tensors() -> None:
    """One file a tensor, the experts of a matrix in one; matrices in 8 bits with scales, all else in 32."""
    ledger = build_ledger(GROK_1)
    own = [tensor for tensor in ledger.parameters if not tensor.tied_to]
    assert sum(1 if tensor.layers is None else len(tensor.layers) for tensor in own) == 770
    sizes = {
        tensor.name.removesuffix(".weight").rpartition(".")[2]: tensor.stored // (1 if tensor.layers is None else 64)
        for tensor in own
    }
    assert sizes["linear_v"] == 1_610_612_736
    assert sizes["k_proj"] == 6_291_456
    assert 4 * sizes["gate"] == 196_608
    assert 4 * sizes["scale"] == 24_576
    packed = sum(t.stored * (1 if t.part in ("attention", "experts") else 4) for t in own)
    assert round(packed / 1e9) == 318
    assert active(GROK_1) == 83_756_587_008
