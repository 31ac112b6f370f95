"""Idefics2, Idefics3 and SmolVLM: a SigLIP tower, fewer positions, and a text model under the name ``text_model``."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim
from zoo.arch.families.llava import read_text, read_vision
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import BARE
from zoo.arch.families.vision import VISION_DIMS, Projector, Tower
from zoo.arch.layers import at, stack, text_section, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_tower(c: Config) -> Config:
    """Idefics2's tower, which has no class of its own."""
    return c.section("vision_config", VISION_DIMS)


def project_gated(c: Config, p: Place) -> Iterable[Row]:
    """Idefics2 carries patches into the text's width through a gated MLP of the text's inner width."""
    vision, text = read_tower(c).hidden, read_text(c)
    for name in ("gate_proj", "up_proj"):
        yield from p.linear(f"modality_projection.{name}", vision, text.ffn, "projector")
    yield from p.linear("modality_projection.down_proj", text.ffn, text.hidden, "projector")


#: The resampler is as wide as the text, whatever its own section says.
PERCEIVER: dict[str, Dim] = {
    "hidden": lambda c: read_text(c.parent).hidden if c.parent else c.whole("hidden_size", least=1),
    "layers": "resampler_depth",
    "heads": lambda c: c.whole("resampler_n_heads", least=1),
    "kv_heads": lambda c: c.whole("num_key_value_heads", least=1),
    "head_dim": lambda c: c.whole("resampler_head_dim", least=1),
    "ffn": lambda c: 4 * c.hidden,
}
RESAMPLER_LAYER = stack(
    "layers",
    rms("input_latents_norm"),
    rms("input_context_norm"),
    at("self_attn", Attention(cached=False, causal=False)),
    rms("post_attention_layernorm"),
    at("mlp", GatedMlp()),
)


def resample(c: Config, p: Place) -> Iterable[Row]:
    """A perceiver: 64 learned latents attend to the patches and stand for the image (arXiv:2405.02246, section 2)."""
    inner = c.section("perceiver_config", PERCEIVER)
    below = p.at("perceiver_resampler")
    yield below.tensor("latents", (inner.whole("resampler_n_latents"), inner.hidden), "projector", "lookup")
    yield from RESAMPLER_LAYER(inner, below)
    yield from rms("norm")(inner, below)


def shuffle_pixels(c: Config, p: Place) -> Iterable[Row]:
    """``scale_factor`` x ``scale_factor`` neighbouring patches side by side, through one matrix."""
    merged = read_vision(c).hidden * c.whole("scale_factor", least=1) ** 2
    yield from p.linear("modality_projection.proj", merged, read_text(c).hidden, "projector")


TEXT = text_section(name="text_model")
SHUFFLE = at("connector", Projector((shuffle_pixels,)))
EMBEDDING = "text_model.embed_tokens.weight"

register(
    seeing(
        *("idefics2", "Idefics", "Idefics2"),
        Tower("vision_model", BARE, dims=VISION_DIMS),
        at("connector", Projector((project_gated, resample))),
        TEXT,
        embedding=EMBEDDING,
        example="HuggingFaceM4/idefics2-8b",
        about="Mistral behind a SigLIP tower, of which a perceiver makes 64 positions for each image.",
    ),
    seeing(
        *("idefics3", "Idefics", "Idefics3", vision_section(name="vision_model"), SHUFFLE, TEXT),
        embedding=EMBEDDING,
        example="HuggingFaceM4/Idefics3-8B-Llama3",
        about="Llama behind a SigLIP tower; neighbouring patches are put side by side and pass one matrix.",
    ),
    seeing(
        *("smolvlm", "SmolLM", "SmolVLM", vision_section(name="vision_model"), SHUFFLE, TEXT),
        embedding=EMBEDDING,
        example="HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        about="Idefics3 made small, with SmolLM2 for text, for images and video.",
    ),
)
