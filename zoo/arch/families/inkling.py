"""Inkling's text model: attention by learned distances, and short convolutions around every block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, by_kind, named_kinds, resized
from zoo.arch.mlp import Experts, GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row

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
SLIDING = resized(
    {
        "heads": lambda c: c.whole("swa_num_attention_heads", least=1),
        "kv_heads": lambda c: c.whole("swa_num_key_value_heads", least=1),
        "head_dim": lambda c: c.whole("swa_head_dim", least=1),
        "rel_extent": lambda c: c.window,
    },
    ATTENTION,
)


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


def has_older_names(c: Config) -> bool:
    """Older files call the experts' width ``intermediate_size`` and that of dense layers by its own name."""
    return c.get("dense_intermediate_size") is not None


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
            "experts": "n_routed_experts",
            "experts_per_token": "num_experts_per_tok",
            "shared_experts": lambda c: c.whole("n_shared_experts", least=1),
            "expert_ffn": lambda c: c.whole("intermediate_size" if has_older_names(c) else "moe_intermediate_size"),
            "ffn": lambda c: c.whole("dense_intermediate_size" if has_older_names(c) else "intermediate_size"),
            "window": lambda c: c.whole("sliding_window_size", least=1),
            "kv_width": lambda c: c.kv_heads * c.head_dim,
            "rel_extent": lambda c: c.whole("rel_extent", least=1),
        },
        position="relative",
        about="Five windows of 512 to one layer of full attention, 6 of 256 experts and two shared ones.",
    )
)
