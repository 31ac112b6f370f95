"""Last words on random configs of models that read pages, of Mistral 4 and of models that act."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe, tune_deepseek
from tests.oracle.tuners_vision import nest

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def tune_mistral4(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    config.pop("num_nextn_predict_layers", None)


def share_latents(rng: random.Random, layers: int) -> list[int]:
    """For each layer itself, or an earlier layer that is its own source."""
    sources: list[int] = []
    for layer in range(layers):
        owners = [one for one, source in enumerate(sources) if one == source]
        sources.append(rng.choice([layer, layer, *owners]))
    return sources


def tune_large4(rng: random.Random, config: Config) -> None:
    tune_deepseek(rng, config)
    for key in ("q_lora_rank", "num_nextn_predict_layers", "num_key_value_heads", "num_experts"):
        config.pop(key, None)
    config["num_hidden_layers"] = layers = rng.randint(1, 6)
    maybe(rng, config, index_head_dim=[16, 24], index_n_heads=[2, 4], index_topk=[8, 16])
    if rng.random() < 0.3:
        config["mlp_layer_types"] = rng.choices(["dense", "sparse"], k=layers)
    if rng.random() < 0.3:
        config["layer_types"] = rng.choices(["indexed_attention", "deepseek_sparse_attention"], k=layers)
    if rng.random() < 0.5:
        config["kv_source_layers"] = share_latents(rng, layers)
    maybe(rng, config, 0.3, no_rope_layers=[rng.choices([0, 1], k=layers + 1)], no_rope_layer_interval=[1, 2, 3])
    patterns = [None, "".join(rng.choices("FS", k=layers)), rng.choices(["full", "shared"], k=layers)]
    maybe(rng, config, 0.3, indexer_types=[rng.choices(["full", "shared"], k=layers)], num_experts=[3, 8])
    maybe(rng, config, 0.4, index_topk_pattern=patterns, index_topk_freq=[1, 2, 4], index_skip_topk_offset=[0, 1, 3])
    maybe(rng, config, 0.3, rope_parameters=[{"rope_type": "default", "rope_theta": 1e4}])


def tune_large4_eyes(rng: random.Random, config: Config) -> None:
    nest(rng, config, ["mistral_large4_text"], ["pixtral", "pixtral", "siglip_vision_model"])
    maybe(rng, config, vision_feature_layer=[-1, [-1, -2]], spatial_merge_size=[1, 2, 3])


TUNERS: dict[str, Tuner] = {
    "mistral4": tune_mistral4,
    "mistral_large4": tune_large4_eyes,
    "mistral_large4_text": tune_large4,
}

REQUIRED: dict[str, Config] = {}
