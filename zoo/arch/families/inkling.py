"""Inkling's text models: attention by learned distances, and short convolutions around every block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, by_kind, named_kinds, resized
from zoo.arch.mlp import Experts, GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, State

SPANS = {"hybrid": "full_attention", "hybrid_sliding": "sliding_attention"}


def layer_kinds(c: Config) -> Sequence[str]:
    """``local_layer_ids`` slide; without them all but every sixth."""
    listed = c["local_layer_ids"]
    if listed is None:
        return ["hybrid_sliding" if (layer + 1) % 6 else "hybrid" for layer in range(c.layers)]
    if not isinstance(listed, list):
        raise UnsupportedError(f"{c.model_type}: local_layer_ids is not a list of layers")
    return ["hybrid_sliding" if layer in listed else "hybrid" for layer in range(c.layers)]


def dense_first(c: Config) -> Sequence[str]:
    dense = min(check_whole(c.get("dense_mlp_idx", 0), f"{c.model_type}: dense_mlp_idx"), c.layers)
    return ["dense"] * dense + ["sparse"] * (c.layers - dense)


KINDS = named_kinds(layer_kinds)


def spans(c: Config) -> Sequence[str]:
    """What the kinds mean for the cache."""
    return [SPANS.get(kind, kind) for kind in KINDS(c)]


def short_conv(name: str, width: str) -> Block:
    """A convolution of each channel over the latest tokens; all but the last of them are its state."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        kernel, channels = c.whole("conv_kernel_size", least=1), c.dim(width)
        yield from depthwise_conv(p, f"{name}.conv1d", channels, kernel, False)
        yield p.state("conv", fixed=channels * (kernel - 1))

    return rows


def learned_distances(c: Config, p: Place) -> Iterable[Row]:
    """For each head, a projection of the token tells how it attends to each distance, up to an extent."""
    rank, extent = c.whole("d_rel", least=1), c.rel_extent
    yield from p.linear("r_proj", c.hidden, c.heads * rank, "attention")
    # Each head multiplies with the one matrix: its FLOPs are those of the state, not of one use of the weight.
    yield p.tensor("rel_logits_proj.proj", (rank, extent), "attention", "vector")
    yield p.state("conv", flops_per_token=2 * c.heads * rank * extent)


ATTENTION = Attention(
    kinds=spans,
    extra=(
        *QK_NORM,
        learned_distances,
        short_conv("k_sconv", "kv_width"),
        short_conv("v_sconv", "kv_width"),
    ),
)
IN_WINDOWS: dict[str, Dim] = {
    "heads": lambda c: c.whole("swa_num_attention_heads", least=1),
    "kv_heads": lambda c: c.whole("swa_num_key_value_heads", least=1),
    "head_dim": lambda c: c.whole("swa_head_dim", least=1),
    "rel_extent": lambda c: c.window,
}
SLIDING = resized(IN_WINDOWS, ATTENTION)
INKLING: dict[str, Dim] = {
    "experts": "n_routed_experts",
    "experts_per_token": "num_experts_per_tok",
    "window": lambda c: c.whole("sliding_window_size", least=1),
    "kv_width": lambda c: c.kv_heads * c.head_dim,
    "rel_extent": lambda c: c.whole("rel_extent", least=1),
}


def one_scale(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("global_scale", (1,), "mlp", "vector")


def mixture(c: Config, p: Place) -> Iterable[Row]:
    """Routed experts, and shared ones that the router weighs too."""
    shared, width = c.shared_experts, c.expert_ffn
    yield from p.linear("gate", c.hidden, c.experts + shared, "router")
    yield p.tensor("gate.global_scale", (1,), "router", "vector")
    yield p.tensor("gate.e_score_correction_bias", (c.experts,), "router", "vector", role="buffer")
    yield from Experts()(c, p)
    for name, shape in (
        ("gate_proj", (shared, width, c.hidden)),
        ("up_proj", (shared, width, c.hidden)),
        ("down_proj", (shared, c.hidden, width)),
    ):
        yield p.tensor(f"shared_experts.{name}", shape, "shared_experts")


def gates_and_clips(c: Config, p: Place) -> Iterable[Row]:
    """Gates on what was found, a sink that depends on the token, and learned scales of clipped queries."""
    yield from p.linear("gate_proj", c.hidden, c.heads * c.head_dim, "attention")
    yield from p.linear("sink_proj", c.hidden, c.heads, "attention")
    yield p.tensor("q_l2_clip.scale", (c.heads, c.head_dim), "attention", "vector")
    yield p.tensor("rel_l2_clip.scale", (c.heads, c.whole("d_rel", least=1)), "attention", "vector")


def dynamic_conv(name: str) -> Block:
    """A convolution whose weights depend on the token: one for each KV head, beside a fixed one for each channel."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        kernel, channels = c.whole("conv_kernel_size", least=1), c.kv_width
        yield p.tensor(f"{name}.static_weight", (kernel, channels), "recurrent", "conv")
        yield from p.linear(f"{name}.weight_proj", c.hidden, c.kv_heads * kernel, "recurrent")
        yield p.state("conv", fixed=channels * (kernel - 1))

    return rows


def earlier_blocks(name: str, queries: int = 1, *, inside: bool = False) -> Block:
    """Learned queries that pick from the outputs of earlier blocks of layers what comes in.

    They see what entered each block so far and, last, the sum within the block; ``inside`` a layer that begins a block,
    its own entry too. A query pays for scores and for sums: 4 x hidden for each that it sees.
    """

    def rows(c: Config, p: Place) -> Iterable[Row]:
        shape = (c.hidden,) if queries == 1 else (queries, c.hidden)
        yield p.tensor(f"{name}.query", shape, "other", "vector")
        step = c.whole("n_layers_per_attn_res_block", least=1)
        layers = [c.layers] if p.layers is None else p.layers  # outside of the layers: after the last
        seen = sum((layer + step - (not inside)) // step + 1 for layer in layers)
        yield State("conv", flops_per_token=4 * c.hidden * queries * seen, stack=p.stack)

    return rows


def not_the_first(block: Block) -> Block:
    """In all layers here but layer 0, before which there is nothing."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        later = [layer for layer in p.layers or () if layer > 0]
        return block(c, p._replace(layers=later)) if later else ()

    return rows


def has_older_names(c: Config) -> bool:
    """Older files call the experts' width ``intermediate_size`` and that of dense layers by its own name."""
    return c.get("dense_intermediate_size") is not None


def inkling2_kinds(c: Config) -> Sequence[str]:
    return ["hybrid_sliding" if (layer + 1) % 6 else "hybrid" for layer in range(c.layers)]


KINDS_2 = named_kinds(inkling2_kinds)


def spans_2(c: Config) -> Sequence[str]:
    return [SPANS.get(kind, kind) for kind in KINDS_2(c)]


SLIDING_2 = Attention(
    kinds=spans_2,
    extra=(learned_distances, gates_and_clips, short_conv("k_sconv", "kv_width"), short_conv("v_sconv", "kv_width")),
)
FULL_2 = Attention(
    kinds=spans_2, extra=(learned_distances, gates_and_clips, dynamic_conv("k_sconv"), dynamic_conv("v_sconv"))
)

register(
    decoder(
        "inkling_text",
        "Inkling",
        "Inkling",
        at("self_attn", by_kind(KINDS, hybrid=ATTENTION, hybrid_sliding=SLIDING)),
        at(
            "mlp",
            by_kind(named_kinds(dense_first, "mlp_layer_types"), dense=(GatedMlp(), one_scale), sparse=mixture),
        ),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
        short_conv("attn_sconv", "hidden"),
        short_conv("mlp_sconv", "hidden"),
        before=(rms("embed_tokens.embed_norm"),),
        heads={
            "InklingTextModel": Head(),
            "InklingForCausalLM": Head("model.", (LmHead(tie_of=lambda c: False),)),
        },
        dims={
            **INKLING,
            "shared_experts": lambda c: c.whole("n_shared_experts", least=1),
            "expert_ffn": lambda c: c.whole("intermediate_size" if has_older_names(c) else "moe_intermediate_size"),
            "ffn": lambda c: c.whole("dense_intermediate_size" if has_older_names(c) else "intermediate_size"),
        },
        position="relative",
        about="Five windows of 512 to one layer of full attention, 6 of 256 experts and two shared ones.",
    ),
    decoder(
        "inkling2_text",
        "Inkling2",
        "Inkling",
        by_kind(
            KINDS_2,
            hybrid=(
                not_the_first(earlier_blocks("attention_input", 3)),
                at("self_attn", FULL_2),
                *(rms(f"{name}_input_layernorm") for name in "qkv"),
            ),
            hybrid_sliding=(
                not_the_first(earlier_blocks("attention_input")),
                at("self_attn", resized(IN_WINDOWS, SLIDING_2)),
                rms("input_layernorm"),
            ),
        ),
        earlier_blocks("mlp_input", inside=True),
        at("mlp", Moe(Router(correction="e_score_correction_bias"))),
        rms("post_attention_layernorm"),
        short_conv("post_attention_convolution", "hidden"),
        short_conv("post_mlp_convolution", "hidden"),
        before=(rms("embed_tokens.embed_norm"), earlier_blocks("final_input")),
        heads={
            "Inkling2TextModel": Head(),
            "Inkling2ForCausalLM": Head("model.", (LmHead(tie_of=lambda c: False),)),
        },
        dims={**INKLING, "expert_ffn": "moe_intermediate_size", "ffn": "moe_intermediate_size"},
        position="relative",
        about="Inkling with gates, sinks and queries to earlier layers; full attention convolves as the token says.",
    ),
)
