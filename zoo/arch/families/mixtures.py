"""Mixtures of experts behind ordinary attention: Granite's, OLMo's, Hunyuan's, Arcee's and others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.gpt_oss import attention_sinks
from zoo.arch.families.olmo import POST_NORMS, WIDE_QK_NORM
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import At, at, by_kind, named_kinds
from zoo.arch.mlp import Experts, FusedGatedMlp, GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.registry import Architecture, register
from zoo.arch.rows import Block, Place, Row

PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))
EXPERTS: dict[str, Dim] = {
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ffn": "moe_intermediate_size",
}
#: Shared experts of the same width as the routed ones, stored as one wide MLP.
SHARED_COUNT: dict[str, Dim] = {
    "shared_experts": "num_shared_experts",
    "shared_ffn": lambda c: c.shared_experts * c.expert_ffn,
}
#: One shared expert with a width of its own.
SHARED_WIDTH: dict[str, Dim] = {"shared_experts": lambda c: 1, "shared_ffn": "shared_expert_intermediate_size"}
#: Granite's: the experts are as wide as the dense models' MLP, and a shared MLP stands beside the mixture.
GRANITE: dict[str, Dim] = {
    "experts": "num_local_experts",
    "experts_per_token": "num_experts_per_tok",
    "shared_ffn": "shared_intermediate_size",
    "shared_experts": lambda c: int(c.shared_ffn > 0),
}
CORRECTED = Router(correction="e_score_correction_bias")


def shared(name: str = "shared_experts", bias: str | bool = False) -> At:
    return at(name, GatedMlp(width="shared_ffn", part="shared_experts", bias=bias))


def granite_shared(c: Config, p: Place) -> Iterable[Row]:
    """The MLP that serves every token beside the mixture; a width of 0 means none."""
    if c.shared_ffn:
        names = ("input_linear", "output_linear")
        yield from FusedGatedMlp(names, width="shared_ffn", part="shared_experts")(c, p.at("shared_mlp"))


GRANITE_MOE = (at("block_sparse_moe", Moe(Router("router"))), granite_shared)


def first_of_four_full(c: Config) -> Sequence[str]:
    """Full attention in layers 0, 4, 8 and so on."""
    return ["sliding_attention" if layer % 4 else "full_attention" for layer in range(c.layers)]


def every_nth_full(c: Config, n: int, layers: int | None = None) -> list[str]:
    """Full attention in each ``n``-th layer."""
    return ["sliding_attention" if (layer + 1) % n else "full_attention" for layer in range(layers or c.layers)]


def dense_below(c: Config, dense: int) -> Sequence[str]:
    return ["dense"] * min(dense, c.layers) + ["sparse"] * max(c.layers - dense, 0)


def by_mlp(dense: int | str, sparse: Block, *, bias: str | bool = False, width: str = "ffn") -> At:
    """What ``mlp_layer_types`` says, else ``dense`` (a number or the key of one) plain layers and then experts."""

    def read(c: Config) -> Sequence[str]:
        return dense_below(c, c.whole(dense) if isinstance(dense, str) else dense)

    kinds = named_kinds(read, "mlp_layer_types")
    return at("mlp", by_kind(kinds, dense=GatedMlp(bias=bias, width=width), sparse=sparse))


def exaone_kinds(c: Config) -> Sequence[str]:
    if c["sliding_window"] is None:
        raise UnsupportedError(f"{c.model_type}: without a sliding_window, layer_types must say what the layers are")
    return every_nth_full(c, c.whole("sliding_window_pattern", least=1))


def beam_kinds(c: Config) -> Sequence[str]:
    """Full attention in each sixth layer and in the last."""
    return [*every_nth_full(c, 6)[:-1], "full_attention"] if c.layers else []


def kolibri_kinds(c: Config) -> Sequence[str]:
    return every_nth_full(c, 5)


def afmoe_kinds(c: Config) -> Sequence[str]:
    return every_nth_full(c, c.whole("global_attn_every_n_layers", least=1))


def flint_kinds(c: Config) -> Sequence[str]:
    """Full attention in the first two layers, in each fourth from there, and in the last."""
    full = [layer < 2 or layer % 4 == 1 or layer == c.layers - 1 for layer in range(c.layers)]
    return ["full_attention" if is_full else "sliding_attention" for is_full in full]


def flint_mlps(c: Config) -> Sequence[str]:
    """Sparse in every ``decoder_sparse_step``-th layer but for those listed, which are 0 and 1 where none are."""
    step, listed = c.whole("decoder_sparse_step", least=1), c["mlp_only_layers"]
    dense = [0, 1] if listed is None else listed
    if not isinstance(dense, list):
        raise UnsupportedError(f"{c.model_type}: mlp_only_layers is not a list of layers")
    sparse = [c.experts > 0 and layer not in dense and (layer + 1) % step == 0 for layer in range(c.layers)]
    return ["sparse" if is_sparse else "dense" for is_sparse in sparse]


def cohere_dense(c: Config) -> int:
    return check_whole(c.get("first_k_dense_replace", 0), f"{c.model_type}: first_k_dense_replace")


def cohere_kinds(c: Config) -> Sequence[str]:
    """Each of the two stretches, the dense prefix and the rest, counts its layers from its own start."""
    prefix = cohere_dense(c)
    if prefix > c.layers:
        raise UnsupportedError(f"{c.model_type}: first_k_dense_replace {prefix} is more than the layers there are")
    ahead = every_nth_full(c, c.whole("prefix_dense_sliding_window_pattern", least=1))[:prefix]
    return ahead + every_nth_full(c, c.whole("sliding_window_pattern", least=1))[: c.layers - prefix]


def read_cohere_dense_width(c: Config) -> int:
    """``prefix_dense_intermediate_size``; null means the width of an expert."""
    width = c.maybe("prefix_dense_intermediate_size")
    return int(c.ffn) if width is None else width


def afmoe_bias(c: Config, p: Place) -> Iterable[Row]:
    """What balances the load of the experts; here a parameter, which only the balancing changes."""
    yield p.tensor("expert_bias", (c.experts,), "router", "vector")


def output_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of each element of what attention found is passed on."""
    return p.linear("gate_proj", c.hidden, c.heads * c.head_dim, "attention")


def beam_gate(c: Config, p: Place) -> Iterable[Row]:
    yield from output_gate(c, p)
    yield p.tensor("gate_bias", (c.heads,), "attention", "vector")


def hy_correction(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("e_score_correction_bias", (c.experts,), "router", "vector", role="buffer")


def read_equal(key: str) -> Dim:
    """A number, or a list of one number for each layer, all the same."""

    def read(c: Config) -> int:
        value: Any = c[key]
        if isinstance(value, list):
            if len(set(map(str, value))) != 1:
                raise UnsupportedError(f"{c.model_type}: {key} differs between layers")
            value = value[0]
        return check_whole(value, f"{c.model_type}: {key}")

    return read


def refuse_other_hunyuan(c: Config) -> str | None:
    """What the model's own code reads and the class takes for granted must agree."""
    granted = {"num_shared_expert": 1, "moe_intermediate_size": c.ffn}
    for key, value in granted.items():
        said = c.raw.get(key)
        if said is not None and any(item != value for item in (said if isinstance(said, list) else [said])):
            return f"{key} is {said!r:.40}, which the class does not follow"
    return None


def mixture(model_type: str, prefix: str, family: str, *layer: Block, **more: Any) -> Architecture:
    """A decoder with its two plain classes only, unless ``more`` says otherwise."""
    more.setdefault("heads", causal_heads(prefix, sequence=None, tokens=None))
    return decoder(model_type, prefix, family, *layer, **more)


GRANITE_SWA_ATTENTION = Attention(
    bias="attention_bias", kinds=named_kinds(first_of_four_full), extra=(attention_sinks,)
)

register(
    mixture(
        "granitemoeshared",
        "GraniteMoeShared",
        "Granite",
        at("self_attn", Attention(bias="attention_bias")),
        *GRANITE_MOE,
        *PRE_NORMS,
        dims=GRANITE,
        example="ibm-research/moe-7b-1b-active-shared-experts",
        about="Granite's mixture with a shared MLP beside the experts.",
    ),
    mixture(
        "granitemoe_swa",
        "GraniteMoeSWA",
        "Granite",
        at("self_attn", GRANITE_SWA_ATTENTION),
        *GRANITE_MOE,
        *PRE_NORMS,
        dims=GRANITE,
        example="ibm-granite/granite-swash-3b-a600m",
        about="Granite's mixture with sinks, and three windows of 128 to one layer of full attention.",
    ),
    mixture(
        "flex_olmo",
        "FlexOlmo",
        "OLMo",
        at("self_attn", Attention(bias="attention_bias", extra=WIDE_QK_NORM)),
        at("mlp", Moe()),
        *POST_NORMS,
        dims=EXPERTS | {"expert_ffn": "intermediate_size"},
        example="allenai/FlexOlmo-7x7B-1T",
        about="OLMo 2 with 7 full-size experts, trained apart from each other on data that need not be shared.",
    ),
    mixture(
        "exaone_moe",
        "ExaoneMoe",
        "EXAONE",
        at("self_attn", Attention(kinds=named_kinds(exaone_kinds), extra=QK_NORM)),
        by_mlp("first_k_dense_replace", Moe(CORRECTED, shared=(shared(),))),
        *PRE_NORMS,
        dims=EXPERTS | SHARED_COUNT,
        example="LGAI-EXAONE/K-EXAONE-236B-A23B",
        about="EXAONE 4's windows and normalised queries and keys with DeepSeek-V3's mixture.",
    ),
    mixture(
        "hunyuan_v1_moe",
        "HunYuanMoEV1",
        "HunYuan",
        at(
            "self_attn",
            Attention(
                bias="attention_bias",
                extra=(rms("query_layernorm", "head_dim"), rms("key_layernorm", "head_dim")),
            ),
        ),
        at("mlp", Moe(Router("gate.wg"), shared=(shared("shared_mlp"),))),
        *PRE_NORMS,
        heads=causal_heads("HunYuanMoEV1", tokens=None),
        dims={
            "experts": "num_experts",
            "experts_per_token": read_equal("moe_topk"),
            "shared_experts": lambda c: 1,
            "shared_ffn": lambda c: c.ffn,
        },
        supported=refuse_other_hunyuan,
        example="tencent/Hunyuan-A13B-Instruct",
        about="8 of 64 experts and one shared of the same width, with queries and keys normalised after the rotation.",
    ),
    mixture(
        "hy_v3",
        "HYV3",
        "HunYuan",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM)),
        by_mlp(1, Moe(Router(), shared=(hy_correction, shared(bias="mlp_bias"))), bias="mlp_bias"),
        *PRE_NORMS,
        dims=EXPERTS | SHARED_COUNT | {"shared_ffn": lambda c: c.shared_experts * c.expert_ffn or c.ffn},
        example="tencent/Hy3-preview",
        about="8 of 192 experts and a shared one behind a dense first layer.",
    ),
    mixture(
        "afmoe",
        "Afmoe",
        "Arcee",
        at("self_attn", Attention(bias="attention_bias", kinds=named_kinds(afmoe_kinds), extra=QK_NORM), output_gate),
        at(
            "mlp",
            by_kind(
                lambda c: dense_below(c, c.whole("num_dense_layers")),
                dense=GatedMlp(),
                sparse=Moe(Router("router.gate"), shared=(afmoe_bias, shared())),
            ),
        ),
        *PRE_NORMS,
        rms("pre_mlp_layernorm"),
        rms("post_mlp_layernorm"),
        dims=EXPERTS | SHARED_COUNT,
        example="arcee-ai/Trinity-Mini",
        about="Gated attention, three windows to one layer of full attention, norms before and after each block.",
    ),
    mixture(
        "flint",
        "Flint",
        "Flint",
        at(
            "self_attn",
            Attention(bias="attention_bias", kinds=named_kinds(flint_kinds), extra=(*QK_NORM, attention_sinks)),
        ),
        at("mlp", by_kind(flint_mlps, dense=GatedMlp(), sparse=Moe(shared=(shared("shared_expert"),)))),
        *PRE_NORMS,
        dims=EXPERTS | SHARED_WIDTH,
        example="RecursiveSI/flint",
        about="Sinks, windows of 512 in most layers, 6 of 256 small experts and a shared one.",
    ),
    mixture(
        "kolibri1",
        "Kolibri1",
        "Kolibri",
        at("self_attn", Attention(kinds=named_kinds(kolibri_kinds), extra=QK_NORM)),
        at("mlp", Moe(CORRECTED, shared=(shared(),))),
        *PRE_NORMS,
        rms("post_self_attn_layernorm"),
        rms("post_mlp_layernorm"),
        dims=EXPERTS | SHARED_WIDTH | {"ffn": "moe_intermediate_size"},
        example="Aleph-Alpha/Kolibri-1",
        about="Experts in every layer, four windows to one layer of full attention, norms before and after each block.",
    ),
    mixture(
        "mellum",
        "Mellum",
        "Mellum",
        at(
            "self_attn",
            Attention(bias="attention_bias", kinds=named_kinds(lambda c: ["full_attention"] * c.layers), extra=QK_NORM),
        ),
        by_mlp(0, Moe()),
        *PRE_NORMS,
        dims=EXPERTS,
        example="JetBrains/Mellum2-12B-A2.5B-Base",
        about="Qwen3's mixture, with windows in the layers that layer_types names.",
    ),
    mixture(
        "beam",
        "Beam",
        "Beam",
        at("self_attn", Attention(bias="attention_bias", kinds=named_kinds(beam_kinds), extra=QK_NORM), beam_gate),
        by_mlp(3, Moe(CORRECTED)),
        *PRE_NORMS,
        rms("pre_feedforward_layernorm"),
        rms("post_feedforward_layernorm"),
        dims=EXPERTS,
        example="reflection/Beam-1.0-501B-A23B",
        about="Gated attention with a window of 512 in five layers of six, and DeepSeek-V3's routing.",
    ),
    mixture(
        "cohere2_moe",
        "Cohere2Moe",
        "Command",
        at("self_attn", Attention(bias="attention_bias", kinds=named_kinds(cohere_kinds))),
        at(
            "mlp",
            by_kind(
                named_kinds(lambda c: dense_below(c, cohere_dense(c)), "mlp_layer_types"),
                dense=GatedMlp(width="dense_ffn"),
                sparse=Moe(Router(), Experts(), (shared(),)),
            ),
        ),
        layer_norm("input_layernorm", bias=False),
        final=layer_norm("norm", bias=False),
        dims=EXPERTS | SHARED_COUNT | {"expert_ffn": "intermediate_size", "dense_ffn": read_cohere_dense_width},
        norm="layernorm",
        example="CohereLabs/command-a-plus-05-2026",
        about="Command R7B's parallel blocks and windows with a mixture of experts.",
    ),
)
