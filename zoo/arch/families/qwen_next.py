"""Qwen3-Next: three layers of linear attention by the gated delta rule to one of gated full attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import states_of
from zoo.arch.config import Config, Dim, check_whole
from zoo.arch.families.qwen_moe import SHARED, mlp_kinds, shared_gate
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp, Moe
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.recurrent import GatedDelta
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor


def gated_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention whose query projection is twice as wide: the second half gates the output."""
    bias, width = c.flag("attention_bias"), c.heads * c.head_dim
    yield from p.linear("q_proj", c.hidden, 2 * width, "attention", bias)
    yield from p.linear("k_proj", c.hidden, c.kv_heads * c.head_dim, "attention", bias)
    yield from p.linear("v_proj", c.hidden, c.kv_heads * c.head_dim, "attention", bias)
    yield from p.linear("o_proj", width, c.hidden, "attention", bias)
    for norm in QK_NORM:
        yield from norm(c, p)
    yield from states_of(c, p, None)


def every_fourth_full(c: Config) -> Sequence[str]:
    """Full attention in each ``full_attention_interval``-th layer, the fourth unless given."""
    interval = check_whole(c.get("full_attention_interval", 4), f"{c.model_type}: full_attention_interval", 1)
    return ["linear_attention" if (layer + 1) % interval else "full_attention" for layer in range(c.layers)]


KINDS = named_kinds(every_fourth_full)
ATTENTION = at("self_attn", gated_attention)
PRE_NORMS = (rms("input_layernorm"), rms("post_attention_layernorm"))
EXPERTS: dict[str, Dim] = {
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_tok",
    "expert_ffn": "moe_intermediate_size",
    "shared_experts": lambda c: 1,
    "shared_ffn": "shared_expert_intermediate_size",
}
MOE = Moe(shared=(SHARED, shared_gate))
MIXER = by_kind(KINDS, linear_attention=at("linear_attn", GatedDelta(fused=True)), full_attention=ATTENTION)
SPLIT_MIXER = by_kind(KINDS, linear_attention=at("linear_attn", GatedDelta(fused=False)), full_attention=ATTENTION)


@dataclass(frozen=True)
class FinalNormAndMtp:
    """The final norm, and beside the model what predicts further tokens, where the config says that there is any.

    As checkpoints store it (``mtp.…``): layers with full attention and the given ``mlp`` behind one projection of two
    normalised inputs. Embedding and head are the main model's. (Qwen3-Next's checkpoints have it, its config does not
    say so.)
    """

    mlp: Block

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from rms("norm")(c, p)
        count = c.maybe("mtp_num_hidden_layers") or 0
        if count == 0:
            return
        place = p._replace(prefix="mtp.", role="mtp")
        layer = place._replace(prefix="mtp.layers.{}.", layers=range(count))
        yield from place.linear("fc", 2 * c.hidden, c.hidden, "other")
        for norm in (rms("norm"), rms("pre_fc_norm_embedding"), rms("pre_fc_norm_hidden")):
            yield from norm(c, place)
        for block in (ATTENTION, self.mlp, *PRE_NORMS):
            yield from (row for row in block(c, layer) if isinstance(row, Tensor))


register(
    decoder(
        "qwen3_next",
        "Qwen3Next",
        "Qwen",
        MIXER,
        at("mlp", by_kind(mlp_kinds, dense=GatedMlp(), sparse=MOE)),
        *PRE_NORMS,
        final=FinalNormAndMtp(at("mlp", MOE)),
        heads=causal_heads("Qwen3Next", questions="transformer."),
        dims=EXPERTS,
        example="Qwen/Qwen3-Next-80B-A3B-Instruct",
        about="Three layers with a state of fixed size to one with a cache; 10 of 512 small experts per token.",
    )
)
