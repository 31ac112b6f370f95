"""DeepSeek-OCR 2 and Unlimited-OCR: SAM's tower, a second encoder behind it, and DeepSeek-V2's mixture to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, split_heads
from zoo.arch.families.deepseek import MOE_V2, PRE_NORMS
from zoo.arch.families.deepseek_kin import MIXTURE
from zoo.arch.families.llava import TEXT, read_text, refuse_flat
from zoo.arch.families.llava_kin import find_supported, seeing
from zoo.arch.families.sam_eyes import SAM, SAM_DIMS, read_mlp_dim
from zoo.arch.families.vision import ENCODER, VISION_DIMS, Positions, Projector, Tower, class_token
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind, layer_types, named_kinds, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Block, Place, Row

REFERENCE = "reference_sliding_attention"
UNLIMITED_TEXT = "unlimited_ocr_text"


def read_channels(c: Config) -> Sequence[int]:
    """Channels after each of two convolutions; null means 512 and 896. What is listed last is what comes out."""
    listed = c["downsample_channels"]
    if listed is None:
        return (512, 896)
    if not isinstance(listed, list | tuple) or len(listed) != 2:
        raise UnsupportedError(f"{c.model_type}: {c.path}downsample_channels is not a list of two numbers")
    return [check_whole(channels, f"{c.model_type}: {c.path}downsample_channels", 1) for channels in listed]


def downsample(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions with stride 2 after SAM's neck."""
    first, second = read_channels(c)
    yield p.tensor("conv1.weight", (first, c.whole("output_channels", least=1), 3, 3), "vision")
    yield p.tensor("conv2.weight", (second, first, 3, 3), "vision")


def sam(dims: Mapping[str, Dim]) -> Tower:
    return Tower("sam_encoder", (*SAM, at("proj", downsample)), dims, "sam_config")


def read_encoder(c: Config) -> Config:
    """The section of the second encoder."""
    return c.section("vision_config").section("encoder_config", VISION_DIMS)


def read_unlimited(c: Config) -> Config:
    """The text's section, which the first files call ``language_config`` and whose window they keep at the top."""
    if c.get("text_config") is not None:
        return read_text(c)
    older = c.raw.get("language_config")
    if older is not None and not isinstance(older, Mapping):
        raise UnsupportedError(f"{c.model_type}: language_config is not an object")
    window = {key: c.raw[key] for key in ("sliding_window",) if key in c.raw}
    raw = {**(older or {}), **window}
    return Config(raw, UNLIMITED_TEXT, find_architecture(UNLIMITED_TEXT).dims, parent=c, path="language_config.")


def unlimited_text(c: Config, p: Place) -> Iterable[Row]:
    inner = read_unlimited(c)
    return find_supported(inner).body(inner, p.at("language_model"))


def refuse_flat_text(c: Config) -> str | None:
    """Sizes of the text at the top are copies of the older section's, or nothing reads them."""
    return refuse_flat(c) if c.raw.get("language_config") is None else None


def queries(c: Config, p: Place) -> Iterable[Row]:
    """Learned queries that read the image behind its patches: 12 x 12 of them, or 16 x 16 for the larger images."""
    width = c.section("encoder_config", VISION_DIMS).hidden
    yield p.table("query_768_resolution", 144, width, "vision")
    yield p.table("query_1024_resolution", 256, width, "vision")


def project_queries(c: Config, p: Place) -> Iterable[Row]:
    """One matrix, from the width of the second encoder to that of the text."""
    text = read_text(c).hidden
    yield from p.linear("multi_modal_projector", read_encoder(c).hidden, text, "projector", True)
    yield p.tensor("view_separator", (text,), "projector", "vector")


def project_both(c: Config, p: Place) -> Iterable[Row]:
    """One matrix, from what SAM and the second encoder saw side by side to the width of the text."""
    text = read_unlimited(c).hidden
    channels = read_channels(c.section("vision_config").section("sam_config"))[-1]
    yield from p.linear("multi_modal_projector", channels + read_encoder(c).hidden, text, "projector", True)
    yield p.tensor("view_separator", (text,), "projector", "vector")
    yield p.tensor("image_newline", (text,), "projector", "vector")


def reference_kinds(c: Config) -> Sequence[str]:
    return [REFERENCE] * c.layers


def listed_mlps(c: Config) -> Sequence[str]:
    """DeepSeek-OCR 2 has no rule for files that do not list the kinds of its MLPs."""
    return c.words("mlp_layer_types", c.layers)


def dense_before(c: Config) -> Sequence[str]:
    """``first_k_dense_replace`` layers with one MLP, one unless the file says otherwise."""
    said = check_whole(c.get("first_k_dense_replace", 1), f"{c.model_type}: {c.path}first_k_dense_replace")
    dense = min(said, c.layers)
    return ["dense"] * dense + ["sparse"] * (c.layers - dense)


def refuse_latents(c: Config) -> str | None:
    """The keys are those of DeepSeek-V2, the attention is not: a file that asks for latents is none of these."""
    return "use_mla is set" if c.get("use_mla") else None


def refuse_no_window(c: Config) -> str | None:
    return "sliding_window is null" if c["sliding_window"] is None else refuse_latents(c)


def count_experts(c: Config) -> int:
    """``num_experts`` is set last and wins."""
    return c.whole("num_experts" if "num_experts" in c.raw else "n_routed_experts")


TEXT_DIMS: dict[str, Dim] = MIXTURE | {"head_dim": split_heads, "experts": count_experts}


def reader(
    model_type: str,
    prefix: str,
    kinds: Callable[[Config], Sequence[str]],
    *extra: Block,
    dims: dict[str, Dim] | None = None,
    supported: Callable[[Config], str | None] = refuse_latents,
    about: str = "",
) -> Architecture:
    """The text: DeepSeek-V2's mixture behind multi-head attention without latents."""
    return decoder(
        model_type,
        prefix,
        "DeepSeek",
        at("self_attn", Attention(bias="attention_bias"), *extra),
        at("mlp", by_kind(kinds, dense=GatedMlp(bias="mlp_bias"), sparse=MOE_V2)),
        *PRE_NORMS,
        heads={f"{prefix}TextModel": Head()},
        dims=TEXT_DIMS | (dims or {}),
        supported=supported,
        about=about,
    )


#: Qwen2's layers without its vocabulary: patches see each other, the queries after them all that stands before.
QUERY_ENCODER = (
    stack(
        "layers",
        at("self_attn", Attention(bias=True, o_bias=False, cached=False, causal=False)),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
    ),
    rms("norm"),
)
QUERY_DIMS: dict[str, Dim] = {"vocab": lambda c: 0}
#: CLIP's tower without patches of its own: it goes on from SAM's features.
CLIP_ENCODER = (at("embeddings", class_token, Positions(extra=1)), layer_norm("pre_layrnorm"), ENCODER)

register(
    reader(
        *("deepseek_ocr2_text", "DeepseekOcr2", listed_mlps),
        about="DeepSeek-V2's small mixture behind multi-head attention.",
    ),
    reader(
        *(UNLIMITED_TEXT, "UnlimitedOcr", named_kinds(dense_before, "mlp_layer_types")),
        by_kind(layer_types(reference_kinds), reference_sliding_attention=(), full_attention=()),
        dims={"window": lambda c: None},
        supported=refuse_no_window,
        about="All of the prompt is kept, and of what it wrote itself the last 128 tokens.",
    ),
    seeing(
        *("deepseek_ocr2", "DeepSeek", "DeepseekOcr2"),
        Tower(
            "vision_tower",
            (
                sam(SAM_DIMS | {"ffn": read_mlp_dim}),
                Tower("vision_encoder", QUERY_ENCODER, QUERY_DIMS, "encoder_config"),
                queries,
            ),
        ),
        Projector((project_queries,)),
        TEXT,
        example="deepseek-community/DeepSeek-OCR-2",
        about="SAM's patches pass a small Qwen2, whose learned queries become the positions of a page.",
    ),
    seeing(
        *("unlimited_ocr", "DeepSeek", "UnlimitedOcr"),
        Tower("vision_tower", (sam(SAM_DIMS), Tower("vision_encoder", CLIP_ENCODER, VISION_DIMS, "encoder_config"))),
        Projector((project_both,)),
        unlimited_text,
        text=read_unlimited,
        supported=refuse_flat_text,
        example="baidu/Unlimited-OCR",
        about="DeepSeek-OCR's two towers, SAM's and CLIP's, with a window over the text that it writes.",
    ),
)
