"""Molmo 2: OLMo's or Qwen3's layers behind a SigLIP 2 tower, with pooling by attention between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava import TEXT, read_text
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import read_pair
from zoo.arch.families.vision import Projector, Vision
from zoo.arch.heads import Embedding, decoder
from zoo.arch.layers import at, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

FEATURES = (24, 18)  # layers of the tower that are taken, where the file does not say
SIZE = (378, 378)


def older(c: Config, key: str, name: str) -> Any:
    """The value by the key of the released files where they have it, else by the newer one."""
    return c.get(key) if key in c.raw else c.get(name)


def read_features(adapter: Config) -> Sequence[int]:
    """The layers of the tower whose features are taken, side by side; below 0, counted from the end."""
    listed = older(adapter, "vit_layers", "vision_feature_layer")
    if listed is None:
        return FEATURES
    if not isinstance(listed, list | tuple) or not all(type(layer) is int for layer in listed) or not listed:
        raise UnsupportedError(f"{adapter.model_type}: {adapter.path}vision_feature_layer is not a list of layers")
    return listed


def read_patch(c: Config) -> int:
    return check_whole(older(c, "image_patch_size", "patch_size"), f"{c.model_type}: {c.path}patch_size", 1)


def count_positions(c: Config) -> int:
    """Learned positions: as many as are said, else as there are patches in an image."""
    said = older(c, "image_num_pos", "num_position_embeddings")
    if said is not None:
        return check_whole(said, f"{c.model_type}: {c.path}num_position_embeddings", 1)
    key = "image_default_input_size" if "image_default_input_size" in c.raw else "image_size"
    height, width = SIZE if c.get(key) is None else read_pair(c, key)
    return (height // read_patch(c)) * (width // read_patch(c))


def read_vit_layers(c: Config) -> int:
    """Layers of the tower; of files with the older name of its section, only those up to the last that is taken."""
    layers = c.whole("num_hidden_layers", least=1)
    if c.parent is not None and c.parent.raw.get("vit_config") is not None:
        return max(layer % layers for layer in read_features(open_adapter(c.parent))) + 1
    return layers


def kv_heads(c: Config) -> int:
    return c.whole("num_key_value_heads", least=1)


ADAPTER_DIMS: dict[str, Dim] = {"kv_heads": kv_heads, "head_dim": lambda c: c.whole("head_dim", least=1)}
VISION_DIMS: dict[str, Dim] = {**ADAPTER_DIMS, "layers": read_vit_layers}


def open_adapter(c: Config) -> Config:
    return c.section("adapter_config", ADAPTER_DIMS)


def open_tower(c: Config) -> Config:
    """The section of the tower, under its newer or its older name."""
    if c.raw.get("vision_config") is None and isinstance(c.raw.get("vit_config"), Mapping):
        raw = {**c.raw, "vision_config": c.raw["vit_config"]}
        whole = Config(raw, c.model_type, c.dims, parent=c.parent, path=c.path, spec=c.spec)
        whole.read = c.read
        return whole.section("vision_config", VISION_DIMS)
    return c.section("vision_config", VISION_DIMS)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    pixels = read_patch(c) ** 2 * c.whole("num_channels", least=1)
    yield p.tensor("positional_embedding", (count_positions(c), c.hidden), "vision", "lookup")
    yield from p.linear("patch_embedding", pixels, c.hidden, "vision", True)


TOWER = Vision(
    (
        embed_patches,
        stack(
            "layers",
            layer_norm("layer_norm1"),
            at("self_attn", Attention(bias="attention_bias", cached=False, causal=False)),
            layer_norm("layer_norm2"),
            at("mlp", Mlp()),
        ),
    )
)


def see(c: Config, p: Place) -> Iterable[Row]:
    return TOWER(open_tower(c), p.at("vision_tower"))


def pool(c: Config, p: Place) -> Iterable[Row]:
    """Neighbouring patches are pooled by attention, over the features of several layers, and pass a gated MLP."""
    adapter = open_adapter(c)
    width, bias = adapter.hidden * len(read_features(adapter)), adapter.flag("attention_bias")
    below, inner = p.at("image_pooling_2d"), adapter.heads * adapter.head_dim
    yield from below.linear("q_proj", width, inner, "projector", bias)
    yield from below.linear("k_proj", width, adapter.kv_heads * adapter.head_dim, "projector", bias)
    yield from below.linear("v_proj", width, adapter.kv_heads * adapter.head_dim, "projector", bias)
    yield from below.linear("o_proj", inner, adapter.hidden, "projector", bias)
    below, bias = p.at("image_projector"), adapter.flag("mlp_bias")
    yield from below.linear("gate_proj", adapter.hidden, adapter.ffn, "projector", bias)
    yield from below.linear("up_proj", adapter.hidden, adapter.ffn, "projector", bias)
    yield from below.linear("down_proj", adapter.ffn, adapter.whole("text_hidden_size", least=1), "projector")


def norm_width(heads: str) -> Callable[[Config], int]:
    """Of one head, or of all of them in OLMo's way."""

    def read(c: Config) -> int:
        kind = c["qk_norm_type"]
        if kind not in ("qwen3", "olmo"):
            raise UnsupportedError(f"{c.model_type}: {c.path}qk_norm_type {kind!r:.40} is not known")
        return int(c.head_dim if kind == "qwen3" else c.dim(heads) * c.head_dim)

    return read


QK_NORMS = (rms("q_norm", norm_width("heads")), rms("k_norm", norm_width("kv_heads")))

register(
    decoder(
        *("molmo2_text", "Molmo2", "Molmo"),
        at("self_attn", Attention(bias="attention_bias", o_bias=False, extra=QK_NORMS)),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        embed=Embedding(rows="rows"),
        heads={"Molmo2TextModel": Head()},
        dims={"rows": lambda c: c.vocab + c.whole("additional_vocab_size"), "kv_heads": kv_heads},
        about="The language model inside Molmo 2: normalised queries and keys, a few embeddings more than words.",
    ),
    seeing(
        *("molmo2", "Molmo", "Molmo2", see, at("multi_modal_projector", Projector((pool,))), TEXT),
        text=read_text,
        tie=lambda c: False,  # the class has no tie, whatever the file says
        example="allenai/Molmo2-8B",
        about="Qwen3's or OLMo's layers behind a SigLIP 2 tower; attention pools neighbouring patches.",
    ),
)
