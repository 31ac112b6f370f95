"""Models that see whose code is in their own repositories: InternVL, MiniCPM-V (2.5 to 4.5), Phi-3-vision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.arch.attention import FusedAttention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.remote_dense import refuse_unproven
from zoo.arch.families.vision import CLIP_VISION, ENCODER, VISION_DIMS, Patches, Positions, Projector, Vision
from zoo.arch.layers import At, at, open_section, stack, when
from zoo.arch.ledger import choose_class
from zoo.arch.mlp import Mlp
from zoo.arch.norms import Norm, layer_norm, rms
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Place, Row


def yield_whole(inner: Config, p: Place) -> Iterable[Row]:
    """A language model with its head, below ``p``."""
    architecture = find_architecture(inner.model_type)
    if architecture.supported and (reason := architecture.supported(inner)):
        raise UnsupportedError(f"{inner.model_type}: {reason}")
    head = architecture.heads[choose_class(inner.raw, architecture)]
    base = p._replace(prefix=p.prefix + head.base)
    yield from (head.body or architecture.body)(inner, base)
    for block in head.blocks:
        yield from block(inner, p._replace(embedding=base.prefix + architecture.embedding))


def read_llm(c: Config) -> Config:
    return open_section(c, "llm_config")


def read_tower(c: Config) -> Config:
    return c.section("vision_config", VISION_DIMS)


def has_layer_norm(c: Config) -> bool:
    """``norm_type`` is LayerNorm in the small towers, RMSNorm in the large one."""
    kind = c["norm_type"]
    if kind not in ("layer_norm", "rms_norm"):
        raise UnsupportedError(f"{c.model_type}: {c.path}norm_type is {kind!r:.40}, not layer_norm or rms_norm")
    return bool(kind == "layer_norm")


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("class_embedding", (1, 1, c.hidden), "vision", "vector")
    yield from Patches("patch_embedding", bias=True)(c, p)
    yield p.tensor("position_embedding", (1, c.patches + 1, c.hidden), "vision", "lookup")


def scale_layers(c: Config, p: Place) -> Iterable[Row]:
    """One gain for each channel of what attention and MLP add."""
    for name in ("ls1", "ls2"):
        yield p.tensor(name, (c.hidden,), "vision", "vector")


INTERN_VIT = Vision(
    (
        at("embeddings", embed_patches),
        at(
            "encoder",
            stack(
                "layers",
                at(
                    "attn",
                    FusedAttention(("qkv", "proj"), bias="qkv_bias", o_bias=True, cached=False, causal=False),
                    when("qk_normalization", rms("q_norm"), rms("k_norm")),
                ),
                at("mlp", Mlp()),
                Norm("norm1", bias=has_layer_norm),
                Norm("norm2", bias=has_layer_norm),
                scale_layers,
            ),
        ),
    )
)


def see(c: Config, p: Place) -> Iterable[Row]:
    return INTERN_VIT(read_tower(c), p.at("vision_model"))


def shuffle_and_project(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches side by side, (1 / ``downsample_ratio``) squared of them, and two layers."""
    ratio = c["downsample_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
        raise UnsupportedError(f"{c.model_type}: downsample_ratio is {ratio!r:.40}, not above 0 and at most 1")
    merged, text = read_tower(c).hidden * int(1 / ratio) ** 2, read_llm(c).hidden
    below = p.at("mlp1")
    yield from below.vector("0", merged, "projector", True)
    yield from below.linear("1", merged, text, "projector", True)
    yield from below.linear("3", text, text, "projector", True)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return yield_whole(read_llm(c), p.at("language_model"))


# MiniCPM-V: the keys of the language model stand at the top of its config.

#: The type of the language model, from whose config that of each version is derived.
SPEAKERS = {"2.5": "llama", "2.6": "qwen2", "4": "llama", "4.0": "llama", "4.5": "qwen3"}


def read_version(c: Config) -> str:
    """``version``; the first files of 2.5 have none, but 96 queries and a tower of the type idefics2."""
    version, vision = c.raw.get("version"), c.raw.get("vision_config")
    if version is None and isinstance(vision, Mapping):
        return "2.5" if vision.get("model_type") == "idefics2" and c.raw.get("query_num") == 96 else "None"
    return str(version)


def read_speaker(c: Config) -> Config:
    """The whole config as one of its language model."""
    raw: Mapping[str, Any] = {key: value for key, value in c.raw.items() if key != "architectures"}
    model_type = SPEAKERS[read_version(c)]
    inner = Config(raw, model_type, find_architecture(model_type).dims, parent=c.parent, path=c.path)
    inner.read = c.read
    return inner


def read_siglip(c: Config) -> Config:
    section = c["vision_config"]
    if not isinstance(section, Mapping):
        raise UnsupportedError(f"{c.model_type}: vision_config is not an object")
    return Config(section, "siglip_vision_model", VISION_DIMS, parent=c, path="vision_config.")


SIGLIP = Vision(
    (
        at("embeddings", Patches("patch_embedding", bias=True), Positions()),
        ENCODER,
        layer_norm("post_layernorm"),
    )
)


def see_by_siglip(c: Config, p: Place) -> Iterable[Row]:
    return SIGLIP(read_siglip(c), p.at("vpm"))


def resample(c: Config, p: Place) -> Iterable[Row]:
    """``query_num`` learned queries attend to the patches of a slice and stand for them."""
    text, seen = read_speaker(c).hidden, read_siglip(c).hidden
    below = p.at("resampler")
    yield below.tensor("query", (c.whole("query_num", least=1), text), "projector", "vector")
    if seen != text:
        yield from below.linear("kv_proj", seen, text, "projector")
    yield below.tensor("attn.in_proj_weight", (3 * text, text), "projector")
    yield below.tensor("attn.in_proj_bias", (3 * text,), "projector", "vector")
    yield from below.linear("attn.out_proj", text, text, "projector", True)
    for name in ("ln_q", "ln_kv", "ln_post"):
        yield from below.vector(name, text, "projector", True)
    yield below.tensor("proj", (text, text), "projector")


def speak_below(c: Config, p: Place) -> Iterable[Row]:
    return yield_whole(read_speaker(c), p.at("llm"))


def refuse_other_versions(c: Config) -> str | None:
    if read_version(c) not in SPEAKERS:
        return (
            f"version {c.raw.get('version')!r:.20} is none of 2.5, 2.6, 4 and 4.5, which stored totals were found for"
        )
    return refuse_unproven({}, ("drop_vision_last_layer",))(c)


# Phi-3-vision: the sizes of its tower stand in its code.

#: modeling of openai/clip-vit-large-patch14-336, the only tower that the code knows.
CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_channels": 3,
    "image_size": 336,
    "patch_size": 14,
}


def see_by_clip(c: Config, p: Place) -> Iterable[Row]:
    below = p.at("model").at("vision_embed_tokens")
    tower = Config(CLIP_LARGE, "clip_vision_model", VISION_DIMS, parent=c, path="img_processor.")
    yield from CLIP_VISION(tower, below.at("img_processor").at("vision_model"))


def separate_and_project(c: Config, p: Place) -> Iterable[Row]:
    """Four patches side by side, learned separators between rows and crops, and two layers."""
    merged, below = 4 * CLIP_LARGE["hidden_size"], p.at("model").at("vision_embed_tokens")
    yield below.tensor("glb_GN", (1, 1, merged), "projector", "vector")
    yield below.tensor("sub_GN", (1, 1, 1, merged), "projector", "vector")
    yield from below.linear("img_projection.0", merged, c.hidden, "projector", True)
    yield from below.linear("img_projection.2", c.hidden, c.hidden, "projector", True)


def read_phi3(c: Config) -> Config:
    """The whole config as one of Phi-3, from whose class that of Phi-3-vision is derived."""
    raw = {key: value for key, value in c.raw.items() if key != "architectures"}
    inner = Config(raw, "phi3", find_architecture("phi3").dims, parent=c.parent, path=c.path)
    inner.read = c.read
    return inner


def speak_phi3(c: Config, p: Place) -> Iterable[Row]:
    return yield_whole(read_phi3(c), p)


def refuse_other_towers(c: Config) -> str | None:
    """The embedding of images must be the one that the published totals are of."""
    embedding, tower = c["embd_layer"], c["img_processor"]
    if not isinstance(embedding, Mapping) or not isinstance(tower, Mapping):
        return "embd_layer or img_processor is not an object"
    said = {"projection_cls": "mlp", "use_hd_transform": True, "with_learnable_separator": True}
    for key, value in said.items():
        if embedding.get(key) != value:
            return f"embd_layer.{key} is {embedding.get(key)!r:.40}, for which no stored total was found"
    if tower.get("name") != "clip_vision_model":
        return f"img_processor.name is {tower.get('name')!r:.40}, not clip_vision_model"
    return None


register(
    Architecture(
        "phi3_v",
        "Phi",
        At("", (speak_phi3, see_by_clip, Projector((separate_and_project,)))),
        {"Phi3VForCausalLM": Head()},
        "Phi3VForCausalLM",
        text=read_phi3,
        embedding="",
        supported=refuse_other_towers,
        example="microsoft/Phi-3.5-vision-instruct",
        about="Phi-3-mini behind CLIP's large tower, with learned separators between rows and crops.",
        verified="Hub total of Phi-3-vision and Phi-3.5-vision-instruct: 4,146,621,440.",
    ),
    Architecture(
        "internvl_chat",
        "InternVL",
        At("", (see, speak, Projector((shuffle_and_project,)))),
        {"InternVLChatModel": Head()},
        "InternVLChatModel",
        text=read_llm,
        embedding="",
        supported=refuse_unproven({}, ("use_backbone_lora", "use_llm_lora")),
        example="OpenGVLab/InternVL2-2B",
        about="InternViT, four patches shuffled into one, two layers, and any text model with its head.",
        verified="Hub totals of InternVL2-2B and InternVL2_5-78B: 2,205,754,368 and 78,408,318,336.",
    ),
    Architecture(
        "minicpmv",
        "MiniCPM",
        At("", (speak_below, see_by_siglip, Projector((resample,)))),
        {"MiniCPMV": Head()},
        "MiniCPMV",
        text=read_speaker,
        embedding="",
        supported=refuse_other_versions,
        example="openbmb/MiniCPM-V-2_6",
        about="SigLIP's patches, slice by slice, become 64 or 96 queries among the tokens of Llama, Qwen2 or Qwen3.",
        verified="Totals of MiniCPM-V-2_5, 2_6, 4 and 4_5: 8,537,092,336, 8,099,175,152, 4,059,533,040, 8,695,895,280.",
    ),
)
