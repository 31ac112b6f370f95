"""Last words on random configs of an encoder and a decoder of different kinds: pages, images and proteins to text."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import section

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def drop_some(rng: random.Random, config: Config, chance: float = 0.15) -> None:
    """Now and then a section, or a key of one, is not in the file."""
    for key in [key for key, value in config.items() if isinstance(value, dict)]:
        if rng.random() < chance:
            config[key] = None
            if rng.random() < 0.5:
                del config[key]


def tune_pix2struct(rng: random.Random, config: Config) -> None:
    heads, width = rng.choice([2, 4]), rng.choice([8, 16])
    text: Config = {"hidden_size": heads * width, "d_kv": width}
    text[rng.choice(["num_heads", "num_attention_heads", "decoder_attention_heads"])] = heads
    if rng.random() < 0.8:
        text[rng.choice(["num_layers", "num_hidden_layers", "decoder_layers"])] = rng.randint(1, 4)
    maybe(rng, text, d_ff=[24, 48], vocab_size=[64, 97], relative_attention_num_buckets=[8, 16])
    maybe(rng, text, 0.4, tie_word_embeddings=[True, False], model_type=["pix2struct_text_model", "bert"])
    vision: Config = {"num_attention_heads": rng.choice([2, 3])}
    maybe(rng, vision, hidden_size=[heads * width], d_kv=[8, 12], d_ff=[24, 48], num_hidden_layers=[1, 3])
    maybe(rng, vision, patch_embed_hidden_size=[24, 48], seq_len=[32, 40])
    config |= {"text_config": text, "vision_config": vision}
    maybe(rng, config, 0.5, tie_word_embeddings=[True, False], is_vqa=[True])
    drop_some(rng, config)


def tune_kosmos_page(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    text: Config = {rng.choice(["attention_heads", "num_attention_heads"]): heads}
    text[rng.choice(["embed_dim", "hidden_size"])] = heads * rng.choice([8, 16])
    if rng.random() < 0.8:
        text[rng.choice(["layers", "num_hidden_layers"])] = rng.randint(1, 4)
    maybe(rng, text, ffn_dim=[24, 48], vocab_size=[64, 97], max_position_embeddings=[32])
    maybe(rng, text, 0.4, tie_word_embeddings=[True, False])
    vision: Config = {"num_attention_heads": rng.choice([2, 3]), "head_dim": rng.choice([8, 12])}
    maybe(rng, vision, hidden_size=[32, 40], intermediate_size=[24, 48], num_hidden_layers=[1, 3])
    maybe(rng, vision, patch_embed_hidden_size=[24, 48], max_num_patches=[32, 40])
    config |= {"text_config": text, "vision_config": vision}
    maybe(rng, config, 0.5, latent_query_num=[4, 8], tie_word_embeddings=[True, False])
    drop_some(rng, config)
    maybe(rng, config, 0.3, architectures=[["Kosmos2_5Model"]])


def tune_vit(rng: random.Random, config: Config) -> None:
    patch = rng.choice([4, 7])
    config |= {"patch_size": patch, "image_size": patch * rng.choice([2, 3])}
    maybe(rng, config, 0.3, image_size=[[28, 56]], num_channels=[1], pooler_output_size=[24], head_dim=[8])
    config |= rng.choice([{}, {"num_labels": 3}, {"id2label": {}}, {"id2label": {"0": "a", "1": "b", "2": "c"}}])
    maybe(rng, config, 0.2, patch_size=[[7, 14]], encoder_stride=[4])
    prefix = {"vit": "ViT", "deit": "DeiT", "dinov2": "Dinov2"}[config["model_type"]]
    names = ["ForImageClassification", "Backbone" if prefix == "Dinov2" else "ForMaskedImageModeling"]
    maybe(rng, config, 0.4, architectures=[[prefix + name] for name in names])
    if prefix == "Dinov2":
        maybe(rng, config, 0.5, mlp_ratio=[2, 3, 5], layerscale_value=[0.1])


def tune_beit(rng: random.Random, config: Config) -> None:
    config |= {"patch_size": 7, "image_size": rng.choice([14, 21, [28, 14]]), "add_fpn": False}
    maybe(rng, config, 0.3, layer_scale_init_value=[0.0, 1e-5], num_labels=[3], num_channels=[1], head_dim=[8])
    maybe(rng, config, 0.4, pool_scales=[[1, 2]], auxiliary_channels=[8], auxiliary_num_convs=[0, 3])
    maybe(rng, config, 0.3, auxiliary_concat_input=[True])
    if rng.random() < 0.5:
        config |= {"num_hidden_layers": 5, rng.choice(["out_indices", "segmentation_indices"]): [1, 2, 3, 5]}
        config |= {"add_fpn": rng.random() < 0.5}
        config["architectures"] = [rng.choice(["BeitForSemanticSegmentation", "BeitBackbone"])]
    elif rng.random() < 0.5:
        config["architectures"] = [f"BeitFor{rng.choice(['ImageClassification', 'MaskedImageModeling'])}"]


def tune_swin(rng: random.Random, config: Config) -> None:
    stages, head = rng.randint(1, 4), rng.choice([4, 8])
    for key in ("num_attention_heads", "num_heads", "num_layers"):
        config.pop(key, None)
    heads = [2 << stage for stage in range(stages)]
    config |= {"embed_dim": 2 * head, "depths": [rng.randint(1, 3) for _ in heads], "patch_size": rng.choice([2, 4])}
    config[rng.choice(["num_heads", "num_attention_heads"])] = heads
    maybe(rng, config, image_size=[32, 64, [64, 32]], window_size=[2, 4, 7], mlp_ratio=[2.0, 4.0, 1.3])
    maybe(rng, config, 0.3, num_channels=[1], hidden_size=[16 << stages], encoder_stride=[4], num_layers=[stages])
    config |= rng.choice([{}, {}, {"num_labels": 3}, {"id2label": {}}])
    if config["model_type"] in ("swin", "swinv2"):
        maybe(rng, config, 0.2, out_features=[["stem", f"stage{stages}"]])
        if "out_features" not in config:
            maybe(rng, config, 0.2, out_indices=[[0, stages], [stages]])
        names = ["ForImageClassification", "ForMaskedImageModeling", "Backbone"]
        maybe(rng, config, 0.4, architectures=[[config["model_type"].capitalize() + name] for name in names])
    else:
        maybe(rng, config, 0.2, architectures=[["DonutSwinForImageClassification"]])


def tune_florence(rng: random.Random, config: Config) -> None:
    text = section(rng, "bart" if rng.random() < 0.85 else "mbart")
    for key in ("architectures", "num_labels", "id2label"):
        text.pop(key, None)
    if text["model_type"] == "bart" and rng.random() < 0.3:
        del text["model_type"]
    maybe(rng, text, 0.3, tie_word_embeddings=[True, False])
    stages = rng.randint(1, 4)
    widths = [8 << stage for stage in range(stages)]
    vision: Config = {"embed_dim": widths, "num_heads": [2] * stages, "num_groups": [2] * stages}
    maybe(rng, vision, depths=[[rng.randint(0, 3) for _ in range(4)]], projection_dim=[16], mlp_ratio=[2.0, 4.0, 1.3])
    maybe(rng, vision, 0.4, patch_prenorm=[[False] * 4, [True] * 4], patch_size=[[3] * 4], qkv_bias=[False])
    maybe(rng, vision, 0.4, in_channels=[1], max_position_embeddings=[20], max_temporal_embeddings=[10])
    if rng.random() < 0.3:
        vision["embed_dim"] = [width + 2 for width in widths]
    config |= {"text_config": text, "vision_config": vision}
    drop_some(rng, config, 0.1)
    maybe(rng, config, 0.5, tie_word_embeddings=[True, False])
    maybe(rng, config, 0.3, architectures=[["Florence2Model"]])


def tune_udop(rng: random.Random, config: Config) -> None:
    other = {"d_model": "hidden_size", "num_heads": "num_attention_heads"}
    if config.get("num_decoder_layers") is not None:
        other["num_layers"] = "num_hidden_layers"
    for key in [key for key in other if key in config and rng.random() < 0.2]:
        config[other[key]] = config.pop(key)
    maybe(rng, config, 0.5, d_kv=[8, 12], max_2d_position_embeddings=[20], image_size=[28, [28, 14]])
    maybe(rng, config, 0.5, patch_size=[7, [7, 14]], num_channels=[1], relative_attention_num_buckets=[8, 16])
    maybe(rng, config, 0.5, feed_forward_proj=["gated-gelu", "gelu", "gated-silu"])
    tables = [{"type": "horizontal", "relative_attention_num_buckets": 12}, {"type": "vertical", "prefix_bucket": True}]
    maybe(rng, config, 0.4, relative_bias_args=[[{"type": "1d"}], [{"type": "1d"}, *tables], tables, None])
    names = ["Model", "EncoderModel", "ForConditionalGeneration"]
    maybe(rng, config, 0.6, architectures=[[f"Udop{name}"] for name in names])


def tune_first_idefics(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.5, additional_vocab_size=[2, 5], cross_layer_interval=[1, 2, 3, 9], alpha_type=["vector"])
    maybe(rng, config, 0.3, alpha_initializer=["ones"], qk_layer_norms=[True], use_resampler=[True, False])
    heads = rng.choice([2, 4])
    vision: Config = {rng.choice(["embed_dim", "hidden_size"]): 8 * heads, "num_attention_heads": heads}
    maybe(rng, vision, num_hidden_layers=[1, 3], intermediate_size=[24], patch_size=[7], image_size=[28, 30])
    maybe(rng, vision, 0.3, num_channels=[1], model_type=["idefics", "clip_vision_model"])
    perceiver: Config = {"resampler_depth": rng.randint(1, 3)}
    maybe(rng, perceiver, resampler_n_heads=[2], resampler_head_dim=[8, 12], resampler_n_latents=[4])
    maybe(rng, perceiver, 0.4, qk_layer_norms_perceiver=[True], use_resampler=[True])
    config |= {"vision_config": vision, "perceiver_config": perceiver}
    drop_some(rng, config)
    maybe(rng, config, 0.3, architectures=[["IdeficsModel"]])


def tune_evolla(rng: random.Random, config: Config) -> None:
    maybe(rng, config, 0.4, aligner_ffn_mult=[2], aligner_enable_bias=[False], aligner_num_add_layers=[1, 2, 3])
    maybe(rng, config, 0.4, resampler_depth=[1, 3], resampler_dim_head=[8], resampler_heads=[2], resampler_ff_mult=[2])
    maybe(rng, config, 0.4, resampler_num_latents=[6], tie_word_embeddings=[True])
    maybe(rng, config, 0.2, head_dim=[8, 24])
    config |= {"is_decoder": False, "add_cross_attention": False}
    if "hidden_size" in config and "num_attention_heads" not in config:
        config |= {"num_attention_heads": 4, "hidden_size": 32, "num_key_value_heads": 2}
    heads = rng.choice([2, 4])
    protein: Config = {"hidden_size": heads * rng.choice([8, 12]), "num_attention_heads": heads}
    maybe(rng, protein, num_hidden_layers=[1, 3], intermediate_size=[24], vocab_size=[30])
    maybe(rng, protein, 0.4, position_embedding_type=["absolute"], emb_layer_norm_before=[True])
    maybe(rng, protein, 0.4, max_position_embeddings=[40], head_dim=[7])
    config["protein_encoder_config"] = protein
    drop_some(rng, config)
    maybe(rng, config, 0.3, architectures=[["EvollaModel"]])


IMAGE_ENCODERS = [
    "vit",
    "deit",
    "beit",
    "dinov2",
    "swin",
    "swinv2",
    "donut-swin",
    "clip_vision_model",
    "siglip_vision_model",
]
OFTEN = ["gpt2", "bert", "roberta", "trocr", "mbart", "bart", "xlm-roberta", "camembert", "electra"]
SELDOM = [
    *("gpt_bigcode", "xglm", "bert-generation", "xlm-roberta-xl", "roberta-prelayernorm", "data2vec-text", "ernie"),
    *("megatron-bert", "rembert", "roformer", "pegasus", "blenderbot", "blenderbot-small", "mvp"),
    *("plbart", "marian", "roc_bert", "xmod"),
]


def tune_image_pair(rng: random.Random, config: Config) -> None:
    """Two halves of any types and sizes, as two models were saved that were trained together."""
    encoder = section(rng, rng.choice(IMAGE_ENCODERS))
    decoder = section(rng, rng.choice(OFTEN if rng.random() < 0.7 else SELDOM))
    kind = decoder["model_type"]
    for half in (encoder, decoder):
        half.pop("architectures", None)
    decoder |= {"is_decoder": True, "add_cross_attention": True}
    if kind == "gpt_bigcode":
        decoder["multi_query"] = False
    maybe(rng, decoder, 0.3, tie_word_embeddings=[True, False])
    maybe(rng, decoder, 0.2, cross_attention_hidden_size=[None])
    if kind == "trocr" and rng.random() < 0.5:
        encoder = section(rng, "vit")
        encoder.pop("architectures", None)
        decoder["cross_attention_hidden_size"] = encoder.get("hidden_size", 768)
    config |= {"encoder": encoder, "decoder": decoder}
    maybe(rng, config, 0.3, tie_word_embeddings=[True, False])
    for key, default in (("encoder", "vit"), ("decoder", "bert")):
        if config[key]["model_type"] == default and rng.random() < 0.4:
            del config[key]["model_type"]
    drop_some(rng, config, 0.08)


TUNERS: dict[str, Tuner] = {
    "evolla": tune_evolla,
    "idefics": tune_first_idefics,
    "udop": tune_udop,
    "florence2": tune_florence,
    "vision-encoder-decoder": tune_image_pair,
    "vit": tune_vit,
    "deit": tune_vit,
    "beit": tune_beit,
    "dinov2": tune_vit,
    "swin": tune_swin,
    "swinv2": tune_swin,
    "donut-swin": tune_swin,
    "pix2struct": tune_pix2struct,
    "kosmos-2.5": tune_kosmos_page,
}

REQUIRED: dict[str, Config] = {}
