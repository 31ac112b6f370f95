"""Models built on DeepSeek's ideas: its mixture behind ordinary attention, its latents in front of other blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from zoo.arch.attention import Attention, LatentAttention
from zoo.arch.config import Config, Dim, check_whole, read_kv_heads, split_heads
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS, FinalNormAndMtp, dense_first
from zoo.arch.families.gpt_oss import attention_sinks
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, layer_types, named_kinds, resized
from zoo.arch.mlp import GatedMlp, Moe, Router
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor

#: DeepSeek's dimensions but those of its latents.
MIXTURE: dict[str, Dim] = {key: rule for key, rule in DEEPSEEK.items() if not key.endswith("head_dim")}


def upper_layers_slide(c: Config) -> Sequence[str]:
    """Full attention below ``max_window_layers``, a window from there on."""
    full = c.layers if c.window is None else min(c.whole("max_window_layers"), c.layers)
    return ["full_attention"] * full + ["sliding_attention"] * (c.layers - full)


def first_is_dense(c: Config) -> Sequence[str]:
    """One dense layer, then experts."""
    return (["dense"] + ["sparse"] * c.layers)[: c.layers]


def sparse_every_nth(c: Config) -> Sequence[str]:
    """After ``first_k_dense_replace`` dense layers, experts in those whose number ``moe_layer_freq`` divides."""
    dense = check_whole(c.get("first_k_dense_replace", 1), f"{c.model_type}: first_k_dense_replace")
    step = check_whole(c.get("moe_layer_freq", 1), f"{c.model_type}: moe_layer_freq", 1)
    return ["sparse" if layer >= dense and layer % step == 0 else "dense" for layer in range(c.layers)]


def refuse_full_queries(c: Config) -> str | None:
    return "q_lora_rank is null" if c["q_lora_rank"] is None else None


def mimo_kinds(c: Config) -> Sequence[str]:
    """Full attention in the first layer and in every sixth."""
    full = [layer == 0 or (layer + 1) % 6 == 0 for layer in range(c.layers)]
    return ["full_attention" if is_full else "sliding_attention" for is_full in full]


def read_mimo_window(c: Config) -> int | None:
    """``sliding_window``, which counts the token itself; the older ``sliding_window_size`` counts those before it."""
    older = c.maybe("sliding_window_size")
    return c.maybe("sliding_window") if older is None else older + 1


def refuse_other_mimo(c: Config) -> str | None:
    """Files of the model's own code say outright what the class here takes for granted: they must agree."""
    granted: dict[str, object] = {
        "swa_num_key_value_heads": 2 * c.kv_heads,
        "swa_num_attention_heads": c.heads,
        "swa_head_dim": c.head_dim,
        "swa_v_head_dim": c.v_head_dim,
        "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
        "n_shared_experts": None,
    }
    if c.get("layer_types") is None:
        granted["hybrid_layer_pattern"] = [int(kind == "sliding_attention") for kind in mimo_kinds(c)]
    if c.get("mlp_layer_types") is None:
        granted["moe_layer_freq"] = [int(kind == "sparse") for kind in first_is_dense(c)]
    wrong = next((key for key, value in granted.items() if c.raw.get(key, value) != value), None)
    return wrong and f"{wrong} is {c.raw[wrong]!r:.40}, which the class does not follow"


def mimo_norm_and_mtp(c: Config, p: Place) -> Iterable[Row]:
    """The final norm, and what predicts further tokens, as checkpoints store it (``model.mtp.layers.…``).

    Each is a sliding layer with a dense feed-forward behind a projection of two normalised inputs.
    (MiMo-V2-Flash's checkpoint has three, its config does not say so.)
    """
    yield from rms("norm")(c, p)
    count = c.maybe("num_nextn_predict_layers") or 0
    if count == 0:
        return
    place = p._replace(prefix=f"{p.prefix}mtp.layers.{{}}.", layers=range(count), role="mtp")
    names = ("input_layernorm", "pre_mlp_layernorm", "enorm", "hnorm", "final_layernorm")
    blocks: list[Block] = [at("self_attn", MIMO_SLIDING), at("mlp", GatedMlp()), *(rms(name) for name in names)]
    for block in blocks:
        yield from (row for row in block(c, place) if isinstance(row, Tensor))
    yield from place.linear("eh_proj", 2 * c.hidden, c.hidden, "other")


AXK1_MOE = replace(MOE_V3, shared=(*MOE_V3.shared, rms("post_mlp_layernorm")))
MIMO_KINDS = named_kinds(mimo_kinds)
MIMO_ATTENTION = Attention(bias="attention_bias", o_bias=False, kinds=MIMO_KINDS)
MIMO_MOE = Moe(Router(correction="e_score_correction_bias"))
MIMO_SLIDING = resized({"kv_heads": lambda c: 2 * read_kv_heads(c)}, MIMO_ATTENTION, attention_sinks)

register(
    decoder(
        "dots1",
        "Dots1",
        "dots",
        at("self_attn", Attention(bias="attention_bias", extra=QK_NORM, kinds=layer_types(upper_layers_slide))),
        at("mlp", by_kind(dense_first, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads=causal_heads("Dots1", sequence=None, tokens=None),
        dims=MIXTURE,
        example="rednote-hilab/dots.llm1.base",
        about="DeepSeek-V3's mixture behind multi-head attention with normalised queries and keys.",
    ),
    decoder(
        "solar_open",
        "SolarOpen",
        "Solar",
        at("self_attn", Attention(bias="attention_bias", o_bias=False)),
        at("mlp", MOE_V3),
        *PRE_NORMS,
        heads=causal_heads("SolarOpen", sequence=None, tokens=None),
        dims=MIXTURE | {"ffn": "moe_intermediate_size"},
        example="upstage/Solar-Open-100B",
        about="DeepSeek-V3's mixture in every layer, from the first on, behind grouped-query attention.",
    ),
    decoder(
        "glm4_moe_lite",
        "Glm4MoeLite",
        "GLM",
        at("self_attn", LatentAttention()),
        at("mlp", by_kind(named_kinds(first_is_dense, "mlp_layer_types"), dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        final=FinalNormAndMtp((at("self_attn", LatentAttention()), at("mlp", MOE_V3), *PRE_NORMS)),
        heads=causal_heads("Glm4MoeLite", sequence=None, tokens=None),
        dims=DEEPSEEK,
        example="zai-org/GLM-4.7-Flash",
        about="DeepSeek-V3's layers, latent attention included, at 30 billion parameters.",
    ),
    decoder(
        "minicpm3",
        "MiniCPM3",
        "MiniCPM",
        at("self_attn", LatentAttention(value="v_head_dim")),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=causal_heads("MiniCPM3", tokens=None),
        dims={
            "head_dim": DEEPSEEK["head_dim"],
            "v_head_dim": lambda c: split_heads(c) if c["v_head_dim"] is None else c.whole("v_head_dim", least=1),
        },
        example="openbmb/MiniCPM3-4B",
        about="A dense model with DeepSeek's latent attention and scaled residuals.",
    ),
    decoder(
        "mimo_v2_flash",
        "MiMoV2Flash",
        "MiMo",
        at("self_attn", by_kind(MIMO_KINDS, full_attention=MIMO_ATTENTION, sliding_attention=MIMO_SLIDING)),
        at("mlp", by_kind(named_kinds(first_is_dense, "mlp_layer_types"), dense=GatedMlp(), sparse=MIMO_MOE)),
        *PRE_NORMS,
        final=mimo_norm_and_mtp,
        heads=causal_heads("MiMoV2Flash", sequence=None, tokens=None),
        dims=MIXTURE | {"v_head_dim": "v_head_dim", "window": read_mimo_window, "shared_experts": lambda c: 0},
        supported=refuse_other_mimo,
        example="XiaomiMiMo/MiMo-V2-Flash",
        about="Five layers with a window of 128, sinks and twice the KV heads to one of full attention.",
    ),
    decoder(
        "youtu",
        "Youtu",
        "Youtu",
        at("self_attn", LatentAttention()),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads=causal_heads("Youtu", sequence=None, tokens=None),
        dims={key: DEEPSEEK[key] for key in ("head_dim", "v_head_dim")},
        example="tencent/Youtu-LLM-2B",
        about="A small dense model with DeepSeek's latent attention and a tied vocabulary.",
    ),
    decoder(
        "axk1",
        "AXK1",
        "A.X",
        at("self_attn", LatentAttention()),
        at("mlp", by_kind(named_kinds(sparse_every_nth, "mlp_layer_types"), dense=GatedMlp(), sparse=AXK1_MOE)),
        *PRE_NORMS,
        dims=DEEPSEEK,
        supported=refuse_full_queries,
        example="skt/A.X-K1",
        about="DeepSeek-V3's layers with a norm after each mixture.",
    ),
)
