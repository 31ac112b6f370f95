"""Last words on random configs of the newest models."""

from __future__ import annotations

import random
from typing import Any

from tests.oracle.layered import say_layers
from tests.oracle.tuners_sparse import Config, Tuner, maybe
from tests.oracle.tuners_vision import section

#: No automatic class leads to these parts alone.
REQUIRED: dict[str, dict[str, Any]] = {
    "inkling_vision": {"architectures": ["InklingVisionModel"]},
    "inkling_audio": {"architectures": ["InklingAudioModel"]},
    "dots3_note_vision_encoder": {"architectures": ["Dots3NoteVisionModel"]},
    "dots3_note_audio_encoder": {"architectures": ["Dots3NoteAudioModel"]},
    # asked for a causal language model, transformers takes the text alone
    "dots3_note": {"architectures": ["Dots3NoteForConditionalGeneration"]},
}


def tune_neomme(rng: random.Random, config: Config) -> None:
    layers = config.setdefault("num_hidden_layers", 4)
    config |= {"head_dim": rng.choice([16, 32]), "num_key_value_heads": rng.choice([1, 2])}
    maybe(rng, config, patch_size=[4, 8], embedding_rank=[8, 24], embedding_dim=[12], sliding_window=[16])
    if rng.random() < 0.5:
        kinds = [rng.choice(["sliding_attention", "full_attention"]) for _ in range(layers)]
        config["layer_types"] = [*kinds[:-1], "full_attention"]
    say_layers(rng, config, rng.sample(range(layers), rng.randint(1, layers)), {"sliding_window": 24})


def tune_folds(rng: random.Random, config: Config) -> None:
    config.pop("num_hidden_layers", None)
    config |= REQUIRED["inkling_vision"] | {"patch_size": rng.choice([10, 15, 40])}
    config[rng.choice(["n_layers", "num_hidden_layers"])] = rng.choice([24, 9])
    maybe(rng, config, text_hidden_size=[24, 32], temporal_patch_size=[2, 3, 4], hidden_size=[16])


def tune_sounds(rng: random.Random, config: Config) -> None:
    config |= REQUIRED["inkling_audio"]
    config.pop("hidden_size", None)
    maybe(rng, config, n_mel_bins=[8], codebook_size=[16], mel_vocab_size=[24], num_codebooks=[5])
    config[rng.choice(["text_hidden_size", "hidden_size"])] = rng.choice([24, 32])


def tune_inkling(rng: random.Random, config: Config) -> None:
    config["text_config"] = section(rng, "inkling_text")
    maybe(rng, config, vision_config=[section(rng, "inkling_vision")], audio_config=[section(rng, "inkling_audio")])
    maybe(rng, config, 0.3, mtp_config=[{"num_nextn_predict_layers": 1}])


def tune_spark_text(rng: random.Random, config: Config) -> None:
    config |= {"num_local_experts": rng.choice([2, 4]), "num_experts_per_tok": rng.choice([1, 2])}
    config |= {"moe_intermediate_size": 16, "head_dim": rng.choice([8, 16]), "num_key_value_heads": 2}
    layers = config.setdefault("num_hidden_layers", 3)
    maybe(rng, config, moe_hidden_size=[16, 24], sliding_window=[16])
    maybe(rng, config, 0.4, mlp_layer_types=[rng.choices(["dense", "sparse"], k=layers)])
    maybe(rng, config, 0.4, layer_types=[rng.choices(["full_attention", "sliding_attention"], k=layers)])


def tune_spark_audio(rng: random.Random, config: Config) -> None:
    stages = config["num_hidden_layers"] = rng.randint(1, 3)
    config |= {"hidden_sizes": rng.choices([8, 16], k=stages), "depths": rng.choices([1, 2], k=stages)}
    config |= {"patch_sizes": rng.choices([2, 3], k=stages), "out_hidden_size": rng.choice([16, 32])}
    maybe(rng, config, mlp_ratio=[1.5, 2.0], conv_kernel_size=[3, 5])


def tune_spark(rng: random.Random, config: Config) -> None:
    text, audio = section(rng, "muse_spark_text"), section(rng, "muse_spark_audio")
    text.setdefault("hidden_size", 8192)
    config |= {"text_config": text, "audio_config": audio | {"out_hidden_size": text["hidden_size"]}}
    maybe(rng, config, vision_config=[section(rng, "muse_spark_vision")])
    maybe(rng, config, out_hidden_size=[24], projector_hidden_size=[24])


def tune_cells(rng: random.Random, config: Config) -> None:
    maybe(rng, config, patch_size=[7, 14], pos_emb_height=[4, 8], pos_emb_width=[4, 8], patch_temporal=[1, 2])


def tune_glm_text(rng: random.Random, config: Config) -> None:
    layers, heads = config.setdefault("num_hidden_layers", 5), config.setdefault("num_attention_heads", 4)
    config |= {"num_key_value_heads": heads, "n_routed_experts": 4, "num_experts_per_tok": 2}
    config["pad_token_id"] = None
    maybe(rng, config, q_lora_rank=[16], kv_lora_rank=[16], qk_nope_head_dim=[8], v_head_dim=[8, 24])
    maybe(rng, config, index_head_dim=[16], index_n_heads=[2, 3], index_kpool=[4, 8, 1], hc_mult=[2, 3])
    maybe(rng, config, moe_intermediate_size=[16], n_shared_experts=[1, 2], linear_num_heads=[2], linear_head_dim=[8])
    if rng.random() < 0.4:
        config["linear_attn_config"] = {"head_dim": 16, "num_heads": 3, "short_conv_kernel_size": rng.choice([2, 4])}
    maybe(rng, config, 0.3, layer_types=[rng.choices(["linear_attention", "full_attention"], k=layers)])
    maybe(rng, config, 0.3, mlp_layer_types=[rng.choices(["dense", "sparse"], k=layers)])
    maybe(rng, config, 0.3, indexer_types=[["full", *rng.choices(["full", "shared"], k=layers - 1)]])
    maybe(rng, config, 0.3, index_topk_pattern=["F" + "S" * (layers - 1)], index_topk_freq=[2, 4, 0])
    maybe(rng, config, 0.3, index_skip_topk_offset=[0, 1, 3])


def tune_glm_tower(rng: random.Random, config: Config) -> None:
    for key in ("num_heads", "num_attention_heads", "depth", "num_hidden_layers"):
        config.pop(key, None)
    config |= {"hidden_size": 32, rng.choice(["num_heads", "num_attention_heads"]): rng.choice([2, 4])}
    config[rng.choice(["depth", "num_hidden_layers"])] = rng.randint(1, 3)
    maybe(rng, config, out_hidden_size=[24, 32], projection_intermediate_size=[24, 40], patch_size=[7, 14])
    maybe(rng, config, spatial_merge_size=[1, 2], temporal_patch_size=[1, 2], in_channels=[1, 3])


def tune_glm(rng: random.Random, config: Config) -> None:
    text = section(rng, "glm5_next_text")
    if rng.random() < 0.3:
        config |= {key: value for key, value in text.items() if key != "model_type"}
    else:
        config["text_config"] = text
    maybe(rng, config, vision_config=[section(rng, "glm5_next_vision")])


def tune_pyramid(rng: random.Random, config: Config) -> None:
    for key in ("num_attention_heads", "hidden_size", "attention_bias", "mlp_bias"):
        config.pop(key, None)
    layers = config["num_hidden_layers"] = rng.randint(1, 5)
    config |= REQUIRED["dots3_note_vision_encoder"] | {
        rng.choice(["embed_dim", "hidden_size"]): 32,
        rng.choice(["num_heads", "num_attention_heads"]): 2,
    }
    config |= {"adapter_in_dim": 32, "adapter_out_dim": rng.choice([24, 32]), "patch_size": 7}
    config |= {"moe_intermediate_size": 16, rng.choice(["pyramid_num_routed", "mlp_layer_types"]): None}
    merge = rng.choice([1, 2])
    config |= {"adapter_merge_size": merge, "spatial_merge_size": merge}
    maybe(rng, config, intermediate_size=[24], num_local_experts=[6], num_experts_per_tok=[3, None])
    maybe(rng, config, 0.3, use_bias=[True], capacity_factor=[1, 3], attention_bias=[True])
    if rng.random() < 0.6:
        config["pyramid_num_routed"] = [rng.choice([-1, 1, 4]) for _ in range(layers)]
    else:
        config["mlp_layer_types"] = rng.choices(["dense", "sparse"], k=layers)
    if "pyramid_num_routed" in config and config["pyramid_num_routed"] is None:
        config["mlp_layer_types"] = ["dense"] * layers
        maybe(rng, config, 0.5, mlp_bias=[True])
    some = rng.sample(range(layers), rng.randint(1, layers))
    sizes = {"num_local_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "intermediate_size": 40}
    say_layers(rng, config, some, dict(rng.sample(sorted(sizes.items()), rng.randint(1, 4))))


def tune_ears(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    config |= REQUIRED["dots3_note_audio_encoder"]
    config |= {"hidden_size": heads * 8, "num_attention_heads": heads, "adapter_input_size": heads * 8}
    config |= {rng.choice(["adapter_out_dim", "adapter_output_size", "whisper_adapter_out_dim"]): rng.choice([24, 32])}
    maybe(rng, config, feature_size=[40, 80], downsample_hidden_size=[12], attention_bias=[False])
    if rng.random() < 0.4:
        config["whisper_config"] = {"d_model": heads * 8, "encoder_layers": rng.randint(1, 3)}
        maybe(rng, config["whisper_config"], encoder_ffn_dim=[24], num_mel_bins=[20], encoder_attention_heads=[heads])
    if rng.random() < 0.3:
        config["whisper_adapter_in_dim"] = config.pop("adapter_input_size")


def tune_note(rng: random.Random, config: Config) -> None:
    text, width = section(rng, "dots3_note_text"), rng.choice([32, 64])
    text |= {"hidden_size": width, "pad_token_id": None}
    config |= REQUIRED["dots3_note"]
    vision, audio = section(rng, "dots3_note_vision_encoder"), section(rng, "dots3_note_audio_encoder")
    for key in ("adapter_output_size", "whisper_adapter_out_dim"):
        audio.pop(key, None)
    config |= {"vision_config": vision | {"adapter_out_dim": width}, "audio_config": audio | {"adapter_out_dim": width}}
    if rng.random() < 0.3 and "per_layer_config" not in text:
        config |= {key: value for key, value in text.items() if key != "model_type"}
    else:
        config["text_config"] = text


TUNERS: dict[str, Tuner] = {
    "neomme": tune_neomme,
    "inkling_vision": tune_folds,
    "inkling_audio": tune_sounds,
    "inkling_mm_model": tune_inkling,
    "muse_spark_text": tune_spark_text,
    "muse_spark_audio": tune_spark_audio,
    "muse_spark_vision": tune_cells,
    "muse_spark": tune_spark,
    "glm5_next_text": tune_glm_text,
    "glm5_next_vision": tune_glm_tower,
    "glm5_next": tune_glm,
    "dots3_note_vision_encoder": tune_pyramid,
    "dots3_note_audio_encoder": tune_ears,
    "dots3_note": tune_note,
}
