"""Types whose code is in their own repositories, by the totals that were published for models of theirs."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.arch.ledgers import active, buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import MissingKeyError, UnsupportedError, load_specs
from zoo.arch.registry import load_architectures


class Published(NamedTuple):
    """What shapes a real model, and how many elements its files hold: parameters, and buffers beside them."""

    model: str
    config: dict[str, Any]
    params: int
    buffers: int = 0


def shape(
    model_type: str,
    hidden: int,
    ffn: int,
    layers: int,
    heads: int,
    vocab: int,
    kv_heads: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A config in the usual keys."""
    config = {"hidden_size": hidden, "intermediate_size": ffn, "num_hidden_layers": layers, "vocab_size": vocab}
    config |= {"model_type": model_type, "num_attention_heads": heads, "tie_word_embeddings": False}
    return config | ({} if kv_heads is None else {"num_key_value_heads": kv_heads}) | more


def fixed_state(config: dict[str, Any]) -> int:
    """Elements kept per sequence, whatever its length."""
    return sum(state.fixed * state.repeats for state in build_ledger(config).states)


def qwen(hidden: int, ffn: int, layers: int, heads: int, vocab: int, **more: Any) -> dict[str, Any]:
    return shape("qwen", hidden, ffn, layers, heads, vocab, kv_channels=128, no_bias=True, **more)


def internlm2(hidden: int, ffn: int, layers: int, heads: int) -> dict[str, Any]:
    return shape("internlm2", hidden, ffn, layers, heads, 92544, 8, bias=False)


def glm(layers: int, vocab: int, **more: Any) -> dict[str, Any]:
    """ChatGLM2 and later, which differ in depth and vocabulary."""
    config = {"model_type": "chatglm", "architectures": ["ChatGLMModel"], "num_layers": layers, "hidden_size": 4096}
    config |= {"ffn_hidden_size": 13696, "kv_channels": 128, "num_attention_heads": 32, "padded_vocab_size": vocab}
    config |= {"multi_query_attention": True, "multi_query_group_num": 2, "add_bias_linear": False, "rmsnorm": True}
    config |= {"add_qkv_bias": True, "post_layer_norm": True, "seq_length": 8192, "tie_word_embeddings": False}
    return config | more


CHATGLM = {
    "model_type": "chatglm",
    "architectures": ["ChatGLMModel"],
    "hidden_size": 4096,
    "inner_hidden_size": 16384,
    "max_sequence_length": 2048,
    "num_attention_heads": 32,
    "num_layers": 28,
    "position_encoding_2d": True,
    "vocab_size": 130528,
}
DEEPSEEK = shape(
    *("deepseek", 2048, 10944, 28, 16, 102400, 16),
    attention_bias=False,
    moe_layer_freq=1,
    first_k_dense_replace=1,
    moe_intermediate_size=1408,
    n_routed_experts=64,
    n_shared_experts=2,
    num_experts_per_tok=6,
)
LING = shape(
    *("bailing_moe", 2048, 5632, 28, 16, 126464, 4),
    use_bias=False,
    use_qkv_bias=False,
    first_k_dense_replace=0,
    moe_intermediate_size=1408,
    num_experts=64,
    num_shared_experts=2,
    num_experts_per_tok=6,
)
EXAONE = {
    **shape("exaone", 4096, 14336, 32, 32, 102400, 8, head_dim=128, num_layers=32),
    "architectures": ["ExaoneForCausalLM"],
}
BAICHUAN = shape("baichuan", 4096, 11008, 32, 32, 64000, architectures=["BaiChuanForCausalLM"])
MINICPM = shape("minicpm", 2304, 5760, 40, 36, 122753, 36)

INTERN_VIT = {
    "model_type": "intern_vit_6b",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_channels": 3,
    "patch_size": 14,
    "image_size": 448,
    "qkv_bias": True,
    "qk_normalization": False,
    "norm_type": "layer_norm",
}
INTERN_VIT_6B = INTERN_VIT | {
    "hidden_size": 3200,
    "intermediate_size": 12800,
    "num_hidden_layers": 45,
    "num_attention_heads": 25,
    "qkv_bias": False,
    "qk_normalization": True,
    "norm_type": "rms_norm",
}
INTERNVL = {
    "model_type": "internvl_chat",
    "architectures": ["InternVLChatModel"],
    "downsample_ratio": 0.5,
    "llm_config": internlm2(2048, 8192, 24, 16) | {"vocab_size": 92553, "architectures": ["InternLM2ForCausalLM"]},
    "vision_config": INTERN_VIT,
}
INTERNVL_78B = INTERNVL | {
    "llm_config": shape("qwen2", 8192, 29568, 80, 64, 151674, 8, architectures=["Qwen2ForCausalLM"]),
    "vision_config": INTERN_VIT_6B,
}
SIGLIP = {
    "model_type": "siglip",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 980,
}
MINICPMV = shape(
    *("minicpmv", 3584, 18944, 28, 28, 151666, 4),
    architectures=["MiniCPMV"],
    version=2.6,
    query_num=64,
    drop_vision_last_layer=False,
    vision_config=SIGLIP,
)

GLA = {
    "model_type": "gla",
    "architectures": ["GLAForCausalLM"],
    "hidden_size": 2048,
    "hidden_ratio": 4,
    "intermediate_size": None,
    "num_hidden_layers": 24,
    "num_heads": 4,
    "expand_k": 0.5,
    "expand_v": 1,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}
DELTA_NET = GLA | {
    "model_type": "delta_net",
    "architectures": ["DeltaNetForCausalLM"],
    "num_heads": 16,
    "expand_k": 1,
    "use_beta": True,
    "use_gate": False,
    "use_output_norm": True,
    "use_short_conv": True,
    "conv_size": 4,
}

PUBLISHED = [
    Published("Qwen/Qwen-1_8B", qwen(2048, 11008, 24, 16, 151936), 1_836_828_672),
    Published("Qwen/Qwen-7B", qwen(4096, 22016, 32, 32, 151936), 7_721_324_544),
    Published("Qwen/Qwen-14B", qwen(5120, 27392, 40, 40, 152064), 14_167_290_880),
    Published("Qwen/Qwen-72B", qwen(8192, 49152, 80, 64, 152064), 72_287_920_128),
    # The index gives 40,177,428,480 bytes, two for each element.
    Published("internlm/internlm-20b", shape("internlm", 5120, 13824, 60, 40, 103168, bias=False), 20_088_714_240),
    Published("internlm/internlm2_5-1_8b-chat", internlm2(2048, 8192, 24, 16), 1_889_110_016),
    Published("internlm/internlm2_5-7b-chat", internlm2(4096, 14336, 32, 32), 7_737_708_544),
    Published("internlm/internlm2_5-20b-chat", internlm2(6144, 16384, 48, 48), 19_861_149_696),
    Published("baichuan-inc/Baichuan-7B", BAICHUAN, 7_000_559_616),
    Published("openbmb/MiniCPM-2B-sft-bf16", MINICPM | {"tie_word_embeddings": True}, 2_724_880_896),
    Published("openbmb/MiniCPM4-8B", shape("minicpm", 4096, 16384, 32, 32, 73448, 2), 8_185_253_888),
    Published("LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", EXAONE, 7_818_448_896),
    Published("zai-org/chatglm-6b", CHATGLM, 6_173_286_400),
    # The index gives 12,487,168,064 bytes, two for each element; loaded, 32 of them are no parameters.
    Published("zai-org/chatglm2-6b", glm(28, 65024), 6_243_584_000, 32),
    Published("zai-org/glm-4-9b-chat", glm(40, 151552), 9_399_951_360, 32),
    Published("deepseek-ai/deepseek-moe-16b-chat", DEEPSEEK, 16_375_728_128),
    Published("inclusionAI/Ling-lite", LING, 16_801_974_272),
    Published("fla-hub/gla-1.3B-100B", GLA, 1_365_514_240),
    Published("fla-hub/delta_net-1.3B-100B", DELTA_NET, 1_365_677_056),
    Published("OpenGVLab/InternVL2-2B", INTERNVL, 2_205_754_368),
    Published("OpenGVLab/InternVL2_5-78B", INTERNVL_78B, 78_408_318_336),
    Published("openbmb/MiniCPM-V-2_6", MINICPMV, 8_099_175_152),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.model)
def test_a_model_counts_to_its_published_total(published: Published) -> None:
    assert (total(published.config), buffers(published.config)) == (published.params, published.buffers)


def test_every_type_that_transformers_does_not_have_is_held_against_a_published_total() -> None:
    verified = {name for name, architecture in load_architectures().items() if architecture.verified}
    assert verified == {published.config["model_type"] for published in PUBLISHED}
    assert verified.isdisjoint(load_specs())


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.model)
def test_every_class_of_a_type_is_counted(published: Published) -> None:
    heads = load_architectures()[published.config["model_type"]].heads
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


def test_a_width_that_is_given_is_taken_before_one_that_is_worked_out() -> None:
    assert total(GLA) - total(GLA | {"intermediate_size": 5000}) == 24 * 3 * 2048 * 632


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
        (BAICHUAN | {"architectures": ["BaichuanForCausalLM"]}, "class 'BaichuanForCausalLM' is not known"),
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
        (MINICPMV | {"version": "2.5"}, "version '2.5' is not 2.6"),
        (MINICPMV | {"drop_vision_last_layer": True}, "drop_vision_last_layer is set"),
        (MINICPMV | {"vision_config": []}, "vision_config is not an object"),
    ],
)
def test_what_no_total_vouches_for_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        total(config)
