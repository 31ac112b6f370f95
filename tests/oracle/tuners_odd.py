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


TUNERS: dict[str, Tuner] = {
    "fnet": tune_fnet,
    "ibert": tune,
    "mra": tune_mra,
    "nystromformer": tune_landmarks,
    "yoso": tune_yoso,
}

#: Keys whose declared default no model can run with.
REQUIRED: dict[str, Config] = {}
