"""Kimi K2, and the models with Kimi delta attention: a state of fixed size in most layers, latents in the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.arch.attention import LatentAttention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS, FinalNormAndMtp
from zoo.arch.families.deepseek import dense_first as first_k_dense
from zoo.arch.families.zamba import read_unless_said
from zoo.arch.heads import LmHead, causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.recurrent import depthwise_conv
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Multiply-adds per element of the state and token: decay, read by the key, write, read by the query.
DELTA_STEPS = 4


def linear_section(c: Config) -> Mapping[str, Any]:
    """``linear_attn_config``, where files of the model's own code keep what concerns the delta layers."""
    section = c.get("linear_attn_config", {})
    if not isinstance(section, Mapping):
        raise UnsupportedError(f"{c.model_type}: linear_attn_config is not an object")
    return section


def read_linear(key: str, older: str) -> Any:
    """The key of the section, else the newer key beside it."""

    def read(c: Config) -> int:
        section = linear_section(c)
        if older in section:
            return check_whole(section[older], f"{c.model_type}: linear_attn_config.{older}", 1)
        return c.whole(key, least=1)

    return read


def kimi_kinds(c: Config) -> Sequence[str]:
    """The layers that the section lists, counted from 1; without lists, full attention in layers 4, 8 and so on."""
    section = linear_section(c)
    if "full_attn_layers" not in section or "kda_layers" not in section:
        return ["full_attention" if layer and layer % 4 == 0 else "linear_attention" for layer in range(c.layers)]
    kinds = [""] * c.layers
    for key, kind in (("full_attn_layers", "full_attention"), ("kda_layers", "linear_attention")):
        for number in section[key] if isinstance(section[key], list) else [None]:
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= c.layers:
                raise UnsupportedError(f"{c.model_type}: linear_attn_config.{key} is not a list of layers from 1 on")
            kinds[number - 1] = kind
    if "" in kinds:
        raise UnsupportedError(f"{c.model_type}: linear_attn_config does not say what layer {kinds.index('') + 1} is")
    return kinds


def dense_first(c: Config) -> Sequence[str]:
    dense = min(check_whole(c.get("first_k_dense_replace", 1), f"{c.model_type}: first_k_dense_replace"), c.layers)
    return ["dense"] * dense + ["sparse"] * (c.layers - dense)


@dataclass(frozen=True)
class DeltaAttention:
    """Kimi delta attention (arXiv:2510.26692): a delta rule that forgets by channel.

    State per sequence: heads x head_dim x head_dim, kept in float32, and the last kernel - 1 inputs of a convolution
    over queries, keys and values. The gates are of low rank unless ``full``.
    """

    full: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        heads, width, kernel = c.linear_heads, c.linear_head_dim, c.linear_kernel
        inner = heads * width
        for name in ("q_proj", "k_proj", "v_proj"):
            yield from p.linear(name, c.hidden, inner, "recurrent")
        yield from depthwise_conv(p, "conv1d", 3 * inner, kernel, False)
        gate = p.at("forget_gate")
        yield from self.project(c, gate, "f")
        yield gate.tensor("dt_bias", (inner,), "recurrent", "vector")
        yield gate.tensor("A_log", (heads,) if self.full else (1, 1, heads, 1), "recurrent", "vector")
        yield from p.linear("b_proj", c.hidden, heads, "recurrent")
        yield from self.project(c, p, "g")
        yield from rms("o_norm", "linear_head_dim")(c, p)
        yield from p.linear("o_proj", inner, c.hidden, "recurrent")
        yield p.state("conv", fixed=3 * inner * (kernel - 1))
        state = heads * width * width
        yield p.state("linear", fixed=state, flops_per_token=2 * DELTA_STEPS * state, dtype="float32")

    def project(self, c: Config, p: Place, letter: str) -> Iterable[Row]:
        """From the hidden state to a gate for each channel, directly or through the width of a head."""
        inner = c.linear_heads * c.linear_head_dim
        if self.full:
            yield from p.linear(f"{letter}_proj", c.hidden, inner, "recurrent")
        else:
            yield from p.linear(f"{letter}_a_proj", c.hidden, c.linear_head_dim, "recurrent")
            yield from p.linear(f"{letter}_b_proj", c.linear_head_dim, inner, "recurrent")


def refuse_other_code(c: Config) -> str | None:
    """Switches of later models under the same name, which the class does not have."""
    later = ("mla_use_output_gate", "routed_expert_hidden_size", "attn_res_block_size")
    found = next((key for key in later if c.raw.get(key)), None)
    if linear_section(c).get("use_full_rank_gate"):
        found = "linear_attn_config.use_full_rank_gate"
    return found and f"{found} is set, which only the code in the model's own repository follows"


def last_of_group_full(c: Config) -> Sequence[str]:
    group = c.whole("layer_group_size", least=1)
    return ["linear_attention" if (layer + 1) % group else "full_attention" for layer in range(c.layers)]


def head_gate(c: Config, p: Place) -> Iterable[Row]:
    """How much of what each head found is passed on."""
    return p.linear("g_proj", c.hidden, c.heads, "attention")


def says_bias(c: Config) -> bool:
    """Kimi K2 names DeepSeek's own code, in which biases are off where a file does not speak of them."""
    return "attention_bias" in c and c.flag("attention_bias")


K2_ATTENTION = at("self_attn", LatentAttention(bias=says_bias))


def refuse_low_rank(c: Config) -> str | None:
    return "q_lora_rank is set, which the class does not have" if c.raw.get("q_lora_rank") else None


def require_rank(c: Config) -> str | None:
    """No class declares ranks for this type: null has a meaning, absence has none (MissingKeyError)."""
    _ = c["q_lora_rank"]
    return None


register(
    decoder(
        "kimi_linear",
        "KimiLinear",
        "Kimi",
        at(
            "self_attn",
            by_kind(named_kinds(kimi_kinds), full_attention=LatentAttention(), linear_attention=DeltaAttention()),
        ),
        at("mlp", by_kind(named_kinds(dense_first, "mlp_layer_types"), dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads=causal_heads("KimiLinear", lm=LmHead(tie_of=lambda c: False), sequence=None, tokens=None),
        dims={
            **DEEPSEEK,
            "experts": "num_local_experts",
            "linear_heads": read_linear("linear_num_heads", "num_heads"),
            "linear_head_dim": read_linear("linear_head_dim", "head_dim"),
            "linear_kernel": read_linear("linear_conv_kernel_dim", "short_conv_kernel_size"),
        },
        position="none",
        supported=refuse_other_code,
        example="moonshotai/Kimi-Linear-48B-A3B-Instruct",
        about="A cache that grows only in every fourth layer, and there by a latent; the head is never tied.",
    ),
    decoder(
        "bailing_hybrid",
        "BailingHybrid",
        "Ling",
        at(
            "self_attn",
            by_kind(
                named_kinds(last_of_group_full),
                full_attention=LatentAttention(extra=(head_gate,)),
                linear_attention=DeltaAttention(full=True),
            ),
        ),
        at("mlp", by_kind(named_kinds(first_k_dense, "mlp_layer_types"), dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads=causal_heads("BailingHybrid", lm=LmHead(tie_of=lambda c: False), sequence=None, tokens=None),
        dims={
            **DEEPSEEK,
            "experts": "num_local_experts",
            # Saved files say these; the type itself takes them from the keys of the attention.
            "linear_heads": read_unless_said("linear_num_heads", lambda c: c.heads),
            "linear_head_dim": read_unless_said("linear_head_dim", lambda c: c.whole("head_dim", least=1)),
            "linear_kernel": read_unless_said("linear_conv_kernel_dim", lambda c: c.whole("short_conv_kernel_size")),
        },
        supported=refuse_low_rank,
        example="inclusionAI/Ling-3.0-Flash",
        about="Kimi's delta attention in five layers of six, gated latent attention in the sixth, 8 of 512 experts.",
    ),
    decoder(
        "kimi_k2",
        "DeepseekV3",
        "Kimi",
        K2_ATTENTION,
        at("mlp", by_kind(first_k_dense, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        final=FinalNormAndMtp((K2_ATTENTION, at("mlp", MOE_V3), *PRE_NORMS)),
        dims=DEEPSEEK,
        supported=require_rank,
        example="moonshotai/Kimi-K2-Instruct",
        about="DeepSeek-V3 with 384 experts and half the heads, under a name of its own; it declares no defaults.",
    ),
)
