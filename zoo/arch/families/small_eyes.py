"""Granite for documents, Cosmos 3 and LFM3-VL: text models of their own kind behind towers of their own kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, read_kv_heads
from zoo.arch.families.llama import LLAMA, PRE_NORMS
from zoo.arch.families.llava import TEXT, VISION, read_text, read_vision
from zoo.arch.families.llava_kin import find_supported, seeing
from zoo.arch.families.more_eyes import rename_section
from zoo.arch.families.towers import BARE, embed_naflex, tower
from zoo.arch.families.vision import ENCODER, PROJECTIONS, Projector
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind, open_section, stack, text_section, vision_section
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

DEEP_LAYERS = 3  # of the tower, that also feed the text, where the file does not list them


def count_deep(c: Config) -> int:
    listed = c["deepstack_visual_indexes"]
    if listed is None:
        return DEEP_LAYERS
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}deepstack_visual_indexes is not a list of layers")
    return len(listed)


def merge_route(c: Config, p: Place, scale: int) -> Iterable[Row]:
    """``scale`` x ``scale`` patches become one position, in what comes out of the tower and of layers below."""
    merged, output = c.hidden * scale**2, c.whole("out_hidden_size", least=1)
    yield from p.linear("projection", merged, output, "projector")
    for deep in range(count_deep(c)):
        below = p.at(f"deepstack_mergers.{deep}")
        yield from below.vector("layer_norm", merged, "projector", True)
        yield from below.linear("linear_1", merged, output, "projector", True)
        yield from below.linear("linear_2", output, output, "projector", True)


def connect(c: Config, p: Place) -> Iterable[Row]:
    """A coarse and a fine route from patches to positions."""
    scale, output = c.whole("scale_factor", least=1), c.whole("out_hidden_size", least=1)
    yield from p.vector("ln_in", c.hidden, "projector", True)
    yield from merge_route(c, p.at("coarse"), scale)
    if c.flag("use_fine_route"):
        if scale < 2:
            raise UnsupportedError(f"{c.model_type}: scale_factor {scale} leaves nothing for the fine route")
        yield from merge_route(c, p.at("fine"), scale // 2)
    yield from p.vector("ln_mid", output, "projector", True)
    yield from p.linear("mlp_fc2", output, output, "projector")
    yield from p.vector("ln_out", output, "projector", True)


def density_router(c: Config, p: Place) -> Iterable[Row]:
    """How dense a page is, which decides between the routes; only some models have it."""
    inner = c.maybe("density_router_hidden_size", least=1)
    if inner is not None:
        vision, below = read_vision(c).hidden, p.at("density_router")
        yield from below.linear("att", vision, 1, "projector", True)
        yield from below.vector("norm", vision, "projector", True)
        yield from below.linear("fc1", vision, inner, "projector", True)
        yield from below.linear("fc2", inner, 1, "projector", True)


def merge_edge(c: Config, p: Place) -> Iterable[Row]:
    """Cosmos 3 Edge: a norm over each patch, then neighbours side by side through two biased matrices."""
    vision = read_vision(c)
    merged, inner = vision.hidden * vision.whole("spatial_merge_size", least=1) ** 2, c.whole("projector_hidden_size")
    yield from p.vector("norm", vision.hidden, "projector", True)
    yield from p.linear("linear_fc1", merged, inner, "projector", True)
    yield from p.linear("linear_fc2", inner, read_text(c).hidden, "projector", True)


def rename_omni(c: Config) -> Config:
    """Cosmos 3's tower is Qwen3-VL's, whatever its section is called."""
    section = c.raw.get("vision_config")
    said = section.get("model_type") if isinstance(section, dict) else None
    return rename_section(c, "vision_config", {said: "qwen3_vl_vision"}) if isinstance(said, str) else c


def see_omni(c: Config, p: Place) -> Iterable[Row]:
    inner = open_section(rename_omni(c), "vision_config")
    return find_supported(inner).body(inner, p.at("visual")._replace(part="vision", stack="vision"))


def lfm_kinds(c: Config) -> Sequence[str]:
    """Convolutions in the first two layers and in every other one; any word but "conv" means attention."""
    if c["layer_types"] is None:
        return ["conv" if layer < 2 or layer % 2 else "full_attention" for layer in range(c.layers)]
    return ["conv" if word == "conv" else "full_attention" for word in c.words("layer_types", c.layers)]


def embed_frames(c: Config, p: Place) -> Iterable[Row]:
    pixels = c.whole("in_channels", least=1) * c.whole("temporal_patch_size", least=1) * c.whole("patch_size") ** 2
    yield from p.linear("patch_embed", pixels, c.hidden, "vision")
    yield from p.vector("embedding_norm", c.hidden, "vision")


def spatial_convolution(c: Config, p: Place) -> Iterable[Row]:
    """LFM's short convolution over height and width."""
    kernel = c.whole("conv_kernel_size", least=1)
    yield from p.linear("in_proj", c.hidden, 3 * c.hidden, "vision")
    yield p.tensor("spatial_conv.weight", (c.hidden, 1, kernel, kernel), "vision")
    yield from p.linear("out_proj", c.hidden, c.hidden, "vision")


def project_lfm(c: Config, p: Place) -> Iterable[Row]:
    """A norm over each patch, then neighbours side by side through two matrices."""
    vision, inner = read_vision(c), c.whole("projector_hidden_size", least=1)
    bias = c.flag("projector_bias")
    yield from p.vector("layer_norm", vision.hidden, "projector", True)
    merged = vision.hidden * vision.whole("spatial_merge_size", least=1) ** 2
    yield from p.linear("linear_1", merged, inner, "projector", bias)
    yield from p.linear("linear_2", inner, read_text(c).hidden, "projector", bias)


LFM_ATTENTION = Attention(PROJECTIONS, cached=False, causal=False, extra=QK_NORM)
LFM_MIXER = by_kind(lfm_kinds, conv=at("conv", spatial_convolution), full_attention=at("self_attn", LFM_ATTENTION))
LFM_DIMS: dict[str, Dim] = {"kv_heads": read_kv_heads, "context": lambda c: None, "patches": lambda c: 0}
NAFLEX: dict[str, Dim] = {"context": "num_patches", "patches": "num_patches"}

register(
    tower(
        *("granite_docling_vision", "Granite"),
        *BARE,
        at("connector", Projector((connect,))),
        name="GraniteDoclingVisionModel",
        about="A SigLIP tower with a coarse and a fine route from patches to positions.",
    ),
    decoder(
        *("granite_docling_text", "GraniteDocling", "Granite"),
        *LLAMA,
        heads={"GraniteDoclingTextModel": Head()},
        about="The language model inside Granite for documents: Granite's layers.",
    ),
    seeing(
        *("granite_docling", "Granite", "GraniteDocling"),
        vision_section(name="vision_model"),
        text_section(name="text_model"),
        Projector((density_router,)),
        embedding="text_model.embed_tokens.weight",
        example="ibm-granite/granite-for-docling-500m",
        about="A small Granite behind a SigLIP tower with two routes, for dense and for sparse pages.",
    ),
    decoder(
        *("cosmos3_edge_text", "Cosmos3Edge", "Cosmos"),
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Mlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads={"Cosmos3EdgeTextModel": Head()},
        about="The language model inside Cosmos 3 Edge: grouped queries and a plain MLP with squared ReLU.",
    ),
    tower(
        "cosmos3_edge_vision",
        "Cosmos",
        embed_naflex,
        ENCODER,
        layer_norm("post_layernorm"),
        name="Cosmos3EdgeVisionModel",
        dims=NAFLEX,
        about="The tower of Cosmos 3 Edge: SigLIP 2 without its pooling head.",
    ),
    seeing(
        *("cosmos3_edge", "Cosmos", "Cosmos3Edge", vision_section(name="visual"), TEXT),
        at("projector", Projector((merge_edge,))),
        tie=lambda c: False,  # the class has no tie, whatever the file says
        example="nvidia/Cosmos3-Edge",
        about="A small decoder with plain MLPs behind SigLIP 2.",
    ),
    seeing(
        *("cosmos3_omni", "Cosmos", "Cosmos3Omni", see_omni, TEXT),
        example="nvidia/Cosmos3-Omni",
        about="Qwen3-VL's parts.",
    ),
    tower(
        "lfm3_vl_vision",
        "LFM",
        embed_frames,
        stack(
            "layers",
            LFM_MIXER,
            at("feed_forward", GatedMlp(("w1", "w3", "w2"))),
            rms("operator_norm"),
            rms("ffn_norm"),
        ),
        name="Lfm3VlVisionModel",
        dims=LFM_DIMS,
        norm="rmsnorm",
        position="rope",
        about="The tower of LFM3-VL: short convolutions over the image, and grouped queries in some layers.",
    ),
    seeing(
        *("lfm3_vl", "LFM", "Lfm3Vl", TEXT, VISION, at("multi_modal_projector", Projector((project_lfm,)))),
        example="LiquidAI/LFM3-VL-2B",
        about="LFM3 behind a tower of convolutions and attention.",
    ),
)
