"""dots 3 Note's text model: latent attention with an indexer, and in most layers wider latents with a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import LatentAttention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS
from zoo.arch.families.indexed import PickedLatent, indexer
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import OLDER_KINDS, at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.per_layer import KEY, Overrides, PerLayer
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, State

#: Sizes of the layers with a window, where a file does not say otherwise (with "swa_" before the name).
IN_WINDOWS = {
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "q_lora_rank": 1024,
    "kv_lora_rank": 1024,
    "head_dim": 256,
    "qk_nope_head_dim": 192,
    "v_head_dim": 128,
}


def has_indexer(c: Config) -> bool | None:
    """``use_dsa`` of the model's own code: on where it is missing, unless the sizes of layers are written out."""
    if c.get("use_dsa", KEY not in c.raw or None) is None:
        return None
    return c.flag("use_dsa") if "use_dsa" in c else True


def attention_kinds(c: Config) -> Sequence[str]:
    """``layer_types``, in which ``use_dsa`` decides whether full attention has an indexer."""
    indexed = has_indexer(c)
    if c["layer_types"] is None:
        slides = c.flag("use_sliding_window") if "use_sliding_window" in c else True
        full = "full_attention" if indexed is False else "indexed_attention"
        whole = [not slides or layer < 2 or layer % 4 == 1 for layer in range(c.layers)]
        return [full if is_whole else "sliding_attention" for is_whole in whole]
    replaced = {True: ("full_attention", "indexed_attention"), False: ("indexed_attention", "full_attention")}
    old, new = ("", "") if indexed is None else replaced[indexed]
    # older words are replaced only after that
    return [OLDER_KINDS.get(kind, kind) for kind in (new if k == old else k for k in c.words("layer_types", c.layers))]


def mlp_kinds(c: Config) -> Sequence[str]:
    """After the dense layers, experts in those that ``moe_layer_freq`` lists, or whose number it divides."""
    dense = check_whole(c.get("first_k_dense_replace", 1), f"{c.model_type}: first_k_dense_replace")
    step = c.get("moe_layer_freq", 1)
    if not isinstance(step, list):
        step = check_whole(step, f"{c.model_type}: moe_layer_freq", 1)
        step = [layer % step == 0 for layer in range(c.layers)]
    if len(step) != c.layers:
        raise UnsupportedError(f"{c.model_type}: moe_layer_freq is not a list of one for each layer")
    return ["sparse" if layer >= dense and step[layer] else "dense" for layer in range(c.layers)]


def size_windows(c: Config) -> Overrides:
    """Layers with a window have latents and heads of their own sizes."""
    sliding = [layer for layer, kind in enumerate(attention_kinds(c)) if kind == "sliding_attention"]
    sizes = {key: c.get(f"swa_{key}", default) for key, default in IN_WINDOWS.items()}
    rest = c.get("swa_qk_rope_head_dim")
    if rest is None and isinstance(sizes["head_dim"], int) and isinstance(sizes["qk_nope_head_dim"], int):
        rest = sizes["head_dim"] - sizes["qk_nope_head_dim"]
    return {layer: {**sizes, "qk_rope_head_dim": rest} for layer in sliding}


def windowed(*blocks: Block) -> Block:
    """Blocks of layers that slide, which keep no more than their window."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        for block in blocks:
            for row in block(c, p):
                yield row._replace(kind="sliding", window=c.window) if isinstance(row, State) else row

    return rows


def check_sizes(c: Config, p: Place) -> Iterable[Row]:
    """What the class refuses: full queries, and keys and values of fewer heads."""
    if c["q_lora_rank"] is None:
        raise UnsupportedError(f"{c.model_type}: q_lora_rank is null")
    if c["num_key_value_heads"] is not None and c.whole("num_key_value_heads") != c.heads:
        raise UnsupportedError(f"{c.model_type}: num_key_value_heads is not the number of heads, {c.heads}")
    return ()


def key_norm_and_gate(c: Config, p: Place) -> Iterable[Row]:
    """A norm on the rotary key by itself, and how much of what each head found is passed on."""
    yield from rms("k_rope_only_layernorm", lambda c: c.whole("qk_rope_head_dim", least=1))(c, p)
    yield from p.linear("g_proj", c.hidden, c.heads, "attention")


def read_window(c: Config) -> int | None:
    said = c.maybe("sliding_window", least=1)
    return (
        check_whole(c.get("sliding_window_size", 512), f"{c.model_type}: sliding_window_size", 1)
        if said is None
        else said
    )


def read_shared_width(c: Config) -> int:
    """The width of one shared expert by either of its names, times how many there are."""
    older = c.maybe("moe_shared_expert_intermediate_size")
    width = c.whole("shared_experts_intermediate_size") if older is None else older
    return int(width * c.shared_experts)


MLPS = named_kinds(mlp_kinds, "mlp_layer_types")

ATTENTION = by_kind(
    attention_kinds,
    full_attention=(LatentAttention(), key_norm_and_gate),
    indexed_attention=(PickedLatent(), at("indexer", indexer), key_norm_and_gate),
    sliding_attention=windowed(LatentAttention(), key_norm_and_gate),
)

register(
    decoder(
        "dots3_note_text",
        "Dots3Note",
        "dots",
        at(
            "self_attn",
            PerLayer((*IN_WINDOWS, "qk_rope_head_dim"), size_windows, (check_sizes, ATTENTION), attention_kinds),
        ),
        at("mlp", by_kind(MLPS, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads={"Dots3NoteTextModel": Head(), "Dots3NoteForCausalLM": Head("model.", (LmHead(),))},
        dims={
            **DEEPSEEK,
            "kv_heads": lambda c: c.heads,
            "window": read_window,
            "shared_ffn": read_shared_width,
        },
        about="Three layers with a window of 512 and wide latents to one whose indexer picks 2,048 tokens.",
    ),
)
