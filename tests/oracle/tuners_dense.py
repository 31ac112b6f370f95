"""Last words on random configs of dense decoders: windows, explicit head widths, older spellings, odd switches."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from zoo.arch.config import find_spec

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]

HEAD_DIMS = [8, 16, 24, 64]

#: Types whose class takes an explicit ``head_dim``, whether it declares the key or not.
WITH_HEAD_DIM = (
    *("llama", "mistral", "ministral", "ministral3", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3"),
    *("olmo", "olmo2", "olmo3", "cohere", "cohere2", "glm", "glm4", "granite", "starcoder2", "smollm3", "nemotron"),
    *("exaone4", "arcee", "seed_oss", "hunyuan_v1_dense", "apertus"),
)
#: Types that read the kinds of their layers from ``layer_types``.
WITH_LAYER_TYPES = ("ministral", "qwen2", "qwen3", "gemma2", "gemma3_text", "olmo3", "cohere2", "smollm3", "exaone4")
WITH_PATTERN = ("gemma3_text", "cohere2", "exaone4")
WITH_NULL_WINDOW = ("mistral", "ministral", "ministral3", "phi3", "starcoder2")
#: Types whose declared padding token lies beyond the small vocabularies here.
WITH_HIGH_PADDING = ("phi3", "glm", "glm4", "smollm3")
#: Types whose heads must divide the hidden size, which a dropped key can spoil.
EVEN = (
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "codegen",
    "stablelm",
    "persimmon",
    "arcee",
    "gemma2",
    "mpt",
)


def read_layers(config: Config) -> int:
    """How many layers the config has, by itself or by default."""
    defaults = find_spec(config["model_type"]).defaults
    key = next(key for key in ("num_hidden_layers", "num_layers", "n_layer", "n_layers") if key in defaults)
    return int(config.get(key, defaults[key]))


def tune_dense(rng: random.Random, config: Config) -> None:
    """What several types have in common."""
    name = config["model_type"]
    if name in WITH_HIGH_PADDING:
        config["pad_token_id"] = 0
    if name in WITH_HEAD_DIM and rng.random() < 0.4:
        config["head_dim"] = rng.choice(HEAD_DIMS)
    if name in (*WITH_LAYER_TYPES, *WITH_NULL_WINDOW) and rng.random() < 0.7:
        config["sliding_window"] = rng.choice([16, 32])
    if name in WITH_NULL_WINDOW and rng.random() < 0.4:
        config["sliding_window"] = None
    if name in WITH_PATTERN and rng.random() < 0.5:
        config["sliding_window_pattern"] = rng.choice([1, 2, 3, 6])
    if name in WITH_LAYER_TYPES and config.get("sliding_window") and rng.random() < 0.4:
        config["layer_types"] = rng.choices(["full_attention", "sliding_attention"], k=read_layers(config))
        if "use_sliding_window" in find_spec(name).defaults:
            config["use_sliding_window"] = True
    if name in EVEN:
        spread_heads(config)
    if rng.random() < 0.3:
        config["num_labels"] = rng.choice([1, 3, 5])
    if extra := EXTRA.get(name):
        extra(rng, config)


def spread_heads(config: Config) -> None:
    """Make the hidden size a multiple of the heads again."""
    defaults = find_spec(config["model_type"]).defaults
    width = next(key for key in ("hidden_size", "n_embd", "d_model") if key in defaults)
    heads = next(key for key in ("num_attention_heads", "n_head", "n_heads", "num_heads") if key in defaults)
    if config.get(width, defaults[width]) % config.get(heads, defaults[heads]):
        config[width] = 16 * config.get(heads, defaults[heads])


def tune_qwen(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.6:
        config["max_window_layers"] = rng.choice([0, 1, 2, 40])


def tune_ministral(rng: random.Random, config: Config) -> None:
    config.setdefault("head_dim", rng.choice(HEAD_DIMS))


def tune_gemma(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.3:
        config["use_bidirectional_attention"] = True


def tune_gemma2(rng: random.Random, config: Config) -> None:
    tune_gemma(rng, config)
    spread_heads(config)


def tune_bigcode(rng: random.Random, config: Config) -> None:
    if config.get("add_cross_attention"):
        config["multi_query"] = False


def tune_neo(rng: random.Random, config: Config) -> None:
    config["num_layers"] = layers = rng.choice([1, 2, 4, 6])
    config["attention_types"] = [[["global", "local"], layers // 2]] if layers % 2 == 0 else [[["local"], layers]]
    config["window_size"] = rng.choice([16, 256])


def tune_opt(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.4:
        config["word_embed_proj_dim"] = rng.choice([16, 40])


def tune_bloom(rng: random.Random, config: Config) -> None:
    heads = config.get("n_head", 8)
    config["hidden_size"] = 8 * heads
    if rng.random() < 0.4:
        config["n_embed"] = 16 * heads


def tune_falcon(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.5:
        config["num_ln_in_parallel_attn"] = rng.choice([1, 2, None])
    if rng.random() < 0.4:
        config["ffn_hidden_size"] = rng.choice([40, 96])
    if rng.random() < 0.3:
        config["n_embed"] = 24 * config["num_attention_heads"]


def tune_mpt(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.5:
        config["expansion_ratio"] = rng.choice([2, 8])
        config["attn_config"] = {"qk_ln": rng.random() < 0.5, "alibi": True}


def tune_smollm3(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.5:
        config["no_rope_layer_interval"] = rng.choice([1, 2, 3])
    elif rng.random() < 0.5:
        config["no_rope_layers"] = rng.choices([0, 1], k=read_layers(config))


def tune_helium(rng: random.Random, config: Config) -> None:
    config["num_key_value_heads"] = config["num_attention_heads"] = heads = rng.choice([2, 4])
    config["head_dim"] = rng.choice(HEAD_DIMS)
    config["hidden_size"] = heads * config["head_dim"]


def tune_nemotron(rng: random.Random, config: Config) -> None:
    config.setdefault("num_key_value_heads", rng.choice([1, 2]))


def tune_exaone(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.3:
        layers = read_layers(config)
        config |= {"sliding_window": None, "layer_types": ["full_attention"] * layers}


def tune_apertus(rng: random.Random, config: Config) -> None:
    if rng.random() < 0.3:
        config["hidden_act"] = "silu"


EXTRA: dict[str, Tuner] = {
    "qwen2": tune_qwen,
    "qwen3": tune_qwen,
    "ministral": tune_ministral,
    "gemma": tune_gemma,
    "gemma2": tune_gemma2,
    "gemma3_text": tune_gemma2,
    "gpt_bigcode": tune_bigcode,
    "gpt_neo": tune_neo,
    "opt": tune_opt,
    "bloom": tune_bloom,
    "falcon": tune_falcon,
    "mpt": tune_mpt,
    "smollm3": tune_smollm3,
    "helium": tune_helium,
    "nemotron": tune_nemotron,
    "hunyuan_v1_dense": tune_ministral,
    "exaone4": tune_exaone,
    "apertus": tune_apertus,
}

TUNERS: dict[str, Tuner] = dict.fromkeys(
    sorted({*EXTRA, *WITH_HEAD_DIM, *WITH_LAYER_TYPES, *WITH_NULL_WINDOW, *EVEN, *WITH_HIGH_PADDING}), tune_dense
)

#: Keys whose declared default no model can run with.
REQUIRED: dict[str, Config] = {
    "ministral": {"head_dim": 128},
    "hunyuan_v1_dense": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
}
