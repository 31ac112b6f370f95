"""Muse Glimmer: gated attention with windows in three layers of four, behind a tower of 50 layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.llava import TEXT, VISION, read_text
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Projector
from zoo.arch.heads import decoder
from zoo.arch.layers import at, layer_types, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row


def count_back(c: Config) -> Sequence[str]:
    """Full attention in the last layer and in each fourth before it, a window in the others."""
    return ["sliding_attention" if (c.layers - 1 - layer) % 4 else "full_attention" for layer in range(c.layers)]


def gate(c: Config, p: Place) -> Iterable[Row]:
    """What attention found is gated, element by element; its norms of queries and keys store nothing."""
    return p.linear("gate_proj", c.hidden, c.heads * c.head_dim, "attention")


def count_cells(c: Config) -> int:
    """The grid of learned positions, which is resampled to that of each image."""
    return c.whole("pos_emb_height", least=1) * c.whole("pos_emb_width", least=1)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    below = p.at("patch_embedder")
    pixels = c.whole("patch_temporal", least=1) * 3 * c.whole("patch_size", least=1) ** 2
    yield from below.linear("patch_embedding", pixels, c.hidden, "vision")
    yield below.table("position_embedding_table", c.patches, c.hidden, "vision")


def adapt(c: Config, p: Place) -> Iterable[Row]:
    """Merged patches through two matrices, and a third into the width of the text."""
    inner = c.whole("projector_hidden_size", least=1)
    yield from p.linear("vision_adapter.fc1", c.whole("out_hidden_size", least=1), inner, "projector")
    yield from p.linear("vision_adapter.fc2", inner, inner, "projector")
    yield from p.linear("vision_projection", inner, read_text(c).hidden, "projector")


ATTENTION = Attention(bias="attention_bias", kinds=layer_types(count_back), extra=(gate,))
SEEING = Attention(("q_proj", "k_proj", "v_proj", "proj"), bias=True, cached=False, causal=False)

register(
    decoder(
        *("muse_glimmer_text", "MuseGlimmer", "Muse"),
        at("self_attn", ATTENTION),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        rms("pre_feedforward_layernorm"),
        rms("post_feedforward_layernorm"),
        heads={"MuseGlimmerTextModel": Head()},
        about="The language model inside Muse Glimmer: gated attention, four norms a layer, windows in three of four.",
    ),
    tower(
        *("muse_glimmer_vision", "Muse", embed_patches),
        layer_norm("ln_pre"),
        stack("layers", layer_norm("norm1"), layer_norm("norm2"), at("attn", SEEING), at("mlp", Mlp())),
        layer_norm("ln_post"),
        name="MuseGlimmerVisionModel",
        dims={"context": count_cells, "patches": count_cells},
        about="The tower of Muse Glimmer: 50 layers, most of which attend to windows of the image.",
    ),
    seeing(
        *("muse_glimmer", "Muse", "MuseGlimmer", VISION, TEXT, Projector((adapt,))),
        example="meta-models/Muse-Glimmer-30B",
        about="Gated attention, with a window in three layers of four, behind a vision tower of 50 layers.",
    ),
)
