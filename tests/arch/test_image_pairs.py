"""Encoders and decoders of different kinds: pages, images and proteins to text; what is kept, tied, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arch.ledgers import buffers, cached, part, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError

Config = dict[str, Any]

GPT2: Config = {"model_type": "gpt2", "n_layer": 2, "add_cross_attention": True}
PAIR: Config = {"model_type": "vision-encoder-decoder", "encoder": {"model_type": "vit"}, "decoder": GPT2}
SWIN: Config = {"model_type": "swin"}
DONUT: Config = {"model_type": "donut-swin", "image_size": [2560, 1920], "embed_dim": 128, "num_heads": [4, 8, 16, 32]}
BEIT: Config = {"model_type": "beit"}
BORDERS: Config = {**BEIT, "architectures": ["BeitForSemanticSegmentation"], "out_indices": [3, 5, 7, 11]}
UDOP: Config = {"model_type": "udop"}
IDEFICS: Config = {"model_type": "idefics", "num_hidden_layers": 8}
EVOLLA: Config = {"model_type": "evolla"}
FLORENCE: Config = {"model_type": "florence2"}
#: The file of the large model of 2024, for the code that came with it.
FIRST: Config = {
    "model_type": "florence2",
    "text_config": {"model_type": "florence2_language"},
    "vision_config": {
        "model_type": "davit",
        "dim_embed": [256, 512, 1024, 2048],
        "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
        "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
    },
}


def source_of(config: Config) -> set[int | None]:
    """How many positions the layers attend to across."""
    return {state.window for state in build_ledger(config).states if state.kind == "cross"}


def test_a_captioner_keeps_the_image_once_and_the_words_as_they_come() -> None:
    assert cached(PAIR)["full"] == 2 * 2 * 768
    cross = [state for state in build_ledger(PAIR).states if state.kind == "cross"]
    assert sum(state.fixed * state.repeats for state in cross) == 2 * 2 * 768 * 197


@pytest.mark.parametrize(
    ("encoder", "positions"),
    [
        ({"model_type": "vit", "image_size": [224, 112]}, 14 * 7 + 1),
        ({"model_type": "deit"}, 196 + 2),
        ({"model_type": "siglip_vision_model"}, 196),
        (SWIN, 49),
        ({**SWIN, "image_size": 230}, 64),
        (DONUT, 80 * 60),
    ],
)
def test_a_decoder_attends_to_as_many_positions_as_the_encoder_makes(encoder: Config, positions: int) -> None:
    assert source_of({**PAIR, "encoder": encoder}) == {positions}


def test_two_widths_are_bridged_by_one_biased_matrix() -> None:
    narrow = {**PAIR, "encoder": {"model_type": "vit", "hidden_size": 192}}
    assert part(PAIR, "projector") == 0
    assert part(narrow, "projector") == 192 * 768 + 768


def test_trocr_reads_the_width_of_its_encoder_itself() -> None:
    decoder = {"model_type": "trocr", "cross_attention_hidden_size": 768}
    pair = {**PAIR, "decoder": decoder}
    bridged = {**PAIR, "decoder": {"model_type": "trocr"}}
    assert part(pair, "projector") == 0
    assert total(bridged) - total(pair) == 768 * 1024 + 1024 + 12 * 2 * (1024 - 768) * 1024


def test_the_readers_of_print_are_as_large_as_their_users_count_them() -> None:
    sizes = {"model_type": "vit", "image_size": 384, "qkv_bias": False}
    base = {**PAIR, "encoder": sizes, "decoder": {"model_type": "trocr", "cross_attention_hidden_size": 768}}
    assert total(base) == 333_921_792
    encoder = {"model_type": "deit", "image_size": 384, "hidden_size": 384, "intermediate_size": 1536}
    decoder = {"model_type": "trocr", "d_model": 256, "decoder_layers": 6, "decoder_attention_heads": 8}
    decoder |= {"decoder_ffn_dim": 1024, "vocab_size": 64_044, "tie_word_embeddings": False}
    small = {
        **PAIR,
        "encoder": {**encoder, "num_attention_heads": 6},
        "decoder": {**decoder, "cross_attention_hidden_size": 384},
    }
    assert total(small) == 61_596_672


def test_a_tie_within_the_decoder_is_named_from_the_whole() -> None:
    mbart = {**PAIR, "decoder": {"model_type": "mbart"}}
    tied = {tensor.tied_to for pair in (PAIR, mbart) for tensor in build_ledger(pair).tensors if tensor.tied_to}
    assert tied == {"decoder.transformer.wte.weight", "decoder.model.decoder.embed_tokens.weight"}


def test_swin_halves_the_grid_and_doubles_the_width_between_stages() -> None:
    names = {tensor.name: tensor.shape for tensor in build_ledger(SWIN).tensors}
    assert total(SWIN) == 27_519_354
    assert names["encoder.layers.0.downsample.reduction.weight"] == (192, 384)
    assert "encoder.layers.3.downsample.reduction.weight" not in names


def test_donut_stores_which_distance_is_whose_and_swin_does_not() -> None:
    layers = 2 + 2 + 6 + 2
    assert buffers({"model_type": "donut-swin"}) == layers * 49 * 49
    assert buffers(SWIN) == 0


def test_the_second_swin_learns_its_biases_and_has_none_on_keys() -> None:
    second = {tensor.name: tensor.shape for tensor in build_ledger({"model_type": "swinv2"}).tensors}
    assert second["encoder.layers.1.blocks.{}.attention.self.continuous_position_bias_mlp.0.weight"] == (512, 2)
    assert "encoder.layers.1.blocks.{}.attention.self.key.bias" not in second


def test_a_gated_dino_has_two_thirds_of_the_width_in_three_matrices() -> None:
    dino: Config = {"model_type": "dinov2", "hidden_size": 1536, "num_attention_heads": 24, "num_hidden_layers": 40}
    gated = {tensor.name: tensor.shape for tensor in build_ledger({**dino, "use_swiglu_ffn": True}).tensors}
    assert gated["encoder.layer.{}.mlp.down_proj.weight"] == (1536, 4096)
    assert total({**dino, "architectures": ["Dinov2ForImageClassification"]}) - total(dino) == 2 * (2 * 1536 + 1)


def test_a_backbone_has_a_norm_for_each_stage_it_gives_out() -> None:
    backbone = {**SWIN, "architectures": ["SwinBackbone"]}
    assert total({**backbone, "out_features": ["stem", "stage2"]}) - total(SWIN) == 2 * (96 + 192)
    assert total({**backbone, "out_indices": [0, -1]}) - total(SWIN) == 2 * (96 + 768)
    assert total(backbone) - total(SWIN) == 2 * 768


def test_a_head_for_no_labels_stores_nothing() -> None:
    classes = {"architectures": ["ViTForImageClassification"], "model_type": "vit"}
    assert total({**classes, "num_labels": 10}) - total({**classes, "id2label": {}}) == 10 * 769


def test_beit_may_share_its_distances_or_give_each_layer_its_own() -> None:
    table = (27 * 27 + 3) * 12
    assert total({**BEIT, "use_shared_relative_position_bias": True}) - total(BEIT) == table
    assert total({**BEIT, "use_relative_position_bias": True}) - total(BEIT) == 12 * table


def test_beit_draws_borders_from_four_layers() -> None:
    assert total({**BORDERS, "use_auxiliary_head": False}) < total(BORDERS)
    assert buffers(BORDERS) > 0
    joined = {**BORDERS, "auxiliary_concat_input": True}
    assert total(joined) - total(BORDERS) == (768 + 256) * 256 * 9 + 2 * 256


def test_udop_ties_its_first_table_of_distances_except_in_its_bare_class() -> None:
    bare = {**UDOP, "architectures": ["UdopModel"]}
    assert total(bare) - total(UDOP) == 2 * 32 * 16
    assert total({**UDOP, "num_decoder_layers": 3}) < total(UDOP)


def test_idefics_has_a_gated_layer_for_every_few_of_its_own() -> None:
    every, fourth = IDEFICS, {**IDEFICS, "cross_layer_interval": 4}
    assert cached(every)["full"] == cached(fourth)["full"] == 8 * 2 * 4096
    assert cached(every)["cross"] == 4 * cached(fourth)["cross"]


def test_words_added_to_idefics_later_have_tables_of_their_own() -> None:
    assert total({**IDEFICS, "additional_vocab_size": 2}) - total(IDEFICS) == 2 * 2 * 4096
    tied = {**IDEFICS, "tie_word_embeddings": True}
    assert total({**tied, "additional_vocab_size": 2}) - total(tied) == 2 * 4096


def test_evolla_keeps_nothing_of_the_protein() -> None:
    assert set(cached(EVOLLA)) == {"full"}
    assert source_of(EVOLLA) == {64}


def test_the_first_files_of_florence_have_the_weights_of_the_later() -> None:
    """The large model: 770 million, as its card says."""
    text = {"model_type": "bart", "vocab_size": 51289}
    vision = {"embed_dim": [256, 512, 1024, 2048], "num_heads": [8, 16, 32, 64], "num_groups": [8, 16, 32, 64]}
    later = {**FLORENCE, "text_config": text, "vision_config": vision}
    assert total(FIRST) == total(later) == 770_173_952
    assert buffers(FIRST) - buffers(later) == 51289
    names = {tensor.name for tensor in build_ledger(FIRST).tensors}
    assert {"image_projection", "vision_tower.blocks.2.{}.channel_block.ffn.fn.net.fc1.weight"} <= names


def vision(**keys: object) -> Config:
    return {**FIRST, "vision_config": {**FIRST["vision_config"], **keys}}


def seeing(**keys: object) -> Config:
    return {**FLORENCE, "vision_config": keys}


def decoding(**keys: object) -> Config:
    return {**PAIR, "decoder": {**GPT2, **keys}}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({**PAIR, "encoder": {"model_type": "bert"}}, "an encoder of type 'bert' is not followed"),
        ({**PAIR, "decoder": {"model_type": "llama"}}, "a decoder of type 'llama' is not followed"),
        (decoding(add_cross_attention=False), "add_cross_attention is not set"),
        (decoding(model_type="bert", is_decoder=False), "is_decoder is not set, so that bert stays an encoder"),
        (decoding(cross_attention_hidden_size=5), "cross_attention_hidden_size 5 is not the encoder's width"),
        (decoding(n_embd=96, cross_attention_hidden_size=768), "cross_attention_hidden_size is not read by its type"),
        ({**PAIR, "tie_encoder_decoder": True}, "tie_encoder_decoder is not followed"),
        ({**SWIN, "depths": 3}, "depths or num_heads is not a list"),
        ({**SWIN, "depths": [1] * 5}, "depths has 5 stages, num_heads 4"),
        ({**SWIN, "depths": [20_000]}, "depths has 20000 layers"),
        ({**SWIN, "mlp_ratio": "4"}, "mlp_ratio is '4', not a ratio"),
        ({**SWIN, "architectures": ["SwinBackbone"], "out_features": ["stage9"]}, "'stage9', which is no stage"),
        ({**SWIN, "architectures": ["SwinBackbone"], "out_indices": [9]}, "a stage that is not there"),
        ({**SWIN, "architectures": ["SwinBackbone"], "out_indices": 1}, "out_indices is not a list of stages"),
        ({**BORDERS, "out_indices": [1]}, "out_indices are not the four layers"),
        ({**BORDERS, "pool_scales": 1}, "pool_scales is not a list"),
        ({**BORDERS, "auxiliary_num_convs": 101}, "auxiliary_num_convs is 101"),
        ({**BEIT, "layer_scale_init_value": None}, "layer_scale_init_value is None, not a number"),
        ({**BEIT, "use_relative_position_bias": True, "image_size": 8}, "patch_size 16 is larger than the image"),
        ({**UDOP, "relative_bias_args": 1}, "relative_bias_args is not a list"),
        ({**UDOP, "relative_bias_args": []}, "relative_bias_args is empty"),
        ({**UDOP, "relative_bias_args": [{"type": "diagonal"}]}, "a table that is not known"),
        ({**UDOP, "relative_bias_args": [{"type": "1d", "num_heads": 3}]}, "another num_heads"),
        ({**UDOP, "is_gated_act": True}, "is_gated_act True contradicts feed_forward_proj"),
        ({**IDEFICS, "alpha_type": "matrix"}, "alpha_type 'matrix' is not known"),
        ({**IDEFICS, "alpha_initializer": "sevens"}, "alpha_initializer 'sevens' is not known"),
        (
            {**IDEFICS, "use_resampler": True, "perceiver_config": {"resampler_depth": 0}},
            "perceiver_config.resampler_depth is 0",
        ),
        ({**EVOLLA, "protein_encoder_config": 3}, "protein_encoder_config is not an object"),
        ({**EVOLLA, "protein_encoder_config": {"is_decoder": True}}, "protein_encoder_config is that of a decoder"),
        ({**EVOLLA, "resampler_depth": 10_001}, "resampler_depth is 10001"),
        ({**EVOLLA, "hidden_size": 4100}, "hidden_size 4100 is not a multiple of its 32 heads"),
        ({"model_type": "pix2struct", "text_config": {"d_kv": 32}}, "12 heads of d_kv 32"),
        ({**FLORENCE, "text_config": {"model_type": "t5"}}, "a text_config of type 't5' is not followed"),
        (seeing(embed_dim=[8]), "embed_dim, num_heads and num_groups are not as many numbers"),
        (seeing(depths=[1]), "depths is not a list of 4 numbers"),
        (seeing(depths=[1, 1, 1, 10_001]), "depths has 10001 layers"),
        (seeing(patch_prenorm=[2] * 4), "patch_prenorm is not a list of true or false"),
        (seeing(mlp_ratio=None), "mlp_ratio is None, not a ratio"),
        (seeing(embed_dim=[8, 8, 8, 7]), "embed_dim ends in 7, which has no half"),
        (vision(image_pos_embed=None), "vision_config.image_pos_embed has no max_pos_embeddings"),
        ({**FIRST, "vision_config": None}, "vision_config is not an object"),
        ({**FIRST, "text_config": None}, "text_config is not an object"),
        ({**FIRST, "architectures": ["Florence2Model"]}, "code that has no Florence2Model"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_the_reason(config: Config, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
