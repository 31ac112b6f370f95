"""Last words on random configs of types that attend, pool or predict in a way of their own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_encoders import even_heads
from tests.oracle.tuners_rest import maybe

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def tune(rng: random.Random, config: Config) -> None:
    """What all encoders here have in common."""
    config["pad_token_id"] = 0
    even_heads(rng, config)
    maybe(rng, config, 0.6, max_position_embeddings=[40, 66, 130], type_vocab_size=[1, 2, 3])
    maybe(rng, config, 0.3, num_labels=[1, 3])


def tune_fnet(rng: random.Random, config: Config) -> None:
    tune(rng, config)
    if config.pop("use_tpu_fourier_optimizations", False):  # stores nothing beyond the lengths that it was made for
        config |= {"use_tpu_fourier_optimizations": True, "max_position_embeddings": 4097}


def tune_landmarks(rng: random.Random, config: Config) -> None:
    tune(rng, config)
    maybe(rng, config, conv_kernel_size=[3, 33], num_landmarks=[8, 64], segment_means_seq_len=[64, 128])
    config.pop("inv_coeff_init_option", None)


def tune_mra(rng: random.Random, config: Config) -> None:
    tune(rng, config)
    maybe(rng, config, approx_mode=["full", "sparse"], block_per_row=[1, 2, 4])


def tune_yoso(rng: random.Random, config: Config) -> None:
    tune(rng, config)
    maybe(rng, config, conv_window=[None, 3, 33], num_hash=[8, 16], hash_code_len=[4, 9])


def tune_ultravbert(rng: random.Random, config: Config) -> None:
    """A small tower and a small text model, either sometimes left out in part."""
    config.pop("pad_token_id", None)
    layers = rng.choice([1, 3, 4])
    text: Config = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": layers, "intermediate_size": 24}
    text |= {"vocab_size": 97, "pad_token_id": 0, "model_type": "ultrabert"}
    maybe(rng, text, 0.4, num_key_value_heads=[1, 2, None], head_dim=[8, 16, 24], prediction_head_size=[8, 24])
    maybe(rng, text, 0.4, attention_bias=[True], mlp_bias=[True], tie_word_embeddings=[True, False])
    if rng.random() < 0.4:
        text["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=layers)
    vision: Config = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24}
    vision |= {"image_size": 32, "patch_size": 8, "model_type": "siglip_vision_model"}
    maybe(rng, vision, 0.4, vision_use_head=[True, False])
    for section in (text, vision):
        if rng.random() < 0.3:
            section.pop("model_type")
    maybe(rng, config, 0.5, pixel_shuffle_factor=[1, 2], tie_word_embeddings=[True, False], num_labels=[1, 3])
    config |= {"text_config": text, "vision_config": vision}
    if rng.random() < 0.1:
        config.pop(rng.choice(["text_config", "vision_config"]))


def tune_prophetnet(rng: random.Random, config: Config) -> None:
    """Stacks of different depths and heads, and any number of streams."""
    config |= {"pad_token_id": 0, "hidden_size": rng.choice([32, 48])}
    config |= {f"num_{stack}_attention_heads": rng.choice([2, 4]) for stack in ("encoder", "decoder")}
    config |= {f"num_{stack}_layers": rng.choice([1, 2, 4]) for stack in ("encoder", "decoder")}
    maybe(rng, config, encoder_ffn_dim=[24, 48], decoder_ffn_dim=[24, 40], max_position_embeddings=[40, 66])
    maybe(rng, config, ngram=[1, 2, 3], num_buckets=[8, 32], vocab_size=[64, 97])
    if rng.random() < 0.2:
        config["architectures"] = ["ProphetNetForCausalLM"]


def tune_reformer(rng: random.Random, config: Config) -> None:
    """Layers of both kinds in any order, positions of both kinds, decoders and encoders."""
    config |= {"pad_token_id": 0, "hidden_size": 32, "num_attention_heads": rng.choice([2, 3])}
    config.pop("num_hidden_layers", None)
    maybe(rng, config, 0.8, attn_layers=[["local"], ["lsh", "lsh"], ["local", "lsh", "local"], ["lsh", "local"] * 3])
    maybe(rng, config, attention_head_size=[8, 24], feed_forward_size=[24, 64], vocab_size=[64, 97])
    maybe(rng, config, max_position_embeddings=[40, 66], num_hashes=[1, 2], num_buckets=[None, 8, [4, 8]])
    maybe(rng, config, 0.3, local_attn_chunk_length=[8, 16], lsh_attn_chunk_length=[8, 16], num_labels=[1, 3])
    config |= {"axial_pos_shape": rng.choice([[8, 8], [4, 16]]), "axial_pos_embds_dim": rng.choice([[16, 16], [8, 24]])}
    if rng.random() < 0.4:
        head = rng.choice(["ModelWithLMHead", "Model", "ForQuestionAnswering", "ForSequenceClassification"])
        config |= {"is_decoder": True, "architectures": [f"Reformer{head}"]}
    if rng.random() < 0.3 and "attn_layers" in config:
        many = len(config["attn_layers"]) + 2 * (len(set(config["attn_layers"])) == 1)
        config["num_hidden_layers"] = rng.randint(1, many)


def tune_funnel(rng: random.Random, config: Config) -> None:
    """Blocks of any sizes, some gone through more than once; the other names of the keys, too."""
    for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"):
        config.pop(key, None)
    config |= {"d_model": rng.choice([32, 48]), "n_head": rng.choice([2, 4]), "d_head": rng.choice([8, 12])}
    config["block_sizes"] = sizes = rng.choices([1, 2, 3], k=rng.choice([1, 2, 3, 4]))
    maybe(rng, config, 0.5, d_inner=[24, 64], num_decoder_layers=[0, 1, 3], vocab_size=[64, 97])
    maybe(rng, config, 0.4, block_repeats=[None, [rng.choice([1, 2]) for _ in sizes]], num_labels=[1, 3])
    maybe(rng, config, 0.3, attention_type=["factorized"], pooling_type=["max"])
    if rng.random() < 0.3:
        config |= {"hidden_size": config.pop("d_model"), "num_attention_heads": config.pop("n_head")}


def tune_perceiver(rng: random.Random, config: Config) -> None:
    """Latents of any width, queries and keys of their own, and every class."""
    config |= {"d_latents": rng.choice([16, 32]), "d_model": rng.choice([16, 24]), "num_latents": rng.choice([4, 6])}
    config |= {"num_self_attends_per_block": rng.choice([1, 2, 4]), "num_self_attention_heads": rng.choice([1, 2, 4])}
    config["num_cross_attention_heads"] = rng.choice([1, 2, 4])
    maybe(rng, config, 0.4, qk_channels=[8, 16, None], v_channels=[8, 16, None], num_blocks=[1, 2, 8])
    maybe(rng, config, 0.4, cross_attention_shape_for_attention=["q", "kv"], max_position_embeddings=[40, 66])
    maybe(rng, config, 0.4, cross_attention_widening_factor=[1, 2, 4], self_attention_widening_factor=[1, 2, 4])
    maybe(rng, config, 0.4, image_size=[8, 28], samples_per_patch=[4, 16], output_num_channels=[8, 24])
    maybe(rng, config, 0.4, _label_trainable_num_channels=[16, 40], num_labels=[1, 3, 700], vocab_size=[64, 97])
    config.pop("use_query_residual", None)
    if rng.random() < 0.7:
        tasks = ("ImageClassificationLearned", "ImageClassificationFourier", "ImageClassificationConvProcessing")
        task = rng.choice([*tasks, "OpticalFlow", "MultimodalAutoencoding", "SequenceClassification", "MaskedLM"])
        config["architectures"] = [f"PerceiverFor{task}"]
        if task.startswith(("Image", "Optical", "Multi")) and not config.get("qk_channels"):
            config["num_cross_attention_heads"] = 1  # the channels of what is seen are odd


TUNERS: dict[str, Tuner] = {
    "ultravbert": tune_ultravbert,
    "prophetnet": tune_prophetnet,
    "reformer": tune_reformer,
    "funnel": tune_funnel,
    "perceiver": tune_perceiver,
    "fnet": tune_fnet,
    "ibert": tune,
    "mra": tune_mra,
    "nystromformer": tune_landmarks,
    "yoso": tune_yoso,
}

#: Keys whose declared default not all classes can run with: what Perceiver sees has an odd number of channels.
REQUIRED: dict[str, Config] = {"perceiver": {"num_cross_attention_heads": 1}}
