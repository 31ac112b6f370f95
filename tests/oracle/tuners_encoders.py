"""Last words on random configs of encoders and encoder-decoders."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_rest import maybe
from zoo.arch.config import find_spec

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]

#: Pairs of keys that are width and heads; one must divide the other.
WIDTHS = (
    ("hidden_size", "num_attention_heads"),
    ("d_model", "encoder_attention_heads"),
    ("emb_dim", "n_heads"),
)

#: Keys that shape some of the types, and values that real files might have.
CHOICES: dict[str, list[Any]] = {
    "max_position_embeddings": [40, 66],
    "type_vocab_size": [1, 2, 3],
    "task_type_vocab_size": [4],
    "input_embedding_size": [8, 24],
    "output_embedding_size": [16, 40],
    "languages": [["en_XX"], ["en_XX", "de_DE", "fr_FR"]],
    "adapter_reduction_factor": [2, 4],
    "pronunciation_embed_dim": [8, 24],
    "pronunciation_vocab_size": [20],
    "shape_embed_dim": [8, 24],
    "shape_vocab_size": [30],
    "max_2d_position_embeddings": [16, 34],
    "embedding_size": [16, 40],
    "entity_emb_size": [16, 40],
    "entity_vocab_size": [30],
    "relative_attention_num_buckets": [8, 32],
    "max_relative_positions": [-1, 16],
    "pos_att_type": [["c2p"], "c2p|p2c", "p2c"],
    "position_embedding_type": ["absolute", "rotary"],
    "conv_kernel_size": [3, 9],
    "head_ratio": [1, 2, 4],
    "num_groups": [1, 2],
    "intra_bottleneck_size": [16, 32],
    "num_feedforward_networks": [1, 2, 4],
    "n_langs": [1, 3],
    "encoder_ffn_dim": [24, 48],
    "decoder_ffn_dim": [24, 40],
    "num_global_tokens": [4, 8],
}


def even_heads(rng: random.Random, config: Config) -> None:
    """Make the width a multiple of the heads of either stack again."""
    known = find_spec(config["model_type"]).defaults
    for width, heads in WIDTHS:
        if width in known and heads in known:
            config[heads] = count = rng.choice([2, 4])
            config[width] = 8 * count * rng.choice([1, 2])
            if "decoder_attention_heads" in known:
                config["decoder_attention_heads"] = rng.choice([2, count])


def tune(rng: random.Random, config: Config) -> None:
    """What all have in common, then what the type has of its own."""
    known = find_spec(config["model_type"]).defaults
    config["pad_token_id"] = 0  # the declared one lies beyond the small vocabularies here
    maybe(rng, config, 0.3, num_labels=[1, 3])
    if rng.random() < 0.2 and "is_decoder" in known and not config.get("add_cross_attention"):
        config["is_decoder"] = True
    if config.get("add_cross_attention"):
        config["is_decoder"] = True
    maybe(rng, config, 0.6, **{key: values for key, values in CHOICES.items() if key in known})
    even_heads(rng, config)
    config.pop("use_prompt", None)  # refused: the class leaves half of them out
    if own := OWN.get(config["model_type"]):
        own(rng, config)


def tune_deberta(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.3, talking_head=[True], pooler_hidden_size=[config["hidden_size"]])
    maybe(rng, config, 0.3, embedding_size=[16, 40])
    if "embedding_size" in config:
        config["legacy"] = True
        config["position_biased_input"] = True


def tune_longformer(rng: random.Random, config: Config) -> None:
    config["num_hidden_layers"] = layers = rng.choice([1, 3])
    config["attention_window"] = rng.choice([16, 32, rng.choices([8, 16], k=layers)])


def tune_led(rng: random.Random, config: Config) -> None:
    config["encoder_layers"] = layers = rng.choice([1, 3])
    config["attention_window"] = rng.choice([16, 32, rng.choices([8, 16], k=layers)])
    maybe(rng, config, max_encoder_position_embeddings=[40, 66], max_decoder_position_embeddings=[34])


def tune_marian(rng: random.Random, config: Config) -> None:
    config["pad_token_id"] = 0
    if not config.get("share_encoder_decoder_embeddings", True):
        config["decoder_vocab_size"] = rng.choice([40, 97, None])


def tune_bird(rng: random.Random, config: Config) -> None:
    maybe(rng, config, attention_type=["block_sparse", "original_full"], block_size=[16, 32], num_random_blocks=[2])


def tune_longt5(rng: random.Random, config: Config) -> None:
    maybe(rng, config, encoder_attention_type=["transient-global", "local"], feed_forward_proj=["gated-gelu", "relu"])


def tune_switch(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.9, num_layers=[2, 4, 6], num_decoder_layers=[1, 4, None], num_experts=[2, 4])
    maybe(rng, config, num_sparse_encoder_layers=[0, 1, 2], num_sparse_decoder_layers=[0, 1, 9])


def tune_nllb(rng: random.Random, config: Config) -> None:
    config["num_experts"] = rng.choice([2, 4])
    maybe(rng, config, 0.7, encoder_sparse_step=[0, 1, 2], decoder_sparse_step=[0, 1, 3])


def tune_fsmt(rng: random.Random, config: Config) -> None:
    config |= {"src_vocab_size": rng.choice([40, 64]), "tgt_vocab_size": rng.choice([48, 64])}
    config["pad_token_id"] = rng.choice([0, 1, 3])
    if config.get("tie_word_embeddings"):
        config["tgt_vocab_size"] = config["src_vocab_size"]


def tune_nomic(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.3, head_dim=[8, 16, 24], tie_word_embeddings=[True, False])


def tune_wide(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.4, head_dim=[8, 16, 24], num_key_value_heads=[1, 2, None])


def tune_esm(rng: random.Random, config: Config) -> None:
    config["vocab_size"] = 33
    config.pop("is_folding_model", None)


def tune_squeezebert(rng: random.Random, config: Config) -> None:
    config["embedding_size"] = config["hidden_size"]
    groups = ("q_groups", "k_groups", "v_groups", "post_attention_groups", "intermediate_groups", "output_groups")
    config |= {group: rng.choice([1, 2, 4]) for group in groups}


def tune_mobile(rng: random.Random, config: Config) -> None:
    config["embedding_size"] = rng.choice([8, config["hidden_size"] // 2, config["hidden_size"]])


def tune_convbert(rng: random.Random, config: Config) -> None:
    config |= {"is_decoder": False, "add_cross_attention": False}


def tune_xlm(rng: random.Random, config: Config) -> None:
    config |= {"is_encoder": True, "asm": False}


#: The keys of a tower's sizes, in the words of its type.
TOWER_KEYS = {
    "qwen2_audio": ("d_model", "encoder_attention_heads", "encoder_layers", "encoder_ffn_dim"),
    "qwen3_asr": ("d_model", "encoder_attention_heads", "encoder_layers", "encoder_ffn_dim"),
}
USUAL_KEYS = ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size")


def tune_listener(rng: random.Random, config: Config) -> None:
    """A small tower and a small text model, either sometimes left out in part."""
    width, heads, layers, ffn = TOWER_KEYS.get(config["model_type"], USUAL_KEYS)
    tower: Config = {width: rng.choice([16, 32]), heads: 2, layers: rng.choice([1, 3]), ffn: rng.choice([24, 64])}
    tower["num_mel_bins"] = rng.choice([10, 80, 128])
    if config["model_type"] == "qwen3_asr":
        tower |= {"downsample_hidden_size": rng.choice([6, 10]), "output_dim": rng.choice([16, 24])}
    elif config["model_type"] == "voxtral_realtime":
        tower |= {"head_dim": rng.choice([8, 16]), "sliding_window": rng.choice([16, 32])}
        maybe(rng, config, downsample_factor=[2, 4])
    elif config["model_type"] != "glmasr":
        tower["max_source_positions"] = rng.choice([20, 50])
    text: Config = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": rng.choice([1, 2, 4])}
    text |= {"num_hidden_layers": rng.choice([1, 2]), "intermediate_size": 48, "vocab_size": 97}
    maybe(rng, text, 0.4, tie_word_embeddings=[True, False])
    if rng.random() < 0.3 and config["model_type"] != "voxtral_realtime":
        text["model_type"] = rng.choice(["qwen2", "llama"])
    maybe(rng, config, 0.4, tie_word_embeddings=[True, False])
    config["audio_config"] = {key: value for key, value in tower.items() if key == heads or rng.random() < 0.85}
    config["audio_config"][width] = tower[width]
    config["text_config"] = {key: value for key, value in text.items() if rng.random() < 0.9}
    config.pop("pad_token_id", None)
    if config["model_type"] == "musicflamingo":
        config["audio_config"]["model_type"] = "audioflamingo3_encoder"
    if rng.random() < 0.1:
        config.pop("audio_config")
    if rng.random() < 0.1:
        config.pop("text_config")


def tune_t5gemma(rng: random.Random, config: Config) -> None:
    """Two stacks of different sizes."""
    config.pop("pad_token_id", None)
    for name in ("encoder", "decoder"):
        layers = rng.choice([1, 2, 4])
        stack: Config = {"hidden_size": rng.choice([32, 64]), "num_attention_heads": 4, "num_hidden_layers": layers}
        stack |= {"num_key_value_heads": rng.choice([1, 2, 4]), "head_dim": rng.choice([8, 16, 24])}
        maybe(rng, stack, intermediate_size=[24, 48], vocab_size=[64, 97], sliding_window=[16, 32])
        maybe(rng, stack, 0.3, attention_bias=[True], tie_word_embeddings=[True, False])
        if rng.random() < 0.4:
            stack["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=layers)
        if rng.random() < 0.9:
            config[name] = stack
    maybe(rng, config, 0.5, vocab_size=[64, 97])
    if rng.random() < 0.2:
        config |= {"is_encoder_decoder": False, "architectures": ["T5GemmaEncoderModel"]}


def tune_tapas(rng: random.Random, config: Config) -> None:
    maybe(rng, config, type_vocab_sizes=[[3, 8, 8], [2, 4, 4, 2, 4, 4, 10]], num_aggregation_labels=[0, 4])


def tune_t5gemma2(rng: random.Random, config: Config) -> None:
    """Two stacks of one width, before one of which stands a tower."""
    config.pop("pad_token_id", None)
    width, words, stacks = rng.choice([32, 64]), rng.choice([64, 97]), []
    for _ in range(2):
        layers = rng.choice([1, 2, 7])
        stack: Config = {"hidden_size": width, "num_attention_heads": 4, "num_hidden_layers": layers}
        stack |= {
            "num_key_value_heads": rng.choice([1, 2, 4]),
            "head_dim": rng.choice([8, 16, 24]),
            "vocab_size": words,
        }
        maybe(rng, stack, intermediate_size=[24, 48], sliding_window=[16, 32], sliding_window_pattern=[2, 3])
        maybe(rng, stack, 0.3, attention_bias=[True], tie_word_embeddings=[True, False])
        if rng.random() < 0.4:
            stack["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=layers)
        stacks.append(stack)
    vision: Config = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24}
    vision |= {"image_size": 32, "patch_size": 8, "model_type": "siglip_vision_model"}
    config |= {"encoder": {"text_config": stacks[0], "vision_config": vision}, "decoder": stacks[1]}
    maybe(rng, config, 0.4, tie_word_embeddings=[True, False])


def tune_pair(rng: random.Random, config: Config) -> None:
    """Two halves of different types and sizes."""
    config.pop("pad_token_id", None)
    kind = rng.choice(["bert", "roberta", "camembert", "xlm-roberta"])
    for name in ("encoder", "decoder"):
        half: Config = {"model_type": kind, "hidden_size": rng.choice([16, 32]), "num_attention_heads": 2}
        half |= {"num_hidden_layers": rng.choice([1, 3]), "intermediate_size": 24, "vocab_size": 97}
        maybe(rng, half, max_position_embeddings=[40], type_vocab_size=[1, 2])
        maybe(rng, half, 0.3, tie_word_embeddings=[True, False])
        half["pad_token_id"] = 0
        config[name] = half
    config["decoder"] |= {"is_decoder": True, "add_cross_attention": True}


def tune_modernvbert(rng: random.Random, config: Config) -> None:
    config.pop("pad_token_id", None)
    text: Config = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": rng.choice([1, 4])}
    text |= {"intermediate_size": 24, "vocab_size": 97, "pad_token_id": 0, "model_type": "modernbert"}
    switches = ("classifier_bias", "norm_bias", "decoder_bias", "mlp_bias", "attention_bias", "tie_word_embeddings")
    maybe(rng, text, 0.4, **{key: [True, False] for key in switches})
    vision: Config = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24}
    vision |= {"image_size": 32, "patch_size": 8, "model_type": "siglip_vision_model"}
    maybe(rng, vision, 0.4, vision_use_head=[True, False])
    maybe(rng, config, 0.5, pixel_shuffle_factor=[1, 2], tie_word_embeddings=[True, False])
    config |= {"text_config": text, "vision_config": vision}


def tune_esmc(rng: random.Random, config: Config) -> None:
    config.pop("num_key_value_heads", None)
    maybe(rng, config, 0.4, head_dim=[config["hidden_size"] // config["num_attention_heads"]])


def tune_ultra(rng: random.Random, config: Config) -> None:
    tune_wide(rng, config)
    config["num_hidden_layers"] = layers = rng.choice([1, 3, 4])
    maybe(rng, config, 0.5, prediction_head_size=[8, 24], sliding_window=[16])
    if rng.random() < 0.4:
        config["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=layers)
    elif rng.random() < 0.4:
        config["attention_windows"] = rng.choices([0, 16], k=layers)


def tune_big_bird(rng: random.Random, config: Config) -> None:
    tune_bird(rng, config)
    config.pop("add_cross_attention", None)


LISTENERS = ("qwen2_audio", "voxtral", "audioflamingo3", "musicflamingo", "glmasr", "qwen3_asr", "voxtral_realtime")

OWN: dict[str, Tuner] = {
    "deberta": tune_deberta,
    "longformer": tune_longformer,
    "led": tune_led,
    "marian": tune_marian,
    "bigbird_pegasus": tune_bird,
    "longt5": tune_longt5,
    "switch_transformers": tune_switch,
    "nllb-moe": tune_nllb,
    "fsmt": tune_fsmt,
    "eurobert": tune_wide,
    "nomic_bert": tune_nomic,
    **dict.fromkeys(LISTENERS, tune_listener),
    "t5gemma": tune_t5gemma,
    "tapas": tune_tapas,
    "t5gemma2": tune_t5gemma2,
    "esmc": tune_esmc,
    "ultrabert": tune_ultra,
    "encoder-decoder": tune_pair,
    "modernvbert": tune_modernvbert,
    "big_bird": tune_big_bird,
    "esm": tune_esm,
    "squeezebert": tune_squeezebert,
    "mobilebert": tune_mobile,
    "convbert": tune_convbert,
    "xlm": tune_xlm,
    "flaubert": tune_xlm,
}

#: Types with nothing of their own to vary.
PLAIN = (
    *("camembert", "ernie", "megatron-bert", "xlm-roberta-xl", "xmod", "data2vec-text", "roberta-prelayernorm"),
    *("roc_bert", "layoutlm", "rembert", "mpnet", "luke", "roformer"),
    *("gte", "jina_embeddings_v3"),
    *("pegasus", "m2m_100", "blenderbot", "blenderbot-small", "mvp", "plbart", "pegasus_x"),
)

TUNERS: dict[str, Tuner] = dict.fromkeys([*OWN, *PLAIN], tune)

DECODER = {"model_type": "bert", "is_decoder": True, "add_cross_attention": True}

#: Keys whose declared default no model can run with.
REQUIRED: dict[str, Config] = {
    "esm": {"vocab_size": 33},
    "encoder-decoder": {"encoder": {"model_type": "bert"}, "decoder": DECODER},
}
