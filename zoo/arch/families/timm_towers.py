"""Vision towers that a config names as the library timm does: the Perception Encoder, and FastViTHD of FastVLM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.arch.attention import FusedAttention
from zoo.arch.config import Config, Dim, TypeSpec, UnsupportedError, split_heads
from zoo.arch.families.image_codes import batch_norm, convolve, repeat
from zoo.arch.families.towers import read_pair
from zoo.arch.families.vision import Vision
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

FASTVIT = "fastvit_mci3"
#: Stages of FastViTHD: width and blocks (arXiv:2412.13303, section 3.2); the last two attend.
STAGES = ((96, 2), (192, 12), (384, 24), (768, 4), (1536, 2))
ATTENDING = 2
FASTVIT_HEAD = 32
FASTVIT_RATIO = 4


def size(embed_dim: int, depth: int, num_heads: int, ratio: float = 4.0, *, class_token: bool = True) -> dict[str, Any]:
    keys = {"embed_dim": embed_dim, "depth": depth, "num_heads": num_heads, "mlp_ratio": ratio}
    return {**keys, "class_token": class_token, "in_chans": 3, "global_pool": "avg"}


TINY, SMALL, BASE = size(192, 12, 3), size(384, 12, 6), size(768, 12, 12)
LARGE, GIGANTIC = size(1024, 24, 16), size(1536, 50, 16, 8960 / 1536, class_token=False)
CORE: dict[str, Any] = {"global_pool": "map", "attn_pool_num_heads": 8, "attn_pool_mlp_ratio": 4.0}
#: Without the norm at the end, for what reads the features of a layer before the last.
BARE: dict[str, Any] = {"use_post_transformer_norm": False, "use_fc_norm": False}
LANG: dict[str, Any] = {**BARE, "init_values": 0.1}

#: The sizes of the Perception Encoder (arXiv:2504.13181, table 2), under the names of the arguments that change them.
ENCODERS: dict[str, dict[str, Any]] = {
    "vit_pe_core_tiny_patch16_384": {**TINY, **CORE, "patch_size": 16, "img_size": 384},
    "vit_pe_core_small_patch16_384": {**SMALL, **CORE, "patch_size": 16, "img_size": 384},
    "vit_pe_core_base_patch16_224": {**BASE, **CORE, "patch_size": 16, "img_size": 224},
    "vit_pe_core_large_patch14_336": {**LARGE, **CORE, "patch_size": 14, "img_size": 336},
    "vit_pe_core_gigantic_patch14_448": {**GIGANTIC, **CORE, "patch_size": 14, "img_size": 448},
    "vit_pe_lang_large_patch14_448": {**LARGE, **LANG, "depth": 23, "patch_size": 14, "img_size": 448},
    "vit_pe_lang_gigantic_patch14_448": {**GIGANTIC, **LANG, "depth": 47, "patch_size": 14, "img_size": 448},
    "vit_pe_spatial_tiny_patch16_512": {**TINY, **BARE, "patch_size": 16, "img_size": 512},
    "vit_pe_spatial_small_patch16_512": {**SMALL, **BARE, "patch_size": 16, "img_size": 512},
    "vit_pe_spatial_base_patch16_512": {**BASE, **BARE, "patch_size": 16, "img_size": 512},
    "vit_pe_spatial_large_patch14_448": {**LARGE, **BARE, "patch_size": 14, "img_size": 448},
    "vit_pe_spatial_gigantic_patch14_448": {**GIGANTIC, **LANG, "patch_size": 14, "img_size": 448},
}
FOLLOWED = {key for encoder in ENCODERS.values() for key in encoder}
#: Arguments that change how it runs, and no tensor.
HARMLESS = {"ref_feat_shape", "rope_grid_offset", "rope_grid_indexing", "rope_temperature", "drop_path_rate"}


def read_ratio(c: Config, key: str, width: int) -> int:
    """``key`` times the width, rounded down."""
    ratio = c[key]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1 << 16:
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is {ratio!r:.40}, not a number above 0")
    return int(width * ratio)


def count_places(c: Config) -> int:
    (height, width), (tall, wide) = read_pair(c, "img_size"), read_pair(c, "patch_size")
    return (height // tall) * (width // wide)


NO_TEXT: dict[str, Dim] = {"vocab": lambda c: 0, "window": lambda c: None, "tied": lambda c: False}
ENCODER_DIMS: dict[str, Dim] = {
    **NO_TEXT,
    "hidden": lambda c: c.whole("embed_dim", least=1),
    "layers": "depth",
    "heads": lambda c: c.whole("num_heads", least=1),
    "kv_heads": lambda c: c.heads,
    "head_dim": split_heads,
    "ffn": lambda c: read_ratio(c, "mlp_ratio", c.hidden),
    "context": count_places,
}
FASTVIT_DIMS: dict[str, Dim] = {
    **NO_TEXT,
    "hidden": lambda c: 2 * STAGES[-1][0],  # the last convolution doubles the width
    "layers": lambda c: sum(blocks for _, blocks in STAGES),
    "heads": lambda c: STAGES[-1][0] // FASTVIT_HEAD,
    "kv_heads": lambda c: c.heads,
    "head_dim": lambda c: FASTVIT_HEAD,
    "ffn": lambda c: FASTVIT_RATIO * STAGES[-1][0],
    "context": lambda c: None,
}


def read_arguments(c: Config) -> Mapping[str, Any]:
    """What ``model_args`` changes in the network that is named; null changes nothing."""
    given = c["model_args"]
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UnsupportedError(f"{c.model_type}: {c.path}model_args is not an object")
    return {key: value for key, value in given.items() if value is not None}


def open_network(c: Config) -> Config:
    """The arguments of the network as a config of its own, with what its name stands for as defaults."""
    name, given = c["architecture"], read_arguments(c)
    if isinstance(name, str) and name in ENCODERS:
        allowed, defaults, dims = FOLLOWED | HARMLESS, ENCODERS[name], ENCODER_DIMS
    elif name == FASTVIT:
        allowed, defaults, dims = {"inference_mode"}, {}, FASTVIT_DIMS
        if given.get("inference_mode") is not True:
            raise UnsupportedError(
                f"{c.model_type}: {c.path}model_args.inference_mode is not true, which is not followed"
            )
    else:
        raise UnsupportedError(f"{c.model_type}: {c.path}architecture {name!r:.60} is not known")
    if strange := next((key for key in given if key not in allowed), None):
        raise UnsupportedError(f"{c.model_type}: {c.path}model_args.{strange:.40} is not followed")
    return Config(given, c.model_type, dims, parent=c, path=f"{c.path}model_args.", spec=TypeSpec(defaults, {}, {}))


def read_pool(c: Config) -> str:
    pool = c["global_pool"]
    if pool not in ("", "avg", "avgmax", "max", "token", "map"):
        raise UnsupportedError(f"{c.model_type}: {c.path}global_pool {pool!r:.40} is not known")
    if pool == "token" and not c.flag("class_token"):
        raise UnsupportedError(f"{c.model_type}: {c.path}global_pool is 'token', and there is no class_token")
    return str(pool)


def norms_pooled(c: Config) -> bool:
    """Whether the norm comes after pooling: where the file says so, else where positions are averaged."""
    return read_pool(c) == "avg" if c.get("use_fc_norm") is None else c.flag("use_fc_norm")


def norms_last(c: Config) -> bool:
    """Whether the last layer is followed by a norm: where the file says so, else unless pooling is."""
    key = "use_post_transformer_norm"
    return not norms_pooled(c) if c.get(key) is None else c.flag(key)


def scales(c: Config) -> bool:
    """Whether there is a gain on every residual: where ``init_values`` says what it starts from."""
    start = c.get("init_values")
    if isinstance(start, bool) or not isinstance(start, int | float | None):
        raise UnsupportedError(f"{c.model_type}: {c.path}init_values is {start!r:.40}, not a number")
    return start is not None


def embed(c: Config, p: Place) -> Iterable[Row]:
    """Patches, a position for each of them, and for the class token where there is one."""
    token = c.flag("class_token")
    if token:
        yield p.tensor("cls_token", (1, 1, c.hidden), "vision", "vector")
    yield p.tensor("pos_embed", (1, count_places(c) + token, c.hidden), "vision", "lookup")
    shape = (c.hidden, c.whole("in_chans", least=1), *read_pair(c, "patch_size"))
    yield p.tensor("patch_embed.proj.weight", shape, "vision")


def gain(number: int) -> At:
    def rows(c: Config, p: Place) -> Iterable[Row]:
        yield p.tensor(f"gamma_{number}", (c.hidden,), "vision", "vector")

    return at("", when(scales, rows))


def pool(c: Config, p: Place) -> Iterable[Row]:
    """One learned query attends to all positions; a residual MLP after it."""
    key = "attn_pool_num_heads"
    divided = c.whole(key, least=1) if key in c.spec.defaults or key in c.raw else c.heads
    if c.hidden % divided:
        raise UnsupportedError(f"{c.model_type}: {c.path}embed_dim is not a multiple of the {divided} heads that pool")
    ratio = "attn_pool_mlp_ratio"
    width = read_ratio(c, ratio if ratio in c.spec.defaults or ratio in c.raw else "mlp_ratio", c.hidden)
    yield p.tensor("latent", (1, 1, c.hidden), "vision", "vector")
    yield from p.linear("q", c.hidden, c.hidden, "vision", True)
    yield from p.linear("kv", c.hidden, 2 * c.hidden, "vision", True)
    yield from p.linear("proj", c.hidden, c.hidden, "vision", True)
    yield from p.vector("norm", c.hidden, "vision", True)
    yield from p.linear("mlp.fc1", c.hidden, width, "vision", True)
    yield from p.linear("mlp.fc2", width, c.hidden, "vision", True)


ENCODER = At(
    "",
    (
        embed,
        layer_norm("norm_pre"),
        stack(
            "blocks",
            gain(1),
            layer_norm("norm1"),
            at("attn", FusedAttention(("qkv", "proj"), bias=True, cached=False, causal=False)),
            layer_norm("norm2"),
            at("mlp", Mlp()),
            gain(2),
        ),
        when(norms_last, layer_norm("norm")),
        when(lambda c: read_pool(c) == "map", at("attn_pool", pool)),
        when(norms_pooled, layer_norm("fc_norm")),
    ),
)


def mix_channels(p: Place, width: int) -> Iterable[Row]:
    """The MLP of FastViT: a convolution of each channel and its norm, up and down over single pixels."""
    yield p.tensor("conv.conv.weight", (width, 1, 7, 7), "vision")
    yield from batch_norm(p, "conv.bn", width)
    yield from convolve(p, "fc1", width, FASTVIT_RATIO * width, 1, 1)
    yield from convolve(p, "fc2", FASTVIT_RATIO * width, width, 1, 1)


def mix_positions(p: Place, width: int) -> Iterable[Row]:
    yield from p.vector("norm", width, "vision", True)
    yield from p.linear("token_mixer.qkv", width, 3 * width, "vision")
    yield from p.linear("token_mixer.proj", width, width, "vision", True)
    yield p.state("full", flops_per_pos=4 * width, decode_flops_per_pos=4 * width, causal=False)


def fastvit(c: Config, p: Place) -> Iterable[Row]:
    """FastViTHD with its branches folded into one convolution each, as it is for inference."""
    first, widest = STAGES[0][0], STAGES[-1][0]
    for number, (inputs, kernel) in enumerate(((3, 3), (1, 3), (first, 1))):
        yield from convolve(p, f"stem.{number}.reparam_conv", inputs, first, kernel, kernel)
    for number, (width, blocks) in enumerate(STAGES):
        place, attends = p.at(f"stages.{number}"), number >= len(STAGES) - ATTENDING
        if number:
            yield from convolve(place, "downsample.proj.0.reparam_conv", 1, width, 7, 7)
            yield from convolve(place, "downsample.proj.1.reparam_conv", width, width, 1, 1)
        below = repeat(place, "blocks", range(blocks))
        if attends:
            yield from convolve(place, "pos_emb.reparam_conv", 1, width, 7, 7)
            yield from mix_positions(below, width)
        else:
            yield from convolve(below, "token_mixer.reparam_conv", 1, width, 3, 3)
        yield from mix_channels(below.at("mlp"), width)
        for name in ("layer_scale_1", "layer_scale_2") if attends else ("layer_scale",):
            yield below.tensor(f"{name}.gamma", (width, 1, 1), "vision", "vector")
    squeezed = 2 * widest // 16
    yield from convolve(p, "final_conv.se.fc1", 2 * widest, squeezed, 1, 1)
    yield from convolve(p, "final_conv.se.fc2", squeezed, 2 * widest, 1, 1)
    yield from convolve(p, "final_conv.reparam_conv", 1, 2 * widest, 3, 3)


def see(c: Config, p: Place) -> Iterable[Row]:
    network = open_network(c)
    yield from (fastvit if c["architecture"] == FASTVIT else ENCODER)(network, p.at("timm_model"))


def classify(c: Config, p: Place) -> Iterable[Row]:
    """One output for each of ``num_classes``."""
    labels, named = c.whole("num_classes", least=1), c.get("label_names")
    if isinstance(named, list | tuple) and len(named) != labels:
        raise UnsupportedError(f"{c.model_type}: label_names has {len(named)} names for {labels} classes")
    name = "timm_model.head.fc" if c["architecture"] == FASTVIT else "timm_model.head"
    yield from p.linear(name, open_network(c).hidden, labels, "head", True)


def network_dim(name: str) -> Dim:
    return lambda c: open_network(c).dim(name)


def read_width(c: Config) -> int:
    """What stands behind the tower goes by ``hidden_size`` where a file says it, whatever the network has."""
    return c.whole("hidden_size", least=1) if "hidden_size" in c else int(open_network(c).hidden)


register(
    Architecture(
        "timm_wrapper",
        "timm",
        Vision((see,)),
        heads={"TimmWrapperModel": Head(), "TimmWrapperForImageClassification": Head("", (classify,))},
        natural="TimmWrapperModel",
        dims={**{name: network_dim(name) for name in ENCODER_DIMS}, "hidden": read_width},
        norm="layernorm",
        position="learned",
        about="A network of the library timm, by name: the Perception Encoder, or FastViTHD as it is for inference.",
    ),
)
