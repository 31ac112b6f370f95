"""PP-FormulaNet: mBART's decoder writes the formula that SAM's tower sees."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, Dim
from zoo.arch.families.audio import is_never_tied
from zoo.arch.families.bart import BART_DIMS, POSITIONS, PROJECTIONS
from zoo.arch.families.sam_eyes import SAM, SAM_DIMS, count_side
from zoo.arch.families.vision import Tower
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def count_positions(c: Config) -> int:
    """Positions of an image: its patches after two convolutions with stride 2."""
    side = count_side(c.section("vision_config", SAM_DIMS))
    for _ in range(2):
        side = (side + 1) // 2
    return side**2


TEXT_DIMS: dict[str, Dim] = {
    **BART_DIMS,
    "sources": lambda c: count_positions(c.parent) if c.parent else 0,
}


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def project(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions with stride 2 and two matrices, to the width of the decoder."""
    inputs, middle = c.whole("post_conv_in_channels", least=1), c.whole("post_conv_mid_channels", least=1)
    channels = c.whole("post_conv_out_channels", least=1)
    below = p.at("multi_modal_projector")._replace(part="projector")
    yield below.tensor("conv1.weight", (middle, inputs, 3, 3), "projector")
    yield below.tensor("conv2.weight", (channels, middle, 3, 3), "projector")
    yield from below.linear("linear_1", channels, channels, "projector", True)
    yield from below.linear("linear_2", channels, c.whole("decoder_hidden_size", least=1), "projector", True)


DECODER = at(
    "decoder",
    Embedding(),
    POSITIONS,
    stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True)),
        layer_norm("self_attn_layer_norm"),
        at("encoder_attn", CrossAttention(PROJECTIONS, bias=True, source="sources")),
        layer_norm("encoder_attn_layer_norm"),
        Mlp(),
        layer_norm("final_layer_norm"),
    ),
    layer_norm("layernorm_embedding"),
    layer_norm("layer_norm"),
)


def write(c: Config, p: Place) -> Iterable[Row]:
    return DECODER(read_text(c), p)


register(
    Architecture(
        "pp_formulanet",
        "Paddle",
        At("", (Tower("encoder", (*SAM, project), SAM_DIMS), write)),
        heads={
            "PPFormulaNetModel": Head(),
            "PPFormulaNetForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=is_never_tied),)),
        },
        natural="PPFormulaNetForConditionalGeneration",
        norm="layernorm",
        position="learned",
        text=read_text,
        embedding="decoder.embed_tokens.weight",
        example="PaddlePaddle/PP-FormulaNet_plus-L_safetensors",
        about="SAM's tower sees a formula at once, 64 positions of it, and mBART's decoder spells it out.",
    ),
)
