"""GOT-OCR 2, PP-Chart2Table and DeepSeek-VL's larger models: SAM's tower, of windows and relative positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.llava import TEXT, read_text, read_vision
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import VISION_DIMS, Patches, Projector, Tower
from zoo.arch.layers import at, by_kind, open_section, stack, vision_section, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, register
from zoo.arch.rows import Block, Place, Row


def count_side(c: Config) -> int:
    """Patches along a side of the image."""
    return divide(c, c.whole("image_size", least=1), c.whole("patch_size", least=1), "patch_size")


def spans(c: Config) -> Sequence[str]:
    """Layers that ``global_attn_indexes`` lists see the whole image, the others windows of it."""
    listed = c["global_attn_indexes"]
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}global_attn_indexes is not a list of layers")
    everywhere = {check_whole(layer, f"{c.model_type}: {c.path}global_attn_indexes") for layer in listed}
    return ["image" if layer in everywhere else "window" for layer in range(c.layers)]


@dataclass(frozen=True)
class RelativePositions:
    """Learned vectors for each distance along height and width, within the image or a window."""

    windowed: bool

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        window = c.whole("window_size") if self.windowed else 0
        shape = (2 * (window or count_side(c)) - 1, c.head_dim)
        yield p.tensor("rel_pos_h", shape, "vision", "lookup")
        yield p.tensor("rel_pos_w", shape, "vision", "lookup")


def absolute_positions(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("pos_embed", (1, count_side(c), count_side(c), c.hidden), "vision", "lookup")


def narrow(c: Config, p: Place) -> Iterable[Row]:
    """SAM's neck: two convolutions to fewer channels, a norm after each."""
    output = c.whole("output_channels", least=1)
    yield p.tensor("conv1.weight", (output, c.hidden, 1, 1), "vision")
    yield from layer_norm("layer_norm1", lambda c: output)(c, p)
    yield p.tensor("conv2.weight", (output, output, 3, 3), "vision")
    yield from layer_norm("layer_norm2", lambda c: output)(c, p)


ATTENTION = FusedAttention(("qkv", "proj"), bias="qkv_bias", o_bias=True, cached=False, causal=False)
SAM: tuple[Block, ...] = (
    when("use_abs_pos", absolute_positions),
    Patches("patch_embed.projection", bias=True),
    stack(
        "layers",
        layer_norm("layer_norm1"),
        at(
            "attn",
            ATTENTION,
            when("use_rel_pos", by_kind(spans, image=RelativePositions(False), window=RelativePositions(True))),
        ),
        layer_norm("layer_norm2"),
        at("mlp", Mlp(("lin1", "lin2"))),
    ),
    at("neck", narrow),
)
SAM_DIMS: dict[str, Dim] = {**VISION_DIMS, **MULTI_HEAD, "ffn": "mlp_dim"}


def upsample(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions with stride 2, and a matrix in the width of the text."""
    channels = c.section("vision_config", SAM_DIMS).whole("output_channels", least=1)
    text = read_text(c).hidden
    yield p.tensor("conv_upsampler1.weight", (2 * channels, channels, 3, 3), "projector")
    yield p.tensor("conv_upsampler2.weight", (text, 2 * channels, 3, 3), "projector")
    yield from p.linear("multimodal_projector", text, text, "projector", True)


def read_mlp_dim(c: Config) -> int:
    """``mlp_dim``, else the hidden size times ``mlp_ratio``, rounded down."""
    said = c.maybe("mlp_dim", least=1)
    if said is not None:
        return said
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(c.hidden * ratio)


def read_high(c: Config) -> Config:
    return open_section(c, "high_res_vision_config")


def see_twice(c: Config, p: Place) -> Iterable[Row]:
    """DeepSeek-VL's larger models see an image in two resolutions; the higher one's features are mixed in."""
    high = read_high(c)
    yield p.tensor("high_res_vision_alpha", (1,), "projector", "vector")
    yield from narrow(high, p.at("high_res_vision_neck"))
    channels = high.whole("output_channels", least=1)
    below = p.at("high_res_vision_proj")
    yield below.tensor("conv1.weight", (2 * channels, channels, 3, 3), "projector")
    yield below.tensor("conv2.weight", (4 * channels, 2 * channels, 3, 3), "projector")
    text, below = read_text(c).hidden, p.at("aligner")
    yield from below.linear("vision_proj", read_vision(c).hidden, text // 2, "projector", True)
    yield from below.linear("high_res_vision_proj", 4 * channels, text // 2, "projector", True)
    yield from below.linear("proj", text, text, "projector", True)


def got(model_type: str, example: str, about: str) -> Architecture:
    return seeing(
        *(model_type, "GOT", "GotOcr2", Tower("vision_tower", SAM, dims=SAM_DIMS)),
        at("multi_modal_projector", Projector((upsample,))),
        TEXT,
        example=example,
        about=about,
    )


register(
    got("got_ocr2", "stepfun-ai/GOT-OCR-2.0-hf", "A small Qwen2 behind SAM's tower, to read pages."),
    got("pp_chart2table", "PaddlePaddle/PP-Chart2Table_safetensors", "GOT-OCR 2's parts, to read charts."),
    tower(
        "sam_vision_model",
        "SAM",
        at("vision_encoder", *SAM),
        name="SamVisionModel",
        dims={**SAM_DIMS, "ffn": read_mlp_dim},
        about="The tower of Segment Anything: windows, with a few layers that see the whole image.",
    ),
    seeing(
        *("deepseek_vl_hybrid", "DeepSeek", "DeepseekVLHybrid", Projector((see_twice,))),
        vision_section("high_res_vision_config", "high_res_vision_model"),
        vision_section(name="vision_model"),
        TEXT,
        example="deepseek-community/deepseek-vl-7b-chat",
        about="DeepSeek's first text model behind two towers, SigLIP and SAM, for two resolutions.",
    ),
)
