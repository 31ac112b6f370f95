"""Models whose code is in their own repositories: what shapes them, and the totals that were published for them."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.arch.deepseek_ocr import OCR_2
from tests.arch.kimi_k3 import KIMI_K3
from tests.arch.nas_layers import NEMOTRON


class Published(NamedTuple):
    """What shapes a real model, and how many elements its files hold: parameters, and what is beside them."""

    model: str
    config: dict[str, Any]
    params: int
    buffers: int = 0
    mtp: int = 0


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
    config: dict[str, Any] = {
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "vocab_size": vocab,
    }
    config |= {"model_type": model_type, "num_attention_heads": heads, "tie_word_embeddings": False}
    return config | ({} if kv_heads is None else {"num_key_value_heads": kv_heads}) | more


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
GROK_1 = shape(
    *("grok-1", 6144, 32768, 64, 48, 131072, 8),
    num_experts=8,
    num_experts_per_tok=2,
    max_position_embeddings=8192,
    architectures=["Grok1ModelForCausalLM"],
) | {"tie_word_embeddings": True}
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

MINICPMV_LLAMA = shape(
    *("minicpmv", 4096, 14336, 32, 32, 128256, 8),
    architectures=["MiniCPMV"],
    version="2.5",
    query_num=96,
    drop_vision_last_layer=False,
    vision_config=SIGLIP | {"model_type": "idefics2"},
)
MINICPMV_4 = shape(
    *("minicpmv", 2560, 10240, 32, 32, 73448, 2),
    architectures=["MiniCPMV"],
    version=4.0,
    head_dim=128,
    query_num=64,
    drop_vision_last_layer=False,
    vision_config=SIGLIP,
)
MINICPMV_QWEN3 = shape(
    *("minicpmv", 4096, 12288, 36, 32, 151748, 8),
    architectures=["MiniCPMV"],
    version=4.5,
    head_dim=128,
    query_num=64,
    drop_vision_last_layer=False,
    vision_config=SIGLIP,
)
PHI3V = shape(
    *("phi3_v", 3072, 8192, 32, 32, 32064, 32),
    architectures=["Phi3VForCausalLM"],
    embd_layer={"projection_cls": "mlp", "use_hd_transform": True, "with_learnable_separator": True},
    img_processor={"name": "clip_vision_model"},
)
BAICHUAN_13B = shape("baichuan", 5120, 13696, 40, 40, 64000, architectures=["BaichuanForCausalLM"])
EXAONE_SMALL = {
    **shape("exaone", 2560, 7168, 30, 32, 102400, 8, head_dim=80, num_layers=30),
    "tie_word_embeddings": True,
}
EXAONE_LARGE = shape("exaone", 5120, 27392, 64, 40, 102400, 8, head_dim=128, num_layers=64)
MIMO = shape(
    *("mimo", 4096, 11008, 36, 32, 151680, 8),
    attention_bias=True,
    head_dim=128,
    num_nextn_predict_layers=1,
    use_sliding_window=False,
)
HUNYUAN = {
    **shape("hunyuan", 4096, 3072, 32, 32, 128167, 8),
    "tie_word_embeddings": True,
    "attention_bias": False,
    "attention_head_dim": 128,
    "mlp_bias": False,
    "moe_intermediate_size": [3072] * 32,
    "moe_topk": [8] * 32,
    "num_experts": 64,
    "num_shared_expert": [1] * 32,
    "use_cla": False,
    "use_mixed_mlp_moe": True,
    "use_qk_norm": True,
}
MINIMAX = shape(
    *("minimax_m1", 6144, 9216, 80, 64, 200064, 8),
    attn_type_list=[int(layer % 8 == 7) for layer in range(80)],
    head_dim=128,
    num_experts_per_tok=2,
    num_local_experts=32,
    shared_intermediate_size=0,
)
PHI = {
    "model_type": "phi-msft",
    "architectures": ["PhiForCausalLM"],
    "n_embd": 2560,
    "n_head": 32,
    "n_head_kv": None,
    "n_inner": None,
    "n_layer": 32,
    "n_positions": 2048,
    "tie_word_embeddings": False,
    "vocab_size": 51200,
}
PHI3_SMALL = {
    "model_type": "phi3small",
    "architectures": ["Phi3SmallForCausalLM"],
    "blocksparse_block_size": 64,
    "blocksparse_num_local_blocks": 16,
    "blocksparse_vert_stride": 8,
    "dense_attention_every_n_layers": 2,
    "ff_dim_multiplier": None,
    "ff_intermediate_size": 14336,
    "hidden_act": "gegelu",
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 100352,
}
PHI4_MINI = {**shape("phi4", 3072, 8192, 32, 24, 200064, 8), "tie_word_embeddings": True}
FALCON = {
    "model_type": "RefinedWebModel",
    "alibi": False,
    "bias": False,
    "hidden_size": 4544,
    "multi_query": True,
    "n_head": 71,
    "n_layer": 32,
    "parallel_attn": True,
    "vocab_size": 65024,
}
FALCON_40B = FALCON | {"model_type": "RefinedWeb", "hidden_size": 8192, "n_head": 128, "n_head_kv": 8, "n_layer": 60}

GLA = {
    "model_type": "gla",
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
    "num_heads": 16,
    "expand_k": 1,
    "use_beta": True,
    "use_gate": False,
    "use_output_norm": True,
    "use_short_conv": True,
    "conv_size": 4,
}

DFLASH = {
    **shape("qwen3", 2560, 9728, 5, 32, 151936, 8, head_dim=128),
    "architectures": ["DFlashDraftModel"],
    "attention_bias": False,
    "dflash_config": {"mask_token_id": 151669, "target_layer_ids": [1, 9, 17, 25, 33]},
}
DFLASH_KIMI = DFLASH | {
    **shape("qwen3", 7168, 18432, 6, 64, 163840, 8, head_dim=128),
    "dflash_config": {"target_layer_ids": [1, 12, 24, 35, 47, 58]},
}
DSPARK = {
    **shape("qwen3", 7168, 14336, 5, 64, 163840, 16, head_dim=64),
    "architectures": ["DSparkDraftModel"],
    "dflash_config": {
        "attention_mode": "gqa",
        "confidence_head_alpha": 1.0,
        "confidence_head_with_markov": True,
        "enable_confidence_head": True,
        "markov_head_type": "vanilla",
        "markov_rank": 256,
        "projector_type": "dspark",
        "target_layer_ids": [7, 23, 51, 67, 83],
    },
}
EAGLE3 = {
    **shape("llama", 4096, 12288, 1, 32, 151936, 8, head_dim=128),
    "architectures": ["LlamaForCausalLMEagle3"],
    "draft_vocab_size": 32000,
}
RETNET = GLA | {"model_type": "retnet", "expand_k": 1, "expand_v": 2, "hidden_ratio": 2, "num_heads": 8}
STEP = shape("step3p5", 4096, 11264, 45, 64, 128896) | {
    "attention_other_setting": {"num_attention_heads": 96},
    "head_dim": 128,
    "layer_types": ["full_attention", *["sliding_attention"] * 3] * 12,
    "moe_intermediate_size": 1280,
    "moe_layers_enum": ",".join(map(str, range(3, 45))),
    "moe_num_experts": 288,
    "moe_top_k": 8,
    "num_attention_groups": 8,
    "num_nextn_predict_layers": 3,
    "share_expert_dim": 1280,
    "sliding_window": 512,
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
    # Not published to the last digit: 770 files of one byte a weight, of four where a tensor is embedding or norm or
    # router, hold 318 GB. See the test of its files.
    Published("hpcai-tech/grok-1", GROK_1, 315_684_820_992),
    Published("fla-hub/gla-1.3B-100B", GLA, 1_365_514_240),
    Published("fla-hub/delta_net-1.3B-100B", DELTA_NET, 1_365_677_056),
    Published("fla-hub/retnet-1.3B-100B", RETNET, 1_351_727_104),
    Published("fla-hub/transformer-1.3B-100B", GLA | {"model_type": "transformer", "num_heads": 32}, 1_364_297_728),
    Published("OpenGVLab/InternVL2-2B", INTERNVL, 2_205_754_368),
    Published("OpenGVLab/InternVL2_5-78B", INTERNVL_78B, 78_408_318_336),
    Published("openbmb/MiniCPM-V-2_6", MINICPMV, 8_099_175_152),
    Published("openbmb/MiniCPM-Llama3-V-2_5", MINICPMV_LLAMA, 8_537_092_336),
    Published("openbmb/MiniCPM-V-4", MINICPMV_4, 4_059_533_040),
    Published("huihui-ai/Huihui-MiniCPM-V-4_5-abliterated", MINICPMV_QWEN3, 8_695_895_280),
    Published("microsoft/Phi-3.5-vision-instruct", PHI3V, 4_146_621_440),
    Published("baichuan-inc/Baichuan-13B-Base", BAICHUAN_13B, 13_264_901_120),
    Published("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", EXAONE_SMALL, 2_405_327_360),
    Published("LGAI-EXAONE/EXAONE-3.5-32B-Instruct", EXAONE_LARGE, 32_003_200_000),
    # The files hold 7,833,409,536: the layer that predicts a further token is counted apart.
    Published("XiaomiMiMo/MiMo-7B-Base", MIMO, 7_622_619_136, mtp=210_790_400),
    Published("tencent/Hunyuan-A13B-Instruct", HUNYUAN, 80_393_183_232),
    Published("MiniMaxAI/MiniMax-M1-80k", MINIMAX, 456_089_655_296),
    Published("MiniMaxAI/MiniMax-Text-01", MINIMAX | {"model_type": "minimax_text_01"}, 456_089_655_296),
    Published("microsoft/phi-2", PHI, 2_779_683_840),
    Published("microsoft/phi-1_5", PHI | {"n_embd": 2048, "n_layer": 24}, 1_418_270_720),
    Published("microsoft/Phi-3-small-128k-instruct", PHI3_SMALL | {"rope_scaling": {"type": "su"}}, 7_392_272_384),
    # 7,392,274,432 elements: a file without scaling stores its frequencies.
    Published("microsoft/Phi-3-small-8k-instruct", PHI3_SMALL, 7_392_272_384, 2048),
    Published("microsoft/Phi-4-mini-reasoning", PHI4_MINI, 3_836_021_760),
    Published("projecte-aina/aguila-7b", FALCON | {"vocab_size": 50257}, 6_854_619_456),
    # The files of 40B hold the head, which is tied, a second time.
    Published("tiiuae/falcon-40b", FALCON_40B | {"tie_word_embeddings": False}, 41_835_970_560),
    Published("nvidia/Llama-3_3-Nemotron-Super-49B-v1", NEMOTRON, 49_867_145_216),
    Published("z-lab/Qwen3-4B-DFlash-b16", DFLASH, 537_427_200),
    Published("z-lab/Kimi-K2.5-DFlash", DFLASH_KIMI, 3_479_277_056),
    Published("deepseek-ai/DeepSeek-OCR-2", OCR_2, 3_389_119_360),
    # The Hub's 2,779,931,837,184 are with the biases that balance the routers.
    Published("moonshotai/Kimi-K3", KIMI_K3, 2_779_931_754_752, 92 * 896),
    Published("RadixArk/Kimi-K3-DSpark", DSPARK, 2_249_289_601),
    # 399,707,776 elements: a draft stores which tokens of the target's are its own, and which are not.
    Published("taobao-mnn/Qwen3-VL-8B-Instruct-Eagle3", EAGLE3, 399_523_840, 183_936),
    # The files hold 199,384,301,376: with the layers that predict further tokens, and a bias for each expert.
    Published("stepfun-ai/Step-3.5-Flash", STEP, 196_956_118_272, 12_096, 2_428_171_008),
]
