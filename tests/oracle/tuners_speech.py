"""Last words on random configs of models that hear speech: conformers, tokenizers of sound, and what reads them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from tests.oracle.tuners_sparse import maybe
from tests.oracle.tuners_vision import section

Config = dict[str, Any]
Tuner = Callable[[random.Random, Config], None]


def tune_q_former(rng: random.Random, config: Config) -> None:
    heads = rng.choice([2, 4])
    config |= {"hidden_size": 8 * heads, "num_attention_heads": heads}
    maybe(rng, config, cross_attention_frequency=[1, 2, 3], encoder_hidden_size=[16, 48], intermediate_size=[24])


def tune_granite_encoder(rng: random.Random) -> Config:
    """A small conformer, its sizes under either of their names."""
    heads = rng.choice([2, 4])
    config: Config = {"hidden_dim": 16 * heads, "num_heads": heads}
    maybe(rng, config, num_layers=[1, 2, 3], input_dim=[24, 80])
    for name, other in (("hidden_dim", "hidden_size"), ("num_heads", "num_attention_heads")):
        if rng.random() < 0.3:
            config[other] = config.pop(name)
    maybe(rng, config, feedforward_mult=[2, 3], output_dim=[20, 42], conv_kernel_size=[7, 15], max_pos_emb=[256])
    maybe(rng, config, 0.4, dim_head=[8, None], context_size=[100, 200], conv_expansion_factor=[1, 3])
    return config


def tune_granite_speech(rng: random.Random, config: Config) -> None:
    encoder = tune_granite_encoder(rng)
    former = section(rng, "blip_2_qformer")
    if config["model_type"].endswith("plus") and rng.random() < 0.6:
        listed = rng.choice([[], [0], [0, 1], [1]])
        encoder |= {"cat_hidden_layers": listed, "num_layers": rng.choice([2, 3])}
        width = encoder["hidden_dim"] if "hidden_dim" in encoder else encoder["hidden_size"]
        former["encoder_hidden_size"] = width * (1 + len(listed))
        config |= {"encoder_config": encoder, "projector_config": former}
    else:
        maybe(rng, config, 0.85, encoder_config=[encoder], projector_config=[former])
    if rng.random() < 0.3:
        encoder["model_type"] = rng.choice(["granite_speech_encoder", "another"])
        former.pop("model_type")
    maybe(rng, config, 0.9, text_config=[section(rng, rng.choice(["granite", "granite", "llama", "qwen2"]))])
    if "text_config" in config and config["text_config"]["model_type"] == "granite" and rng.random() < 0.4:
        del config["text_config"]["model_type"]
    maybe(rng, config, 0.4, downsample_rate=[3, 5, 16], window_size=[12, 15], tie_word_embeddings=[True, False])


def tune_waveform(rng: random.Random, config: Config) -> None:
    stages = rng.randint(1, 4)
    config |= {"downsampling_ratios": rng.choices([2, 4, 5, 8], k=stages)}
    config |= {"depths": rng.choices([1, 2, 3], k=stages + 1), "num_filters": rng.choice([4, 8])}
    maybe(rng, config, channels=[1, 2], kernel_size=[5, 7], ffn_expansion=[2, 4], hidden_size=[16, 24])


def tune_vibevoice(rng: random.Random, config: Config) -> None:
    for name in ("acoustic", "semantic"):
        if rng.random() < 0.85:
            config[f"{name}_tokenizer_encoder_config"] = section(rng, "vibevoice_acoustic_tokenizer_encoder")
    ratios = config.get("acoustic_tokenizer_encoder_config", {}).get("downsampling_ratios")
    if ratios:
        config["acoustic_tokenizer_chunk_size"] = 10 * math.prod(ratios)
    maybe(rng, config, 0.9, text_config=[section(rng, rng.choice(["qwen2", "qwen2", "llama", "gpt2"]))])
    declared = {"text_config": "qwen2", "semantic_tokenizer_encoder_config": "vibevoice_acoustic_tokenizer_encoder"}
    for key, model_type in declared.items():
        if key in config and config[key]["model_type"] == model_type and rng.random() < 0.4:
            del config[key]["model_type"]
    maybe(rng, config, 0.3, tie_word_embeddings=[True, False])


def tune_nemotron_ear(rng: random.Random, config: Config) -> None:
    """Heads always share the width out evenly, and a file may still name the width of one."""
    heads = rng.choice([2, 4])
    config |= {"hidden_size": 16 * heads, "num_attention_heads": heads}
    maybe(rng, config, num_mel_bins=[16, 80], upsampling_factor=[1, 2, 3], intermediate_size=[24, 48])
    maybe(rng, config, 0.3, num_key_value_heads=[1, 2, None], head_dim=[8, 24])
    if config["model_type"].endswith("timestamp"):
        config |= {"vocab_size": rng.choice([40, 64]), "blank_token_id": 39}


def tune_diarization(rng: random.Random, config: Config) -> None:
    audio = section(rng, "nemotron3_diarization_audio")
    audio.pop("model_type")
    speakers, factor = rng.choice([4, 8]), rng.choice([4, 8])
    head: Config = {"audio_hidden_size": audio["hidden_size"], "num_speakers": speakers, "subsampling_factor": factor}
    maybe(rng, head, hidden_size=[24, 48])
    config |= {"head_config": head, "audio_config": audio | {"subsampling_factor": factor}}
    config["streaming_config"] = {"num_speakers": speakers, "subsampling_factor": factor}
    if rng.random() < 0.2:
        for key in ("head_config", "audio_config", "streaming_config"):
            config[key] = rng.choice([None, {}])


def tune_transcribe_audio(rng: random.Random, config: Config) -> None:
    voices = section(rng, "nemotron3_diarization")
    speech = section(rng, "nemotron3_5_transcribe_asr_audio")
    speech["subsampling_factor"] = (voices["audio_config"] or {}).get("subsampling_factor", 8)
    config |= {"asr_config": speech, "diarization_config": voices}
    if rng.random() < 0.3:
        for entry in (speech, voices):
            entry.pop("model_type")
    elif rng.random() < 0.3:
        del config["diarization_config"]
        speech["subsampling_factor"] = 8


def tune_transcribe(rng: random.Random, config: Config) -> None:
    for key, model_type in (
        ("audio_config", "nemotron3_5_transcribe_audio"),
        ("word_timestamp_config", "nemotron3_5_transcribe_word_timestamp"),
        ("text_config", rng.choice(["nemotron_h", "nemotron_h", "nemotron_h", "qwen2"])),
    ):
        if rng.random() < 0.9:
            config[key] = section(rng, model_type)
            if rng.random() < 0.3 and model_type != "qwen2":
                del config[key]["model_type"]


def tune_radio(rng: random.Random, config: Config) -> None:
    config |= {"patch_size": rng.choice([7, 14]), "max_img_size": rng.choice([56, 60])}
    maybe(rng, config, mlp_ratio=[2.0, 2.5, 3.7], num_cls_tokens=[1, 4], num_registers=[0, 4], num_channels=[1, 3])
    maybe(rng, config, 0.3, video_temporal_patch_size=[2, 3], summary_idxs=[[0], [0, 1, 2], None], head_dim=[8])


def tune_parakeet(rng: random.Random, config: Config) -> None:
    maybe(rng, config, subsampling_factor=[1, 2, 4, 8], num_mel_bins=[64, 80, 128], subsampling_conv_channels=[8, 16])
    maybe(rng, config, 0.4, conv_kernel_size=[5, 9], subsampling_conv_stride=[1, 2], subsampling_conv_kernel_size=[5])
    maybe(rng, config, 0.2, num_key_value_heads=[1, 2], head_dim=[8, 16])


def tune_omni(rng: random.Random, config: Config) -> None:
    older = rng.random() < 0.4
    if rng.random() < 0.9:
        text = section(rng, "nemotron_h")
        maybe(rng, text, 0.4, num_nextn_predict_layers=[0, 1], tie_word_embeddings=[True])
        config["llm_config" if older else "text_config"] = text
    maybe(rng, config, 0.4, video_temporal_patch_size=[2, 3])
    frames = config.get("video_temporal_patch_size", 2)
    if frames != 2 or rng.random() < 0.85:
        config["vision_config"] = section(rng, "radio") | {"video_temporal_patch_size": frames}
    if rng.random() < 0.7:
        sound = section(rng, "parakeet_encoder") | {"projection_hidden_size": 24}
        if rng.random() < 0.5:
            del sound["model_type"]
        maybe(rng, sound, 1.0, projection_bias=[True, False])
        config["sound_config" if older else "audio_config"] = sound
    maybe(rng, config, 0.6, downsample_ratio=[0.5, 0.25, 1.0, 0.3], projector_hidden_size=[24, 40])
    maybe(rng, config, 0.4, vision_hidden_size=[32, 1280])
    maybe(rng, config, 0.4, vit_hidden_size=[48, 1280])
    if older and rng.random() < 0.2:
        config["text_config"] = section(rng, "nemotron_h")


def tune_seamless(rng: random.Random, config: Config) -> None:
    classes = ["ForTextToText", "ForSpeechToText", "ForTextToSpeech", "ForSpeechToSpeech", "Model"]
    first = config["model_type"] == "seamless_m4t"
    classes += ["TextToUnitModel", "TextToUnitForConditionalGeneration", "CodeHifiGan"] if first else []
    prefix = "SeamlessM4T" if first else "SeamlessM4Tv2"
    config["architectures"] = [prefix + rng.choice(classes)]
    heads = [2, 4]
    for stack in ("encoder", "decoder", "speech_encoder", "t2u_encoder", "t2u_decoder"):
        config |= {f"{stack}_attention_heads": rng.choice(heads), f"{stack}_layers": rng.randint(1, 3)}
    if rng.random() < 0.3:
        config["num_hidden_layers"] = config.pop("decoder_layers")
    config |= {"hidden_size": rng.choice([32, 48]), "speech_encoder_intermediate_size": rng.choice([24, 40])}
    maybe(rng, config, encoder_ffn_dim=[24, 40], decoder_ffn_dim=[24, 56], t2u_encoder_ffn_dim=[24], vocab_size=[64])
    maybe(rng, config, t2u_decoder_ffn_dim=[32], t2u_vocab_size=[50, 80], feature_projection_input_dim=[16, 80])
    maybe(rng, config, 0.4, adaptor_kernel_size=[4, 8], num_adapter_layers=[0, 2], conv_depthwise_kernel_size=[7, 15])
    maybe(rng, config, 0.5, position_embeddings_type=["relative", "relative_key", "rotary", "none"])
    maybe(rng, config, 0.5, upsample_rates=[[4, 2], [3, 2, 2]], upsample_kernel_sizes=[[8, 4], [7, 4, 4]])
    maybe(rng, config, 0.4, resblock_kernel_sizes=[[3], [3, 7]], resblock_dilation_sizes=[[[1, 3]], [[1], [1, 3, 5]]])
    maybe(rng, config, 0.5, upsample_initial_channel=[32, 50], unit_embed_dim=[24], lang_embed_dim=[8])
    maybe(rng, config, 0.4, vocoder_num_langs=[3], vocoder_num_spkrs=[4], unit_hifi_gan_vocab_size=[60])
    maybe(rng, config, 0.4, spkr_embed_dim=[12], variance_predictor_kernel_size=[3, 5], tie_word_embeddings=[False])
    if not first:
        maybe(
            rng, config, 0.5, char_vocab_size=[90], left_max_position_embeddings=[5], t2u_max_position_embeddings=[64]
        )
        maybe(rng, config, 0.5, t2u_variance_predictor_embed_dim=[32], t2u_variance_predictor_hidden_dim=[16])
        maybe(rng, config, 0.4, t2u_variance_predictor_kernel_size=[5], right_max_position_embeddings=[0, 3])


TUNERS: dict[str, Tuner] = {
    "seamless_m4t": tune_seamless,
    "seamless_m4t_v2": tune_seamless,
    "radio": tune_radio,
    "parakeet_encoder": tune_parakeet,
    "nemotron_h_omni": tune_omni,
    "nemotron3_diarization_audio": tune_nemotron_ear,
    "nemotron3_5_transcribe_asr_audio": tune_nemotron_ear,
    "nemotron3_5_transcribe_word_timestamp": tune_nemotron_ear,
    "nemotron3_diarization": tune_diarization,
    "nemotron3_5_transcribe_audio": tune_transcribe_audio,
    "nemo_speechlm": tune_transcribe,
    "vibevoice_acoustic_tokenizer_encoder": tune_waveform,
    "vibevoice_asr": tune_vibevoice,
    "blip_2_qformer": tune_q_former,
    "granite_speech": tune_granite_speech,
    "granite_speech_plus": tune_granite_speech,
}
REQUIRED: dict[str, Config] = {}
