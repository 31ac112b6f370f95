"""GLM-5.3-Flash: Kimi's delta attention, and in every fourth layer latents, of which an indexer picks whole pools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS
from zoo.arch.families.deepseek_v4 import hyper_connection
from zoo.arch.families.glm_vl import OCR_ATTENTION, TOWER_DIMS, Merger, merge_patches
from zoo.arch.families.indexed import PickedLatent, indexer
from zoo.arch.families.kimi import DeltaAttention, read_linear
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.qwen3_vl import embed_patches
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import Projector
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind, named_kinds, open_section, stack, text_section, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row, State, Tensor

LETTERS = {"F": "full", "S": "shared"}


def every_fourth(c: Config) -> Sequence[str]:
    return ["linear_attention" if layer % 4 != 3 else "indexed_attention" for layer in range(c.layers)]


def three_dense(c: Config) -> Sequence[str]:
    return ["dense" if layer < 3 else "sparse" for layer in range(c.layers)]


def share_indexers(c: Config) -> Sequence[str]:
    """Which layers pick tokens themselves: a pattern of F and S, else one in ``index_topk_freq``."""
    pattern = c.get("index_topk_pattern")
    if pattern is None:
        step = max(check_whole(c.get("index_topk_freq", 1), f"{c.model_type}: index_topk_freq"), 1)
        offset = check_whole(c.get("index_skip_topk_offset", 2), f"{c.model_type}: index_skip_topk_offset")
        return ["shared" if max(layer - offset + 1, 0) % step else "full" for layer in range(c.layers)]
    if not isinstance(pattern, str | list) or len(pattern) != c.layers or not all(isinstance(x, str) for x in pattern):
        raise UnsupportedError(f"{c.model_type}: {c.path}index_topk_pattern is not a letter for each layer")
    return [LETTERS.get(letter, letter) for letter in pattern] if isinstance(pattern, str) else pattern


def delta(c: Config, p: Place) -> Iterable[Row]:
    """Kimi's delta attention, whose decay is stored as one number for each head and no more."""
    for row in DeltaAttention()(c, p):
        if isinstance(row, Tensor) and row.name.endswith("A_log"):
            yield row._replace(shape=(c.linear_heads,))
        else:
            yield row


def latent(c: Config, p: Place) -> Iterable[Row]:
    """Latent attention without positions to the tokens picked, and to those that do not fill a pool yet."""
    tail = c.whole("index_kpool", least=1) - 1 if c.flag("index_kpool_always_select_tail") else 0
    for row in PickedLatent()(c, p):
        if isinstance(row, State) and row.window is not None:
            yield row._replace(window=row.window + tail)
        else:
            yield row


def pooling_indexer(c: Config, p: Place) -> Iterable[Row]:
    """An indexer that scores pools of ``index_kpool`` tokens, each the weighted average of its keys.

    Kept per token as transformers keeps it: the key, the scores of its channels within the pool, and whether it is one.
    """
    pool, width = c.whole("index_kpool", least=1), c.whole("index_head_dim", least=1)
    for row in indexer(c, p):
        if isinstance(row, State):
            kept, flops = 2 * width + 1, -(-row.flops_per_pos // pool)
            row = row._replace(flops_per_pos=flops, decode_flops_per_pos=flops)
            yield row._replace(per_token=kept, materialized=kept, token_bytes=None)
        else:
            yield row
    yield p.tensor("index_kpool_compress_ape", (pool, width), "attention", "vector")
    yield p.tensor("index_kpool_compress_gate", (width, c.hidden), "attention")


def refuse_other_latents(c: Config) -> str | None:
    """What the class refuses."""
    if c["q_lora_rank"] is None:
        return "q_lora_rank is null, which the class does not have"
    if c.whole("qk_rope_head_dim"):
        return f"qk_rope_head_dim is {c.whole('qk_rope_head_dim')}, but the class has no rotary positions"
    if c.whole("index_topk", least=1) % c.whole("index_kpool", least=1):
        return "index_topk is not a multiple of index_kpool"
    if c["num_key_value_heads"] not in (None, c.heads):
        return f"num_key_value_heads is not the number of heads, {c.heads}"
    return None


def read_flat_text(c: Config) -> Config:
    """The text, whose keys may stand at the top."""
    return open_section(c, "text_config", flat=True)


LATENT = (latent, by_kind(named_kinds(share_indexers, "indexer_types"), full=at("indexer", pooling_indexer), shared=()))
MLPS = named_kinds(three_dense, "mlp_layer_types")
MERGER = Merger(lambda c: c.whole("projection_intermediate_size", least=1))
DIMS: dict[str, Dim] = {
    **DEEPSEEK,
    "linear_heads": read_linear("linear_num_heads", "num_heads"),
    "linear_head_dim": read_linear("linear_head_dim", "head_dim"),
    "linear_kernel": read_linear("linear_conv_kernel_dim", "short_conv_kernel_size"),
    "kv_heads": lambda c: c.heads,
}

register(
    decoder(
        *("glm5_next_text", "Glm5Next", "GLM"),
        at(
            "self_attn",
            by_kind(
                named_kinds(every_fourth),
                linear_attention=delta,
                indexed_attention=LATENT,
                full_attention=LATENT,
            ),
        ),
        at("mlp", by_kind(MLPS, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        at("attn_hc", hyper_connection),
        at("ffn_hc", hyper_connection),
        heads={"Glm5NextTextModel": Head()},
        dims=DIMS,
        supported=refuse_other_latents,
        position="none",
        about="The language model inside GLM-5.3-Flash: delta attention, latents in every fourth layer, four streams.",
    ),
    tower(
        *("glm5_next_vision", "GLM", embed_patches),
        stack(
            "blocks", rms("norm1"), rms("norm2"), at("attn", OCR_ATTENTION), at("mlp", GatedMlp(bias="attention_bias"))
        ),
        at("merger", Projector((MERGER,))),
        Projector((merge_patches,)),
        rms("post_layernorm"),
        name="Glm5NextVisionModel",
        dims=TOWER_DIMS,
        norm="rmsnorm",
        about="The tower of GLM-5.3-Flash: patches over two frames, gated MLPs.",
    ),
    seeing(
        *("glm5_next", "GLM", "Glm5Next", vision_section(name="visual"), text_section(flat=True)),
        text=read_flat_text,
        supported=None,
        example="zai-org/GLM-5.3-Flash",
        about="Delta attention in three layers of four, an indexer over pools of 16 tokens in the fourth.",
    ),
)
