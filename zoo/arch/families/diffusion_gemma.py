"""DiffusionGemma: Gemma 4's layers twice, as an encoder of the prompt and a decoder of blocks of text, shared."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.gemma4 import EXPERTS_BESIDE, text_model
from zoo.arch.families.gemma4_towers import read_text, sense_projection
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, text_section, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, State

ENCODER = text_section(name="encoder.language_model")


def encode(c: Config, p: Place) -> Iterable[Row]:
    """The same language model reading the prompt: its weights are the decoder's unless ``tie_word_embeddings`` is off.

    Biases and the scalars of layers are its own in any case. What it keeps is what the decoder reads: it counts there.
    """
    for row in ENCODER(c, p._replace(stack="encoder")):
        if isinstance(row, State):
            yield row._replace(per_token=0, materialized=0)
        elif c.tied and row.role == "param" and not row.is_bias:
            yield row._replace(tied_to=row.name.replace("encoder.language_model.", "decoder.", 1))
        else:
            yield row


def decode(c: Config, p: Place) -> Iterable[Row]:
    """The language model over a block of text, every token of which sees all others, and all of the prompt."""
    for row in text_section(name="")(c, p):
        yield row._replace(causal=False) if isinstance(row, State) else row


def condition(c: Config, p: Place) -> Iterable[Row]:
    """What the last step said of the block, through an MLP of its own."""
    text, below = read_text(c), p.at("self_conditioning")
    yield from rms("pre_norm")(text, below)
    yield from GatedMlp()(text, below)


ENCODER_ALONE = At(
    "",
    (
        text_section(),
        vision_section(),
        sense_projection("vision_config", "embed_vision", "vision"),
    ),
)


register(
    text_model(
        "diffusion_gemma_text",
        {"DiffusionGemmaEncoderTextModel": Head()},
        *EXPERTS_BESIDE,
        about="The language model inside DiffusionGemma: Gemma 4's layers with experts.",
        kept=lambda c: c.layers,
        k_eq_v=lambda c: True,
        global_kv=lambda c: True,
        experts=lambda c: c.whole("num_experts", least=1),
        experts_per_token=lambda c: c.whole("top_k_experts", least=1),
        expert_ffn=lambda c: c.whole("moe_intermediate_size", least=1),
    ),
    Architecture(
        "diffusion_gemma",
        "Gemma",
        At(
            "",
            (
                encode,
                at("encoder", vision_section()),
                sense_projection("vision_config", "encoder.embed_vision", "vision"),
                at("decoder", decode, condition),
            ),
        ),
        heads={
            "DiffusionGemmaModel": Head(),
            "DiffusionGemmaEncoderModel": Head(body=ENCODER_ALONE),
            "DiffusionGemmaDecoderModel": Head(body=At("", (decode, condition))),
            "DiffusionGemmaForBlockDiffusion": Head("model.", (LmHead(inner=read_text),)),
        },
        natural="DiffusionGemmaForBlockDiffusion",
        text=read_text,
        embedding="decoder.embed_tokens.weight",
        example="google/diffusiongemma-26B-A4B-it",
        about="Writes blocks of 256 tokens by denoising them together; encoder and decoder are the same layers.",
    ),
)
