"""Kimi K2.5: Kimi K2 behind MoonViT."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.llava import TEXT, VISION, read_text, read_vision, refuse_flat
from zoo.arch.families.llava_kin import is_tied_whole, seeing
from zoo.arch.families.towers import read_pair, tower
from zoo.arch.families.vision import Projector
from zoo.arch.heads import LmHead
from zoo.arch.layers import at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row


def count_cells(c: Config) -> int:
    """The grid of learned positions, which is resampled to that of each image."""
    return c.whole("pos_emb_height", least=1) * c.whole("pos_emb_width", least=1)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    below = p.at("patch_embed")
    yield below.tensor("proj.weight", (c.hidden, 3, *read_pair(c, "patch_size")), "vision")
    yield below.tensor("proj.bias", (c.hidden,), "vision", "vector")
    grid = (c.whole("pos_emb_height", least=1), c.whole("pos_emb_width", least=1), c.hidden)
    yield below.tensor("pos_emb.position_embeddings", grid, "vision", "lookup")


def count_merged(c: Config) -> int:
    """How many neighbouring patches become one position."""
    kernel = read_vision(c)["merge_kernel_size"]
    if not isinstance(kernel, list | tuple) or len(kernel) != 2:
        raise UnsupportedError(f"{c.model_type}: merge_kernel_size is {kernel!r:.40}, not a height and a width")
    height, width = (check_whole(side, f"{c.model_type}: merge_kernel_size", 1) for side in kernel)
    return height * width


def project(c: Config, p: Place) -> Iterable[Row]:
    """A norm over each patch, then patches side by side through two biased matrices."""
    merged = read_vision(c).hidden * count_merged(c)
    yield from p.vector("pre_norm", c.whole("projection_hidden_size", least=1), "projector", True)
    yield from p.linear("in_proj", merged, merged, "projector", True)
    yield from p.linear("out_proj", merged, read_text(c).hidden, "projector", True)


#: How the model's own files spell what the class reads from its vision section; the class takes its defaults then.
OWN_NAMES = {
    "vt_hidden_size": "hidden_size",
    "vt_num_hidden_layers": "num_hidden_layers",
    "vt_num_attention_heads": "num_attention_heads",
    "vt_intermediate_size": "intermediate_size",
    "init_pos_emb_height": "pos_emb_height",
    "init_pos_emb_width": "pos_emb_width",
}


def refuse_other_tower(c: Config) -> str | None:
    """What a file says in its own words must agree with what the class reads."""
    vision = read_vision(c)
    for own, key in OWN_NAMES.items():
        if vision.raw.get(own, vision[key]) != vision[key]:
            return f"vision_config.{own} is {vision.raw[own]!r:.40}, which the class does not read"
    return refuse_flat(c)


ATTENTION = Attention(("q_proj", "k_proj", "v_proj", "proj"), bias=True, cached=False, causal=False)

register(
    tower(
        *("kimi_k25_vision", "Kimi", embed_patches),
        stack("layers", layer_norm("norm1"), layer_norm("norm2"), at("attn", ATTENTION), at("mlp", Mlp())),
        layer_norm("final_layernorm"),
        name="Kimi_K25VisionModel",
        dims={"context": count_cells, "patches": count_cells},
        about="MoonViT: learned positions on a grid that is resampled to each image's, and rotary ones besides.",
    ),
    seeing(
        *("kimi_k25", "Kimi", "Kimi_K25", VISION, TEXT, at("mm_projector", Projector((project,)))),
        # The name that the model's own files give to the same tensors, which transformers renames as it loads them.
        heads={"KimiK25ForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=is_tied_whole),))},
        supported=refuse_other_tower,
        example="moonshotai/Kimi-K2.5",
        about="Kimi K2 behind a tower for images and video; four patches become one position.",
    ),
)
