"""Last words on random configs of the Gemma family's later members."""

from __future__ import annotations

import random
from typing import Any

from tests.oracle.layered import say_layers
from tests.oracle.tuners_sparse import Config, Tuner, maybe
from tests.oracle.tuners_vision import section
from tests.oracle.tuners_vision import tune_tower as tune_square

#: The tower by itself asks how many classes its head, which it then leaves out, would have.
REQUIRED: dict[str, dict[str, Any]] = {"gemma3n_vision": {"num_classes": 2}}
#: An indexer has no sizes unless the file says so.
INDEXER = {
    "indexer_n_heads": 4,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 256,
    "indexer_budget": 64,
    "indexer_compress_ratio": 4,
}
EXPERTS = {"num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 1024}
#: No automatic class leads to these parts alone.
TEXT_ALONE = {"architectures": ["DiffusionGemmaEncoderTextModel"]}
REQUIRED["git_vision_model"] = {"architectures": ["GitVisionModel"]}
REQUIRED["diffusion_gemma_text"] = EXPERTS | TEXT_ALONE
REQUIRED["diffusion_gemma"] = {"text_config": EXPERTS}
REQUIRED["qwen4_exp_text"] = INDEXER
#: Asked for a causal language model, transformers takes the text alone.
WHOLE = {"architectures": ["Qwen4ExpForConditionalGeneration"]}
REQUIRED["qwen4_exp"] = {"text_config": INDEXER} | WHOLE


def tune_text(rng: random.Random, config: Config) -> None:
    """Kinds of layers, layers that share, the widths of heads in both kinds."""
    layers = config.setdefault("num_hidden_layers", 6)
    config.setdefault("num_key_value_heads", 2)
    config.pop("layer_types", None)
    if rng.random() < 0.6:
        config["layer_types"] = [rng.choice(["sliding_attention", "full_attention"]) for _ in range(layers)]
    kinds = [*(config.get("layer_types") or ["sliding_attention"] * 5 + ["full_attention"] * 2)[:layers]]
    kinds[-1] = "full_attention"
    fewest = next(n for n in range(1, layers + 1) if set(kinds[:n]) == set(kinds))
    if fewest < layers and rng.random() < 0.7:
        config["num_kv_shared_layers"] = rng.randint(1, layers - fewest)
    maybe(rng, config, head_dim=[8, 16], global_head_dim=[16, 32], num_global_key_value_heads=[None, 1, 2])
    maybe(rng, config, 0.5, attention_k_eq_v=[True], use_double_wide_mlp=[True], attention_bias=[True])
    maybe(rng, config, 0.3, use_bidirectional_attention=["all", "vision", None], sliding_window=[16, 33])
    said = config.get("layer_types") or (["sliding_attention"] * 5 + ["full_attention"]) * 2
    wide = [layer for layer in range(layers) if layer == layers - 1 or said[layer] == "full_attention"]
    sizes = {"head_dim": rng.choice([8, 24]), "num_key_value_heads": rng.choice([1, 2])}
    say_layers(rng, config, wide, dict(rng.sample(sorted(sizes.items()), rng.randint(1, 2))))


def tune_gemma4_text(rng: random.Random, config: Config) -> None:
    tune_text(rng, config)
    maybe(rng, config, hidden_size_per_layer_input=[0, 8, 16], vocab_size_per_layer_input=[40, 64])
    if config.get("enable_moe_block"):
        config |= {"num_experts": rng.choice([2, 4]), "moe_intermediate_size": rng.choice([16, 24])}
        config["top_k_experts"] = rng.choice([1, 2])


def tune_tower(rng: random.Random, config: Config) -> None:
    maybe(rng, config, head_dim=[8, 16], patch_size=[4, 8], position_embedding_size=[16, 32])
    config.setdefault("num_key_value_heads", 2)


def tune_audio(rng: random.Random, config: Config) -> None:
    maybe(rng, config, subsampling_conv_channels=[[16, 8], [12, 8]], conv_kernel_size=[3, 5], output_proj_dims=[24, 40])


def tune_senses(rng: random.Random, config: Config) -> None:
    """A whole model, with or without each sense, and without their types as some files are."""
    kind = config["model_type"]
    maybe(rng, config, 0.9, text_config=[section(rng, f"{kind}_text")])
    senses: dict[str, Config] = {
        "vision_config": {"mm_embed_dim": 24, "mm_posemb_size": 16, "output_proj_dims": 24, "patch_size": 4},
        "audio_config": {"audio_embed_dim": rng.choice([32, 48])},
    }
    if kind == "gemma4":
        senses = {"vision_config": section(rng, "gemma4_vision"), "audio_config": section(rng, "gemma4_audio")}
    for key, inner in senses.items():
        if rng.random() < 0.7:
            config[key] = inner
        if rng.random() < 0.3:
            inner.pop("model_type", None)
    if "text_config" in config:
        maybe(rng, config["text_config"], 0.3, tie_word_embeddings=[True, False])


def tune_conformer(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    config |= {"hidden_size": heads * rng.choice([8, 12]), "conf_num_attention_heads": heads}
    maybe(rng, config, conf_num_hidden_layers=[1, 3], conf_conv_kernel_size=[3, 5], input_feat_size=[40, 64])
    maybe(rng, config, sscp_conv_channel_size=[[16, 8]], sscp_conv_kernel_size=[[[3, 3], [5, 4]]])
    maybe(rng, config, sscp_conv_stride_size=[[[2, 2], [1, 3]]], conf_attention_context_left=[0, 5])


def tune_gemma3n(rng: random.Random, config: Config) -> None:
    text: Config = {
        "hidden_size": 32,
        "num_hidden_layers": rng.choice([5, 10]),
        "vocab_size": 64,
        "intermediate_size": 48,
    }
    text |= {"num_kv_shared_layers": rng.choice([0, 5]) if text["num_hidden_layers"] == 10 else 0, "head_dim": 8}
    text |= {"vocab_size_per_layer_input": 40, "activation_sparsity_pattern": [0.0] * text["num_hidden_layers"]}
    maybe(rng, text, hidden_size_per_layer_input=[8], altup_num_inputs=[2, 4], laurel_rank=[4, 8])
    vision = {"architecture": "mobilenetv5_300m_enc"}
    maybe(rng, vision, 0.4, model_type=["gemma3n_vision"], vocab_size=[16, 128], hidden_size=[2048, 40])
    maybe(rng, config, 0.8, text_config=[text], audio_config=[section(rng, "gemma3n_audio")], vision_config=[vision])


def tune_qwen4_text(rng: random.Random, config: Config) -> None:
    """Experts, streams, an indexer, and tables of n-grams in layers of linear attention."""
    config |= INDEXER | {"indexer_head_dim": rng.choice([32, 40]), "indexer_n_heads": rng.choice([2, 4])}
    config |= {"num_experts": rng.choice([4, 8]), "num_experts_per_tok": rng.choice([1, 2]), "head_dim": 16}
    config |= {"moe_intermediate_size": 16, "linear_num_key_heads": 2, "linear_num_value_heads": rng.choice([2, 4])}
    layers = config.setdefault("num_hidden_layers", 4)
    config.setdefault("num_key_value_heads", 2)
    config.pop("layer_types", None)
    maybe(rng, config, hc_count=[2, 3], hc_lowrank=[8, 16], shared_expert_intermediate_size=[16, 24])
    maybe(rng, config, 0.3, full_attention_interval=[2, 3])
    kinds = [("linear" if (i + 1) % config.get("full_attention_interval", 4) else "full") for i in range(layers)]
    if rng.random() < 0.5:
        kinds = [rng.choice(["linear", "indexed", "full"]) for _ in range(layers)]
        config["layer_types"] = [f"{kind}_attention" for kind in kinds]
    linear = [layer + 1 for layer in range(layers) if kinds[layer] == "linear"]
    if linear and rng.random() < 0.7:
        config["ple_layer_ids"] = rng.sample(linear, rng.randint(1, len(linear))) + linear[:1]
        config |= {"eos_token_id": 1, "ngram_vocab_size_base": rng.choice([0, 50, 1000]), "ple_embed_dim": 48}
        maybe(rng, config, ngram_size=[2, 4], heads_per_ngram=[2, 4], make_ngram_vocab_size_divisible_by=[1, 64])
        maybe(rng, config, ple_conv_kernel_size=[2, 4])


def tune_qwen4(rng: random.Random, config: Config) -> None:
    config |= {"text_config": section(rng, "qwen4_exp_text")} | WHOLE
    maybe(rng, config["text_config"], 0.3, tie_word_embeddings=[True, False])
    vision = {"depth": rng.randint(1, 3), "num_heads": 2, "hidden_size": 32, "out_hidden_size": 32}
    maybe(rng, vision, spatial_merge_size=[1, 2], patch_size=[7, 14], intermediate_size=[24, 40])
    maybe(rng, config, vision_config=[vision])


def tune_frames(rng: random.Random, config: Config) -> None:
    maybe(rng, config, num_mel_bins=[16, 80], max_source_positions=[20, 1500])
    if rng.random() < 0.3:
        config["encoder_layers"] = config.pop("num_hidden_layers", 2)


def tune_moss(rng: random.Random, config: Config) -> None:
    audio, text = section(rng, "moss_transcribe_diarize_audio"), section(rng, rng.choice(["qwen3", "qwen2", "llama"]))
    maybe(rng, text, 0.3, tie_word_embeddings=[True, False])
    maybe(rng, config, 0.8, audio_config=[audio], text_config=[text], audio_merge_size=[1, 2, 3])


def tune_diffusion_text(rng: random.Random, config: Config) -> None:
    tune_text(rng, config)
    config.pop("num_kv_shared_layers", None)
    config |= TEXT_ALONE | {"num_experts": rng.choice([2, 4]), "moe_intermediate_size": rng.choice([16, 24])}
    config["top_k_experts"] = rng.choice([1, 2])


def tune_diffusion(rng: random.Random, config: Config) -> None:
    config["text_config"] = section(rng, "diffusion_gemma_text")
    maybe(rng, config["text_config"], 0.3, tie_word_embeddings=[True, False])
    maybe(rng, config, vision_config=[section(rng, "gemma4_vision")])


def tune_git_tower(rng: random.Random, config: Config) -> None:
    tune_square(rng, config)
    config |= REQUIRED["git_vision_model"]


def tune_git(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.8, vision_config=[section(rng, "git_vision_model")])
    maybe(rng, config, 0.5, num_image_with_embedding=[None, 1, 6])


TUNERS: dict[str, Tuner] = {
    "gemma4_text": tune_gemma4_text,
    "gemma4_unified_text": tune_text,
    "gemma4_vision": tune_tower,
    "gemma4_audio": tune_audio,
    "gemma3n": tune_gemma3n,
    "git": tune_git,
    "git_vision_model": tune_git_tower,
    "diffusion_gemma": tune_diffusion,
    "diffusion_gemma_text": tune_diffusion_text,
    "moss_transcribe_diarize": tune_moss,
    "moss_transcribe_diarize_audio": tune_frames,
    "qwen4_exp_text": tune_qwen4_text,
    "qwen4_exp": tune_qwen4,
    "gemma3n_audio": tune_conformer,
    "gemma3n_vision": lambda rng, config: config.update(REQUIRED["gemma3n_vision"]),
    "gemma4": tune_senses,
    "gemma4_unified": tune_senses,
}
