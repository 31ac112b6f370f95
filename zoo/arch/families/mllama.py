"""Llama 3.2 Vision: Llama with layers between its own that attend to what a tower of two encoders has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, split_heads
from zoo.arch.families.vision import VISION_DIMS, Projector, Vision, class_token
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, by_kind, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

#: Where the class puts them when the file does not say.
CROSS_LAYERS = (3, 8, 13, 18, 23, 28, 33, 38)
TEXT_DIMS: dict[str, Dim] = {"head_dim": split_heads, "rows": lambda c: c.vocab + 8}


def layer_kinds(c: Config) -> Sequence[str]:
    """Layers that ``cross_attention_layers`` lists attend to the image alone."""
    listed = c["cross_attention_layers"]
    if listed is None:
        listed = CROSS_LAYERS
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}cross_attention_layers is not a list of layers")
    cross = {check_whole(layer, f"{c.model_type}: {c.path}cross_attention_layers") for layer in listed}
    return ["cross" if layer in cross else "self" for layer in range(c.layers)]


def gates(c: Config, p: Place) -> Iterable[Row]:
    """How much of the image is let in, by attention and by MLP: nothing before training."""
    yield p.tensor("cross_attn_attn_gate", (1,), "attention", "vector")
    yield p.tensor("cross_attn_mlp_gate", (1,), "mlp", "vector")


TEXT: tuple[Block, ...] = (
    Embedding(rows="rows"),
    stack(
        "layers",
        by_kind(
            layer_kinds,
            self=at("self_attn", Attention()),
            cross=(at("cross_attn", CrossAttention(), *QK_NORM), gates),
        ),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
    ),
    rms("norm"),
)


def count_ratios(c: Config) -> int:
    """Shapes that an image may be cut into, by tiles; eight unless they are listed. One more means none."""
    ratios = c["supported_aspect_ratios"]
    if ratios is None:
        return 8 + 1
    if not isinstance(ratios, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}supported_aspect_ratios is not a list")
    return len(ratios) + 1


def embed_tiles(c: Config, p: Place) -> Iterable[Row]:
    """Patches, and learned positions: of a patch in its tile, of a tile in its image, gated."""
    patch, tiles, places = c.whole("patch_size", least=1), c.whole("max_num_tiles", least=1), c.patches + 1
    yield p.tensor("patch_embedding.weight", (c.hidden, c.channels, patch, patch), "vision")
    yield from class_token(c, p)
    below = p.at("gated_positional_embedding")
    yield below.tensor("gate", (1,), "vision", "vector")
    yield below.tensor("embedding", (places, c.hidden), "vision", "lookup")
    yield below.table("tile_embedding", count_ratios(c), tiles * places * c.hidden, "vision")
    for name in ("pre_tile_positional_embedding", "post_tile_positional_embedding"):
        below = p.at(name)
        yield below.table("embedding", count_ratios(c), tiles * c.hidden, "vision")
        yield below.tensor("gate", (1,), "vision", "vector")


def vision_gates(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("gate_attn", (1,), "vision", "vector")
    yield p.tensor("gate_ffn", (1,), "vision", "vector")


LAYER = (
    at("self_attn", Attention(cached=False, causal=False)),
    at("mlp", Mlp()),
    layer_norm("input_layernorm"),
    layer_norm("post_attention_layernorm"),
)
TOWER_DIMS: dict[str, Dim] = {
    **VISION_DIMS,
    **MULTI_HEAD,
    "heads": lambda c: c.whole("attention_heads", least=1),
    "global_layers": "num_global_layers",
}
TOWER = Vision(
    (
        embed_tiles,
        layer_norm("layernorm_pre"),
        layer_norm("layernorm_post"),
        at("transformer", stack("layers", *LAYER)),
        at("global_transformer", stack("layers", *LAYER, vision_gates, count="global_layers")),
    )
)


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def project(c: Config, p: Place) -> Iterable[Row]:
    """What comes out of the last layer and of five between, side by side, into the width of the text."""
    width = c.section("vision_config", TOWER_DIMS).whole("vision_output_dim", least=1)
    yield from p.linear("multi_modal_projector", width, read_text(c).hidden, "projector", True)


def see_alone(c: Config, p: Place) -> Iterable[Row]:
    return TOWER(c.section("vision_config", TOWER_DIMS), p)


def see(c: Config, p: Place) -> Iterable[Row]:
    return see_alone(c, p.at("vision_model"))


def speak(c: Config, p: Place) -> Iterable[Row]:
    return At("", TEXT)(read_text(c), p)


def never_tied(c: Config) -> bool:
    """The table has eight rows more than the head, so that the classes never tie them, whatever a file says."""
    return False


register(
    Architecture(
        "mllama",
        "Llama",
        At("", (see, at("language_model", speak), Projector((project,)))),
        heads={
            "MllamaModel": Head(),
            "MllamaTextModel": Head(body=speak, embedding="embed_tokens.weight"),
            "MllamaVisionModel": Head(body=see_alone),
            "MllamaForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=never_tied),)),
            "MllamaForCausalLM": Head("model.", (LmHead(inner=read_text, tie_of=never_tied),), body=speak),
        },
        natural="MllamaForConditionalGeneration",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        example="meta-llama/Llama-3.2-11B-Vision-Instruct",
        about="Llama 3.1 with eight layers more, which attend to the image alone and are gated.",
    ),
)
