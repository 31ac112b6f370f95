"""Last words on random configs of the types declared last: models that speak, and encoders of sound and of pages."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_eyes import tune_omni, tune_omni_moe
from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import section

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def tune_whole_qwen3(rng: random.Random, config: Config) -> None:
    thinker: Config = {}
    tune_omni_moe(rng, thinker)
    maybe(rng, thinker, 0.4, tie_word_embeddings=[True, False])
    text = section(rng, "qwen3_omni_moe_talker_text") | {"num_experts": 4, "num_experts_per_tok": rng.choice([1, 2])}
    text["shared_expert_intermediate_size"] = rng.choice([16, 24])
    maybe(rng, text, moe_intermediate_size=[16, 24], head_dim=[8, 16])
    predictor = section(rng, "qwen3_omni_moe_talker_code_predictor")
    maybe(rng, predictor, num_code_groups=[2, 4, 16])
    predictor.pop("tie_word_embeddings", None)
    talker: Config = {"text_config": text, "spatial_merge_size": 2}
    maybe(rng, talker, 0.8, code_predictor_config=[predictor], thinker_hidden_size=[32, 48])
    maybe(rng, talker, 0.3, tie_word_embeddings=[True])
    heads = rng.choice([1, 2, 4])
    codec: Config = {"hidden_size": 16 * heads, "num_attention_heads": heads, "num_key_value_heads": 1}
    maybe(rng, codec, codebook_size=[16], num_quantizers=[2, 4], intermediate_size=[24], num_hidden_layers=[1, 3])
    maybe(rng, codec, 0.4, attention_bias=[True], head_dim=[8], upsample_rates=[[4, 3], [2]], decoder_dim=[32, 48])
    maybe(rng, codec, 0.4, upsampling_ratios=[[3], [2, 1, 2], []])
    maybe(rng, config, 0.9, thinker_config=[thinker], code2wav_config=[codec])
    config["talker_config"] = talker
    config["architectures"] = ["Qwen3OmniMoeForConditionalGeneration"]


def tune_whole_qwen2(rng: random.Random, config: Config) -> None:
    thinker: Config = {}
    tune_omni(rng, thinker)
    maybe(rng, thinker, 0.4, tie_word_embeddings=[True, False])
    talker = section(rng, "qwen2_5_omni_talker")
    maybe(rng, talker, 0.5, embedding_size=[32, 48], head_dim=[8, 16])
    heads = rng.choice([1, 2])
    dit: Config = {"hidden_size": 32 * heads, "num_attention_heads": heads, "head_dim": rng.choice([16, 32])}
    maybe(rng, dit, num_hidden_layers=[1, 3], ff_mult=[1, 3], emb_dim=[8], mel_dim=[10], num_embeds=[16])
    maybe(rng, dit, 0.5, enc_emb_dim=[8], enc_dim=[8], enc_attention_channels=[8], enc_se_channels=[8])
    maybe(rng, dit, 0.4, enc_res2net_scale=[1, 4])
    if rng.random() < 0.5:
        layers = rng.randint(2, 5)
        dit |= {"enc_channels": rng.choices([16, 32], k=layers), "enc_kernel_sizes": rng.choices([1, 3], k=layers)}
        dit["enc_dilations"] = [1] * layers
    gan: Config = {}
    maybe(rng, gan, mel_dim=[10], upsample_initial_channel=[64, 192])
    if rng.random() < 0.4:
        gan |= {"upsample_rates": rng.choice([[5, 3], [2]]), "upsample_kernel_sizes": rng.choice([[11, 7], [4, 4, 4]])}
    maybe(rng, gan, 0.4, resblock_kernel_sizes=[[3], [3, 5]])
    wave: Config = {}
    maybe(rng, wave, 0.9, dit_config=[dit], bigvgan_config=[gan])
    maybe(rng, config, 0.9, thinker_config=[thinker], talker_config=[talker], token2wav_config=[wave])
    config["architectures"] = ["Qwen2_5OmniForConditionalGeneration"]


TUNERS: dict[str, Tuner] = {
    "qwen2_5_omni": tune_whole_qwen2,
    "qwen3_omni_moe": tune_whole_qwen3,
}
#: The whole models are under no task of the automatic classes; Qwen3's talker has no default for two keys.
REQUIRED: dict[str, Config] = {
    "qwen2_5_omni": {"architectures": ["Qwen2_5OmniForConditionalGeneration"]},
    "qwen3_omni_moe": {
        "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
        "talker_config": {"text_config": {"shared_expert_intermediate_size": 768}, "spatial_merge_size": 2},
    },
}
