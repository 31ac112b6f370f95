"""Gemma 4, the language models: wider heads in full attention, shared keys and values, experts beside a dense MLP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.gemma import SANDWICH_NORMS
from zoo.arch.families.gemma3n import kept_layers, per_layer_input, per_layer_tables
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, group_layers, layer_types, when
from zoo.arch.mlp import Experts
from zoo.arch.norms import rms
from zoo.arch.per_layer import Overrides, PerLayer
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

SPANS = ("sliding_attention", "full_attention")


def five_to_one(c: Config) -> Sequence[str]:
    """Five layers with a window to one with full attention."""
    return ["sliding_attention" if (layer + 1) % 6 else "full_attention" for layer in range(c.layers)]


def read_kinds(c: Config) -> Sequence[str]:
    """``layer_types``, of which the last is full attention whatever the file says."""
    kinds = [*layer_types(five_to_one)(c)[:-1], "full_attention"][: c.layers]
    if strange := set(kinds) - set(SPANS):
        raise UnsupportedError(f"{c.model_type}: layers of kind {min(strange)!r:.40} are not known")
    return kinds


def refuse_orphans(c: Config) -> str | None:
    """Layers that find none of their kind to share with."""
    kinds = read_kinds(c)
    if orphans := set(kinds) - set(kinds[: c.kept]):
        return f"no layer keeps keys and values for those with {min(orphans)}"
    return None


def widen_full(c: Config) -> Overrides:
    """Layers with full attention have wider heads, and where asked other KV heads."""
    sizes = {"head_dim": check_whole(c.get("global_head_dim", 512), f"{c.model_type}: {c.path}global_head_dim", 1)}
    few = c.maybe("num_global_key_value_heads", least=1) if c.dim("global_kv") else None
    if few is not None:
        sizes["num_key_value_heads"] = few
    return {layer: sizes for layer, kind in enumerate(read_kinds(c)) if kind == "full_attention"}


def two_width_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention with the heads of the layers here; the upper layers have queries only.

    With ``attention_k_eq_v``, full attention takes its values from the key projection; normalised differently, both
    are cached. A layer that reads a lower layer's keys and values keeps nothing.
    """
    bias, kinds, kept = c.flag("attention_bias"), read_kinds(c), c.kept
    both_ways = c.get("use_bidirectional_attention") == "all"
    head, width, kv_width = c.head_dim, c.heads * c.head_dim, c.kv_heads * c.head_dim
    for kind, layers in group_layers(kinds, p.layers).items():
        own = [layer for layer in layers if layer < kept]
        here, keeping = p._replace(layers=layers), p._replace(layers=own)
        yield from here.linear("q_proj", c.hidden, width, "attention", bias)
        yield from here.linear("o_proj", width, c.hidden, "attention", bias)
        yield from here.vector("q_norm", head, "norm")
        yield from keeping.linear("k_proj", c.hidden, kv_width, "attention", bias)
        if kind == "sliding_attention" or not c.dim("k_eq_v"):
            yield from keeping.linear("v_proj", c.hidden, kv_width, "attention", bias)
        yield from keeping.vector("k_norm", head, "norm")
        for stored, some in ((0 if both_ways else 2 * kv_width, own), (0, [i for i in layers if i >= kept])):
            if some:
                yield p.state(
                    "full" if kind == "full_attention" else "sliding",
                    some,
                    per_token=stored,
                    materialized=stored,
                    window=None if kind == "full_attention" else c.window,
                    flops_per_pos=4 * width,
                    decode_flops_per_pos=4 * width,
                    causal=not both_ways,
                    vectors=2 * kv_width // head if stored else 0,
                )


def read_window(c: Config) -> int:
    """``sliding_window``; attending both ways, half of it to each side."""
    window = c.whole("sliding_window", least=1)
    return window // 2 + 1 if c.get("use_bidirectional_attention") == "all" else window


def layered_mlp(c: Config, p: Place) -> Iterable[Row]:
    """A gated MLP, with ``use_double_wide_mlp`` twice as wide in the layers that have no keys and values."""
    kept = c.kept
    wider = 2 if c.get("use_double_wide_mlp") is not None and c.flag("use_double_wide_mlp") else 1
    for layers, width in ((range(kept), c.ffn), (range(kept, c.layers), wider * c.ffn)):
        if layers:
            place = p._replace(layers=layers)
            yield from place.linear("gate_proj", c.hidden, width, "mlp")
            yield from place.linear("up_proj", c.hidden, width, "mlp")
            yield from place.linear("down_proj", width, c.hidden, "mlp")


def scaling_router(c: Config, p: Place) -> Iterable[Row]:
    """Scores from a scaled input, and a gain on what each expert gives."""
    below = p.at("router")
    yield from below.linear("proj", c.hidden, c.experts, "router")
    yield below.tensor("scale", (c.hidden,), "router", "vector")
    yield below.tensor("per_expert_scale", (c.experts,), "router", "vector")


def scale_layer(c: Config, p: Place) -> Iterable[Row]:
    """One number by which the layer's output is multiplied; stored, but no parameter."""
    yield p.tensor("layer_scalar", (1,), "other", "vector", role="buffer")


#: Routed experts beside the dense MLP, each with norms of its own.
EXPERTS_BESIDE = (
    scaling_router,
    Experts(),
    rms("post_feedforward_layernorm_1"),
    rms("post_feedforward_layernorm_2"),
    rms("pre_feedforward_layernorm_2"),
)
TEXT_DIMS: dict[str, Dim] = {
    "head_dim": lambda c: c.whole("head_dim", least=1),
    "kv_heads": lambda c: c.whole("num_key_value_heads", least=1),
    "window": read_window,
    "kept": kept_layers,  # how many layers, from the first on, have keys and values of their own
    "k_eq_v": lambda c: c.flag("attention_k_eq_v"),
    "global_kv": lambda c: c.flag("attention_k_eq_v"),
}
MOE_DIMS: dict[str, Dim] = {
    "experts": lambda c: c.whole("num_experts", least=1) if c.flag("enable_moe_block") else 0,
    "experts_per_token": lambda c: c.whole("top_k_experts", least=1) if c.flag("enable_moe_block") else 0,
    "expert_ffn": lambda c: c.whole("moe_intermediate_size", least=1) if c.flag("enable_moe_block") else 0,
    "per_layer": lambda c: c.maybe("hidden_size_per_layer_input") or 0,
}


def text_model(
    model_type: str, heads: dict[str, Head], *layer: Block, before: tuple[Block, ...] = (), about: str, **more: Dim
) -> Architecture:
    """A Gemma 4 language model: attention, MLP and their norms, then ``layer``."""
    return decoder(
        model_type,
        "",
        "Gemma",
        at("self_attn", PerLayer(("head_dim", "num_key_value_heads"), widen_full, (two_width_attention,), read_kinds)),
        at("mlp", layered_mlp),
        *SANDWICH_NORMS,
        scale_layer,
        *layer,
        before=before,
        heads=heads,
        dims=TEXT_DIMS | more,
        supported=refuse_orphans,
        about=about,
    )


def has_per_layer(c: Config) -> bool:
    return bool(c.per_layer)


register(
    text_model(
        "gemma4_text",
        {"Gemma4TextModel": Head(), "Gemma4ForCausalLM": Head("model.", (LmHead(),))},
        when(has_per_layer, per_layer_input),
        when("enable_moe_block", *EXPERTS_BESIDE),
        before=(when(has_per_layer, per_layer_tables),),
        about="Five layers with a window to one with wider heads; upper layers may read lower ones' cache.",
        **MOE_DIMS,
    ),
    text_model(
        "gemma4_unified_text",
        {"Gemma4UnifiedTextModel": Head(), "Gemma4UnifiedForCausalLM": Head("model.", (LmHead(),))},
        about="Gemma 4's layers for text, patches and sound that come in through one matrix each.",
    ),
)
